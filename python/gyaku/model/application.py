"""One use of a layer in a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers.base import Layer

__all__ = ["Application"]


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

    @property
    def advice(self) -> str:
        """A remedy if the output is not finite, where the layer knows one."""
        return self.worker.advice

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of a sample of the output."""
        return self.worker.output_shape

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any] | None, ...]:
        """Write the gradients of the parameters.

        Parameters
        ----------
        dy : ndarray
            The gradient with respect to the output.

        Returns
        -------
        tuple of ndarray or None
            The gradient with respect to each input, where it is needed.
        """
        return self.worker.run_backward(dy)
