"""Layers of the textbook's second volume, over all steps of sequences at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import ops
from gyaku.dlfs.images import floats
from gyaku.dlfs.layers import Affine, Embedding, Layer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["TimeAffine", "TimeEmbedding", "TimeLSTM", "TimeRNN", "TimeSoftmaxWithLoss"]


class TimeEmbedding(Embedding):
    """Rows of a table for ids of shape (samples, steps).

    Parameters
    ----------
    W : ndarray
        The table, of shape (vocabulary size, elements).
    """


class TimeAffine(Layer):
    """The affine map of each step of sequences (samples, steps, inputs).

    Parameters
    ----------
    W : ndarray
        Weights, of shape (inputs, outputs).
    b : ndarray
        Bias, of shape (outputs,).
    """

    def __init__(self, W: Array, b: Array) -> None:
        self._affine = Affine(W, b)
        self.params, self.grads = self._affine.params, self._affine.grads

    def _forward(self, x: Array) -> Array:
        self._steps = x.shape[:2]
        return self._affine.forward(x.reshape(-1, x.shape[-1])).reshape(*self._steps, -1)

    def _backward(self, dout: Array) -> Array:
        return self._affine.backward(dout.reshape(-1, dout.shape[-1])).reshape(*self._steps, -1)


class TimeRNN(Layer):
    """A simple recurrent layer, h_t = tanh(h_{t-1} Wh + x_t Wx + b).

    Parameters
    ----------
    Wx : ndarray
        Input weights, of shape (inputs, units).
    Wh : ndarray
        Recurrent weights, of shape (units, units).
    b : ndarray
        Bias, of shape (units,).
    stateful : bool, default False
        Whether a forward pass begins with the last state of the one before.

    Attributes
    ----------
    h : ndarray or None
        The last state, of shape (samples, units).
    dh : ndarray or None
        Gradient with respect to the first state.
    """

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        super().__init__(Wx, Wh, b)
        self.stateful = stateful
        self.h: Array | None = None
        self.dh: Array | None = None

    def set_state(self, h: Array) -> None:
        """Set the state before the next forward pass.

        Parameters
        ----------
        h : ndarray
            State, of shape (samples, units).
        """
        self.h = h

    def reset_state(self) -> None:
        """Forget the state."""
        self.h = None

    def _forward(self, x: Array) -> Array:
        x, w, u, b = floats(x, *self.params)
        h0 = self.h if self.stateful else None
        y, self.h, previous = ops.simple_rnn(x, w, u, b, h0)
        self._saved = x, w, u, y, previous
        return y

    def _backward(self, dout: Array) -> Array:
        dy, *saved = floats(dout, *self._saved)
        dx, *gradients, self.dh = ops.simple_rnn_backward(dy, *saved)
        self._keep(*gradients)
        return dx


class TimeLSTM(Layer):
    """A layer of long short-term memory.

    Parameters
    ----------
    Wx : ndarray
        Input weights, of shape (inputs, 4 units): forget gate, candidate, input and output gate
        side by side.
    Wh : ndarray
        Recurrent weights, of shape (units, 4 units).
    b : ndarray
        Bias, of shape (4 units,).
    stateful : bool, default False
        Whether a forward pass begins with the last state and cell of the one before.

    Attributes
    ----------
    h, c : ndarray or None
        The last state and cell, of shape (samples, units).
    dh : ndarray or None
        Gradient with respect to the first state.
    """

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        super().__init__(Wx, Wh, b)
        self.stateful = stateful
        self.h: Array | None = None
        self.c: Array | None = None
        self.dh: Array | None = None

    def set_state(self, h: Array, c: Array | None = None) -> None:
        """Set state and cell before the next forward pass.

        Parameters
        ----------
        h : ndarray
            State, of shape (samples, units).
        c : ndarray or None, optional
            Cell; None is zeros.
        """
        self.h, self.c = h, c

    def reset_state(self) -> None:
        """Forget state and cell."""
        self.h = self.c = None

    def _forward(self, x: Array) -> Array:
        x, w, u, b = floats(x, *(_gates(param, (2, 0, 1, 3)) for param in self.params))
        h0, c0 = (self.h, self.c) if self.stateful else (None, None)
        y, self.h, self.c, *saved = ops.lstm(x, w, u, b, h0, c0)
        self._saved, self._c0 = (x, w, u, *saved), c0
        return y

    def _backward(self, dout: Array) -> Array:
        dy, *saved = floats(dout, *self._saved)
        dx, dw, du, db, self.dh, *_ = ops.lstm_backward(dy, *saved, c0=self._c0)
        self._keep(*(_gates(gradient, (1, 2, 0, 3)) for gradient in (dw, du, db)))
        return dx


def _gates(array: Array, order: tuple[int, ...]) -> Array:
    """Return the columns of the gates in another order (the kernels have i, f, g, o)."""
    parts = np.split(array, 4, axis=-1)
    return np.concatenate([parts[gate] for gate in order], axis=-1)


class TimeSoftmaxWithLoss:
    """Softmax with the cross-entropy, the mean over all steps with a label.

    Attributes
    ----------
    params, grads : list
        Empty.
    ignore_label : int
        Label of steps without a loss, -1.
    """

    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.ignore_label = -1

    def forward(self, xs: Array, ts: Array) -> float:
        """Return the loss.

        Parameters
        ----------
        xs : ndarray
            Scores, of shape (samples, steps, classes).
        ts : ndarray
            Labels, of shape (samples, steps), or rows with a one, of the shape of `xs`.

        Returns
        -------
        float
            The mean cross-entropy over the steps whose label is not `ignore_label`.

        Raises
        ------
        ValueError
            If no step has a label.
        """
        labels = np.asarray(ts.argmax(axis=2) if ts.ndim == 3 else ts)
        kept = labels != self.ignore_label
        if not kept.any():
            raise ValueError("TimeSoftmaxWithLoss: ts must hold a label besides ignore_label")
        (scores,) = floats(xs[kept])
        loss, gradient = ops.softmax_cross_entropy(scores, labels[kept].astype(np.int64))
        self._dx = np.zeros(xs.shape, scores.dtype)
        self._dx[kept] = gradient
        return float(loss[0])

    def backward(self, dout: float = 1) -> Array:
        """Return the gradient with respect to the scores, zero at ignored steps.

        Parameters
        ----------
        dout : float, default 1
            Factor of the loss.

        Returns
        -------
        ndarray
            The gradient, of the shape of the scores.
        """
        gradient: Array = self._dx * self._dx.dtype.type(dout)
        return gradient
