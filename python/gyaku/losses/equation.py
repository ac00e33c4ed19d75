"""Losses that are evaluated in NumPy: functions of the user, and equations without a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.calls import real_rows, takes_weights
from gyaku.checks import number
from gyaku.losses.base import Loss
from gyaku.ops.arrays import check_same_shape, floating
from gyaku.ops.loss import target_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__: list[str] = []  # no name of a loss


class _OfRows(Loss):
    """Base of losses that get the real steps of a batch, as samples."""

    native = True

    def _of_rows(self, y: Any, t: Any, **weights: Any) -> tuple[Any, Any]:
        """Return the loss of a batch and its gradient."""
        raise NotImplementedError

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        value, dy = memory.empty((1,), np.float64), memory.empty(y.shape, y.dtype)

        def call() -> None:
            real, more = real_rows(y.shape[1] if y.ndim > 1 else 1, lengths, sample_weight)
            if lengths is not None:
                dy.fill(0)
            outputs = y[real]
            value[...], dy[real] = self._of_rows(outputs, t[real], **more)

        given = (y, t, lengths, sample_weight)
        memory.host(call, [each for each in given if each is not None], [value, dy])
        return value, dy


class Function(_OfRows):
    """A NumPy function as a loss, called once a step.

    Parameters
    ----------
    function : callable
        Function of outputs and targets, see `gyaku.losses.loss`.
    """

    native = True

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(reduction=getattr(function, "reduction", "mean"))
        self.takes = getattr(function, "takes", "anything")
        self.function = function
        self.takes_weights = takes_weights(getattr(function, "compute", function))

    def __repr__(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))

    def _of_rows(self, y: Any, t: Any, **weights: Any) -> tuple[Any, Any]:
        result = self.function(y, t, **weights)
        parts = result if isinstance(result, tuple) else (result,)
        shapes = [np.shape(part) for part in parts]
        if shapes not in ([(), y.shape], [(1,), y.shape]):
            raise ValueError(
                f"the loss {self!r} must return a number and the gradient of shape"
                f" {y.shape}, got shapes {shapes}"
            )
        value, gradient = parts
        return value, gradient


class Equation(_OfRows):
    """Base of losses whose equation is evaluated in NumPy.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples, or that of each position.
    """

    native = True
    of_positions = False
    """Whether a position has one loss, and not each of its elements."""

    def terms(self, y: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the losses and their derivatives.

        Parameters
        ----------
        y, t : ndarray
            Outputs and targets.

        Returns
        -------
        losses : ndarray
            Losses of all elements, or of all positions.
        slopes : ndarray
            Derivative with respect to each output.
        """
        raise NotImplementedError

    def compute(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return loss and gradient; see `Loss.compute`."""
        owner = type(self).__name__
        y, t = floating(owner, "y", y), np.asarray(t)
        if not y.size:
            raise ValueError(f"{owner}: the batch is empty, a loss needs at least one sample")
        if self.takes == "rows":
            check_same_shape(owner, "y and t", y, t)
        return super().compute(y, t, lengths, sample_weight)

    def _of_rows(self, y: Any, t: Any, **weights: Any) -> tuple[Any, Any]:
        if self.takes == "rows":
            t = t.astype(y.dtype, copy=False)
        with np.errstate(all="ignore"):  # what is not finite ends the training
            losses, slopes = self.terms(y, t)
        given = weights.get("sample_weight")
        if given is None:
            given = np.ones(len(y))
        factor = given.reshape(*given.shape, *(1,) * (losses.ndim - given.ndim))
        count = 1.0 if self.of_positions else float(np.prod(losses.shape[given.ndim :]))
        if self.reduction == "mean":
            count = float(given.sum()) * losses.size / max(given.size, 1)
        factor = np.divide(factor, count) if count else np.zeros_like(factor)
        value = np.where(factor == 0, 0, losses * factor).sum()
        if self.of_positions:
            factor = factor[..., np.newaxis]
        return value, np.where(factor == 0, 0, slopes * factor.astype(slopes.dtype))


def one_hot(owner: str, t: NDArray[Any], y: NDArray[Any], *, largest: bool = False) -> NDArray[Any]:
    """Return targets as rows of the shape of the scores.

    Parameters
    ----------
    owner : str
        Name of the loss, for errors.
    t : ndarray
        Class numbers, or rows.
    y : ndarray
        Scores, of shape (..., classes).
    largest : bool
        Whether the rows have their largest element alone.

    Returns
    -------
    ndarray
        The rows, in the dtype of the scores.
    """
    target = target_of(owner, t, y)
    if target.shape == y.shape:
        if not largest:
            return target
        target = target.argmax(axis=-1)
    rows = np.zeros_like(y)
    np.put_along_axis(rows, target[..., np.newaxis], 1, axis=-1)
    return rows


def weights_of(owner: str, given: Sequence[float] | None) -> tuple[float, ...] | None:
    """Return the weights of classes.

    Parameters
    ----------
    owner : str
        Name of the loss, for errors.
    given : sequence of float or None
        The argument.

    Returns
    -------
    tuple of float or None
        The weights, none of which is negative.
    """
    if given is None:
        return None
    return tuple(
        number(owner, f"class_weight[{place}]", each, least=0) for place, each in enumerate(given)
    )


def checked_weights(owner: str, given: tuple[float, ...], classes: int) -> NDArray[np.float64]:
    """Return the weights of classes as an array.

    Parameters
    ----------
    owner : str
        Name of the loss, for errors.
    given : tuple of float
        The weights.
    classes : int
        Number of classes.

    Returns
    -------
    ndarray of float64
        The weights, (classes,).

    Raises
    ------
    ValueError
        If there are more or fewer classes.
    """
    if len(given) != classes:
        raise ValueError(
            f"{owner}: class_weight has {len(given)} weights, the outputs have {classes} classes"
        )
    return np.asarray(given, np.float64)


def parts_of(owner: str, y: NDArray[Any], count: int, kind: str) -> list[NDArray[Any]]:
    """Return the parts of outputs that stand side by side on the last axis.

    Parameters
    ----------
    owner : str
        Name of the loss, for errors.
    y : ndarray
        Outputs.
    count : int
        Number of parts.
    kind : str
        Their name, for errors.

    Returns
    -------
    list of ndarray
        The parts, of equal shape.

    Raises
    ------
    ValueError
        If the last axis is not divisible by their number.
    """
    if not y.ndim or y.shape[-1] % count:
        raise ValueError(
            f"{owner}: the last axis of y must be {count} {kind} of equal length, got the shape"
            f" {y.shape}"
        )
    return np.split(y, count, axis=-1)
