"""Time series, and windows over them for a network that predicts the next values."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

import numpy as np

from gyaku.checks import whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Series", "windows"]

P = ParamSpec("P")
T = TypeVar("T")


class Series(NamedTuple):
    """Time series with labelled anomalies.

    Parameters
    ----------
    time : ndarray of datetime64
        Times of the samples, (samples,).
    values : ndarray of float64
        The values, (samples,).
    anomalies : ndarray of datetime64
        First and last time of each labelled window, (anomalies, 2).
    """

    time: NDArray[np.datetime64]
    values: NDArray[np.float64]
    anomalies: NDArray[np.datetime64]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Whether each sample lies in a labelled window, (samples,)."""
        first, last = self.anomalies.T
        time = self.time[:, None]
        return np.asarray(((first <= time) & (time <= last)).any(axis=1))


def _with_times(function: Callable[P, T]) -> Callable[P, T]:
    """Say what is missing if a series comes without its times."""

    @wraps(function)
    def checked(*given: P.args, **options: P.kwargs) -> T:
        needed = ("time", "values", "length")[len(given) :]
        missing = [name for name in needed if name not in options]
        if missing:
            raise TypeError(
                f"windows needs {' and '.join(missing)}, as in windows(time, values, length); the"
                " times of a series without any are np.arange(len(values))"
            )
        return function(*given, **options)

    return checked


@_with_times
def windows(
    time: ArrayLike,
    values: ArrayLike,
    length: int,
    *,
    horizon: int = 1,
    step: int = 1,
    interval: object = None,
    where: ArrayLike | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Cut a time series into windows and the values that follow them.

    Parameters
    ----------
    time : array_like of datetime64 or number
        Times of the samples, (samples,); ``np.arange(samples)`` for a series without times.
    values : array_like
        The series, (samples,) or (samples, features).
    length : int
        Samples in a window.
    horizon : int, default 1
        Samples to predict, which follow the window.
    step : int, default 1
        Distance of the beginnings of two windows, in samples.
    interval : timedelta64 or number, optional
        Sampling interval, by default the median of the differences of the times. Where two times
        differ by more or less, there is a gap.
    where : array_like of bool, optional
        Samples that may be used, (samples,), by default all: those of the training, those without a
        label, those with a value.

    Returns
    -------
    x : ndarray
        The windows, (windows, length, features): all that together with the values behind them
        cross no gap and hold no sample outside `where`.
    y : ndarray
        The values behind each window, (windows, horizon, features).
    index : ndarray of int64
        Position in the series of the first value behind each window, (windows,).

    Raises
    ------
    ValueError
        If times and values do not fit each other, most times do not increase, a sample in `where`
        is not finite, or no window is left.

    Notes
    -----
    ``y[i]`` is ``values[index[i] : index[i] + horizon]``, and ``x[i]`` the `length` samples before:
    nothing at or after the time of a prediction is among its inputs. If a training takes the
    windows ``where=time < test``, neither they nor their targets reach into the test. A clock that
    was set back is a gap, too.

    Examples
    --------
    >>> time = np.array([0, 1, 2, 3, 7, 8, 9])  # a gap between 3 and 7
    >>> x, y, index = windows(time, 10.0 * time, 2)
    >>> x[..., 0]
    array([[ 0., 10.],
           [10., 20.],
           [70., 80.]])
    >>> y[:, 0, 0], index
    (array([20., 30., 90.]), array([2, 3, 6]))
    """
    length = whole("windows", "length", length)
    horizon, step = whole("windows", "horizon", horizon), whole("windows", "step", step)
    times, series, usable = _checked(time, values, where)
    span = length + horizon
    run = _run_lengths(usable, _gaps(times, interval))
    first = np.flatnonzero((run >= span) & ((run - span) % step == 0)) - span + 1
    if not len(first):
        raise ValueError(
            f"windows: no run of {span} samples, {length} and a horizon of {horizon}, is without a"
            f" gap: the longest has {run.max(initial=0)}"
        )
    samples = first[:, None] + np.arange(span)
    cut = series[samples]
    x, y = np.ascontiguousarray(cut[:, :length]), np.ascontiguousarray(cut[:, length:])
    return x, y, first + length


def _run_lengths(usable: NDArray[np.bool_], gaps: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each sample the number of usable ones up to it, back to the last gap."""
    position = np.arange(len(usable))
    begins = np.append(True, gaps)[: len(usable)]
    starts = np.maximum.accumulate(np.where(usable & ~begins, 0, position + ~usable))
    return np.asarray(position - starts + 1)


def _checked(
    time: ArrayLike, values: ArrayLike, where: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Return times, values of shape (samples, features) and usable samples, if they are valid."""
    times, series = np.asarray(time), np.asarray(values)
    if times.ndim != 1 or times.dtype.kind not in "Mmiuf":
        raise ValueError(
            f"windows: time must be datetime64 or numbers of shape (samples,), got {times.dtype} of"
            f" shape {times.shape}"
        )
    if series.ndim not in (1, 2) or len(series) != len(times):
        raise ValueError(
            f"windows: values must have shape ({len(times)},) or ({len(times)}, features), like the"
            f" times, got {series.shape}"
        )
    usable = np.ones(len(times), bool) if where is None else np.asarray(where)
    if usable.shape != times.shape or usable.dtype != np.bool_:
        raise ValueError(
            f"windows: where must be bool of shape {times.shape}, got {usable.dtype} of shape"
            f" {usable.shape}"
        )
    series = series[:, None] if series.ndim == 1 else series
    bad = np.flatnonzero(usable & ~np.isfinite(series).all(axis=1))
    if len(bad):
        raise ValueError(
            f"windows: values must be finite, but sample {bad[0]} is not; leave it out by"
            " where=np.isfinite(values)"
        )
    return times, series, usable


def _gaps(times: NDArray[Any], interval: object) -> NDArray[np.bool_]:
    """Return whether there is a gap between each sample and the next."""
    if times.dtype.kind != "M":
        times = times.astype(np.float64)
    differences = np.diff(times)
    if not len(differences):
        return np.zeros(0, bool)
    found = differences.astype(np.float64)
    expected = float(np.median(found))
    if interval is not None:
        expected = float(np.asarray(interval, differences.dtype).astype(np.float64))
    if expected <= 0:
        raise ValueError(
            "windows: times must increase, but most are not later than those before; sort the"
            " samples by np.argsort(time)"
            if interval is None
            else f"windows: interval must be positive, got {interval}"
        )
    return ~np.isclose(found, expected, rtol=1e-6, atol=0)
