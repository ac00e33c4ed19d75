"""Models from files of Keras, and from its models."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import FileError
from gyaku.interop.keras.activations import Unreadable
from gyaku.interop.keras.config import (
    MASKS,
    MODELS,
    Described,
    Graph,
    declared_shape,
    described,
    holds_chain,
    inputs_and_outputs,
    keras_name,
    layers_of,
)
from gyaku.interop.keras.file import KerasFile, Stored, content_of
from gyaku.interop.keras.given import Given
from gyaku.interop.keras.layers import MAKERS, counterparts
from gyaku.interop.keras.layout import to_gyaku, variables
from gyaku.interop.keras.legacy import split
from gyaku.interop.keras.masks import Value, masked
from gyaku.layers import Identity, TimeDistributed
from gyaku.model import Model, Sequential
from gyaku.model.plan import clone
from gyaku.model.restore import MOST_APPLICATIONS
from gyaku.symbolic import Input

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers import Layer
    from gyaku.symbolic import Block

__all__ = ["from_keras"]

_STEPS = 2  # of an input that leaves their number free


def from_keras(
    source: str | os.PathLike[str] | object, *, input_shape: Sequence[int] | None = None
) -> Model:
    """Return a model with the layers and weights of a model of Keras.

    Parameters
    ----------
    source : str or path-like or keras.Model
        A file ``.keras``, an old one ``.h5``, or a model.
    input_shape : sequence of int, optional
        Sample shape of the only input. It is needed if the source leaves other axes free than the
        batch, and the time axis of a model of layers that treat all steps alike.

    Returns
    -------
    Model
        The model, a `Sequential` for a Sequential; its layers have the names of Keras's.

    Raises
    ------
    ImportError
        If the package h5py is missing.
    FileError
        If the file is of another kind, truncated or inconsistent, or a layer or one of its options
        has no counterpart: the message names the layer.
    ValueError
        If `input_shape` is missing or does not fit.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If options that act in training alone have no counterpart and are left out: regularizers,
        constraints, dropout within recurrent layers.

    See Also
    --------
    to_keras : Write a model to a file of Keras.
    load_weights : Take the weights alone.

    Notes
    -----
    Keras is needed for its models only. A file is data: no code in it is run. Outputs and gradients
    are those of Keras up to rounding. Padded steps behind ``mask_zero`` have outputs of zero here,
    where a recurrent layer of Keras repeats the last one; a 0 within a sentence is a word here,
    and a masked step there.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Dense(8, "relu"), gk.Dense(2))
    >>> model.build((4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gk.interop.to_keras(model, folder + "/model.keras")
    ...     again = gk.interop.from_keras(folder + "/model.keras")
    >>> [type(layer).__name__ for layer in again.layers]
    ['Dense', 'Dense']
    """
    file = content_of(source)
    if file.config is None:
        raise FileError(
            f"from_keras: {file.name} holds weights alone, without the layers; make a model of the"
            " same layers, and call load_weights"
        )
    translation = _Translation(file)
    try:
        model, shape = translation.whole(described(file.config), input_shape)
    except Unreadable as error:
        raise FileError(f"from_keras: {file.name}: {error}") from None
    except RecursionError:
        raise FileError(f"from_keras: {file.name}: its models are nested too deeply") from None
    translation.fill(model, shape)
    if translation.dropped:
        warnings.warn(
            f"from_keras: {file.name}: left out, as they act in training alone:"
            f" {', '.join(dict.fromkeys(translation.dropped))}",
            stacklevel=2,
        )
    return model


class _Translation:
    """Translation of a model, layer by layer.

    Parameters
    ----------
    file : KerasFile
        The content of the file.
    """

    def __init__(self, file: KerasFile) -> None:
        self.file = file
        self.params: dict[int, dict[str, NDArray[Any]]] = {}  # by the id of a layer
        self.dropped: list[str] = []
        self.free = False  # whether the number of steps is
        self.applications = 0
        self.sizes: dict[int, int] = {}  # applications in each model
        self.nested: dict[int, tuple[list[Value], list[Value]]] = {}  # inputs and outputs
        self.chains: list[Model] = []  # whose layers are parts of others
        self.dtype = "float64" if _is_wide(file.layers) else "float32"

    def whole(self, model: Described, input_shape: Sequence[int] | None) -> tuple[Model, Any]:
        """Return the model, and the shapes of its inputs.

        Parameters
        ----------
        model : Described
            Its description.
        input_shape : sequence of int or None
            Shape of a sample, if the user knows it.

        Returns
        -------
        model : Model
            The model, not built.
        shape : tuple
            The shape of a sample, or the shapes of several inputs.
        """
        if model.kind not in MODELS:
            raise Unreadable(f"is a {model.kind}, no model of Keras's own layers")
        given = None if input_shape is None else [Value(tuple(input_shape))]
        stored = Stored(parts=self.file.layers)
        part, inputs, _ = self._model(model, stored, given, "", outermost=True)
        shapes = [each.shape for each in inputs]
        return part, shapes if len(shapes) > 1 else shapes[0]

    def fill(self, model: Model, shape: Any) -> None:
        """Build a model with the weights of the file.

        Parameters
        ----------
        model : Model
            The model.
        shape : tuple
            The shapes of its inputs.
        """
        paths = model.planned()[0].paths
        tensors = {
            f"{paths[key]}.{name}": array
            for key, params in self.params.items()
            if key in paths
            for name, array in params.items()
        }
        try:
            model.load(shape, tensors)
        except (ValueError, TypeError) as error:
            raise FileError(f"from_keras: {self.file.name}: {error}") from None
        if self.free and not model.plan.any_steps:
            raise ValueError(
                f"from_keras: {self.file.name} leaves the number of steps free, and"
                f" {model.plan.bound_to_steps} needs it: give input_shape"
            )

    def _model(
        self,
        model: Described,
        stored: Stored,
        given: list[Value] | None,
        place: str,
        outermost: bool = False,
    ) -> tuple[Model, list[Value], list[Value]]:
        """Return a model, its inputs and its outputs."""
        layers = layers_of(model)
        if len({each.name for each in layers}) < len(layers):
            raise Unreadable(f"{place or model.name} has two layers of one name")
        for each in layers:
            known = each.kind in MAKERS or each.kind in (*MODELS, *MASKS, "InputLayer")
            if not known:
                raise Unreadable(f"{place + each.name!r} ({each.kind}) has no counterpart")
        if self.file.by_name and not outermost:
            stored = Stored(parts=split(layers, stored.arrays))
        held = self._held(layers, stored)
        follow = self._chain if model.kind == "Sequential" else self._graph
        return follow(model, layers, held, given, place)

    def _held(self, layers: list[Described], stored: Stored) -> dict[str, Stored | None]:
        """Return what the file has of each layer, by the layer's name."""
        counts: dict[str, int] = {}
        found = {}
        for each in layers:
            key = keras_name("Functional" if each.kind == "Model" else each.kind)
            number = counts[key] = counts.get(key, -1) + 1
            key = each.name if self.file.by_name else f"{key}_{number}" if number else key
            found[each.name] = stored.parts.get(key)
        return found

    def _chain(
        self,
        model: Described,
        layers: list[Described],
        held: Mapping[str, Stored | None],
        given: list[Value] | None,
        place: str,
    ) -> tuple[Model, list[Value], list[Value]]:
        first, *more = layers or [model]
        declared = (
            declared_shape(first) or model.config.get("build_input_shape") or model.build_shape
        )
        start = self._input(declared, given[0] if given else None, place or model.name)
        values, parts = [start], []
        for each in more if first.kind == "InputLayer" else layers:
            made = self._parts(each, held[each.name], values, place)
            parts += made
            values = self._through(each, made, values, f"{place}{each.name}")
            if len(values) != 1:
                raise Unreadable(
                    f"{place}{each.name!r} ({each.kind}) has several outputs in a chain"
                )
        if not parts:
            raise Unreadable(f"{model.name!r} ({model.kind}) has no layers")
        count = self._count(parts, place or model.name)
        try:
            chain = Sequential(*parts, dtype=self.dtype, name=_name(model.name))
        except (ValueError, TypeError) as error:
            raise Unreadable(str(error)) from None
        self.sizes[id(chain)] = count
        return chain, [start], values

    def _graph(
        self,
        model: Described,
        layers: list[Described],
        held: Mapping[str, Stored | None],
        given: list[Value] | None,
        place: str,
    ) -> tuple[Model, list[Value], list[Value]]:
        graph = Graph(layers, self.file.version)
        starts, ends = inputs_and_outputs(model)
        results: dict[tuple[str, int], list[Value]] = {}
        inputs = []
        for number, each in enumerate(starts):
            layer = graph.layers.get(each.name)
            if layer is None or layer.kind != "InputLayer":
                raise Unreadable(
                    f"{place or model.name} begins at {each.name!r}, which is no input"
                )
            known = given[number] if given and number < len(given) else None
            value = self._input(declared_shape(layer), known, f"{place}{each.name}")
            value = value._replace(tensor=Input(value.shape, name=_name(each.name)))
            inputs.append(value)
            results[each.name, 0] = [value]
        if given is not None and len(given) != len(inputs):
            raise Unreadable(f"{place or model.name} takes {len(inputs)} inputs, got {len(given)}")
        made: dict[str, list[Block]] = {}
        uses: list[Block] = []
        for name, number in graph.in_order():
            layer, call = graph.layers[name], graph.calls[name][number]
            if layer.kind == "InputLayer" or layer.kind in MASKS:
                continue
            values = [self._result(graph, results, each, f"{place}{name}") for each in call.inputs]
            if call.masks and not any(each.mask for each in values):
                raise Unreadable(
                    f"{place}{name!r} ({layer.kind}) takes a mask that has no counterpart"
                )
            if name not in made:
                made[name] = self._parts(layer, held[name], values, place)
            results[name, number] = self._through(layer, made[name], values, f"{place}{name}")
            uses += made[name]
        outputs = [self._result(graph, results, each, place or model.name) for each in ends]
        count = self._count(uses, place or model.name)
        try:
            made_model = Model(
                [each.symbol for each in inputs],
                [x if (x := each.symbol).node else Identity()(x) for each in outputs],
                dtype=self.dtype,
                name=_name(model.name),
            )
        except (ValueError, TypeError) as error:
            raise Unreadable(str(error)) from None
        self.sizes[id(made_model)] = count
        return made_model, inputs, outputs

    def _result(self, graph: Graph, results: Any, given: Any, place: str) -> Value:
        """Return the value of a reference."""
        listed = results.get(graph.source(given))
        if listed is None or not 0 <= given.position < len(listed):
            raise Unreadable(f"{place!r} takes {given.name!r}, which gives no such result")
        value: Value = listed[given.position]
        return value

    def _input(self, declared: Any, known: Value | None, place: str) -> Value:
        """Return an input; a known value replaces what is declared free."""
        if declared is None:
            if known is None:
                raise ValueError(
                    f"from_keras: {self.file.name} does not know the shape of its input: give"
                    " input_shape"
                )
            return known
        if not isinstance(declared, list) or not declared:
            raise Unreadable(f"{place!r} has the input shape {declared!r}")
        shape = declared[1:]
        if known is not None:
            fits = len(known.shape) == len(shape)
            if not fits or any(a not in (None, b) for a, b in zip(shape, known.shape, strict=True)):
                raise ValueError(
                    f"from_keras: {place} of {self.file.name} takes samples of shape"
                    f" {tuple(shape)}, got {known.shape}"
                )
            return known
        if shape and shape[0] is None:
            self.free = True
            shape = [_STEPS, *shape[1:]]
        if None in shape:
            raise ValueError(
                f"from_keras: {self.file.name} leaves the shape of {place!r} free, it is"
                f" {tuple(shape)}: give input_shape"
            )
        if not all(type(each) is int and each > 0 for each in shape):
            raise Unreadable(f"{place!r} has the impossible input shape {tuple(shape)}")
        return Value(tuple(shape))

    def _parts(
        self, layer: Described, stored: Stored | None, values: list[Value], place: str
    ) -> list[Block]:
        """Return the parts of a layer or model, of which the first takes its inputs."""
        where = f"{place}{layer.name}"
        if layer.kind in MODELS:
            inner = stored or Stored()
            part, _, outputs = self._model(layer, inner, values, f"{where}/")
            self.nested[id(part)] = values, [each._replace(tensor=None) for each in outputs]
            return [part]
        if layer.kind == "TimeDistributed" and holds_chain(layer):
            return self._chain_of_steps(layer, stored or Stored(), values, where)
        arrays = list(stored.all_arrays) if stored else []
        shapes = [each.shape for each in values]
        given = Given(layer.kind, layer.config, arrays, shapes, self.file.version)
        try:
            made = counterparts(given)
            self._place(made, given)
        except (Unreadable, ValueError, TypeError) as error:
            raise Unreadable(f"{where!r} ({layer.kind}) {error}") from None
        if layer.config.get("trainable") is False:
            for each in _layers_in(made):
                each.trainable = False
        given.leave_out(*(o for o in layer.config if o.endswith(("_regularizer", "_constraint"))))
        self.dropped += [f"{option} of {where}" for option in given.dropped]
        return [*made]

    def _chain_of_steps(
        self, layer: Described, stored: Stored, values: list[Value], where: str
    ) -> list[Block]:
        """Return the layers of a Sequential that is applied to each step, each in its own."""
        inside = stored.parts.get("layer") or Stored(arrays=stored.arrays)
        steps = [Value(values[0].shape[1:])]
        chain, *_ = self._model(described(layer.config["layer"]), inside, steps, f"{where}/")
        self.chains.append(chain)  # so that no other object has its id
        parts: list[Block] = []
        for each in chain.layers:
            if isinstance(each, Model):
                raise Unreadable(f"{where!r} ({layer.kind}) holds a model within a model")
            part = TimeDistributed(each, name=f"{_name(layer.name)}_{each.name}")
            params = self.params.pop(id(each), {})
            self.params[id(part)] = {f"layer.{name}": array for name, array in params.items()}
            parts.append(part)
        return parts

    def _place(self, made: Sequence[Block], given: Given) -> None:
        """Keep the parameters of the layers that have some."""
        layers = _layers_in(made)
        placed = given.arrays_of(layers)
        owners = [(each, found) for each in layers if (found := variables(each))]
        if not owners and given.arrays:
            raise Unreadable(f"has {len(given.arrays)} arrays in the file, it needs none")
        for layer, found in owners:
            self.params[id(layer)] = to_gyaku(found, placed.get(id(layer), []))

    def _through(
        self, layer: Described, parts: Sequence[Block], values: list[Value], where: str
    ) -> list[Value]:
        """Return the values behind a layer or model."""
        try:
            if layer.kind in MODELS:
                return self._through_model(parts[0], values)
            results = values
            for part in parts:
                results = self._through_layer(part, results)
            return masked(layer, values, results)
        except (Unreadable, ValueError, TypeError) as error:
            hint = ""
            if self.free and not isinstance(error, Unreadable):
                hint = "; its input leaves the number of steps free: give input_shape"
            raise Unreadable(f"{where!r} ({layer.kind}) {error}{hint}") from None

    def _through_layer(self, layer: Any, values: list[Value]) -> list[Value]:
        shapes = tuple(each.shape for each in values)
        if isinstance(layer, Model):
            found = layer.passes([*shapes]).output_shapes
            return self._connected(layer, values, [Value(each) for each in found])
        probe = clone(layer)
        for name in ("params", "grads", "buffers"):
            vars(probe).pop(name, None)
        stored = self.params.get(id(layer), {})
        vars(probe).update(stored=stored, input_shape=shapes[0], input_shapes=shapes)
        made: Any = probe.build(*shapes)
        outputs = [made] if layer.arity[1] == 1 else list(made)
        return self._connected(layer, values, [Value(tuple(each)) for each in outputs])

    def _through_model(self, model: Any, values: list[Value]) -> list[Value]:
        inputs, outputs = self.nested[id(model)]
        if [each.mask for each in inputs] != [each.mask for each in values]:
            raise Unreadable("is called on padded sequences and on others")
        if [each.shape for each in inputs] != [each.shape for each in values]:
            plan = model.passes([each.shape for each in values])
            pairs = zip(outputs, plan.output_shapes, strict=True)
            outputs = [each._replace(shape=shape) for each, shape in pairs]
        return self._connected(model, values, outputs)

    def _connected(self, part: Block, values: list[Value], outputs: list[Value]) -> list[Value]:
        """Return outputs with the tensors of a graph, if it is one."""
        tensors = [each.tensor for each in values if each.tensor is not None]
        if len(tensors) < len(values):
            return outputs
        found = part(*tensors)
        listed = list(found) if isinstance(found, tuple) else [found]
        pairs = zip(outputs, listed, strict=True)
        return [each._replace(tensor=tensor) for each, tensor in pairs]

    def _count(self, parts: Sequence[Block], where: str) -> int:
        """Return the number of layers that a model applies; raise if there are too many in all."""
        count = sum(self.sizes.get(id(each), 1) for each in parts)
        self.applications += count
        if self.applications > MOST_APPLICATIONS:
            raise Unreadable(
                f"{where!r} applies more than {MOST_APPLICATIONS} layers, each use counted, as no"
                " file may"
            )
        return count


def _layers_in(parts: Sequence[Any]) -> list[Layer]:
    """Return layers, and those of models among them."""
    return [
        layer
        for part in parts
        for layer in (_layers_in(part.layers) if isinstance(part, Model) else [part])
    ]


def _is_wide(layers: Mapping[str, Stored]) -> bool:
    return any(
        any(array.dtype == np.float64 for array in each.arrays) or _is_wide(each.parts)
        for each in layers.values()
    )


def _name(name: str) -> str:
    return name.replace("/", "_").replace(".", "_")
