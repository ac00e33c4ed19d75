"""Models: graphs of layers, and their parameters in one buffer."""

from __future__ import annotations

import copy
import weakref
from typing import TYPE_CHECKING

import numpy as np

from gyaku import ops
from gyaku.checks import checked_dtype, each_of, whole
from gyaku.layers.base import Views
from gyaku.model.base import Trainable
from gyaku.model.flat import Flat
from gyaku.model.plan import Application, Plan
from gyaku.model.wiring import Wiring, name_parts, stem_of, wired
from gyaku.symbolic import Block, Tensor, shape_of
from gyaku.train.conversion import indices, scaled
from gyaku.train.samples import misfit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    from numpy.typing import DTypeLike, NDArray

    Shape: TypeAlias = tuple[int, ...]

__all__ = ["Model"]


class Model(Trainable):
    """A graph of layers: branches, sums, shared layers, several inputs and outputs.

    Parameters
    ----------
    inputs : Tensor or sequence of Tensor
        What `gyaku.Input` returned.
    outputs : Tensor or sequence of Tensor
        What the last layers returned that were called on them.
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs.
    seed : int, optional
        What the initial weights depend on; by default the seed of the first `fit`.
    name : str
        The model's name.

    Raises
    ------
    TypeError
        If something is no symbolic tensor.
    ValueError
        If the outputs depend on something that is not among the inputs, or an input is not used.

    Notes
    -----
    A layer that is called several times is shared: it has one set of parameters, and their
    gradient is the sum over its uses. A model can be called like a layer, and is then a part of
    another. Arrays for several inputs or outputs are given as a tuple in their order, or as a dict:
    inputs by their names, outputs by those of the layers that return them.

    Examples
    --------
    >>> import gyaku as gk
    >>> x = gk.Input((8, 8, 1))
    >>> features = gk.Conv2D(4, 3, padding="same", activation="relu")(x)
    >>> sum_ = gk.Add()(features, gk.Conv2D(4, 3, padding="same")(features))
    >>> model = gk.Model(x, gk.Dense(10)(gk.GlobalAvgPool2D()(sum_)))
    >>> model.forward(np.zeros((2, 8, 8, 1))).shape
    (2, 10)
    """

    _batch: int | None = None  # the samples of the last forward pass
    plan: Plan

    def __init__(
        self,
        inputs: Tensor | Sequence[Tensor],
        outputs: Tensor | Sequence[Tensor],
        *,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
        name: str = "",
    ) -> None:
        parts, wiring = wired(inputs, outputs)
        self._set_up(parts, wiring, dtype, seed, name)

    def _set_up(
        self,
        parts: Sequence[Block],
        wiring: Wiring,
        dtype: DTypeLike,
        seed: int | None,
        name: str,
    ) -> None:
        super().__init__(dtype=dtype, name=name)
        self.layers = tuple(parts)
        self.wiring = wiring
        self.seed = None if seed is None else whole(type(self).__name__, "seed", seed, least=0)
        self.scales_bytes = any(getattr(part, "scales_bytes", False) for part in parts)
        name_parts(type(self).__name__, parts)
        self.input_dtypes = self.planned()[0].input_dtypes(wiring.dtypes)
        self.forget()

    @property
    def arity(self) -> tuple[int | None, int]:
        """How many inputs it takes and how many outputs it gives."""
        return len(self.wiring.inputs), len(self.wiring.outputs)

    def forget(self) -> None:
        """Be a model that is not built, whose next samples may have another shape."""
        self.built = False
        self.input_shapes = self.wiring.shapes
        self.input_shape = self._one_or_all(self.wiring.shapes) if self.wiring.shapes else None

    def _one_or_all(self, of_each: Sequence[Any]) -> Any:
        return of_each[0] if len(of_each) == 1 else tuple(of_each)

    @property
    def title(self) -> str:
        """The name, or that of the class where there is none."""
        return self.name or stem_of(self)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs: those of the layers that return them."""
        return self.wiring.output_names(self.layers)

    def _route(
        self, apply: Callable[..., tuple[int, ...]], values: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Send values through the parts, each by `apply`, and return the outputs."""
        known = list(values)
        for part, given in self.wiring.calls:
            known += apply(self.layers[part], tuple(known[value] for value in given))
        return tuple(known[value] for value in self.wiring.outputs)

    def planned(self) -> tuple[Plan, list[tuple[Model, tuple[int, ...]]]]:
        """Return the layers of all parts in the order of their work.

        Returns
        -------
        plan : Plan
            The layers, not built yet.
        nested : list of (Model, tuple of int)
            The models that are parts, and the values that they take.
        """
        applications: list[Application] = []
        nested: list[tuple[Model, tuple[int, ...]]] = []
        count = len(self.wiring.inputs)

        def within(path: str) -> Callable[..., tuple[int, ...]]:
            def apply(part: Any, values: tuple[int, ...]) -> tuple[int, ...]:
                if isinstance(part, Model):
                    nested.append((part, values))
                    return part._route(within(f"{path}{part.name}."), values)
                output = count + len(applications)
                applications.append(Application(part, path + part.name, values, output))
                return (output,)

            return apply

        outputs = self._route(within(""), tuple(range(count)))
        return Plan(count, applications, outputs), nested

    def build(
        self,
        input_shape: Any = None,
        dtype: DTypeLike | None = None,
        seed: int = 0,
    ) -> None:
        """Make the parameters, layer by layer; see `Trainable.build`."""
        if dtype is not None:
            self.dtype = checked_dtype(dtype)
        shapes = self._shapes(input_shape)
        plan, nested = self.planned()
        self._take(plan, [model for model, _ in nested])
        stream = 0
        for layer in plan.layers:
            layer.model = weakref.ref(self)
            layer.path = plan.paths[id(layer)]
            layer.dtype, layer.clock = self.dtype, self.clock
            layer.seed = seed if self.seed is None else self.seed
            layer.stream = stream
            stream += layer.draws
        known = plan.build(shapes)
        self._flat = Flat(plan.layers, self.dtype)
        self.flat_params, self.flat_grads = self._flat["params"], self._flat["grads"]
        self.flat_buffers = self._flat["buffers"]
        self._adopt(plan, known)
        for model, values in nested:
            model._join(self, [known[value] for value in values])

    def _take(self, plan: Plan, nested: Sequence[Model]) -> None:
        """Refuse layers of other models; keep the weights of models that are parts now."""
        kept = {id(layer) for part in nested if part.built for layer in part.plan.layers}
        for layer in plan.layers:
            owner = layer.model() if layer.model else None
            if owner is self:
                continue
            if owner is not None and all(owner is not part for part in nested):
                raise ValueError(f"{layer} belongs to another model already, make a new layer")
            if id(layer) in kept and layer.stored is None:
                layer.stored = {**layer.params, **layer.buffers}

    def load(self, input_shape: Any, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Build the model with given parameters instead of new ones.

        Parameters
        ----------
        input_shape : sequence
            The shape of an input sample, or the shapes of several.
        tensors : mapping of str to ndarray
            Parameters and buffers by their names.

        Raises
        ------
        ValueError
            If one is missing, or has another shape.
        """
        plan, _ = self.planned()
        for layer in plan.layers:
            path = plan.paths[id(layer)] + "."
            layer.stored = {
                name.removeprefix(path): tensor
                for name, tensor in tensors.items()
                if name.startswith(path)
            }
        self.build(input_shape)

    def _shapes(self, given: object) -> tuple[Shape, ...]:
        """Return the shape of each input's samples."""
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

    def _adopt(self, plan: Plan, known: dict[int, Shape]) -> None:
        """Work by a plan whose layers have their parameters where they are to stay."""
        plan.settle()
        self.plan = plan
        self.params, self.grads, self.buffers = Views(), Views(), Views()
        for layer in plan.layers:
            for name in ("params", "grads", "buffers"):
                for key, view in getattr(layer, name).items():
                    getattr(self, name).place(f"{plan.paths[id(layer)]}.{key}", view)
        self.input_shapes = tuple(known[value] for value in range(plan.inputs))
        self.input_shape = self._one_or_all(self.input_shapes)
        self.output_shapes = tuple(known[value] for value in plan.outputs)
        self.output_shape = self._one_or_all(self.output_shapes)
        self._batch = None
        self.built = True

    def _join(self, whole: Model, shapes: Sequence[Shape]) -> None:
        """Be a part of a model that was built: the same parameters, but passes of its own."""
        self.dtype, self.clock = whole.dtype, whole.clock
        plan, _ = self.planned()
        known = plan.build(shapes, apart=True)
        self._flat = whole._flat
        part = whole._flat.slice_of(plan.layers)
        self.flat_params, self.flat_grads = self._flat["params"][part], self._flat["grads"][part]
        self.flat_buffers = self._flat["buffers"]
        self._adopt(plan, known)

    def reseed(self, seed: int) -> None:
        """Let what is random in a training depend on another seed.

        Parameters
        ----------
        seed : int
            The seed.
        """
        for use in self.plan.applications:
            use.layer.seed = use.worker.seed = seed

    def run_forward(
        self,
        inputs: Sequence[NDArray[Any]],
        training: bool = False,
        seen: Callable[[Application, NDArray[Any]], None] | None = None,
    ) -> list[NDArray[Any]]:
        """Do a forward pass on arrays that were checked.

        Parameters
        ----------
        inputs : sequence of ndarray
            One array for each input, of the model's dtype.
        training : bool
            Whether this belongs to a training step.
        seen : callable, optional
            What is told each layer's output.

        Returns
        -------
        list of ndarray
            One array for each output.
        """
        if training:
            ops.advance(self.clock, 1)
        self._batch = len(inputs[0])
        return self.plan.forward(inputs, training, seen)

    def forward(self, x: object, training: bool = False) -> Any:
        """Pass a batch through all layers; see `Trainable.forward`."""
        given = each_of("forward", "x", x, self.wiring.inputs)
        batches = [self._batch_of(each, place) for place, each in enumerate(given)]
        shapes = tuple([batch.shape[1:] for batch in batches])
        if not self.built:
            self.build(self._one_or_all(shapes))
        if shapes != self.input_shapes or len({len(batch) for batch in batches}) > 1:
            self._refuse(batches)
        outputs = self.run_forward(batches, training)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _batch_of(self, x: object, place: int) -> NDArray[Any]:
        """Return an input at its value, in the dtype that the layers behind it take."""
        if kind := self.input_dtypes[place]:
            return indices("forward", self._named("x", place), np.asarray(x), kind)
        if type(x) is np.ndarray and x.dtype is self.dtype and x.flags.carray:
            return x
        batch = np.asarray(x)
        if self.scales_bytes and batch.dtype == np.uint8:
            batch = scaled(batch, self.dtype)
        return np.require(batch, self.dtype, ["C", "A"])

    def _refuse(self, batches: Sequence[NDArray[Any]]) -> None:
        for place, batch in enumerate(batches):
            name, shape = self._named("x", place), (self.input_shapes or ())[place]
            if batch.shape[1:] != shape:
                raise ValueError(
                    f"forward: {name} has samples of shape {batch.shape[1:]}, the model expects"
                    f" {shape}{misfit(name, batch.shape, shape)}"
                )
            if len(batch) != len(batches[0]):
                raise ValueError(
                    f"forward: {name} has {len(batch)} samples, the first input {len(batches[0])}"
                )

    def _named(self, name: str, place: int) -> str:
        inputs = self.wiring.inputs
        return name if len(inputs) == 1 else f"{name}[{inputs[place]!r}]"

    def backward(self, dy: object, *, input_gradient: bool = False) -> Any:
        """Pass a gradient back through all layers; see `Trainable.backward`."""
        if self._batch is None:
            raise RuntimeError("backward: call forward first, backward needs what it keeps")
        gradients = []
        for each, sample in zip(
            each_of("backward", "dy", dy, self.output_names), self.output_shapes, strict=True
        ):
            given, shape = np.asarray(each), (self._batch, *sample)
            if given.shape != shape:
                raise ValueError(
                    f"backward: dy has shape {given.shape}, the outputs of forward have {shape}"
                )
            gradients.append(np.require(given, self.dtype, ["C", "A"]))
        found = self.plan.backward(gradients, input_gradient)
        if not input_gradient:
            return None
        return self._one_or_all([found.get(value) for value in range(self.plan.inputs)])

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what a model file would hold: architecture, weights, loss, metrics."""
        options = {"dtype": str(self.dtype), "seed": self.seed, "name": self.name}
        state = {
            "input_shape": self.input_shape if self.built else None,
            "weights": {name: view.copy() for name, view in self._arrays()},
            "clock": int(self.clock[0]),
            "loss": self.loss,
            "loss_weights": self.loss_weights,
            "metrics": self.metrics,
            "scales_bytes": self.scales_bytes,
        }
        return _made, (type(self), self._structure(), options), state

    def _structure(self) -> tuple[Any, ...]:
        """Return the arguments of `_of`."""
        return self.layers, self.wiring

    @classmethod
    def _of(cls, structure: tuple[Any, ...], **options: Any) -> Model:
        """Return a model from what `_structure` returned."""
        model = object.__new__(cls)
        parts, wiring = structure
        model._set_up(parts, wiring, **{"dtype": "float32", "seed": None, "name": ""} | options)
        return model

    def _arrays(self) -> Iterable[tuple[str, NDArray[Any]]]:
        """Return all that a file keeps."""
        return (*self.params.items(), *self.buffers.items())

    def __copy__(self) -> Model:
        """Return a whole copy: a layer belongs to one model, so two cannot share their layers."""
        return copy.deepcopy(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["input_shape"] is not None:
            self.build(state["input_shape"])
            for name, weights in state["weights"].items():
                (self.params if name in self.params else self.buffers)[name] = weights
        self.clock[0] = state["clock"]
        self.loss, self.metrics = state["loss"], state["metrics"]
        self.loss_weights = state["loss_weights"]
        self.scales_bytes = state.get("scales_bytes", True)  # as the first version of all did

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.name!r}" if self.name else type(self).__name__

    def __repr__(self) -> str:
        return f"<{self}: {', '.join(part.name for part in self.layers)}>"


def _made(cls: type[Model], structure: tuple[Any, ...], options: dict[str, Any]) -> Model:
    return cls._of(structure, **options)
