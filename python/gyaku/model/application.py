"""Application of a layer in a graph, and the construction of the layer for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import check_bytes
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    Shape = tuple[int, ...]

__all__ = ["Application", "build"]


class Application:
    """Application of a layer in a graph.

    Parameters
    ----------
    layer : Layer
        The layer.
    path : str
        Its name, behind those of the models that contain it.
    inputs : tuple of int
        Indices of its input values.
    output : int
        Index of its output value, or of the first of several.

    Attributes
    ----------
    instance : Layer
        Layer object of this application: the layer itself or, for a shared layer, a clone that
        shares its parameters and keeps its own inputs and gradients for the backward pass.
    outputs : range
        Indices of all its output values.
    """

    __slots__ = ("inputs", "instance", "layer", "output", "outputs", "path", "run", "source")

    def __init__(self, layer: Layer, path: str, inputs: tuple[int, ...], output: int) -> None:
        self.layer = layer
        self.path = path
        self.inputs = inputs
        self.output = output
        self.outputs = range(output, output + layer.gives)
        self.source = inputs[0] if len(inputs) == 1 else -1
        self.bind(layer)

    def bind(self, instance: Layer) -> None:
        """Set the layer object of this application.

        Parameters
        ----------
        instance : Layer
            The layer or a clone of it.
        """
        self.instance = instance
        self.run: Callable[..., NDArray[Any]] = (
            instance.forward if instance.native else instance.run_forward
        )

    @property
    def advice(self) -> str:
        """Advice for an output that is not finite, "" without."""
        return self.instance.advice

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of a sample of the output, or of the first of several."""
        return self.instance.output_shape

    def backward(self, dy: Any) -> tuple[NDArray[Any] | None, ...]:
        """Write the gradients of the parameters.

        Parameters
        ----------
        dy : ndarray or tuple of (ndarray or None)
            The gradient with respect to the output, or to each of several, of which some may have
            none.

        Returns
        -------
        tuple of ndarray or None
            The gradient with respect to each input, where it is needed.
        """
        return self.instance.run_backward(dy)


def build(layer: Layer, shapes: tuple[Shape, ...]) -> None:
    """Build a layer for inputs, and check that its arrays have a size that can be.

    Parameters
    ----------
    layer : Layer
        The layer, which loses what it had.
    shapes : tuple of tuple of int
        Shape of a sample of each input.

    Raises
    ------
    TypeError
        If the layer does not return the shape of its outputs.
    ValueError
        If inputs or outputs are too large.
    """
    for name in ("params", "grads", "buffers"):
        vars(layer).pop(name, None)
    layer.input_shapes, layer.input_shape = shapes, shapes[0]
    # The default reads the shapes of all inputs itself.
    built: Any = layer.build(*(shapes if type(layer).build is not Layer.build else shapes[:1]))
    if not isinstance(built, (tuple, list)):
        raise TypeError(f"{layer}: build must return the shape of an output sample, got {built!r}")
    layer.output_shapes = tuple(map(tuple, built)) if layer.gives > 1 else (tuple(built),)
    layer.output_shape = layer.output_shapes[0]
    given = f"input {' and '.join(map(str, shapes))}"
    check_bytes(str(layer), "the output", layer.output_shape, given)
    for shape in shapes:
        check_bytes(str(layer), "the input", shape, f"output {layer.output_shape}")
