"""Choice of a metric: by name, itself, or a function in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.calls import real_rows, takes_weights
from gyaku.checks import no_class
from gyaku.components import is_kind_or_function
from gyaku.metrics.base import METRICS, Metric
from gyaku.metrics.scorers import as_scorer, scorer_named
from gyaku.names import choose, is_known

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["metric"]


class _Function(Metric):
    """A NumPy function as a metric, called once a step."""

    native = True

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = getattr(function, "name", "") or getattr(
            function, "__name__", type(function).__name__
        )
        self.counts = getattr(function, "counts", False)
        self.takes_weights = takes_weights(function)

    def __call__(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        value = memory.empty((1,), np.float64)

        def call() -> None:
            # The function gets the real steps, as samples.
            real, more = real_rows(y.shape[1] if y.ndim > 1 else 1, lengths, sample_weight)
            result = self.function(y[real], t[real], **more)
            if np.size(result) != 1:
                raise ValueError(
                    f"the metric {self.name!r} must return a number, got shape {np.shape(result)}"
                )
            value[0] = np.asarray(result).item()

        given = (y, t, lengths, sample_weight)
        memory.host(call, [each for each in given if each is not None], [value])
        return value


def metric(given: str | Metric | Callable[..., Any]) -> Metric:
    """Return a metric from its name, itself or a function.

    Parameters
    ----------
    given : str or Metric or callable
        A name of `METRICS` or of one of scikit-learn's scorers; a metric; a scorer ``(estimator, X,
        y_true)``; a function ``(y_true, y_pred)`` of the whole data set, known by the name of its
        first argument; or any other function of outputs and targets that returns a number, averaged
        over batches by their sizes.

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
        if not is_known(given, METRICS) and (scorer := scorer_named(given)):
            return scorer
        return choose("metric", given, METRICS)()
    no_class("a metric", given)
    if isinstance(given, Metric) and given.native:
        return given
    if not is_kind_or_function(Metric, given):
        raise TypeError(f"a metric must be a name or a function (y, t), got {given!r}")
    return as_scorer(given) or _Function(given)
