"""Recurrent layers, which carry a state from step to step of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import number, truth, whole
from gyaku.init import initializer
from gyaku.layers.recurrence import Recurrent
from gyaku.ops.recurrent import (
    GRU_ACTIVATIONS,
    LSTM_ACTIVATIONS,
    activations_of,
    check_activations,
    limit_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize

__all__ = ["GRU", "LSTM", "SimpleRNN"]


class SimpleRNN(Recurrent):
    """Simple recurrent layer, ``h_t = f(x_t W + b + h_{t-1} U)``.

    Parameters
    ----------
    units : int
        Length of the state h.
    activation : str
        The function f. NumPy computes the layer for any but "tanh" and "relu": "sigmoid",
        "identity", "leaky_relu", "elu", "selu", "hard_sigmoid" or "softsign".
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
    clip : float, optional
        Limit c of the argument of f, to -c to c; with one, NumPy computes the layer.
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
    border (truncated back-propagation). All batches have one size; `reset_states` begins anew, and
    so do files and copies of a model, which hold no carried states. The validation within `fit`
    begins with states of zero, and leaves those of the training.

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
        clip: float | None = None,
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
        check_activations(str(self), activation=(activation,))
        self.activation = activation
        self.clip = limit_of(str(self), clip)

    @property
    def _options(self) -> dict[str, Any]:
        return {"activation": self.activation, "clip": self.clip}


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
        Whether the backward pass runs the forward pass again, instead of keeping its results: a
        third more work, for the memory of one layer at a time.
    peepholes : bool
        Whether the gates see the cell.
    projection : int, optional
        Length of the state, if it is a projection of the cells' output.
    forget_bias : float
        Added to the initial bias of the forget gate, so that cells remember at first.
    activations : sequence of str
        Functions of the gates i, f and o, of g, and of the cell, among those of `SimpleRNN`; NumPy
        computes the layer for any but the default.
    clip : float, optional
        Limit c of the arguments of the gates and of g, to -c to c; with one, NumPy computes the
        layer.
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
        activations: Sequence[str] = LSTM_ACTIVATIONS,
        clip: float | None = None,
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
        self.activations = activations_of(str(self), activations, LSTM_ACTIVATIONS)
        self.clip = limit_of(str(self), clip)

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
        arrays = {name: self.params.get(name) for name in ("peepholes", "projection")}
        return arrays | {"activations": self.activations, "clip": self.clip}

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
    activations : sequence of str
        Functions of the gates r and z, and of n, among those of `SimpleRNN`; NumPy computes the
        layer for any but the default.
    clip : float, optional
        Limit c of the arguments of the gates and of n, to -c to c; with one, NumPy computes the
        layer.
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
        activations: Sequence[str] = GRU_ACTIVATIONS,
        clip: float | None = None,
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
        self.activations = activations_of(str(self), activations, GRU_ACTIVATIONS)
        self.clip = limit_of(str(self), clip)

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
        return {
            "reset_after": self.reset_after,
            "activations": self.activations,
            "clip": self.clip,
        }

    @property
    def _written(self) -> tuple[str, ...]:
        return "weight", "recurrent_weight", "bias", "recurrent_bias", ""
