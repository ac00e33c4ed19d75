"""Base of the metrics: means over samples, and measures of a whole data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.calls import takes_weights
from gyaku.components import Component, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["METRICS", "Metric", "Overall"]

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

    takes_weights: bool = True
    """Whether samples may have weights; functions take them as the argument `sample_weight`."""

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
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return the metric of a batch.

        Parameters
        ----------
        y, t : ndarray
            Outputs and targets.
        lengths : ndarray of int64, optional
            Lengths of padded sequences, (samples,), for outputs (samples, steps, ...). Each real
            step counts as a sample then, the others not at all.
        sample_weight : ndarray of float64, optional
            Weights of the samples, (samples,), or of steps or pixels, of the shape of the outputs'
            first axes.

        Returns
        -------
        ndarray of float64, of shape (1,)
            The mean over the samples, or their sum if `counts`; weighted, if there are weights.
        """
        raise NotImplementedError


class Overall(Metric, abstract=True):
    """Metric of a whole data set, which is no mean over its batches.

    Parameters
    ----------
    function : callable
        Function of all outputs and all targets that returns a number; and of `sample_weight`, if
        samples have weights.
    name : str, optional
        Name of the metric in the history, by default that of the function.

    Notes
    -----
    The outputs and targets of an epoch are kept until its end, unless a summary of them is enough.
    Sequences and images count each real step and each pixel as a sample, so that outputs are
    (samples, outputs) in any case.

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
        self.takes_weights = takes_weights(function)

    @property
    def confusions(self) -> dict[str, Any] | None:
        """Arguments of `ops.count_confusions`, if the confusion matrix is the only summary."""
        return None

    def summary(
        self, y: NDArray[Any], t: NDArray[Any], sample_weight: NDArray[np.float64] | None = None
    ) -> Any:
        """Return what the metric needs of some batches.

        Parameters
        ----------
        y : ndarray of shape (samples, outputs)
            The outputs.
        t : ndarray
            The targets: class numbers (samples,), or rows (samples, outputs).
        sample_weight : ndarray of float64, optional
            Weights of the samples, (samples,).

        Returns
        -------
        object
            By default copies of all; an array is added to that of the other batches.
        """
        return y.copy(), t.copy(), *(() if sample_weight is None else (sample_weight.copy(),))

    def of(self, summaries: Sequence[Any]) -> float:
        """Return the metric of a data set.

        Parameters
        ----------
        summaries : sequence
            Results of `summary`; their sum alone if they are arrays.

        Returns
        -------
        float
            The metric.
        """
        y, t, *weights = (np.concatenate(part) for part in zip(*summaries, strict=True))
        more = {"sample_weight": weights[0]} if weights else {}
        result = np.asarray(self.measured(y, t, **more))
        if result.size != 1:
            raise ValueError(
                f"the metric {self.name!r} must return a number, got shape {result.shape}"
            )
        return float(result.item())

    def measured(self, y: NDArray[Any], t: NDArray[Any], **weights: NDArray[np.float64]) -> Any:
        """Return the value of the function.

        Parameters
        ----------
        y, t : ndarray
            All outputs and targets.
        **weights : ndarray of float64
            The argument `sample_weight`, if samples have weights.

        Returns
        -------
        object
            A number.
        """
        return self.function(y, t, **weights)
