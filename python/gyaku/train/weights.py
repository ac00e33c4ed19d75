"""Weights of samples, time steps and pixels, and of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import each_of, number
from gyaku.train.conversion import real
from gyaku.train.samples import Samples, check_finite, gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.criterion import Criterion
    from gyaku.train.trainee import Passes

    Lengths = Sequence[NDArray[np.int64] | None]
    Weights = Sequence[NDArray[np.float64] | None]

__all__ = ["by_class", "gather_weights", "weighted"]


def weighted(
    owner: str,
    samples: Samples,
    given: object,
    outputs: Sequence[str],
    passes: Passes,
    criterion: Criterion,
    part: str = "",
) -> Samples:
    """Return samples with weights, without those of weight zero.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    samples : Samples
        The validated samples.
    given : array_like or tuple or dict or None
        Weights of the samples, or of positions of them: for all outputs, or for each.
    outputs : sequence of str
        Names of the outputs.
    passes : Passes
        The passes of the model.
    criterion : Criterion
        Losses and metrics, which must take weights.
    part : str
        Prefix of the argument's name, for errors.

    Returns
    -------
    Samples
        The samples.

    Raises
    ------
    ValueError
        If the weights have another shape, one is negative or not finite, or all are zero.
    TypeError
        If they are no real numbers, or a loss or metric takes none.
    """
    ignored = [each.ignore_index for each in criterion.losses]
    if given is None and ignored.count(None) == len(ignored):
        return samples
    name = f"{part}sample_weight"
    criterion.check_takes_weights(owner)
    of_each = [given] * len(outputs)
    if len(outputs) > 1 and isinstance(given, (tuple, list, dict)):
        of_each = list(each_of(owner, name, given, outputs))
    shapes = passes.output_shapes_of(samples.x[0].shape[1:])
    names = [f"{name}[{each!r}]" if len(outputs) > 1 else name for each in outputs]
    found = [
        None if each is None else _checked(owner, name, each, (len(samples.x[0]), *shape[:-1]))
        for name, each, shape in zip(names, of_each, shapes, strict=True)
    ]
    for place, label in enumerate(ignored):
        if label is not None:
            samples, found[place] = _without_label(samples, place, label, found[place])
    return _without_zeros(owner, name, samples, found)


def _without_label(
    samples: Samples, place: int, label: int, weights: NDArray[np.float64] | None
) -> tuple[Samples, NDArray[np.float64] | None]:
    """Return samples without the class number that a loss ignores, and zero weights there."""
    labels = samples.y[place]
    where = labels == label
    if labels.dtype != np.int64 or not where.any():
        return samples, weights
    weights = _positional(weights, labels, None)
    weights[where] = 0
    targets = [*samples.y]
    targets[place] = np.where(where, 0, labels)
    return Samples(samples.x, targets, samples.rows, samples.lengths, samples.weights), weights


def _checked(
    owner: str, name: str, given: object, positions: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return weights as float64; raise if they do not fit the positions of the outputs."""
    weights = real(owner, name, given).astype(np.float64, order="C")
    if weights.ndim == 2 and weights.shape[1] == 1 and positions[1:2] != (1,):
        weights = weights[:, 0]
    if not weights.ndim or weights.shape != positions[: weights.ndim]:
        wanted = " or ".join(str(positions[:axes]) for axes in range(1, len(positions) + 1))
        raise ValueError(
            f"{owner}: {name} must have the shape {wanted}, a weight for each sample"
            f"{' or position' * (len(positions) > 1)}, got shape {weights.shape}"
        )
    check_finite(owner, name, weights, weights, weights.dtype)
    if weights.min() < 0:
        row = int(np.argwhere(weights < 0)[0, 0])
        raise ValueError(
            f"{owner}: {name} must not be negative, but row {row} holds {weights.min():g}"
        )
    return np.ascontiguousarray(weights)


def _without_zeros(owner: str, name: str, samples: Samples, weights: Weights) -> Samples:
    """Return the samples with weights, without those whose weights are all zero."""
    rows = np.arange(len(samples.x[0])) if samples.rows is None else samples.rows
    present = np.zeros(len(rows), bool)
    for each in weights:
        if each is None:
            present[:] = True
        else:
            present |= each.reshape(len(each), -1).max(axis=1)[rows] > 0
    if not present.any():
        raise ValueError(f"{owner}: {name} must hold a weight above zero, but all are zero")
    kept = samples.rows if present.all() else rows[present]
    return Samples(samples.x, samples.y, kept, samples.lengths, weights)


