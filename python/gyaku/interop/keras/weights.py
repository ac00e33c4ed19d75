"""Weights of Keras's files for models: matched by name, or as Keras numbers them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gyaku.interop.keras.config import keras_name
from gyaku.interop.keras.file import read
from gyaku.interop.keras.kinds import kind_of
from gyaku.interop.keras.layout import misfit, to_gyaku, variables
from gyaku.interop.keras.order import Node, keras_order
from gyaku.model import Model, Sequential

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.keras.file import KerasFile, Stored
    from gyaku.interop.keras.layout import Variable
    from gyaku.layers import Layer

__all__ = ["load_weights"]

_MODELS = ("sequential", "functional")  # groups of models within a model


class _Found(NamedTuple):
    """Layer in a file: its place there, its name, and its arrays."""

    key: str
    name: str
    arrays: list[NDArray[Any]]


class _Place(NamedTuple):
    """Layer of a model that has weights: its name, and its place in a file of Keras 3."""

    path: str
    key: str
    layer: Layer
    variables: list[Variable]


def load_weights(
    model: Model, path: str | os.PathLike[str], *, names: Mapping[str, str] | None = None
) -> None:
    """Set the weights of a model to those of a file of Keras.

    Parameters
    ----------
    model : Model
        The model, built; its layers are those of the model that was saved.
    path : str or path-like
        The file: ``.weights.h5``, the ``.weights.json`` of several, ``.keras``, or an old ``.h5``.
    names : mapping of str to str, optional
        Names of layers in the file by those in the model, such as ``{"dense": "fc1"}``. By default
        names are matched if they are equal, or else the layers of each class follow in the order of
        Keras, which a file numbers as "dense", "dense_1" and so on.

    Raises
    ------
    ImportError
        If the package h5py is missing.
    ValueError
        If a layer has no arrays or arrays no layer, or their shapes differ; the message lists them
        all, and the model is unchanged.
    FileError
        If the file is of another kind, truncated or inconsistent.
    OSError
        If it cannot be read.

    See Also
    --------
    from_keras : Read the layers as well.
    load_state_dict : The same for files of PyTorch.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Dense(3), gk.Dense(2))
    >>> model.build((4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gk.interop.to_keras(model, folder + "/model.weights.h5")
    ...     load_weights(model, folder + "/model.weights.h5")
    """
    places = _places(model)
    file = read(Path(path))
    found = [*_found(file.layers)]
    matched = _matched(places, found, file, names)
    problems = [
        (place, each, misfit(place.layer, place.variables, each and each.arrays))
        for place, each in matched
    ]
    used = {id(each) for _, each in matched}
    unused = [each for each in found if id(each) not in used]
    if unused or any(reason for *_, reason in problems):
        raise ValueError(_table(file.name, problems, unused))
    for place, each in matched:
        for name, array in to_gyaku(place.variables, each.arrays if each else []).items():
            known = place.layer.params
            (known if name in known else place.layer.buffers)[name] = array


def _places(model: Model) -> list[_Place]:
    """Return the layers of a model that have weights, in the order of Keras."""
    given: object = model
    if not isinstance(given, Model):
        raise TypeError(f"load_weights: model must be a gyaku model, got {type(given).__name__}")
    if not model.built:
        raise ValueError(
            "load_weights: the model has no weights yet, call build(input_shape) first"
        )
    paths, found, seen = model.plan.paths, [], set()
    for key, layer in _keys(model, ""):
        known = variables(layer)
        if known == [] or id(layer) in seen:
            continue
        path = paths[id(layer)]
        if known is None or not kind_of(layer):
            raise ValueError(
                f"load_weights: {path}: Keras has no layer with the weights of {layer!r}"
            )
        seen.add(id(layer))
        found.append(_Place(path, key, layer, known))
    return found


def _keys(model: Any, prefix: str) -> Iterator[tuple[str, Layer]]:
    """Yield each layer with its place in a file."""
    wiring = model.wiring
    nodes = [Node(f"input {number}", ()) for number in range(len(wiring.inputs))]
    node_of = list(range(len(nodes)))  # of each value
    for part, values in wiring.calls:
        nodes.append(Node(part, [node_of[value] for value in values]))
        node_of += [len(nodes) - 1] * model.layers[part].arity[1]
    counts: dict[str, int] = {}
    for number in keras_order(nodes, [node_of[value] for value in wiring.outputs]):
        if not isinstance(number, int):
            continue
        part = model.layers[number]
        inner = isinstance(part, Model)
        if inner:
            name = "sequential" if isinstance(part, Sequential) else "functional"
        else:
            name = keras_name(kind_of(part) or type(part).__name__)
        count = counts[name] = counts.get(name, -1) + 1
        key = f"{prefix}{name}_{count}" if count else prefix + name
        if inner:
            yield from _keys(part, f"{key}/")
        else:
            yield key, part


def _found(layers: Mapping[str, Stored], prefix: str = "") -> Iterator[_Found]:
    """Yield the layers of a file that have arrays."""
    for key, stored in layers.items():
        if key.rstrip("_0123456789") in _MODELS and not stored.arrays:
            yield from _found(stored.parts, f"{prefix}{key}/")
        elif arrays := stored.all_arrays:
            yield _Found(prefix + key, stored.name, arrays)


def _matched(
    places: Sequence[_Place],
    found: Sequence[_Found],
    file: KerasFile,
    names: Mapping[str, str] | None,
) -> list[tuple[_Place, _Found | None]]:
    """Return the layer in the file of each layer of the model."""
    by_key = {each.key: each for each in found}
    by_name = {each.name: each for each in found}
    own = {each.path.replace(".", "_") for each in places}
    if names is None and len(by_name) == len(found) == len(places) and own == set(by_name):
        return [(each, by_name[each.path.replace(".", "_")]) for each in places]
    if names is not None:
        known = by_name | by_key
        return [(each, known.get(names.get(each.path, each.path))) for each in places]
    if file.by_name:
        return list(zip(places, [*found, *[None] * len(places)], strict=False))
    return [(each, by_key.get(each.key)) for each in places]


def _table(
    name: str,
    problems: Sequence[tuple[_Place, _Found | None, str]],
    unused: Sequence[_Found],
) -> str:
    """Return what did not match, a line each."""
    wrong = sum(1 for *_, reason in problems if reason)
    head = (
        f"load_weights: {wrong} of {len(problems)} layers do not fit, {len(unused)} in {name} are"
        " left over; layer, layer in the file and reason:"
    )
    lines = [
        f"  {place.path:<20} {each.key if each else '-':<20} {reason or 'fits'}"
        for place, each, reason in problems
    ]
    return "\n".join([head, *lines, *(f"  {'-':<20} {each.key:<20} no layer" for each in unused)])
