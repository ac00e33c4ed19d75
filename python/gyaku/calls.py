"""Calls of functions of the user: the rows of a batch that count, with their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["argument_names", "real_rows", "takes_weights"]


def argument_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of the arguments of a function.

    Parameters
    ----------
    function : callable
        The function.

    Returns
    -------
    tuple of str
        The names; () if its signature is unknown.
    """
    import inspect  # deferred, since it takes 5 ms

    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


def takes_weights(function: Callable[..., Any]) -> bool:
    """Return whether a function has the argument `sample_weight`.

    Parameters
    ----------
    function : callable
        The function.

    Returns
    -------
    bool
        Whether it does; False if its signature is unknown.

    Examples
    --------
    >>> takes_weights(lambda y, t, sample_weight=None: 0.0), takes_weights(max)
    (True, False)
    """
    return "sample_weight" in argument_names(function)


def real_rows(
    steps: int, lengths: NDArray[np.int64] | None, sample_weight: NDArray[np.float64] | None
) -> tuple[Any, dict[str, NDArray[np.float64]]]:
    """Return the index of the rows of a batch that count, and their weights.

    Parameters
    ----------
    steps : int
        Number of time steps of the batch, if there are lengths.
    lengths : ndarray of int64 or None
        Lengths of padded sequences: each real step is a row then.
    sample_weight : ndarray of float64 or None
        Weights of samples or positions.

    Returns
    -------
    real : object
        Index of outputs and targets, ``...`` for all.
    more : dict of str to ndarray
        The weights of these rows as the argument `sample_weight`, empty without weights.

    Examples
    --------
    >>> real, more = real_rows(3, np.array([1, 2]), np.array([1.0, 0.5]))
    >>> np.arange(6).reshape(2, 3)[real], more
    (array([0, 3, 4]), {'sample_weight': array([1. , 0.5, 0.5])})
    """
    if lengths is None:
        return ..., {} if sample_weight is None else {"sample_weight": sample_weight}
    real = np.arange(steps) < lengths[:, np.newaxis]
    if sample_weight is None:
        return real, {}
    if sample_weight.ndim == 1:
        sample_weight = np.broadcast_to(sample_weight[:, np.newaxis], real.shape)
    return real, {"sample_weight": sample_weight[real]}
