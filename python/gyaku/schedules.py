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
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Constant", "Cosine", "Cyclic", "Exponential", "InverseTime", "Joined", "MultiStep"]
__all__ += ["OneCycle", "Polynomial", "Schedule", "Step", "Warmup"]

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


class Step(Schedule):
    """Learning rate that falls by a factor again and again.

    Parameters
    ----------
    rate : float
        Learning rate of the first steps.
    steps : int
        Number of steps between two falls.
    factor : float
        The factor.

    Notes
    -----
    ``η(t) = η₀ γ^⌊t/τ⌋``, PyTorch's StepLR.

    Examples
    --------
    >>> Step(0.8, steps=2, factor=0.5)(np.arange(5))
    array([0.8, 0.8, 0.4, 0.4, 0.2])
    """

    def __init__(self, rate: float, steps: int, factor: float = 0.1) -> None:
        self.rate = number("Step", "rate", rate, above=0)
        self.steps = whole("Step", "steps", steps)
        self.factor = number("Step", "factor", factor, above=0)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return η₀ γ^⌊t/τ⌋; see `Schedule`."""
        return self.rate * self.factor ** (np.asarray(steps) // self.steps).astype(np.float64)


class MultiStep(Schedule):
    """Learning rate that falls by a factor at given steps.

    Parameters
    ----------
    rate : float
        Learning rate of the first steps.
    milestones : sequence of int
        The steps from which on it is lower, in ascending order.
    factor : float
        The factor.

    Notes
    -----
    ``η(t) = η₀ γ^n``, where n milestones are at or before t: PyTorch's MultiStepLR.

    Examples
    --------
    >>> MultiStep(0.8, milestones=[1, 4], factor=0.5)(np.arange(6))
    array([0.8, 0.4, 0.4, 0.4, 0.2, 0.2])
    """

    def __init__(self, rate: float, milestones: Sequence[int], factor: float = 0.1) -> None:
        self.rate = number("MultiStep", "rate", rate, above=0)
        self.milestones = tuple(whole("MultiStep", "a milestone", each) for each in milestones)
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"MultiStep: milestones must ascend, got {self.milestones}")
        self.factor = number("MultiStep", "factor", factor, above=0)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the rate behind the milestones so far; see `Schedule`."""
        passed = np.searchsorted(np.array(self.milestones, np.int64), steps, side="right")
        return self.rate * self.factor ** passed.astype(np.float64)


class Exponential(Schedule):
    """Learning rate that decays by a constant factor.

    Parameters
    ----------
    rate : float
        Learning rate of step 0.
    factor : float
        Factor, at most 1.
    steps : float
        Number of steps in which the rate falls by the factor.

    Notes
    -----
    ``η(t) = η₀ γ^(t/τ)``, PyTorch's ExponentialLR if τ is the number of steps in an epoch.

    Examples
    --------
    >>> Exponential(0.8, factor=0.5, steps=2)(np.array([0, 2, 4]))
    array([0.8, 0.4, 0.2])
    """

    def __init__(self, rate: float, factor: float, steps: float = 1) -> None:
        self.rate = number("Exponential", "rate", rate, above=0)
        self.factor = number("Exponential", "factor", factor, above=0, most=1)
        self.steps = number("Exponential", "steps", steps, above=0)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return η₀ γ^(t/τ); see `Schedule`."""
        return self.rate * self.factor ** (np.asarray(steps) / self.steps)


class Polynomial(Schedule):
    """Learning rate that falls to its last one along a power of the time.

    Parameters
    ----------
    rate : float
        Learning rate of step 0.
    end_rate : float
        Learning rate from step `steps` on.
    power : float
        The power; 1 is a straight line.
    steps : int, optional
        Length of the fall; by default that of the training, which `fit` fills in.

    Notes
    -----
    ``η(t) = η₁ + (η₀ - η₁) (1 - t/T)^p``, PyTorch's PolynomialLR where the end is 0.

    Examples
    --------
    >>> Polynomial(0.8, steps=4)(np.arange(6))
    array([0.8, 0.6, 0.4, 0.2, 0. , 0. ])
    """

    def __init__(
        self, rate: float, end_rate: float = 0.0, *, power: float = 1.0, steps: int | None = None
    ) -> None:
        self.rate = number("Polynomial", "rate", rate, above=0)
        self.end_rate = number("Polynomial", "end_rate", end_rate, least=0)
        self.power = number("Polynomial", "power", power, above=0)
        self.steps = None if steps is None else whole("Polynomial", "steps", steps)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return η₁ + (η₀ - η₁) (1 - t/T)^p; see `Schedule`."""
        left = 1 - np.clip(np.asarray(steps, np.float64) / _length(self), 0, 1)
        return self.end_rate + (self.rate - self.end_rate) * left**self.power

    def spanning(self, total_steps: int) -> Schedule:
        """Return a copy over `total_steps`, unless its length was given; see `Schedule`."""
        return _spanning(self, total_steps)


