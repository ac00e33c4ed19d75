"""What plots read from a model: classes, layers by name and their outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.names import unknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["classes", "layer_path", "outputs", "outputs_of_layers", "parts", "target_classes"]


def outputs(owner: str, model: Any, x: object) -> Array:
    """Return the outputs of a model, or of any function.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Model or callable
        A model with ``predict``, or a function of the inputs.
    x : array_like
        Inputs, (samples, ...).

    Returns
    -------
    ndarray
        The outputs, (samples, ...).

    Raises
    ------
    TypeError
        If there is neither, or several outputs.
    """
    predict: Callable[..., Any] | None = getattr(model, "predict", model)
    if not callable(predict):
        raise TypeError(f"{owner}: model must have predict or be callable, got {model!r}")
    found = predict(x)
    if isinstance(found, tuple):
        raise TypeError(f"{owner}: the model has {len(found)} outputs, give one with one output")
    return np.asarray(found)


def classes(found: Array, threshold: float = 0.5) -> NDArray[np.int64]:
    """Return the class of each sample.

    Parameters
    ----------
    found : ndarray
        Outputs, (samples, classes), or (samples,) and (samples, 1) for two classes; integers of
        shape (samples,) are classes.
    threshold : float
        Smallest output of class 1 of two classes is above it.

    Returns
    -------
    ndarray of int64
        Class numbers, (samples,).
    """
    if found.ndim == 2 and found.shape[1] > 1:
        return np.asarray(found.argmax(axis=1), np.int64)
    flat = found.reshape(len(found), -1)[:, 0]
    if flat.dtype.kind in "iub":
        return flat.astype(np.int64)
    return (flat > threshold).astype(np.int64)


def target_classes(owner: str, y: object, samples: int) -> NDArray[np.int64]:
    """Return the targets as class numbers.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    y : array_like
        Class numbers, (samples,), or rows whose largest element marks the class.
    samples : int
        Number of samples.

    Returns
    -------
    ndarray of int64
        Class numbers, (samples,).

    Raises
    ------
    ValueError
        If there is another number of targets, or they are no classes.
    """
    given = np.asarray(y)
    if given.ndim not in (1, 2) or len(given) != samples:
        raise ValueError(
            f"{owner}: y must hold a class for each of {samples} samples, (samples,) or (samples,"
            f" classes), got shape {given.shape}"
        )
    return classes(given)


def parts(model: Any) -> list[tuple[str, Any]]:
    """Return all layers of a model with their names, in the order of the forward pass.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    list of (str, Layer)
        Names, behind those of the models that contain them, and layers.
    """
    plan = model.plan if model.built else model.planned()[0]
    return [(use.path, use.instance) for use in plan.applications]


def layer_path(owner: str, model: Any, layer: Any) -> str:
    """Return the name of a layer of a model.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Model
        The model.
    layer : str or int or Layer
        Name, index or the layer itself.

    Returns
    -------
    str
        The name.

    Raises
    ------
    ValueError
        If the model has no such layer.
    """
    known = parts(model)
    if isinstance(layer, (int, np.integer)):
        if -len(known) <= layer < len(known):
            return known[layer][0]
        raise ValueError(f"{owner}: there is no layer {layer}, the model has {len(known)}")
    for path, each in known:
        if layer == path or layer is each:
            return path
    names = [path for path, _ in known]
    if not isinstance(layer, str):
        raise ValueError(f"{owner}: {layer} is no layer of the model, which has {', '.join(names)}")
    raise ValueError(f"{owner}: {unknown('layer', layer, names)}")


def outputs_of_layers(model: Any, x: object) -> dict[str, Array]:
    """Return the outputs of all layers for a batch.

    Parameters
    ----------
    model : Model
        The model; its states stay as they are.
    x : array_like
        Inputs, (samples, ...).

    Returns
    -------
    dict of str to ndarray
        Outputs by the layers' names, in the order of the forward pass.
    """
    found: dict[str, Array] = {}
    with model.lock, model.states_aside():
        model.forward(x, seen=lambda use, y: found.setdefault(use.path, y.copy()))
    return found
