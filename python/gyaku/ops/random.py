"""Random numbers as a function of where they are used: dropout and permutations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import INT64, UNFIT, allocate, buffer, floating

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["dropout", "permutation"]


def check_seed(op: str, seed: int) -> None:
    """Refuse what is no seed of the random numbers.

    Parameters
    ----------
    op : str
        The operation, for the error.
    seed : int
        The seed.

    Raises
    ------
    ValueError
        If it does not have 64 bits.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"{op}: seed must be 0 to 2^64 - 1, got {seed}")


def dropout(
    x: ArrayLike, clock: NDArray[Any], *, rate: float, seed: int, stream: int
) -> NDArray[Any]:
    """Set a random share of the values to zero and scale the others up.

    The operation is its own gradient: apply it to dy with the same clock.

    Parameters
    ----------
    x : array_like
        Input of any shape, or the gradient of the loss by the output.
    clock : ndarray
        The step, int64 of shape (1,): a new mask for each.
    rate : float
        Share of values that become zero, in [0, 1).
    seed : int
        Seed of the random numbers, 0 to 2^64 - 1.
    stream : int
        Which dropout of the model this is, 0 to 2^32 - 2.

    Returns
    -------
    ndarray
        Output of the same shape, or the gradient of the loss by the input.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or clock is no int64 array.
    ValueError
        If clock has another shape, or rate, seed or stream is out of range.

    Notes
    -----
    y = x / (1 - rate) where kept, else 0; Srivastava et al., "Dropout: a simple way to prevent
    neural networks from overfitting", JMLR 15 (2014), in the inverted form that leaves prediction
    alone. The random numbers are Philox4x32-10 (Salmon et al., SC 2011), so the mask depends on
    seed, stream, step and position alone; `gyaku.reference.dropout` says how.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> ops.dropout(np.ones(8), np.array([1]), rate=0.5, seed=0, stream=0)
    array([0., 2., 0., 0., 2., 0., 2., 0.])
    """
    try:
        if active.native:
            return _core.dropout(x, clock, None, rate, seed, stream)
    except UNFIT:
        pass
    x = floating("dropout", "x", x)
    buffer("dropout", "clock", clock, INT64, (1,), written=False)
    if not 0 <= rate < 1:
        raise ValueError(f"dropout: rate must be at least 0 and below 1, got {rate}")
    check_seed("dropout", seed)
    if not 0 <= stream < 2**32 - 1:  # the last stream shuffles the samples
        raise ValueError(f"dropout: stream must be 0 to 2^32 - 2, got {stream}")
    if active.native:
        return _core.dropout(x, clock, None, rate, seed, stream)
    y = allocate("dropout", x.shape, x.dtype)
    y[...] = reference.dropout(x, clock, rate=rate, seed=seed, stream=stream)
    return y


def permutation(order: NDArray[Any], n: int, *, seed: int, first_epoch: int) -> None:
    """Shuffle the numbers below n once for each of several epochs, in place.

    Parameters
    ----------
    order : ndarray
        Where the k permutations go one after the other, int64 of shape (k n,).
    n : int
        How many numbers to shuffle, at least one.
    seed : int
        Seed of the random numbers, 0 to 2^64 - 1.
    first_epoch : int
        The epoch of the first permutation.

    Raises
    ------
    TypeError
        If order is no int64 array.
    ValueError
        If the length of order is no multiple of n, or a number is out of range.

    Notes
    -----
    Fisher and Yates's shuffle (Durstenfeld, "Algorithm 235: Random permutation", CACM 7, 1964) on
    Philox4x32-10, so that the order depends on seed and epoch alone.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> order = np.empty(5, np.int64)
    >>> ops.permutation(order, 5, seed=0, first_epoch=0)
    >>> order
    array([3, 2, 1, 0, 4])
    """
    try:
        if active.native:
            _core.permutation(order, n, seed, first_epoch)
            return
    except UNFIT:
        pass
    buffer("permutation", "order", order, INT64)
    if n < 1:
        raise ValueError(f"permutation: n must be at least 1, got {n}")
    if order.ndim != 1 or len(order) % n:
        raise ValueError(
            f"permutation: order must hold whole permutations of {n}, got shape {order.shape}"
        )
    check_seed("permutation", seed)
    if not 0 <= first_epoch < 2**63:
        raise ValueError(f"permutation: first_epoch must be at least 0, got {first_epoch}")
    if active.native:
        _core.permutation(order, n, seed, first_epoch)
    else:
        order[...] = reference.permutation(order, n, seed=seed, first_epoch=first_epoch)