class Cosine(Schedule):
    """Learning rate that falls along half a cosine, once or with restarts.

    Parameters
    ----------
    rate : float
        Learning rate of step 0.
    end_rate : float
        Learning rate at the end.
    steps : int, optional
        Length of the first fall; by default that of the training, which `fit` fills in.
    restarts : float or None
        Length of each fall divided by that of the one before; None for a single fall.

    Notes
    -----
    ``η(t) = η₁ + (η₀ - η₁) (1 + cos(π t/T)) / 2`` (I. Loshchilov and F. Hutter, SGDR: stochastic
    gradient descent with warm restarts, 2017). A restart begins with step T.

    Examples
    --------
    >>> Cosine(0.8, steps=2)(np.arange(4)).round(3)
    array([0.8, 0.4, 0. , 0. ])
    >>> Cosine(0.8, steps=2, restarts=1)(np.arange(4)).round(3)
    array([0.8, 0.4, 0.8, 0.4])
    """

    def __init__(
        self,
        rate: float,
        end_rate: float = 0.0,
        *,
        steps: int | None = None,
        restarts: float | None = None,
    ) -> None:
        self.rate = number("Cosine", "rate", rate, above=0)
        self.end_rate = number("Cosine", "end_rate", end_rate, least=0)
        self.steps = None if steps is None else whole("Cosine", "steps", steps)
        self.restarts = (
            None if restarts is None else number("Cosine", "restarts", restarts, least=1)
        )

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the point of the cosine; see `Schedule`."""
        time, length = np.asarray(steps, np.float64), float(_length(self))
        if self.restarts is None:
            return _half_cosine(self.rate, self.end_rate, time / length)
        if self.restarts == 1:
            return _half_cosine(self.rate, self.end_rate, time % length / length)
        growth = self.restarts
        # Falls so far: the begin of fall n is T (g^n - 1) / (g - 1).
        falls = np.floor(np.log1p(time / length * (growth - 1)) / np.log(growth) + 1e-9)
        begin = length * (growth**falls - 1) / (growth - 1)
        return _half_cosine(self.rate, self.end_rate, (time - begin) / (length * growth**falls))

    def spanning(self, total_steps: int) -> Schedule:
        """Return a copy over `total_steps`, unless its length was given; see `Schedule`."""
        return _spanning(self, total_steps)


class Warmup(Schedule):
    """Learning rate that rises to the first one of another schedule, which follows.

    Parameters
    ----------
    then : float or Schedule
        The learning rate or the schedule that follows.
    steps : int
        Number of steps in which the rate rises, along a straight line.
    start_factor : float
        Rate of step 0, divided by the first one of the schedule.

    Examples
    --------
    >>> Warmup(Step(0.8, steps=2, factor=0.5), steps=4)(np.arange(8))
    array([0. , 0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4])
    """

    def __init__(self, then: float | Schedule, steps: int, *, start_factor: float = 0.0) -> None:
        if not isinstance(then, Schedule):
            number("Warmup", "then", then, above=0)
        self.then = then
        self.steps = whole("Warmup", "steps", steps)
        self.start_factor = number("Warmup", "start_factor", start_factor, least=0, most=1)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the rising rates, then those of the schedule; see `Schedule`."""
        time, follows = np.asarray(steps), schedule(self.then)
        first = follows(np.zeros(1, np.int64))[0]
        rising = first * (self.start_factor + (1 - self.start_factor) * time / self.steps)
        return np.where(time < self.steps, rising, follows(np.maximum(time - self.steps, 0)))

    def spanning(self, total_steps: int) -> Schedule:
        """Return a copy whose schedule spans the other steps; see `Schedule`."""
        then = schedule(self.then)
        spanned = then.spanning(max(1, total_steps - self.steps))
        return self if spanned is then else type(self)(**{**self.config(), "then": spanned})


