"""Models that are saved while they are trained."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from gyaku.callbacks.monitor import Monitor
from gyaku.checks import number, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Monitor):
    """Save the model while it is trained; each file is written whole or not at all.

    Parameters
    ----------
    path : str or path-like
        The file, which may name the epoch, counted from 1, and values of the history:
        ``"net-{epoch:03}-{val_loss:.2f}.safetensors"``.
    monitor : str
        Name of the loss or metric in the history that decides about the best.
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" maximises accuracies and the metrics whose larger
        values are better, and minimises all else.
    keep : {"last", "best"} or int
        Which files: the last one, that of the best epoch, or those of so many best epochs, for
        which the path names the epoch. If the path names the epoch, "last" keeps all.
    every : int
        Number of epochs between two files; the last epoch is always saved with "last".
    minutes : float, optional
        Time between two files instead, checked after each epoch.
    at_exception : bool
        Whether to save the model when an error or Ctrl-C ends the training.
    optimizer : bool
        Whether to save the optimizer's state, from which `fit` goes on.

    Attributes
    ----------
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, from 0; -1 before the first.
    files : list of str
        The files that are there, the newest last.

    Examples
    --------
    >>> ModelCheckpoint("net.safetensors", keep="best")
    ModelCheckpoint('net.safetensors', keep='best')
    """

    files: list[str]

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "val_loss",
        *,
        mode: str = "auto",
        keep: str | int = "last",
        every: int = 1,
        minutes: float | None = None,
        at_exception: bool = False,
        optimizer: bool = True,
    ) -> None:
        super().__init__(monitor, mode=mode)
        owner = "ModelCheckpoint"
        self.path = os.fspath(path)
        if keep not in ("last", "best"):
            if isinstance(keep, str):
                raise ValueError(f"{owner}: keep must be 'last', 'best' or a number, got {keep!r}")
            keep = whole(owner, "keep", keep)
            if "{epoch" not in self.path:
                raise ValueError(
                    f"{owner}: to keep {keep} files the path must name the epoch, such as"
                    f" 'net-{{epoch:03}}.safetensors', got {self.path!r}"
                )
        self.keep = keep
        self.every = whole(owner, "every", every)
        self.minutes = None if minutes is None else number(owner, "minutes", minutes, least=0)
        self.at_exception = at_exception
        self.optimizer = optimizer
        self.on_train_begin()

    def on_train_begin(self) -> None:
        """Reset the state; see `Callback`."""
        self.forget()
        self.files: list[str] = []
        self._ranked: list[tuple[float, str]] = []
        self._saved = monotonic()
        self._last: tuple[int, dict[str, float]] | None = None  # an epoch that was not saved

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Save the model if it is time; see `Callback.on_epoch_end`."""
        self._last = epoch, dict(logs)
        is_time = (epoch + 1) % self.every == 0
        if self.minutes is not None:
            is_time = monotonic() - self._saved >= 60 * self.minutes
        if not is_time:
            return
        if self.keep == "last":
            self._save(epoch, logs)
        elif self.keep == "best":
            if self.improves(epoch, logs):
                self._save(epoch, logs)
        else:
            self._keep_best(epoch, logs, int(self.keep))

    def on_exception(self, error: BaseException) -> None:
        """Save the model, if asked for; see `Callback.on_exception`."""
        if self.at_exception:
            epoch, logs = self._last or (-1, {})
            self._save(epoch, logs)
        self._last = None

    def on_train_end(self) -> None:
        """Save the last epoch; see `Callback`."""
        if self._last is not None and self.keep == "last":
            self._save(*self._last)

    def _keep_best(self, epoch: int, logs: Mapping[str, float], count: int) -> None:
        self.improves(epoch, logs)
        value = self._sign * self._value(logs)
        worse = [row for row in self._ranked if row[0] > value]
        if value != value or (len(self._ranked) >= count and not worse):
            return
        path = self._save(epoch, logs)
        self._ranked = sorted([*self._ranked, (value, path)])
        for _, old in self._ranked[count:]:
            Path(old).unlink(missing_ok=True)
            self.files.remove(old)
        self._ranked = self._ranked[:count]

    def _save(self, epoch: int, logs: Mapping[str, Any]) -> str:
        path = self._named(epoch, logs)
        self.model.save(path, optimizer=self.optimizer)
        if path in self.files:
            self.files.remove(path)
        elif self.keep == "best" and self.files:
            Path(self.files.pop()).unlink(missing_ok=True)
        self.files.append(path)
        self._last, self._saved = None, monotonic()
        return path

    def _named(self, epoch: int, logs: Mapping[str, Any]) -> str:
        try:
            return self.path.format(**{**logs, "epoch": epoch + 1})
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(
                f"ModelCheckpoint: the path {self.path!r} cannot be filled in ({error!r}); known"
                f" are epoch, {', '.join(logs)}"
            ) from None
