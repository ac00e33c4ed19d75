"""What the outputs of a classifier mean: names of its classes, and their probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["DOUBTFUL", "as_probabilities", "class_names"]

DOUBTFUL = 0.6
"""Probability below which a prediction is doubtful."""


def class_names(model: Any) -> list[str] | None:
    """Return the names of a model's classes.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    list of str or None
        Those of its training data; by default numbers from 0. None if its output is one number.

    Raises
    ------
    ValueError
        If it was trained on another number of classes.
    """
    outputs = model.output_shape[-1]
    if "kind" not in model.metadata:
        return list(map(str, range(outputs)))
    known = model.metadata["classes"]
    if known is not None and len(known) != outputs:
        raise ValueError(f"the model has {outputs} outputs, but names of {len(known)} classes")
    return None if known is None else list(known)


def as_probabilities(model: Any, outputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return the outputs of a classifier as probabilities.

    Parameters
    ----------
    model : Model
        The classifier.
    outputs : ndarray
        Its outputs, (samples, classes).

    Returns
    -------
    ndarray
        Rows that sum to 1: the outputs of a final softmax layer, those of a final sigmoid layer
        divided by their sum, and otherwise the softmax of the outputs.
    """
    found = np.asarray(outputs, np.float64)
    if type(model.layers[-1]).__name__ not in ("Softmax", "Sigmoid", "HardSigmoid"):
        found = np.exp(found - found.max(axis=1, keepdims=True))
    total = found.sum(axis=1, keepdims=True)
    normalised: NDArray[np.float64] = found / np.where(total > 0, total, 1)
    return normalised
