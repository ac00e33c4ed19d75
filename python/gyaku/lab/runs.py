"""Runs: what the lab keeps of each training, for pages that come and go.

A training writes from its thread, the server reads from another. Every change has a number, so that
a page that knows the changes up to one number asks for those behind it, and a new page for all.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right
from collections import deque
from secrets import token_hex
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

__all__ = ["OF_PROCESS", "Run", "Runs", "Series"]

MOST_POINTS = 2000
"""Points of a series from which on it is thinned to half of them."""
MOST_RUNS = 40
"""Runs that are kept; of more, those that ended first are forgotten."""


class Series:
    """Points of a curve, thinned where there are very many.

    Parameters
    ----------
    begun : int
        Number of the change by which it replaces another one, 0 if it does not.

    Attributes
    ----------
    points : list of (float, float)
        The points.

    Notes
    -----
    Of four neighbours the smallest and the largest stay, so that no peak is lost.

    Examples
    --------
    >>> series = Series()
    >>> for step in range(10_000):
    ...     series.add(step, 1.0 if step == 1234 else 0.0, change=step + 1)
    >>> len(series.points) <= MOST_POINTS, (1234, 1.0) in series.points
    (True, True)
    """

    def __init__(self, begun: int = 0) -> None:
        self.points: list[tuple[float, float]] = []
        self._changes: list[int] = []
        self._thinned = begun  # number of the change that thinned or replaced it

    def add(self, x: float, y: float, change: int) -> None:
        """Add a point; one that is not finite is left out.

        Parameters
        ----------
        x, y : float
            The point, not before the last one.
        change : int
            Number of the change.
        """
        if not (math.isfinite(x) and math.isfinite(y)):
            return
        self.points.append((x, y))
        self._changes.append(change)
        if len(self.points) > MOST_POINTS:
            self._thin(change)

    def _thin(self, change: int) -> None:
        kept = [0]
        for start in range(1, len(self.points) - 1, 4):
            four = range(start, min(start + 4, len(self.points) - 1))
            low = min(four, key=lambda at: self.points[at][1])
            high = max(four, key=lambda at: self.points[at][1])
            kept += sorted({low, high})
        kept.append(len(self.points) - 1)
        self.points = [self.points[at] for at in kept]
        self._changes = [self._changes[at] for at in kept]
        self._thinned = change

    def news(self, since: int, until: float = math.inf) -> dict[str, Any] | None:
        """Return the points behind a change.

        Parameters
        ----------
        since : int
            Number of the change; 0 for all points.
        until : int
            Number of the last change to return.

        Returns
        -------
        dict or None
            ``points``, and whether they ``replace`` all earlier ones; None without news.
        """
        if since < self._thinned <= until:
            since = 0
        first, last = bisect_right(self._changes, since), bisect_right(self._changes, until)
        if first == last:
            return None
        return {"replace": since == 0, "points": self.points[first:last]}


class Run:
    """What the lab keeps of one training.

    Parameters
    ----------
    number : int
        Number of the run, from 1.
    facts : mapping of str to object
        What does not change: its title, and settings.
    count : callable
        Function that counts a change, and returns its number.

    Attributes
    ----------
    state : {"running", "paused", "ended"}
        Where the run stands.
    """

    def __init__(self, number: int, facts: Mapping[str, Any], count: Callable[[], int]) -> None:
        self.number, self._count = number, count
        self._lock = threading.Lock()
        self._wakes = threading.Condition(self._lock)
        self._series: dict[str, Series] = {}
        self._parts: dict[str, tuple[int, Any]] = {}
        self.state, self._stops = "running", False
        self.put("facts", dict(facts))
        self._put_state()

    def put(self, part: str, value: object) -> None:
        """Replace a part of the run.

        Parameters
        ----------
        part : str
            Its name.
        value : object
            Its JSON value; an equal one is no news.
        """
        value = _finite(value)
        with self._lock:
            if part not in self._parts or self._parts[part][1] != value:
                self._parts[part] = self._count(), value

    def add(self, x: float, values: Mapping[str, float]) -> None:
        """Add a point to some series.

        Parameters
        ----------
        x : float
            The place, in epochs.
        values : mapping of str to float
            The values, by the name of the series.
        """
        with self._lock:
            change = self._count()
            for name, value in values.items():
                self._series.setdefault(name, Series()).add(x, float(value), change)

    def extend(self, name: str, points: Sequence[tuple[float, float]], replace: bool) -> None:
        """Add points to a series.

        Parameters
        ----------
        name : str
            Its name.
        points : sequence of (float, float)
            The points.
        replace : bool
            Whether they replace those that it has.
        """
        with self._lock:
            change = self._count()
            if replace or name not in self._series:
                self._series[name] = Series(change)
            for x, y in points:
                self._series[name].add(x, y, change)

    def news(self, since: int, until: float = math.inf) -> dict[str, Any] | None:
        """Return what has changed.

        Parameters
        ----------
        since : int
            Number of the last known change; 0 for none.
        until : int
            Number of the last change to return.

        Returns
        -------
        dict or None
            The number of the run, changed parts by name, and points of ``series``; None without
            news.
        """
        with self._lock:
            parts = {n: value for n, (at, value) in self._parts.items() if since < at <= until}
            found = {name: series.news(since, until) for name, series in self._series.items()}
        points = {name: each for name, each in found.items() if each}
        if not (parts or points):
            return None
        return {"run": self.number, **parts, "series": points}

    def _put_state(self, reason: str = "") -> None:
        self.put("state", {"name": self.state, "reason": reason})

    def pause(self) -> None:
        """Ask the training to wait."""
        self._change_state("running", "paused")

    def go(self) -> None:
        """Let the training go on."""
        self._change_state("paused", "running")

    def stop(self) -> None:
        """Ask the training to end."""
        self._stops = True
        self.go()

    def end(self, reason: str) -> None:
        """Note that the training has ended.

        Parameters
        ----------
        reason : str
            Reason of an early end, "" without.
        """
        self.state = "ended"
        self._put_state(reason)

    def _change_state(self, before: str, after: str) -> None:
        with self._lock:
            if self.state != before:
                return
            self.state = after
            self._wakes.notify_all()
        self._put_state()

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether a page has asked the training to end."""
        return self._stops

    def wait(self, goes_on: Callable[[], bool]) -> float:
        """Wait while the run is paused.

        Parameters
        ----------
        goes_on : callable
            Function that is asked ten times a second whether to go on all the same.

        Returns
        -------
        float
            Seconds of the wait.
        """
        if self.state != "paused":
            return 0.0
        began = monotonic()
        while self.state == "paused" and not goes_on():
            with self._wakes:
                self._wakes.wait(0.1)
        self.go()
        return monotonic() - began


