"""Base of the losses: the outputs and targets of a batch in, the loss and its gradient out."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from gyaku.components import Component, Table

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["LOSSES", "Loss"]

LOSSES: Table[Loss] = Table()


class Loss(Component, table=LOSSES):
    """Base of the losses.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
        Mean or sum of the losses of a batch's samples; "none" is the loss of each position, which
        no training takes.

    Raises
    ------
    ValueError
        If `reduction` is none of them.
    """

    passes = frozenset({"__call__", "compute"})
    takes: str = "rows"
    """Kind of target: "rows" like the outputs, "classes" (numbers or rows), or "anything"."""
    takes_weights: bool = True
    """Whether samples may have weights; functions take them as the argument `sample_weight`."""
    ignore_index: int | None = None
    """Class number of positions that do not count."""
    advice: str = ""
    """Advice for a loss that is not finite although the outputs are."""

    def __init__(self, *, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f"{type(self).__name__}: reduction must be 'mean', 'sum' or 'none', got"
                f" {reduction!r}"
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
            The loss, which prints and compares like a number; with ``reduction="none"`` the losses
            of all positions, of the shape of `y` without its last axis, or (samples,).
        dy : ndarray
            Gradient of the loss, or of the sum of these losses, with respect to `y`.
        """
        if self.reduction == "none":
            return self._of_each(np.asarray(y), np.asarray(t), lengths, sample_weight)
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

    def _of_each(
        self,
        y: NDArray[Any],
        t: NDArray[Any],
        lengths: NDArray[np.int64] | None,
        sample_weight: NDArray[np.float64] | None,
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return the loss of each position, and the gradient of their sum."""
        positions = y.shape[:-1] or y.shape
        weights = np.ones(positions)
        if sample_weight is not None:
            given = np.asarray(sample_weight)
            weights *= given.reshape(*given.shape, *(1,) * (weights.ndim - given.ndim))
        if lengths is not None:
            weights[np.arange(y.shape[1]) >= np.asarray(lengths)[:, np.newaxis]] = 0
        rows = y.reshape(weights.size, -1)
        fits = t.shape == y.shape or (self.takes == "anything" and t.ndim == y.ndim)
        targets = t.reshape(len(rows), *((-1,) if fits else ()))
        one = copy.copy(self)
        one.reduction = "sum"
        losses = [one.compute(rows[i : i + 1], targets[i : i + 1])[0] for i in range(len(rows))]
        factor = weights.reshape(-1, 1)
        dy = one.compute(rows, targets)[1]
        dy = np.where(factor == 0, 0, dy * factor.astype(dy.dtype))
        values = np.where(weights == 0, 0, np.reshape(losses, positions) * weights)
        return values, dy.reshape(y.shape)
