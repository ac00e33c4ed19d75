"""Augmentation: images that are never quite the same twice."""

from __future__ import annotations

from gyaku.checks import whole

__all__ = ["Augment"]


class Augment:
    """What happens to the images of a training while its batches are collected.

    Parameters
    ----------
    shift : int, default 0
        By how many pixels at most an image moves in each direction, all places as likely; what
        moves in from outside is zero.
    flip : bool, default False
        Whether left and right of an image are exchanged, half of the time.

    Raises
    ------
    TypeError
        If shift is no whole number or flip neither True nor False.
    ValueError
        If shift is negative.

    Notes
    -----
    It goes to ``fit`` and is for training alone: validation, ``evaluate`` and ``predict`` see
    images as they are. What happens to an image depends on the training's seed, the epoch and the
    image alone, see `gyaku.ops.gather_images`. Targets stay as they are, except those that are the
    very array of the inputs, as an autoencoder has them: these move with them. A digit should not
    be flipped: that changes what it means.

    Examples
    --------
    >>> import gyaku as gk
    >>> (x, y), _ = gk.data.digits()
    >>> model = gk.Sequential(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(10))
    >>> moved = gk.data.Augment(shift=1)
    >>> history = model.fit(x, y, loss="softmax_cross_entropy", augment=moved, verbose=0)
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
