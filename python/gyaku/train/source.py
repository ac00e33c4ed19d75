"""Sources of data that are not arrays in memory: their recognition, and what they cannot do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import each_of
from gyaku.train.batches import Batches, yields_batches
from gyaku.train.on_disk import OnDisk, is_on_disk

if TYPE_CHECKING:
    from gyaku.train.trainee import Trainee

    Source = Batches | OnDisk

__all__ = ["check_arguments", "check_passes", "source_of"]


def source_of(
    owner: str,
    model: Trainee,
    x: object,
    y: object,
    lengths: object = None,
    *,
    steps: int | None = None,
    part: str = "",
) -> Source | None:
    """Return the source of the data of a call, unless they are arrays in memory.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    x, y, lengths : object
        The arguments: iterable, function or arrays.
    steps : int, optional
        Number of batches of an iterable that make an epoch.
    part : str
        Prefix of the arguments' names, for errors.

    Returns
    -------
    Batches or OnDisk or None
        The source; None if `x` is in memory.

    Raises
    ------
    TypeError
        If an iterable has targets beside it, or arrays have none.
    """
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
    given = each_of(owner, f"{part}x", x, names[0])
    if y is None and owner != "predict":
        raise TypeError(f"{owner}: {part}y must be an array of samples, got None")
    targets = () if y is None else each_of(owner, f"{part}y", y, names[1])
    known = None if lengths is None else each_of(owner, f"{part}lengths", lengths, names[0])
    return OnDisk(owner, given, targets, known, names=names, part=part)


def _elements(x: object, names: tuple[str, ...]) -> tuple[object, ...]:
    """Return the arrays for several inputs, or the one."""
    return tuple(x) if len(names) > 1 and isinstance(x, (tuple, list)) else (x,)


def check_arguments(owner: str, source: Source, **given: bool) -> None:
    """Raise if an argument was given that is for arrays in memory.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    source : Batches or OnDisk
        The data.
    **given : bool
        Whether each argument was given.

    Raises
    ------
    ValueError
        If one was.
    """
    for name, is_given in given.items():
        if is_given and name in source.refused:
            raise ValueError(f"{owner}: {name} is not for {source.kind}; {source.refused[name]}")


def check_passes(source: object, passes: int) -> None:
    """Raise if an iterator would have to be passed over again.

    Parameters
    ----------
    source : Batches or OnDisk or Samples or None
        The data.
    passes : int
        Number of passes.

    Raises
    ------
    ValueError
        If it would.
    """
    if isinstance(source, Batches) and source.once and source.steps is None and passes > 1:
        hint = "" if source.part else ", or steps_per_epoch if it has no end"
        raise ValueError(
            f"{source.owner}: {source.name} is an iterator, which is passed over once, but"
            f" {passes} passes are needed; give a function that makes one{hint}"
        )
