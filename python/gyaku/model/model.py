"""Models: graphs of layers with training, reports, files and copies."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import each_of, truth
from gyaku.model.architecture import (
    Architecture,
    file_of,
    metadata_of,
    optimizer_described,
    training_described,
)
from gyaku.model.graph import Graph
from gyaku.model.wiring import wired
from gyaku.names import unknown
from gyaku.symbolic import Tensor, label
from gyaku.train.conversion import indices, real, scaled, to_dtype
from gyaku.train.verb import Late, alone, verb

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Literal, TypeAlias

    from numpy.typing import DTypeLike, NDArray

    from gyaku.diagram import Diagram
    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.model.application import Application
    from gyaku.model.checkpoint import Checkpoints
    from gyaku.model.stream import Stream
    from gyaku.optim import Optimizer
    from gyaku.precision import Precision
    from gyaku.symbolic import Block
    from gyaku.table import Table
    from gyaku.train.evaluate import evaluate as _evaluate
    from gyaku.train.fit import fit as _fit
    from gyaku.train.predict import predict as _predict

    Shape: TypeAlias = tuple[int, ...]

__all__ = ["Model"]


class Model(Graph):
    """A graph of layers: branches, sums, shared layers, several inputs and outputs.

    Parameters
    ----------
    inputs : Tensor or sequence of Tensor
        Inputs, from `gyaku.Input`.
    outputs : Tensor or sequence of Tensor
        Outputs, from layers called on the inputs.
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs.
    seed : int, optional
        Seed of the initial weights; by default that of the first `fit`.
    name : str
        The model's name.

    Attributes
    ----------
    layers : tuple of Layer or Model
        The parts, in the order of the forward pass.
    built : bool
        Whether the parameters exist.
    input_shape, output_shape : tuple of int
        Sample shapes, without the batch axis; a tuple of shapes for several inputs or outputs.
        `input_shape` is None while it is unknown.
    input_shapes, output_shapes : tuple of tuple of int
        Sample shapes of all inputs and outputs.
    params, grads, buffers : Views
        Parameters, gradients and arrays that are not trained, by name, such as "dense.weight".
    flat_params, flat_grads, flat_buffers : ndarray
        Flat buffers; the arrays of `params`, `grads` and `buffers` are views of them that begin
        at multiples of 64 bytes, with zeros between them.
    clock : ndarray of int64, of shape (1,)
        Step counter, the key of random layers.
    loss, loss_weights, optimizer, metrics : object
        Those of the last `fit`.
    precision : str
        Precision of the products in the last `fit`.
    last_seed : int or None
        Seed of the last `fit`.
    epochs_begun : int
        Number of epochs that it, and those before it with the same seed, have begun.
    stop_training : bool
        Request of a callback to end the training; `fit` sets it to False at the start.
    scales_bytes : bool
        Whether uint8 inputs are divided by 255, as in models from files of format 1; all others
        take them at their value (see `Rescaling`).
    columns : tuple of tuple of str
        Names of the columns of the data frames that the last `fit` took, for each input; () without
        any. Frames that are predicted must have them in the same order.
    metadata : dict
        Facts of your own that are kept with the model in copies and files, such as the names of
        classes: keys are strings, values are anything that JSON has.

    Raises
    ------
    TypeError
        If an input or output is no symbolic tensor.
    ValueError
        If the outputs depend on a tensor that is not an input, or an input is unused.

    Notes
    -----
    A layer that is called several times is shared: it has one set of parameters, and their
    gradient is the sum over its uses. A model that is called on a symbolic tensor becomes a part
    of another one. Arrays for several inputs or outputs are given as a tuple in their order, or as
    a dict: inputs by name, outputs by the names of their layers.

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

    loss: Loss | tuple[Loss, ...] | None = None
    loss_weights: tuple[float, ...] | None = None
    optimizer: Optimizer | None = None
    metrics: tuple[Metric, ...] | dict[str, tuple[Metric, ...]] = ()
    precision: Precision = "float32"
    last_seed: int | None = None
    epochs_begun: int = 0
    stop_training: bool = False

    if TYPE_CHECKING:
        fit, evaluate, predict = verb(_fit), verb(_evaluate), verb(_predict)
    else:
        fit = Late("gyaku.train.fit")
        evaluate = Late("gyaku.train.evaluate")
        predict = Late("gyaku.train.predict")

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
        super().__init__(parts, wiring, dtype, seed, name)

    def __call__(self, *inputs: Any, training: bool = False) -> Any:
        """Return the outputs for arrays, or connect the model to symbolic tensors.

        Parameters
        ----------
        *inputs : array_like or Tensor
            The inputs. Arrays are passed to `forward`; with symbolic tensors the model becomes a
            part of another one.
        training : bool
            Whether the pass belongs to a training step; for arrays only.

        Returns
        -------
        ndarray or Tensor, or tuple of these
            The outputs.
        """
        given = inputs[0] if len(inputs) == 1 else inputs
        listed = given if isinstance(given, (tuple, list)) else [given]
        if any(isinstance(each, Tensor) for each in listed) or not inputs:
            return super().__call__(*inputs)
        return self.forward(given, training)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    def __getitem__(self, which: int | slice | str) -> Any:
        """Return layers by index or name."""
        if isinstance(which, str):
            for part in self.layers:
                if part.name == which:
                    return part
            names = [part.name for part in self.layers]
            raise KeyError(f"{label(self)}: {unknown('layer', which, names)}")
        try:
            return self.layers[which]
        except IndexError:
            raise IndexError(
                f"{label(self)}: there is no layer {which}, the model has {len(self.layers)}"
            ) from None

    def forward(
        self,
        x: object,
        training: bool = False,
        *,
        lengths: object = None,
        seen: Callable[[Application, NDArray[Any]], None] | None = None,
    ) -> Any:
        """Return the outputs of a batch.

        Parameters
        ----------
        x : array_like
            Inputs, (samples, ...), at their value; a tuple or a dict by name for several inputs.
        training : bool
            Whether the pass belongs to a training step, with dropout and batch statistics.
        lengths : array_like of int, optional
            Lengths of padded sequences, as in `fit`.
        seen : callable, optional
            Function to call with each application of a layer and its output, in this order.

        Returns
        -------
        ndarray or tuple of ndarray
            The outputs, (samples, ...).

        Raises
        ------
        TypeError
            If the inputs are no real numbers.
        ValueError
            If the samples do not have the shape that the model expects, or a number is beyond the
            model's dtype. NaN and infinities pass.
        """
        given = each_of("forward", "x", x, self.wiring.inputs)
        batches = [self._batch_of(each, place) for place, each in enumerate(given)]
        shapes = tuple([batch.shape[1:] for batch in batches])
        if not self.built:
            self._build_for(shapes)
        if shapes != self.input_shapes or len({len(batch) for batch in batches}) > 1:
            self._check_batches(batches)
        known: Sequence[NDArray[np.int64] | None] = ()
        if lengths is not None:
            from gyaku.train.dataset import checked_lengths

            known = checked_lengths("forward", self, self.plan, lengths, batches)
        outputs = self.run_forward(batches, training, seen, known)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _batch_of(self, x: object, place: int) -> NDArray[Any]:
        """Return an input at its value, in the dtype of the layers behind it."""
        if kind := self.input_dtypes[place]:
            name = self._named("x", place)
            found = indices("forward", name, real("forward", name, x, whole=True), kind)
            self.check_indices("forward", name, place, found)
            return found
        if type(x) is np.ndarray and x.dtype is self.dtype and x.flags.carray:
            return x
        name = self._named("x", place)
        batch = real("forward", name, x)
        if not batch.ndim:
            raise ValueError(f"forward: {name} must have a sample axis, got the number {batch}")
        if self.scales_bytes and batch.dtype == np.uint8:
            batch = scaled(batch, self.dtype)
        return to_dtype("forward", name, batch, self.dtype)

    def _check_batches(self, batches: Sequence[NDArray[Any]]) -> None:
        from gyaku.train.samples import is_misfit, misfit

        for place, batch in enumerate(batches):
            name, shape = self._named("x", place), (self.input_shapes or ())[place]
            if is_misfit(batch.shape[1:], shape, self.plan.any_steps):
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
        """Write the gradients of all parameters into `grads`.

        Parameters
        ----------
        dy : array_like
            Gradient of the loss with respect to the outputs of the last `forward`; a tuple for
            several outputs.
        input_gradient : bool
            Whether to return the gradient with respect to the inputs.

        Returns
        -------
        ndarray or tuple of ndarray or None
            Gradient with respect to the inputs, if asked for; None for inputs that are indices.

        Raises
        ------
        RuntimeError
            Without a `forward` before it.
        TypeError
            If `dy` does not hold real numbers.
        ValueError
            If it has another shape than the outputs, or a number beyond the model's dtype.
        """
        if self._batch is None:
            raise RuntimeError(
                "backward: call forward first, which keeps the values that backward needs"
            )
        gradients = []
        samples, *sample = self._batch
        shapes = self.plan.output_shapes_of(tuple(sample))
        for each, known in zip(
            each_of("backward", "dy", dy, self.output_names), shapes, strict=True
        ):
            given, shape = real("backward", "dy", each), (samples, *known)
            if given.shape != shape:
                raise ValueError(
                    f"backward: dy has shape {given.shape}, the outputs of forward have {shape}"
                )
            gradients.append(to_dtype("backward", "dy", given, self.dtype))
        found = self.plan.backward(gradients, input_gradient)
        if not input_gradient:
            return None
        return self._one_or_all([found.get(value) for value in range(self.plan.inputs)])

    def summary(self) -> str:
        """Print a table of the layers: shapes, parameters, work and memory.

        Returns
        -------
        str
            The table.
        """
        from gyaku.model.report import Printed, summary

        text = Printed(summary(self))
        print(text)
        return text

    def graph(self, lang: Literal["en", "ja"] = "en") -> Diagram:
        """Return the diagram of the layers, their output shapes and connections.

        Parameters
        ----------
        lang : {"en", "ja"}
            Language of the kinds of layers.

        Returns
        -------
        Diagram
            The diagram, which a notebook shows; its `svg`, `mermaid` and ``save("model.svg")`` give
            it as text and as a file. `gyaku.plots.graph` draws it into axes.

        Raises
        ------
        ValueError
            If the language is unknown.

        Examples
        --------
        >>> import gyaku as gk
        >>> model = gk.Sequential(gk.Dense(3, "relu"), gk.Dense(2))
        >>> model.build((4,))
        >>> print(model.graph().mermaid())
        flowchart TD
          n0["x<br/>(4,)"]
          n1["dense<br/>Dense, relu<br/>(3,)"]
          n2["dense_2<br/>Dense<br/>(2,)"]
          n3["output"]
          n0 --> n1
          n1 --> n2
          n2 --> n3
        """
        from gyaku.model.drawing import drawing

        return drawing(self, lang)

    def _repr_html_(self) -> str:
        from gyaku.model.report import summary

        return summary(self)._repr_html_()

    def program(self) -> Table:
        """Return the tasks of a training step, as captured by the last `fit`.

        Returns
        -------
        Table
            One row a task.

        Raises
        ------
        RuntimeError
            If nothing was captured: before the first `fit`, or with the reference backend.
        """
        from gyaku.model.report import listing

        if not self.captured:
            raise RuntimeError(
                "program: nothing is captured yet; call fit first, with the native backend"
            )
        return listing(self, **self.captured)

    def stream(self, samples: int | None = None) -> Stream:
        """Return a function of single time steps, for signals that arrive one step at a time.

        Parameters
        ----------
        samples : int, optional
            Number of signals side by side; by default one, without an axis of samples.

        Returns
        -------
        Stream
            Called with the features of the next step, it returns the output for it and keeps the
            states of recurrent layers; its ``reset()`` begins a new sequence. It uses the
            parameters of this model, which stays unchanged.

        Raises
        ------
        ValueError
            If the model is not built, has several inputs, or has a layer that needs several steps
            at once, such as `Bidirectional` or a convolution.

        Examples
        --------
        >>> import gyaku as gk
        >>> model = gk.Sequential(gk.LSTM(8, return_sequences=True), gk.Dense(1))
        >>> model.build((100, 3))
        >>> stream = model.stream()
        >>> stream([0.1, 0.2, 0.3]).shape, stream([0.2, 0.4, 0.6]).shape
        ((1,), (1,))
        """
        from gyaku.model.stream import Stream

        return Stream(self, samples)

    def reset_states(self) -> None:
        """Begin the next batch with states of zero, in all stateful recurrent layers."""
        for use in self.plan.applications if self.built else ():
            if hasattr(use.instance, "reset_states"):
                use.instance.reset_states()

    @contextmanager
    def states_aside(self) -> Iterator[None]:
        """Begin with states of zero, and go back to the carried ones at the end.

        Yields
        ------
        None
            Nothing.
        """
        uses = self.plan.applications if self.built else ()
        recurrent = [each.instance for each in uses if hasattr(each.instance, "set_states_aside")]
        restores = [each.set_states_aside() for each in recurrent]
        try:
            yield
        finally:
            for restore in restores:
                restore()

    @verb
    def profile(
        self,
        x: object,
        y: object,
        *,
        lengths: object = None,
        loss: str | Loss | Callable[..., Any] | None = None,
        optimizer: str | Optimizer | None = None,
        batch_size: int = 32,
        steps: int = 100,
    ) -> Table:
        """Measure the time of each task of a training step; the model stays unchanged.

        Parameters
        ----------
        x, y, lengths : array_like
            Inputs, targets and lengths of padded sequences, as in `fit`.
        loss : str or Loss or callable, optional
            The loss; by default that of `fit`.
        optimizer : str or Optimizer, optional
            The optimizer; by default that of `fit`, or else Adam.
        batch_size : int
            Samples per step.
        steps : int
            Number of steps to measure.

        Returns
        -------
        Table
            One row a task: its time, and its fraction of the roofline.

        Raises
        ------
        RuntimeError
            With the reference backend, which has no programs.
        """
        from gyaku.model.report import profile
        from gyaku.train.profile import steps_to_profile

        training = steps_to_profile(
            *(self, x, y),
            lengths=lengths,
            loss=loss,
            optimizer=optimizer,
            batch_size=batch_size,
            steps=steps,
        )
        return profile(self, training, steps)

    def save(self, path: str | os.PathLike[str], *, optimizer: bool = True) -> None:
        """Write architecture and weights to a safetensors file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            The file; `gyaku.load` reads it back.
        optimizer : bool
            Whether to keep the optimizer and its state, so that `fit` goes on where the training
            stands; Adam's is twice as large as the weights. An optimizer or a schedule of your own
            is left out.

        Raises
        ------
        ValueError
            If the model has no weights yet.
        TypeError
            If an argument of a layer or a value of `metadata` cannot be written to a file, such as
            a function.
        """
        if not self.built:
            raise ValueError("save: the model has no weights yet, call fit or build first")
        from gyaku import safetensors

        with alone("save", self):
            content = self.as_file(optimizer=truth("save", "optimizer", optimizer))
            safetensors.write(path, *file_of(*content))

    def as_file(
        self, *, optimizer: bool, **more: str
    ) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
        """Return the content of a model file, without its checksum.

        Parameters
        ----------
        optimizer : bool
            Whether to keep the optimizer and its state.
        **more : str
            Further metadata.

        Returns
        -------
        tensors : dict of str to ndarray
            Parameters, buffers, and the state of the optimizer.
        metadata : dict of str to str
            The metadata.
        """
        architecture = Architecture().described(self)
        if self.scales_bytes:
            architecture["scales_bytes"] = True
        if self.columns:
            architecture["columns"] = self.columns
        if self.metadata:
            architecture["metadata"] = self.metadata
        architecture |= training_described(self.loss, self.loss_weights, self.metrics)
        tensors = {**self.params, **self.buffers}
        if optimizer:
            training, state = optimizer_described(self)
            architecture |= training
            tensors |= state
        return tensors, metadata_of(architecture, self.input_shape, self.dtype) | more

    @property
    def checkpoints(self) -> Checkpoints:
        """Reader and writer of the checkpoints of `fit`."""
        from gyaku.model.checkpoint import Checkpoints

        return Checkpoints(self)

    def description(self, described: Callable[[Block], dict[str, Any]]) -> dict[str, Any]:
        """Return class, connections and parts as JSON values.

        Parameters
        ----------
        described : callable
            Function from a part to its description.

        Returns
        -------
        dict
            The description.
        """
        wires = self.wiring
        return {
            "class": "Model",
            "inputs": wires.inputs,
            "shapes": wires.shapes,
            "calls": wires.calls,
            "outputs": wires.outputs,
            **({"dtypes": wires.dtypes} if any(wires.dtypes) else {}),
            "layers": [described(part) for part in self.layers],
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle architecture, weights, loss, metrics, and where the training stands."""
        with alone("pickle", self):
            options = {"dtype": str(self.dtype), "seed": self.seed, "name": self.name}
            state = {
                "input_shape": self.input_shape if self.built else None,
                "weights": {name: view.copy() for name, view in self._arrays()},
                "clock": int(self.clock[0]),
                "loss": self.loss,
                "loss_weights": self.loss_weights,
                "metrics": self.metrics,
                "scales_bytes": self.scales_bytes,
                "columns": self.columns,
                "metadata": self.metadata,
                "precision": self.precision,
                "last_seed": self.last_seed,
                "epochs_begun": self.epochs_begun,
                "optimizer": self.optimizer,
            }
            return _made, (type(self), self._structure(), options), state

    def _structure(self) -> tuple[Any, ...]:
        """Return the arguments of `_of`."""
        return self.layers, self.wiring

    @classmethod
    def _of(cls, structure: tuple[Any, ...], **options: Any) -> Model:
        """Return a model from the result of `_structure`."""
        model = object.__new__(cls)
        parts, wiring = structure
        Graph.__init__(
            model, parts, wiring, **{"dtype": "float32", "seed": None, "name": ""} | options
        )
        return model

    def _arrays(self) -> Iterable[tuple[str, NDArray[Any]]]:
        """Return the arrays of a model file."""
        return (*self.params.items(), *self.buffers.items())

    def __copy__(self) -> Model:
        """Return a deep copy: a layer belongs to one model, so copies cannot share layers."""
        return copy.deepcopy(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["input_shape"] is not None:
            self.build(state["input_shape"])
            for name, weights in state["weights"].items():
                (self.params if name in self.params else self.buffers)[name] = weights
        self.clock[0] = state["clock"]
        self.loss, self.metrics = state["loss"], state["metrics"]
        self.loss_weights = state["loss_weights"]
        self.scales_bytes = state.get("scales_bytes", True)  # as in format 1
        self.columns = state.get("columns", ())
        self.metadata = state.get("metadata", {})
        self.precision = state.get("precision", "float32")
        self.last_seed = state.get("last_seed")
        self.epochs_begun = state.get("epochs_begun", 0)
        self.optimizer = state.get("optimizer")
        if self.optimizer is not None and self.built:
            self.optimizer.follow(self)

    def __repr__(self) -> str:
        """Return a line for each layer, once shapes are known, else the parts alone."""
        if not self.built:
            return self._construction()
        from gyaku.model.report import overview

        return overview(self)


def _made(cls: type[Model], structure: tuple[Any, ...], options: dict[str, Any]) -> Model:
    return cls._of(structure, **options)
