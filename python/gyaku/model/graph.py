"""Graphs of layers, and their parameters in one buffer."""

from __future__ import annotations

import weakref
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import checked_dtype, each_of, truth, whole
from gyaku.components import Strict
from gyaku.layers.base import Views
from gyaku.model.application import Application
from gyaku.model.flat import Flat, Trained
from gyaku.model.plan import Plan
from gyaku.model.rollback import all_or_nothing
from gyaku.model.wiring import Wiring, name_parts, stem_of
from gyaku.symbolic import Block, label, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    from numpy.typing import DTypeLike, NDArray

    from gyaku.layers.base import Layer

    Shape: TypeAlias = tuple[int, ...]

__all__ = ["Graph", "constructed"]


def constructed(part: Block) -> str:
    """Return the constructor call of a part, for messages.

    Parameters
    ----------
    part : Block
        The layer or model.

    Returns
    -------
    str
        The text.
    """
    return part._construction() if isinstance(part, Graph) else repr(part)


class Graph(Strict, Block):
    """Graph of layers: build, forward and backward pass on validated arrays.

    Parameters
    ----------
    parts : sequence of Block
        The layers and models.
    wiring : Wiring
        The connections.
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs.
    seed : int or None
        The seed of the initial weights.
    name : str
        The name.
    """

    _settings = ("stop_training", "trainable")
    layers: tuple[Any, ...]
    dtype: np.dtype[Any]
    clock: NDArray[np.int64]
    params: Views
    grads: Views
    buffers: Views
    flat_params: NDArray[Any]
    flat_grads: NDArray[Any]
    flat_buffers: NDArray[Any]
    captured: dict[str, Any]
    lock: Any
    in_use: str = ""  # the verb of the thread that has the lock
    input_dtypes: tuple[str, ...]
    built: bool = False
    scales_bytes: bool = False
    columns: tuple[tuple[str, ...], ...] = ()
    metadata: dict[str, Any]
    input_shape: Any = None
    output_shape: Any = ()
    input_shapes: tuple[tuple[int, ...], ...] | None = None
    output_shapes: tuple[tuple[int, ...], ...] = ()
    plan: Plan
    _flat: Flat
    in_training: bool = False
    _is_part: bool = False  # of a model that was built
    _draft: int | None = None  # checksum of initial weights that no seed was given for
    _is_drawn: bool = False  # all weights are initial ones, of the seed of `build`
    _trained: Trained | None = None
    _behind: list[list[Layer]]  # the layers that take each input
    _batch: Shape | None = None  # shape of the first input of the last forward pass

    def __init__(
        self,
        parts: Sequence[Block],
        wiring: Wiring,
        dtype: DTypeLike,
        seed: int | None,
        name: str | None,
    ) -> None:
        self.dtype = checked_dtype(dtype)
        self.name = name or ""
        self.layers = tuple(parts)
        self.wiring = wiring
        self.clock = memory.zeros((1,), np.int64)
        self.params, self.grads, self.buffers = Views(), Views(), Views()
        self.flat_params = self.flat_grads = memory.zeros((0,), self.dtype)
        self.flat_buffers = self.flat_params
        self.captured: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.lock = RLock()
        self.seed = None if seed is None else whole(type(self).__name__, "seed", seed, least=0)
        self.scales_bytes = any(getattr(part, "scales_bytes", False) for part in parts)
        name_parts(type(self).__name__, parts)
        plan = self.planned()[0]
        plan.check_names(type(self).__name__)
        self.input_dtypes = plan.input_dtypes(wiring.dtypes)
        self._behind = [plan.layers_behind(value) for value in range(plan.inputs)]
        self.input_shapes = wiring.shapes
        self.input_shape = self._one_or_all(wiring.shapes) if wiring.shapes else None

    @property
    def arity(self) -> tuple[int | None, int]:
        """Number of inputs and of outputs."""
        return len(self.wiring.inputs), len(self.wiring.outputs)

    def _one_or_all(self, of_each: Sequence[Any]) -> Any:
        return of_each[0] if len(of_each) == 1 else tuple(of_each)

    @property
    def title(self) -> str:
        """The name, by default that of the class."""
        return self.name or stem_of(self)

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return self.wiring.inputs

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs: those of their layers."""
        return self.wiring.output_names(self.layers)

    def check_indices(self, owner: str, name: str, place: int, x: NDArray[Any]) -> None:
        """Raise if a layer behind an input cannot take these indices.

        Parameters
        ----------
        owner, name : str
            Function and argument, for errors.
        place : int
            Index of the input.
        x : ndarray
            The indices, (samples, ...).
        """
        for layer in self._behind[place]:
            layer.check_indices(owner, name, x)

    def _route(
        self, apply: Callable[..., tuple[int, ...]], values: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Call `apply` for each part in order, and return the outputs."""
        known = list(values)
        for part, given in self.wiring.calls:
            known += apply(self.layers[part], tuple(known[value] for value in given))
        return tuple(known[value] for value in self.wiring.outputs)

    def planned(self) -> tuple[Plan, list[tuple[Graph, tuple[int, ...]]]]:
        """Return the layers of all parts in the order of the forward pass.

        Returns
        -------
        plan : Plan
            The layers, not built yet.
        nested : list of (Graph, tuple of int)
            The models that are parts, each once, and the input values of their last calls.
        """
        applications: list[Application] = []
        nested: dict[int, tuple[Graph, tuple[int, ...]]] = {}
        count = len(self.wiring.inputs)

        def within(path: str) -> Callable[..., tuple[int, ...]]:
            def apply(part: Any, values: tuple[int, ...]) -> tuple[int, ...]:
                if isinstance(part, Graph):
                    nested[id(part)] = part, values
                    return part._route(within(f"{path}{part.name}."), values)
                output = applications[-1].outputs.stop if applications else count
                applications.append(Application(part, path + part.name, values, output))
                return tuple(applications[-1].outputs)

            return apply

        outputs = self._route(within(""), tuple(range(count)))
        return Plan(count, applications, outputs), [*nested.values()]

    def build(
        self,
        input_shape: Any = None,
        dtype: DTypeLike | None = None,
        seed: int = 0,
    ) -> None:
        """Create the parameters; `fit` and `predict` do so with the first data.

        Parameters
        ----------
        input_shape : tuple of int, optional
            Shape of an input sample, without the batch axis; a tuple of shapes for several
            inputs. Not needed after `gyaku.Input`.
        dtype : {"float32", "float64"}, optional
            The dtype of parameters and outputs, instead of the constructor's.
        seed : int
            Seed of the initial weights, unless the constructor was given one.

        Raises
        ------
        ValueError
            If a layer cannot take the output of the one before it.
        """
        with all_or_nothing([self]):
            self._build(input_shape, self.dtype if dtype is None else checked_dtype(dtype), seed)

    def _build(self, input_shape: Any, dtype: np.dtype[Any], seed: int) -> None:
        self.dtype = dtype
        shapes = self._shapes(input_shape)
        plan, nested = self.planned()
        self._check_idle([self, *(model for model, _ in nested)])
        self._take(plan, [model for model, _ in nested])
        known = any(layer.stored or layer.params for layer in plan.layers)
        self._draft, self._is_drawn = None, self.seed is None and not known
        stream = 0
        for layer in plan.layers:
            layer.model = weakref.ref(self)
            layer.path = plan.paths[id(layer)]
            layer.dtype, layer.clock = self.dtype, self.clock
            layer.seed = seed if self.seed is None else self.seed
            layer.stream = stream
            stream += layer.draws
        plan.build(shapes)
        plan.check_names(type(self).__name__)
        self._flat, self._is_part = Flat(plan.layers, self.dtype), False
        self._settle(plan)
        for model, values in nested:
            model._join(self, [plan.shapes[value] for value in values])

    def passes(self, input_shapes: Sequence[Shape]) -> Plan:
        """Return the plan of the model, with shapes alone if it is not built.

        Parameters
        ----------
        input_shapes : sequence of tuple of int
            The shapes of input samples.

        Returns
        -------
        Plan
            The plan; a model that is not built stays unchanged.

        Raises
        ------
        ValueError
            If a layer cannot take the output of the one before it.
        """
        if self.built:
            return self.plan
        plan, _ = self.planned()
        shapes = self._shapes(self._one_or_all(input_shapes))
        plan.sketch(shapes, model=weakref.ref(self), dtype=self.dtype, clock=self.clock)
        return plan

    def adopt(self, passes: Plan, seed: int | None = None) -> None:
        """Build the model for the result of `passes`, unless it is built.

        Parameters
        ----------
        passes : Plan
            The plan.
        seed : int, optional
            The seed of the initial weights. It replaces those of a build without a seed, if nobody
            has changed them: an evaluation before the training changes nothing.
        """
        if not self.built:
            self._build_for(passes.input_shapes, seed)
        elif seed is not None and self._draft == _checksum(self.flat_params):
            self.build(self.input_shape, seed=seed)
        if seed is not None:
            self._draft = None

    def _build_for(self, shapes: Sequence[Shape], seed: int | None = None) -> None:
        """Build the model for the first data."""
        self.build(self._one_or_all(shapes), seed=seed or 0)
        if seed is None and self._is_drawn:
            self._draft = _checksum(self.flat_params)

    def _check_idle(self, models: Sequence[Graph]) -> None:
        """Raise if one of the models is in training: the optimizer would lose its parameters."""
        for model in models:
            if model.in_training:
                within = "" if model is self else f" its part {label(model)}"
                raise RuntimeError(
                    f"{label(self)}: cannot be built while{within or ' it'} is in training; put a"
                    " copy into another model, copy.deepcopy(model)"
                )

    def _take(self, plan: Plan, nested: Sequence[Graph]) -> None:
        """Raise if layers belong to other models; keep the weights of models that become parts."""
        owners = {id(self), *map(id, nested)}
        nested_layers = {id(layer) for part in nested if part.built for layer in part.plan.layers}
        for layer in plan.layers:
            owner = layer.model() if layer.model else None
            if owner is self:
                continue
            if owner is not None and id(owner) not in owners:
                raise ValueError(
                    f"{layer} belongs to another model already, make a new layer; to predict with"
                    " some of a model's layers, make them a part: part = gyaku.Sequential(...),"
                    " gyaku.Sequential(part, ...), part.predict(x)"
                )
            if id(layer) in nested_layers and layer.stored is None:
                layer.stored = {**layer.params, **layer.buffers}

    def load(self, input_shape: Any, tensors: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Build the model with given parameters instead of new ones.

        Parameters
        ----------
        input_shape : sequence
            Shape of an input sample, or the shapes of several inputs.
        tensors : mapping of str to ndarray
            Parameters and buffers by their names; None raises.

        Raises
        ------
        ValueError
            If an array is missing or has another shape.
        TypeError
            If a path is given, which `gyaku.load` takes.
        """
        if tensors is None:
            raise TypeError(f"load: gyaku.load({input_shape!r}) reads a model from a file")
        plan, _ = self.planned()
        stored: dict[str, dict[str, NDArray[Any]]] = {path: {} for path in plan.paths.values()}
        deepest = max(path.count(".") for path in stored) + 1
        for name, tensor in tensors.items():
            words = name.split(".", deepest)
            for count in range(1, len(words)):
                if (path := ".".join(words[:count])) in stored:
                    stored[path][".".join(words[count:])] = tensor
        for layer in plan.layers:
            layer.stored = stored[plan.paths[id(layer)]]
        self.build(input_shape)

    def _shapes(self, given: object) -> tuple[Shape, ...]:
        """Return the sample shape of each input."""
        declared = self.wiring.shapes
        if given is None and declared:
            return declared
        if len(self.wiring.inputs) == 1:
            shapes: tuple[Shape, ...] = (shape_of("build", "input_shape", given),)
        else:
            parts = each_of("build", "input_shape", given, self.wiring.inputs)
            shapes = tuple(shape_of("build", "input_shape", part) for part in parts)
        if declared and shapes != declared:
            raise ValueError(
                f"build: the model was made for {self._one_or_all(declared)}, got input_shape"
                f" {self._one_or_all(shapes)}"
            )
        return shapes

    def _settle(self, plan: Plan) -> None:
        """Use a plan whose layers have their parameters in the final buffers."""
        plan.share_parameters()
        self.plan = plan
        self.params, self.grads, self.buffers = Views(), Views(), Views()
        self._show()
        self.input_shapes = plan.input_shapes
        self.input_shape = self._one_or_all(self.input_shapes)
        self.output_shapes = plan.output_shapes
        self.output_shape = self._one_or_all(self.output_shapes)
        self._batch = None
        self.built = True

    def _join(self, whole: Graph, shapes: Sequence[Shape]) -> None:
        """Become a part of a built model: with its parameters, but passes of its own."""
        self.dtype, self.clock, self.lock = whole.dtype, whole.clock, whole.lock
        plan, _ = self.planned()
        plan.build(shapes, clones_only=True)
        self._flat, self._is_part = whole._flat, True
        self._settle(plan)

    @property
    def _given(self) -> tuple[Any, ...]:
        """The parts that copies and files keep."""
        return self.layers

    @property
    def trainable(self) -> bool:
        """Whether any layer is trained; setting it freezes or unfreezes all layers."""
        return any(part.trainable for part in self._given)

    @trainable.setter
    def trainable(self, given: bool) -> None:
        truth(label(self), "trainable", given)
        for part in self.layers:
            part.trainable = given

    def _construction(self) -> str:
        """Return class and parts, as `repr` shows them before the shapes are known."""
        return f"<{label(self)}: {', '.join(part.name for part in self.layers)}>"

    def refreeze(self) -> None:
        """Update the set of needed gradients after a layer was frozen or unfrozen."""
        if not self.built:
            return
        self.plan.freeze()
        for part in self.layers:
            if isinstance(part, Graph):
                part.refreeze()

    @property
    def trained(self) -> Trained:
        """Trained parameters and their gradients, each as one contiguous range.

        If frozen layers lie between others, the arrays are laid out anew, trained layers first.
        A part of another model keeps its layout, and the range is empty then.
        """
        layers = [each for each in self.plan.layers if each.params] if self.built else []
        trained = [each for each in layers if each.trainable]
        if not trained:
            return Trained(self.flat_params[:0], self.flat_grads[:0])
        part = self._flat.slice_of(trained)
        if part.start == part.stop and not self._is_part:
            self._lay(sorted(self.plan.layers, key=lambda layer: not layer.trainable))
            part = self._flat.slice_of(trained)
        if self._trained is None or self._trained.part != part:
            whole = part.stop - part.start == self.flat_params.size
            params, grads = self._flat["params"], self._flat["grads"]
            both = (self.flat_params, self.flat_grads) if whole else (params[part], grads[part])
            self._trained = Trained(*both, part)
        return self._trained

    def _lay(self, layers: Sequence[Layer]) -> None:
        """Move all parameters into new buffers, in the order of `layers`."""
        self._flat = Flat(layers, self.dtype)
        self._show()

    def _show(self) -> None:
        """Point the attributes of this model and its parts to the buffers."""
        self._trained = None
        part = self._flat.slice_of(self.plan.layers)
        self.flat_params, self.flat_grads = self._flat["params"], self._flat["grads"]
        if self._is_part:
            self.flat_params, self.flat_grads = self.flat_params[part], self.flat_grads[part]
        self.flat_buffers = self._flat["buffers"]
        for layer in self.plan.layers:
            for name in ("params", "grads", "buffers"):
                for key, view in getattr(layer, name).items():
                    getattr(self, name).place(f"{self.plan.paths[id(layer)]}.{key}", view)
        for each in self.layers:
            if isinstance(each, Graph) and each._is_part:
                each._flat = self._flat
                each._show()

    def reseed(self, seed: int) -> None:
        """Set the seed of the random numbers in training.

        Parameters
        ----------
        seed : int
            The seed.
        """
        for use in self.plan.applications:
            use.layer.seed = use.instance.seed = seed

    def run_forward(
        self,
        inputs: Sequence[NDArray[Any]],
        training: bool = False,
        seen: Callable[[Application, NDArray[Any]], None] | None = None,
        lengths: Sequence[NDArray[np.int64] | None] = (),
    ) -> list[NDArray[Any]]:
        """Run a forward pass on validated arrays.

        Parameters
        ----------
        inputs : sequence of ndarray
            One array for each input, of the model's dtype.
        training : bool
            Whether the pass belongs to a training step.
        seen : callable, optional
            Function to call with each application and its output.
        lengths : sequence of ndarray of int64 or None
            Lengths of the inputs that are padded sequences.

        Returns
        -------
        list of ndarray
            One array for each output.
        """
        if training:
            ops.advance(self.clock, 1)
        self._batch = inputs[0].shape
        return self.plan.forward(inputs, training, seen, lengths)

    @property
    def output_lengths(self) -> Sequence[NDArray[np.int64] | None]:
        """Lengths of the outputs of the last forward pass that are padded; () if none is."""
        return self.plan.output_lengths

    def run_backward(
        self,
        dy: Sequence[NDArray[Any]],
        seen: Callable[[Application, Iterable[NDArray[Any]]], None] | None = None,
    ) -> None:
        """Run a backward pass on validated arrays.

        Parameters
        ----------
        dy : sequence of ndarray
            The gradient with respect to each output.
        seen : callable, optional
            Function to call with each application and its gradients.
        """
        self.plan.backward(dy, seen=seen)


def _checksum(array: NDArray[Any]) -> int:
    import zlib

    return zlib.crc32(array.data)
