"""Validation of the data of a call: arrays for each input, targets for each output."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.checks import each_of
from gyaku.ops.arrays import lengths_of
from gyaku.train.columns import check_columns
from gyaku.train.conversion import scaled
from gyaku.train.samples import Samples, inputs, same_memory, targets
from gyaku.train.weights import weighted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.criterion import Criterion
    from gyaku.train.trainee import Passes, Trainee

    Lengths = Sequence[NDArray[np.int64] | None]

__all__ = ["Given", "checked_inputs", "checked_lengths", "checked_samples", "validated"]


class Given(NamedTuple):
    """The data of a call, as they were given.

    Parameters
    ----------
    x, y, lengths, weights : object
        Inputs, targets, lengths and weights.
    """

    x: object
    y: object = None
    lengths: object = None
    weights: object = None


def checked_inputs(
    owner: str,
    model: Trainee,
    x: object,
    passes: Passes | None = None,
    part: str = "",
) -> list[NDArray[Any]]:
    """Validate the inputs of a call.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    x : array_like
        The inputs, several as a tuple or a dict.
    passes : Passes, optional
        The passes of the model, adopted or not; by default those of a built model.
    part : str
        Prefix of the argument's name, for errors.

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
    if model.columns and owner != "fit":  # which learns them
        check_columns(owner, part, x, model.input_names, model.columns)
    if passes is None and model.built:
        passes = model.passes(())
    shapes = model.input_shapes if passes is None else passes.input_shapes
    any_steps = passes is not None and passes.any_steps
    names, found = model.input_names, []
    for place, given in enumerate(each_of(owner, part + "x", x, names)):
        name = f"{part}x[{names[place]!r}]" if len(names) > 1 else f"{part}x"
        shape = None if shapes is None else shapes[place]
        kind = model.input_dtypes[place]
        array = inputs(owner, name, given, shape, model.dtype, kind, any_steps)
        if model.input_dtypes[place]:
            model.check_indices(owner, name, place, array)
        if model.scales_bytes and array.dtype == np.uint8:
            array = scaled(array, model.dtype)
        found.append(array)
        if len(found[-1]) != len(found[0]):
            raise ValueError(
                f"{owner}: {name} has {len(found[-1])} samples, the first input {len(found[0])}"
            )
    return found


def checked_lengths(
    owner: str,
    model: Trainee,
    passes: Passes,
    lengths: object,
    x: Sequence[NDArray[Any]],
    part: str = "",
) -> Lengths:
    """Validate the lengths of the inputs of a call.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    passes : Passes
        The passes of the model, adopted or not.
    lengths : array_like or None
        Numbers of real steps, (samples,); for several inputs a tuple or a dict, with None for those
        that are not padded.
    x : sequence of ndarray
        The inputs, the result of `checked_inputs`.
    part : str
        Prefix of the argument's name, for errors.

    Returns
    -------
    sequence of ndarray of int64 or None
        An array for each input that is padded; () if none is.

    Raises
    ------
    ValueError
        If there is not one for each sample, one is out of range, or nothing depends on them.
    TypeError
        If they are no integers.
    """
    if lengths is None:
        return ()
    names, found = model.input_names, []
    given = each_of(owner, part + "lengths", lengths, names)
    for name, each, array in zip(names, given, x, strict=True):
        name = f"{part}lengths[{name!r}]" if len(names) > 1 else f"{part}lengths"
        found.append(lengths_of(owner, each, *array.shape[:2], name=name))
    if not passes.depends_on(passes.lengths(x, found)):
        raise ValueError(
            f"{owner}: {part}lengths reach no output and no layer that takes them; they travel"
            " through layers whose outputs have as many steps as their inputs"
        )
    return found


def checked_samples(
    owner: str,
    model: Trainee,
    passes: Passes,
    x: tuple[object, list[NDArray[Any]]],
    y: object,
    criterion: Criterion,
    lengths: Lengths = (),
    part: str = "",
) -> Samples:
    """Validate the inputs and targets of a call.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    passes : Passes
        The passes of the model, adopted or not.
    x : pair of array_like and list of ndarray
        The inputs as given, and the result of `checked_inputs`.
    y : array_like
        The targets, several as a tuple or a dict.
    criterion : Criterion
        The losses of the outputs.
    lengths : sequence of ndarray of int64 or None
        The result of `checked_lengths`.
    part : str
        Prefix of the argument's name, for errors.

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
    wanted, found = [], passes.lengths(x[1], lengths)
    shapes = passes.output_shapes_of(x[1][0].shape[1:])
    for place, (each, shape) in enumerate(zip(given, shapes, strict=True)):
        name = f"{part}y[{names[place]!r}]" if len(names) > 1 else f"{part}y"
        loss = criterion.losses[place]
        if loss.takes != "classes":
            each = _as_input(model, each, *x)
        known = found.get(passes.outputs[place])
        wanted.append(targets(owner, name, each, x[1][0], shape, loss, model.dtype, known))
    return Samples(x[1], wanted, lengths=lengths)


def _as_input(model: Trainee, y: object, x: object, checked: list[NDArray[Any]]) -> object:
    """Return the validated input in place of a target that is the same array (autoencoders)."""
    for each, found in zip(each_of("fit", "x", x, model.input_names), checked, strict=True):
        if isinstance(each, np.ndarray) and isinstance(y, np.ndarray):
            both = each.flags.c_contiguous and y.flags.c_contiguous
            if both and same_memory(each, y):
                return found.reshape(y.shape)
    return y


def validated(
    owner: str,
    model: Trainee,
    criterion: Criterion | None,
    given: Given,
    passes: Passes | None = None,
    part: str = "",
) -> tuple[Passes, Samples]:
    """Validate the data of a call.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    criterion : Criterion or None
        Losses and metrics; None without targets.
    given : Given
        The data.
    passes : Passes, optional
        The passes of the model, adopted or not; by default those for these inputs.
    part : str
        Prefix of the arguments' names, for errors.

    Returns
    -------
    passes : Passes
        The passes.
    samples : Samples
        The arrays.

    Raises
    ------
    ValueError
        If an array does not fit the model.
    TypeError
        If one does not hold real numbers.
    """
    x = checked_inputs(owner, model, given.x, passes, part)
    passes = passes or model.passes([each.shape[1:] for each in x])
    lengths = checked_lengths(owner, model, passes, given.lengths, x, part)
    if criterion is None:
        return passes, Samples(x, [], lengths=lengths)
    pair = given.x, x
    samples = checked_samples(owner, model, passes, pair, given.y, criterion, lengths, part)
    outputs = model.output_names
    return passes, weighted(owner, samples, given.weights, outputs, passes, criterion, part)
