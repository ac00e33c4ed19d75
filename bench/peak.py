"""Measured peak of this machine: `python -m bench.peak` prints one line of JSON."""

from __future__ import annotations

import json

BANDWIDTH_BYTES = 64 << 20
"""Size of an array of the triad, larger than a second-level cache."""


def main() -> None:
    """Measure float32 operations and bytes per second on gyaku's number of threads."""
    from gyaku import _core

    threads = _core.num_threads()
    answer = {
        "flops": _core.measure_flops("float32", threads),
        "bandwidth": _core.measure_bandwidth(BANDWIDTH_BYTES, threads),
        "threads": threads,
        "isa": _core.isa(),
        "cpu": _core.cpu_info()["name"],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
