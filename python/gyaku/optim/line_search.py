"""Line search along a direction of descent, to a point that fulfils the strong Wolfe conditions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Along = Callable[[float], tuple[float, float]]

__all__ = ["Point", "strong_wolfe"]

DECREASE = 1e-4
"""Least decrease, as a fraction of that which the slope at 0 promises."""
CURVATURE = 0.9
"""Largest slope, as a fraction of that at 0."""
_GROWTH = 2.0  # of steps that are too short
_MARGIN = 0.1  # least distance of a trial from the ends of its interval, as a fraction


class Point(NamedTuple):
    """Point on the line.

    Parameters
    ----------
    step : float
        Length of the step t.
    value : float
        Value φ(t) of the function.
    slope : float
        Its derivative φ'(t).
    """

    step: float
    value: float
    slope: float


def strong_wolfe(
    along: Along, value: float, slope: float, first: float, *, most: int = 25
) -> Point | None:
    """Return a step that decreases a function enough, and its slope as well.

    Parameters
    ----------
    along : callable
        Function φ of the step that returns value and slope.
    value, slope : float
        Value and slope at 0; the slope is negative.
    first : float
        The first step to try.
    most : int
        Largest number of evaluations.

    Returns
    -------
    Point or None
        The point that was evaluated last; None if no step decreases the function.

    Notes
    -----
    ``φ(t) ≤ φ(0) + c₁ t φ'(0)`` and ``|φ'(t)| ≤ c₂ |φ'(0)|`` with c₁ = 1e-4, c₂ = 0.9. J. Nocedal
    and S. Wright, Numerical optimization (2006), algorithms 3.5 and 3.6. If rounding leaves no such
    point within reach, one that fulfils the first condition is returned.

    Examples
    --------
    >>> strong_wolfe(lambda t: ((t - 3) ** 2, 2 * (t - 3)), 9.0, -6.0, 1.0)
    Point(step=1.0, value=4.0, slope=-4.0)
    """
    return _Search(along, Point(0.0, value, slope), most).run(first)


class _Search:
    """State of a line search: its start, and the number of evaluations left."""

    def __init__(self, along: Along, start: Point, left: int) -> None:
        self.along, self.start, self.left = along, start, left

    def run(self, step: float) -> Point | None:
        """Lengthen the step until it is accepted, or an interval contains one that is."""
        last = self.start
        while self.left:
            point = self._evaluate(step)
            if self._is_too_high(point) or (last.step and point.value >= last.value):
                return self._within(last, point)
            if self._is_flat(point):
                return point
            if point.slope > 0:
                return self._within(point, last)
            last, step = point, _GROWTH * step
        return last if last.step else None

    def _within(self, low: Point, high: Point) -> Point | None:
        """Shrink an interval whose end `low` is the best point so far."""
        point = high
        while self.left and abs(high.step - low.step) > 1e-12 * max(high.step, low.step):
            point = self._evaluate(_trial(low, high))
            if self._is_too_high(point) or point.value >= low.value:
                high = point
                continue
            if self._is_flat(point):
                return point
            if point.slope * (high.step - low.step) >= 0:
                high = low
            low = point
        if not low.step:
            return None
        return low if point is low else self._evaluate(low.step)

    def _evaluate(self, step: float) -> Point:
        self.left -= 1
        return Point(step, *self.along(step))

    def _is_too_high(self, point: Point) -> bool:
        """Return whether the decrease is too small; NaN is too high."""
        least = self.start.value + DECREASE * point.step * self.start.slope
        return not (point.value <= least and math.isfinite(point.slope))

    def _is_flat(self, point: Point) -> bool:
        return abs(point.slope) <= -CURVATURE * self.start.slope


def _trial(low: Point, high: Point) -> float:
    """Return the minimum of the cubic through two points with their slopes, or their middle."""
    length = high.step - low.step
    middle = low.step + length / 2
    with_slopes = (low.value, low.slope, high.value, high.slope)
    if not all(map(math.isfinite, with_slopes)):
        return middle
    # Nocedal and Wright, equation 3.59.
    d1 = low.slope + high.slope - 3 * (high.value - low.value) / length
    square = d1 * d1 - low.slope * high.slope
    if square < 0:
        return middle
    d2 = math.copysign(math.sqrt(square), length)
    below = high.slope - low.slope + 2 * d2
    fraction = 1 - (high.slope + d2 - d1) / below if below else math.nan
    if not math.isfinite(fraction):
        return middle
    return low.step + min(max(fraction, _MARGIN), 1 - _MARGIN) * length
