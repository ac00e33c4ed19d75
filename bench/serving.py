"""Processes that answer requests in turn, so that frameworks alternate within seconds.

A request is a line of JSON with a list of arguments, the answer a line of JSON too. A process
answers only when its threads sleep again: a spinning thread would take a core from the next one.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from bench.processes import ROOT, TIMEOUT, WorkerError, environment, last_error, rotated, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

READY = "ready"
REST, PATIENCE = 0.03, 0.5
"""Seconds of sleep of all threads before an answer, and the longest wait for them."""

Task = TypeVar("Task")
Answers = dict[str, dict[Task, list[dict[str, Any]]]]
"""Answers by name and by task, one for each round."""


class Asked(Protocol):
    """Protocol of a `Server`, also for its substitutes in tests."""

    def ask(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the answer to a request."""


class Server:
    """Client of a process that calls `serve`; a failed one gets no more requests."""

    def __init__(self, process: subprocess.Popen[str], errors: IO[str]) -> None:
        self._process, self._errors = process, errors

    def ask(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the answer to a request."""
        # If the process has died, `read` raises with the reason.
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(list(arguments)), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = self.read()
        return answer

    def read(self) -> Any:
        """Return the next line."""
        assert self._process.stdout
        clock = threading.Timer(TIMEOUT, self._process.kill)
        clock.start()
        try:
            line = self._process.stdout.readline()
        finally:
            late = clock.finished.is_set()
            clock.cancel()
        if line:
            return json.loads(line)
        if late:
            raise WorkerError(f"no answer within {TIMEOUT} s")
        code = self._process.wait()
        self._errors.seek(0)
        raise WorkerError(f"exit code {code}: {last_error(self._errors.read())}")


@contextlib.contextmanager
def server(module: str, *arguments: str, threads: int) -> Iterator[Server]:
    """Start ``python -m module arguments`` on a number of threads, and end it at last."""
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            found = Server(process, errors)
            found.read()
            yield found
        finally:
            process.kill()
            assert process.stdin
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def serve(answer: Callable[[list[str]], dict[str, Any]]) -> None:
    """Answer requests until the last; output of libraries goes to standard error."""
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        print(json.dumps(READY), file=out, flush=True)
        for line in sys.stdin:
            found = answer(json.loads(line))
            rest()
            print(json.dumps(found), file=out, flush=True)


def rest() -> None:
    """Wait until all threads of this process sleep, which takes some time with spinning ones."""
    start = time.perf_counter()
    while time.perf_counter() - start < PATIENCE:
        before = time.process_time()
        time.sleep(REST)
        if time.process_time() - before < REST / 4:
            return


def interleave(
    what: str,
    starts: Mapping[str, Callable[[], AbstractContextManager[Asked]]],
    tasks: Sequence[Task],
    rounds: int,
    request: Callable[[str, Task], Sequence[str]],
    *,
    before: Callable[[], object] = lambda: None,
    keep: Callable[[Answers[Task], dict[str, str]], object] = lambda answers, failures: None,
) -> tuple[Answers[Task], dict[str, str]]:
    """Request each task from all processes in turn, with new processes in each round.

    The time between two compared answers is as short as possible. `before` is called at the start
    of each round, `keep` with the results so far at its end; each task begins with another name.

    Returns
    -------
    answers
        By name and by task, one each round.
    failures
        Errors of failed names, which have no answers.
    """
    answers: Answers[Task] = {name: {task: [] for task in tasks} for name in starts}
    failures: dict[str, str] = {}
    for number in range(rounds):
        say(f"{what}: round {number + 1} of {rounds}")
        before()
        with contextlib.ExitStack() as stack:
            servers: dict[str, Asked] = {}
            for name, start in starts.items():
                if name in failures:
                    continue
                try:
                    servers[name] = stack.enter_context(start())
                except WorkerError as error:
                    failures[name] = str(error)
            for position, task in enumerate(tasks):
                for name in rotated(list(servers), number + position):
                    try:
                        answers[name][task].append(servers[name].ask(request(name, task)))
                    except WorkerError as error:
                        failures[name] = str(error)
                        del servers[name]
        answers = {name: found for name, found in answers.items() if name not in failures}
        keep(answers, failures)
    return answers, failures
