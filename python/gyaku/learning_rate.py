"""A learning rate for a model and its data: a short training whose rate grows."""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.callbacks import Callback
from gyaku.checks import number, whole
from gyaku.optim import optimizer as as_optimizer
from gyaku.train import NonFiniteError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from gyaku.optim import Optimizer

__all__ = ["LearningRates", "find_learning_rate"]

_SMOOTHING = 0.9  # weight of the past in the mean of the losses that may diverge
_DIVERGED = 4.0  # times the smallest of these means


class LearningRates(NamedTuple):
    """Losses at rising learning rates; the result of `find_learning_rate`.

    Parameters
    ----------
    rates : ndarray of float64, of shape (steps,)
        The learning rates.
    losses : ndarray of float64, of shape (steps,)
        The loss at each of them, a moving mean over a tenth of the steps.
    suggestion : float
        The rate where the loss falls most steeply.

    Examples
    --------
    >>> LearningRates(np.array([0.01, 0.1, 1.0]), np.array([2.0, 1.0, 3.0]), 0.03)
    LearningRates(3 rates from 0.01 to 1, suggestion 0.03)
    """

    rates: NDArray[np.float64]
    losses: NDArray[np.float64]
    suggestion: float

    def __repr__(self) -> str:
        return (
            f"LearningRates({len(self.rates)} rates from {self.rates[0]:.3g} to"
            f" {self.rates[-1]:.3g}, suggestion {self.suggestion:.2g})"
        )

    def plot(self, **options: Any) -> Axes:
        """Draw the losses over the rates, with the suggestion.

        Parameters
        ----------
        **options : object
            Further arguments of `gyaku.plots.lr_finder`.

        Returns
        -------
        matplotlib.axes.Axes
            The axes, which a notebook shows.
        """
        from gyaku.plots import lr_finder

        return lr_finder(self.rates, self.losses, **options)


def find_learning_rate(
    model: Any,
    x: object,
    y: object,
    *,
    loss: Any = None,
    optimizer: str | Optimizer = "adam",
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    **options: Any,
) -> LearningRates:
    """Train a copy of a model with growing learning rates, and suggest one.

    Parameters
    ----------
    model : Model
        The model, which stays as it is.
    x, y : array_like
        Inputs and targets, as in `fit`.
    loss : str or Loss or callable, optional
        The loss; by default that of the last `fit`.
    optimizer : str or Optimizer
        The optimizer, whose own learning rate plays no part; it stays as it is.
    lowest, highest : float
        First and last learning rate.
    steps : int
        Number of steps, each with its rate; fewer are done if the loss diverges.
    **options : object
        Further arguments of `fit`, such as `batch_size` and `seed`.

    Returns
    -------
    LearningRates
        The rates, the losses and a suggestion; its `plot` draws them.

    Raises
    ------
    ValueError
        If an argument is invalid, or the loss is not finite from the first steps on.

    Notes
    -----
    The rates grow exponentially, one a step, until a running mean of the loss is four times its
    smallest value. L. Smith, Cyclical learning rates for training neural networks (2015), section
    3.3.

    Examples
    --------
    >>> import gyaku as gk
    >>> (x, y), _ = gk.data.digits()
    >>> model = gk.Sequential(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(10))
    >>> found = gk.find_learning_rate(model, x, y, loss="softmax_cross_entropy")
    >>> 1e-4 < found.suggestion < 1, model.built
    (True, False)
    """
    owner = "find_learning_rate"
    lowest = number(owner, "lowest", lowest, above=0)
    highest = number(owner, "highest", highest, above=lowest)
    steps = whole(owner, "steps", steps, least=2)
    model, learner = copy.deepcopy(model), copy.deepcopy(as_optimizer(optimizer))

    def growing(step: NDArray[np.int64]) -> NDArray[np.float64]:
        return lowest * (highest / lowest) ** (np.minimum(step, steps - 1) / (steps - 1))

    learner.learning_rate = growing
    watch = _Watch(steps)
    given = {"verbose": 0, "epochs": steps, **options, "callbacks": watch}
    given["loss"] = model.loss if loss is None else loss
    with suppress(NonFiniteError):  # the rate of the last step was far too large
        model.fit(x, y, optimizer=learner, **given)
    if len(watch.losses) < 2:
        raise ValueError(
            f"{owner}: the loss is not finite from the first steps on; give a smaller lowest, got"
            f" {lowest:g}"
        )
    from gyaku.plots.lr_finder import steepest

    rates, losses = np.array(watch.rates), _smoothed(np.array(watch.losses))
    return LearningRates(rates, losses, steepest(rates, losses))


def _smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over the steps around each, which unlike those of the past do not lag."""
    reach = len(losses) // 20
    sums = np.cumsum([0.0, *losses])
    places = np.arange(len(losses))
    reach_here = np.minimum(np.minimum(places, places[::-1]), reach)
    first, last = places - reach_here, places + reach_here + 1
    means: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return means


class _Watch(Callback):
    """The rate and the loss of each step, until all rates were tried or the loss diverges."""

    def __init__(self, steps: int) -> None:
        self.count = steps
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._mean = self._before = 0.0
        self._least = math.inf

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> str | None:
        """Keep both; see `Callback.on_train_batch_end`."""
        loss = self._last_loss(batch, logs["loss"])
        self.rates.append(self.model.optimizer.rate)
        self.losses.append(loss)
        self._mean += (1 - _SMOOTHING) * (loss - self._mean)
        mean = self._mean / (1 - _SMOOTHING ** len(self.rates))
        self._least = min(self._least, mean)
        if len(self.rates) == self.count:
            return "all rates were tried"
        return "the loss diverges" if mean > _DIVERGED * self._least else None

    def _last_loss(self, batch: int, of_epoch: float) -> float:
        """Return the loss of a step, from those of the epoch before and behind it."""
        before, self._before = (self._before if batch else 0.0), of_epoch
        losses = self.model.loss if isinstance(self.model.loss, tuple) else (self.model.loss,)
        if losses[0].reduction == "sum":
            return of_epoch - before
        return (batch + 1) * of_epoch - batch * before
