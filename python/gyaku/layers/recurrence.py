"""Base of the recurrent layers: passes over all steps, states, one step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import memory, ops
from gyaku.checks import truth, whole
from gyaku.init import initializer
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize

    State = tuple[NDArray[Any], ...]

__all__ = ["Recurrent"]


class Recurrent(Layer, abstract=True):
    """Base of the recurrent layers.

    Parameters
    ----------
    units : int
        Length of the state.
    return_sequences : bool
        Whether the output is the state after each step, or after the last one only.
    return_state : bool
        Whether the states after the last step are further outputs.
    go_backwards : bool
        Whether to run from the end of each sequence to its start.
    stateful : bool
        Whether a batch begins with the states that the batch before it ended with.
    recompute : bool
        Whether the backward pass runs the forward pass again, instead of keeping its results.
    use_bias : bool
        Whether there are biases.
    weight_init, recurrent_init, bias_init : str or callable
        Initialisers of the input weights, of the recurrent weights and of the biases.
    name : str, optional
        The layer's name.
    """

    native = True
    any_steps = True
    operation: ClassVar[str]
    """Name of the operation."""
    gates: ClassVar[int]
    """Number of gates: the sums of a unit."""
    states: ClassVar[int] = 1
    """Number of states."""
    kept: ClassVar[slice]
    """Results of the operation that its gradient needs."""

    x: NDArray[Any]
    lengths: NDArray[np.int64] | None
    before: State
    saved: State | None
    carried: dict[int, State]

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        stateful: bool,
        recompute: bool,
        use_bias: bool,
        weight_init: str | Initialize,
        recurrent_init: str | Initialize,
        bias_init: str | Initialize,
        name: str | None,
    ) -> None:
        super().__init__(name=name)
        self.units = whole(str(self), "units", units)
        self.return_sequences = truth(str(self), "return_sequences", return_sequences)
        self.return_state = truth(str(self), "return_state", return_state)
        self.gives = 1 + self.states if self.return_state else 1
        self.go_backwards = truth(str(self), "go_backwards", go_backwards)
        self.stateful = truth(str(self), "stateful", stateful)
        self.recompute = truth(str(self), "recompute", recompute)
        self.use_bias = truth(str(self), "use_bias", use_bias)
        self.carried = {}
        self.weight_init = weight_init
        self.recurrent_init = recurrent_init
        self.bias_init = bias_init
        for each in (weight_init, recurrent_init, bias_init):
            initializer(each)

    @property
    def outputs(self) -> int:
        """Length of an output: that of the state."""
        return self.units

    @property
    def _widths(self) -> tuple[int, ...]:
        """Lengths of the states."""
        return (self.outputs, self.units)[: self.states]

    def build(self, input_shape: tuple[int, ...], *states: tuple[int, ...]) -> Any:
        """Declare weights and biases.

        Parameters
        ----------
        input_shape : tuple of int
            Time and features.
        *states : tuple of int
            Shapes of the initial states, if these are inputs.

        Returns
        -------
        tuple
            The shape of an output sample, or of each output.
        """
        if len(input_shape) != 2:
            hint = "; a recurrent layer before it must have return_sequences=True"
            raise ValueError(
                f"{self}: needs samples of shape (time, features), got {input_shape}"
                + (hint if len(input_shape) == 1 else "")
            )
        wanted = tuple((width,) for width in self._widths)
        if states and states != wanted:
            raise ValueError(
                f"{self}: initial states must have the shapes {_listed(wanted)}, got"
                f" {_listed(states)}"
            )
        time, features = input_shape
        columns = self.gates * self.units
        self.carried = {}
        self.add_param("weight", (features, columns), self._by_gate("weight_init"))
        self.add_param("recurrent_weight", (self.outputs, columns), self._by_gate("recurrent_init"))
        if self.use_bias:
            self.add_param("bias", (columns,), self._initial_bias())
        y = (time, self.outputs) if self.return_sequences else (self.outputs,)
        return (y, *wanted) if self.return_state else y

    def _by_gate(self, setting: str) -> Initialize:
        """Return an initialiser that draws the matrix of each gate by itself."""
        draw = initializer(getattr(self, setting))

        def drawn(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[Any]:
            gate = (*shape[:-1], shape[-1] // self.gates)
            return np.concatenate([draw(gate, random) for _ in range(self.gates)], axis=-1)

        return drawn

    def _initial_bias(self) -> str | Initialize:
        return self.bias_init

    def forward(  # type: ignore[override]
        self,
        x: NDArray[Any],
        *state: NDArray[Any],
        training: bool = False,
        lengths: NDArray[np.int64] | None = None,
    ) -> Any:
        """Run over all steps.

        Parameters
        ----------
        x : ndarray
            Sequences of shape (samples, time, features).
        *state : ndarray
            States before the first step, of shape (samples, units); by default zeros, or the
            carried ones.
        training : bool
            Whether this pass belongs to a training step.
        lengths : ndarray of int64 or None
            Lengths of the sequences, of shape (samples,); None if they have all steps.

        Returns
        -------
        ndarray or tuple of ndarray
            The outputs; with `return_state` a tuple of them and of the last states.
        """
        carried = self.carry(len(x)) if self.stateful else ()
        # The backward pass needs the states before the first step, and the carried ones change.
        self.before = state or tuple(map(ops.identity, carried))
        self.x, self.lengths, self._takes_state = x, lengths, bool(state)
        y, last, saved = self.run(x, self.before, lengths)
        self.saved = None if self.recompute else saved
        for each, place in zip(last, carried, strict=False):
            ops.copy_columns(each, place, start=0)
        output = y if self.return_sequences else last[0]
        return (output, *last) if self.return_state else output

    def backward(self, dy: Any) -> Any:
        """Write the gradients of the parameters.

        Parameters
        ----------
        dy : ndarray or tuple of (ndarray or None)
            Gradient with respect to the output, with `return_state` and to each last state.

        Returns
        -------
        ndarray or tuple of ndarray or None
            Gradient with respect to the sequences, and to the initial states if they were given.
        """
        of_output, *of_last = dy if self.return_state else (dy, *(None,) * self.states)
        saved = self.saved
        if saved is None:
            with memory.behind(next(each for each in (of_output, *of_last) if each is not None)):
                _, _, saved = self.run(self.x, self.before, self.lengths)
        of_steps = of_output if self.return_sequences else None
        if not self.return_sequences:
            of_last[0] = _total(of_output, of_last[0])
        dx, *of_first = self.run_back(of_steps, of_last, saved)
        if not self.needs_input_gradient:
            return (None,) * (1 + len(of_first)) if self._takes_state else None
        return (dx, *of_first) if self._takes_state else dx

    def run(
        self, x: NDArray[Any], state: State, lengths: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[Any], State, State]:
        """Return outputs, last states and what the gradients need, of one call of the operation.

        Parameters
        ----------
        x : ndarray
            Sequences of shape (samples, time, features).
        state : tuple of ndarray
            The states before the first step; () for zeros.
        lengths : ndarray of int64 or None
            Lengths of the sequences.

        Returns
        -------
        y : ndarray
            The state after each step.
        last : tuple of ndarray
            The states after the last step.
        saved : tuple of ndarray
            Results of the operation that its gradient needs.
        """
        h0, *c0 = state or (None,) * self.states
        results = getattr(ops, self.operation)(
            x,
            self.params["weight"],
            self.params["recurrent_weight"],
            *self._biases,
            h0,
            *c0,
            lengths=lengths,
            reverse=self.go_backwards,
            **self._options,
        )
        return results[0], results[1 : 1 + self.states], results[self.kept]

    def run_back(
        self,
        of_steps: NDArray[Any] | None,
        of_last: Sequence[NDArray[Any] | None],
        saved: State,
    ) -> State:
        """Write the gradients of the parameters.

        Parameters
        ----------
        of_steps : ndarray or None
            Gradient with respect to the state after each step.
        of_last : sequence of (ndarray or None)
            Gradient with respect to each state after the last step.
        saved : tuple of ndarray
            Results of the operation that its gradient needs.

        Returns
        -------
        tuple of ndarray
            Gradients with respect to the sequences, an array of no samples if it is not needed,
            and to the states before the first step.
        """
        gradients = getattr(ops, f"{self.operation}_backward")(
            of_steps,
            self.x,
            self.params["weight"],
            self.params["recurrent_weight"],
            *saved,
            **dict(zip(("dhn", "dcn"), of_last, strict=False)),
            lengths=self.lengths,
            reverse=self.go_backwards,
            input_gradient=self.needs_input_gradient,
            out=(None, *map(self._gradient, self._written)),
            **self._backward_options,
        )
        of_first = zip(self._written, gradients[1:], strict=True)
        return gradients[0], *(each for name, each in of_first if not name)

    def _gradient(self, name: str) -> NDArray[Any] | None:
        return self.grads.get(name) if self.trainable else None

    @property
    def _biases(self) -> tuple[NDArray[Any] | None, ...]:
        return (self.params.get("bias"),)

    @property
    def _options(self) -> dict[str, Any]:
        """Further keywords of the operation, and of its gradient."""
        return {}

    @property
    def _backward_options(self) -> dict[str, Any]:
        return self._options

    @property
    def _written(self) -> tuple[str, ...]:
        """Parameters in the order of the gradients behind dx, "" for a state."""
        return "weight", "recurrent_weight", "bias", ""

    def step(self, x: NDArray[Any], state: State | None = None) -> tuple[NDArray[Any], State]:
        """Run over one step of a sequence that goes on.

        Parameters
        ----------
        x : ndarray
            The step of each sample, of shape (samples, features).
        state : tuple of ndarray or None
            The states that the step before returned; None for the first.

        Returns
        -------
        y : ndarray
            The output, of shape (samples, units).
        state : tuple of ndarray
            The states, for the next step.

        Raises
        ------
        TypeError
            If `state` is no such tuple.
        ValueError
            If the layer goes backwards or is not built, or shapes do not match.
        """
        if self.go_backwards:
            raise ValueError(f"{self}: goes backwards, it needs the end of a sequence first")
        if not self.params:
            raise ValueError(f"{self}: is not built yet; call build((time, features)) first")
        step, features = np.asarray(x), len(self.params["weight"])
        if step.ndim != 2 or step.shape[1] != features:
            raise ValueError(
                f"{self}: a step must have shape (samples, {features}), got {step.shape}"
            )
        if step.dtype.kind in "biuf":
            step = step.astype(self.dtype, copy=False)
        given: object = state
        if given is not None and not (isinstance(given, tuple) and len(given) == self.states):
            raise TypeError(
                f"{self}: state must be the tuple of length {self.states} that the step before"
                f" returned, got {type(given).__name__}"
            )
        wanted = [(len(step), width) for width in self._widths]
        found = [np.shape(each) for each in state or ()]
        if found and found != wanted:
            raise ValueError(
                f"{self}: for {len(step)} samples state must have the shapes {_listed(wanted)}, got"
                f" {_listed(found)}"
            )
        y, last, _ = self.run(step[:, np.newaxis], state or ())
        return y[:, 0], last

    @property
    def varies(self) -> bool:
        """Whether a batch begins with the states of the batch before."""
        return self.stateful

    @property
    def carried_states(self) -> State:
        """States behind the last batch, () if there are none; may be set back."""
        return self.carried[self._samples] if self._samples else ()

    @carried_states.setter
    def carried_states(self, given: Sequence[NDArray[Any]]) -> None:
        self.reset_states()
        for own, each in zip(self.carry(len(given[0])) if given else (), given, strict=True):
            own[...] = each

    def reset_states(self) -> None:
        """Begin the next batch with states of zero, in a stateful layer."""
        for states in self.carried.values():
            for each in states:
                each.fill(0)
        self._samples = 0

    def set_states_aside(self) -> Callable[[], None]:
        """Begin the next batch with states of zero, and return how to go back to the present ones.

        Returns
        -------
        callable
            The function that restores the states.
        """
        samples = self._samples
        kept = [(state, state.copy()) for states in self.carried.values() for state in states]
        self.reset_states()

        def restore() -> None:
            self._samples = samples
            for state, values in kept:
                state[...] = values

        return restore

    _samples: int = 0  # of the batch before
    _takes_state: bool = False  # whether initial states were inputs

    def carry(self, samples: int) -> State:
        """Return the states that batches of a size begin with, and end with.

        Parameters
        ----------
        samples : int
            The size.

        Returns
        -------
        tuple of ndarray
            The states, which each batch changes.

        Raises
        ------
        ValueError
            If the states are those of batches of another size.
        """
        if self._samples not in (0, samples):
            raise ValueError(
                f"{self}: carries the states of {self._samples} samples, got a batch of {samples};"
                " call reset_states() first, or keep the size of batches"
            )
        self._samples = samples
        if samples not in self.carried:
            self.carried[samples] = tuple(
                memory.zeros((samples, width), self.dtype) for width in self._widths
            )
        return self.carried[samples]

    @property
    def flops(self) -> int:
        """Two products, a bias and the gates in each step."""
        weights = self.params["weight"].shape, self.params["recurrent_weight"].shape
        work = ops.TABLE[self.operation].flops([(1, *self.input_shape), *weights], [])
        return work + self.use_bias * self.input_shape[0] * self.gates * self.units


def _total(a: NDArray[Any] | None, b: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return the sum of two gradients, of which either may be missing."""
    if a is None or b is None:
        return b if a is None else a
    return ops.add(a, b)


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes))
