"""Reports of how good a model is on test data: measures, confusions, and the worst cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.cli.model_file import probabilities
from gyaku.metrics import R2

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.model import Model

__all__ = ["confusion_table", "report"]

_WORST = 5
_MOST = 20
"""Largest number of classes whose confusions are shown as a table."""
_WIDEST = 12


def report(
    model: Model,
    x: NDArray[Any],
    y: NDArray[Any],
    classes: Sequence[str] | None,
    places: Sequence[str],
) -> tuple[dict[str, Any], str]:
    """Measure a model on test data.

    Parameters
    ----------
    model : Model
        The model.
    x, y : ndarray
        Inputs and targets: class numbers, or numbers (samples, 1).
    classes : sequence of str or None
        Names of the classes, None if the targets are numbers.
    places : sequence of str
        Where each sample comes from.

    Returns
    -------
    measures : dict
        The measures as JSON values.
    text : str
        The measures, the confusion matrix and the worst cases.
    """
    if classes is None:
        return _of_numbers(np.asarray(model.predict(x), np.float64)[:, 0], y[:, 0], places)
    return _of_classes(probabilities(model, x), y, classes, places)


def _of_classes(
    sure: NDArray[np.float64],
    y: NDArray[np.int64],
    classes: Sequence[str],
    places: Sequence[str],
) -> tuple[dict[str, Any], str]:
    taken = sure.argmax(axis=1)
    confusions = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusions, (y, taken), 1)
    right = int((taken == y).sum())
    of_truth = sure[np.arange(len(y)), y]
    cross_entropy = float(-np.log(of_truth + 1e-30).mean())
    often = int(np.bincount(y).max())
    measures = {
        "accuracy": right / len(y),
        "cross_entropy": cross_entropy,
        "confusions": confusions.tolist(),
        "classes": list(classes),
    }
    wrong = [int(row) for row in np.argsort(of_truth, kind="stable") if taken[row] != y[row]]
    head = (
        f"accuracy {100 * right / len(y):.2f} % ({right:,} of {len(y):,} right; the most frequent"
        f" class has {often:,}), cross-entropy {cross_entropy:.4f}"
    )
    lines = [head, "", confusion_table(confusions, classes)]
    if wrong:
        lines += ["", "the worst cases:"]
    lines += [
        f"  {places[row]}: {classes[y[row]]}, taken for {classes[taken[row]]}"
        f" ({100 * sure[row].max():.1f} %)"
        for row in wrong[:_WORST]
    ]
    return measures, "\n".join(lines)


def _of_numbers(
    found: NDArray[np.float64], y: NDArray[np.float64], places: Sequence[str]
) -> tuple[dict[str, Any], str]:
    away = np.abs(found - y)
    measures = {
        "mean_absolute_error": float(away.mean()),
        "root_mean_squared_error": float(np.sqrt((away**2).mean())),
        "r2": R2().of([(found[:, np.newaxis], y[:, np.newaxis])]),
    }
    head = (
        f"mean absolute error {measures['mean_absolute_error']:.4g}, root mean squared error"
        f" {measures['root_mean_squared_error']:.4g}, R² {measures['r2']:.4f}"
    )
    lines = [head, "", "the worst cases:"]
    lines += [
        f"  {places[row]}: {y[row]:.6g}, predicted {found[row]:.6g}"
        for row in np.argsort(-away, kind="stable")[:_WORST]
    ]
    return measures, "\n".join(lines)


def confusion_table(confusions: NDArray[np.int64], classes: Sequence[str]) -> str:
    """Return a confusion matrix as text.

    Parameters
    ----------
    confusions : ndarray of int
        Numbers of samples by true and predicted class.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    str
        A table with dots for zeros; of very many classes, the most frequent confusions alone.

    Examples
    --------
    >>> print(confusion_table(np.array([[9, 1], [0, 12]]), ["cat", "dog"]))
        taken for
    is   cat dog
    cat    9   1
    dog    .  12
    """
    if len(classes) > _MOST:
        return _most_frequent(confusions, classes)
    short = [name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…" for name in classes]
    first = max(3, *map(len, short)) + 1
    width = max(3, len(str(confusions.max())), max(map(len, short)) if first > 4 else 0) + 1
    lines = [" " * first + "taken for", f"{'is':{first}}" + "".join(f"{n:>{width}}" for n in short)]
    for name, row in zip(short, confusions, strict=True):
        cells = "".join(f"{count or '.':>{width}}" for count in row)
        lines.append(f"{name:{first}}{cells}")
    return "\n".join(lines)


def _most_frequent(confusions: NDArray[np.int64], classes: Sequence[str]) -> str:
    off = confusions * (1 - np.eye(len(classes), dtype=int))
    order = np.argsort(-off, axis=None, kind="stable")[:_WORST]
    places = [np.unravel_index(place, off.shape) for place in order if off.flat[place]]
    lines = [f"  {classes[t]} taken for {classes[y]}: {off[t, y]:,}" for t, y in places]
    return "\n".join(["the most frequent confusions:", *lines]) if lines else "no confusions"
