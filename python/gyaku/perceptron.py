"""The perceptron: a threshold of a weighted sum, and the rule that learns its weights."""

from __future__ import annotations

import warnings
from reprlib import repr as short
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import number, whole
from gyaku.components import Configured
from gyaku.history import History

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["Perceptron"]


class Perceptron(Configured):
    """Perceptron: output 1 where ``b + w·x > 0``, otherwise 0.

    Parameters
    ----------
    weights : array_like, optional
        The weights w, (inputs,); (inputs, units) for a layer of several perceptrons. By default
        zeros for the inputs of `fit`.
    bias : array_like
        The bias b, a number; (units,) for several.

    Attributes
    ----------
    weights, bias : ndarray of float64
        Weights and bias, which `fit` changes.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or a value is not finite.

    Notes
    -----
    F. Rosenblatt, The perceptron (1958). One perceptron separates its inputs by a straight line, so
    that it can be AND, OR and NAND but not XOR; two layers of perceptrons can.

    Examples
    --------
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> both = Perceptron([0.5, 0.5], bias=-0.7)
    >>> both(x)
    array([0, 0, 0, 1])
    >>> either_and_not_both = Perceptron([[0.5, -0.5], [0.5, -0.5]], bias=[-0.2, 0.7])
    >>> both(either_and_not_both(x))
    array([0, 1, 1, 0])
    """

    weights: Array | None
    bias: Array

    def __init__(self, weights: ArrayLike | None = None, bias: ArrayLike = 0.0) -> None:
        self.bias = _finite("bias", bias)
        self.weights = None if weights is None else _finite("weights", weights)
        if self.weights is None:
            return
        if self.weights.ndim not in (1, 2) or self.weights.shape[1:] != self.bias.shape:
            raise ValueError(
                "Perceptron: weights must have shape (inputs,) with a number as bias, or (inputs,"
                f" units) with a bias of shape (units,), got {self.weights.shape} and"
                f" {self.bias.shape}"
            )

    def __repr__(self) -> str:
        if self.weights is None:
            return "Perceptron()"
        return f"Perceptron({self.weights.tolist()}, bias={self.bias.tolist()})"

    def __call__(self, x: ArrayLike) -> NDArray[np.int64]:
        """Return the outputs.

        Parameters
        ----------
        x : array_like
            Inputs, (samples, inputs), or one sample, (inputs,).

        Returns
        -------
        ndarray of int64
            0 or 1 for each sample, and for each unit if there are several.

        Raises
        ------
        ValueError
            If there are no weights yet, or `x` has another number of inputs.
        """
        if self.weights is None:
            raise ValueError("Perceptron: there are no weights yet, give them or call fit")
        given = _finite("x", x)
        if given.ndim not in (1, 2) or given.shape[-1] != len(self.weights):
            raise ValueError(
                f"Perceptron: x must have {len(self.weights)} inputs a sample, got shape"
                f" {given.shape}"
            )
        return np.asarray(given @ self.weights + self.bias > 0, np.int64)

    def fit(
        self, x: ArrayLike, y: ArrayLike, *, learning_rate: float = 1.0, epochs: int = 100
    ) -> History:
        """Learn weights and bias by the perceptron learning rule, one sample after another.

        Parameters
        ----------
        x : array_like
            Inputs, (samples, inputs).
        y : array_like
            Targets, 0 or 1: (samples,), or (samples, units) for several units.
        learning_rate : float
            The learning rate η.
        epochs : int
            Largest number of passes over the samples, in their order.

        Returns
        -------
        History
            ``"errors"``, the number of wrong outputs in each epoch, each counted before its update;
            `stopped` says how the learning ended.

        Raises
        ------
        ValueError
            If the shapes do not fit together, or a target is neither 0 nor 1.

        Warns
        -----
        UserWarning
            If the errors did not reach 0.

        Notes
        -----
        ``w ← w + η (t - o) x``, ``b ← b + η (t - o)`` for the output o and the target t of a
        sample: weights change only where the output is wrong. If a straight line separates the
        classes, the rule finds one in a finite number of updates (A. Novikoff, On convergence
        proofs for perceptrons, 1962). If weights return to those after an earlier epoch, it would
        repeat them for ever, so that there is none.

        Examples
        --------
        >>> x = [[0, 0], [0, 1], [1, 0], [1, 1]]
        >>> perceptron = Perceptron()
        >>> perceptron.fit(x, [0, 1, 1, 1])["errors"]
        [1.0, 2.0, 1.0, 0.0]
        >>> perceptron(x)
        array([0, 1, 1, 1])
        """
        rate = number("Perceptron", "learning_rate", learning_rate, above=0)
        most = whole("Perceptron", "epochs", epochs)
        inputs, targets = self._samples(x, y)
        history, known, errors = History(len(inputs)), [self._state()], 0
        for epoch in range(1, most + 1):
            start = perf_counter()
            errors = self._epoch(inputs, targets, rate)
            history.extend({"errors": [float(errors)]}, perf_counter() - start)
            if not errors:
                history.stopped = f"no errors in epoch {epoch}"
                return history
            if (state := self._state()) in known:
                history.stopped = (
                    f"the weights after epoch {epoch} are those after epoch {known.index(state)}:"
                    " no straight line separates the classes, as for XOR, which needs two layers"
                )
                break
            known.append(state)
        else:
            history.stopped = f"{errors} errors in epoch {most}, the last one"
        warnings.warn(f"Perceptron: {history.stopped}", stacklevel=2)
        return history

    def _samples(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Return inputs and targets, and make weights for them if there are none."""
        inputs, targets = _finite("x", x), _finite("y", y)
        if inputs.ndim != 2 or not inputs.size:
            raise ValueError(f"Perceptron: x must have shape (samples, inputs), got {inputs.shape}")
        if self.weights is None:
            units = targets.shape[1:] if targets.ndim == 2 else ()
            self.weights = np.zeros((inputs.shape[1], *units))
            self.bias = np.broadcast_to(self.bias, units).copy()
        wanted = self(inputs).shape
        if targets.shape != wanted:
            raise ValueError(f"Perceptron: y must have shape {wanted}, got {targets.shape}")
        if (odd := targets[(targets != 0) & (targets != 1)]).size:
            raise ValueError(f"Perceptron: y must hold 0 and 1, got {odd[0]:g}")
        return inputs, targets

    def _epoch(self, inputs: Array, targets: Array, rate: float) -> int:
        """Pass over all samples and return the number of wrong outputs."""
        assert self.weights is not None
        errors = 0
        for sample, target in zip(inputs, targets, strict=True):
            change = rate * (target - self(sample))
            self.weights += np.multiply.outer(sample, change)
            self.bias += change
            errors += int(np.count_nonzero(change))
        return errors

    def _state(self) -> bytes:
        assert self.weights is not None
        return self.weights.tobytes() + self.bias.tobytes()


def _finite(name: str, given: Any) -> Array:
    """Return a copy as float64; raise if it does not hold finite numbers."""
    try:
        values = np.array(given, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"Perceptron: {name} must hold numbers, got {short(given)}") from None
    if not np.isfinite(values).all():
        odd = values[~np.isfinite(values)][0]
        raise ValueError(f"Perceptron: {name} must hold finite numbers, got {odd:g}")
    return values
