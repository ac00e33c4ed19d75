"""The numerical gradient of the textbook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["numerical_gradient"]


def numerical_gradient(f: Callable[[NDArray[Any]], Any], x: Any) -> NDArray[Any]:
    """Return the gradient of a function by central differences.

    Parameters
    ----------
    f : callable
        Function of `x` that returns a number.
    x : ndarray of float
        The point, of any shape. It is changed in place, one element at a time, and restored, so
        that `f` may also read it elsewhere, as a parameter of a network.

    Returns
    -------
    ndarray
        The gradient ``(f(x + h) - f(x - h)) / 2h`` with ``h = 1e-4``, in shape and dtype of `x`.

    Raises
    ------
    TypeError
        If `x` is no array of floating-point numbers.

    Examples
    --------
    >>> import numpy as np
    >>> numerical_gradient(lambda x: (x**2).sum(), np.array([3.0, 4.0])).round(6)
    array([6., 8.])
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise TypeError(f"numerical_gradient: x must be an array of floats, got {kind}")
    h = 1e-4
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        value = x[at]
        x[at] = value + h
        above = f(x)
        x[at] = value - h
        gradient[at] = (above - f(x)) / (2 * h)
        x[at] = value
    return gradient
