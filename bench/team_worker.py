"""`bench.worker --serve` on an exact number of threads: `python -m bench.team_worker 2`.

With ``chosen`` instead of a number gyaku chooses it, up to that of the environment.
"""

from __future__ import annotations

import sys

import gyaku as gk
from bench.serving import serve
from bench.worker import answer

if __name__ == "__main__":
    count = sys.argv[1]
    if count != "chosen":
        gk.set_num_threads(int(count), exact=True)
    serve(answer)
