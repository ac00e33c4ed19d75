"""Decisions of a classifier: the class that it predicts for each sample, and the true one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.losses import SigmoidCrossEntropy

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Decisions", "decisions"]


class Decisions(NamedTuple):
    """True and predicted classes.

    Parameters
    ----------
    true, found : ndarray of int64
        Class numbers, (samples,).
    margins : ndarray of float64
        Output of the true class minus that of the predicted one: 0 where they are the same.
    classes : int
        Number of classes.
    """

    true: NDArray[np.int64]
    found: NDArray[np.int64]
    margins: NDArray[np.float64]
    classes: int

    @property
    def wrong(self) -> NDArray[np.int64]:
        """Samples that are wrong, the clearest errors first."""
        rows = np.flatnonzero(self.true != self.found)
        return rows[np.argsort(self.margins[rows], kind="stable")]


def decisions(outputs: Any, y: Any, loss: object = None) -> Decisions | None:
    """Return the decisions of a classifier, None if outputs and targets are not those of one.

    Parameters
    ----------
    outputs : array_like
        Outputs, (samples, classes), or (samples, 1) for two classes.
    y : array_like
        Targets: class numbers, (samples,); rows with one 1; or 0 and 1 for two classes.
    loss : Loss, optional
        The loss, which says whether a single output is a probability.

    Returns
    -------
    Decisions or None
        The decisions.

    Examples
    --------
    >>> decisions([[0.1, 0.9], [0.8, 0.2]], [1, 1]).wrong
    array([1])
    >>> decisions([[1.5], [2.0]], [[1.2], [2.2]]) is None
    True
    """
    given, targets = np.asarray(outputs, np.float64), np.asarray(y)
    if given.ndim != 2 or targets.ndim not in (1, 2) or len(given) != len(targets):
        return None
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if given.shape[1] == 1:
        return _of_two(given[:, 0], targets, loss)
    true = _classes(targets, given.shape[1])
    if true is None:
        return None
    found, rows = given.argmax(axis=1), np.arange(len(given))
    return Decisions(true, found, given[rows, true] - given[rows, found], given.shape[1])


def _of_two(output: NDArray[np.float64], targets: NDArray[Any], loss: object) -> Decisions | None:
    if targets.ndim != 1 or not np.isin(targets, (0, 1)).all():
        return None
    border = 0.0 if isinstance(loss, SigmoidCrossEntropy) else 0.5
    true, found = targets.astype(np.int64), (output > border).astype(np.int64)
    return Decisions(true, found, np.where(true == found, 0.0, -np.abs(output - border)), 2)


def _classes(targets: NDArray[Any], classes: int) -> NDArray[np.int64] | None:
    """Return targets as class numbers, None if they are none."""
    if targets.ndim == 2:
        if targets.shape[1] != classes or not np.isin(targets, (0, 1)).all():
            return None
        return targets.argmax(axis=1) if (targets.sum(axis=1) == 1).all() else None
    if targets.dtype.kind not in "iub" or not len(targets):
        return None
    numbers = targets.astype(np.int64)
    return numbers if numbers.min() >= 0 and numbers.max() < classes else None
