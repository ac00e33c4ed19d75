"""`bench.worker --serve` on an exact number of threads: `python -m bench.team_worker 2`.

With ``chosen`` instead of a number gyaku chooses it, up to that of the environment. Further
arguments are variables, such as ``OMP_PROC_BIND=true``, set before libraries are loaded.
"""

from __future__ import annotations

import os
import sys


def main(count: str, *variables: str) -> None:
    """Set the environment and the number of threads, then serve."""
    os.environ.update({name: value for name, _, value in (v.partition("=") for v in variables)})
    import gyaku as gk
    from bench.serving import serve
    from bench.worker import answer

    if count != "chosen":
        gk.set_num_threads(int(count), exact=True)
    serve(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
