"""The data of a call as samples: inputs and targets of each input and output, checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.arguments import each_of
from gyaku.train.samples import Samples, inputs, targets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.criterion import Criterion
    from gyaku.train.trainee import Passes, Trainee

__all__ = ["checked_inputs", "checked_samples"]


def checked_inputs(
    owner: str,
    model: Trainee,
    x: object,
    shapes: Sequence[tuple[int, ...]] | None = None,
    part: str = "",
) -> list[NDArray[Any]]:
    """Return the inputs of a call.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    x : array_like
        The inputs, several as a tuple or a dict.
    shapes : sequence of tuple of int, optional
        The shapes of their samples, by default those that the model knows.
    part : str
        The argument that they are part of, for errors.

    Returns
    -------
    list of ndarray
        An array for each input, with the same number of samples.

    Raises
    ------
    ValueError
        If an array has the wrong shape or does not hold finite numbers.
    TypeError
        If one does not hold real numbers.
    """
    names, shapes = model.input_names, shapes or model.input_shapes
    if len(names) == 1:
        (given,) = each_of(owner, part + "x", x, names)
        shape = None if shapes is None else shapes[0]
        return [inputs(owner, part + "x", given, shape, model.dtype)]
    found = []
    for place, given in enumerate(each_of(owner, part + "x", x, names)):
        name, shape = f"{part}x[{names[place]!r}]", None if shapes is None else shapes[place]
        found.append(inputs(owner, name, given, shape, model.dtype))
        if len(found[-1]) != len(found[0]):
            raise ValueError(
                f"{owner}: {name} has {len(found[-1])} samples, the first input {len(found[0])}"
            )
    return found


def checked_samples(
    owner: str,
    model: Trainee,
    passes: Passes,
    x: list[NDArray[Any]],
    y: object,
    criterion: Criterion,
    part: str = "",
) -> Samples:
    """Return the samples of a call.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    passes : Passes
        Its passes, which need not be adopted yet.
    x : list of ndarray
        The inputs, from `checked_inputs`.
    y : array_like
        The targets, several as a tuple or a dict.
    criterion : Criterion
        The losses of the outputs.
    part : str
        The argument that they are part of, for errors.

    Returns
    -------
    Samples
        Inputs and targets.

    Raises
    ------
    ValueError
        If targets do not fit the inputs, the outputs or the losses.
    TypeError
        If they do not hold real numbers.
    """
    names = model.output_names
    given = each_of(owner, part + "y", y, names)
    wanted = []
    for place, (each, shape) in enumerate(zip(given, passes.output_shapes, strict=True)):
        name = f"{part}y[{names[place]!r}]" if len(names) > 1 else f"{part}y"
        # An autoencoder's targets may be one of its inputs, as bytes.
        like = next((each_x for each_x in x if each_x is each), x[0])
        loss = criterion.losses[place]
        wanted.append(targets(owner, name, each, like, shape, loss, model.dtype))
    return Samples(x, wanted)
