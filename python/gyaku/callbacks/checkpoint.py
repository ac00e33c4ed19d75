"""Models and trainings that are saved while they are trained."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from gyaku.callbacks.monitor import Monitor
from gyaku.checks import number, whole
from gyaku.files import check_writable, sweep

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["ModelCheckpoint"]

_STATE = ("files", "_ranked", "_due", "_obsolete", "_epochs", "_logs", "_unsaved", "_saved_step")


class ModelCheckpoint(Monitor):
    """Save the training while it runs; each file is written whole or not at all.

    Parameters
    ----------
    path : str or path-like
        The file, which may name the number of epochs and steps, and values of the history:
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
        Number of epochs between two files; "last" also saves the last epoch, and the place within
        an epoch where the training ends, such as by `max_time`, unless the path names epochs.
    steps : int, optional
        Number of steps between two files instead, also within an epoch; for "last".
    minutes : float, optional
        Time between two files instead; with "last" also within an epoch.
    at_exception : bool
        Whether to save when Ctrl-C or an error ends the training, unless the error came within a
        step, as `NonFiniteError` does, from where nothing could go on; for "last".
    at_signal : bool
        Whether to save at SIGUSR1, and at SIGTERM before the process ends, as batch systems send
        them before the time limit of a job; for "last", in the main thread, unless the program has
        handlers of its own.
    optimizer : bool
        Whether to save all that ``fit(resume=path)`` needs to go on with the same bits: the state
        of the optimizer, the place in the epoch, the history, the states of the callbacks.
        Otherwise the model alone.

    Attributes
    ----------
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, from 0; -1 before the first.
    files : list of str
        The files that are there, the newest last.

    Notes
    -----
    A file is written behind all other callbacks of its epoch or step, and at the end of a training
    before them: it holds no averaged or restored weights, from which nothing could go on.

    Examples
    --------
    >>> ModelCheckpoint("net.safetensors", keep="best")
    ModelCheckpoint('net.safetensors', keep='best')
    >>> ModelCheckpoint("last.safetensors", minutes=10, at_signal=True)
    ModelCheckpoint('last.safetensors', minutes=10.0, at_signal=True)
    """

    files: list[str]
    keeps_training = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "val_loss",
        *,
        mode: str = "auto",
        keep: str | int = "last",
        every: int = 1,
        steps: int | None = None,
        minutes: float | None = None,
        at_exception: bool = False,
        at_signal: bool = False,
        optimizer: bool = True,
    ) -> None:
        super().__init__(monitor, mode=mode)
        owner = "ModelCheckpoint"
        self.path = os.fspath(path)
        self.keep = _kept(keep, self.path)
        self.every = whole(owner, "every", every)
        self.steps = None if steps is None else whole(owner, "steps", steps)
        self.minutes = None if minutes is None else number(owner, "minutes", minutes, least=0)
        self.at_exception, self.at_signal = at_exception, at_signal
        self.optimizer = optimizer
        for name in ("steps", "at_exception", "at_signal"):
            if keep != "last" and getattr(self, name):
                raise ValueError(
                    f"{owner}: {name} is for keep='last', got keep={keep!r}, whose files are of"
                    f" whole epochs; give a second {owner} for the last state"
                )
        self.every_steps = self.steps or 0
        self.signals = ("SIGTERM", "SIGUSR1") if at_signal else ()
        self._begin()

    @property
    def is_plain(self) -> bool:
        """Whether the path names no epochs, steps or values."""
        return "{" not in self.path

    @property
    def is_resumable(self) -> bool:
        """Whether the path always holds the last state of the training."""
        return self.keep == "last" and self.optimizer and self.is_plain

    def _begin(self) -> None:
        self.forget()
        self.files: list[str] = []
        self._ranked: list[list[Any]] = []  # value and path of the best epochs
        self._due = ""  # a path to write
        self._obsolete: list[str] = []  # files to remove once it is written
        self._epochs, self._logs = 0, dict[str, float]()  # those that are finished
        self._unsaved = False  # whether the last epoch is
        self._failed = False  # whether an error ended the training
        self._saved, self._saved_step = monotonic(), -1

    def on_train_begin(self) -> None:
        """Reset the state; see `Callback`."""
        self._begin()
        folder = Path(self.path).parent
        if "{" not in str(folder):
            check_writable(self.path)  # now, not behind the first epoch
        sweep(folder)

    def state_dict(self) -> dict[str, Any]:
        """Return which files are there, and which are to be written; see `Callback`."""
        return super().state_dict() | {name: getattr(self, name) for name in _STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; see `Callback`."""
        super().load_state_dict(state)
        for name in _STATE:
            setattr(self, name, state[name])
        self.files = [*map(self._here, self.files)]
        self._ranked = [[value, self._here(path)] for value, path in self._ranked]
        self._due = self._here(self._due)
        self._obsolete = [*map(self._here, self._obsolete)]
        paths = [*self.files, *self._obsolete, *(path for _, path in self._ranked)]
        alien = [path for path in (*paths, self._due) if path and not self._is_own(path)]
        if alien:
            raise ValueError(
                f"ModelCheckpoint: the state names the file {alien[0]!r}, which does not fit the"
                f" path {self.path!r}"
            )
        self._remove_obsolete()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Decide whether it is time; see `Callback.on_epoch_end`."""
        self._epochs, self._logs, self._unsaved = epoch + 1, dict(logs), True
        is_time = (epoch + 1) % self.every == 0
        if self.keep == "last":
            if is_time and self.steps is None and self.minutes is None:
                self._due = self._named()
            return
        if self.minutes is not None:
            is_time = self._is_late()
        if is_time and self.keep == "best":
            if self.improves(epoch, logs):
                self._due = self._named()
        elif is_time:
            self._rank(epoch, logs, int(self.keep))

    def on_steps_end(self, step: int) -> None:
        """Save if it is time; see `Callback.on_steps_end`."""
        if self.keep == "last" and step != self._saved_step:
            counted = self.steps is not None and step % self.steps == 0
            if counted or (self.minutes is not None and self._is_late()):
                self._due = self._named()
        if self._due:
            self._save(self._due)

    def on_signal(self, name: str) -> None:
        """Save; see `Callback.on_signal`."""
        self._save(self._named())

    def on_exception(self, error: BaseException) -> None:
        """Save, if asked for; see `Callback.on_exception`."""
        self._failed = True
        if self.at_exception and self.training.is_between_steps:
            self._save(self._named())

    def on_train_end(self) -> None:
        """Save where the training ended; see `Callback`."""
        if self.keep != "last" or self._failed:
            return
        if self._unsaved or (self.is_plain and self.training.step != self._saved_step):
            self._save(self._named())

    def _here(self, path: str) -> str:
        """Return a path in the present folder, since the files may have been moved."""
        folder = Path(self.path).parent
        is_moved = path and "{" not in str(folder) and Path(path).parent != folder
        return str(folder / Path(path).name) if is_moved else path

    def _is_own(self, path: str) -> bool:
        """Return whether a path is one of this callback's: a strange file can remove no other."""
        import re

        texts = re.split(r"\{[^}]*\}", self.path)
        return re.fullmatch(r"[^/\\]*".join(map(re.escape, texts)), path) is not None

    def _is_late(self) -> bool:
        return monotonic() - self._saved >= 60 * (self.minutes or 0)

    def _rank(self, epoch: int, logs: Mapping[str, float], count: int) -> None:
        self.improves(epoch, logs)
        value = self._sign * self._value(logs)
        worse = [row for row in self._ranked if row[0] > value]
        if value != value or (len(self._ranked) >= count and not worse):
            return
        self._due = self._named()
        self._ranked = sorted([*self._ranked, [value, self._due]])
        self._obsolete += [path for _, path in self._ranked[count:]]
        self._ranked = self._ranked[:count]

    def _save(self, path: str) -> None:
        """Write a file; its own state is that behind the write."""
        if self.keep == "best":
            self._obsolete += [old for old in self.files if old != path]
        gone = {path, *self._obsolete}
        self.files = [*(old for old in self.files if old not in gone), path]
        self._due, self._unsaved = "", False
        self._saved, self._saved_step = monotonic(), self.training.step
        if self.optimizer:
            self.training.save(path)
        else:
            self.model.save(path, optimizer=False)
        self._remove_obsolete()

    def _remove_obsolete(self) -> None:
        for path in self._obsolete:
            Path(path).unlink(missing_ok=True)
        self._obsolete = []

    def _named(self) -> str:
        known = {**self._logs, "epoch": self._epochs, "step": self.training.step}
        if not self._epochs:  # whose values are unknown
            known = defaultdict(lambda: float("nan"), known)
        try:
            return self.path.format_map(known)
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(
                f"ModelCheckpoint: the path {self.path!r} cannot be filled in ({error!r}); known"
                f" are epoch, step{''.join(f', {name}' for name in self._logs)}"
            ) from None


def _kept(keep: object, path: str) -> str | int:
    """Return the argument `keep`, checked."""
    if isinstance(keep, str):
        if keep not in ("last", "best"):
            raise ValueError(
                f"ModelCheckpoint: keep must be 'last', 'best' or a number, got {keep!r}"
            )
        return keep
    count = whole("ModelCheckpoint", "keep", keep)
    if "{epoch" not in path:
        raise ValueError(
            f"ModelCheckpoint: to keep {count} files the path must name the epoch, such as"
            f" 'net-{{epoch:03}}.safetensors', got {path!r}"
        )
    return count
