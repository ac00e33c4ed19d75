"""Schedules: the learning rate as a function of the step.

A schedule is called with an array of step numbers, counted from 0, and returns the learning rate
of each; a function that does this is a schedule too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import number, whole
from gyaku.components import Configured, Table
from gyaku.names import missing_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["Constant", "InverseTime", "OneCycle", "Schedule"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)

SCHEDULES: Table[Schedule] = Table()


class Schedule(Configured, table=SCHEDULES):
    """Base of the schedules."""

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return learning rates.

        Parameters
        ----------
        steps : ndarray of int64
            Step numbers, counted from 0.

        Returns
        -------
        ndarray of float64
            The learning rate of each.
        """
        raise NotImplementedError

    def spanning(self, total_steps: int) -> Schedule:
        """Return this schedule for a training of known length.

        Parameters
        ----------
        total_steps : int
            Length of the training.

        Returns
        -------
        Schedule
            The schedule itself, unless it depends on the length.
        """
        del total_steps
        return self


class Constant(Schedule):
    """Constant learning rate.

    Parameters
    ----------
    rate : float
        The learning rate.

    Examples
    --------
    >>> Constant(0.1)(np.arange(3))
    array([0.1, 0.1, 0.1])
    """

    def __init__(self, rate: float) -> None:
        self.rate = number("Constant", "rate", rate, above=0)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the rate for every step; see `Schedule`."""
        return np.full(np.shape(steps), self.rate)


class InverseTime(Schedule):
    """Learning rate that decays with the inverse of time.

    Parameters
    ----------
    rate : float
        Learning rate η₀ of step 0.
    steps : float
        Number of steps τ after which it has halved.

    Notes
    -----
    ``η(t) = η₀ / (1 + t/τ)``: the sum of all rates diverges and that of their squares does not,
    which stochastic gradient descent needs to converge (H. Robbins and S. Monro, A stochastic
    approximation method, 1951).

    Examples
    --------
    >>> InverseTime(0.1, steps=100)(np.array([0, 100, 300]))
    array([0.1  , 0.05 , 0.025])
    """

    def __init__(self, rate: float, steps: float) -> None:
        self.rate = number("InverseTime", "rate", rate, above=0)
        self.steps = number("InverseTime", "steps", steps, above=0)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return η₀ / (1 + t/τ); see `Schedule`."""
        return self.rate / (1 + np.asarray(steps) / self.steps)


class OneCycle(Schedule):
    """One-cycle policy: the rate rises to a maximum and decays to almost zero along half cosines.

    Parameters
    ----------
    max_rate : float
        The highest learning rate.
    total_steps : int, optional
        Length of the cycle; by default that of the training, which `fit` fills in.
    warmup : float
        Fraction of the steps in which the rate rises.
    start_factor, end_factor : float
        ``max_rate`` divided by these is the rate of the first and of the last step.

    Notes
    -----
    L. Smith and N. Topin, Super-convergence (2018). Steps beyond the last keep the last rate.

    Examples
    --------
    >>> OneCycle(1.0, total_steps=11, warmup=0.5, start_factor=4, end_factor=8)(
    ...     np.array([0, 5, 10])
    ... )
    array([0.25 , 1.   , 0.125])
    """

    def __init__(
        self,
        max_rate: float,
        total_steps: int | None = None,
        *,
        warmup: float = 0.3,
        start_factor: float = 25.0,
        end_factor: float = 1e4,
    ) -> None:
        self.max_rate = number("OneCycle", "max_rate", max_rate, above=0)
        self.total_steps = (
            None if total_steps is None else whole("OneCycle", "total_steps", total_steps)
        )
        self.warmup = number("OneCycle", "warmup", warmup, least=0, below=1)
        self.start_factor = number("OneCycle", "start_factor", start_factor, least=1)
        self.end_factor = number("OneCycle", "end_factor", end_factor, least=1)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the point of the cycle; see `Schedule`."""
        if self.total_steps is None:
            raise ValueError(
                "OneCycle: total_steps is needed where fit is not there to fill it in:"
                f" OneCycle({self.max_rate:g}, total_steps=...)"
            )
        last = max(1, self.total_steps - 1)
        top = self.warmup * last
        at = np.clip(np.asarray(steps, np.float64), 0, last)
        rising = _half_cosine(self.max_rate / self.start_factor, self.max_rate, at / max(top, 1e-9))
        falling = _half_cosine(
            self.max_rate, self.max_rate / self.end_factor, (at - top) / (last - top)
        )
        return np.where(at < top, rising, falling)

    def spanning(self, total_steps: int) -> Schedule:
        """Return a copy over `total_steps`, unless its length was given; see `Schedule`."""
        if self.total_steps is not None:
            return self
        return type(self)(**{**self.config(), "total_steps": total_steps})


def _half_cosine(start: float, end: float, fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    return end + (start - end) * (1 + np.cos(math.pi * np.clip(fraction, 0, 1))) / 2


class _Function(Schedule):
    """A function as a schedule."""

    def __init__(self, function: Callable[[NDArray[np.int64]], NDArray[np.float64]]) -> None:
        self.function = function

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.broadcast_to(np.asarray(self.function(steps), np.float64), np.shape(steps))


def schedule(given: float | Schedule | Callable[..., NDArray[np.float64]]) -> Schedule:
    """Return a schedule from a learning rate, a schedule or a function.

    Parameters
    ----------
    given : float or Schedule or callable
        A number stays constant; a function maps an array of steps to an array of rates.

    Returns
    -------
    Schedule
        The schedule.
    """
    if isinstance(given, Schedule):
        return given
    return _Function(given) if callable(given) else Constant(given)
