"""The matrix product of dense layers, and the column sums of their bias gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.ops.activation import check_activation
from gyaku.ops.arrays import FLOAT32, FLOAT64, floating, floats, matrix, result, rows_in_place
from gyaku.ops.op import in_numpy, operation, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

__all__ = ["matmul", "sum_rows"]


def _product_shape(
    shapes: Shapes, *, transpose_a: bool = False, transpose_b: bool = False, **keywords: Any
) -> tuple[Shape, ...]:
    del keywords
    a, b = shapes
    matrix = a[-1 if transpose_a else -2], b[-2 if transpose_b else -1]
    return ((*np.broadcast_shapes(a[:-2], b[:-2]), *matrix),)


def _inner(inputs: Shapes, outputs: Shapes) -> int:
    rows = outputs[0][-2]
    return math.prod(inputs[0][-2:]) // rows if rows else 0


def _factor(name: str, x: ArrayLike) -> NDArray[Any]:
    """Return a factor, converted unless it or its transpose can be read in place."""
    if (
        type(x) is np.ndarray
        and x.ndim == 2
        and (x.dtype is FLOAT32 or x.dtype is FLOAT64)
        and (rows_in_place(x) or (len(x) > 1 and rows_in_place(x.T)))
    ):
        return x
    return matrix("matmul", name, x)


def _factors(a: ArrayLike, b: ArrayLike, columns: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both factors in one dtype; a single column of b must be contiguous."""
    a, b = _factor("a", a), _factor("b", b)
    if a.dtype is not b.dtype:
        return floating("matmul", "a", a, FLOAT64), floating("matmul", "b", b, FLOAT64)
    if b.shape[columns] == 1:
        b = floating("matmul", "b", b, b.dtype)
    return a, b


