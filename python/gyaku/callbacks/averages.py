"""Averages of weights, which generalise better than the last ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.callbacks.base import Callback
from gyaku.checks import number, whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["EMA", "SWA"]


class _Average(Callback, abstract=True):
    """Base of the averages: the model gets the average at the end of the training.

    Attributes
    ----------
    params : ndarray or None
        The average of the parameters so far, like the model's `flat_params`.
    """

    params: NDArray[Any] | None = None

    def on_train_begin(self) -> None:
        """Reset the state; see `Callback`."""
        self.params = None
        self._buffers: NDArray[Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the average; see `Callback`."""
        return {"params": self.params, "buffers": self._buffers}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from an average; see `Callback`."""
        self.params, self._buffers = state["params"], state["buffers"]

    def include(self, share: float) -> None:
        """Include the present weights.

        Parameters
        ----------
        share : float
            Their share in the average.
        """
        present = self.model.flat_params, self.model.flat_buffers
        if self.params is None or self._buffers is None:
            self.params, self._buffers = (each.copy() for each in present)
            return
        for average, each in zip((self.params, self._buffers), present, strict=True):
            average += share * (each - average)

    def on_exception(self, error: BaseException) -> None:
        """Leave the model its last weights; see `Callback.on_exception`."""
        self.on_train_begin()

    def on_train_end(self) -> None:
        """Give the model the average; see `Callback`."""
        if self.params is not None and self._buffers is not None:
            self.model.flat_params[...] = self.params
            self.model.flat_buffers[...] = self._buffers


class EMA(_Average):
    """Exponential moving average of the weights over the steps; the model gets it at the end.

    Parameters
    ----------
    decay : float
        Weight of the average so far in each step, from 0 to 1.

    Notes
    -----
    ``a ← a + (1 - d) (w - a)`` after each step, from the weights after the first one (B. Polyak and
    A. Juditsky, Acceleration of stochastic approximation by averaging, 1992). Running statistics of
    batch normalisation are averaged, too. Each step becomes a native call of its own.

    Examples
    --------
    >>> EMA(0.99)
    EMA(decay=0.99)
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = number("EMA", "decay", decay, least=0, below=1)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        """Include the weights; see `Callback.on_train_batch_end`."""
        self.include(1 - self.decay)


class SWA(_Average):
    """Mean of the weights at the ends of the epochs; the model gets it at the end.

    Parameters
    ----------
    start : int
        Index of the first epoch that counts, from 0.

    Notes
    -----
    P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov and A. Wilson, Averaging weights leads to
    wider optima and better generalization (2018). Running statistics of batch normalisation are
    averaged, too.

    Examples
    --------
    >>> SWA(start=75)
    SWA(start=75)
    """

    def __init__(self, *, start: int = 0) -> None:
        self.start = whole("SWA", "start", start, least=0)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Include the weights; see `Callback.on_epoch_end`."""
        if epoch >= self.start:
            self.include(1 / (epoch - self.start + 1))
