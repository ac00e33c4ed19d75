"""Counterparts of Keras's recurrent layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.keras.activations import recurrent_name
from gyaku.interop.keras.given import inner
from gyaku.layers import GRU, LSTM, Bidirectional, SimpleRNN, Slice

if TYPE_CHECKING:
    from typing import Any

    from gyaku.interop.keras.given import Given
    from gyaku.layers import Layer

__all__ = ["RECURRENT", "bidirectional", "recurrent"]

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


def bidirectional(given: Given) -> list[Layer]:
    """Return the layers of a recurrent layer in both directions.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Layer
        The layers.
    """
    forward = inner(given, "layer")
    if forward.kind not in RECURRENT or forward.get("go_backwards"):
        given.refuse(f"goes forward by {forward.kind}, which has no counterpart")
    if given.get("backward_layer") is not None:
        backward = inner(given, "backward_layer")
        apart = ("go_backwards", "name", "trainable", "zero_output_for_mask", "dtype", "seed")
        options = set(forward.config) - set(apart)
        options -= {o for o in options if o.endswith(("initializer", "regularizer", "constraint"))}
        if forward.kind != backward.kind or any(
            forward.get(each) != backward.get(each) for each in options
        ):
            given.refuse("has a backward_layer unlike the forward one, which has no counterpart")
    (layer,) = recurrent(forward)
    given.dropped += forward.dropped
    merge = given.get("merge_mode", "concat")
    if merge is None:
        given.refuse("has merge_mode=None, two outputs that have no counterpart")
    return [Bidirectional(layer, merge, name=given.name)]  # type: ignore[arg-type]
