"""Recurrent layers, which carry a state from step to step of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number, truth, whole
from gyaku.init import initializer
from gyaku.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize

    State = tuple[NDArray[Any], ...]

__all__ = ["GRU", "LSTM", "SimpleRNN"]


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
            raise ValueError(f"{self}: needs samples of shape (time, features), got {input_shape}")
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
        carried = self._carried(len(x)) if self.stateful else ()
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
        saved = self.saved
        if saved is None:
            _, _, saved = self.run(self.x, self.before, self.lengths)
        of_output, *of_last = dy if self.return_state else (dy, *(None,) * self.states)
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
        ValueError
            If the layer goes backwards, or shapes do not match.
        """
        if self.go_backwards:
            raise ValueError(f"{self}: goes backwards, it needs the end of a sequence first")
        y, last, _ = self.run(np.asarray(x)[:, np.newaxis], state or ())
        return y[:, 0], last

    def reset_states(self) -> None:
        """Begin the next batch with states of zero, in a stateful layer."""
        for states in self.carried.values():
            for each in states:
                each.fill(0)
        self._samples = 0

    _samples: int = 0  # of the batch before
    _takes_state: bool = False  # whether initial states were inputs

    def _carried(self, samples: int) -> State:
        """Return the states that batches of a size begin with, and end with."""
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
        """Two products and the gates in each step."""
        shapes = [
            (1, *self.input_shape),
            *(self.params[n].shape for n in ("weight", "recurrent_weight")),
        ]
        return ops.TABLE[self.operation].flops(shapes, [])


def _total(a: NDArray[Any] | None, b: NDArray[Any] | None) -> NDArray[Any] | None:
    """Return the sum of two gradients, of which either may be missing."""
    if a is None or b is None:
        return b if a is None else a
    return ops.add(a, b)


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes))


class SimpleRNN(Recurrent):
    """Simple recurrent layer, ``h_t = f(x_t W + b + h_{t-1} U)``.

    Parameters
    ----------
    units : int
        Length of the state h.
    activation : {"tanh", "relu"}
        The function f.
    return_sequences : bool
        Whether the output is the state after each step, (time, units), or after the last one.
    return_state : bool
        Whether the states after the last step are further outputs; see the notes.
    go_backwards : bool
        Whether to run from the end of each sequence to its start; see the notes.
    stateful : bool
        Whether a batch begins with the states that the batch before it ended with; see the notes.
    recompute : bool
        Whether the backward pass runs the forward pass again, instead of keeping its results.
    use_bias : bool
        Whether there is a bias `b`.
    weight_init, recurrent_init, bias_init : str or callable
        Initialisers of W, U and b, by name or as objects.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range or a name unknown.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    The input is (time, features). Padded sequences have ``lengths``: the steps behind the end of a
    sequence change no state and give zeros, and the last state is that of its own last step. A
    layer that goes backwards begins at each sequence's own end; the output for a step stays at its
    time, unlike in Keras, which returns the outputs in the order of their computation.

    A stateful layer trains on pieces of long sequences, in their order (``shuffle=False``): sample
    i of a batch goes on where sample i of the batch before it ended, and gradients end at this
    border (truncated back-propagation). All batches have one size; `reset_states` begins anew.

    In a graph, a layer may be called on ``(x, state)``, with an initial state of shape (units,),
    and with ``return_state=True`` it returns ``(y, state)``: what an encoder hands to a decoder. An
    `LSTM` has two states, h and c.

    Several layers on each other, with dropout between them, are a `Sequential` of layers that
    return sequences. See `gyaku.ops.simple_rnn`.

    Examples
    --------
    >>> layer = SimpleRNN(3)
    >>> layer.build((10, 4))
    (3,)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight': (4, 3), 'recurrent_weight': (3, 3), 'bias': (3,)}
    """

    operation = "simple_rnn"
    gates = 1
    kept = slice(0, None, 2)

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        recompute: bool = False,
        use_bias: bool = True,
        weight_init: str | Initialize = "xavier",
        recurrent_init: str | Initialize = "orthogonal",
        bias_init: str | Initialize = "zeros",
        name: str | None = "",
    ) -> None:
        super().__init__(
            units,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            recompute=recompute,
            use_bias=use_bias,
            weight_init=weight_init,
            recurrent_init=recurrent_init,
            bias_init=bias_init,
            name=name,
        )
        if activation not in ("tanh", "relu"):
            raise ValueError(f'{self}: activation must be "tanh" or "relu", got {activation!r}')
        self.activation = activation

    @property
    def _options(self) -> dict[str, Any]:
        return {"activation": self.activation}


