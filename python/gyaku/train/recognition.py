"""Recognition of the kind of data: arrays in memory, arrays on disk, an iterable of batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import each_of
from gyaku.train.arrays import Arrays
from gyaku.train.batches import Batches, yields_batches
from gyaku.train.on_disk import OnDisk, is_on_disk

if TYPE_CHECKING:
    from gyaku.train.dataset import Given
    from gyaku.train.read_ahead import ReadAhead
    from gyaku.train.source import Source
    from gyaku.train.trainee import Trainee

__all__ = ["read_ahead_of", "source_of"]


def source_of(
    owner: str, model: Trainee, given: Given, *, steps: int | None = None, part: str = ""
) -> Source:
    """Return the data of a call.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    given : Given
        Iterable, function or arrays.
    steps : int, optional
        Number of batches of an iterable that make an epoch.
    part : str
        Prefix of the arguments' names, for errors.

    Returns
    -------
    Source
        The data, not validated yet.

    Raises
    ------
    TypeError
        If an iterable has targets beside it, or arrays have none.
    """
    found = read_ahead_of(owner, model, given, steps=steps, part=part)
    return found or Arrays(owner, given, part)


def read_ahead_of(
    owner: str, model: Trainee, given: Given, *, steps: int | None = None, part: str = ""
) -> ReadAhead | None:
    """Return the data of a call that a thread is to read, None if all are in memory.

    Parameters
    ----------
    owner, model, given, steps, part : object
        See `source_of`.

    Returns
    -------
    Batches or OnDisk or None
        The data, not validated yet.

    Raises
    ------
    TypeError
        If an iterable has targets beside it, or arrays have none.
    """
    x, y, lengths, weights = given
    if type(x) is np.ndarray:  # nearly always, and no memory map
        return None
    names = model.input_names, () if owner == "predict" else model.output_names
    if yields_batches(x):
        if y is not None or lengths is not None:
            other = "lengths" if y is None else "y"
            raise TypeError(
                f"{owner}: {part}x is a {type(x).__name__}, whose batches hold their own {other};"
                f" leave {other} out, or give np.array(list({part}x)) if it yields single samples"
            )
        return Batches(owner, x, *names, steps=steps, part=part)
    if not any(map(is_on_disk, x.values() if isinstance(x, dict) else _elements(x, names[0]))):
        return None
    arrays = each_of(owner, f"{part}x", x, names[0])
    if y is None and owner != "predict":
        raise TypeError(f"{owner}: {part}y must be an array of samples, got None")
    targets = () if y is None else each_of(owner, f"{part}y", y, names[1])
    known = None if lengths is None else each_of(owner, f"{part}lengths", lengths, names[0])
    return OnDisk(owner, arrays, targets, known, weights, names=names, part=part)


def _elements(x: object, names: tuple[str, ...]) -> tuple[object, ...]:
    """Return the arrays for several inputs, or the one."""
    return tuple(x) if len(names) > 1 and isinstance(x, (tuple, list)) else (x,)
