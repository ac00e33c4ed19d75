"""The layers of a graph in the order of their work, and what flows between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku import memory, ops
from gyaku.checks import check_bytes
from gyaku.layers.base import Layer
from gyaku.layers.rescaling import Rescaling
from gyaku.layers.weighted import Weighted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]
    Shape = tuple[int, ...]

__all__ = ["Application", "Plan"]


class Application:
    """One use of a layer in a graph.

    Parameters
    ----------
    layer : Layer
        The layer that people made.
    path : str
        Its name, after those of the models that it is a part of.
    inputs : tuple of int
        The numbers of the values that it takes.
    output : int
        The number of the value that it gives.

    Attributes
    ----------
    worker : Layer
        What does the work: the layer, or where it is used several times, a twin for each use, which
        has the same parameters but keeps its own inputs and gradients for the backward pass.
    """

    __slots__ = ("inputs", "layer", "output", "path", "run", "source", "worker")

    def __init__(self, layer: Layer, path: str, inputs: tuple[int, ...], output: int) -> None:
        self.layer = layer
        self.path = path
        self.inputs = inputs
        self.output = output
        self.source = inputs[0] if len(inputs) == 1 else -1
        self.work_by(layer)

    def work_by(self, worker: Layer) -> None:
        """Let a layer or a twin of it do the work.

        Parameters
        ----------
        worker : Layer
            What does it.
        """
        self.worker = worker
        self.run: Callable[..., NDArray[Any]] = (
            worker.forward if worker.native else worker.run_forward
        )


class Plan:
    """What a model does in a pass: applications of layers, one after another.

    Parameters
    ----------
    inputs : int
        The number of inputs; they are the first values.
    applications : sequence of Application
        The applications, in an order in which each finds its inputs ready.
    outputs : sequence of int
        The values that are the model's outputs.

    Attributes
    ----------
    layers : list of Layer
        The layers, each once.
    """

    def __init__(
        self, inputs: int, applications: Sequence[Application], outputs: Sequence[int]
    ) -> None:
        self.inputs = inputs
        self.applications = applications
        self.outputs = outputs
        self.uses: dict[int, list[Application]] = {}
        for each in applications:
            self.uses.setdefault(id(each.layer), []).append(each)
        self.layers = [uses[0].layer for uses in self.uses.values()]
        self.paths = {id(uses[0].layer): uses[0].path for uses in self.uses.values()}
        self._reached: set[int] = set()  # values that depend on a parameter
        self._shared: list[tuple[Layer, list[Layer]]] = []
        self._pooled: dict[int, Layer] = {}  # values of which only maxima are used, by whom

    def input_dtypes(self, declared: Sequence[str]) -> tuple[str, ...]:
        """Return the dtypes of the inputs.

        Parameters
        ----------
        declared : sequence of str
            Those that `gyaku.Input` was given, "" where it was given none.

        Returns
        -------
        tuple of str
            "int32" or "int64" as declared, "integer" for either of them if it is read by layers
            that take indices, and "" for the model's own.

        Raises
        ------
        ValueError
            If an input of indices is read by a layer that takes none.
        """
        found = []
        for value, dtype in enumerate(declared):
            users = [use.layer for use in self.applications if value in use.inputs]
            wanted = dtype or ("integer" if any(layer.takes_indices for layer in users) else "")
            for layer in users:
                if wanted and not layer.takes_indices:
                    raise ValueError(
                        f"{layer}: takes no indices, but its input holds some; a layer of your own"
                        " takes them with takes_indices = True"
                    )
            found.append(wanted)
        return tuple(found)

    def meets_weights(self, value: int) -> bool:
        """Return whether a value is multiplied by weights on the scale that it comes on.

        Parameters
        ----------
        value : int
            The value.

        Returns
        -------
        bool
            False behind a normalisation, a `Rescaling` or a layer that somebody wrote in Python.
        """
        return any(
            isinstance(use.layer, Weighted)
            or (
                use.layer.native
                and not (use.worker.params or isinstance(use.layer, Rescaling))
                and self.meets_weights(use.output)
            )
            for use in self.applications
            if value in use.inputs
        )

    def is_rescaled(self, value: int) -> bool:
        """Return whether a value comes out of a `Rescaling`.

        Parameters
        ----------
        value : int
            The value.

        Returns
        -------
        bool
            Whether a layer of this class returns it.
        """
        return any(
            use.output == value and isinstance(use.layer, Rescaling) for use in self.applications
        )

    def activation_after(self, value: int) -> str:
        """Return the activation that a value is about to go through.

        Parameters
        ----------
        value : int
            The value.

        Returns
        -------
        str
            Its name, if all that use the value lead to the same one.
        """
        found = {""} if value in self.outputs else set()
        for use in self.applications:
            if value in use.inputs:
                passes = use.layer.passes_sums
                found.add(
                    self.activation_after(use.output) if passes else getattr(use.layer, "op", "")
                )
        return found.pop() if len(found) == 1 else ""

    def build(self, shapes: Sequence[Shape], *, apart: bool = False) -> dict[int, Shape]:
        """Let all layers declare their parameters.

        Parameters
        ----------
        shapes : sequence of tuple of int
            The shapes of the inputs' samples.
        apart : bool
            Whether all layers are built already, so that only twins are.

        Returns
        -------
        dict of int to tuple of int
            The shape of each value.
        """
        known = dict(enumerate(shapes))
        for use in self.applications:
            given = tuple(known[value] for value in use.inputs)
            several = len(self.uses[id(use.layer)]) > 1
            if not apart and use is self.uses[id(use.layer)][0]:
                use.layer.activation_after = self.activation_after(use.output)
                _build(use.layer, given)
            if several or apart:
                use.work_by(_twin(use.layer))
                streams = sum(layer.draws for layer in self.layers)
                use.worker.stream += streams * self.uses[id(use.layer)].index(use)
                _build(use.worker, given)
            known[use.output] = use.worker.output_shape
        return known

    def settle(self) -> None:
        """Give twins the parameters of their layers, which lie where they are to stay."""
        self._shared = []
        self._reached = set()
        for use in self.applications:
            worker, layer = use.worker, use.layer
            layer.stored = None
            if worker is not layer:
                vars(worker).update(params=layer.params, buffers=layer.buffers, stored=None)
                if len(self.uses[id(layer)]) == 1:
                    vars(worker)["grads"] = layer.grads
            worker.clock = layer.clock
            if layer.params or self._reached.intersection(use.inputs):
                self._reached.add(use.output)
        for uses in self.uses.values():
            if len(uses) > 1 and uses[0].layer.params:
                self._shared.append((uses[0].layer, [use.worker for use in uses]))
        self._pooled = {}
        made = {use.output: use.worker for use in self.applications}
        for use in self.applications:
            users = sum(other.inputs.count(use.source) for other in self.applications)
            if not use.worker.pools_pairs or users + self.outputs.count(use.source) > 1:
                continue
            if use.source in made and made[use.source].takes_maxima:
                self._pooled[use.source] = use.worker

    def forward(
        self,
        inputs: Arrays,
        training: bool,
        seen: Callable[[Application, NDArray[Any]], None] | None = None,
    ) -> list[NDArray[Any]]:
        """Pass inputs through all layers.

        Parameters
        ----------
        inputs : sequence of ndarray
            The inputs.
        training : bool
            Whether this belongs to a training step.
        seen : callable, optional
            What is told each application's output.

        Returns
        -------
        list of ndarray
            The outputs.
        """
        values = list(inputs)  # an application's output is the next
        for use in self.applications:
            if use.source >= 0:  # a microsecond less for what is called most
                y = use.run(values[use.source], training=training)
            else:
                y = use.run(*[values[value] for value in use.inputs], training=training)
            values.append(y)
            if seen:
                seen(use, y)
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
            The gradients by the outputs.
        input_gradient : bool
            Whether those by the inputs are wanted.
        seen : callable, optional
            What is told each application's gradients.

        Returns
        -------
        dict of int to ndarray
            The gradients by the inputs that were reached.
        """
        waiting: dict[int, list[NDArray[Any]]] = {}
        for value, gradient in zip(self.outputs, gradients, strict=True):
            waiting.setdefault(value, []).append(gradient)
        samples = len(gradients[0])
        for use in reversed(self.applications):
            parts = waiting.pop(use.output, [])
            if not input_gradient and use.output not in self._reached:
                continue
            worker = use.worker
            worker.needs_input_gradient = not worker.takes_indices and (
                input_gradient or not self._reached.isdisjoint(use.inputs)
            )
            if not parts:  # nobody asked for it
                parts = [memory.zeros((samples, *worker.output_shape), worker.dtype)]
            if worker is self._pooled.get(use.source):
                waiting[use.source] = [_sum(parts)]
                continue
            pool, dy = self._pooled.get(use.output), _sum(parts)
            found: tuple[NDArray[Any] | None, ...]
            found = (
                (worker.backward_by_maxima(dy, *pool.maxima),) if pool else worker.run_backward(dy)
            )
            for value, part in zip(use.inputs, found, strict=True):
                if part is not None:
                    waiting.setdefault(value, []).append(part)
            if seen:
                seen(use, [*worker.grads.values(), *(p for p in found if p is not None)])
        for layer, workers in self._shared:
            for key, total in layer.grads.items():
                _sum([worker.grads[key] for worker in workers], out=total)
        if not input_gradient:
            return {}
        return {value: _sum(parts) for value, parts in waiting.items()}


