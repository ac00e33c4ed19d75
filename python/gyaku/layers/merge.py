"""Merge layers: arithmetic, matrix products and concatenations of several inputs."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number, truth, whole
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Add", "Concatenate", "Divide", "MatMul", "Multiply", "Subtract"]


class _Elementwise(Layer, abstract=True):
    """Base of the operations on inputs of one shape, or of shapes that are broadcast."""

    native = True
    given: tuple[NDArray[Any], ...]

    def build(self, *input_shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of all inputs, or that to which they are broadcast.

        Parameters
        ----------
        *input_shapes : tuple of int
            The shapes of input samples.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        self.any_steps = len({*input_shapes}) == 1
        try:
            return np.broadcast_shapes(*input_shapes)
        except ValueError:
            raise ValueError(
                f"{self}: inputs must have the same shape, up to axes of length 1, got"
                f" {_listed(input_shapes)}"
            ) from None

    def _aligned(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return an input with as many axes as the output."""
        missing = len(self.output_shape) + 1 - x.ndim
        return x.reshape(len(x), *(1,) * missing, *x.shape[1:]) if missing > 0 else x

    def _returned(self, dy: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
        """Return the gradient with respect to an input, summed over its copies."""
        shape = self._aligned(x).shape
        return dy if dy.shape == shape else ops.sum_to(dy, shape).reshape(x.shape)

    @property
    def flops(self) -> int:
        """An operation for each element of each input but the first."""
        return (len(self.input_shapes) - 1) * math.prod(self.output_shape)


class Add(_Elementwise):
    """Sum of inputs.

    Parameters
    ----------
    broadcast : bool
        Whether the inputs may have different shapes.
    name : str, optional
        The layer's name.

    Notes
    -----
    Shapes of samples are broadcast as in NumPy: axes are compared from the last to the first, and
    those of length 1, or missing, are repeated.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Add()
    >>> layer.output_shape = layer.build((2,), (2,))
    >>> layer.forward(np.array([[6.0, 2.0]]), np.array([[1.0, 3.0]]))
    array([[7., 5.]])
    """

    native = True
    passes_sums = True

    def __init__(self, broadcast: bool = True, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.broadcast = truth(str(self), "broadcast", broadcast)

    def build(self, *input_shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the sum; see `Layer.build`."""
        if not self.broadcast and len({*input_shapes}) > 1:
            raise ValueError(
                f"{self}: inputs must have the same shape, got {_listed(input_shapes)}"
            )
        return super().build(*input_shapes)

    def forward(  # type: ignore[override]
        self, *x: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the sum.

        Parameters
        ----------
        *x : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        self.given = x
        total = self._aligned(x[0])
        for each in x[1:]:
            total = ops.add(total, self._aligned(each))
        return total

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the gradient with respect to each input; see `Layer.backward`."""
        return tuple(self._returned(dy, x) for x in self.given)


class Subtract(_Elementwise):
    """Difference of two inputs.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Notes
    -----
    Shapes of samples are broadcast as in NumPy: axes are compared from the last to the first, and
    those of length 1, or missing, are repeated.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Subtract()
    >>> layer.output_shape = layer.build((2,), (2,))
    >>> layer.forward(np.array([[6.0, 2.0]]), np.array([[1.0, 3.0]]))
    array([[ 5., -1.]])
    """

    native = True

    def forward(  # type: ignore[override]
        self, a: NDArray[Any], b: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the difference.

        Parameters
        ----------
        a, b : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        self.given = a, b
        return ops.subtract(self._aligned(a), self._aligned(b))

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the gradient with respect to each input; see `Layer.backward`."""
        a, b = self.given
        return self._returned(dy, a), self._returned(ops.rescale(dy, scale=-1.0), b)


class Multiply(_Elementwise):
    """Product of inputs, element by element.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Notes
    -----
    Shapes of samples are broadcast as in NumPy: axes are compared from the last to the first, and
    those of length 1, or missing, are repeated. A gate for each channel of images is a
    `Multiply` of the images and a row of gates.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Multiply()
    >>> layer.output_shape = layer.build((2,), (1,))
    >>> layer.forward(np.array([[6.0, 2.0]]), np.array([[3.0]]))
    array([[18.,  6.]])
    """

    native = True

    def forward(  # type: ignore[override]
        self, *x: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the product.

        Parameters
        ----------
        *x : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        self.given = x
        product = self._aligned(x[0])
        for each in x[1:]:
            product = ops.multiply(product, self._aligned(each))
        return product

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Multiply by the other inputs; see `Layer.backward`."""
        found = []
        for place, x in enumerate(self.given):
            dx = dy
            for other in (*self.given[:place], *self.given[place + 1 :]):
                dx = ops.multiply(dx, self._aligned(other))
            found.append(self._returned(dx, x))
        return tuple(found)


class Divide(_Elementwise):
    """Quotient of two inputs, element by element.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Notes
    -----
    Shapes of samples are broadcast as in NumPy: axes are compared from the last to the first, and
    those of length 1, or missing, are repeated.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Divide()
    >>> layer.output_shape = layer.build((2,), (2,))
    >>> layer.forward(np.array([[6.0, 2.0]]), np.array([[3.0, 4.0]]))
    array([[2. , 0.5]])
    """

    native = True
    y: NDArray[Any]

    def forward(  # type: ignore[override]
        self, a: NDArray[Any], b: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the quotient.

        Parameters
        ----------
        a, b : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        self.given = a, b
        self.y = ops.divide(self._aligned(a), self._aligned(b))
        return self.y

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return dy / b and -y dy / b; see `Layer.backward`."""
        a, b = self.given
        da = ops.divide(dy, self._aligned(b))
        db = ops.rescale(ops.multiply(da, self.y), scale=-1.0)
        return self._returned(da, a), self._returned(db, b)


class MatMul(Layer):
    """Matrix product of two inputs, for each sample.

    Parameters
    ----------
    transpose_a, transpose_b : bool
        Whether to transpose the matrices of an input.
    scale : float
        Factor of the products, such as ``1 / sqrt(k)`` for scores of attention.
    name : str, optional
        The layer's name.

    Notes
    -----
    Matrices stand in the last two axes of the samples, (..., m, k) and (..., k, n); axes before
    them are broadcast. The gradients are ``da = dy b'`` and ``db = a' dy``. The products are
    NumPy's.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MatMul(transpose_b=True)
    >>> layer.output_shape = layer.build((5, 3), (4, 3))
    >>> layer.forward(np.ones((2, 5, 3)), np.ones((2, 4, 3))).shape
    (2, 5, 4)
    """

    native = True
    a: NDArray[Any]
    b: NDArray[Any]

    def __init__(
        self,
        *,
        transpose_a: bool = False,
        transpose_b: bool = False,
        scale: float = 1.0,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.transpose_a = truth(str(self), "transpose_a", transpose_a)
        self.transpose_b = truth(str(self), "transpose_b", transpose_b)
        self.scale = number(str(self), "scale", scale)

    def build(self, a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:  # type: ignore[override]
        """Return the shape of the product.

        Parameters
        ----------
        a, b : tuple of int
            The shapes of input samples.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        if min(len(a), len(b)) < 2:
            raise ValueError(f"{self}: inputs must be matrices, got {_listed((a, b))}")
        m, inner_a = a[-2:][::-1] if self.transpose_a else a[-2:]
        inner_b, n = b[-2:][::-1] if self.transpose_b else b[-2:]
        try:
            before = np.broadcast_shapes(a[:-2], b[:-2])
        except ValueError:
            before = None
        if inner_a != inner_b or before is None:
            raise ValueError(
                f"{self}: inputs of shape {_listed((a, b))} have no product"
                f"{', transposed' if self.transpose_a or self.transpose_b else ''}"
            )
        self._inner = inner_a
        return (*before, m, n)

    def forward(  # type: ignore[override]
        self, a: NDArray[Any], b: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the products.

        Parameters
        ----------
        a, b : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        self.a, self.b = self._aligned(a), self._aligned(b)
        self._shapes = a.shape, b.shape
        y = ops.matmul(self.a, self.b, transpose_a=self.transpose_a, transpose_b=self.transpose_b)
        return self._scaled(y)

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the products with the other input; see `Layer.backward`."""
        dy, a, b = self._scaled(dy), self.a, self.b
        if self.transpose_a:
            da = ops.matmul(b, dy, transpose_a=self.transpose_b, transpose_b=True)
        else:
            da = ops.matmul(dy, b, transpose_b=not self.transpose_b)
        if self.transpose_b:
            db = ops.matmul(dy, a, transpose_a=True, transpose_b=self.transpose_a)
        else:
            db = ops.matmul(a, dy, transpose_a=not self.transpose_a)
        return tuple(
            ops.sum_to(dx, x.shape).reshape(shape) if dx.shape != x.shape else dx.reshape(shape)
            for dx, x, shape in zip((da, db), (a, b), self._shapes, strict=True)
        )

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each term of each sum."""
        return 2 * self._inner * math.prod(self.output_shape)

    def _aligned(self, x: NDArray[Any]) -> NDArray[Any]:
        missing = len(self.output_shape) + 1 - x.ndim
        return x.reshape(len(x), *(1,) * missing, *x.shape[1:])

    def _scaled(self, x: NDArray[Any]) -> NDArray[Any]:
        return x if self.scale == 1 else ops.rescale(x, scale=self.scale)


class Concatenate(Layer):
    """Concatenation of inputs along an axis.

    Parameters
    ----------
    axis : int
        Axis of the batch: -1 is the last one, the channels of images; 1 the first of a sample; 0,
        that of the samples, is not allowed.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If the axis is that of the samples.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Concatenate()
    >>> layer.output_shape = layer.build((2,), (1,))
    >>> layer.forward(np.array([[1.0, 2.0]]), np.array([[3.0]]))
    array([[1., 2., 3.]])
    """

    native = True

    def __init__(self, axis: int = -1, *, name: str | None = "") -> None:
        super().__init__(name=name)
        self.axis = whole(str(self), "axis", axis, least=-(2**31))
        if axis == 0:
            raise ValueError(f"{self}: axis 0 is that of the samples, 1 the first of a sample")

    def build(self, *input_shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape, with the sum of the lengths along the axis.

        Parameters
        ----------
        *input_shapes : tuple of int
            The shapes of input samples.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        first, axes = input_shapes[0], len(input_shapes[0])
        place = self.axis - 1 if self.axis > 0 else self.axis + axes
        if not 0 <= place < axes:
            raise ValueError(f"{self}: inputs of shape {first} have no axis {self.axis}")
        rests = {(*shape[:place], *shape[place + 1 :]) for shape in input_shapes}
        if len(rests) > 1 or any(len(shape) != axes for shape in input_shapes):
            raise ValueError(
                f"{self}: inputs must have the same shape except along axis {self.axis}, got"
                f" {_listed(input_shapes)}"
            )
        self._place, self._shapes = place, input_shapes
        self.any_steps = place > 0
        self._inner = math.prod(first[place + 1 :])
        *self._starts, total = itertools.accumulate(
            (shape[place] for shape in input_shapes), initial=0
        )
        return (*first[:place], total, *first[place + 1 :])

    def forward(  # type: ignore[override]
        self, *x: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the concatenated inputs.

        Parameters
        ----------
        *x : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        y = memory.empty(self._shape(x[0], self.output_shape), np.result_type(*x))
        rows = self._rows(y)
        for each, start in zip(x, self._starts, strict=True):
            ops.copy_columns(self._rows(each), rows, start=start * self._inner)
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the slice of each input; see `Layer.backward`."""
        rows, found = self._rows(dy), []
        for shape, start in zip(self._shapes, self._starts, strict=True):
            count = shape[self._place] * self._inner
            part = ops.take_columns(rows, start=start * self._inner, count=count)
            found.append(part.reshape(self._shape(dy, shape)))
        return tuple(found)

    def _shape(self, batch: NDArray[Any], sample: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a batch of samples, with the steps that another batch has."""
        before = self._place + 1
        return (*batch.shape[:before], *sample[before - 1 :])

    def _rows(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return an array as a matrix, whose columns are the axis and those behind it."""
        return x.reshape(math.prod(x.shape[: self._place + 1]), -1)


def _listed(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join(map(str, shapes))
