"""Models written as files of Keras."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING, NamedTuple

from gyaku.files import write_atomically
from gyaku.interop.keras.config import keras_name
from gyaku.interop.keras.describe import chain_of
from gyaku.interop.keras.kinds import kind_of
from gyaku.interop.keras.layout import to_keras as arrays_of
from gyaku.interop.keras.layout import variables
from gyaku.interop.keras.order import Node, keras_order
from gyaku.layers import Bidirectional, TimeDistributed
from gyaku.layers.recurrence import Recurrent

if TYPE_CHECKING:
    from typing import Any

    from gyaku.layers import Layer
    from gyaku.model import Model

__all__ = ["to_keras"]

_VERSION = "3.0.0"  # the first whose files have this form
_DATE = (1980, 1, 1, 0, 0, 0)  # so that equal models are equal files


def to_keras(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to a file of Keras 3.

    Parameters
    ----------
    model : Model
        A built model.
    path : str or path-like
        The file, ``.keras`` for architecture and weights, which ``keras.saving.load_model`` reads,
        or ``.weights.h5`` for the weights, which ``load_weights`` reads into a model of the same
        layers. An old file is replaced atomically.

    Raises
    ------
    ImportError
        If the package h5py is missing.
    TypeError
        If `model` is no model.
    ValueError
        If it is not built, the ending of the file is another, or a layer or one of its options has
        no counterpart.
    OSError
        If the file cannot be written.

    See Also
    --------
    from_keras : Read a model.

    Notes
    -----
    Layers keep their names, with "_" for "."; models within the model become its layers. What Keras
    has as a layer of its own stands beside: padding on two sides differently, for one. Equal models
    give equal files.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Conv2D(4, 3, activation="relu"), gk.Flatten(), gk.Dense(10))
    >>> model.build((8, 8, 1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gk.interop.to_keras(model, folder + "/model.keras")
    ...     gk.interop.to_keras(model, folder + "/model.weights.h5")
    """
    from gyaku.model import Model

    if not isinstance(model, Model):
        raise TypeError(f"to_keras: model must be a gyaku model, got {type(model).__name__}")
    if not model.built:
        raise ValueError("to_keras: the model is not built, call build(input_shape) or fit first")
    name = os.fspath(path)
    whole = name.endswith(".keras")
    if not whole and not name.endswith(".weights.h5"):
        raise ValueError(f"to_keras: path must end with .keras or .weights.h5, got {name!r}")
    graph = _Graph(model)
    weights = _hdf5(graph)
    content = _archive(graph.config(), weights) if whole else weights
    write_atomically(path, lambda stream: stream.write(content))


class _Link(NamedTuple):
    """Layer of Keras: class, arguments with the name, and the layer whose weights it has."""

    kind: str
    config: dict[str, Any]
    owner: Layer | None


class _Value(NamedTuple):
    """Result of a call: layer, number of the call, index among its results, and sample shape."""

    name: str
    call: int
    position: int
    shape: tuple[int | None, ...]


