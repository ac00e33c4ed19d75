"""The matrix product of dense layers, and the column sums of their bias gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.precision import operand
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
    independent_rows: bool = False,
) -> NDArray[Any]:
    """Multiply matrices, add a bias, apply an activation function."""
    del independent_rows
    # y = f(op(a) op(b) + bias). The gradients are products again: with z the argument of f
    # and nothing transposed, da = dz bᵀ, db = aᵀ dz, and the bias gets the column sums of dz.
    a, b = operand(a), operand(b)
    z = (a.swapaxes(-1, -2) if transpose_a else a) @ (b.swapaxes(-1, -2) if transpose_b else b)
    if bias is not None:
        z = z + bias
    return activate(z, activation, alpha)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def sum_rows(x: NDArray[Any]) -> NDArray[Any]:
    """Return y_j = Σ_i x_ij."""
    return np.asarray(operand(x).sum(axis=0))
