"""Names of the columns of data frames, which are those of the training, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import each_of
from gyaku.train.frames import is_array

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_columns", "columns_of"]

Names = tuple[str, ...]


def columns_of(owner: str, x: object, inputs: Sequence[str]) -> tuple[Names, ...]:
    """Return the names of the columns of the frames among some inputs.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    x : array_like
        The inputs, several as a tuple or a dict.
    inputs : sequence of str
        Names of the inputs.

    Returns
    -------
    tuple of tuple of str
        Names for each input, () for those that have none; () if none has any.
    """
    found = tuple(_names(each) for each in each_of(owner, "x", x, inputs))
    return found if any(found) else ()


def check_columns(
    owner: str, part: str, x: object, inputs: Sequence[str], known: Sequence[Names]
) -> None:
    """Raise if the columns of a frame are not those of the training, in their order.

    Parameters
    ----------
    owner, part : str
        Function, and prefix of the argument's name, for errors.
    x : array_like
        The inputs, several as a tuple or a dict.
    inputs : sequence of str
        Names of the inputs.
    known : sequence of tuple of str
        Result of `columns_of` in the training.

    Raises
    ------
    ValueError
        If there are others, or the same in another order.
    """
    if not known:
        return
    given = each_of(owner, f"{part}x", x, inputs)
    for place, (each, wanted) in enumerate(zip(given, known, strict=True)):
        found = _names(each) if wanted else ()
        if not found or found == wanted:
            continue
        name = f"x[{inputs[place]!r}]" if len(inputs) > 1 else "x"
        begin = f"{owner}: {part}{name} must have the columns of the training, but"
        lacking = [f"lacks {each!r}" for each in wanted if each not in found][:1]
        new = [f"has {each!r}" for each in found if each not in wanted][:1]
        if lacking or new:
            raise ValueError(f"{begin} {' and '.join([*lacking, *new])}")
        if len(found) == len(wanted):  # else the number of features is what is wrong
            raise ValueError(
                f"{begin} has them in another order; {name}[[*model.columns[{place}]]] has theirs"
            )


def _names(given: object) -> Names:
    """Return the names of a frame's columns, () if it has no names or is no frame."""
    if is_array(given):
        return ()
    names = getattr(given, "columns", ())
    found = tuple(names) if hasattr(names, "__iter__") else ()
    return found if all(isinstance(each, str) for each in found) else ()
