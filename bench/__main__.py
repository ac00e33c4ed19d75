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
    from collections.abc import Callable

    from bench.settings import Settings

TABLES = {
    "products": "matrix products of many shapes: GFLOP/s and per cent of the peak, with a picture",
    "convolutions": "convolutions and their gradients: GFLOP/s and per cent of the peak",
    "pooling": "maximum pooling and its gradient: GB/s",
    "widths": "10-w-w-10 networks: whether more threads are ever slower than one",
    "scaling": "rows and products on 1, 2, 4, ... threads, with a picture",
    "accuracy": "from a cold process to an accuracy, or to a loss, on MNIST",
}
ALL = "all"
READERS = ("scaling", "accuracy")
"""Tables that need MNIST."""
BUILD = Path(__file__).parent.parent / "build" / "bench"


def listing() -> str:
    """Return the rows and tables."""
    lines = [f"{row.name:10} {row.shape}, batch {row.batch}" for row in ROWS.values()]
    lines += [f"{name:10} {text}" for name, text in {**TABLES, ALL: "all of these"}.items()]
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    reader = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure gyaku against other frameworks, each in processes of its own that"
        " alternate, and the machine's peak in the same run.",
        epilog=f"rows and tables:\n{listing()}\n\nbench/README.md says what is counted.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [*ROWS, *TABLES, ALL]
    reader.add_argument(
        "names", nargs="*", metavar="NAME", help="rows, tables or all; by default all rows"
    )
    peers = ",".join(name for name in PEERS if name != OWN)
    reader.add_argument(
        "--peers", default=peers, help=f"frameworks to compare with; by default {peers}"
    )
    reader.add_argument("--rounds", type=int, help="number of runs of each; by default 5")
    reader.add_argument("--threads", type=int, help="number of threads; by default that of gyaku")
    reader.add_argument("--isa", metavar="NAME", help="instruction set of gyaku, as by GYAKU_ISA")
    reader.add_argument(
        "--negatives", action="store_true", help="train on MNIST's negatives, which have few zeros"
    )
    reader.add_argument("--json", type=Path, metavar="PATH", help="file for all results")
    reader.add_argument("--plots", type=Path, default=BUILD, help="folder for pictures")
    reader.add_argument(
        "--quick", action="store_true", help="one short round without a choice of settings"
    )
    reader.add_argument("--list", action="store_true", help="list the rows and tables")
    reader.set_defaults(known=names)
    return reader


def read(arguments: list[str] | None) -> argparse.Namespace:
    """Parse and validate the command line."""
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
    everything = [*ROWS, *TABLES]
    asked.names = everything if ALL in asked.names else list(dict.fromkeys(asked.names or ROWS))
    return asked


def store(folder: Path, *, negatives: bool) -> Path:
    """Decode MNIST for the workers, or exit with the reason."""
    from bench.data import store_mnist

    try:
        store_mnist(folder, negatives=negatives)
    except (OSError, ValueError) as error:
        # The message of a failed download is complete.
        hint = "" if "GYAKU_DATA" in str(error) else "; set GYAKU_DATA to a folder with MNIST"
        raise SystemExit(f"bench: {error}{hint}") from None
    return folder


def begin(isa: str | None) -> Any:
    """Import gyaku, for an instruction set if one is given, or exit with the reason."""
    if isa:
        os.environ["GYAKU_ISA"] = isa
    if missing(OWN):
        raise SystemExit("bench: gyaku is not installed: python -m pip install '.[bench]'")
    try:
        return importlib.import_module("gyaku")
    except ImportError as error:
        raise SystemExit(f"bench: {error}") from None


def tables(
    names: list[str], settings: Settings, keep: Callable[[dict[str, Any]], None]
) -> dict[str, str]:
    """Measure and print the requested tables; return the errors of failed ones.

    After each table `keep` is called with all results so far.
    """
    rows = [ROWS[name] for name in names if name in ROWS]
    runs = {name: importlib.import_module(f"bench.{name}").run for name in TABLES if name in names}
    if rows:
        from bench.steps import run

        runs = {"rows": partial(run, rows), **runs}
    results: dict[str, Any] = {"machine": {}, "failures": {}}
    failures = results["failures"]
    for name, measure in runs.items():
        settings.machine.begin()
        try:
            results[name] = measure(settings)
        except WorkerError as error:
            failures[name] = str(error)
        if name == "rows":
            lost = {row: found["failures"] for row, found in results.get(name, {}).items()}
            failures |= {row: why[OWN] for row, why in lost.items() if OWN in why}
        results["machine"][name] = settings.machine.facts()
        sys.stdout.flush()
        keep(results)
    return dict(failures)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    asked = read(arguments)
    if asked.list:
        print(listing())
        return 0
    gk = begin(asked.isa)
    from bench.machine import Machine
    from bench.settings import Settings

    peers, notes = present([*asked.peers, *([] if OWN in asked.peers else [OWN])])
    if asked.negatives:
        notes.append("All images of MNIST are negatives")
    for note in notes:
        say(note)
    threads = asked.threads or gk.num_threads()
    machine = Machine(threads, peers)
    settings = Settings(peers, asked.rounds, threads, asked.quick, machine, asked.plots)

    def keep(results: dict[str, Any]) -> None:
        if asked.json:
            asked.json.write_text(json.dumps({"notes": notes, **results}, indent=1) + "\n")

    with tempfile.TemporaryDirectory(prefix="gyaku-bench-") as folder:
        if any(name in READERS or (name in ROWS and ROWS[name].mnist) for name in asked.names):
            settings.data = store(Path(folder), negatives=asked.negatives)
        failures = tables(asked.names, settings, keep)
    for note in notes:
        print(f"\n{note}.")
    for name, why in failures.items():
        say(f"bench: {name} could not be measured: {why}")
    if asked.json:
        say(f"everything is in {asked.json}")
    return 1 if failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
