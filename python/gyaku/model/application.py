"""Application of a layer in a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers.base import Layer

__all__ = ["Application"]


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
