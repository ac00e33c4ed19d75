"""Processes: each measurement in one of its own, in sequence, alternating over rounds."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ROOT = Path(__file__).parent.parent
TIMEOUT = 900

# Environment variables of the frameworks and their libraries.
VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "GYAKU_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
HOLDING = re.compile(
    "(OPENBLAS|GOTO|BLIS|NVPL|VECLIB|MKL|OMP|GOMP|KMP|DNNL|ONEDNN|ATEN|TORCH[A-Z]*|XLA|JAX|TF|NPY)_"
)
"""Beginnings of variables that may hold a library back, such as ``OPENBLAS_CORETYPE``."""
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "JAX_PLATFORMS": "cpu",
    # Compilation in the process itself, so that none outlives it.
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
}

Name = TypeVar("Name")


class WorkerError(RuntimeError):
    """Failure of a process, or an unexpected answer."""


def missing(peer: str) -> str | None:
    """Return the pip command that installs a framework, or None if it is installed."""
    packages = PEERS[peer].packages
    absent = [pip for name, pip in packages.items() if importlib.util.find_spec(name) is None]
    return f"python -m pip install {' '.join(absent)}" if absent else None


def version(peer: str) -> str:
    """Return the versions of a framework's packages."""
    found = []
    for name, pip in PEERS[peer].packages.items():
        # gyaku may be used from its source tree, which has no metadata.
        try:
            found.append(
                importlib.metadata.version(name if name == "gyaku" else pip.split("==")[0])
            )
        except importlib.metadata.PackageNotFoundError:
            found.append(str(getattr(importlib.import_module(name), "__version__", "unknown")))
    return " on ".join(found)


def held_back() -> list[str]:
    """Return the variables of this process that might hold a framework back."""
    return sorted(name for name in os.environ if HOLDING.match(name) and name not in VARIABLES)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a framework: nothing holds it back but its number of threads."""
    free = {name: value for name, value in os.environ.items() if not HOLDING.match(name)}
    return free | QUIET | dict.fromkeys(VARIABLES, str(threads))


def call(
    module: str, *arguments: str, threads: int, confine: bool = False, limit: float = TIMEOUT
) -> dict[str, Any]:
    """Run ``python -m module arguments`` and return the JSON of its last line.

    With `confine` the process gets as many CPUs as threads, for frameworks without a setting; it is
    stopped after `limit` seconds.
    """
    before = None
    if confine and hasattr(os, "sched_setaffinity"):
        before = os.sched_getaffinity(0)
        # Children inherit it; the last CPUs see the fewest interrupts.
        os.sched_setaffinity(0, sorted(before)[-threads:])
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WorkerError(f"no answer within {limit:.0f} s") from None
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise WorkerError(f"exit code {done.returncode}: {last_error(done.stderr)}")
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def last_error(text: str) -> str:
    """Return the line of a traceback with the error."""
    lines = text.strip().splitlines() or ["it said nothing"]
    named = [line for line in lines if re.match(r"[\w.]+(Error|Exception|Interrupt): ", line)]
    return (named or lines)[-1]


def alternate(
    names: Sequence[Name], rounds: int, measure: Callable[[Name], dict[str, Any]]
) -> tuple[dict[Name, list[dict[str, Any]]], dict[Name, str]]:
    """Measure each name once a round; return the answers and the errors by name.

    Each round begins with another name, so that none always follows the same one.
    """
    answers: dict[Name, list[dict[str, Any]]] = {name: [] for name in names}
    failures: dict[Name, str] = {}
    for number in range(rounds):
        for name in rotated(names, number):
            if name in failures:
                continue
            try:
                answers[name].append(measure(name))
            except WorkerError as error:
                failures[name] = str(error)
                del answers[name]
    return answers, failures


def rotated(names: Sequence[Name], places: int) -> list[Name]:
    """Return the names, rotated by a number of places."""
    start = places % max(1, len(names))
    return [*names[start:], *names[:start]]


def required(failures: Mapping[str, str], *names: str) -> None:
    """Raise if one of the required names failed."""
    for name in names:
        if name in failures:
            raise WorkerError(f"{name} failed: {failures[name]}")


def say(*words: object) -> None:
    """Print progress to standard error; tables go to standard output."""
    print(*words, file=sys.stderr, flush=True)


def present(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the installed frameworks; a sentence for each missing one, and for lifted limits."""
    here, notes = [], []
    for name in names:
        command = missing(name)
        if command is None:
            here.append(name)
        else:
            notes.append(f"{PEERS[name].title} is not installed and left out: {command}")
    if held_back():
        notes.append(f"Without {', '.join(held_back())}, which the environment has set")
    return here, notes
