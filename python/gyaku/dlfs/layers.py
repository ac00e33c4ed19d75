"""Layers of the textbook's first volume, on the kernels; images have the channels first.

Results of convolutions and poolings are views of arrays with the channels last, which the next
layer reads without a copy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import ops
from gyaku.dlfs.functions import labels_of, softmax
from gyaku.dlfs.images import alike, channels_first, channels_last, elementwise, floats, permuted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

__all__ = ["Affine", "BatchNormalization", "Convolution", "Dropout", "Embedding", "Layer"]
__all__ += ["MatMul", "Pooling", "Relu", "Sigmoid", "SoftmaxWithLoss", "Tanh"]


class Layer:
    """A layer with parameters and their gradients.

    Parameters
    ----------
    *params : ndarray
        The parameters; they are shared, not copied, so that updates in place are seen.

    Attributes
    ----------
    params : list of ndarray
        The parameters.
    grads : list of ndarray
        Their gradients, written in place by `backward`.

    Raises
    ------
    TypeError
        If a parameter is no array.
    """

    def __init__(self, *params: Array) -> None:
        for each in params:
            if not isinstance(each, np.ndarray):
                raise TypeError(
                    f"{type(self).__name__}: parameters must be arrays, which are changed in place,"
                    f" write np.array({each!r})"
                )
        self.params = list(params)
        self.grads = [np.zeros_like(param) for param in params]

    def forward(self, x: Array) -> Array:
        """Return the outputs, and save what the backward pass needs.

        Parameters
        ----------
        x : ndarray
            Inputs, samples along the first axis.

        Returns
        -------
        ndarray
            The outputs.
        """
        return self._forward(x)

    def backward(self, dout: Array) -> Array:
        """Compute the gradients of the parameters, and return that with respect to the inputs.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.

        Returns
        -------
        ndarray
            Gradient with respect to the inputs, of their shape.
        """
        return self._backward(dout)

    @property
    def settings(self) -> tuple[object, ...]:
        """What the passes depend on, beside their arguments: arrays by their identity."""
        return tuple(map(id, self.params))

    def _forward(self, x: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no forward pass")

    def _backward(self, dout: Array) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no backward pass")

    def _keep(self, *gradients: Array) -> None:
        for grad, gradient in zip(self.grads, gradients, strict=True):
            grad[...] = gradient


class MatMul(Layer):
    """The matrix product y = x W.

    Parameters
    ----------
    W : ndarray
        Weights, of shape (inputs, outputs).
    """

    def __init__(self, W: Array) -> None:
        super().__init__(W)

    def _forward(self, x: Array) -> Array:
        self.x = x
        return ops.matmul(*floats(x, self.params[0]))

    def _backward(self, dout: Array) -> Array:
        dout, x, w = floats(dout, self.x, self.params[0])
        self._keep(ops.matmul(x, dout, transpose_a=True))
        return ops.matmul(dout, w, transpose_b=True)


class Weighted(Layer):
    """A layer with weights and bias, whose gradients can do without that of the inputs.

    Parameters
    ----------
    W : ndarray
        Weights.
    b : ndarray
        Bias.

    Attributes
    ----------
    dW, db : ndarray
        Gradients of the last backward pass.
    """

    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W, b)
        self.W, self.b = W, b
        self.dW: Array | None = None
        self.db: Array | None = None

    @property
    def settings(self) -> tuple[object, ...]:
        """What the passes depend on, beside their arguments: arrays by their identity."""
        return id(self.W), id(self.b)

    def differentiate(self, dout: Array) -> None:
        """Compute the gradients of weights and bias, `dW` and `db`.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no gradients")

    def _backward(self, dout: Array) -> Array:
        self.differentiate(dout)
        assert self.dW is not None
        assert self.db is not None
        self._keep(self.dW, self.db)
        return self.to_inputs(dout)

    def to_inputs(self, dout: Array) -> Array:
        """Return the gradient with respect to the inputs.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.

        Returns
        -------
        ndarray
            The gradient, of the shape of the inputs.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward pass")


class Affine(Weighted):
    """The affine map y = x W + b, of images as well, whose pixels become features.

    Parameters
    ----------
    W : ndarray
        Weights, of shape (inputs, outputs).
    b : ndarray
        Bias, of shape (outputs,).

    Attributes
    ----------
    dW, db : ndarray
        Gradients of the last backward pass.
    """

    def _forward(self, x: Array) -> Array:
        self.shape = x.shape
        if math.prod(x.shape[1:]) != len(self.W):
            raise ValueError(
                f"Affine: x must have {len(self.W)} features, as W of shape {self.W.shape} has"
                f" rows, got shape {x.shape}"
            )
        x, w, b = alike(x, self.W, self.b)
        # The rows of the weights follow the pixels' order in memory: they are fewer than pixels.
        self._by_pixels = x.ndim == 4 and not x.flags.c_contiguous
        if self._by_pixels:
            x, w = channels_last(x), permuted(w.reshape(*x.shape[1:], -1), (1, 2, 0, 3))
        self.x, self._w = x.reshape(len(x), -1), np.ascontiguousarray(w.reshape(self.W.shape))
        return ops.matmul(np.ascontiguousarray(self.x), self._w, bias=np.ascontiguousarray(b))

    def differentiate(self, dout: Array) -> None:
        """Compute the gradients of weights and bias, `dW` and `db`.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.
        """
        dout, x = floats(dout, self.x)
        dw = ops.matmul(x, dout, transpose_a=True)
        if self._by_pixels:
            _, c, h, w = self.shape
            dw = permuted(dw.reshape(h, w, c, -1), (2, 0, 1, 3)).reshape(dw.shape)
        self.dW, self.db = dw, ops.sum_rows(dout)

    def to_inputs(self, dout: Array) -> Array:
        """Return the gradient with respect to the inputs.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.

        Returns
        -------
        ndarray
            The gradient, of the shape of the inputs.
        """
        dx = ops.matmul(*floats(dout, self._w), transpose_b=True)
        if not self._by_pixels:
            return dx.reshape(self.shape)
        n, c, h, w = self.shape
        return channels_first(dx.reshape(n, h, w, c))


class Relu(Layer):
    """The rectifier y = max(x, 0)."""

    def __init__(self) -> None:
        super().__init__()

    def _forward(self, x: Array) -> Array:
        self.out = elementwise(ops.relu, x)
        return self.out

    def _backward(self, dout: Array) -> Array:
        return elementwise(ops.relu_backward, dout, self.out)


class Sigmoid(Layer):
    """The logistic function y = 1 / (1 + exp(-x))."""

    def __init__(self) -> None:
        super().__init__()

    def _forward(self, x: Array) -> Array:
        self.out = elementwise(ops.sigmoid, x)
        return self.out

    def _backward(self, dout: Array) -> Array:
        return elementwise(ops.sigmoid_backward, dout, self.out)


class Tanh(Layer):
    """The hyperbolic tangent y = tanh(x)."""

    def __init__(self) -> None:
        super().__init__()

    def _forward(self, x: Array) -> Array:
        self.out = elementwise(ops.tanh, x)
        return self.out

    def _backward(self, dout: Array) -> Array:
        return elementwise(ops.tanh_backward, dout, self.out)


class SoftmaxWithLoss:
    """Softmax with the mean cross-entropy, without the textbook's small constant.

    Attributes
    ----------
    params, grads : list
        Empty.
    loss : float or None
        The last loss.
    """

    def __init__(self) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self._loss: Array | None = None

    @property
    def loss(self) -> float | None:
        """The last loss."""
        return None if self._loss is None else float(self._loss[0])

    @property
    def y(self) -> Array:
        """Probabilities of the last scores."""
        return softmax(self.x)

    def forward(self, x: Array, t: Array) -> float:
        """Return the loss.

        Parameters
        ----------
        x : ndarray
            Scores, of shape (samples, classes).
        t : ndarray
            Labels, of shape (samples,), or rows with a one, of the shape of `x`.

        Returns
        -------
        float
            The mean cross-entropy.

        Raises
        ------
        ValueError
            If there is not one target for each row.
        """
        (self.x,), self.t = floats(np.atleast_2d(x)), t
        labels = labels_of("SoftmaxWithLoss", self.x.shape, np.asarray(t))
        labels = labels.astype(np.int64, copy=False)
        self._loss, self.dx = ops.softmax_cross_entropy(self.x, labels)
        return float(self._loss[0])

    def backward(self, dout: float = 1) -> Array:
        """Return the gradient with respect to the scores, (y - t) / samples.

        Parameters
        ----------
        dout : float, default 1
            Factor of the loss.

        Returns
        -------
        ndarray
            The gradient, of the shape of the scores.
        """
        gradient: Array = self.dx * self.dx.dtype.type(dout)
        return gradient

    def saved(self) -> list[Array]:
        """Return the arrays of the last forward pass: loss, scores, and their gradient.

        Returns
        -------
        list of ndarray
            The arrays.
        """
        assert self._loss is not None
        return [self._loss, self.x, self.dx]

    def share(self, other: SoftmaxWithLoss, t: Array) -> None:
        """Take over the last forward pass of another one.

        Parameters
        ----------
        other : SoftmaxWithLoss
            The other one.
        t : ndarray
            Its targets.
        """
        self._loss, self.x, self.dx = other.saved()
        self.t = t


class Dropout:
    """Dropout whose outputs are scaled when predicting, as in the first volume.

    Parameters
    ----------
    dropout_ratio : float, default 0.5
        Probability that a unit is switched off.
    """

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.dropout_ratio = dropout_ratio
        self.mask: Array | None = None

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        """Return the inputs with units switched off, or scaled by the fraction kept.

        Parameters
        ----------
        x : ndarray
            Inputs.
        train_flg : bool, default True
            Whether to draw a mask, from `numpy.random`.

        Returns
        -------
        ndarray
            The outputs, of the same shape.
        """
        if not train_flg:
            return x * (1.0 - self.dropout_ratio)
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio
        return x * self.mask

    def backward(self, dout: Array) -> Array:
        """Return the gradient with respect to the inputs: that of units that were on.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.

        Returns
        -------
        ndarray
            The gradient.
        """
        return dout * self.mask


class BatchNormalization:
    """Batch normalisation of each feature; of images, of each pixel of each channel.

    Parameters
    ----------
    gamma, beta : ndarray
        Scale and shift, of shape (features,).
    momentum : float, default 0.9
        Decay of the running statistics.
    running_mean, running_var : ndarray or None, optional
        Running statistics; None begins with zeros.
    """

    def __init__(
        self,
        gamma: Array,
        beta: Array,
        momentum: float = 0.9,
        running_mean: Array | None = None,
        running_var: Array | None = None,
    ) -> None:
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean, self.running_var = running_mean, running_var
        self.params = [gamma, beta]
        self.grads = [np.zeros_like(gamma), np.zeros_like(beta)]
        self.dgamma: Array | None = None
        self.dbeta: Array | None = None

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        """Return the normalised inputs, by the batch's statistics or the running ones.

        Parameters
        ----------
        x : ndarray
            Inputs, of shape (samples, features) or (n, c, h, w).
        train_flg : bool, default True
            Whether to normalise by the statistics of the batch, which update the running ones.

        Returns
        -------
        ndarray
            The outputs, of the same shape.
        """
        rows, gamma, beta = floats(x.reshape(len(x), -1), self.gamma, self.beta)
        if self.running_mean is None:
            self.running_mean = np.zeros(rows.shape[1], rows.dtype)
        if self.running_var is None:
            self.running_var = np.zeros(rows.shape[1], rows.dtype)
        if train_flg:
            y, mean, inverse, var = ops.batch_norm(rows, gamma, beta, epsilon=1e-6)
            m = self.momentum
            self.running_mean = m * self.running_mean + (1 - m) * mean
            self.running_var = m * self.running_var + (1 - m) * var
            self._saved = rows, mean, inverse
        else:
            statistics = self.running_mean, self.running_var
            y, _ = ops.batch_norm_inference(rows, gamma, beta, *statistics, epsilon=1e-6)
        return y.reshape(x.shape)

    def backward(self, dout: Array) -> Array:
        """Compute the gradients of scale and shift, and return that with respect to the inputs.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs of a forward pass in training.

        Returns
        -------
        ndarray
            The gradient, of the same shape.
        """
        rows, mean, inverse = self._saved
        dy, rows, gamma = floats(dout.reshape(rows.shape), rows, self.gamma)
        dx, self.dgamma, self.dbeta = ops.batch_norm_backward(dy, rows, gamma, mean, inverse)
        self.grads[0][...], self.grads[1][...] = self.dgamma, self.dbeta
        return dx.reshape(dout.shape)


class Convolution(Weighted):
    """A convolution of images (n, c, h, w), as a cross-correlation.

    Parameters
    ----------
    W : ndarray
        Filters, of shape (filters, c, kernel height, kernel width).
    b : ndarray
        Bias, of shape (filters,).
    stride : int, default 1
        Step of the filters.
    pad : int, default 0
        Zeros on each side.

    Attributes
    ----------
    dW, db : ndarray
        Gradients of the last backward pass.
    """

    def __init__(self, W: Array, b: Array, stride: int = 1, pad: int = 0) -> None:
        super().__init__(W, b)
        self.stride, self.pad = stride, pad

    @property
    def settings(self) -> tuple[object, ...]:
        """What the passes depend on, beside their arguments: arrays by their identity."""
        return *super().settings, self.stride, self.pad

    def _forward(self, x: Array) -> Array:
        if x.ndim != 4 or x.shape[1] != self.W.shape[1]:
            raise ValueError(
                f"Convolution: x must have shape (n, {self.W.shape[1]}, h, w), got {x.shape}"
            )
        x, w, b = alike(x, self.W, self.b)
        self._images, self._filters = channels_last(x), permuted(w, (2, 3, 1, 0))
        b = np.ascontiguousarray(b)
        where: dict[str, Any] = {"stride": self.stride, "padding": self.pad}
        return channels_first(ops.conv2d(self._images, self._filters, b, **where))

    def differentiate(self, dout: Array, argmax: Array | None = None) -> None:
        """Compute the gradients of weights and bias, `dW` and `db`.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.
        argmax : ndarray of uint8 or None, optional
            Positions of the maxima in windows of 2 × 2 outputs, if `dout` is the gradient with
            respect to these maxima.
        """
        images, (dy,) = self._images, alike(dout)
        where: dict[str, Any] = {"stride": self.stride, "padding": self.pad, "argmax": argmax}
        size = self._filters.shape[:2]
        dw, self.db = ops.conv2d_backward_weights(channels_last(dy), images, size, **where)
        self.dW = permuted(dw, (3, 2, 0, 1))

    def to_inputs(self, dout: Array, argmax: Array | None = None) -> Array:
        """Return the gradient with respect to the inputs.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.
        argmax : ndarray of uint8 or None, optional
            Positions of the maxima, as of `differentiate`.

        Returns
        -------
        ndarray
            The gradient, of the shape of the inputs.
        """
        (dy,), size = alike(dout), self._images.shape[1:3]
        where: dict[str, Any] = {"stride": self.stride, "padding": self.pad, "argmax": argmax}
        dx = ops.conv2d_backward_data(channels_last(dy), self._filters, size, **where)
        return channels_first(dx)


class Pooling(Layer):
    """Max pooling of images (n, c, h, w).

    Parameters
    ----------
    pool_h, pool_w : int
        Height and width of a window.
    stride : int, default 1
        Step from one window to the next.
    pad : int, default 0
        Padding on each side, which is never the maximum.
    """

    def __init__(self, pool_h: int, pool_w: int, stride: int = 1, pad: int = 0) -> None:
        super().__init__()
        self.pool_h, self.pool_w, self.stride, self.pad = pool_h, pool_w, stride, pad

    @property
    def settings(self) -> tuple[object, ...]:
        """What the passes depend on, beside their arguments."""
        return self.pool_h, self.pool_w, self.stride, self.pad

    def _windows(self) -> dict[str, Any]:
        size = (self.pool_h, self.pool_w)
        return {"kernel_size": size, "stride": self.stride, "padding": self.pad}

    def _forward(self, x: Array) -> Array:
        if x.ndim != 4:
            raise ValueError(f"Pooling: x must have shape (n, c, h, w), got {x.shape}")
        self.size = x.shape[2:]
        (x,) = alike(x)
        y, self.arg_max = ops.max_pool2d(channels_last(x), **self._windows())
        self.out = channels_first(y)
        return self.out

    def _backward(self, dout: Array) -> Array:
        (dout,) = alike(dout)
        dy, where = channels_last(dout), self._windows()
        return channels_first(ops.max_pool2d_backward(dy, self.arg_max, self.size, **where))


class Embedding:
    """Rows of a table, by their ids.

    Parameters
    ----------
    W : ndarray
        The table, of shape (vocabulary size, elements).
    """

    def __init__(self, W: Array) -> None:
        self.params = [W]
        self.grads = [np.zeros_like(W)]

    def forward(self, idx: ArrayLike) -> Array:
        """Return the rows of the ids.

        Parameters
        ----------
        idx : array_like of int
            Ids, of any shape.

        Returns
        -------
        ndarray
            Rows, of shape (..., elements).
        """
        self.idx = np.ascontiguousarray(idx)
        return ops.embedding(self.idx, self.params[0])

    def backward(self, dout: Array) -> None:
        """Compute the gradient of the table, the sum over the uses of each row.

        Parameters
        ----------
        dout : ndarray
            Gradient with respect to the outputs.
        """
        (dy,) = floats(dout)
        size = len(self.params[0])
        self.grads[0][...] = ops.embedding_backward(dy, self.idx, vocabulary_size=size)