class Cyclic(Schedule):
    """Learning rate that rises and falls along straight lines, again and again.

    Parameters
    ----------
    rate : float
        Learning rate between the cycles.
    top : float
        Highest learning rate.
    steps : int
        Number of steps in which the rate rises.
    steps_down : int, optional
        Number of steps in which it falls; by default as many.
    cycle_factor : float
        Height of each cycle divided by that of the one before.
    step_factor : float
        Height of each step divided by that of the one before.

    Notes
    -----
    L. Smith, Cyclical learning rates for training neural networks (2017). PyTorch's CyclicLR has
    the factor ½ of a cycle as its mode "triangular2", that of a step as "exp_range".

    Examples
    --------
    >>> Cyclic(0.1, 0.5, steps=2, cycle_factor=0.5)(np.arange(8)).round(3)
    array([0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3, 0.2])
    """

    def __init__(
        self,
        rate: float,
        top: float,
        steps: int = 2000,
        *,
        steps_down: int | None = None,
        cycle_factor: float = 1.0,
        step_factor: float = 1.0,
    ) -> None:
        self.rate = number("Cyclic", "rate", rate, least=0)
        self.top = number("Cyclic", "top", top, above=0)
        self.steps = whole("Cyclic", "steps", steps)
        self.steps_down = None if steps_down is None else whole("Cyclic", "steps_down", steps_down)
        self.cycle_factor = number("Cyclic", "cycle_factor", cycle_factor, above=0)
        self.step_factor = number("Cyclic", "step_factor", step_factor, above=0)

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the point on the lines; see `Schedule`."""
        down = self.steps if self.steps_down is None else self.steps_down
        time = np.asarray(steps, np.float64)
        cycle, place = np.divmod(time, self.steps + down)
        height = np.where(place <= self.steps, place / self.steps, 1 - (place - self.steps) / down)
        return self.rate + (self.top - self.rate) * height * (
            self.cycle_factor**cycle * self.step_factor**time
        )


class Joined(Schedule):
    """Several schedules, one after another; each begins with its own step 0.

    Parameters
    ----------
    schedules : sequence of float or Schedule
        Learning rates, constant or schedules.
    milestones : sequence of int
        Steps at which the second and each further schedule begins.

    Notes
    -----
    PyTorch's SequentialLR. The last schedule spans the rest of a training, if it has no length.

    Examples
    --------
    >>> Joined([0.1, Step(0.8, steps=2, factor=0.5)], milestones=[2])(np.arange(6))
    array([0.1, 0.1, 0.8, 0.8, 0.4, 0.4])
    """

    def __init__(self, schedules: Sequence[float | Schedule], milestones: Sequence[int]) -> None:
        self.schedules = tuple(
            each if isinstance(each, Schedule) else number("Joined", "a rate", each, above=0)
            for each in schedules
        )
        self.milestones = tuple(whole("Joined", "a milestone", each) for each in milestones)
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"Joined: milestones must ascend, got {self.milestones}")
        if len(self.milestones) + 1 != len(self.schedules):
            raise ValueError(
                f"Joined: {len(self.schedules)} schedules take one milestone less, got"
                f" {len(self.milestones)}"
            )

    def __call__(self, steps: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the rates of the present schedules; see `Schedule`."""
        time, begins = np.asarray(steps), (0, *self.milestones)
        rates = [
            schedule(each)(np.maximum(time - begin, 0))
            for each, begin in zip(self.schedules, begins, strict=True)
        ]
        return np.asarray(np.choose(np.searchsorted(self.milestones, time, side="right"), rates))

    def spanning(self, total_steps: int) -> Schedule:
        """Return a copy whose schedules span their parts; see `Schedule`."""
        ends = (*self.milestones, max(total_steps, *self.milestones, 0) + 1)
        begins = (0, *self.milestones)
        spanned = [
            schedule(each).spanning(max(1, min(end, total_steps) - begin))
            for each, begin, end in zip(self.schedules, begins, ends, strict=True)
        ]
        same = all(
            made is given or not isinstance(given, Schedule)
            for made, given in zip(spanned, self.schedules, strict=True)
        )
        return self if same else Joined(spanned, self.milestones)


def _length(given: Polynomial | Cosine) -> int:
    if given.steps is None:
        name = type(given).__name__
        raise ValueError(
            f"{name}: steps is needed where fit is not there to fill it in:"
            f" {name}({given.rate:g}, steps=...)"
        )
    return given.steps


def _spanning(given: Polynomial | Cosine, total_steps: int) -> Schedule:
    if given.steps is not None:
        return given
    return type(given)(**{**given.config(), "steps": total_steps})


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
