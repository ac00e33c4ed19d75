"""`python -m bench [row or table ...]`: see --help and README.md."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import WorkerError, missing, present, say
from bench.workloads import ROWS

if TYPE_CHECKING:
    from bench.settings import Settings
    from bench.workloads import Workload

TABLES = {
    "products": "matrix products of many shapes: GFLOP/s and per cent of the peak",
    "widths": "10-w-w-10 networks: whether more threads are ever slower than one",
    "accuracy": "from a cold process to an accuracy, or to a loss, on MNIST",
}
BUILD = Path(__file__).parent.parent / "build" / "bench"


def listing() -> str:
    """Return the rows and tables."""
    lines = [f"{row.name:10} {row.shape}, batch {row.batch}" for row in ROWS.values()]
    return "\n".join([*lines, *(f"{name:10} {text}" for name, text in TABLES.items())])


def parser() -> argparse.ArgumentParser:
    """Return the reader of the command line."""
    reader = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure gyaku against other frameworks, each in processes of its own that"
        " alternate, and the machine's peak in the same run.",
        epilog=f"rows and tables:\n{listing()}\n\nbench/README.md says what is counted.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*ROWS, *TABLES]
    reader.add_argument(
        "names", nargs="*", metavar="NAME", help="rows or tables; by default all four rows"
    )
    peers = ",".join(name for name in PEERS if name != OWN)
    reader.add_argument("--peers", default=peers, help=f"against whom; by default {peers}")
    reader.add_argument("--rounds", type=int, help="how often each is run; by default 5")
    reader.add_argument("--threads", type=int, help="by default as many as gyaku would use")
    reader.add_argument("--json", type=Path, metavar="PATH", help="write everything there")
    reader.add_argument("--plots", type=Path, default=BUILD, help="the folder for pictures")
    reader.add_argument(
        "--quick", action="store_true", help="one short round without a choice of settings"
    )
    reader.add_argument("--list", action="store_true", help="name the rows and tables")
    reader.set_defaults(known=names)
    return reader


def read(arguments: list[str] | None) -> argparse.Namespace:
    """Read and check the command line."""
    reader = parser()
    asked = reader.parse_args(arguments)
    for name in asked.names:
        if name not in asked.known:
            reader.error(f"there is no row or table {name!r}, only {', '.join(asked.known)}")
    asked.peers = [name for name in asked.peers.split(",") if name]
    for name in asked.peers:
        if name not in PEERS:
            reader.error(f"--peers: there is no {name!r}, only {', '.join(PEERS)}")
    for option in ("rounds", "threads"):
        if getattr(asked, option) is not None and getattr(asked, option) < 1:
            reader.error(f"--{option} must be at least 1, got {getattr(asked, option)}")
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    return asked


def store(folder: Path) -> Path:
    """Decode MNIST for the workers, or say what is missing."""
    from bench.data import store_mnist

    try:
        store_mnist(folder)
    except (OSError, ValueError) as error:
        raise SystemExit(
            f"bench: these rows are trained on MNIST: {error}; set GYAKU_DATA to a folder that has"
            " its four files"
        ) from None
    return folder


def run_rows(workloads: list[Workload], settings: Settings) -> dict[str, Any]:
    """Measure the rows, print their table, return everything."""
    from bench.steps import measure, show

    found = {workload.name: measure(workload, settings) for workload in workloads}
    print(settings.machine.header(), end="\n\n")
    print(show(found, workloads, [*(p for p in settings.peers if p != OWN), OWN]))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; return the exit code."""
    asked = read(arguments)
    if asked.list:
        print(listing())
        return 0
    if missing(OWN):
        raise SystemExit("bench: gyaku is not installed: python -m pip install '.[bench]'")
    import gyaku as gk

    from bench.machine import Machine
    from bench.settings import Settings

    peers, notes = present([*asked.peers, *([] if OWN in asked.peers else [OWN])])
    for note in notes:
        say(note)
    threads = asked.threads or gk.num_threads()
    machine = Machine(threads, peers)
    settings = Settings(peers, asked.rounds, threads, asked.quick, machine, asked.plots)
    names = asked.names or list(ROWS)
    rows = [ROWS[name] for name in dict.fromkeys(names) if name in ROWS]
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="gyaku-bench-") as folder:
        if "accuracy" in names or any(row.data.startswith("mnist") for row in rows):
            settings.data = store(Path(folder))
        try:
            if rows:
                results["rows"] = run_rows(rows, settings)
            for name in TABLES:
                if name in names:
                    results[name] = importlib.import_module(f"bench.{name}").run(settings)
        except WorkerError as error:
            raise SystemExit(f"bench: {error}") from None
    warnings = machine.warnings()
    if warnings:
        print(f"\n**The machine was not quiet:** {'; '.join(warnings)}.")
    for note in notes:
        print(f"\n{note}")
    if asked.json:
        everything = {"machine": machine.facts(), "warnings": warnings + notes} | results
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(everything, indent=1) + "\n")
        say(f"everything is in {asked.json}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
