"""Counterparts of Keras's recurrent layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.keras.activations import recurrent_name
from gyaku.interop.keras.given import Given, inner
from gyaku.interop.keras.layout import variables
from gyaku.layers import (
    GRU,
    LSTM,
    Add,
    Bidirectional,
    Concatenate,
    Multiply,
    Rescaling,
    SimpleRNN,
    Slice,
)
from gyaku.symbolic import Input

if TYPE_CHECKING:
    from typing import Any

    from gyaku.layers import Layer
    from gyaku.model import Model

__all__ = ["RECURRENT", "bidirectional", "recurrent", "rnn"]

RECURRENT = ("SimpleRNN", "LSTM", "GRU")
"""Recurrent layers, which keep their arrays in a cell."""


def recurrent(given: Given) -> list[Layer]:
    """Return the layers of a recurrent layer.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    given.only(time_major=False)
    given.leave_out("dropout", "recurrent_dropout")
    names = ("return_sequences", "return_state", "go_backwards", "stateful")
    options: dict[str, Any] = {name: given.get(name, False) for name in names}
    if options["go_backwards"] and options["return_sequences"] and options["return_state"]:
        given.refuse("goes backwards and returns sequences and states, which has no counterpart")
    options |= {"use_bias": given.get("use_bias", True), "name": given.name}
    function = recurrent_name(given.get("activation", "tanh"), given.version)
    # The outputs of Keras are in the order of their computation.
    behind = [Slice(step=-1)] if options["go_backwards"] and options["return_sequences"] else []
    if given.kind == "SimpleRNN":
        return [SimpleRNN(given["units"], function, **options), *behind]
    gate = recurrent_name(given.get("recurrent_activation", "sigmoid"), given.version)
    if given.kind == "LSTM":
        return [LSTM(given["units"], activations=(gate, function, function), **options), *behind]
    reset_after = given.get("reset_after", False)  # as before there was the option
    options |= {"reset_after": reset_after, "activations": (gate, function)}
    return [GRU(given["units"], **options), *behind]


def rnn(given: Given) -> list[Layer]:
    """Return the layers of an `RNN` around a cell.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    cell = inner(given, "cell")
    kind = cell.kind.removesuffix("Cell")
    if kind not in RECURRENT or kind == cell.kind:
        given.refuse(f"has the cell {cell.kind}, which has no counterpart")
    return recurrent(
        Given(kind, cell.config | given.config, given.arrays, given.shapes, given.version)
    )


def bidirectional(given: Given) -> list[Layer | Model]:
    """Return the layers of a recurrent layer in both directions.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer or Model
        The layer, or a model of two layers that `Bidirectional` does not join.
    """
    forward, merge = inner(given, "layer"), given.get("merge_mode", "concat")
    if forward.kind not in RECURRENT or forward.get("go_backwards"):
        given.refuse(f"goes forward by {forward.kind}, which has no counterpart")
    parts = [forward, forward]
    if given.get("backward_layer") is not None:
        parts[1] = inner(given, "backward_layer")
    if parts[1].kind not in RECURRENT:
        given.refuse(f"goes backwards by {parts[1].kind}, which has no counterpart")
    layers: list[Any] = []
    for part in parts:
        part.config["go_backwards"] = False  # the steps keep their times here
        layers += recurrent(part)
    given.dropped += forward.dropped
    if merge is not None and _alike(*parts) and not forward.get("return_state"):
        return [Bidirectional(layers[0], merge, name=given.name)]
    layers[1].go_backwards = True
    layers[1].name = f"{layers[0].name}_backward"
    half = len(variables(layers[0]) or [])
    given.placed = [(layers[0], given.arrays[:half]), (layers[1], given.arrays[half:])]
    return [_both(given.shape, layers, merge)]


def _alike(a: Given, b: Given) -> bool:
    """Return whether two recurrent layers differ in their direction and weights alone."""
    apart = ("name", "trainable", "zero_output_for_mask", "dtype", "seed")
    options = {each for each in a.config if each not in apart}
    options = {o for o in options if not o.endswith(("initializer", "regularizer", "constraint"))}
    return a.kind == b.kind and all(a.get(each) == b.get(each) for each in options)


def _both(shape: tuple[int, ...], layers: list[Any], merge: str | None) -> Model:
    """Return the model of a layer for each direction."""
    from gyaku.model import Model

    x = Input(shape)
    (first, *one), (second, *other) = (
        found if isinstance(found := layer(x), tuple) else (found,) for layer in layers
    )
    merged: list[Any] = [first, second]
    if merge is not None:
        merged = [_MERGES[merge]()(first, second)]
    if merge == "ave":
        merged = [Rescaling(0.5)(*merged)]
    return Model(x, [*merged, *one, *other])


_MERGES: dict[str, Any] = {"concat": Concatenate, "sum": Add, "mul": Multiply, "ave": Add}
