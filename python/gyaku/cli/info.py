"""``gyaku info``: version, processor, threads, caches and measured speed of this machine."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from gyaku.cli.parser import Parser
    from gyaku.distributed.places import Place

__all__ = ["add", "run"]

_PAGE = """\
Show version, processor, instruction set, threads, caches and measured speed.

The measured peak is the limit of every training: matrix products approach the arithmetic peak,
everything else the memory bandwidth.
"""

_EXAMPLES = """\
environment variables:
  GYAKU_ISA=avx2           instruction set, if lower than the processor's
  GYAKU_NUM_THREADS=1      number of threads
  GYAKU_DATA=FOLDER        folder of data sets on this machine
  GYAKU_CACHE=FOLDER       folder of downloaded data sets, instead of the user's cache
"""

_BFLOAT16 = {
    "emulated": "emulated: operands are rounded, products are those of float32",
    "matrix products": "matrix products, convolutions and recurrent layers by instructions for it",
}
_MEMORY = 64 * 2**20  # bytes per array, larger than the second-level caches


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("info", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument(
        "--no-measure", action="store_true", help="skip the measurements, which take a second"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the facts about this machine.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    places = _places()
    if places is not None and not places:
        return 0  # the first process tells of all
    # Several processes at once would measure each other.
    facts = _facts(measure=not (arguments.no_measure or places))
    if places:
        facts["processes"] = [each._asdict() for each in places]
    if arguments.json:
        import json

        print(json.dumps(facts, indent=2))
    else:
        rows = _rows(facts)
        if places:
            from gyaku.distributed.places import words_of

            titles = ["processes", *[""] * len(places)]
            rows += zip(titles, words_of(places), strict=False)
        width = max(len(name) for name, _ in rows)
        print("\n".join(f"{name:{width}}  {text}" for name, text in rows))
    return 0


def _places() -> list[Place] | None:
    """Return what each process got: to the first one; [] to others, None to one by itself."""
    from gyaku.distributed.library import launched, library

    if launched() < 2:
        return None
    from gyaku.distributed.places import place

    world = library().COMM_WORLD
    return world.gather(place(), root=0) or []


def _facts(*, measure: bool) -> dict[str, Any]:
    """Return the facts as a dict, for JSON."""
    from gyaku import _core
    from gyaku.data.folders import cache_folder

    facts: dict[str, Any] = {
        "gyaku": _core.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _core.cpu_info(),
        "isa": _core.isa(),
        "isas": _core.isas(),
        "isa_forced": os.environ.get("GYAKU_ISA") or None,
        "bfloat16": "matrix products" if _core.multiplies_bfloat16() else "emulated",
        "threads": _core.num_threads(),
        "data": os.environ.get("GYAKU_DATA") or None,
        "cache": str(cache_folder("")),
    }
    if measure:
        threads = facts["threads"]
        for dtype in ("float32", "float64"):
            facts[f"{dtype}_flops"] = _core.measure_flops(dtype, threads)
        facts["bandwidth"] = _core.measure_bandwidth(_MEMORY, threads)
    return facts


def _rows(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the facts as rows of name and text."""
    cpu = facts["cpu"]
    forced = ", forced by GYAKU_ISA" if facts["isa_forced"] else ""
    sizes = [("L1d", "l1d_bytes"), ("L2", "l2_bytes"), ("L3", "l3_bytes")]
    caches = ", ".join(f"{name} {_bytes(cpu[key])}" for name, key in sizes if cpu[key])
    rows = [
        ("gyaku", facts["gyaku"]),
        ("Python", f"{facts['python']} with NumPy {facts['numpy']}, {facts['system']}"),
        ("processor", cpu["name"]),
        (
            "instruction set",
            f"{facts['isa']}{forced} (this machine has {', '.join(facts['isas'])})",
        ),
        ("bfloat16", _BFLOAT16[facts["bfloat16"]]),
        ("threads", f"{facts['threads']}, {_origin_of_threads(facts)}"),
        ("caches", caches or "unknown"),
    ]
    if "bandwidth" in facts:
        peaks = " and ".join(
            f"{facts[f'{dtype}_flops'] / 1e9:,.0f} GFLOP/s in {dtype}"
            for dtype in ("float32", "float64")
        )
        rows.append(("measured peak", peaks))
        rows.append(("measured memory", f"{facts['bandwidth'] / 1e9:,.0f} GB/s"))
    folder = facts["data"] or "none (GYAKU_DATA is not set)"
    if facts["data"] and not os.path.isdir(facts["data"]):
        folder += " (there is no such folder)"
    rows.append(("data folder", folder))
    rows.append(("data cache", facts["cache"]))
    return rows


def _origin_of_threads(facts: dict[str, Any]) -> str:
    """Return the origin of the number of threads."""
    cpu = facts["cpu"]
    grants = [f"{cpu['physical_cores']} physical cores, {cpu['affinity']} CPUs for this process"]
    if cpu["cgroup_quota"] is not None:
        grants.append(f"a quota of {cpu['cgroup_quota']}")
    origin = f"by {cpu['threads_from']} ({', '.join(grants)})"
    if (cpu["requested_threads"] or 0) > facts["threads"]:
        origin += f", which asks for {cpu['requested_threads']}: more than can run at once"
    return origin + ("; fewer where they are measured to be faster" if facts["threads"] > 1 else "")


def _bytes(count: int) -> str:
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:g} {unit}"
    return f"{count} B"
