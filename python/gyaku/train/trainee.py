"""Protocol of a model in training, so that this folder does not depend on models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    import numpy as np
    from numpy.typing import NDArray

    from gyaku.findings import Finding
    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.optim import Optimizer
    from gyaku.optim.base import Parametric
    from gyaku.precision import Precision

    Shape = tuple[int, ...]

    class Use(Protocol):
        """One use of a layer in a pass."""

        @property
        def layer(self) -> object:
            """The layer; its text is its name in messages."""

        @property
        def path(self) -> str:
            """The layer's name."""

        @property
        def advice(self) -> str:
            """Advice for an output that is not finite, "" without."""

    class Passes(Protocol):
        """The passes of a model, whose layers know their shapes."""

        @property
        def input_shapes(self) -> tuple[Shape, ...]:
            """The shapes of input samples."""

        @property
        def output_shapes(self) -> tuple[Shape, ...]:
            """The shapes of output samples."""

        @property
        def any_steps(self) -> bool:
            """Whether the input is a sequence of any number of steps."""

        @property
        def bound_to_steps(self) -> object | None:
            """The first layer that needs the number of steps for which it was built."""

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

        @property
        def outputs(self) -> Sequence[int]:
            """Indices of the values that are outputs."""

        def meets_weights(self, value: int) -> bool:
            """Return whether a value is multiplied by weights on its scale."""

        def is_rescaled(self, value: int) -> bool:
            """Return whether a value comes out of a `Rescaling`."""

        def lengths(
            self, inputs: Sequence[NDArray[Any]], given: Sequence[NDArray[np.int64] | None] = ()
        ) -> dict[int, NDArray[np.int64]]:
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
                Number of real steps of each sample, by index of the value.
            """

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

        @property
        def final_operations(self) -> tuple[str, ...]:
            """The last operation of each output, such as "softmax"."""

        @property
        def trains(self) -> bool:
            """Whether any layer has parameters that are trained."""

        @property
        def frozen(self) -> bool:
            """Whether any layer with parameters is frozen."""

        @property
        def cut_off(self) -> tuple[object, object] | None:
            """A trained layer that gets no gradient, and the one with a step function behind it."""

        @property
        def repeatable(self) -> bool:
            """Whether training passes of the same inputs and parameters are the same."""

        @property
        def by_sample(self) -> bool:
            """Whether samples of a batch are known not to depend on one another in training."""

        @property
        def shapes(self) -> Mapping[int, Shape]:
            """The shapes of a sample's inputs, outputs and values between layers, by index."""

        @property
        def least_batch(self) -> tuple[int, object]:
            """The smallest batch of a training step, and the layer that needs it."""

        @property
        def stateful(self) -> object:
            """The first layer that carries states from batch to batch, if there is one."""

        @property
        def instances(self) -> Sequence[object]:
            """The layers of the passes, a clone for each use of a shared one."""

        @property
        def settings(self) -> list[object] | None:
            """Settings of the layers on which a forward pass depends; None if unknown."""

        @property
        def doubts(self) -> Sequence[Finding]:
            """Findings on inputs in a probably wrong layout."""

    class Trainee(Parametric, Protocol):
        """A model, as seen by `fit`, `evaluate`, `predict` and `profile`."""

        lock: threading.RLock
        in_use: str
        dtype: np.dtype[Any]
        clock: NDArray[np.int64]
        flat_buffers: NDArray[Any]
        in_training: bool
        last_seed: int | None
        epochs_begun: int
        captured: dict[str, Any]
        precision: Precision
        loss: Loss | tuple[Loss, ...] | None
        loss_weights: tuple[float, ...] | None
        optimizer: Optimizer | None
        columns: tuple[tuple[str, ...], ...]
        metrics: tuple[Metric, ...] | dict[str, tuple[Metric, ...]]

        @property
        def checkpoints(self) -> Any:
            """Reader and writer of the files of a training."""

        @property
        def built(self) -> bool:
            """Whether the parameters are there."""

        @property
        def trained(self) -> Parametric:
            """The parameters that are trained, and their gradients."""

        @property
        def params(self) -> Mapping[str, NDArray[Any]]:
            """The parameters by name."""

        @property
        def input_names(self) -> tuple[str, ...]:
            """The names of the inputs."""

        @property
        def input_dtypes(self) -> tuple[str, ...]:
            """Integer dtypes of the inputs, "" for the model's own dtype."""

        @property
        def scales_bytes(self) -> bool:
            """Whether bytes are divided by 255, as models from files of format 1 do."""

        @property
        def output_names(self) -> tuple[str, ...]:
            """The names of the outputs."""

        @property
        def input_shapes(self) -> tuple[Shape, ...] | None:
            """The shapes of input samples, if they are known."""

        @property
        def output_shapes(self) -> tuple[Shape, ...]:
            """The shapes of output samples."""

        @property
        def output_lengths(self) -> Sequence[NDArray[np.int64] | None]:
            """Lengths of the outputs of the last forward pass that are padded, () if none is."""

        def states_aside(self) -> AbstractContextManager[None]:
            """Begin with states of zero, and go back to the carried ones at the end."""

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

        def passes(self, input_shapes: Sequence[Shape]) -> Passes:
            """Return the passes of the model, planned for these shapes if it is not built.

            Parameters
            ----------
            input_shapes : sequence of tuple of int
                The shapes of input samples.

            Returns
            -------
            Passes
                The passes; a model that is not built stays unchanged.
            """

        def adopt(self, passes: Any, seed: int | None = None) -> None:
            """Build the model for these passes, unless it is built.

            Parameters
            ----------
            passes : Passes
                The result of `passes`.
            seed : int, optional
                The seed of the initial weights; it replaces those that none was given for.
            """

        def reseed(self, seed: int) -> None:
            """Set the seed of the random numbers in training.

            Parameters
            ----------
            seed : int
                The seed.
            """

        def run_forward(
            self,
            inputs: Sequence[NDArray[Any]],
            training: bool = False,
            seen: Callable[[Any, NDArray[Any]], None] | None = None,
            lengths: Sequence[NDArray[np.int64] | None] = (),
        ) -> list[NDArray[Any]]:
            """Run a forward pass on validated arrays.

            Parameters
            ----------
            inputs : sequence of ndarray
                An array for each input, of the model's dtype.
            training : bool
                Whether the pass belongs to a training step.
            seen : callable, optional
                Function to call with each use of a layer and its output.
            lengths : sequence of ndarray of int64 or None
                Lengths of the inputs that are padded sequences; () if none is.

            Returns
            -------
            list of ndarray
                An array for each output.
            """

        def run_backward(
            self,
            dy: Sequence[NDArray[Any]],
            seen: Callable[[Any, Iterable[NDArray[Any]]], None] | None = None,
        ) -> None:
            """Write the gradients of the parameters.

            Parameters
            ----------
            dy : sequence of ndarray
                The gradient with respect to each output.
            seen : callable, optional
                Function to call with each use of a layer and its gradients.
            """


__all__ = ["Passes", "Trainee", "Use"]
