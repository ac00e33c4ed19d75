"""One page's training in a thread of its own: at full speed, with thirty pictures a second."""

from __future__ import annotations

import threading
from collections import deque
from struct import Struct
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku.lab.toy_script import script
from gyaku.lab.toy_settings import Settings
from gyaku.lab.toy_training import SIDE, UNIT_SIDE, ToyTraining
from gyaku.train.nonfinite import NonFiniteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.lab.toy_training import Picture

__all__ = ["HEADER", "Player"]

HEADER = Struct("<4sIIHHII7d")
"""Head of a picture.

Mark, version of the network, number of the picture, cells along a side of the output and of a unit,
units, weights; step, epoch, steps per second, loss and error of the training, and of the test.
Behind it are the weights (float32), the output and the units (bytes)."""

_MARK = b"gyk1"
_INTERVAL = 1 / 30  # seconds between pictures
_CHUNK = 1 / 120  # seconds of a native call
_WINDOW = 1.0  # seconds over which steps are counted
_ACTIONS = ("set", "run", "pause", "step", "epoch", "reset", "seen", "script")
_WAITING = 100  # orders


class Player:
    """A training, which obeys the messages of a page and keeps pictures ready for it.

    A picture is made only when the page has seen the last one, so that a slow page gets fewer of
    them, and the training never waits for it.

    Parameters
    ----------
    tell : callable
        Function without arguments to call, from the thread, when there is something to take.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._change = threading.Condition()
        # What the page wants, under the lock.
        self._wanted = Settings()
        self._orders: deque[str] = deque()
        self._running = self._closed = False
        self._page_ready = True
        # What it is to be told, under the lock.
        self._answers: deque[dict[str, Any]] = deque(maxlen=_WAITING)
        self._news: dict[str, Any] = {}
        self._frame: bytes | None = None
        # The thread's own.
        self._toy = ToyTraining(self._wanted)
        self._version = self._frames = 0
        self._shown: tuple[int, int] | None = None  # version and step of the last picture
        self._next_picture = self._last = perf_counter()
        self._credit = 0.0  # steps that are due, if their speed is limited
        self._rate = 30.0  # steps per second of the machine
        self._pace: deque[tuple[float, int]] = deque()
        self._report(points=True)
        self._thread = threading.Thread(target=self._run, name="playground", daemon=True)
        self._thread.start()

    def hear(self, message: object) -> None:
        """Obey a message of the page.

        Parameters
        ----------
        message : object
            The message, decoded: an object with ``do``, and ``settings`` to set.

        Raises
        ------
        ValueError
            If the message is unknown or a setting is out of range; nothing has changed.
        TypeError
            If something is of the wrong kind; nothing has changed.
        """
        action = message.get("do") if isinstance(message, dict) else None
        if not isinstance(message, dict) or action not in _ACTIONS:
            raise ValueError(
                f"playground: a message is an object whose do is one of {', '.join(_ACTIONS)}"
            )
        if more := message.keys() - {"do", "settings"}:
            raise ValueError(f"playground: a message has do and settings, no {min(map(str, more))}")
        if (action == "set") != ("settings" in message):
            raise ValueError("playground: settings belong to the message whose do is set")
        with self._change:
            if action == "set":
                self._wanted = self._wanted.changed(message["settings"])
            elif action == "seen":
                self._page_ready = True
            elif action == "script":
                text = script(self._wanted, max(1, int(self._toy.epoch)))
                self._answers.append({"kind": "script", "text": text})
            elif len(self._orders) < _WAITING:
                self._orders.append(action)
            self._change.notify()
        self._tell()

    def refuse(self, reason: str) -> None:
        """Tell the page that a message was not obeyed.

        Parameters
        ----------
        reason : str
            The reason, one sentence.
        """
        with self._change:
            self._answers.append({"kind": "error", "text": reason})
        self._tell()

    def take(self) -> tuple[list[dict[str, Any]], bytes | None]:
        """Take what the page is to be told.

        Returns
        -------
        texts : list of dict
            Answers and news, for JSON.
        frame : bytes or None
            The picture, if there is a new one; it fits the news.
        """
        with self._change:
            texts, frame = [*self._answers], self._frame
            if self._news:
                texts.append({"kind": "state", **self._news})
            self._answers.clear()
            self._news, self._frame = {}, None
        return texts, frame

    def close(self) -> None:
        """End the thread, behind the steps that it is running."""
        with self._change:
            self._closed = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                if not (self._closed or self._has_work):
                    self._change.wait(self._patience)
                if self._closed:
                    return
                wanted, orders = self._wanted, [*self._orders]
                self._orders.clear()
            self._obey(wanted, orders)
            if self._running:
                self._advance(self._due())
            self._show()

    @property
    def _has_work(self) -> bool:
        is_new = self._wanted != self._toy.settings or self._orders
        return bool(is_new) or (self._running and not self._wanted.speed)

    @property
    def _patience(self) -> float | None:
        """Seconds until the next step or picture is due, None without any."""
        now = perf_counter()
        waits = []
        if self._running:
            waits.append((1 - self._credit) / max(self._wanted.speed, 1))
        if self._page_ready and self._shown != (self._version, self._toy.step):
            waits.append(self._next_picture - now)
        return max(0.0, min(waits)) if waits else None

    def _obey(self, wanted: Settings, orders: list[str]) -> None:
        if wanted != self._toy.settings:
            points = self._toy.points
            begins_anew = self._toy.change(wanted)
            self._pace.clear()
            self._version += 1
            self._report(points=points is not self._toy.points, began=begins_anew)
        for order in orders:
            if order == "reset":
                self._toy.restart(self._toy.settings)
                self._pace.clear()
                self._version += 1
                self._report(began=True)
            elif order in ("run", "pause"):
                self._running = order == "run"
                self._credit, self._last = 0.0, perf_counter()
                self._pace.clear()
                self._report()
            else:
                self._running = False
                self._report()
                self._advance(self._toy.steps_left if order == "epoch" else 1)
        if self._running and not self._toy.can_train:
            self._stop("empty")

    def _due(self) -> int:
        """Return the number of steps until the next picture."""
        now = perf_counter()
        speed, since = self._toy.settings.speed, now - self._last
        self._last = now
        if not speed:
            left = self._next_picture - now
            return max(1, int(self._rate * (left if 0 < left < _CHUNK else _CHUNK)))
        self._credit = min(self._credit + speed * since, max(1.0, speed * 2 * _INTERVAL))
        due = int(self._credit)
        self._credit -= due
        return due

    def _advance(self, steps: int) -> None:
        if not steps:
            return
        start, before = perf_counter(), self._toy.step
        try:
            self._toy.advance(steps)
        except NonFiniteError as error:
            self._toy.recover()
            self._version += 1
            self._stop("diverged", step=error.step, text=str(error))
            return
        done = self._toy.step - before
        self._rate = done / max(perf_counter() - start, 1e-9)
        if self._toy.converged:
            self._stop("converged")

    def _stop(self, reason: str, **more: Any) -> None:
        self._running = False
        self._report(stopped={"reason": reason, **more})

    def _report(self, *, points: bool = False, began: bool = False, **more: Any) -> None:
        """Add to the news: the state, and its network or points where they are new."""
        toy = self._toy
        news = {"version": self._version, "running": self._running, "stopped": None, **more}
        news["settings"] = toy.settings._asdict() | {"points": len(toy.settings.points)}
        news["layers"] = [len(toy.settings.features), *toy.settings.hidden, 1]
        if began:
            news["began"] = True
        if points or began:
            table = np.column_stack([toy.points.round(3), toy.classes, toy.test])
            news["points"] = table.tolist()
        with self._change:
            self._news |= news
        self._tell()

    def _show(self) -> None:
        """Make a picture if the page waits for one, it is time and something has changed."""
        now, place = perf_counter(), (self._version, self._toy.step)
        if not self._page_ready or now < self._next_picture or place == self._shown:
            return
        # Thirty a second on average; behind a pause from now on.
        self._next_picture = max(self._next_picture, now - _INTERVAL) + _INTERVAL
        self._frames += 1
        self._shown = place
        frame = self._encoded(self._toy.picture())
        with self._change:
            self._frame, self._page_ready = frame, False
        self._tell()

    def _encoded(self, picture: Picture) -> bytes:
        losses, errors = picture.losses, picture.errors
        head = HEADER.pack(
            *(_MARK, self._version, self._frames, SIDE, UNIT_SIDE),
            *(len(picture.units), picture.weights.size, picture.step, picture.epoch),
            *(self._speed(picture.step), losses[0], errors[0], losses[1], errors[1]),
        )
        parts = picture.weights, picture.output, picture.units
        return b"".join([head, *(part.tobytes() for part in parts)])

    def _speed(self, step: int) -> float:
        """Return the steps per second of the last second, 0 without."""
        now, pace = perf_counter(), self._pace
        if not self._running:
            return 0.0
        pace.append((now, step))
        while len(pace) > 2 and now - pace[1][0] > _WINDOW:
            pace.popleft()
        seconds = now - pace[0][0]
        return (step - pace[0][1]) / seconds if seconds else 0.0
