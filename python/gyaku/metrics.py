"""Metrics: measures of a model besides its loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import no_class, number
from gyaku.components import Component, Table, is_kind_or_function
from gyaku.names import choose, missing_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Accuracy", "BinaryAccuracy", "MeanSquaredError", "Metric"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)

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


class Accuracy(Metric):
    """Fraction of samples whose largest output is that of the right class.

    Notes
    -----
    The target is a class number or a row whose largest element marks the class. With one output
    alone, a sample is right if output and target are on the same side of 1/2. Outputs with further
    axes, (samples, steps, classes) or (samples, height, width, classes), have a class at each
    position, and the fraction is that of the positions; of the real ones if sequences are padded.

    Examples
    --------
    >>> correct = Accuracy()(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1]))
    >>> print(correct / 2)
    [0.5]
    """

    native = True
    name = "accuracy"
    counts = True

    def positions(self, shape: tuple[int, ...]) -> int:
        """Return the product of all axes but the last; see `Metric`."""
        return math.prod(shape[:-1])

    def __call__(
        self, y: NDArray[Any], t: NDArray[Any], lengths: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return the number of right samples; see `Metric`."""
        return ops.count_correct(y, t, lengths=lengths)


class BinaryAccuracy(Metric):
    """Fraction of yes-or-no labels that are right, of several a sample.

    Parameters
    ----------
    threshold : float
        Output above which a label counts as yes: 0.5 for probabilities, 0 for logits.

    Notes
    -----
    The targets have the shape of the outputs, and those above 1/2 are yes. All labels of a sample
    count; of padded sequences, those of the real steps.

    Examples
    --------
    >>> correct = BinaryAccuracy()(np.array([[0.9, 0.2, 0.6]]), np.array([[1.0, 0.0, 0.0]]))
    >>> print(correct / 3)
    [0.6667]
    """

    native = True
    name = "binary_accuracy"
    counts = True

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = number("BinaryAccuracy", "threshold", threshold)

    def positions(self, shape: tuple[int, ...]) -> int:
        """Return the product of all axes; see `Metric`."""
        return math.prod(shape)

    def __call__(
        self, y: NDArray[Any], t: NDArray[Any], lengths: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return the number of right labels; see `Metric`."""
        return ops.count_correct(
            *(y[..., np.newaxis], t[..., np.newaxis]), lengths=lengths, threshold=self.threshold
        )


class MeanSquaredError(Metric):
    """Mean of the squared differences between outputs and targets."""

    native = True
    name = "mean_squared_error"

    def __call__(
        self, y: NDArray[Any], t: NDArray[Any], lengths: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return the mean; see `Metric`."""
        return ops.mean_squared_error(y, t, lengths=lengths)[0]


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
