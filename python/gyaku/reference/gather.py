"""Rows of a data set in a given order and on another scale, and the counter that walks through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.random import DATA_STREAM, random_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["advance", "gather", "gather_images", "rescale"]


def gather(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    out: NDArray[Any],
    *,
    scale: float = 1.0,
) -> NDArray[Any]:
    """Collect the next rows of a data set.

    Parameters
    ----------
    source : ndarray
        The data set, of shape (m, ...).
    order : ndarray
        Row numbers, int64 of shape (k,).
    cursor : ndarray
        Place in the order of the first row, int64 of shape (1,).
    out : ndarray
        Array whose length and dtype the result takes; it is left alone.
    scale : float, default 1.0
        What the numbers are multiplied by.

    Returns
    -------
    ndarray
        The rows, as many as out has.

    Notes
    -----
    y_i = scale source[order[cursor + i]].

    Examples
    --------
    >>> import numpy as np
    >>> source = np.array([[10], [20], [30]], np.uint8)
    >>> gather(source, np.array([2, 0, 1]), np.array([1]), np.empty((2, 1)), scale=0.5)
    array([[ 5.],
           [10.]])
    """
    first = int(cursor[0])
    rows = source[order[first : first + len(out)]].astype(out.dtype)
    scaled: NDArray[Any] = rows if scale == 1 else rows * scale
    return scaled


def gather_images(
    source: NDArray[Any],
    order: NDArray[Any],
    cursor: NDArray[Any],
    epoch: NDArray[Any],
    out: NDArray[Any],
    *,
    scale: float = 1.0,
    shift: int = 0,
    flip: bool = False,
    seed: int = 0,
) -> NDArray[Any]:
    """Collect the next images of a data set, each moved and mirrored at random.

    Parameters
    ----------
    source : ndarray
        The data set, of shape (m, height, width, channels).
    order : ndarray
        Row numbers, int64 of shape (k,).
    cursor : ndarray
        Place in the order of the first row, int64 of shape (1,).
    epoch : ndarray
        The epoch, int64 of shape (1,): new random numbers for each.
    out : ndarray
        Array whose length and dtype the result takes; it is left alone.
    scale : float, default 1.0
        What the numbers are multiplied by.
    shift : int, default 0
        By how many pixels at most an image moves in each direction.
    flip : bool, default False
        Whether half of the images have left and right exchanged, before they move.
    seed : int, default 0
        Seed of the random numbers.

    Returns
    -------
    ndarray
        The images, as many as out has; what moves in from outside is zero.

    Notes
    -----
    y[i, r + d, q + e] = scale source[m, r, q or width - 1 - q], m = order[cursor + i]. With the
    random words w of block m at step 2⁶³ + epoch of the stream that orders the samples,
    d = ⌊w₀ (2 shift + 1) / 2³²⌋ - shift, e the same of w₁, and w₂ ≥ 2³¹ mirrors. So it depends on
    seed, epoch and sample alone. Simard, Steinkraus and Platt, "Best practices for convolutional
    neural networks applied to visual document analysis", ICDAR 2003.

    Examples
    --------
    >>> source = np.array([1, 2, 3], np.uint8).reshape(1, 1, 3, 1)
    >>> out, start = np.empty((1, 1, 3, 1)), np.array([0])
    >>> for epoch in range(1, 4):
    ...     images = gather_images(source, start, start, np.array([epoch]), out, flip=True)
    ...     print(images.ravel())
    [3. 2. 1.]
    [1. 2. 3.]
    [3. 2. 1.]
    """
    images = gather(source, order, cursor, out, scale=scale)
    first, (height, width) = int(cursor[0]), images.shape[1:3]
    rows = order[first : first + len(out)]
    words = random_words(rows, seed=seed, stream=DATA_STREAM, step=2**63 + int(epoch[0]))
    moves = (words[:, :2].astype(np.int64) * (2 * shift + 1) >> 32) - shift
    moved = np.zeros_like(images)
    for i, ((down, right), word) in enumerate(zip(moves.tolist(), words[:, 2], strict=True)):
        image = images[i, :, ::-1] if flip and word >= 2**31 else images[i]
        moved[i, max(down, 0) : height + down, max(right, 0) : width + right] = image[
            max(-down, 0) : height - down, max(-right, 0) : width - right
        ]
    return moved


def rescale(x: NDArray[Any], *, scale: float, offset: float = 0.0) -> NDArray[Any]:
    """Multiply an array by a number and add another one.

    Parameters
    ----------
    x : ndarray
        Input.
    scale : float
        The factor.
    offset : float, default 0.0
        The number that is added to the products.

    Returns
    -------
    ndarray
        The result, of the shape of x.

    Notes
    -----
    y = scale x + offset; its gradient with respect to x is scale dy.

    Examples
    --------
    >>> rescale(np.array([0.0, 127.5, 255.0]), scale=2 / 255, offset=-1.0)
    array([-1.,  0.,  1.])
    """
    scaled: NDArray[Any] = x * scale
    return scaled + offset if offset else scaled


def advance(counter: NDArray[Any], amount: int) -> NDArray[Any]:
    """Move a counter on.

    Parameters
    ----------
    counter : ndarray
        The counter, int64 of shape (1,).
    amount : int
        What is added to it.

    Returns
    -------
    ndarray
        The new counter.

    Notes
    -----
    counter + amount.

    Examples
    --------
    >>> import numpy as np
    >>> advance(np.array([3]), 2)
    array([5])
    """
    return counter + amount
