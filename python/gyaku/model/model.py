"""Models: graphs of layers that are trained, looked at, saved and copied."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import each_of
from gyaku.model.architecture import Architecture, save, training_described
from gyaku.model.graph import Graph
from gyaku.model.wiring import wired
from gyaku.names import unknown
from gyaku.symbolic import Tensor, label
from gyaku.train.conversion import indices, scaled
from gyaku.train.verb import Late, verb

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, TypeAlias

    from numpy.typing import DTypeLike, NDArray

    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.model.table import Table
    from gyaku.optim import Optimizer
    from gyaku.symbolic import Block
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
        What `gyaku.Input` returned.
    outputs : Tensor or sequence of Tensor
        What the last layers returned that were called on them.
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs.
    seed : int, optional
        What the initial weights depend on; by default the seed of the first `fit`.
    name : str
        The model's name.

    Attributes
    ----------
    layers : tuple of Layer or Model
        The parts, in the order of the forward pass.
    built : bool
        Whether the parameters are there.
    input_shape, output_shape : tuple of int
        The shapes of samples, without the batch axis; of several inputs or outputs a tuple of
        shapes. `input_shape` is None while it is not known.
    input_shapes, output_shapes : tuple of tuple of int
        The same, a tuple also of one.
    params, grads, buffers : Views
        Parameters, gradients, and what is kept but not trained, by name, such as "dense.weight".
    flat_params, flat_grads, flat_buffers : ndarray
        One buffer for all of each; the arrays of `params`, `grads` and `buffers` are views that
        begin at multiples of 64 bytes, and what lies between them is zero.
    clock : ndarray of int64, of shape (1,)
        The step counter, which random layers draw by.
    loss, loss_weights, optimizer, metrics : object
        Those of the last `fit`.
    stop_training : bool
        Whether a callback wants the training to end; `fit` begins with False.
    scales_bytes : bool
        Whether inputs of uint8 are divided by 255, as in models from files of format 1; others
        take them at their value, and begin with `Rescaling` where they are to be scaled.

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

    loss: Loss | tuple[Loss, ...] | None = None
    loss_weights: tuple[float, ...] | None = None
    optimizer: Optimizer | None = None
    metrics: tuple[Metric, ...] | dict[str, tuple[Metric, ...]] = ()
    stop_training: bool = False

    if TYPE_CHECKING:
        fit, evaluate, predict = _fit, _evaluate, _predict
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
        """Return the outputs of arrays; connect the model to symbolic tensors.

        Parameters
        ----------
        *inputs : array_like or Tensor
            The inputs. Arrays are passed to `forward`; what `gyaku.Input` and layers return makes
            the model a part of another.
        training : bool
            Whether the pass belongs to a training step; of arrays alone.

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
        """Return layers by their place or their name."""
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

    def forward(self, x: object, training: bool = False) -> Any:
        """Return the outputs of a batch.

        Parameters
        ----------
        x : array_like
            The inputs, (samples, ...), at their value. Several are given as a tuple or by their
            names.
        training : bool
            Whether the pass belongs to a training step: dropout then drops.

        Returns
        -------
        ndarray or tuple of ndarray
            The outputs, (samples, ...).

        Raises
        ------
        ValueError
            If the samples' shape is not what the model expects.
        """
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
        from gyaku.train.samples import misfit

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
        """Write the gradients of all parameters into `grads`.

        Parameters
        ----------
        dy : array_like
            The gradient of the loss with respect to the outputs of the last `forward`, a tuple of
            several.
        input_gradient : bool
            Whether the gradient with respect to the inputs is wanted too.

        Returns
        -------
        ndarray or tuple of ndarray or None
            The gradient with respect to the inputs, if wanted; None for inputs that are indices.
        """
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

    def _repr_html_(self) -> str:
        from gyaku.model.report import summary

        return summary(self)._repr_html_()

    def program(self) -> Table:
        """Return what a training step consists of, as the last `fit` captured it.

        Returns
        -------
        Table
            One row a task; it prints.

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
        return listing(**self.captured)

    @verb
    def profile(
        self,
        x: object,
        y: object,
        *,
        loss: str | Loss | Callable[..., Any] | None = None,
        optimizer: str | Optimizer | None = None,
        batch_size: int = 32,
        steps: int = 100,
    ) -> Table:
        """Measure what each task of a training step costs; the model stays as it was.

        Parameters
        ----------
        x, y : array_like
            Inputs and targets, as in `fit`.
        loss : str or Loss or callable, optional
            The loss; by default that of `fit`.
        optimizer : str or Optimizer, optional
            The optimizer; by default that of `fit`, or else Adam.
        batch_size : int
            The samples of a step.
        steps : int
            How many steps are measured.

        Returns
        -------
        Table
            One row a task: its time, and how much of what the machine could do in that time.

        Raises
        ------
        RuntimeError
            With the reference backend, which has no programs.
        """
        from gyaku.model.report import profile
        from gyaku.train.profile import steps_to_profile

        training = steps_to_profile(
            self, x, y, loss=loss, optimizer=optimizer, batch_size=batch_size, steps=steps
        )
        return profile(training, steps)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write architecture and weights to a safetensors file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            The file; `gyaku.load` reads it back.

        Raises
        ------
        ValueError
            If the model has no weights yet.
        TypeError
            If a layer was made with something that a file cannot hold, such as a function.
        """
        if not self.built:
            raise ValueError("save: the model has no weights yet, call fit or build first")
        architecture = Architecture().described(self)
        if self.scales_bytes:
            architecture["scales_bytes"] = True
        architecture |= training_described(self.loss, self.loss_weights, self.metrics)
        tensors = {**self.params, **self.buffers}
        save(path, tensors, architecture, self.input_shape, self.dtype)

    def description(self, described: Callable[[Block], dict[str, Any]]) -> dict[str, Any]:
        """Return class, wires and parts, as JSON can hold them.

        Parameters
        ----------
        described : callable
            Returns the description of a part.

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
        Graph.__init__(
            model, parts, wiring, **{"dtype": "float32", "seed": None, "name": ""} | options
        )
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

    def __repr__(self) -> str:
        """Return a line for each layer, once shapes are known, else the parts alone."""
        if not self.built:
            return self._construction()
        from gyaku.model.report import overview

        return overview(self)


def _made(cls: type[Model], structure: tuple[Any, ...], options: dict[str, Any]) -> Model:
    return cls._of(structure, **options)
