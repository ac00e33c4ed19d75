"""The textbook's two networks and its loop in plain NumPy: the twin of `gyaku.dlfs`.

Written from the equations, as the book explains them: a convolution is a matrix product of
windows as rows (im2col), each layer computes the gradient with respect to its inputs, and a step
ends with the loss of its batch. BLAS multiplies on all threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


def columns_of(x: Array, size: int, stride: int = 1) -> Array:
    """Return the windows of images (n, c, h, w) as rows."""
    n, c, h, w = x.shape
    rows, columns = ((side - size) // stride + 1 for side in (h, w))
    windows = np.empty((n, c, size, size, rows, columns), x.dtype)
    for i, j in np.ndindex(size, size):
        bottom, right = i + stride * rows, j + stride * columns
        windows[:, :, i, j] = x[:, :, i:bottom:stride, j:right:stride]
    return windows.transpose(0, 4, 5, 1, 2, 3).reshape(n * rows * columns, -1)


def images_of(windows: Array, shape: tuple[int, ...], size: int, stride: int = 1) -> Array:
    """Return images with overlapping windows added up."""
    n, c, h, w = shape
    rows, columns = ((side - size) // stride + 1 for side in (h, w))
    parts = windows.reshape(n, rows, columns, c, size, size).transpose(0, 3, 4, 5, 1, 2)
    x = np.zeros(shape, windows.dtype)
    for i, j in np.ndindex(size, size):
        bottom, right = i + stride * rows, j + stride * columns
        x[:, :, i:bottom:stride, j:right:stride] += parts[:, :, i, j]
    return x


class Affine:
    """y = x W + b, of images as well."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b

    def forward(self, x: Array) -> Array:
        """Return the outputs."""
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return self.x @ self.W + self.b

    def backward(self, dout: Array) -> Array:
        """Return the gradient with respect to the inputs."""
        self.dW, self.db = self.x.T @ dout, dout.sum(axis=0)
        dx: Array = (dout @ self.W.T).reshape(self.shape)
        return dx


class Relu:
    """y = max(x, 0)."""

    def forward(self, x: Array) -> Array:
        """Return the outputs."""
        self.mask = x <= 0
        y = x.copy()
        y[self.mask] = 0
        return y

    def backward(self, dout: Array) -> Array:
        """Return the gradient with respect to the inputs."""
        dx = dout.copy()
        dx[self.mask] = 0
        return dx


class Convolution:
    """A convolution by a matrix product of windows."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W, self.b = W, b

    def forward(self, x: Array) -> Array:
        """Return the outputs."""
        filters, _, size, _ = self.W.shape
        side = x.shape[2] - size + 1
        self.shape, self.columns = x.shape, columns_of(x, size)
        y = self.columns @ self.W.reshape(filters, -1).T + self.b
        return y.reshape(len(x), side, side, filters).transpose(0, 3, 1, 2)

    def backward(self, dout: Array) -> Array:
        """Return the gradient with respect to the images."""
        filters, _, size, _ = self.W.shape
        rows = dout.transpose(0, 2, 3, 1).reshape(-1, filters)
        self.db, dw = rows.sum(axis=0), self.columns.T @ rows
        self.dW = dw.T.reshape(self.W.shape)
        return images_of(rows @ self.W.reshape(filters, -1), self.shape, size)


class Pooling:
    """Maxima of windows of 2 × 2 pixels."""

    def forward(self, x: Array) -> Array:
        """Return the outputs."""
        n, c, h, w = self.shape = x.shape
        windows = columns_of(x, 2, stride=2).reshape(-1, 4)
        self.argmax = windows.argmax(axis=1)
        maxima: Array = windows.max(axis=1).reshape(n, h // 2, w // 2, c)
        return maxima.transpose(0, 3, 1, 2)

    def backward(self, dout: Array) -> Array:
        """Return the gradient with respect to the images."""
        maxima = dout.transpose(0, 2, 3, 1).ravel()
        windows = np.zeros((maxima.size, 4), dout.dtype)
        windows[np.arange(maxima.size), self.argmax] = maxima
        return images_of(windows, self.shape, 2, stride=2)


class Network:
    """Layers, and softmax with cross-entropy behind them."""

    def __init__(self, params: dict[str, Array]) -> None:
        self.params = params
        self.layers: list[Any] = []
        for index in range(1, len(params) // 2 + 1):
            weights, bias = params[f"W{index}"], params[f"b{index}"]
            self.layers.append((Convolution if weights.ndim == 4 else Affine)(weights, bias))
            self.layers += [Relu(), Pooling()] if weights.ndim == 4 else [Relu()]
        self.layers.pop()

    def loss(self, x: Array, t: Array) -> float:
        """Return the mean cross-entropy."""
        for layer in self.layers:
            x = layer.forward(x)
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y, self.t = e / e.sum(axis=1, keepdims=True), t
        return float(-np.mean(np.log(self.y[np.arange(len(t)), t])))

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradients of the parameters."""
        self.loss(x, t)
        dout = self.y.copy()
        dout[np.arange(len(t)), t] -= 1
        dout /= len(t)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        with_weights = [layer for layer in self.layers if hasattr(layer, "W")]
        pairs = enumerate(with_weights, 1)
        return {f"{a}{i}": getattr(layer, f"d{a}") for i, layer in pairs for a in "Wb"}


class SGD:
    """w ← w - η g."""

    def __init__(self, lr: float) -> None:
        self.lr = lr

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """Update the parameters in place."""
        for key in params:
            params[key] -= self.lr * grads[key]


class Adam:
    """Adam in the textbook's form."""

    def __init__(self, lr: float) -> None:
        self.lr, self.step = lr, 0
        self.m: dict[str, Array] = {}
        self.v: dict[str, Array] = {}

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        """Update the parameters in place."""
        self.step += 1
        rate = self.lr * np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
        for key, g in grads.items():
            m = self.m.setdefault(key, np.zeros_like(g))
            v = self.v.setdefault(key, np.zeros_like(g))
            m += (1 - 0.9) * (g - m)
            v += (1 - 0.999) * (g**2 - v)
            params[key] -= float(rate) * m / (np.sqrt(v) + 1e-7)


class Trainer:
    """The textbook's training loop: batches drawn with replacement, losses after each update."""

    def __init__(self, network: Network, x: Array, t: Array, rule: Any) -> None:
        self.network, self.x_train, self.t_train, self.optimizer = network, x, t, rule
        self.train_loss_list: list[float] = []

    def train_step(self) -> None:
        """Take a step."""
        chosen = np.random.choice(len(self.x_train), 100)
        x, t = self.x_train[chosen], self.t_train[chosen]
        self.optimizer.update(self.network.params, self.network.gradient(x, t))
        self.train_loss_list.append(self.network.loss(x, t))