def _sum(parts: Arrays, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Add arrays in their order."""
    total = parts[0]
    for each in parts[1:-1]:
        total = ops.add(total, each)
    return ops.add(total, parts[-1], out=out) if len(parts) > 1 else total


def _build(layer: Layer, shapes: tuple[Shape, ...]) -> None:
    for name in ("params", "grads", "buffers"):
        vars(layer).pop(name, None)
    layer.input_shapes, layer.input_shape = shapes, shapes[0]
    # The default looks at all inputs by itself.
    built: Any = layer.build(*(shapes if type(layer).build is not Layer.build else shapes[:1]))
    if not isinstance(built, (tuple, list)):
        raise TypeError(f"{layer}: build must return the shape of an output sample, got {built!r}")
    layer.output_shape = tuple(built)
    given = f"input {' and '.join(map(str, shapes))}"
    check_bytes(str(layer), "the output", layer.output_shape, given)
    for shape in shapes:
        check_bytes(str(layer), "the input", shape, f"output {layer.output_shape}")


def _twin(layer: Layer) -> Layer:
    """Return a layer that is built with the same parameters and keeps a state of its own."""
    twin: Layer = object.__new__(type(layer))
    vars(twin).update(vars(layer))
    for name, value in vars(layer).items():
        if isinstance(value, Layer):  # its activation
            setattr(twin, name, _twin(value))
    twin.stored = {**layer.params, **layer.buffers}
    return twin