def by_class(
    owner: str,
    samples: Samples,
    given: object,
    outputs: Sequence[str],
    passes: Passes,
    criterion: Criterion,
) -> Samples:
    """Return training samples whose weights are multiplied by those of their classes.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    samples : Samples
        The training samples.
    given : {"balanced"} or mapping of int to float or None
        Weights by class; a mapping of the outputs' names to such weights for several outputs.
    outputs : sequence of str
        Names of the outputs.
    passes : Passes
        The passes of the model.
    criterion : Criterion
        Losses and metrics, which must take weights.

    Returns
    -------
    Samples
        The samples.

    Raises
    ------
    ValueError
        If there is no such class, a weight is negative, or the targets are no classes.
    TypeError
        If the weights are neither "balanced" nor a mapping, or a loss or metric takes none.
    """
    if given is None:
        return samples
    criterion.check_takes_weights(owner)
    of_each: Sequence[Any] = [given]
    if len(outputs) > 1:
        if not isinstance(given, Mapping) or not set(given) <= set(outputs):
            raise ValueError(
                f"{owner}: class_weight must be a dict by output, some of {', '.join(outputs)}, got"
                f" {given!r}"
            )
        of_each = [given.get(name) for name in outputs]
    shapes = passes.output_shapes_of(samples.x[0].shape[1:])
    known = passes.lengths(samples.x, samples.lengths)
    products: list[NDArray[np.float64] | None] = []
    for place, each in enumerate(of_each):
        own = samples.weights[place] if samples.weights else None
        if each is not None:
            name = f"y[{outputs[place]!r}]" if len(outputs) > 1 else "y"
            labels, classes = _classes(owner, name, samples.y[place], shapes[place])
            own = _positional(own, labels, known.get(passes.outputs[place]))
            own = own * _of_classes(owner, each, labels, classes, own, samples.rows)[labels]
        products.append(own)
    return _without_zeros(owner, "class_weight", samples, products)


def _classes(
    owner: str, name: str, y: NDArray[Any], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], int]:
    """Return targets as class numbers, and the number of classes; raise if they are none."""
    if y.dtype == np.int64 and y.ndim == len(shape):
        return np.clip(y, 0, shape[-1] - 1), shape[-1]  # behind sequences they may be anything
    kind = "numbers"
    if ((y == 0) | (y == 1)).all():
        kind = "several labels"
        if shape[-1:] == (1,):
            return y[..., 0].astype(np.int64), 2
        if (y.sum(axis=-1) == 1).all():
            return y.argmax(axis=-1), shape[-1]
    raise ValueError(
        f"{owner}: class_weight is for targets of one class a sample, but {name} holds {kind}; give"
        " sample_weight"
    )


def _positional(
    weights: NDArray[np.float64] | None, labels: NDArray[Any], lengths: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """Return a weight for each label, zero behind the end of a sequence."""
    found = np.ones(labels.shape)
    if weights is not None:
        found *= weights.reshape(*weights.shape, *(1,) * (labels.ndim - weights.ndim))
    if lengths is not None:
        found[np.arange(labels.shape[1]) >= lengths[:, np.newaxis]] = 0
    return found


def _of_classes(
    owner: str,
    given: Any,
    labels: NDArray[np.int64],
    classes: int,
    weights: NDArray[np.float64],
    rows: NDArray[np.int64] | None,
) -> NDArray[np.float64]:
    """Return the weight of each class."""
    if isinstance(given, str) and given == "balanced":
        chosen = slice(None) if rows is None else rows
        counts = np.bincount(labels[chosen].ravel(), weights[chosen].ravel(), classes)
        seen = counts > 0
        return np.asarray(
            np.divide(counts.sum() / seen.sum(), counts, out=np.zeros(classes), where=seen)
        )
    if not isinstance(given, Mapping):
        raise TypeError(
            f'{owner}: class_weight must be "balanced" or a dict of class numbers to weights, got'
            f" {given!r}"
        )
    found = np.ones(classes)
    for label, weight in given.items():
        if not isinstance(label, (int, np.integer)) or not 0 <= label < classes:
            raise ValueError(
                f"{owner}: class_weight has the key {label!r}, the classes are 0 to {classes - 1}"
            )
        found[label] = number(owner, f"class_weight[{label}]", weight, least=0)
    return found


def gather_weights(
    samples: Samples,
    order: NDArray[np.int64],
    cursor: NDArray[np.int64],
    size: int,
    steps: Sequence[int] = (),
) -> Weights:
    """Gather the weights of the next batch.

    Parameters
    ----------
    samples : Samples
        The samples.
    order, cursor, size : object
        See `gather`.
    steps : sequence of int
        Number of steps of each output, 0 for all; () for all of all outputs.

    Returns
    -------
    sequence of ndarray of float64 or None
        Those of each output; () without weights.
    """
    if not samples.weights:
        return ()
    float64 = np.dtype(np.float64)
    each = zip(samples.weights, steps or (0,) * len(samples.weights), strict=True)
    return [
        None
        if weights is None
        else gather([weights], order, cursor, size, float64, (), [count * (weights.ndim > 1)])[0]
        for weights, count in each
    ]
