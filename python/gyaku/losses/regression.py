"""Losses of numbers: squared, absolute and other distances between outputs and targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import ops
from gyaku.checks import number, truth
from gyaku.losses.base import Loss
from gyaku.losses.equation import Equation, parts_of

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["CosineSimilarity", "Gaussian", "Huber", "LogCosh", "MeanAbsoluteError"]
__all__ += ["MeanSquaredError", "Poisson", "SmoothL1", "SumSquaredError"]


class SumSquaredError(Loss):
    """Half the squared distance between outputs and targets.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

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
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

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
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

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
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

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


class SmoothL1(Equation):
    """Mean of smooth absolute differences: `Huber` divided by its distance.

    Parameters
    ----------
    beta : float
        Distance up to which the loss is quadratic; 0 is `MeanAbsoluteError`.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/K Σ_k d_k² / 2β`` up to ``|d| = β`` with ``d = y - t``, and ``|d_k| - β/2`` beyond:
    R. Girshick, Fast R-CNN (2015). It runs in NumPy.

    Examples
    --------
    >>> loss, dy = SmoothL1(0.5)(np.array([[0.25, 3.0]]), np.array([[0.0, 0.0]]))
    >>> print(loss, dy)
    1.40625 [[0.25 0.5 ]]
    """

    native = True

    def __init__(self, beta: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.beta = number("SmoothL1", "beta", beta, least=0)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        difference, beta = y - t, self.beta
        if not beta:
            return np.abs(difference), np.sign(difference)
        slopes = np.clip(difference / beta, -1, 1)
        return slopes * (difference - slopes * beta / 2), slopes


class LogCosh(Equation):
    """Mean logarithm of the hyperbolic cosine of the differences: a smooth `Huber`.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/K Σ_k log cosh d_k`` with ``d = y - t``, ``dE/dy = 1/K tanh d``. It runs in NumPy.

    Examples
    --------
    >>> loss, dy = LogCosh()(np.array([[1.0, 1000.0]]), np.array([[1.0, 0.0]]))
    >>> print(f"{loss:.4f}", dy)
    499.6534 [[0.  0.5]]
    """

    native = True

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        distance = np.abs(y - t)
        # log cosh d = d + log (1 + exp (-2 d)) - log 2, which does not overflow.
        losses = distance + np.log1p(np.exp(-2 * distance)) - np.asarray(np.log(2), y.dtype)
        return losses, np.tanh(y - t)


class Poisson(Equation):
    """Mean negative logarithm of the Poisson probability of counts.

    Parameters
    ----------
    log_outputs : bool
        Whether the outputs are logarithms of rates, for a last layer without activation; otherwise
        they are the rates.
    full : bool
        Whether to add Stirling's approximation of ``log t!``, which changes no gradient.
    epsilon : float
        Small constant in the logarithm of rates.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1/K Σ_k (exp y_k - t_k y_k)`` of logarithms, ``1/K Σ_k (y_k - t_k log(y_k + ε))`` of
    rates. It runs in NumPy.

    Examples
    --------
    >>> loss, dy = Poisson()(np.array([[0.0, 0.0]]), np.array([[1.0, 3.0]]))
    >>> print(loss, dy)
    1.0 [[ 0. -1.]]
    """

    native = True

    def __init__(
        self,
        log_outputs: bool = True,
        *,
        full: bool = False,
        epsilon: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.log_outputs = truth("Poisson", "log_outputs", log_outputs)
        self.full = truth("Poisson", "full", full)
        self.epsilon = number("Poisson", "epsilon", epsilon, above=0)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        if self.log_outputs:
            rate = np.exp(y)
            losses, slopes = rate - t * y, rate - t
        else:
            losses, slopes = y - t * np.log(y + self.epsilon), 1 - t / (y + self.epsilon)
        if self.full:
            large = np.maximum(t, 1)
            stirling = large * np.log(large) - large + np.log(2 * np.pi * large) / 2
            losses = losses + np.where(t > 1, stirling, 0)
        return losses, slopes


class Gaussian(Equation):
    """Mean negative logarithm of a normal density whose variance is an output, too.

    Parameters
    ----------
    log_variances : bool
        Whether the outputs have logarithms of variances, for a last layer without activation;
        otherwise they have the variances.
    full : bool
        Whether to add ``log(2 π) / 2``, which changes no gradient.
    epsilon : float
        Least variance; the gradient does not know of it.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    The outputs are the means, and behind them on the last axis as many variances; targets have
    the shape of the means. ``E = 1/K Σ_k (log v_k + (μ_k - t_k)² / v_k) / 2``: PyTorch's
    ``GaussianNLLLoss``. It runs in NumPy. D. Nix and A. Weigend, Estimating the mean and variance
    of the target probability distribution (1994).

    Examples
    --------
    >>> loss, dy = Gaussian()(np.array([[3.0, 0.0]]), np.array([[1.0]]))
    >>> print(loss, dy)
    2.0 [[ 2.  -1.5]]
    """

    native = True
    takes = "anything"

    def __init__(
        self,
        log_variances: bool = True,
        *,
        full: bool = False,
        epsilon: float = 1e-6,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        self.log_variances = truth("Gaussian", "log_variances", log_variances)
        self.full = truth("Gaussian", "full", full)
        self.epsilon = number("Gaussian", "epsilon", epsilon, above=0)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        mean, given = parts_of("Gaussian", y, 2, "rows, means and variances,")
        if t.size != mean.size:
            raise ValueError(
                f"Gaussian: targets must have the shape {mean.shape} of the means, got {t.shape}"
            )
        difference = mean - t.reshape(mean.shape).astype(y.dtype, copy=False)
        variance = np.maximum(np.exp(given) if self.log_variances else given, self.epsilon)
        variance = variance.astype(y.dtype, copy=False)
        scaled = difference / variance
        losses = (np.log(variance) + difference * scaled) / 2
        if self.full:
            losses = losses + y.dtype.type(np.log(2 * np.pi) / 2)
        slopes = (1 - difference * scaled) / 2
        slopes = slopes if self.log_variances else slopes / variance
        return losses, np.concatenate([scaled, slopes], axis=-1)


class CosineSimilarity(Equation):
    """One minus the cosine of the angle between outputs and targets.

    Parameters
    ----------
    epsilon : float
        Least product of the two lengths.
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or those of all positions.

    Notes
    -----
    ``E = 1 - Σ_k y_k t_k / max(|y| |t|, ε)`` for each position, over the last axis. PyTorch's is
    that of pairs with the target 1; Keras leaves out the one. It runs in NumPy.

    Examples
    --------
    >>> loss, dy = CosineSimilarity()(np.array([[3.0, 4.0]]), np.array([[0.0, 2.0]]))
    >>> print(f"{loss:.4f}", dy.round(3))
    0.2000 [[ 0.096 -0.072]]
    """

    native = True
    of_positions = True

    def __init__(self, epsilon: float = 1e-8, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.epsilon = number("CosineSimilarity", "epsilon", epsilon, above=0)

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return losses and slopes; see `Equation.terms`."""
        length, other = (np.sqrt((x * x).sum(axis=-1, keepdims=True)) for x in (y, t))
        product = np.maximum(length * other, self.epsilon)
        cosine = (y * t).sum(axis=-1, keepdims=True) / product
        along = np.where(length * other > self.epsilon, cosine / (length * length), 0)
        return 1 - cosine[..., 0], y * along.astype(y.dtype) - t / product
