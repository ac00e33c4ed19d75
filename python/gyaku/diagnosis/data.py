"""Findings on data: scales of inputs and targets, balance of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.findings import Finding
from gyaku.train.advice import LARGEST, root_mean_square, sample_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.losses import Loss
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Passes, Trainee

    Array = NDArray[Any]

__all__ = ["FEWEST", "of_data", "spread"]

FEWEST = 32
"""Smallest number of samples that show a fraction of 1/2 with a standard error below 0.1."""

# Inputs of variance about 1 train best: Y. LeCun and others, Efficient backprop (1998), 4.3. The
# upper limit is that of the advice at fit; a weight must reach 100 to make 1 of the lower one.
_SMALLEST = 0.01
# At the usual Adam(0.001), an output needs a thousand steps and more to grow by 1.
_LARGEST_TARGET = 100
# Noise carries single targets beyond a limit; more of them are no noise.
_BEYOND = 0.05
# Minorities below 20 % are called moderate imbalance (Google, Machine learning crash course).
_MAJORITY = 0.8

_RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, np.inf),
    "softplus": (0.0, np.inf),
}


def spread(samples: Samples) -> NDArray[np.int64]:
    """Return the rows of the samples for a pass, evenly spaced.

    Parameters
    ----------
    samples : Samples
        The data set.

    Returns
    -------
    ndarray of int64
        Those of `sample_rows`.
    """
    places = sample_rows(samples.count)
    return places if samples.rows is None else samples.rows[places]


def of_data(
    model: Trainee, passes: Passes, samples: Samples, criterion: Criterion
) -> Iterator[Finding]:
    """Yield findings on inputs, targets and labels, beyond the advice at `fit`.

    Parameters
    ----------
    model : Trainee
        The model, for the names of its inputs and outputs.
    passes : Passes
        Its passes.
    samples : Samples
        The data set.
    criterion : Criterion
        The losses of the outputs.

    Yields
    ------
    Finding
        The findings.
    """
    rows = spread(samples)
    for place, x in enumerate(samples.x):
        if x.dtype.kind == "f" and passes.meets_weights(place):
            yield from _of_scale(_named("x", model.input_names, place), x[rows])
    each = zip(samples.y, criterion.losses, passes.final_operations, strict=True)
    chosen = slice(None) if samples.rows is None else samples.rows
    for place, (y, loss, op) in enumerate(each):
        if y.dtype.kind != "i" and loss.takes != "classes":
            yield from _of_targets(_named("y", model.output_names, place), y[rows], op)
        weights = samples.weights[place] if samples.weights else None
        yield from _of_labels(y[chosen], loss, None if weights is None else weights[chosen])


def _named(name: str, names: Sequence[str], place: int) -> str:
    return name if len(names) == 1 else f"{name}[{names[place]!r}]"


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def _of_scale(name: str, x: Array) -> Iterator[Finding]:
    largest = root_mean_square(x)
    if largest > LARGEST or 0 < largest < _SMALLEST:
        yield Finding("unscaled_inputs", value=largest, facts={"name": name})


def _of_targets(name: str, y: Array, op: str) -> Iterator[Finding]:
    low, high = _RANGES.get(op, (-np.inf, np.inf))
    beyond = float(np.mean((y < low) | (y > high)))
    if beyond > _BEYOND:
        facts = {"op": op, "low": low, "high": high}
        yield Finding("unreachable_targets", value=beyond, facts=facts)
    elif (size := _rms(y)) > _LARGEST_TARGET:
        yield Finding("unscaled_targets", value=size, facts={"name": name})


def _of_labels(y: Array, loss: Loss, weights: Array | None) -> Iterator[Finding]:
    """Yield a finding on samples of one class each, of which one class has nearly all."""
    if loss.takes == "classes" and y.ndim == 2 and y.dtype.kind != "i":
        y = y.argmax(axis=1)
    elif loss.takes != "classes" and not _is_binary(y):
        return
    if y.size < FEWEST or y.size != len(y):
        return
    labels, numbers = np.unique(y, return_inverse=True)
    counts = np.bincount(numbers.ravel(), None if weights is None else weights.ravel())
    fraction = float(counts.max() / counts.sum())
    if fraction > _MAJORITY:
        facts = {"label": f"{labels[counts.argmax()]:g}"}
        yield Finding("unbalanced_labels", value=fraction, facts=facts)


def _is_binary(y: Array) -> bool:
    """Return whether there is one label a sample, 0 or 1."""
    return y.size == len(y) and bool(np.isin(y, (0, 1)).all())
