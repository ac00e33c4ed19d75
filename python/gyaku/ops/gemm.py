"""The matrix product of dense layers, and the column sums that are their bias gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.activation import DEFAULT_ALPHA, check_activation
from gyaku.ops.arrays import FLOAT32, FLOAT64, UNFIT, apart, floating, matrix, result, rows_in_place

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["matmul", "sum_rows"]


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: ArrayLike | None = None,
    activation: str | None = None,
    alpha: float | None = None,
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
    out : ndarray or None, optional
        Array of shape (m, n) that the result is written to. It may be columns of a wider matrix.

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
    name = activation or "identity"
    if alpha is None:
        alpha = DEFAULT_ALPHA.get(name, 0.0)
    try:
        if active.native:
            return _core.matmul(a, b, bias, out, transpose_a, transpose_b, name, alpha)
    except UNFIT:
        pass
    a, b = _matrix("a", a), _matrix("b", b)
    dtype = a.dtype
    if dtype is not b.dtype:
        dtype = FLOAT64
        a, b = floating("matmul", "a", a, dtype), floating("matmul", "b", b, dtype)
    inner_a, m = a.shape if transpose_a else a.shape[::-1]
    n, inner_b = b.shape if transpose_b else b.shape[::-1]
    if inner_a != inner_b:
        raise ValueError(
            f"matmul: a of shape {a.shape}{' transposed' * transpose_a} has {inner_a} columns,"
            f" b of shape {b.shape}{' transposed' * transpose_b} has {inner_b} rows"
        )
    if n == 1:  # is read as a vector
        b = floating("matmul", "b", b, dtype)
    y = result("matmul", out, (m, n), dtype, rows_apart=True)
    if out is not None:
        apart("matmul", y, "a", a)
        apart("matmul", y, "b", b)
    if bias is not None:
        bias = floating("matmul", "bias", bias, dtype)
        if bias.shape != (n,):
            raise ValueError(f"matmul: bias must have shape ({n},), got {bias.shape}")
        if out is not None:
            apart("matmul", y, "bias", bias)
    check_activation("matmul", name, alpha)
    if active.native:
        return _core.matmul(a, b, bias, y, transpose_a, transpose_b, name, alpha)
    y[...] = reference.matmul(
        a,
        b,
        transpose_a=transpose_a,
        transpose_b=transpose_b,
        bias=bias,
        activation=name,
        alpha=alpha if name in DEFAULT_ALPHA else None,
    )
    return y


def _matrix(name: str, x: ArrayLike) -> NDArray[Any]:
    """Return a factor as it is if it, or what it is the transpose of, can be read in place."""
    if (
        type(x) is np.ndarray
        and x.ndim == 2
        and (x.dtype is FLOAT32 or x.dtype is FLOAT64)
        and (rows_in_place(x) or (len(x) > 1 and rows_in_place(x.T)))
    ):
        return x
    return matrix("matmul", name, x)


def sum_rows(x: ArrayLike, *, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Add up the rows of a matrix: the gradient of a bias that was added to each row.

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
    try:
        if active.native:
            return _core.sum_rows(x, out)
    except UNFIT:
        pass
    x = matrix("sum_rows", "x", x)
    y = result("sum_rows", out, x.shape[1:], x.dtype)
    if out is not None:
        apart("sum_rows", y, "x", x)
    if active.native:
        return _core.sum_rows(x, y)
    y[...] = reference.sum_rows(x)
    return y
