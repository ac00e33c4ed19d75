"""Learning rates that follow the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.callbacks.monitor import Monitor
from gyaku.checks import number, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(Monitor):
    """Reduce the learning rate when a metric has not improved for some epochs.

    Parameters
    ----------
    monitor : str
        Name of the loss or metric in the history, or an alias of it such as "val_acc".
    factor : float
        Factor of the learning rate, below 1.
    patience : int
        Number of epochs without an improvement.
    mode : {"auto", "min", "max"}
        Whether less or more is better; "auto" maximises accuracies and the metrics whose larger
        values are better, and minimises all else.
    min_delta : float
        Smallest change that counts as an improvement.
    cooldown : int
        Number of epochs after a reduction that do not count.
    min_rate : float
        The least learning rate.

    Attributes
    ----------
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, from 0; -1 before the first.

    Examples
    --------
    >>> ReduceLROnPlateau("val_accuracy", factor=0.5)
    ReduceLROnPlateau(monitor='val_accuracy', factor=0.5)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_rate: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode=mode, min_delta=min_delta)
        owner = "ReduceLROnPlateau"
        self.factor = number(owner, "factor", factor, above=0, below=1)
        self.patience = whole(owner, "patience", patience)
        self.cooldown = whole(owner, "cooldown", cooldown, least=0)
        self.min_rate = number(owner, "min_rate", min_rate, least=0)
        self._since = 0

    def on_train_begin(self) -> None:
        """Reset the state; see `Callback`."""
        self.forget()
        self._since = 0  # the epoch from which on epochs count
        if callable(self.model.optimizer.learning_rate):
            raise ValueError(
                "ReduceLROnPlateau: the optimizer has the schedule"
                f" {self.model.optimizer.learning_rate!r}; give it a number as learning rate"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the best value and when epochs count; see `Callback`."""
        return {**super().state_dict(), "since": self._since}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state; see `Callback`."""
        super().load_state_dict(state)
        self._since = state["since"]

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Compare; see `Callback.on_epoch_end`."""
        improves = self.improves(epoch, logs)
        if improves is None or improves:
            return
        if epoch - max(self.best_epoch, self._since - 1) >= self.patience:
            optimizer = self.model.optimizer
            reduced = max(optimizer.learning_rate * self.factor, self.min_rate)
            if 0 < reduced < optimizer.learning_rate:
                optimizer.learning_rate = reduced
            self._since = epoch + 1 + self.cooldown
