"""Advice on valid arguments that are probably mistakes: data, outputs and losses."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from gyaku.findings import Finding
from gyaku.losses import CrossEntropy, SigmoidCrossEntropy, SoftmaxCrossEntropy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.losses import Loss
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Passes, Trainee

    Arrays = Sequence[NDArray[Any]]

__all__ = ["LARGEST", "advise", "doubts", "of_inputs", "of_new_inputs", "of_new_scales"]
__all__ += ["of_scales", "of_targets", "root_mean_square", "sample_rows"]

LARGEST = 16
"""Largest value of unscaled data that train well: booleans, counts, grey levels from 0 to 16."""

# Root mean square of a feature from which the weights of a new network are far too large.
_FAR = 100
# Kind of finding by loss and last operation of the model.
_UNSUITABLE: dict[tuple[type[Loss], str], str] = {
    (SoftmaxCrossEntropy, "softmax"): "doubled_softmax",
    **{(SoftmaxCrossEntropy, name): "bounded_logits" for name in ("sigmoid", "tanh", "relu")},
    (SigmoidCrossEntropy, "sigmoid"): "doubled_sigmoid",
    (CrossEntropy, "sigmoid"): "sigmoid_with_cross_entropy",
}
_advised: WeakSet[Trainee] = WeakSet()


def advise(owner: str, found: Sequence[Finding]) -> None:
    """Warn of findings.

    Parameters
    ----------
    owner : str
        The verb, for the warning.
    found : sequence of Finding
        The findings.
    """
    for each in found:
        warnings.warn(f"{owner}: {each}", stacklevel=4)


def of_new_inputs(model: Trainee, passes: Passes, x: Arrays) -> list[Finding]:
    """Return a finding of `of_inputs`, once a model.

    Parameters
    ----------
    model : Trainee
        The model.
    passes : Passes
        The passes of the model.
    x : sequence of ndarray
        Validated inputs.

    Returns
    -------
    list of Finding
        At most one.
    """
    for each in x:  # nearly always, no bytes
        if each.dtype.char == "B" and model not in _advised:
            if found := [*of_inputs(passes, x)][:1]:
                _advised.add(model)
            return found
    return []


def of_inputs(passes: Passes, x: Arrays) -> Iterator[Finding]:
    """Yield a finding for inputs of bytes that are multiplied by weights without scaling.

    Parameters
    ----------
    passes : Passes
        The passes of the model.
    x : sequence of ndarray
        Validated inputs.

    Yields
    ------
    Finding
        The findings.
    """
    for place, each in enumerate(x):
        if each.dtype.char != "B" or not passes.meets_weights(place):
            continue
        if (largest := int(each.max())) > LARGEST:
            yield Finding("byte_inputs", value=largest)


def of_new_scales(model: Trainee, passes: Passes, samples: Samples) -> list[Finding]:
    """Return a finding of `of_scales`, once a model.

    Parameters
    ----------
    model : Trainee
        The model.
    passes : Passes
        The passes of the model.
    samples : Samples
        The data set.

    Returns
    -------
    list of Finding
        At most one.
    """
    found = [] if model in _advised else [*of_scales(model.input_names, passes, samples)][:1]
    if found:
        _advised.add(model)
    return found


def of_scales(names: Sequence[str], passes: Passes, samples: Samples) -> Iterator[Finding]:
    """Yield a finding for numbers far above 1 that are multiplied by weights.

    Parameters
    ----------
    names : sequence of str
        Names of the inputs.
    passes : Passes
        The passes of the model.
    samples : Samples
        The data set. What is behind the ends of sequences may hold anything, and is not looked at.

    Yields
    ------
    Finding
        The findings.
    """
    x, lengths = samples.x, samples.lengths or [None] * len(samples.x)
    for place, (each, padded) in enumerate(zip(x, lengths, strict=True)):
        if type(each) is not np.ndarray or each.dtype.kind != "f" or padded is not None:
            continue
        largest = root_mean_square(each[sample_rows(len(each))])
        if largest > _FAR and passes.meets_weights(place):
            name = "x" if len(x) == 1 else f"x[{names[place]!r}]"
            yield Finding("unscaled_inputs", value=largest, facts={"name": name})


def sample_rows(count: int) -> NDArray[np.int64]:
    """Return the rows of a sample of a data set, evenly spaced.

    Parameters
    ----------
    count : int
        Number of rows.

    Returns
    -------
    ndarray of int64
        At most 256 rows, which show a fraction of 1/2 to 3 %.
    """
    return np.linspace(0, count - 1, min(256, count)).astype(np.int64)


def root_mean_square(x: NDArray[Any]) -> float:
    """Return the largest root mean square of a feature.

    Parameters
    ----------
    x : ndarray
        Samples, (samples, ..., features).

    Returns
    -------
    float
        The largest one.
    """
    squares = np.square(x.reshape(-1, x.shape[-1]), dtype=np.float64)
    return float(np.sqrt(squares.mean(axis=0)).max())


def of_targets(passes: Passes, x: Arrays, y: Arrays) -> Iterator[Finding]:
    """Yield a finding for bytes as targets of an autoencoder, which its outputs hardly reach.

    Parameters
    ----------
    passes : Passes
        The passes of the model.
    x, y : sequence of ndarray
        Validated inputs and targets.

    Yields
    ------
    Finding
        The findings.
    """
    sizes = {each[0].size for each in x}
    for value, each in zip(passes.outputs, y, strict=True):
        if each.dtype != np.uint8 or each[0].size not in sizes or passes.is_rescaled(value):
            continue
        if (largest := int(each.max())) > LARGEST:
            yield Finding("byte_targets", value=largest)


def doubts(passes: Passes, criterion: Criterion, shuffle: bool) -> Iterator[Finding]:
    """Yield findings on the model, its loss and the order of the samples.

    Parameters
    ----------
    passes : Passes
        The passes of the model.
    criterion : Criterion
        The losses of the outputs.
    shuffle : bool
        Whether the samples are shuffled.

    Yields
    ------
    Finding
        The findings.
    """
    yield from passes.doubts
    if passes.stateful and shuffle:
        yield Finding("shuffled_states", facts={"part": passes.stateful})
    for operation, loss in zip(passes.final_operations, criterion.losses, strict=True):
        for (kind, unsuitable), name in _UNSUITABLE.items():
            if isinstance(loss, kind) and operation == unsuitable:
                yield Finding(name)
