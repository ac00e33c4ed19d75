"""`python -m bench [row or table ...]`: see --help and README.md."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import WorkerError, missing, present, say
from bench.workloads import ROWS

if TYPE_CHECKING:
    from bench.settings import Settings

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
    if asked.json:
        folder = asked.json.resolve().parent
        if asked.json.is_dir() or not os.access(folder, os.W_OK):
            reader.error(f"--json: {asked.json} cannot be written")
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    return asked


def store(folder: Path) -> Path:
    """Decode MNIST for the workers, or say what is missing."""
    from bench.data import store_mnist

    try:
        store_mnist(folder)
    except (OSError, ValueError) as error:
        # A failed download says so itself.
        hint = "" if "GYAKU_DATA" in str(error) else "; set GYAKU_DATA to a folder with MNIST"
        raise SystemExit(f"bench: {error}{hint}") from None
    return folder


def tables(names: list[str], settings: Settings) -> tuple[dict[str, Any], dict[str, str]]:
    """Measure and print what was asked for; return everything, and why tables were given up."""
    rows = [ROWS[name] for name in names if name in ROWS]
    runs = {name: importlib.import_module(f"bench.{name}").run for name in TABLES if name in names}
    if rows:
        from bench.steps import run

        runs = {"rows": partial(run, rows), **runs}
    results, failures = {}, {}
    for name, measure in runs.items():
        try:
            results[name] = measure(settings)
        except WorkerError as error:
            failures[name] = str(error)
    for name, row in results.get("rows", {}).items():
        if OWN in row["failures"]:
            failures[name] = row["failures"][OWN]
    return results, failures


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
    names = list(dict.fromkeys(asked.names or ROWS))
    with tempfile.TemporaryDirectory(prefix="gyaku-bench-") as folder:
        if any(name == "accuracy" or (name in ROWS and ROWS[name].mnist) for name in names):
            settings.data = store(Path(folder))
        results, failures = tables(names, settings)
    warnings = machine.warnings()
    if warnings:
        print(f"\n**The machine was not quiet:** {'; '.join(warnings)}.")
    for note in notes:
        print(f"\n{note}.")
    for name, why in failures.items():
        say(f"bench: {name} could not be measured: {why}")
    if asked.json:
        everything = {"machine": machine.facts(), "warnings": warnings + notes}
        asked.json.write_text(
            json.dumps(everything | results | {"failures": failures}, indent=1) + "\n"
        )
        say(f"everything is in {asked.json}")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
