"""The matrix product of dense layers, and the column sums that are their bias gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.activation import activate

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["matmul", "sum_rows"]


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def matmul(
    a: NDArray[Any],
    b: NDArray[Any],
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: NDArray[Any] | None = None,
    activation: str | None = None,
    alpha: float | None = None,
) -> NDArray[Any]:
    """Multiply two matrices, add a bias to each row, apply an activation function.

    Parameters
    ----------
    a : ndarray
        Matrix of shape (m, k), or (k, m) if it is to be transposed.
    b : ndarray
        Matrix of shape (k, n), or (n, k) if it is to be transposed.
    transpose_a : bool, default False
        Whether to transpose a.
    transpose_b : bool, default False
        Whether to transpose b.
    bias : ndarray or None, optional
        Row of shape (n,) that is added to each row of the product.
    activation : str or None, optional
        Name of an activation function.
    alpha : float or None, optional
        Parameter of the activation function.

    Returns
    -------
    ndarray
        Matrix of shape (m, n).

    Notes
    -----
    y = f(op(a) op(b) + bias). The gradients are products again: with z the argument of f and
    nothing transposed, da = dz bᵀ, db = aᵀ dz, and the bias gets the column sums of dz. Rumelhart,
    Hinton and Williams, "Learning representations by back-propagating errors", Nature 323 (1986).

    Examples
    --------
    >>> matmul(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), bias=np.array([0.5]))
    array([[11.5]])
    """
    z = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    if bias is not None:
        z = z + bias
    return activate(z, activation, alpha)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def sum_rows(x: NDArray[Any]) -> NDArray[Any]:
    """Add up the rows of a matrix.

    Parameters
    ----------
    x : ndarray
        Matrix of shape (m, n).

    Returns
    -------
    ndarray
        The n column sums; zeros if there is no row.

    Notes
    -----
    y_j = Σ_i x_ij.

    Examples
    --------
    >>> sum_rows(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    return np.asarray(x.sum(axis=0))
