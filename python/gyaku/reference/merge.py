"""Sums, products, concatenations of arrays: where the branches of a graph meet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["add", "copy_columns", "divide", "multiply", "subtract", "take_columns"]


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def add(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return y = a + b; the gradient with respect to a and to b is dy."""
    return np.asarray(a + b)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def subtract(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return y = a - b; the gradient with respect to a is dy, that with respect to b is -dy."""
    return np.asarray(a - b)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def multiply(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return y = a b; the gradient with respect to a is b dy, that with respect to b is a dy."""
    return np.asarray(a * b)


@np.errstate(all="ignore")  # infinities are values here
def divide(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return y = a / b; the gradients are dy / b and -y dy / b."""
    return np.asarray(a / b)


def copy_columns(x: NDArray[Any], out: NDArray[Any], *, start: int) -> NDArray[Any]:
    """Return y[..., start + j] = x[..., j], for j < c."""
    y = out.copy()
    y[..., start : start + x.shape[-1]] = x
    return y


def take_columns(x: NDArray[Any], *, start: int, count: int) -> NDArray[Any]:
    """Return y[..., j] = x[..., start + j], for j < count: the gradient of `copy_columns`."""
    return x[..., start : start + count].copy()
