"""The layers of a graph in the order of the forward pass, and the values between them."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from gyaku import memory, ops
from gyaku.findings import Finding
from gyaku.layers.base import Layer
from gyaku.layers.rescaling import Normalization, Rescaling
from gyaku.layers.weighted import Weighted
from gyaku.model.application import build
from gyaku.model.pairs import paired
from gyaku.windows import channels_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from gyaku.model.application import Application

    Arrays = Sequence[NDArray[Any]]
    Lengths = Sequence[NDArray[np.int64] | None]
    Shape = tuple[int, ...]
    Reader = tuple[Callable[[dict[str, Any]], tuple[Any, ...]], dict[str, Any]]

__all__ = ["Plan", "clone"]


class Plan:
    """Plan of a model's passes: applications of layers in topological order.

    Parameters
    ----------
    inputs : int
        Number of inputs, which are the first values.
    applications : sequence of Application
        The applications in topological order.
    outputs : sequence of int
        Indices of the output values.

    Attributes
    ----------
    layers : list of Layer
        The layers, each once.
    shapes : dict of int to tuple of int
        Sample shape of each value, once the layers are built.
    output_lengths : list of ndarray of int64 or None
        Lengths of the outputs of the last forward pass that are padded sequences; [] if none is.
    bound_to_steps : Layer or None
        The first layer that needs the number of steps for which it was built.
    """

    def __init__(
        self, inputs: int, applications: Sequence[Application], outputs: Sequence[int]
    ) -> None:
        self.inputs = inputs
        self.applications = applications
        self.outputs = outputs
        self.uses: dict[int, list[Application]] = {}
        self._readers: dict[int, list[Application]] = {}  # of each value
        self._maker = {each.output: each.layer for each in applications}.get
        for each in applications:
            self.uses.setdefault(id(each.layer), []).append(each)
            for value in {*each.inputs}:
                self._readers.setdefault(value, []).append(each)
        self.layers = [uses[0].layer for uses in self.uses.values()]
        self.shapes: dict[int, Shape] = {}
        self.output_lengths: list[NDArray[np.int64] | None] = []
        self.paths = {id(uses[0].layer): uses[0].path for uses in self.uses.values()}
        self._reached: set[int] = set()  # values that depend on a trained parameter
        self._shared: list[tuple[Layer, list[Layer]]] = []
        self._backward = list(applications)
        self._finds = any(each.layer.finds_lengths for each in applications)
        self._timed: set[int] = set()  # values of any number of steps
        self._settings: list[Reader] | None = None  # of each layer
        self.bound_to_steps: Layer | None = applications[0].layer if applications else None

    def check_names(self, owner: str) -> None:
        """Raise if two layers have the same path, such as "a.b" beside "b" in a model "a".

        Parameters
        ----------
        owner : str
            The model, for the error.

        Raises
        ------
        ValueError
            If there are two.
        """
        owners: dict[str, object] = {}
        for layer in self.layers:
            path = self.paths[id(layer)]
            for name in [path, *(f"{path}.{each}" for each in (*layer.params, *layer.buffers))]:
                if owners.setdefault(name, layer) is not layer:
                    raise ValueError(
                        f"{owner}: two layers share the path {name!r}, give one another name"
                    )

    def input_dtypes(self, declared: Sequence[str]) -> tuple[str, ...]:
        """Return the dtypes of the inputs.

        Parameters
        ----------
        declared : sequence of str
            Dtypes given to `gyaku.Input`, "" without.

        Returns
        -------
        tuple of str
            "int32" or "int64" as declared, "integer" for either of them if the layers behind it
            take indices, and "" for the model's own.

        Raises
        ------
        ValueError
            If a layer behind an input of indices does not take indices, or one that does, or that
            finds the lengths of sequences, is not behind an input.
        """
        for use in self.applications:
            if max(use.inputs) >= self.inputs and (
                use.layer.takes_indices or use.layer.finds_lengths
            ):
                takes = "takes indices" if use.layer.takes_indices else "finds lengths in the data"
                raise ValueError(
                    f"{use.layer}: {takes}, so it must come first, not behind another layer"
                )
        found = []
        for value, dtype in enumerate(declared):
            users = self.layers_behind(value)
            wanted = dtype or ("integer" if any(layer.takes_indices for layer in users) else "")
            for layer in users:
                if wanted and not layer.takes_indices:
                    raise ValueError(
                        f"{layer}: takes no indices, but its input holds indices; set takes_indices"
                        " = True in a layer of your own"
                    )
            found.append(wanted)
        return tuple(found)

    def layers_behind(self, value: int) -> list[Layer]:
        """Return the layers that take a value.

        Parameters
        ----------
        value : int
            Index of the value.

        Returns
        -------
        list of Layer
            The layers.
        """
        return [use.layer for use in self._readers.get(value, ())]

    def meets_weights(self, value: int) -> bool:
        """Return whether a value is multiplied by weights without rescaling.

        Parameters
        ----------
        value : int
            Index of the value.

        Returns
        -------
        bool
            False if it goes through a normalisation, a `Rescaling` or a user's layer first.
        """
        reached = {value}
        for use in self.applications:
            is_reached = not reached.isdisjoint(use.inputs)
            if is_reached and isinstance(use.layer, Weighted):
                return True
            rescales = use.instance.params or isinstance(use.layer, Rescaling | Normalization)
            if is_reached and use.layer.native and not rescales:
                reached.add(use.output)
        return False

    def is_rescaled(self, value: int) -> bool:
        """Return whether a value is the output of a `Rescaling`.

        Parameters
        ----------
        value : int
            Index of the value.

        Returns
        -------
        bool
            Whether it is.
        """
        return isinstance(self._maker(value), Rescaling)

    def _next_activations(self) -> dict[int, str]:
        """Return the activation behind each value, if it is the same for all uses, else ""."""
        outputs, found = set(self.outputs), dict[int, str]()
        for use in reversed(self.applications):  # those behind come first
            names = {
                found[each.output] if each.layer.passes_sums else getattr(each.layer, "op", "")
                for each in self._readers.get(use.output, ())
            } | ({""} if use.output in outputs else set())
            found[use.output] = names.pop() if len(names) == 1 else ""
        return found

    @property
    def input_shapes(self) -> tuple[Shape, ...]:
        """The shapes of input samples."""
        return tuple(self.shapes[value] for value in range(self.inputs))

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        """The shapes of output samples."""
        return tuple(self.shapes[value] for value in self.outputs)

    @property
    def any_steps(self) -> bool:
        """Whether the input is a sequence of any number of steps."""
        return self.bound_to_steps is None

    def _find_sequences(self) -> None:
        """Find the values that have any number of steps, up to a layer that needs the known one."""
        self._timed = timed = {0}
        used = {*self.outputs, *(value for use in self.applications for value in use.inputs)}
        for use in self.applications:
            if timed.isdisjoint(use.inputs) and self.inputs == 1:
                continue
            layer, has_steps = use.layer, len(self.shapes[use.inputs[0]]) > 1
            alike = use.instance.any_steps and (has_steps or layer.takes_indices)
            # Beside sequences of any number of steps, others would have their own.
            alike &= all(each in timed or len(self.shapes[each]) < 2 for each in use.inputs)
            if self.inputs > 1 or not alike or used.isdisjoint(use.outputs):
                self.bound_to_steps = layer
                return
            if len(use.output_shape) > 1:
                timed.add(use.output)
        self.bound_to_steps = None

    def output_shapes_of(self, sample: Shape) -> tuple[Shape, ...]:
        """Return the shapes of output samples.

        Parameters
        ----------
        sample : tuple of int
            Shape of a sample of the first input, which may have any number of steps.

        Returns
        -------
        tuple of tuple of int
            The shape for each output.
        """
        if not self.any_steps or sample == self.shapes[0]:
            return self.output_shapes
        return tuple(
            (sample[0], *self.shapes[value][1:]) if value in self._timed else self.shapes[value]
            for value in self.outputs
        )

    @property
    def final_operations(self) -> tuple[str, ...]:
        """The last operation of each output, such as "softmax", or ""."""
        return tuple(self._operation(value) for value in self.outputs)

    def _operation(self, value: int) -> str:
        last: Any = self._maker(value)
        return getattr(getattr(last, "applied", None) or last, "op", "")

    @property
    def trains(self) -> bool:
        """Whether any layer has parameters that are trained."""
        return any(use.instance.params and use.layer.trainable for use in self.applications)

    @property
    def frozen(self) -> bool:
        """Whether any layer with parameters is frozen."""
        return any(use.instance.params and not use.layer.trainable for use in self.applications)

    @property
    def cut_off(self) -> tuple[Layer, Layer] | None:
        """A trained layer that gets no gradient, and the one with a step function behind it."""
        reached, cut = set(self.outputs), dict[int, Layer]()
        learning, found = set[int](), list[tuple[int, Layer, Layer]]()
        for use in reversed(self.applications):
            layer = use.instance
            has_slope = all(getattr(part, "has_slope", True) for part in _parts(layer))
            is_reached = not reached.isdisjoint(use.outputs)
            if is_reached and has_slope:
                reached.update(use.inputs)
                learning.add(id(use.layer))
            elif is_reached or not cut.keys().isdisjoint(use.outputs):
                behind = next(cut[v] for v in use.outputs if v in cut) if has_slope else layer
                cut |= dict.fromkeys(use.inputs, behind)
                if layer.params and use.layer.trainable:
                    found.append((id(use.layer), layer, behind))
        return next(((layer, behind) for key, layer, behind in found if key not in learning), None)

    @property
    def repeatable(self) -> bool:
        """Whether training passes of the same inputs and parameters are the same."""
        parts = [part for layer in self.layers for part in _parts(layer)]
        return not any(part.varies or not part.native for part in parts)

    @property
    def stateful(self) -> Layer | None:
        """The first layer that carries states from batch to batch, if there is one."""
        return next((each for each in self.layers if vars(each).get("stateful")), None)

    @property
    def settings(self) -> list[object] | None:
        """Values of the constructors' arguments that the layers have at present.

        With the same objects, a forward pass of a batch of the same shape consists of the same
        operations on the same buffers. None if that is not known, as with layers of users, or if
        layers carry states.
        """
        if self._settings is None:
            parts = [part for use in self.applications for part in _parts(use.instance)]
            known = self.stateful is None and all(part.native and part._builtin for part in parts)
            self._settings = [_reader(part) for part in parts] if known else []
        found = [read(values) for read, values in self._settings]
        return [*chain.from_iterable(found)] if found else None

    @property
    def by_sample(self) -> bool:
        """Whether samples of a batch are known not to depend on one another in training.

        They may do in layers of users, in normalisations over a batch, and in layers that carry
        something from one pass to the next.
        """
        parts = [part for layer in self.layers for part in _parts(layer)]
        is_known = all(part._builtin and not part.buffers for part in parts)
        return is_known and self.stateful is None and self.least_batch[0] == 1

    @property
    def least_batch(self) -> tuple[int, Layer]:
        """The smallest batch of a training step, and the layer that needs it."""
        use = max(self.applications, key=lambda use: use.instance.least_batch)
        return use.instance.least_batch, use.layer

    @property
    def doubts(self) -> list[Finding]:
        """Findings on inputs in a probably wrong layout."""
        found = []
        for use in self.applications:
            is_first = use.source in range(self.inputs) or self.is_rescaled(use.source)
            shape = self.shapes[use.source] if is_first else ()
            if getattr(use.layer, "dimensions", None) == 2 and channels_first(shape):
                height, width, channels = shape
                facts = {"part": use.layer, "shape": shape, "channels": channels}
                facts |= {"height": height, "width": width}
                found.append(Finding("channels_first", use.path, channels, facts))
        return found

    def sketch(self, shapes: Sequence[Shape], **known: Any) -> None:
        """Infer the shapes of all values by clones of the layers, which stay unchanged.

        Parameters
        ----------
        shapes : sequence of tuple of int
            Sample shapes of the inputs.
        **known : object
            Attributes of the layers of a model.
        """
        self.shapes = dict(enumerate(shapes))
        for use in self.applications:
            use.bind(clone(use.layer))
            vars(use.instance).update(sketched=True, stored=None, path=use.path, **known)
            build(use.instance, tuple(self.shapes[value] for value in use.inputs))
            self.shapes.update(zip(use.outputs, use.instance.output_shapes, strict=True))
        self._find_sequences()

    def build(self, shapes: Sequence[Shape], *, clones_only: bool = False) -> None:
        """Build all layers, which declare their parameters.

        Parameters
        ----------
        shapes : sequence of tuple of int
            Sample shapes of the inputs.
        clones_only : bool
            Whether the layers themselves are built already.
        """
        self.shapes = known = dict(enumerate(shapes))
        activations = self._next_activations()
        streams = sum(layer.draws for layer in self.layers)
        counts = dict.fromkeys(self.uses, 0)  # of the uses so far
        for use in self.applications:
            given = tuple(known[value] for value in use.inputs)
            several = len(self.uses[id(use.layer)]) > 1
            if not clones_only and not counts[id(use.layer)]:
                use.layer.activation_after = activations[use.output]
                build(use.layer, given)
            if several or clones_only:
                use.bind(clone(use.layer))
                use.instance.stream += streams * counts[id(use.layer)]
                build(use.instance, given)
            counts[id(use.layer)] += 1
            known.update(zip(use.outputs, use.instance.output_shapes, strict=True))
        self._find_sequences()

    @property
    def instances(self) -> list[Layer]:
        """The layers of the passes, a clone for each use of a shared one."""
        return [use.instance for use in self.applications]

    def share_parameters(self) -> None:
        """Share the parameters of the layers, now in their final buffers, with the clones."""
        self._shared = []
        for use in self.applications:
            instance, layer = use.instance, use.layer
            layer.stored = None
            if instance is not layer:
                vars(instance).update(params=layer.params, buffers=layer.buffers, stored=None)
                if len(self.uses[id(layer)]) == 1:
                    vars(instance)["grads"] = layer.grads
            instance.clock = layer.clock
        for uses in self.uses.values():
            if len(uses) > 1 and uses[0].layer.params:
                self._shared.append((uses[0].layer, [use.instance for use in uses]))
        self._backward = paired(self.applications, self.outputs)
        self.freeze()

    def freeze(self) -> None:
        """Find the values that depend on trained parameters; only these need gradients."""
        self._reached = set()
        for use in self.applications:
            vars(use.instance)["_frozen"] = not use.layer.trainable
            trained = use.layer.params and use.layer.trainable
            if trained or not self._reached.isdisjoint(use.inputs):
                self._reached.update(use.outputs)

    def lengths(self, inputs: Arrays, given: Lengths = ()) -> dict[int, NDArray[np.int64]]:
        """Return the lengths of the values that are padded sequences.

        Parameters
        ----------
        inputs : sequence of ndarray
            The inputs.
        given : sequence of ndarray of int64 or None
            Lengths of the inputs; () if there are none.

        Returns
        -------
        dict of int to ndarray of int64
            Number of real steps of each sample, for values of shape (samples, steps, ...).

        Notes
        -----
        They are given, or found by a layer behind an input. They travel through a layer whose
        output has the steps of its input, ``(steps, ...)`` of at least two axes; a layer that
        changes the time axis ends them.
        """
        found = {value: each for value, each in enumerate(given) if each is not None}
        for use in self.applications:
            layer = use.instance
            finds = layer.finds_lengths and use.source in range(self.inputs)
            if finds and use.source not in found:
                found[use.output] = layer.find_lengths(inputs[use.source])
                continue
            padded = next((value for value in use.inputs if value in found), None)
            if padded is None or not layer.output_shape[1:]:
                continue
            if layer.output_shape[0] == self.shapes[padded][0]:
                found[use.output] = found[padded]
        return found

    def depends_on(self, lengths: Mapping[int, NDArray[np.int64]]) -> bool:
        """Return whether any output or layer depends on lengths.

        Parameters
        ----------
        lengths : mapping of int to ndarray of int64
            The result of `lengths`.

        Returns
        -------
        bool
            Whether one does.
        """
        takers = (use.inputs[0] for use in self.applications if use.layer.takes_lengths)
        return any(value in lengths for value in (*takers, *self.outputs))

    def forward(
        self,
        inputs: Arrays,
        training: bool,
        seen: Callable[[Application, NDArray[Any]], None] | None = None,
        lengths: Lengths = (),
    ) -> list[NDArray[Any]]:
        """Pass inputs through all layers.

        Parameters
        ----------
        inputs : sequence of ndarray
            The inputs.
        training : bool
            Whether the pass belongs to a training step.
        seen : callable, optional
            Function to call with each application and its output.
        lengths : sequence of ndarray of int64 or None
            Lengths of the inputs that are padded sequences; see `lengths`.

        Returns
        -------
        list of ndarray
            The outputs.
        """
        values = list(inputs)  # an application's outputs are the next
        known = self.lengths(inputs, lengths) if lengths or self._finds else {}
        self.output_lengths = [known.get(value) for value in self.outputs] if known else []
        for use in self.applications:
            if use.source >= 0 and not known:  # the common case, a microsecond faster
                y = use.run(values[use.source], training=training)
            else:
                own = {"lengths": known.get(use.inputs[0])} if use.layer.takes_lengths else {}
                y = use.run(*[values[value] for value in use.inputs], training=training, **own)
            if use.layer.gives == 1:
                values.append(y)
            else:
                values.extend(y)
            if seen:
                for value in use.outputs:
                    seen(use, values[value])
        return [values[value] for value in self.outputs]

    def backward(
        self,
        gradients: Arrays,
        input_gradient: bool = False,
        seen: Callable[[Application, Iterable[NDArray[Any]]], None] | None = None,
    ) -> dict[int, NDArray[Any]]:
        """Pass gradients back through all layers, and write those of the parameters.

        Parameters
        ----------
        gradients : sequence of ndarray
            Gradients with respect to the outputs.
        input_gradient : bool
            Whether to return the gradients with respect to the inputs.
        seen : callable, optional
            Function to call with each application and its gradients.

        Returns
        -------
        dict of int to ndarray
            Gradients with respect to the inputs that have one.
        """
        pending: dict[int, list[NDArray[Any]]] = {}
        for value, gradient in zip(self.outputs, gradients, strict=True):
            pending.setdefault(value, []).append(gradient)
        samples = len(gradients[0])
        for use in reversed(self._backward):
            given = [pending.pop(value, []) for value in use.outputs]
            if not input_gradient and use.output not in self._reached:
                continue
            instance = use.instance
            instance.needs_input_gradient = not instance.takes_indices and (
                input_gradient or not self._reached.isdisjoint(use.inputs)
            )
            if not any(given):  # an unused layer
                given[0] = [memory.zeros((samples, *use.output_shape), instance.dtype)]
            totals = tuple(_sum(parts) if parts else None for parts in given)
            found = use.backward(totals[0] if len(totals) == 1 else totals)
            for value, part in zip(use.inputs, found, strict=True):
                if part is not None:
                    pending.setdefault(value, []).append(part)
            if seen:
                written = instance.grads.values() if instance.trainable else ()
                seen(use, [*written, *(part for part in found if part is not None)])
        for layer, instances in self._shared:
            if not layer.trainable:
                continue
            for key, total in layer.grads.items():
                _sum([instance.grads[key] for instance in instances], out=total)
        if not input_gradient:
            return {}
        return {value: _sum(parts) for value, parts in pending.items()}


def _sum(parts: Arrays, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Add arrays in their order."""
    total = parts[0]
    for each in parts[1:-1]:
        total = ops.add(total, each)
    return ops.add(total, parts[-1], out=out) if len(parts) > 1 else total


def _reader(layer: Layer) -> Reader:
    """Return a function for the settings among the attributes of a layer, and the attributes."""
    values = vars(layer)
    names = [name for name in layer.arguments() if name in values]
    return itemgetter("name", "name", *names), values  # a tuple, of two or more


def _parts(layer: Layer) -> list[Layer]:
    """Return a layer, and the layers in it: its activation, or the one that it wraps."""
    within = [each for each in vars(layer).values() if isinstance(each, Layer)]
    return [layer, *(part for each in within for part in _parts(each))]


def clone(layer: Layer) -> Layer:
    """Return a clone of a layer, with the same parameters and a state of its own.

    Parameters
    ----------
    layer : Layer
        The layer.

    Returns
    -------
    Layer
        The clone; its next build takes the parameters that the layer has, if any.
    """
    copy: Layer = object.__new__(type(layer))
    vars(copy).update(vars(layer))
    for name, value in [*vars(layer).items()]:
        if isinstance(value, Layer):  # its activation or parts
            setattr(copy, name, clone(value))
    copy.stored = {**layer.params, **layer.buffers}
    return copy
