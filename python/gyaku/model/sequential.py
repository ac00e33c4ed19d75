"""Layers in a row, and their parameters in one buffer."""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.arguments import checked_dtype, whole
from gyaku.layers.base import Layer, Views
from gyaku.model.base import Model

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

__all__ = ["Sequential"]

_ALIGNMENT = 64
"""Bytes between which parameters begin, so that kernels meet whole cache lines."""


class Sequential(Model):
    """A model whose layers follow one another.

    Parameters
    ----------
    *layers : Layer
        The layers, from input to output.
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs.
    seed : int, optional
        What the initial weights depend on; by default the seed of the first `fit`.
    name : str
        The model's name.

    Raises
    ------
    TypeError
        If something is no layer.
    ValueError
        If a layer or a name occurs twice, or the dtype is another.

    Examples
    --------
    >>> import gyaku as gk
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> y = np.array([[0], [1], [1], [0]], np.float32)
    >>> model = gk.Sequential(gk.Dense(4, "tanh"), gk.Dense(1, "sigmoid"))
    >>> history = model.fit(
    ...     x,
    ...     y,
    ...     loss="sum_squared_error",
    ...     optimizer=gk.Adam(0.1),
    ...     epochs=300,
    ...     batch_size=None,
    ...     verbose=0,
    ... )
    >>> model.predict(x).round().ravel()
    array([0., 1., 1., 0.], dtype=float32)
    """

    _batch: int | None = None  # the samples of the last forward pass

    def __init__(
        self,
        *layers: Layer,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
        name: str = "sequential",
    ) -> None:
        listed = layers[0] if len(layers) == 1 and isinstance(layers[0], (list, tuple)) else layers
        super().__init__(dtype=dtype, name=name)
        self.layers = tuple(listed)
        self.seed = None if seed is None else whole("Sequential", "seed", seed, least=0)
        _check_layers(self.layers)
        _name_layers(self.layers)

    def build(
        self, input_shape: tuple[int, ...], dtype: DTypeLike | None = None, seed: int = 0
    ) -> None:
        """Make the parameters, layer by layer; see `Model.build`."""
        if dtype is not None:
            self.dtype = checked_dtype(dtype)
        if not isinstance(input_shape, (tuple, list)):
            raise TypeError(
                "build: input_shape must be a tuple, such as (784,) or (28, 28, 1), got"
                f" {input_shape!r}"
            )
        start = shape = tuple(whole("build", "a length in input_shape", n) for n in input_shape)
        for layer in self.layers:
            owner = layer.model() if layer.model else None
            if owner not in (None, self):
                raise ValueError(f"{layer} belongs to another model already, make a new layer")
        for index, layer in enumerate(self.layers):
            layer.model = weakref.ref(self)
            vars(layer).pop("params", None)
            vars(layer).pop("grads", None)
            layer.dtype = self.dtype
            layer.seed = seed if self.seed is None else self.seed
            layer.stream = index
            layer.clock = self.clock
            after = self.layers[index + 1] if index + 1 < len(self.layers) else None
            layer.activation_after = getattr(after, "op", "")
            layer.input_shape = shape
            built = layer.build(shape)
            if not isinstance(built, (tuple, list)):
                raise TypeError(
                    f"{layer}: build must return the shape of an output sample, got {built!r}"
                )
            layer.output_shape = shape = tuple(built)
        self.input_shape, self.output_shape = start, shape
        self._flatten()
        self.built = True

    def _flatten(self) -> None:
        """Move all parameters into one buffer, and the gradients into another."""
        step = _ALIGNMENT // self.dtype.itemsize
        places, total = [], 0
        for layer in self.layers:
            for key, array in layer.params.items():
                places.append((layer, key, total, array))
                total += -(-array.size // step) * step
        self.flat_params = memory.zeros((total,), self.dtype)
        self.flat_grads = memory.zeros((total,), self.dtype)
        self.params, self.grads = Views(), Views()
        for layer, key, start, array in places:
            for flat, own, all_ in (
                (self.flat_params, layer.params, self.params),
                (self.flat_grads, layer.grads, self.grads),
            ):
                view = flat[start : start + array.size].reshape(array.shape)
                if own is layer.params:
                    np.copyto(view, array)
                own.place(key, view)
                all_.place(f"{layer.name}.{key}", view)
        trained = [index for index, layer in enumerate(self.layers) if layer.params]
        self._first_trained = trained[0] if trained else len(self.layers)

    def forward(self, x: object, training: bool = False) -> NDArray[Any]:
        """Pass a batch through all layers; see `Model.forward`."""
        batch = np.asarray(x)
        if batch.dtype == np.uint8:
            batch = np.multiply(batch, self.dtype.type(1 / 255), dtype=self.dtype)
        batch = np.require(batch, self.dtype, ["C", "A"])
        if not self.built:
            self.build(batch.shape[1:])
        if batch.shape[1:] != self.input_shape:
            raise ValueError(
                f"forward: x has samples of shape {batch.shape[1:]}, the model expects"
                f" {self.input_shape}"
            )
        if training:
            ops.advance(self.clock, 1)
        self._batch = len(batch)
        for layer in self.layers:
            batch = layer.run_forward(batch, training)
        return batch

    def backward(self, dy: object, *, input_gradient: bool = False) -> NDArray[Any] | None:
        """Pass a gradient back through all layers; see `Model.backward`."""
        if self._batch is None:
            raise RuntimeError("backward: call forward first, backward needs what it keeps")
        given, shape = np.asarray(dy), (self._batch, *self.output_shape)
        if given.shape != shape:
            raise ValueError(
                f"backward: dy has shape {given.shape}, the outputs of forward have {shape}"
            )
        gradient: NDArray[Any] | None = np.require(given, self.dtype, ["C", "A"])
        last = 0 if input_gradient else self._first_trained
        for layer in reversed(self.layers[last:]):
            assert gradient is not None
            layer.needs_input_gradient = input_gradient or layer is not self.layers[last]
            gradient = layer.run_backward(gradient)
        return gradient if input_gradient else None

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle what a model file would hold: architecture, weights, loss, metrics."""
        options = {"dtype": str(self.dtype), "seed": self.seed, "name": self.name}
        state = {
            "input_shape": self.input_shape,
            "weights": {name: view.copy() for name, view in self.params.items()},
            "clock": int(self.clock[0]),
            "loss": self.loss,
            "metrics": self.metrics,
        }
        return _made, (type(self), self.layers, options), state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["input_shape"] is not None:
            self.build(state["input_shape"])
            for name, weights in state["weights"].items():
                self.params[name] = weights
        self.clock[0] = state["clock"]
        self.loss, self.metrics = state["loss"], state["metrics"]

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


def _made(cls: type[Sequential], layers: tuple[Layer, ...], options: dict[str, Any]) -> Sequential:
    return cls(*layers, **options)


def _check_layers(layers: tuple[Layer, ...]) -> None:
    if not layers:
        raise ValueError("Sequential: needs at least one layer")
    for position, layer in enumerate(layers, 1):
        if isinstance(layer, type) and issubclass(layer, Layer):
            raise TypeError(
                f"Sequential: layer {position} is the class {layer.__name__}, write"
                f" {layer.__name__}()"
            )
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential: layer {position} must be a Layer, got {layer!r}")
        if any(layer is other for other in layers[: position - 1]):
            raise ValueError(f"Sequential: layer {position}, {layer!r}, occurs twice")


def _name_layers(layers: tuple[Layer, ...]) -> None:
    """Give each layer without a name its class's: dense, dense_2 and so on."""
    taken = {layer.name for layer in layers if layer.name}
    if len(taken) < sum(bool(layer.name) for layer in layers):
        raise ValueError("Sequential: two layers have the same name")
    for layer in layers:
        if not layer.name:
            stem = (
                getattr(layer, "op", "")
                or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(layer).__name__).lower()
            )
            count = 1
            while (name := stem if count == 1 else f"{stem}_{count}") in taken:
                count += 1
            layer.name = name
            taken.add(name)
