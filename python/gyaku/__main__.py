"""``python -m gyaku``: the command ``gyaku``."""

import sys

from gyaku.cli import main

if __name__ == "__main__":
    sys.exit(main())
