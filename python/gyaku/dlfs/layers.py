"""Layers of the textbook's first volume, on the kernels; images have the channels first.

Results of convolutions and poolings are views of arrays with the channels last, which the next
layer reads without a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import ops
from gyaku.dlfs.functions import labels_of, softmax
from gyaku.dlfs.images import channels_first, channels_last, elementwise, floats

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
    """

    def __init__(self, *params: Array) -> None:
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


class Affine(Layer):
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

    def __init__(self, W: Array, b: Array) -> None:
        super().__init__(W, b)
        self.W, self.b = W, b
        self.dW: Array | None = None
        self.db: Array | None = None

    def _forward(self, x: Array) -> Array:
        self.shape = x.shape
        features = x.reshape(len(x), -1)
        if features.shape[1] != len(self.W):
            raise ValueError(
                f"Affine: x must have {len(self.W)} features, as W of shape {self.W.shape} has"
                f" rows, got shape {x.shape}"
            )
        self.x = features
        x, w, b = floats(features, self.W, self.b)
        return ops.matmul(x, w, bias=b)

    def _backward(self, dout: Array) -> Array:
        dout, x, w = floats(dout, self.x, self.W)
        self.dW, self.db = ops.matmul(x, dout, transpose_a=True), ops.sum_rows(dout)
        self._keep(self.dW, self.db)
        return ops.matmul(dout, w, transpose_b=True).reshape(self.shape)


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
        self.loss: float | None = None

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
        labels = labels_of("SoftmaxWithLoss", self.x, np.asarray(t)).astype(np.int64)
        loss, self._dx = ops.softmax_cross_entropy(self.x, labels)
        self.loss = float(loss[0])
        return self.loss

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
        gradient: Array = self._dx * self._dx.dtype.type(dout)
        return gradient


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


class Convolution(Layer):
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
        self.W, self.b, self.stride, self.pad = W, b, stride, pad
        self.dW: Array | None = None
        self.db: Array | None = None

    def _forward(self, x: Array) -> Array:
        if x.ndim != 4 or x.shape[1] != self.W.shape[1]:
            raise ValueError(
                f"Convolution: x must have shape (n, {self.W.shape[1]}, h, w), got {x.shape}"
            )
        filters = self.W.transpose(2, 3, 1, 0)
        images, w, b = floats(channels_last(x), filters, self.b)
        self._saved = images, w
        return channels_first(ops.conv2d(images, w, b, stride=self.stride, padding=self.pad))

    def _backward(self, dout: Array) -> Array:
        dy, x, w = floats(channels_last(dout), *self._saved)
        dx, dw, self.db = ops.conv2d_backward(dy, x, w, stride=self.stride, padding=self.pad)
        self.dW = dw.transpose(3, 2, 0, 1)
        self._keep(self.dW, self.db)
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

    def _windows(self) -> dict[str, Any]:
        size = (self.pool_h, self.pool_w)
        return {"kernel_size": size, "stride": self.stride, "padding": self.pad}

    def _forward(self, x: Array) -> Array:
        if x.ndim != 4:
            raise ValueError(f"Pooling: x must have shape (n, c, h, w), got {x.shape}")
        self.size = x.shape[2:]
        (images,) = floats(channels_last(x))
        y, self.arg_max = ops.max_pool2d(images, **self._windows())
        return channels_first(y)

    def _backward(self, dout: Array) -> Array:
        (dy,) = floats(channels_last(dout))
        return channels_first(
            ops.max_pool2d_backward(dy, self.arg_max, self.size, **self._windows())
        )


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
