"""Configurations of Keras's models: layers, inputs and calls, in the forms of Keras 2 and 3."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple

from gyaku.interop.keras.activations import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["MASKS", "MODELS", "Call", "Described", "Graph", "Reference", "calls_of", "described"]
__all__ += ["declared_shape", "holds_chain", "inputs_and_outputs", "keras_name", "layers_of"]

MODELS = ("Sequential", "Functional", "Model")
"""The classes of models."""
MASKS = ("NotEqual", "LogicalAnd", "LogicalOr", "Any", "All")
"""Operations that compute masks in a graph; the layers they are for find them by themselves."""
_GIVEN = ("initial_state", "key", "mask", "training", "value")  # arguments of calls
_OWN = ("keras", "tf_keras", "tensorflow", "builtins")  # packages of Keras's layers


class Described(NamedTuple):
    """Layer or model in a configuration.

    Parameters
    ----------
    kind : str
        Its class.
    name : str
        Its name.
    config : dict
        Its arguments.
    calls : list
        Its calls in a graph, as they are described.
    build_shape : list or None
        Shape of a batch for which it was built.
    """

    kind: str
    name: str
    config: dict[str, Any]
    calls: list[Any]
    build_shape: Any = None


class Reference(NamedTuple):
    """Result of a call.

    Parameters
    ----------
    name : str
        The layer.
    call : int
        Number of the call.
    position : int
        Index among its results.
    listed : bool
        Whether it is a bare list, in which the calls of a nested graph begin at 1.
    """

    name: str
    call: int
    position: int
    listed: bool = True


class Call(NamedTuple):
    """Call of a layer in a graph.

    Parameters
    ----------
    inputs : list of Reference
        Inputs, then initial states.
    masks : list of Reference
        Masks.
    """

    inputs: list[Reference]
    masks: list[Reference]


def keras_name(kind: str) -> str:
    """Return the name that Keras derives from a class.

    Parameters
    ----------
    kind : str
        The class.

    Returns
    -------
    str
        The name.

    Examples
    --------
    >>> keras_name("DepthwiseConv2D"), keras_name("ReLU"), keras_name("LSTM")
    ('depthwise_conv2d', 're_lu', 'lstm')
    """
    import re

    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()


def described(given: Any) -> Described:
    """Return a layer or model of a configuration.

    Parameters
    ----------
    given : object
        Its description.

    Returns
    -------
    Described
        The layer.

    Raises
    ------
    Unreadable
        If it is no description of a layer of Keras's own.
    """
    if not isinstance(given, dict) or not isinstance(given.get("class_name"), str):
        raise Unreadable("is no description of a layer")
    kind, config = given["class_name"], given.get("config")
    if isinstance(config, list):  # a Sequential of Keras 2.2 and before
        config = {"layers": config}
    if not isinstance(config, dict):
        raise Unreadable(f"({kind}) has no configuration")
    name = given.get("name") or config.get("name") or keras_name(kind)
    built = given.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    calls = given.get("inbound_nodes")
    found = Described(kind, str(name), config, calls if isinstance(calls, list) else [], shape)
    module = given.get("module")
    if isinstance(module, str) and module.partition(".")[0] not in _OWN:
        raise Unreadable(f"{found.name!r} ({kind} of {module}) is no layer of Keras's own")
    return found


def layers_of(model: Described) -> list[Described]:
    """Return the layers of a model, in their order.

    Parameters
    ----------
    model : Described
        The model.

    Returns
    -------
    list of Described
        The layers.
    """
    listed = model.config.get("layers")
    if not isinstance(listed, list):
        raise Unreadable("lists no layers")
    return [described(each) for each in listed]


def inputs_and_outputs(model: Described) -> tuple[list[Reference], list[Reference]]:
    """Return inputs and outputs of a graph.

    Parameters
    ----------
    model : Described
        The graph.

    Returns
    -------
    inputs : list of Reference
        Results of its input layers.
    outputs : list of Reference
        Results of its layers.
    """
    found = [[*_references(model.config.get(key))] for key in ("input_layers", "output_layers")]
    if not all(found):
        raise Unreadable("has no inputs or no outputs")
    return found[0], found[1]


def _references(given: Any) -> Iterator[Reference]:
    """Yield the results that a structure names."""
    if isinstance(given, dict):
        if given.get("class_name") == "__keras_tensor__":
            history = (given.get("config") or {}).get("keras_history")
            yield from (each._replace(listed=False) for each in _references(history))
        else:
            for key in sorted(given):
                yield from _references(given[key])
    elif isinstance(given, list):
        if len(given) in (3, 4) and isinstance(given[0], str):
            name, call, position = given[:3]
            if not (isinstance(call, int) and isinstance(position, int)):
                raise Unreadable(f"has {given!r} where a result of a layer belongs")
            yield Reference(name, call, position)
        else:
            for each in given:
                yield from _references(each)


def calls_of(layer: Described) -> list[Call]:
    """Return the calls of a layer.

    Parameters
    ----------
    layer : Described
        The layer.

    Returns
    -------
    list of Call
        The calls.

    Raises
    ------
    Unreadable
        If a call has arguments other than results of layers.
    """
    try:
        return [_call(each) for each in layer.calls]
    except Unreadable as error:
        raise Unreadable(f"{layer.name!r} ({layer.kind}) {error}") from None


def _call(node: Any) -> Call:
    if isinstance(node, dict):  # of Keras 3
        args, options = node.get("args"), node.get("kwargs")
        inputs = [*_references(args)]
        constants = [each for each in _leaves(args) if each is not None]
    else:
        nodes = [node] if node and isinstance(node[0], str) else node
        inputs, options, constants = [*_references(nodes)], {}, []
        for each in nodes:
            options |= each[3] if len(each) > 3 and isinstance(each[3], dict) else {}
    options = options if isinstance(options, dict) else {}
    for name, value in options.items():
        if name == "training" and value is True:
            raise Unreadable("is called with training=True, in prediction as well")
        if name not in _GIVEN and value not in (None, [], False):
            raise Unreadable(f"is called with {name}, which has no counterpart")
    for name in ("value", "key", "initial_state"):
        inputs += _references(options.get(name))
    if constants:
        raise Unreadable(f"is called with the constant {constants[0]!r}")
    return Call(inputs, [*_references(options.get("mask"))])


def _leaves(given: Any) -> Iterator[Any]:
    """Yield what is no result of a layer in the arguments of a call."""
    if isinstance(given, dict):
        if given.get("class_name") != "__keras_tensor__":
            yield given.get("class_name")
    elif isinstance(given, list):
        for each in given:
            yield from _leaves(each)
    else:
        yield given


def holds_chain(layer: Described) -> bool:
    """Return whether a layer is around a Sequential.

    Parameters
    ----------
    layer : Described
        The layer.

    Returns
    -------
    bool
        Whether it is.
    """
    inside = layer.config.get("layer")
    return isinstance(inside, dict) and inside.get("class_name") == "Sequential"


def declared_shape(layer: Described) -> Any:
    """Return the shape of a batch that a first layer declares.

    Parameters
    ----------
    layer : Described
        The layer.

    Returns
    -------
    list or None
        The shape, None without.
    """
    config = layer.config
    if config.get("sparse") is True or config.get("ragged") is True:
        raise Unreadable(f"{layer.name!r} takes sparse or ragged inputs, which have no counterpart")
    return config.get("batch_shape") or config.get("batch_input_shape")


class Graph:
    """Calls of a graph.

    Parameters
    ----------
    layers : list of Described
        Its layers.
    version : int
        Major version of Keras.
    """

    def __init__(self, layers: list[Described], version: int) -> None:
        self.layers = {each.name: each for each in layers}
        self.calls = {each.name: [] if each.kind in MASKS else calls_of(each) for each in layers}
        self._late = {each.name for each in layers if _begins_late(each, version)}

    def source(self, given: Reference) -> tuple[str, int]:
        """Return layer and index of the call of a result.

        Parameters
        ----------
        given : Reference
            The result.

        Returns
        -------
        tuple of (str, int)
            Layer and index.
        """
        if given.name not in self.calls:
            raise Unreadable(f"takes a result of {given.name!r}, which it does not list")
        count = len(self.calls[given.name])
        if count < 2:
            return given.name, 0
        index = given.call - (given.listed and given.name in self._late)
        if not 0 <= index < count:
            raise Unreadable(f"takes the result of call {index} of {given.name!r}, of {count}")
        return given.name, index

    def in_order(self) -> list[tuple[str, int]]:
        """Return layer and index of each call, behind those whose results it takes.

        Returns
        -------
        list of (str, int)
            Name of the layer and index of the call.

        Raises
        ------
        Unreadable
            If a call depends on itself.
        """
        sorter: TopologicalSorter[tuple[str, int]] = TopologicalSorter()
        for name, listed in self.calls.items():
            for number, call in enumerate(listed):
                sorter.add((name, number), *map(self.source, call.inputs))
        try:
            return [each for each in sorter.static_order() if each[1] < len(self.calls[each[0]])]
        except CycleError as error:
            raise Unreadable(f"is connected in a circle, at {error.args[1][0][0]!r}") from None


def _begins_late(layer: Described, version: int) -> bool:
    """Return whether the calls of a layer are numbered from 1, behind that which made it."""
    if layer.kind != "Sequential" or version > 2:
        return layer.kind in MODELS[1:]
    listed = layer.config.get("layers")
    first = listed[0] if isinstance(listed, list) and listed else {}
    return isinstance(first, dict) and first.get("class_name") == "InputLayer"
