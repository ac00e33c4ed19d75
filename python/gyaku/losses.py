"""Losses of outputs and targets, and their gradients with respect to the outputs.

A loss is called with outputs and targets of a batch and returns both; so can a function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.calls import real_rows, takes_weights
from gyaku.checks import no_class, number
from gyaku.components import Component, Table, is_kind_or_function
from gyaku.names import choose, missing_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "Huber", "Loss", "MeanAbsoluteError"]
__all__ += ["MeanSquaredError", "SigmoidCrossEntropy", "SoftmaxCrossEntropy", "SumSquaredError"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)

LOSSES: Table[Loss] = Table()


class Loss(Component, table=LOSSES):
    """Base of the losses.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.

    Raises
    ------
    ValueError
        If `reduction` is neither.
    """

    passes = frozenset({"__call__", "compute"})
    takes: str = "rows"
    """Kind of target: "rows" like the outputs, "classes" (numbers or rows), or "anything"."""
    takes_weights: bool = True
    """Whether samples may have weights; functions take them as the argument `sample_weight`."""
    advice: str = ""
    """Advice for a loss that is not finite although the outputs are."""

    def __init__(self, *, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum"):
            raise ValueError(
                f"{type(self).__name__}: reduction must be 'mean' or 'sum', got {reduction!r}"
            )
        self.reduction = reduction

    def __call__(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return the loss of a batch and its gradient.

        Parameters
        ----------
        y : ndarray
            The outputs, (samples, ...).
        t : ndarray
            The targets, of the same shape; or class numbers, (samples,) or one for each position
            of a sample, where it takes classes.
        lengths : ndarray of int64, optional
            Lengths of padded sequences, (samples,), for outputs (samples, steps, ...). Each real
            step counts as a sample then, the others not at all.
        sample_weight : ndarray of float64, optional
            Weights of the samples, (samples,), or of steps or pixels, of the shape of the outputs'
            first axes. The mean is ``Σ w L / Σ w`` then.

        Returns
        -------
        loss : ndarray of float64, of shape ()
            The loss, which prints and compares like a number.
        dy : ndarray
            Gradient of the loss with respect to `y`.
        """
        more: dict[str, Any] = {} if lengths is None else {"lengths": lengths}
        if sample_weight is not None:
            more["sample_weight"] = sample_weight
        value, dy = self.compute(y, t, **more)
        return np.asarray(value).reshape(()), dy

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return the loss, as an array of shape (1,), and its gradient.

        Parameters
        ----------
        y, t : ndarray
            Outputs and targets.
        lengths : ndarray of int64, optional
            Lengths of padded sequences.
        sample_weight : ndarray of float64, optional
            Weights of samples or positions.

        Returns
        -------
        loss : ndarray of float64, of shape (1,)
            The loss.
        dy : ndarray
            Gradient with respect to `y`.
        """
        raise NotImplementedError


class SumSquaredError(Loss):
    """Half the squared distance between outputs and targets.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.

    Notes
    -----
    ``E = ½ Σ_k (y_k - t_k)²`` a sample, ``dE/dy = y - t``.

    Examples
    --------
    >>> loss, dy = SumSquaredError()(np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]]))
    >>> print(loss, dy)
    2.0 [[2. 0.]]
    """

    native = True

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.sum_squared_error(
            *(y, t), lengths=lengths, sample_weight=sample_weight, reduction=self.reduction
        )


class MeanSquaredError(Loss):
    """Mean of the squared differences between outputs and targets.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.

    Notes
    -----
    ``E = 1/K Σ_k (y_k - t_k)²`` a sample of K elements, ``dE/dy = 2/K (y - t)``.
    """

    native = True

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.mean_squared_error(
            *(y, t), lengths=lengths, sample_weight=sample_weight, reduction=self.reduction
        )


class MeanAbsoluteError(Loss):
    """Mean of the absolute differences between outputs and targets.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.

    Notes
    -----
    ``E = 1/K Σ_k |y_k - t_k|`` a sample of K elements, ``dE/dy = 1/K sign(y - t)``, which is 0
    where they are equal. Outliers among the targets count less than in `MeanSquaredError`: the best
    constant output is the median of the targets, not their mean.

    Examples
    --------
    >>> loss, dy = MeanAbsoluteError()(np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]]))
    >>> print(loss, dy)
    1.0 [[0.5 0. ]]
    """

    native = True

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.mean_absolute_error(
            *(y, t), lengths=lengths, sample_weight=sample_weight, reduction=self.reduction
        )


class Huber(Loss):
    """Mean Huber loss: squared near the targets, absolute far from them.

    Parameters
    ----------
    delta : float
        Distance up to which the loss is quadratic.
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.

    Notes
    -----
    ``E = 1/K Σ_k c_k (|d_k| - c_k / 2)`` a sample of K elements with ``d = y - t`` and
    ``c = min(|d|, δ)``: half the squared difference up to δ, a straight line beyond.
    ``dE/dy = 1/K c sign(d)``: no outlier counts with more than δ, and near the minimum the gradient
    goes to zero.

    Examples
    --------
    >>> loss, dy = Huber()(np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]]))
    >>> print(loss, dy)
    1.3125 [[0.25 0.5 ]]
    """

    native = True

    def __init__(self, delta: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.delta = number("Huber", "delta", delta, above=0)

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.huber(
            *(y, t),
            lengths=lengths,
            sample_weight=sample_weight,
            delta=self.delta,
            reduction=self.reduction,
        )


class CrossEntropy(Loss):
    """Cross-entropy of probabilities, the outputs of a softmax layer.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.
    delta : float
        Small constant in the logarithm.

    Notes
    -----
    ``E = -Σ_k t_k log(y_k + δ)`` a sample, which has one class. For several labels a sample, the
    outputs of a sigmoid layer, there is `BinaryCrossEntropy`. `SoftmaxCrossEntropy` on a layer
    without activation is faster and more exact.
    """

    native = True
    takes = "classes"
    advice = "It takes probabilities: end the model with Softmax, or use SoftmaxCrossEntropy"

    def __init__(self, *, reduction: str = "mean", delta: float = 1e-7) -> None:
        super().__init__(reduction=reduction)
        self.delta = number("CrossEntropy", "delta", delta, least=0)

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.cross_entropy(
            *(y, t),
            lengths=lengths,
            sample_weight=sample_weight,
            delta=self.delta,
            reduction=self.reduction,
        )


class SoftmaxCrossEntropy(Loss):
    """Softmax and cross-entropy in one, for a last layer without activation.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.
    label_smoothing : float
        Fraction of the target that is spread evenly over all classes.

    Notes
    -----
    ``E = -Σ_k t_k log p_k`` a sample with ``p = softmax(y)``; ``dE/dy = p - t``.

    Examples
    --------
    >>> logits = np.zeros((1, 4), np.float32)
    >>> loss, dlogits = SoftmaxCrossEntropy()(logits, np.array([2]))
    >>> print(f"{loss:.4f}", dlogits)
    1.3863 [[ 0.25  0.25 -0.75  0.25]]
    """

    native = True
    takes = "classes"

    def __init__(self, *, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(reduction=reduction)
        self.label_smoothing = number(
            "SoftmaxCrossEntropy", "label_smoothing", label_smoothing, least=0, below=1
        )

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.softmax_cross_entropy(
            *(y, t),
            lengths=lengths,
            sample_weight=sample_weight,
            label_smoothing=self.label_smoothing,
            reduction=self.reduction,
        )


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of probabilities: several yes-or-no labels a sample.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.
    delta : float
        Small constant in the logarithms.

    Notes
    -----
    ``E = -1/K Σ_k (t_k log(y_k + δ) + (1 - t_k) log(1 - y_k + δ))`` a sample of K labels, any of
    which may be 1, for outputs of a sigmoid. `SigmoidCrossEntropy` on a layer without activation is
    faster and more exact.

    Examples
    --------
    >>> loss, _ = BinaryCrossEntropy()(np.array([[0.9, 0.2]]), np.array([[1.0, 0.0]]))
    >>> print(f"{loss:.4f}")
    0.1643
    """

    native = True
    advice = "It takes probabilities: end the model with Sigmoid, or use SigmoidCrossEntropy"

    def __init__(self, *, reduction: str = "mean", delta: float = 1e-7) -> None:
        super().__init__(reduction=reduction)
        self.delta = number("BinaryCrossEntropy", "delta", delta, above=0)

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.binary_cross_entropy(
            *(y, t),
            lengths=lengths,
            sample_weight=sample_weight,
            delta=self.delta,
            reduction=self.reduction,
        )


