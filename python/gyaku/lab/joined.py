"""Trainings in the lab of another process: a thread sends what is new, and hears what is asked."""

from __future__ import annotations

import atexit
import json
import math
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from gyaku.lab.browser import open_page
from gyaku.lab.registry import running

if TYPE_CHECKING:
    from typing import Any

    from gyaku.lab.registry import Entry
    from gyaku.lab.runs import Runs

__all__ = ["Joined", "join"]

_SECONDS = 0.5  # between two messages
_ALIVE = 3.0  # seconds after which one is sent without news
_PATIENCE = 3.0  # seconds for an answer
_AT_END = 1.0  # seconds for the last one

_Failures = (OSError, HTTPException, ValueError, LookupError, TypeError)  # of what is no lab
_BUSY = 429


def join(runs: Runs) -> Joined | None:
    """Join a lab of this user that runs in another process.

    Parameters
    ----------
    runs : Runs
        Trainings of this process.

    Returns
    -------
    Joined or None
        The lab that was started last; None if none answers.
    """
    for entry in running():
        try:
            return Joined(entry, runs)
        except _Failures:
            continue
    return None


class Joined:
    """A lab of another process.

    Parameters
    ----------
    entry : Entry
        Where it is.
    runs : Runs
        Trainings of this process, which it shows beside its own.

    Attributes
    ----------
    url : str
        Address of its page, with the token.
    is_open : bool
        Whether it answers.

    Raises
    ------
    OSError, HTTPException, ValueError, LookupError, TypeError
        If it does not answer as a lab does.
    """

    def __init__(self, entry: Entry, runs: Runs) -> None:
        self.runs = runs
        shown = f"[{entry.address}]" if ":" in entry.address else entry.address
        self.url = f"http://{shown}:{entry.port}/?token={entry.token}"
        self.is_open, self._is_watched = True, False
        self._entry, self._known, self._sent = entry, 0, -math.inf
        self._connection = HTTPConnection(entry.address, entry.port, timeout=_PATIENCE)
        try:
            self._exchange()
        except BaseException:
            self._connection.close()
            raise
        self._ends = Event()
        self._thread = Thread(target=self._work, name="gyaku lab news", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def open(self, page: str) -> bool:
        """Open a page in the browser of this machine, unless one is open already.

        Parameters
        ----------
        page : {"draw", "playground", "watch"}
            The page.

        Returns
        -------
        bool
            Whether it is open.
        """
        return self._is_watched or open_page(self.url, page)

    def close(self) -> None:
        """Send what is left."""
        self._ends.set()
        self._thread.join(_AT_END)
        atexit.unregister(self.close)

    def _work(self) -> None:
        """Send what is new until the lab or this process ends."""
        is_last = False
        while self.is_open and not is_last:
            is_last = self._ends.wait(_SECONDS)
            try:
                self._exchange()
            except _Failures:
                self.is_open = False
        self._connection.close()

    def _exchange(self) -> None:
        """Send what is new, and do what the page asks for."""
        news = self.runs.news(self._known)
        if not news["runs"] and monotonic() - self._sent < _ALIVE:
            return
        answer = self._post({**news, "since": self._known})
        if answer is None:
            return
        self._known, self._is_watched = int(answer["change"]), bool(answer["watched"])
        self._sent = monotonic()
        for number, action in answer["actions"]:
            if (run := self.runs.find(number)) is not None:
                {"pause": run.pause, "go": run.go, "stop": run.stop}[action]()

    def _post(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a message; None if there are too many of them."""
        headers = {
            "Authorization": f"Bearer {self._entry.token}", "Content-Type": "application/json",
        }  # fmt: skip
        body = json.dumps(message, allow_nan=False)
        try:
            self._connection.request("POST", "/api/watch/join", body, headers)
            response = self._connection.getresponse()
        except (ConnectionError, HTTPException):  # one that was kept for too long
            self._connection.close()
            self._connection.request("POST", "/api/watch/join", body, headers)
            response = self._connection.getresponse()
        text = response.read()
        if response.status == _BUSY:
            return None
        if response.status != 200:
            raise ValueError(f"the lab answers {response.status}: {text[:200]!r}")
        answer: dict[str, Any] = json.loads(text)
        return answer