class Runs:
    """The runs of a lab.

    Attributes
    ----------
    session : str
        A random name, by which a page notices that the lab is a new one.

    Examples
    --------
    >>> runs = Runs()
    >>> run = runs.begin({"title": "digits"})
    >>> run.add(0.5, {"loss": 2.0})
    >>> news = runs.news(0)
    >>> [each["facts"]["title"] for each in news["runs"]], runs.news(news["change"])["runs"]
    (['digits'], [])
    """

    def __init__(self) -> None:
        self.session = token_hex(8)
        self._lock = threading.Lock()
        self._change = self._begun = 0
        self._runs: deque[Run] = deque()

    def _count(self) -> int:
        with self._lock:
            self._change += 1
            return self._change

    def begin(self, facts: Mapping[str, Any], kind: type[Run] = Run) -> Run:
        """Begin a run.

        Parameters
        ----------
        facts : mapping of str to object
            Its title, and settings.
        kind : type
            Class of the run.

        Returns
        -------
        Run
            The run.
        """
        with self._lock:
            self._begun += 1
            number = self._begun
        run = kind(number, facts, self._count)
        with self._lock:
            self._runs.append(run)
            ended = [each for each in self._runs if each.state == "ended"]
            for each in ended[: max(0, len(self._runs) - MOST_RUNS)]:
                self._runs.remove(each)
        return run

    def find(self, number: int) -> Run | None:
        """Return a run by its number.

        Parameters
        ----------
        number : int
            The number.

        Returns
        -------
        Run or None
            The run; None if there is none.
        """
        return next((each for each in self.all() if each.number == number), None)

    def all(self) -> list[Run]:
        """Return all runs that are kept.

        Returns
        -------
        list of Run
            The runs, the first one first.
        """
        with self._lock:
            return [*self._runs]

    def news(self, since: int) -> dict[str, Any]:
        """Return what has changed.

        Parameters
        ----------
        since : int
            Number of the last known change; 0 for none.

        Returns
        -------
        dict
            ``session``, the number of the last ``change``, the numbers of all runs that are
            ``kept``, and the news of ``runs``.
        """
        with self._lock:
            change = self._change  # what changes meanwhile comes next time
        kept = self.all()
        found = [each.news(since, change) for each in kept]
        return {
            "session": self.session,
            "change": change,
            "kept": [each.number for each in kept],
            "runs": [each for each in found if each],
        }


OF_PROCESS = Runs()
"""The runs of this process, which stay when a lab is closed and another one opened."""


def _finite(value: Any) -> Any:
    """Return a JSON value without NaN and infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return value
