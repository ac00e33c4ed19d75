"""Histories that are written while they grow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gyaku.callbacks.base import Callback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["CSVLogger", "JSONLogger"]


class _Logger(Callback, abstract=True):
    """Base of the callbacks that write a line an epoch.

    Parameters
    ----------
    path : str or path-like
        The file; a new training replaces it, a resumed one goes on behind its lines.
    append : bool
        Whether to go on behind what the file holds.
    """

    def __init__(self, path: str | os.PathLike[str], *, append: bool = False) -> None:
        self.path = os.fspath(path)
        self.append = append

    def on_train_begin(self) -> None:
        """Begin the file; see `Callback`."""
        self._begun = (self.append or self.resumed) and self._size() > 0
        if not (self.append or self.resumed):
            with open(self.path, "w", encoding="utf-8"):
                pass

    def _size(self) -> int:
        return os.path.getsize(self.path) if os.path.exists(self.path) else 0

    def state_dict(self) -> dict[str, Any]:
        """Return the size of the file; see `Callback`."""
        return {"size": self._size()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Cut off the lines of epochs that are trained once more; see `Callback`."""
        if self._size() > state["size"]:
            os.truncate(self.path, state["size"])
        self._begun = self._size() > 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Write a line; see `Callback.on_epoch_end`."""
        row = {"epoch": epoch + 1, **logs, "learning_rate": self.model.optimizer.rate}
        with open(self.path, "a", encoding="utf-8", newline="") as stream:
            stream.write(self.line(row))
        self._begun = True

    def line(self, row: Mapping[str, float]) -> str:
        """Return the text of an epoch.

        Parameters
        ----------
        row : mapping of str to float
            The values.

        Returns
        -------
        str
            The text, with its end of line.
        """
        raise NotImplementedError


class CSVLogger(_Logger):
    """Write loss and metrics to a CSV file, a line an epoch as soon as it is finished.

    Parameters
    ----------
    path : str or path-like
        The file; a new training replaces it.
    append : bool
        Whether to go on behind what the file holds.

    Examples
    --------
    >>> CSVLogger("log.csv")
    CSVLogger('log.csv')
    """

    def line(self, row: Mapping[str, float]) -> str:
        """Return the values, behind their names at the beginning of the file; see `_Logger`."""
        heading = "" if self._begun else ",".join(row) + "\n"
        return heading + ",".join(repr(value) for value in row.values()) + "\n"


class JSONLogger(_Logger):
    """Write loss and metrics as JSON lines, an object an epoch as soon as it is finished.

    Parameters
    ----------
    path : str or path-like
        The file; a new training replaces it.
    append : bool
        Whether to go on behind what the file holds.

    Notes
    -----
    Values that are not finite, which JSON does not know, are null.

    Examples
    --------
    >>> JSONLogger("log.jsonl")
    JSONLogger('log.jsonl')
    """

    def line(self, row: Mapping[str, float]) -> str:
        """Return the values as an object; see `_Logger`."""
        import json
        import math

        known = {name: value if math.isfinite(value) else None for name, value in row.items()}
        return json.dumps(known) + "\n"
