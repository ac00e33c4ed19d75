"""Trainings of other processes, which send what is new and hear what a page asks for."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from gyaku.lab.runs import MOST_RUNS, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from gyaku.lab.runs import Runs

__all__ = ["LOST", "Guests"]

_SILENCE = 10.0  # seconds after which a process is taken for dead
_WATCHED = 8.0  # seconds for which a page that has asked is taken for open
_PARTS: dict[str, Any] = {
    "facts": dict, "numbers": dict, "findings": list, "layers": list, "wrong": (dict, type(None)),
}  # fmt: skip
LOST = "its process does not answer"
"""Reason of a run whose process was killed."""


class Guest(Run):
    """A run of another process, which is asked in the answer to its next news.

    Parameters
    ----------
    number, facts, count : object
        Those of `Run`.
    """

    def __init__(self, number: int, facts: Mapping[str, Any], count: Callable[[], int]) -> None:
        self.asked: deque[str] = deque(maxlen=8)
        self._said: dict[str, Any] = {"name": "running", "reason": ""}
        super().__init__(number, facts, count)

    def pause(self) -> None:
        """Ask the training to wait; see `Run`."""
        self.asked.append("pause")

    def go(self) -> None:
        """Let the training go on; see `Run`."""
        self.asked.append("go")

    def stop(self) -> None:
        """Ask the training to end; see `Run`."""
        self.asked.append("stop")

    def take(self, news: Mapping[str, Any]) -> None:
        """Take over what is new.

        Parameters
        ----------
        news : mapping of str to object
            Result of `Run.news`.
        """
        if "state" in news:
            self._said = {name: str(news["state"][name]) for name in ("name", "reason")}
        for name in _PARTS.keys() & news.keys():
            if not isinstance(news[name], _PARTS[name]):
                raise TypeError(f"{name} is a {type(news[name]).__name__}")
            self.put(name, news[name])
        for name, series in news["series"].items():
            self.extend(name, series["points"], series["replace"])

    def heard(self) -> None:
        """Note that its process lives."""
        self.state = self._said["name"]
        self.put("state", self._said)


class _Process:
    """A process with trainings."""

    def __init__(self) -> None:
        self.known, self.heard = 0, monotonic()
        self.runs: dict[int, Guest] = {}


class Guests:
    """Trainings of other processes.

    Parameters
    ----------
    runs : Runs
        The runs of the lab.
    """

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._processes: dict[str, _Process] = {}
        self._asked = -_WATCHED

    def note_page(self) -> None:
        """Note that a page asks for news, and end the runs of processes that were killed."""
        self._asked = monotonic()
        for process in self._processes.values():
            if monotonic() - process.heard > _SILENCE:
                for run in process.runs.values():
                    if run.state != "ended":
                        run.end(LOST)

    def take(self, session: str, since: int, change: int, runs: Sequence[Any]) -> dict[str, Any]:
        """Take over what is new in a process.

        Parameters
        ----------
        session : str
            Session of its runs.
        since, change : int
            Numbers of the changes in front of the news, and of the last one.
        runs : sequence
            News of its runs, as `Runs.news` returns them; those that are behind others than the
            last ones that arrived are left out.

        Returns
        -------
        dict
            Number of the last ``change`` that arrived, ``actions`` (pairs of the number of a run
            and "pause", "go" or "stop"), and whether the page is ``watched``.

        Raises
        ------
        OverflowError
            If there are too many trainings.
        """
        self._forget()
        process = self._processes.setdefault(session, _Process())
        process.heard = monotonic()
        if since == process.known:
            for news in runs:
                self._run(process, news).take(news)
            process.known = change
        for run in process.runs.values():
            run.heard()
        actions = [
            (number, run.asked.popleft())
            for number, run in process.runs.items()
            for _ in range(len(run.asked))
        ]
        watched = monotonic() - self._asked < _WATCHED
        return {"change": process.known, "actions": actions, "watched": watched}

    def _run(self, process: _Process, news: Mapping[str, Any]) -> Guest:
        """Return the run of news, which begins with its facts."""
        number = news["run"]
        if number not in process.runs:
            active = [each for each in self._runs.all() if each.state != "ended"]
            if len(active) >= MOST_RUNS:
                raise OverflowError(f"{MOST_RUNS} trainings are watched already")
            begun = self._runs.begin(news["facts"], Guest)
            assert isinstance(begun, Guest)
            process.runs[number] = begun
        return process.runs[number]

    def _forget(self) -> None:
        """Forget runs that are not kept any more, and processes without."""
        kept = {id(run) for run in self._runs.all()}
        for session, process in [*self._processes.items()]:
            process.runs = {n: run for n, run in process.runs.items() if id(run) in kept}
            if not process.runs and monotonic() - process.heard > _SILENCE:
                del self._processes[session]