class SigmoidCrossEntropy(Loss):
    """Sigmoid and binary cross-entropy in one, for a last layer without activation.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Mean or sum of the losses of a batch's samples.

    Notes
    -----
    ``E = -1/K Σ_k (t_k log p_k + (1 - t_k) log(1 - p_k))`` a sample of K labels, any of which may
    be 1, with ``p = sigmoid(y)``; ``dE/dy = 1/K (p - t)``. Exact for any logit, however large. The
    metric is ``BinaryAccuracy(threshold=0)``.

    Examples
    --------
    >>> loss, dlogits = SigmoidCrossEntropy()(np.array([[0.0, 1e4]]), np.array([[1.0, 1.0]]))
    >>> print(f"{loss:.4f}", dlogits)
    0.3466 [[-0.25  0.  ]]
    """

    native = True

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        return ops.sigmoid_cross_entropy(
            *(y, t), lengths=lengths, sample_weight=sample_weight, reduction=self.reduction
        )


class _Function(Loss):
    """A NumPy function as a loss, called once a step."""

    native = True

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(reduction=getattr(function, "reduction", "mean"))
        self.takes = getattr(function, "takes", "anything")
        self.function = function
        self.takes_weights = takes_weights(getattr(function, "compute", function))

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        value, dy = memory.empty((1,), np.float64), memory.empty(y.shape, y.dtype)

        def call() -> None:
            # The function gets the real steps, as samples.
            real, more = real_rows(y.shape[1] if y.ndim > 1 else 1, lengths, sample_weight)
            if lengths is not None:
                dy.fill(0)
            outputs = y[real]
            result = self.function(outputs, t[real], **more)
            parts = result if isinstance(result, tuple) else (result,)
            shapes = [np.shape(part) for part in parts]
            if shapes not in ([(), outputs.shape], [(1,), outputs.shape]):
                raise ValueError(
                    f"the loss {self!r} must return a number and the gradient of shape"
                    f" {outputs.shape}, got shapes {shapes}"
                )
            value[...], dy[real] = parts

        given = (y, t, lengths, sample_weight)
        memory.host(call, [each for each in given if each is not None], [value, dy])
        return value, dy


def loss(given: str | Loss | Callable[..., Any]) -> Loss:
    """Return a loss from its name, itself or a function.

    Parameters
    ----------
    given : str or Loss or callable
        A name of `LOSSES`, a loss, or a function of outputs and targets that returns the mean
        loss and its gradient with respect to the outputs; and of `sample_weight`, if samples have
        weights.

    Returns
    -------
    Loss
        The loss.

    Raises
    ------
    ValueError
        If there is no such name.
    TypeError
        If it is none of these.
    """
    if isinstance(given, str):
        return choose("loss", given, LOSSES)()
    no_class("loss", given)
    if isinstance(given, Loss) and given.native:
        return given
    if not is_kind_or_function(Loss, given):
        raise TypeError(f"loss must be a name, a Loss or a function (y, t), got {given!r}")
    return _Function(given)
