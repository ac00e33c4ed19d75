"""`python -m bench [row or table ...]`, or `compare`, or `readme`: see --help and README.md."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peers import OWN, PEERS
from bench.processes import WorkerError, call, missing, present, say
from bench.record import Record
from bench.rows import COARSE_ROWS, ROWS, from_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.settings import Settings
    from bench.workloads import Workload

TABLES = {
    "products": "matrix products of many shapes: GFLOP/s and per cent of the peak, with a picture",
    "convolutions": "convolutions and their gradients: GFLOP/s and per cent of the peak",
    "predict": "prediction: microseconds for one image and for many, through LeNet",
    "pooling": "maximum pooling and its gradient: GB/s",
    "tagger": "an LSTM in both directions on sentences of mixed lengths: trained words a second",
    "stream": "one step of an LSTM with one sample: microseconds",
    "dlfs": "the textbook's networks against the same in plain NumPy",
    "lbfgs": "L-BFGS on all images against SciPy's L-BFGS-B and scikit-learn: seconds to a loss",
    "optimizers": "updates of 10 million parameters: GB/s",
    "widths": "10-w-w-10 networks: whether more threads are ever slower than one",
    "ranks": "one and two processes through MPI, against PyTorch's DistributedDataParallel",
    "many": "training by up to 1,024 processes, calculated from one, with a picture",
    "scaling": "rows and products on 1, 2, 4, ... threads, with a picture",
    "team": "the chosen number of threads against each fixed one, on busy machines",
    "precision": "test accuracy on MNIST over seeds: float32, bfloat16, Adam's state in bfloat16",
    "accuracy": "from a cold process to an accuracy, or to a loss, on MNIST",
}
ALL = "all"
READERS = ("ranks", "scaling", "team", "accuracy", "precision", "predict", "dlfs", "lbfgs")
"""Tables that need MNIST."""
COMMANDS = {
    "compare": "compare the results of two runs: python -m bench compare a.json b.json",
    "readme": "write the tables of README.md and README.ja.md: python -m bench readme [all.json]",
}
"""Commands that measure nothing themselves; each is a module with a `main`."""
BUILD = Path(__file__).parent.parent / "build" / "bench"


def listing() -> str:
    """Return the rows and tables."""
    lines = [
        f"{row.name:12} {row.shape}, batch {row.batch}" for row in (ROWS | COARSE_ROWS).values()
    ]
    lines += [
        f"{name:10} {text}" for name, text in {**TABLES, ALL: "all of these", **COMMANDS}.items()
    ]
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
    names = [*ROWS, *COARSE_ROWS, *TABLES, ALL]
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
    reader.add_argument(
        "--row",
        type=Path,
        action="append",
        default=[],
        metavar="FILE.py",
        help="a row of one's own, the variable `row` of a Python file; may be repeated",
    )
    reader.add_argument(
        "--json",
        type=Path,
        metavar="PATH",
        help="file for all results; by default one in build/bench with the date as its name",
    )
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
    else:
        asked.json = BUILD / f"{datetime.now(UTC):%Y-%m-%dT%H%M%S}.json"
    asked.rounds = asked.rounds or (1 if asked.quick else 5)
    try:
        asked.row = {
            found.name: (found, str(path.resolve())) for path, found in own_rows(asked.row)
        }
    except ValueError as error:
        reader.error(f"--row: {error}")
    everything = [*ROWS, *TABLES]
    listed = everything if ALL in asked.names else asked.names or ([] if asked.row else ROWS)
    asked.names = list(dict.fromkeys([*listed, *asked.row]))
    return asked


def own_rows(paths: list[Path]) -> list[tuple[Path, Workload]]:
    """Return rows of one's own, or raise if one has the name of another row or table."""
    found = [(path, from_file(str(path))) for path in paths]
    names = [row.name for _, row in found]
    for name in names:
        if name in {*ROWS, *COARSE_ROWS, *TABLES, *COMMANDS, ALL} or names.count(name) > 1:
            raise ValueError(f"the name {name!r} is taken")
    return found


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


def tables(names: list[str], rows: list[Workload], settings: Settings) -> dict[str, str]:
    """Measure and print the requested tables; return the errors of failed ones."""
    runs = {name: importlib.import_module(f"bench.{name}").run for name in TABLES if name in names}
    if rows:
        from bench.steps import run

        runs = {"rows": partial(run, rows), **runs}
    for name, measure in runs.items():
        with settings.machine.watch():
            try:
                settings.keep(name, measure(settings))
            except WorkerError as error:
                settings.record.fail(name, str(error))
            sys.stdout.flush()
    for name, row in settings.record.found.get("rows", {}).items():
        if OWN in row["failures"]:
            settings.record.fail(name, row["failures"][OWN])
    return dict(settings.record.found["failures"])


def measure(asked: argparse.Namespace) -> int:
    """Measure what is asked for; return the exit code."""
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
    if {"numpy", "sklearn"} & set(peers):
        machine.blas = call("bench.blas", threads=threads)["blas"]
    settings = Settings(
        peers,
        asked.rounds,
        threads,
        asked.quick,
        machine,
        asked.plots,
        record=Record(asked.json, notes),
        files={name: path for name, (_, path) in asked.row.items()},
    )
    known = ROWS | COARSE_ROWS | {name: row for name, (row, _) in asked.row.items()}
    rows = [known[name] for name in asked.names if name in known]
    with tempfile.TemporaryDirectory(prefix="gyaku-bench-") as folder:
        if any(name in READERS for name in asked.names) or any(row.mnist for row in rows):
            settings.data = store(Path(folder), negatives=asked.negatives)
        failures = tables(asked.names, rows, settings)
    for note in notes:
        print(f"\n{note}.")
    for name, why in failures.items():
        say(f"bench: {name} could not be measured: {why}")
    say(f"everything is in {asked.json}")
    return 1 if failures else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in COMMANDS:
        command: Callable[[list[str]], int] = importlib.import_module(f"bench.{words[0]}").main
        return command(words[1:])
    asked = read(words)
    if asked.list:
        print(listing())
        return 0
    # A kill ends a run like Ctrl-C: its processes too, and the results so far stay.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return measure(asked)
    except KeyboardInterrupt:
        kept = asked.json.exists()
        say("interrupted;", f"the results so far are in {asked.json}" if kept else "none is done")
        return 130


if __name__ == "__main__":
    sys.exit(main())
