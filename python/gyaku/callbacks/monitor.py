"""What follows a loss or metric from epoch to epoch."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from gyaku.callbacks.base import Callback
from gyaku.checks import number
from gyaku.names import ALIASES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["Monitor"]


class Monitor(Callback, abstract=True):
    """Base of the callbacks that wait for an improvement.

    Parameters
    ----------
    monitor : str
        Name of the loss or metric in the history, or an alias of it such as "val_acc".
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" maximises accuracies and the metrics whose larger
        values are better, and minimises all else.
    min_delta : float
        Smallest change that counts as an improvement.

    Attributes
    ----------
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, from 0; -1 before the first.
    """

    best: float
    best_epoch: int

    def __init__(self, monitor: str, *, mode: str = "auto", min_delta: float = 0.0) -> None:
        owner = type(self).__name__
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{owner}: mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = number(owner, "min_delta", min_delta, least=0)
        self._sign = -1.0 if mode == "max" or (mode == "auto" and _is_gain(monitor)) else 1.0
        self.forget()

    @property
    def prefers_more(self) -> bool:
        """Whether larger values are better."""
        return self._sign < 0

    def forget(self) -> None:
        """Forget the best value."""
        self.best = self._sign * math.inf
        self.best_epoch = -1

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and its epoch; see `Callback`."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a best value; see `Callback`."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]

    def improves(self, epoch: int, logs: Mapping[str, float]) -> bool | None:
        """Return whether an epoch is the best so far, and keep its value if so.

        Parameters
        ----------
        epoch : int
            Index of the epoch, from 0.
        logs : mapping of str to float
            Loss and metrics.

        Returns
        -------
        bool or None
            Whether it is; None for an epoch without a validation.

        Raises
        ------
        ValueError
            If there is no such loss or metric.
        """
        value = self._value(logs)
        if math.isnan(value):
            return None
        if self.best_epoch < 0 or self._sign * (self.best - value) > self.min_delta:
            self.best, self.best_epoch = value, epoch
            return True
        return False

    def _value(self, logs: Mapping[str, float]) -> float:
        stem = self.monitor.removeprefix("val_")
        monitor = self.monitor.removesuffix(stem) + ALIASES.get(stem, stem)
        if monitor in logs:
            return logs[monitor]
        from gyaku.metrics import METRICS

        validated = any(name.startswith("val_") for name in logs)
        without = self.monitor.startswith("val_") and not validated
        hint = " (fit has no validation data)" if without else ""
        if monitor.removeprefix("val_") in METRICS:
            hint = hint or f" (give fit metrics={monitor.removeprefix('val_')!r})"
        raise ValueError(
            f"{type(self).__name__}: there is no {self.monitor!r} to monitor{hint}, only"
            f" {', '.join(logs)}"
        )


def _is_gain(monitor: str) -> bool:
    """Return whether larger values of a quantity are better, as far as its name says."""
    from gyaku.metrics import METRICS
    from gyaku.metrics.scorers import is_scorer

    stem = monitor.removeprefix("val_")
    if stem.endswith(("accuracy", "acc", "_score")) or stem.startswith("neg_"):
        return True
    name = re.sub(r"_\d+$", "", stem)  # of f1_3
    for each in (stem, name):
        known = METRICS.get(ALIASES.get(each, each))
        if known is not None:
            return known.larger_is_better
    if stem.endswith(("loss", "error")):
        return False
    gains = [each for each, kind in METRICS.items() if kind.larger_is_better]
    return name.endswith(tuple(f"_{each}" for each in gains)) or is_scorer(stem)
