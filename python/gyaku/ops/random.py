"""Counter-based random numbers: dropout and permutations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.ops.arrays import INT64, buffer, floating
from gyaku.ops.op import like_first, operation, per_element, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["dropout", "permutation"]


def check_seed(op: str, seed: int) -> None:
    """Raise if a seed is not an unsigned integer of 64 bits.

    Parameters
    ----------
    op : str
        Operation, for the error.
    seed : int
        The seed.

    Raises
    ------
    ValueError
        If it is out of range.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"{op}: seed must be 0 to 2^64 - 1, got {seed}")


@operation(
    _core.dropout,
    inputs="x clock",
    outputs="y",
    shapes=like_first,
    flops=per_element(2),
    gradient="dropout",
    roundings=3,
)
def dropout(
    x: ArrayLike, clock: NDArray[Any], *, rate: float, seed: int, stream: int
) -> NDArray[Any]:
    """Set a random fraction of the elements to zero and scale the others up.

    The operation is its own gradient: apply it to dy at the same step.

    Parameters
    ----------
    x : array_like
        Input of any shape, or the gradient with respect to the output.
    clock : ndarray
        Step counter, int64 of shape (1,); the mask depends on it.
    rate : float
        Fraction of the elements to set to zero, in [0, 1).
    seed : int
        Seed of the random numbers, 0 to 2^64 - 1.
    stream : int
        Number of this dropout in the model, 0 to 2^32 - 2.

    Returns
    -------
    ndarray
        Output of the same shape, or the gradient with respect to the input.

    Raises
    ------
    TypeError
        If x does not hold real numbers, or clock is no int64 array.
    ValueError
        If clock has another shape, or rate, seed or stream is out of range.

    Notes
    -----
    y = x / (1 - rate) where kept, else 0; Srivastava et al., "Dropout: a simple way to prevent
    neural networks from overfitting", JMLR 15 (2014), in the inverted form, which needs no
    scaling in prediction. The random numbers are Philox4x32-10 (Salmon et al., SC 2011), so the
    mask depends on seed, stream, step and position alone; `gyaku.reference.dropout` is the
    definition.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> ops.dropout(np.ones(8), np.array([1]), rate=0.5, seed=0, stream=0)
    array([0., 2., 0., 0., 2., 0., 2., 0.])
    """
    op = "dropout"
    x = floating(op, "x", x)
    buffer(op, "clock", clock, INT64, (1,), written=False)
    if not 0 <= rate < 1:
        raise ValueError(f"{op}: rate must be at least 0 and below 1, got {rate}")
    check_seed(op, seed)
    if not 0 <= stream < 2**32 - 1:  # the last stream is that of the data
        raise ValueError(f"{op}: stream must be 0 to 2^32 - 2, got {stream}")
    return prepared(x=x)


@operation(
    _core.permutation,
    inputs="",
    outputs="order",
    shapes=like_first,
    flops=lambda _inputs, _outputs: 0,
    in_place=True,
    no_gradient="integers are not trained",
    exact="integers are shuffled",
)
def permutation(order: NDArray[Any], n: int, *, seed: int, first_epoch: int) -> None:
    """Shuffle the integers below n once for each of several epochs, in place.

    Parameters
    ----------
    order : ndarray
        Array for k permutations one after the other, int64 of shape (k n,).
    n : int
        Number of integers to shuffle, at least one.
    seed : int
        Seed of the random numbers, 0 to 2^64 - 1.
    first_epoch : int
        Epoch of the first permutation.

    Raises
    ------
    TypeError
        If order is no int64 array.
    ValueError
        If the length of order is no multiple of n, or another argument is out of range.

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
    op = "permutation"
    buffer(op, "order", order, INT64)
    if n < 1:
        raise ValueError(f"{op}: n must be at least 1, got {n}")
    if order.ndim != 1 or len(order) % n:
        raise ValueError(
            f"{op}: order must hold whole permutations of {n}, got shape {order.shape}"
        )
    check_seed(op, seed)
    if not 0 <= first_epoch < 2**63:
        raise ValueError(f"{op}: first_epoch must be at least 0, got {first_epoch}")
