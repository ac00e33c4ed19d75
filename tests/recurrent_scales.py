"""How far the errors of a recurrent layer's steps add up, forward and backward in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from gyaku.ops import TABLE
from gyaku.reference import recurrent

Array = NDArray[Any]
Scales = tuple[Array, ...]
LAST = ("h0", "c0")


def named(op: str, arguments: list[Array], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by name, and the magnitudes of arrays of floats."""
    given = dict(zip(TABLE[op].inputs, arguments, strict=False)) | keywords
    return {
        key: np.abs(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x
        for key, x in given.items()
    }


def errors(
    given: dict[str, Any],
    states: tuple[Array, ...],
    step: Callable[..., tuple[Array, ...]],
) -> Scales:
    """Return the errors after each step of what `step` makes of those before it.

    Those of the first `states` go on to the next step; the results are the errors of all that
    `step` returns, of the states after the last step, and of the first state before each step.
    """
    x = given["x"]
    now = [np.zeros((len(x), state.shape[2])) for state in states]
    every: list[Array] = []
    before = np.zeros_like(states[0])
    for rows, t in recurrent._steps(x, given.get("lengths"), given.get("reverse", False)):
        before[rows, t] = now[0][rows]
        made = step(rows, t, *(state[rows] for state in now))
        every = every or [np.zeros((*x.shape[:2], each.shape[1])) for each in made]
        for whole, each in zip(every, made, strict=True):
            whole[rows, t] = each
        for state, each in zip(now, made, strict=False):
            state[rows] = each
    return (*every, *now, before)


def sums_of(given: dict[str, Any]) -> Array:
    """Return the magnitudes of the input products, with the bias."""
    b = given.get("b")
    product: Array = given["x"] @ given["w"]
    return product if b is None else product + b


def simple_rnn(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    given = named("simple_rnn", arguments, keywords)
    y, _, previous = (np.abs(each) for each in outputs)
    sums = sums_of(given) + previous @ given["u"]

    def step(rows: Array, t: Array, e_h: Array) -> tuple[Array, ...]:
        return (sums[rows, t] + e_h @ given["u"] + y[rows, t],)

    e_y, e_hn, e_previous = errors(given, (y,), step)
    return e_y, e_hn, e_previous


def lstm(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    given = named("lstm", arguments, keywords)
    y, _, _, gates, cells, previous = (np.abs(each) for each in outputs)
    sums = sums_of(given) + previous @ given["u"]
    units = cells.shape[2]
    p_i, p_f, p_o = given.get("peepholes", np.zeros((3, units)))
    c0 = given.get("c0", np.zeros((len(cells), units)))
    steps = [*recurrent._steps(given["x"], given.get("lengths"), given.get("reverse", False))]
    before = recurrent._before(cells, c0, steps)

    def step(rows: Array, t: Array, e_h: Array, e_c: Array) -> tuple[Array, ...]:
        z_i, z_f, z_g, z_o = np.split(sums[rows, t] + e_h @ given["u"], 4, axis=1)
        i, f, g, o = np.split(gates[rows, t], 4, axis=1)
        c, c_before = cells[rows, t], before[rows, t]
        e_i = (z_i + p_i * (c_before + e_c)) / 4 + i
        e_f = (z_f + p_f * (c_before + e_c)) / 4 + f
        e_g = z_g + g
        e_c = f * e_c + c_before * e_f + i * e_g + g * e_i + f * c_before + i * g
        e_o = (z_o + p_o * (c + e_c)) / 4 + o
        m = o * np.tanh(c)
        e_h = e_o + o * e_c + m
        if "projection" in given:
            e_h = (e_h + m) @ given["projection"]
        return e_h, e_c, np.concatenate([e_i, e_f, e_g, e_o], axis=1)

    e_y, e_cells, e_gates, e_hn, e_cn, e_previous = errors(given, (y, cells), step)
    return e_y, e_hn, e_cn, e_gates, e_cells, e_previous


def gru(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    given = named("gru", arguments, keywords)
    y, _, gates, inner, previous = (np.abs(each) for each in outputs)
    sums, u = sums_of(given), given["u"]
    units = len(u)
    u_rz, u_n = np.split(u, [2 * units], axis=1)
    b_rz, b_n = np.split(given.get("b_recurrent", np.zeros(3 * units)), [2 * units])

    def step(rows: Array, t: Array, e_h: Array) -> tuple[Array, ...]:
        r, z, n = np.split(gates[rows, t], 3, axis=1)
        h, factor = previous[rows, t], inner[rows, t]
        sums_rz, sums_n = np.split(sums[rows, t], [2 * units], axis=1)
        e_r, e_z = np.split(
            (sums_rz + (h + e_h) @ u_rz + b_rz) / 4 + gates[rows, t, : 2 * units], 2, 1
        )
        if given.get("reset_after", True):
            e_inner = (h + e_h) @ u_n + b_n
            e_n = sums_n + r * e_inner + e_r * factor + r * factor + n
        else:
            e_inner = r * e_h + e_r * h + r * h
            e_n = sums_n + (factor + e_inner) @ u_n + n
        e_h = (1 - z) * (e_n + n) + (n + h) * e_z + z * (e_h + h)
        return e_h, np.concatenate([e_r, e_z, e_n], axis=1), e_inner

    e_y, e_gates, e_inner, e_hn, e_previous = errors(given, (y,), step)
    return e_y, e_hn, e_gates, e_inner, e_previous


def of_backward(op: str) -> Callable[[list[Array], dict[str, Any], Scales], Scales]:
    """Return the scale of a gradient: itself, of magnitudes, with 1 + y² for 1 - y²."""

    def tanh_backward(dy: Array, y: Array) -> Array:
        return np.asarray(dy * (1 + y * y))

    def scale(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
        given = named(op, arguments, keywords)
        if op == "gru_backward":  # so that h - n is a sum
            units = len(given["u"])
            given["gates"][..., 2 * units :] *= -1
        with patch.dict(recurrent.BACKWARD, tanh=tanh_backward):
            return tuple(map(np.abs, TABLE[op].equation(**given)))

    return scale


SCALES = {"simple_rnn": simple_rnn, "lstm": lstm, "gru": gru}
SCALES |= {f"{name}_backward": of_backward(f"{name}_backward") for name in SCALES}
