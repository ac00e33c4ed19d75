"""Base of the metrics: means over samples, and measures of a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.checks import no_class
from gyaku.components import Component, Table, is_kind_or_function
from gyaku.names import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["METRICS", "Metric", "Overall", "metric"]

METRICS: Table[Metric] = Table()


class Metric(Component, table=METRICS):
    """Base of the metrics, which are averaged over the samples of a data set.

    Attributes
    ----------
    name : str
        Name of the metric in the history.
    """

    passes = frozenset({"__call__"})
    name: str = ""
    larger_is_better: bool = False
    """Whether callbacks such as `EarlyStopping` look for large values."""
    counts: bool = False
    """Whether the value of a batch is a sum over its samples rather than their mean."""

    def positions(self, shape: tuple[int, ...]) -> int:
        """Return the number of positions of a sample, of which a sum is the sum.

        Parameters
        ----------
        shape : tuple of int
            Shape of an output sample.

        Returns
        -------
        int
            The number, by default 1.
        """
        return 1

    def __call__(
        self, y: NDArray[Any], t: NDArray[Any], lengths: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return the metric of a batch.

        Parameters
        ----------
        y, t : ndarray
            Outputs and targets.
        lengths : ndarray of int64, optional
            Lengths of padded sequences, (samples,), for outputs (samples, steps, ...). Each real
            step counts as a sample then, the others not at all.

        Returns
        -------
        ndarray of float64, of shape (1,)
            The mean over the samples, or their sum if `counts`.
        """
        raise NotImplementedError


class Overall(Metric, abstract=True):
    """Metric of a whole data set, which is no mean over its batches.

    Parameters
    ----------
    function : callable
        Function of all outputs and all targets that returns a number, such as a metric of
        scikit-learn behind a lambda that puts its arguments in order.
    name : str, optional
        Name of the metric in the history, by default that of the function.

    Notes
    -----
    The outputs and targets of an epoch are kept until its end. Sequences and images count each real
    step and each pixel as a sample, so that outputs are (samples, outputs) in any case.

    Examples
    --------
    >>> def spread(y, t):
    ...     return np.ptp(y - t)
    >>> metric = Overall(spread)
    >>> metric.of([(np.array([[1.0]]), np.array([[0.0]])), (np.array([[5.0]]), np.array([[0.0]]))])
    4.0
    """

    native = True

    def __init__(self, function: Callable[..., Any], *, name: str = "") -> None:
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def summary(self, y: NDArray[Any], t: NDArray[Any]) -> Any:
        """Return what the metric needs of a batch.

        Parameters
        ----------
        y : ndarray of shape (samples, outputs)
            The outputs.
        t : ndarray
            The targets: class numbers (samples,), or rows (samples, outputs).

        Returns
        -------
        object
            By default copies of both; an array is added to that of the other batches.
        """
        return y.copy(), t.copy()

    def of(self, summaries: Sequence[Any]) -> float:
        """Return the metric of a data set.

        Parameters
        ----------
        summaries : sequence
            Results of `summary`, one a batch; their sum alone if they are arrays.

        Returns
        -------
        float
            The metric.
        """
        y, t = (np.concatenate(part) for part in zip(*summaries, strict=True))
        result = np.asarray(self.function(y, t))
        if result.size != 1:
            raise ValueError(
                f"the metric {self.name!r} must return a number, got shape {result.shape}"
            )
        return float(result.item())


class _Function(Metric):
    """A NumPy function as a metric, called once a step."""

    native = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = getattr(function, "name", "") or getattr(
            function, "__name__", type(function).__name__
        )
        self.counts = getattr(function, "counts", False)

    def __call__(
        self, y: NDArray[Any], t: NDArray[Any], lengths: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        value = memory.empty((1,), np.float64)

        def call() -> None:
            real: Any = ...
            if lengths is not None:  # the function gets the real steps, as samples
                real = np.arange(y.shape[1]) < lengths[:, np.newaxis]
            result = self.function(y[real], t[real])
            if np.size(result) != 1:
                raise ValueError(
                    f"the metric {self.name!r} must return a number, got shape {np.shape(result)}"
                )
            value[0] = np.asarray(result).item()

        memory.host(call, [y, t] if lengths is None else [y, t, lengths], [value])
        return value


def metric(given: str | Metric | Callable[..., Any]) -> Metric:
    """Return a metric from its name, itself or a function.

    Parameters
    ----------
    given : str or Metric or callable
        A name of `METRICS`, a metric, or a function of outputs and targets that returns a number,
        averaged over batches by their sizes.

    Returns
    -------
    Metric
        The metric.

    Raises
    ------
    ValueError
        If there is no such name.
    TypeError
        If it is none of these.
    """
    if isinstance(given, str):
        return choose("metric", given, METRICS)()
    no_class("a metric", given)
    if isinstance(given, Metric) and given.native:
        return given
    if not is_kind_or_function(Metric, given):
        raise TypeError(f"a metric must be a name or a function (y, t), got {given!r}")
    return _Function(given)
