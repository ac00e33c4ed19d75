"""``python -m gyaku`` is the command ``gyaku``."""

import sys

from gyaku.cli import main

if __name__ == "__main__":
    sys.exit(main())