@operation(
    _core.matmul,
    inputs="a b",
    outputs="y",
    shapes=_product_shape,
    flops=lambda inputs, outputs: 2 * math.prod(outputs[0]) * _inner(inputs, outputs),
    saves="input",
    gradient="matmul",
    roundings=3,
    terms=lambda inputs, outputs: _inner(inputs, outputs) + 1,
)
def matmul(
    a: ArrayLike,
    b: ArrayLike,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: ArrayLike | None = None,
    activation: str | None = None,
    alpha: float | None = None,
    independent_rows: bool = False,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Multiply two matrices, add a bias, apply an activation function.

    Parameters
    ----------
    a : array_like
        Matrix of shape (m, k), or (k, m) if it is to be transposed; or several of them, of shape
        (..., m, k).
    b : array_like
        Matrix of shape (k, n), or (n, k) if it is to be transposed; or several of them. Axes before
        the matrices are broadcast, as in NumPy.
    transpose_a : bool, default False
        Whether to transpose a.
    transpose_b : bool, default False
        Whether to transpose b.
    bias : array_like or None, optional
        Array that is added to the product: a row of shape (n,), or any that is broadcast to it.
    activation : str or None, optional
        Name of an activation function of `gyaku.ops`.
    alpha : float or None, optional
        Parameter of `leaky_relu` or `elu`; None is the function's default.
    independent_rows : bool, default False
        Whether the bits of a row of the result do not depend on the number of rows, as they may
        otherwise, since products of few rows are computed in another way.
    out : ndarray or None, optional
        Array that the result is written to; a matrix may be columns of a wider one.

    Returns
    -------
    ndarray
        Matrix of shape (m, n), or several of them: float64 if a or b is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or out has another dtype than the result.
    ValueError
        If shapes do not match, out overlaps an input, or there is no such activation.

    Notes
    -----
    y = f(op(a) op(b) + bias). The gradients are products again: with z the argument of f and
    nothing transposed, da = dz bᵀ, db = aᵀ dz, and the bias gets the column sums of dz; what was
    broadcast gets the sums of `sum_to`. Several matrices a with one b are one product of all rows;
    others are products in NumPy. Rumelhart, Hinton and Williams, "Learning representations by
    back-propagating errors", Nature 323 (1986).

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.matmul([[1.0, 2.0]], [[3.0, -4.0], [4.0, 1.0]], bias=[0.5, 0.5], activation="relu")
    array([[11.5,  0. ]])
    """
    stacked = np.ndim(a) > 2 or np.ndim(b) > 2
    a, b = floats("matmul", a=a, b=b) if stacked else _factors(a, b, 0 if transpose_b else 1)
    shape = _checked_shape(a, b, transpose_a, transpose_b)
    if bias is not None:
        bias = _bias(floating("matmul", "bias", bias, a.dtype), shape)
    y = result("matmul", out, shape, a.dtype, row_stride=not stacked, a=a, b=b, bias=bias)
    alpha = check_activation("matmul", activation, alpha)
    is_row = bias is None or bias.shape == shape[-1:]
    by = None
    if stacked or not is_row:
        one_product = is_row and b.ndim == 2 and not transpose_a
        by = _product_of_all_rows if one_product else in_numpy("matmul")
    return prepared(by, a=a, b=b, bias=bias, alpha=alpha, out=y)


def _checked_shape(a: NDArray[Any], b: NDArray[Any], transpose_a: bool, transpose_b: bool) -> Shape:
    """Return the shape of a product; raise if there is none."""
    for name, x in (("a", a), ("b", b)):
        if x.ndim < 2:
            raise ValueError(f"matmul: {name} must have two dimensions, got shape {x.shape}")
    inner_a, inner_b = a.shape[-2 if transpose_a else -1], b.shape[-1 if transpose_b else -2]
    if inner_a != inner_b:
        raise ValueError(
            f"matmul: a of shape {a.shape}{' transposed' * transpose_a} has {inner_a} columns,"
            f" b of shape {b.shape}{' transposed' * transpose_b} has {inner_b} rows"
        )
    try:
        (shape,) = _product_shape(
            [a.shape, b.shape], transpose_a=transpose_a, transpose_b=transpose_b
        )
    except ValueError:
        raise ValueError(
            f"matmul: the axes before the matrices must be broadcast, got a of shape {a.shape} and"
            f" b of shape {b.shape}"
        ) from None
    return shape


def _bias(bias: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Return a bias, as a row if it is one."""
    if bias.size == shape[-1] and bias.shape[-1:] == shape[-1:] and bias.ndim <= len(shape):
        return bias.reshape(-1)
    try:
        fits = np.broadcast_shapes(bias.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"matmul: bias must have shape ({shape[-1]},), or one that is broadcast to {shape}, got"
            f" {bias.shape}"
        )
    return bias


def _product_of_all_rows(a: NDArray[Any], out: NDArray[Any], **options: Any) -> NDArray[Any]:
    """Multiply several matrices by one, as one product."""
    rows = math.prod(a.shape[:-1])
    matmul(a.reshape(rows, a.shape[-1]), out=out.reshape(rows, out.shape[-1]), **options)
    return out


@operation(
    _core.sum_rows,
    inputs="x",
    outputs="y",
    shapes=lambda shapes: (shapes[0][1:],),
    flops=lambda inputs, _outputs: math.prod(inputs[0]),
    no_gradient="it is the gradient of a bias",
    roundings=1,
    terms=lambda inputs, _outputs: inputs[0][0],
    cancels=True,
)
def sum_rows(x: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Sum the rows of a matrix, the gradient of a bias that was added to each row.

    Parameters
    ----------
    x : array_like
        Matrix of shape (m, n).
    out : ndarray or None, optional
        Array of shape (n,) that the result is written to.

    Returns
    -------
    ndarray
        The n column sums; zeros if there is no row.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or out has another dtype.
    ValueError
        If x is no matrix, or out has another shape or overlaps x.

    Notes
    -----
    y_j = Σ_i x_ij.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.sum_rows([[1.0, 2.0], [3.0, 4.0]])
    array([4., 6.])
    """
    x = matrix("sum_rows", "x", x)
    return prepared(x=x, out=result("sum_rows", out, x.shape[1:], x.dtype, x=x))
