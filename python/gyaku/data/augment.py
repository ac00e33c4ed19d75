"""Augmentation: random shifts and flips of images in training."""

from __future__ import annotations

from gyaku.checks import whole

__all__ = ["Augment"]


class Augment:
    """Random shifts and flips of images while the batches of a training are gathered.

    Parameters
    ----------
    shift : int, default 0
        Largest shift in each direction in pixels, uniformly distributed; pixels from outside the
        image are zero.
    flip : bool, default False
        Whether to mirror an image, left to right, with probability 1/2.

    Raises
    ------
    TypeError
        If shift is no whole number or flip neither True nor False.
    ValueError
        If shift is negative.

    Notes
    -----
    It is an argument of ``fit``, for training alone: validation, ``evaluate`` and ``predict`` take
    images unchanged. Shift and flip of an image depend on seed, epoch and image alone, see
    `gyaku.ops.gather_images`. Targets stay unchanged, except those that are the very array of the
    inputs, as in an autoencoder: these are shifted and flipped with them. Digits should not be
    flipped, which changes their meaning.

    Examples
    --------
    >>> import gyaku as gk
    >>> (x, y), _ = gk.data.digits()
    >>> model = gk.Sequential(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(10))
    >>> shifts = gk.data.Augment(shift=1)
    >>> history = model.fit(x, y, loss="softmax_cross_entropy", augment=shifts, verbose=0)
    >>> history.epochs
    1
    """

    __slots__ = ("flip", "shift")

    def __init__(self, shift: int = 0, *, flip: bool = False) -> None:
        self.shift = whole("Augment", "shift", shift, least=0)
        if not isinstance(flip, bool):
            raise TypeError(f"Augment: flip must be True or False, got {flip!r}")
        self.flip = flip

    def __repr__(self) -> str:
        return f"Augment(shift={self.shift}, flip={self.flip})"