class LSTM(Recurrent):
    """Layer of long short-term memory, whose gates guard a cell that remembers.

    Parameters
    ----------
    units : int
        Number of cells, and the length of the state without a projection.
    return_sequences : bool
        Whether the output is the state after each step, (time, units), or after the last one.
    return_state : bool
        Whether the states after the last step, h and for an `LSTM` c, are further outputs, as in
        `SimpleRNN`.
    go_backwards : bool
        Whether to run from the end of each sequence to its start, as in `SimpleRNN`.
    stateful : bool
        Whether a batch begins with the states that the batch before it ended with, as in
        `SimpleRNN`.
    recompute : bool
        Whether the backward pass runs the forward pass again, instead of keeping its results:
        a quarter more work, a tenth of the memory.
    peepholes : bool
        Whether the gates see the cell.
    projection : int, optional
        Length of the state, if it is a projection of the cells' output.
    forget_bias : float
        Added to the initial bias of the forget gate, so that cells remember at first.
    use_bias : bool
        Whether there is a bias.
    weight_init, recurrent_init, bias_init : str or callable
        Initialisers of the input weights, of the recurrent weights (each gate by itself) and of the
        bias, by name or as objects.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range or a name unknown.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    ``c_t = f c_{t-1} + i g`` and ``h_t = o tanh(c_t)``, with the gates i, f, g, o side by side in
    the columns of weights and bias; `gyaku.ops.lstm` has all equations. There is one bias; PyTorch
    has two, which are added. Sequences are padded, run backwards and carried as in `SimpleRNN`.
    The forget bias: R. Jozefowicz and others, An empirical exploration of recurrent network
    architectures (2015).

    Examples
    --------
    >>> layer = LSTM(3, return_sequences=True)
    >>> layer.build((10, 4))
    (10, 3)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight': (4, 12), 'recurrent_weight': (3, 12), 'bias': (12,)}
    """

    operation = "lstm"
    gates = 4
    states = 2
    kept = slice(3, None)

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        recompute: bool = False,
        peepholes: bool = False,
        projection: int | None = None,
        forget_bias: float = 1.0,
        use_bias: bool = True,
        weight_init: str | Initialize = "xavier",
        recurrent_init: str | Initialize = "orthogonal",
        bias_init: str | Initialize = "zeros",
        name: str | None = "",
    ) -> None:
        super().__init__(
            units,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            recompute=recompute,
            use_bias=use_bias,
            weight_init=weight_init,
            recurrent_init=recurrent_init,
            bias_init=bias_init,
            name=name,
        )
        self.peepholes = truth(str(self), "peepholes", peepholes)
        self.projection = None if projection is None else whole(str(self), "projection", projection)
        self.forget_bias = number(str(self), "forget_bias", forget_bias)

    @property
    def outputs(self) -> int:
        """Length of an output: that of the projection, if there is one."""
        return self.projection or self.units

    def build(self, input_shape: tuple[int, ...], *states: tuple[int, ...]) -> Any:
        """Declare weights, biases, peepholes and projection; see `Recurrent.build`."""
        output_shape = super().build(input_shape, *states)
        if self.peepholes:
            self.add_param("peepholes", (3, self.units), "zeros")
        if self.projection:
            self.add_param("projection", (self.units, self.projection), self.weight_init)
        return output_shape

    def _initial_bias(self) -> str | Initialize:
        """Return an initialiser that adds the forget bias."""
        draw = initializer(self.bias_init)

        def drawn(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[Any]:
            forget = np.repeat([0.0, self.forget_bias, 0.0, 0.0], self.units)
            return np.asarray(draw(shape, random) + forget)

        return drawn

    @property
    def _options(self) -> dict[str, Any]:
        return {name: self.params.get(name) for name in ("peepholes", "projection")}

    @property
    def _backward_options(self) -> dict[str, Any]:
        return {"c0": self.before[1] if self.before else None, **self._options}

    @property
    def _written(self) -> tuple[str, ...]:
        extra = [name for name in ("peepholes", "projection") if name in self.params]
        return (*super()._written, "", *extra)


class GRU(Recurrent):
    """Layer of gated recurrent units, ``h_t = (1 - z) n + z h_{t-1}``.

    Parameters
    ----------
    units : int
        Length of the state h.
    return_sequences : bool
        Whether the output is the state after each step, (time, units), or after the last one.
    return_state : bool
        Whether the states after the last step, h and for an `LSTM` c, are further outputs, as in
        `SimpleRNN`.
    go_backwards : bool
        Whether to run from the end of each sequence to its start, as in `SimpleRNN`.
    stateful : bool
        Whether a batch begins with the states that the batch before it ended with, as in
        `SimpleRNN`.
    recompute : bool
        Whether the backward pass runs the forward pass again, instead of keeping its results.
    reset_after : bool
        Whether the reset gate acts after the recurrent product, which then has a bias of its own,
        as in PyTorch and Keras, or on the state before it, as in the paper.
    use_bias : bool
        Whether there are biases.
    weight_init, recurrent_init, bias_init : str or callable
        Initialisers of the input weights, of the recurrent weights (each gate by itself) and of the
        biases, by name or as objects.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range or a name unknown.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    The gates r (reset), z (update) and n are side by side in the columns of weights and biases;
    `gyaku.ops.gru` has all equations. Sequences are padded, run backwards and carried as in
    `SimpleRNN`.

    Examples
    --------
    >>> layer = GRU(3)
    >>> layer.build((10, 4))
    (3,)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight': (4, 9), 'recurrent_weight': (3, 9), 'bias': (9,), 'recurrent_bias': (9,)}
    """

    operation = "gru"
    gates = 3
    kept = slice(2, None)

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        recompute: bool = False,
        reset_after: bool = True,
        use_bias: bool = True,
        weight_init: str | Initialize = "xavier",
        recurrent_init: str | Initialize = "orthogonal",
        bias_init: str | Initialize = "zeros",
        name: str | None = "",
    ) -> None:
        super().__init__(
            units,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            recompute=recompute,
            use_bias=use_bias,
            weight_init=weight_init,
            recurrent_init=recurrent_init,
            bias_init=bias_init,
            name=name,
        )
        self.reset_after = truth(str(self), "reset_after", reset_after)

    def build(self, input_shape: tuple[int, ...], *states: tuple[int, ...]) -> Any:
        """Declare weights and biases, two with `reset_after`; see `Recurrent.build`."""
        output_shape = super().build(input_shape, *states)
        if self.use_bias and self.reset_after:
            self.add_param("recurrent_bias", (3 * self.units,), self.bias_init)
        return output_shape

    @property
    def _biases(self) -> tuple[NDArray[Any] | None, ...]:
        return (*super()._biases, self.params.get("recurrent_bias"))

    @property
    def _options(self) -> dict[str, Any]:
        return {"reset_after": self.reset_after}

    @property
    def _written(self) -> tuple[str, ...]:
        return "weight", "recurrent_weight", "bias", "recurrent_bias", ""
