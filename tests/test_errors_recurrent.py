"""Errors of recurrent operations: one sentence, from either backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence

from gyaku import ops

F32 = np.float32


def zeros(*shape: int) -> Any:
    return np.zeros(shape, F32)


X, W, U = zeros(2, 3, 4), zeros(4, 5), zeros(5, 5)
W4, U4, W3, U3 = zeros(4, 20), zeros(5, 20), zeros(4, 15), zeros(5, 15)
SAVED = zeros(2, 3, 20), zeros(2, 3, 5), zeros(2, 3, 5)
STATES = zeros(2, 3, 5)

AMONG = "sigmoid, tanh, relu, identity, leaky_relu, elu, selu, hard_sigmoid, softsign"
MISTAKES: list[Mistake] = [
    (
        ValueError,
        "simple_rnn: x must have shape (samples, time, features), got (2, 4)",
        lambda: ops.simple_rnn(X[:, 0], W, U),
    ),
    (
        ValueError,
        "lstm: x must have at least one time step, got shape (2, 0, 4)",
        lambda: ops.lstm(X[:, :0], W4, U4),
    ),
    (
        ValueError,
        "simple_rnn: w must have shape (4, units), got (5, 5)",
        lambda: ops.simple_rnn(X, U, U),
    ),
    (
        ValueError,
        "lstm: w must have shape (4, 4 * units), got (4, 5)",
        lambda: ops.lstm(X, W, U),
    ),
    (
        ValueError,
        "gru: w must have shape (4, 3 * units), got (4, 20)",
        lambda: ops.gru(X, W4, U4),
    ),
    (ValueError, "gru: u must have shape (5, 15), got (5, 5)", lambda: ops.gru(X, W3, U)),
    (
        ValueError,
        "lstm: projection must have shape (5, outputs), got (2, 5)",
        lambda: ops.lstm(X, W4, U4, projection=zeros(2, 5)),
    ),
    (
        ValueError,
        "lstm: u must have shape (2, 20), got (5, 20)",
        lambda: ops.lstm(X, W4, U4, projection=zeros(5, 2)),
    ),
    (
        ValueError,
        "lstm: peepholes must have shape (3, 5), got (15,)",
        lambda: ops.lstm(X, W4, U4, peepholes=zeros(15)),
    ),
    (
        ValueError,
        "lstm: b must have shape (20,), got (5,)",
        lambda: ops.lstm(X, W4, U4, zeros(5)),
    ),
    (
        ValueError,
        "simple_rnn: h0 must have shape (2, 5), got (3, 5)",
        lambda: ops.simple_rnn(X, W, U, h0=zeros(3, 5)),
    ),
    (
        ValueError,
        "lstm: c0 must have shape (2, 5), got (2, 4)",
        lambda: ops.lstm(X, W4, U4, c0=zeros(2, 4)),
    ),
    (
        ValueError,
        "gru: b_recurrent must be None without reset_after, it adds to b",
        lambda: ops.gru(X, W3, U3, b_recurrent=zeros(15), reset_after=False),
    ),
    (
        ValueError,
        f"simple_rnn: activation must be among {AMONG}, got 'gelu'",
        lambda: ops.simple_rnn(X, W, U, activation="gelu"),
    ),
    (
        ValueError,
        f"gru: activations must be among {AMONG}, got 'mish'",
        lambda: ops.gru(X, W3, U3, activations=("sigmoid", "mish")),
    ),
    (
        ValueError,
        ("lstm: activations must be 3 names, such as ('sigmoid', 'tanh', 'tanh'), got ['tanh']"),
        lambda: ops.lstm(X, W4, U4, activations=["tanh"]),
    ),
    (
        TypeError,
        "gru: activations must be 2 names, such as ('sigmoid', 'tanh'), got 'tanh'",
        lambda: ops.gru(X, W3, U3, activations="tanh"),
    ),
    (
        ValueError,
        "lstm: clip must be positive, got 0",
        lambda: ops.lstm(X, W4, U4, clip=0),
    ),
    (
        ValueError,
        "gru: lengths must be 1 to 3, the time steps of the batch, got 4 for sample 1",
        lambda: ops.gru(X, W3, U3, lengths=[3, 4]),
    ),
    (
        ValueError,
        "lstm: lengths must be 1 to 3, the time steps of the batch, got 0 for sample 0",
        lambda: ops.lstm(X, W4, U4, lengths=np.array([0, 2], np.uint8)),
    ),
    (
        TypeError,
        "lstm: lengths must be integers, got dtype float64",
        lambda: ops.lstm(X, W4, U4, lengths=[1.0, 2.0]),  # type: ignore[list-item]
    ),
    (
        ValueError,
        "simple_rnn: lengths must have shape (2,), got (3,)",
        lambda: ops.simple_rnn(X, W, U, lengths=[1, 2, 3]),
    ),
    (
        TypeError,
        "simple_rnn: x must be real numbers, got dtype complex64",
        lambda: ops.simple_rnn(X * 1j, W, U),
    ),
    # gradients
    (
        ValueError,
        "simple_rnn_backward: dy or dhn must be given, there is no gradient",
        lambda: ops.simple_rnn_backward(None, X, W, U, STATES, STATES),
    ),
    (
        ValueError,
        "lstm_backward: dy or dhn or dcn must be given, there is no gradient",
        lambda: ops.lstm_backward(None, X, W4, U4, *SAVED),
    ),
    (
        ValueError,
        "gru_backward: gates must have shape (2, 3, 15), got (2, 3, 20)",
        lambda: ops.gru_backward(STATES, X, W3, U3, *SAVED),
    ),
    (
        ValueError,
        "lstm_backward: dcn must have shape (2, 5), got (3, 5)",
        lambda: ops.lstm_backward(STATES, X, W4, U4, *SAVED, dcn=zeros(3, 5)),
    ),
    (
        ValueError,
        "simple_rnn_backward: out must be a tuple (dx, dw, du, db, dh0), got (None,)",
        lambda: ops.simple_rnn_backward(STATES, X, W, U, STATES, STATES, out=(None,)),
    ),
    (
        ValueError,
        "lstm_backward: out must not overlap w, which is read while out is written",
        lambda: ops.lstm_backward(STATES, X, W4, U4, *SAVED, out=(None, W4, *[None] * 4)),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)


@pytest.mark.parametrize("name", ["simple_rnn", "lstm", "gru"])
def test_nothing_is_computed_before_all_arguments_are_right(name: str) -> None:
    gates = {"simple_rnn": 1, "lstm": 4, "gru": 3}[name]
    out = zeros(4, 5 * gates) + 7
    with pytest.raises(ValueError, match="lengths must be 1 to 3"):
        getattr(ops, f"{name}_backward")(
            *(STATES, X, zeros(4, 5 * gates), zeros(5, 5 * gates)),
            *([zeros(2, 3, 5 * gates)] if gates > 1 else []),
            *(STATES, STATES),
            lengths=[0, 1],
            out=(None, out, *[None] * {1: 3, 4: 4, 3: 4}[gates]),
        )
    np.testing.assert_array_equal(out, 7)