class _Graph:
    """Layers and calls of a model as Keras has them.

    Parameters
    ----------
    model : Model
        The model.
    """

    def __init__(self, model: Model) -> None:
        self.model, plan = model, model.plan
        self.links: dict[str, _Link] = {}  # by name
        self.calls: dict[str, list[list[_Value]]] = {}
        self.values: dict[int, _Value] = {}
        self.ids = plan.input_dtypes([""] * plan.inputs)
        self.nodes: list[Node] = []
        self.node_of: dict[tuple[str, int], int] = {}
        chains: dict[int, list[str]] = {}
        for number, name in enumerate(model.input_names):
            own = self._free(name)
            shape = plan.shapes[number]
            steps = (None, *shape[1:]) if plan.any_steps else shape
            kind = "int32" if self.ids[number] else str(model.dtype)
            config = {"batch_shape": [None, *steps], "dtype": kind, "name": own}
            self.links[own] = _Link("InputLayer", config, None)
            self.values[number] = self._called(own, [], steps)
        for use in plan.applications:
            key = id(use.layer)
            if key not in chains:
                chains[key] = self._chain(use.layer, use.path, use.instance.input_shapes[0])
            given = [self.values[each] for each in use.inputs]
            for name in chains[key]:
                given = [self._called(name, given, use.instance.output_shape)]
            for position, (value, shape) in enumerate(
                zip(use.outputs, use.instance.output_shapes, strict=True)
            ):
                self.values[value] = given[0]._replace(position=position, shape=shape)

    def _free(self, name: str) -> str:
        """Return a name that no layer has yet."""
        stem = found = name.replace(".", "_").replace("/", "_")
        number = 1
        while found in self.links:
            number += 1
            found = f"{stem}_{number}"
        return found

    def _chain(self, layer: Layer, path: str, shape: tuple[int, ...]) -> list[str]:
        """Add the layers of Keras for a layer, and return their names."""
        found: list[str] = []
        for kind, options in chain_of(layer, shape):
            weighted = bool(variables(layer)) and kind == kind_of(layer)
            plain = weighted or (not found and not variables(layer))
            own = self._free(path if plain else f"{path}_{keras_name(kind)}")
            known = {"name": own, "trainable": layer.trainable, "dtype": str(self.model.dtype)}
            self.links[own] = _Link(kind, known | options, layer if weighted else None)
            found.append(own)
        return found

    def _called(self, name: str, given: list[_Value], shape: tuple[int | None, ...]) -> _Value:
        """Add a call, and return its result."""
        calls = self.calls.setdefault(name, [])
        calls.append(given)
        self.node_of[name, len(calls) - 1] = len(self.nodes)
        self.nodes.append(Node(name, [self.node_of[each.name, each.call] for each in given]))
        return _Value(name, len(calls) - 1, 0, shape)

    @property
    def order(self) -> list[str]:
        """Names of the layers in the order of Keras."""
        ends = [self.values[each] for each in self.model.plan.outputs]
        outputs = [self.node_of[each.name, each.call] for each in ends]
        return [str(each) for each in keras_order(self.nodes, outputs)]

    @property
    def _is_chain(self) -> bool:
        plan = self.model.plan
        single = plan.inputs == 1 and len(plan.outputs) == 1
        return single and all(
            len(calls) == 1 and [each.name for each in calls[0]] == before
            for before, calls in zip(
                [[], *([name] for name in self.calls)], self.calls.values(), strict=False
            )
        )

    def config(self) -> dict[str, Any]:
        """Return the architecture."""
        name = self.model.name.replace("/", "_") or "gyaku"
        chain = self._is_chain
        layers = [self._described(each, chain) for each in (self.calls if chain else self.order)]
        found: dict[str, Any] = {"name": name, "trainable": True, "layers": layers}
        if chain:
            return _object("keras", "Sequential", found)
        values = self.values
        found["input_layers"] = [[values[n].name, 0, 0] for n in range(self.model.plan.inputs)]
        ends = [values[each] for each in self.model.plan.outputs]
        found["output_layers"] = [[each.name, each.call, each.position] for each in ends]
        return _object("keras.src.models.functional", "Functional", found)

    def _described(self, name: str, chain: bool) -> dict[str, Any]:
        link = self.links[name]
        found = _object("keras.layers", link.kind, link.config)
        if not chain:
            calls = [self._arguments(link, given) for given in self.calls[name] if given]
            found |= {"name": name, "inbound_nodes": calls}
        return found

    def _arguments(self, link: _Link, given: list[_Value]) -> dict[str, Any]:
        tensors = [self._tensor(each) for each in given]
        if isinstance(link.owner, Recurrent):
            return {
                "args": tensors[:1],
                "kwargs": {"initial_state": tensors[1:]} if tensors[1:] else {},
            }
        return {"args": [tensors] if len(tensors) > 1 else tensors, "kwargs": {}}

    def _tensor(self, value: _Value) -> dict[str, Any]:
        link = self.links[value.name]
        config = {
            "shape": [None, *value.shape],
            "dtype": link.config["dtype"],
            "keras_history": [value.name, value.call, value.position],
        }
        return {"class_name": "__keras_tensor__", "config": config}


def _object(module: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def _places(layer: Layer) -> list[str]:
    """Return the groups below that of a layer that hold its arrays."""
    if isinstance(layer, Bidirectional):
        return ["/forward_layer/cell", "/backward_layer/cell"]
    if isinstance(layer, TimeDistributed):
        return [f"/layer{place}" for place in _places(layer.layer)]
    return ["/cell"] if isinstance(layer, Recurrent) else [""]


def _hdf5(graph: _Graph) -> bytes:
    """Return the file of the weights."""
    import h5py

    stream = io.BytesIO()
    counts: dict[str, int] = {}
    with h5py.File(stream, "w") as file:
        for name in graph.order:
            link = graph.links[name]
            key = keras_name(link.kind)
            number = counts[key] = counts.get(key, -1) + 1
            group = f"layers/{key}_{number}" if number else f"layers/{key}"
            file.create_group(f"{group}/vars").attrs["name"] = name
            if link.owner is not None:
                _store(file, group, link.owner)
    return stream.getvalue()


def _store(file: Any, group: str, layer: Layer) -> None:
    """Write the arrays of a layer."""
    arrays, places = arrays_of(layer), _places(layer)
    each = len(arrays) // len(places)
    for part, place in enumerate(places):
        inside = file.require_group(f"{group}{place}/vars")
        for number, array in enumerate(arrays[part * each : (part + 1) * each]):
            inside[str(number)] = array


def _archive(config: dict[str, Any], weights: bytes) -> bytes:
    """Return the file of a model."""
    from zipfile import ZipFile, ZipInfo

    stream = io.BytesIO()
    members: dict[str, bytes | str] = {
        "metadata.json": json.dumps({"keras_version": _VERSION}),
        "config.json": json.dumps(config),
        "model.weights.h5": weights,
    }
    with ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(ZipInfo(name, _DATE), content)
    return stream.getvalue()
