"""The matrix product of dense layers, and the column sums of their bias gradient."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.ops.activation import check_activation
from gyaku.ops.arrays import FLOAT32, FLOAT64, floating, matrix, result, rows_in_place
from gyaku.ops.op import operation, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

__all__ = ["matmul", "sum_rows"]


def _product_shape(
    shapes: Shapes, *, transpose_a: bool = False, transpose_b: bool = False, **keywords: Any
) -> tuple[Shape, ...]:
    del keywords
    return ((shapes[0][1 if transpose_a else 0], shapes[1][0 if transpose_b else 1]),)


def _inner(inputs: Shapes, outputs: Shapes) -> int:
    rows = outputs[0][0]
    return math.prod(inputs[0]) // rows if rows else 0


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
    flops=lambda inputs, outputs: 2 * math.prod(inputs[0]) * outputs[0][1],
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
    """Multiply two matrices, add a bias to each row, apply an activation function.

    Parameters
    ----------
    a : array_like
        Matrix of shape (m, k), or (k, m) if it is to be transposed.
    b : array_like
        Matrix of shape (k, n), or (n, k) if it is to be transposed.
    transpose_a : bool, default False
        Whether to transpose a.
    transpose_b : bool, default False
        Whether to transpose b.
    bias : array_like or None, optional
        Row of shape (n,) that is added to each row of the product.
    activation : str or None, optional
        Name of an activation function of `gyaku.ops`.
    alpha : float or None, optional
        Parameter of `leaky_relu` or `elu`; None is the function's default.
    independent_rows : bool, default False
        Whether the bits of a row of the result do not depend on the number of rows, as they may
        otherwise, since products of few rows are computed in another way.
    out : ndarray or None, optional
        Array of shape (m, n) that the result is written to; it may be columns of a wider matrix.

    Returns
    -------
    ndarray
        Matrix of shape (m, n): float64 if a or b is, else float32.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or out has another dtype than the result.
    ValueError
        If shapes do not match, out overlaps an input, or there is no such activation.

    Notes
    -----
    y = f(op(a) op(b) + bias). The gradients are products again: with z the argument of f and
    nothing transposed, da = dz bᵀ, db = aᵀ dz, and the bias gets the column sums of dz. Rumelhart,
    Hinton and Williams, "Learning representations by back-propagating errors", Nature 323 (1986).

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.matmul([[1.0, 2.0]], [[3.0, -4.0], [4.0, 1.0]], bias=[0.5, 0.5], activation="relu")
    array([[11.5,  0. ]])
    """
    a, b = _factors(a, b, columns=0 if transpose_b else 1)
    inner_a, m = a.shape if transpose_a else a.shape[::-1]
    n, inner_b = b.shape if transpose_b else b.shape[::-1]
    if inner_a != inner_b:
        raise ValueError(
            f"matmul: a of shape {a.shape}{' transposed' * transpose_a} has {inner_a} columns,"
            f" b of shape {b.shape}{' transposed' * transpose_b} has {inner_b} rows"
        )
    if bias is not None:
        bias = floating("matmul", "bias", bias, a.dtype)
        if bias.shape != (n,):
            raise ValueError(f"matmul: bias must have shape ({n},), got {bias.shape}")
    y = result("matmul", out, (m, n), a.dtype, row_stride=True, a=a, b=b, bias=bias)
    alpha = check_activation("matmul", activation, alpha)
    return prepared(a=a, b=b, bias=bias, alpha=alpha, out=y)


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
