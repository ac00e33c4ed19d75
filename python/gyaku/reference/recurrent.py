"""Recurrent layers unrolled in time, and back-propagation through time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.precision import operand
from gyaku.reference.activation import BACKWARD, FORWARD, SELU_ALPHA, SELU_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["gru", "gru_backward", "lstm", "lstm_backward", "simple_rnn", "simple_rnn_backward"]


def _steps(
    x: NDArray[Any], lengths: NDArray[np.int64] | None, reverse: bool
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield for each step the samples that have one, and the time of each."""
    samples, time = x.shape[:2]
    ends = np.full(samples, time) if lengths is None else lengths
    for step in range(time):
        rows = np.flatnonzero(step < ends)
        yield rows, ends[rows] - 1 - step if reverse else np.full_like(rows, step)


def _initial(state: NDArray[Any] | None, shape: tuple[int, int], dtype: Any) -> NDArray[Any]:
    return np.zeros(shape, dtype) if state is None else state.astype(dtype)


def _dtype(*arrays: NDArray[Any] | None) -> Any:
    return np.result_type(*(array for array in arrays if array is not None))


def _plus(x: NDArray[Any], term: NDArray[Any] | None) -> NDArray[Any]:
    return x if term is None else x + term


def _act(z: NDArray[Any], name: str, clip: float | None) -> NDArray[Any]:
    """Return f of sums, which are limited to ±clip first, if there is a limit."""
    return FORWARD[name](z if clip is None else np.clip(z, -clip, clip))


def _elu_slope(dy: NDArray[Any], y: NDArray[Any], scale: float, depth: float) -> NDArray[Any]:
    return np.where(y > 0, scale * dy, dy * (y + depth))


# Recurrent operations save outputs, of which other operations save the inputs.
_OF_OUTPUT = {
    "elu": partial(_elu_slope, scale=1.0, depth=1.0),
    "celu": partial(_elu_slope, scale=1.0, depth=1.0),
    "selu": partial(_elu_slope, scale=SELU_SCALE, depth=SELU_SCALE * SELU_ALPHA),
}


def _slope(dy: NDArray[Any], y: NDArray[Any], name: str, clip: float | None) -> NDArray[Any]:
    """Return the gradient through f from its values y: zero where the sum was limited."""
    dz = _OF_OUTPUT.get(name, BACKWARD[name])(dy, y)
    if clip is None:
        return dz
    ends = FORWARD[name](np.array([-clip, clip], y.dtype))
    # Values of the limits themselves may differ by rounding.
    least, most = ends + 4 * np.finfo(ends.dtype).eps * np.abs(ends) * (1, -1)
    return np.where((y > least) & (y < most), dz, 0)


def _products(x: NDArray[Any], dz: NDArray[Any]) -> NDArray[Any]:
    """Return Σ xᵀ dz over all samples and times."""
    return np.tensordot(operand(x), operand(dz), axes=((0, 1), (0, 1)))


def _sums(dz: NDArray[Any]) -> NDArray[Any]:
    """Return Σ dz over all samples and times, the product with ones."""
    return np.asarray(operand(dz).sum(axis=(0, 1)))


def _matmul(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    product: NDArray[Any] = operand(a) @ operand(b)
    return product


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def simple_rnn(
    x: NDArray[Any],
    w: NDArray[Any],
    u: NDArray[Any],
    b: NDArray[Any] | None = None,
    h0: NDArray[Any] | None = None,
    *,
    activation: str = "tanh",
    clip: float | None = None,
    lengths: NDArray[np.int64] | None = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return y_t = h_t = f(x_t w + b + h_{t-1} u), the last h, and h before each step."""
    dtype = _dtype(x, w, u, b, h0)
    h = _initial(h0, (len(x), len(u)), dtype)
    y = np.zeros((*x.shape[:2], len(u)), dtype)
    previous = np.zeros_like(y)
    sums = _plus(_matmul(x, w), b)
    for rows, t in _steps(x, lengths, reverse):
        previous[rows, t] = h[rows]
        h[rows] = _act(sums[rows, t] + _matmul(h[rows], u), activation, clip)
        y[rows, t] = h[rows]
    return y, h, previous


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def simple_rnn_backward(
    dy: NDArray[Any] | None,
    x: NDArray[Any],
    w: NDArray[Any],
    u: NDArray[Any],
    y: NDArray[Any],
    previous: NDArray[Any],
    *,
    dhn: NDArray[Any] | None = None,
    activation: str = "tanh",
    clip: float | None = None,
    lengths: NDArray[np.int64] | None = None,
    reverse: bool = False,
    input_gradient: bool = True,
) -> tuple[NDArray[Any], ...]:
    """Return the gradients of a simple recurrent layer."""
    # With z the argument of f: dz_t = f'(z_t) (dy_t + dh_t), dh_{t-1} = dz_t uᵀ.
    dh = _initial(dhn, (len(x), len(u)), x.dtype)
    dz = np.zeros_like(y)
    for rows, t in reversed([*_steps(x, lengths, reverse)]):
        dh_t = _plus(dh[rows], None if dy is None else dy[rows, t])
        dz[rows, t] = _slope(dh_t, y[rows, t], activation, clip)
        dh[rows] = _matmul(dz[rows, t], u.T)
    dx = _matmul(dz[: len(dz) * input_gradient], w.T)
    return dx, _products(x, dz), _products(previous, dz), _sums(dz), dh


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def lstm(
    x: NDArray[Any],
    w: NDArray[Any],
    u: NDArray[Any],
    b: NDArray[Any] | None = None,
    h0: NDArray[Any] | None = None,
    c0: NDArray[Any] | None = None,
    *,
    peepholes: NDArray[Any] | None = None,
    projection: NDArray[Any] | None = None,
    activations: tuple[str, ...] = ("sigmoid", "tanh", "tanh"),
    clip: float | None = None,
    lengths: NDArray[np.int64] | None = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], ...]:
    """Return c_t = f c_{t-1} + i g and y_t = h_t = o tanh(c_t), with the values for gradients."""
    # (i, f, g, o) = x_t w + b + h_{t-1} u, through σ, σ, tanh, σ, or other functions in place of σ,
    # of the tanh of g, and of that of c_t. Through peepholes, i and f see p_i c_{t-1} and
    # p_f c_{t-1}, and o sees p_o c_t. With a projection, h_t = (o tanh(c_t)) p.
    dtype = _dtype(x, w, u, b, h0, c0, peepholes, projection)
    units = w.shape[1] // 4
    h = _initial(h0, (len(x), len(u)), dtype)
    c = _initial(c0, (len(x), units), dtype)
    p_i, p_f, p_o = (None, None, None) if peepholes is None else peepholes
    of_gate, of_input, of_cell = activations
    y = np.zeros((*x.shape[:2], len(u)), dtype)
    gates = np.zeros((*x.shape[:2], 4 * units), dtype)
    cells = np.zeros((*x.shape[:2], units), dtype)
    previous = np.zeros_like(y)
    sums = _plus(_matmul(x, w), b)
    for rows, t in _steps(x, lengths, reverse):
        previous[rows, t] = h[rows]
        z_i, z_f, z_g, z_o = np.split(sums[rows, t] + _matmul(h[rows], u), 4, axis=1)
        i = _act(_plus(z_i, _product(p_i, c[rows])), of_gate, clip)
        f = _act(_plus(z_f, _product(p_f, c[rows])), of_gate, clip)
        g = _act(z_g, of_input, clip)
        c[rows] = f * c[rows] + i * g
        o = _act(_plus(z_o, _product(p_o, c[rows])), of_gate, clip)
        m = o * FORWARD[of_cell](c[rows])
        h[rows] = m if projection is None else _matmul(m, projection)
        y[rows, t] = h[rows]
        gates[rows, t] = np.concatenate([i, f, g, o], axis=1)
        cells[rows, t] = c[rows]
    return y, h, c, gates, cells, previous


def _product(p: NDArray[Any] | None, c: NDArray[Any]) -> NDArray[Any] | None:
    return None if p is None else p * c


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def lstm_backward(
    dy: NDArray[Any] | None,
    x: NDArray[Any],
    w: NDArray[Any],
    u: NDArray[Any],
    gates: NDArray[Any],
    cells: NDArray[Any],
    previous: NDArray[Any],
    *,
    c0: NDArray[Any] | None = None,
    dhn: NDArray[Any] | None = None,
    dcn: NDArray[Any] | None = None,
    peepholes: NDArray[Any] | None = None,
    projection: NDArray[Any] | None = None,
    activations: tuple[str, ...] = ("sigmoid", "tanh", "tanh"),
    clip: float | None = None,
    lengths: NDArray[np.int64] | None = None,
    reverse: bool = False,
    input_gradient: bool = True,
) -> tuple[NDArray[Any], ...]:
    """Return the gradients of an LSTM layer."""
    # With m = o tanh(c_t), and dm = dy_t + dh_t, or (dy_t + dh_t) pᵀ with a projection:
    # dz_o = dm tanh(c_t) σ'(o), dc_t = dc + dm o (1 - tanh²(c_t)) + p_o dz_o,
    # dz_i = dc_t g σ'(i), dz_f = dc_t c_{t-1} σ'(f), dz_g = dc_t i (1 - g²),
    # dc_{t-1} = dc_t f + p_i dz_i + p_f dz_f, dh_{t-1} = dz uᵀ.
    units = w.shape[1] // 4
    steps = [*_steps(x, lengths, reverse)]
    dh = _initial(dhn, (len(x), len(u)), x.dtype)
    dc = _initial(dcn, (len(x), units), x.dtype)
    p_i, p_f, p_o = (None, None, None) if peepholes is None else peepholes
    of_gate, of_input, of_cell = activations
    dz = np.zeros_like(gates)
    dh_all = np.zeros_like(previous)
    before = _before(cells, _initial(c0, dc.shape, x.dtype), steps)
    for rows, t in reversed(steps):
        i, f, g, o = np.split(gates[rows, t], 4, axis=1)
        out = FORWARD[of_cell](cells[rows, t])
        dm = dh_all[rows, t] = _plus(dh[rows], None if dy is None else dy[rows, t])
        if projection is not None:
            dm = _matmul(dm, projection.T)
        dz_o = _slope(dm * out, o, of_gate, clip)
        dc_t = _plus(dc[rows] + _slope(dm * o, out, of_cell, None), _product(p_o, dz_o))
        dz_i = _slope(dc_t * g, i, of_gate, clip)
        dz_f = _slope(dc_t * before[rows, t], f, of_gate, clip)
        dz_g = _slope(dc_t * i, g, of_input, clip)
        dc[rows] = _plus(_plus(dc_t * f, _product(p_i, dz_i)), _product(p_f, dz_f))
        dz[rows, t] = np.concatenate([dz_i, dz_f, dz_g, dz_o], axis=1)
        dh[rows] = _matmul(dz[rows, t], u.T)
    dx = _matmul(dz[: len(dz) * input_gradient], w.T)
    gradients = [dx, _products(x, dz), _products(previous, dz), _sums(dz), dh, dc]
    if peepholes is not None:
        dz_i, dz_f, _, dz_o = np.split(dz, 4, axis=2)
        seen = np.stack([dz_i * before, dz_f * before, dz_o * cells])
        gradients.append(seen.sum(axis=(1, 2)))
    if projection is not None:
        gradients.append(_products(gates[..., 3 * units :] * FORWARD[of_cell](cells), dh_all))
    return tuple(gradients)


def _before(
    states: NDArray[Any],
    initial: NDArray[Any],
    steps: list[tuple[NDArray[np.int64], NDArray[np.int64]]],
) -> NDArray[Any]:
    """Return the state before each step."""
    before, state = np.zeros_like(states), initial.copy()
    for rows, t in steps:
        before[rows, t] = state[rows]
        state[rows] = states[rows, t]
    return before


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def gru(
    x: NDArray[Any],
    w: NDArray[Any],
    u: NDArray[Any],
    b: NDArray[Any] | None = None,
    b_recurrent: NDArray[Any] | None = None,
    h0: NDArray[Any] | None = None,
    *,
    reset_after: bool = True,
    activations: tuple[str, ...] = ("sigmoid", "tanh"),
    clip: float | None = None,
    lengths: NDArray[np.int64] | None = None,
    reverse: bool = False,
) -> tuple[NDArray[Any], ...]:
    """Return y_t = h_t = (1 - z) n + z h_{t-1}, with the values for gradients."""
    # (r, z) = σ(x_t w + b + h_{t-1} u + b_recurrent) in their columns. The reset gate acts after
    # the product, n = tanh(x_t w_n + b_n + r (h_{t-1} u_n + b_recurrent_n)), or before it,
    # n = tanh(x_t w_n + b_n + (r h_{t-1}) u_n). `inner` is the factor of r, or the product with h.
    dtype = _dtype(x, w, u, b, b_recurrent, h0)
    units, (of_gate, of_state) = len(u), activations
    h = _initial(h0, (len(x), units), dtype)
    y = np.zeros((*x.shape[:2], units), dtype)
    gates = np.zeros((*x.shape[:2], 3 * units), dtype)
    inner, previous = np.zeros_like(y), np.zeros_like(y)
    u_rz, u_n = u[:, : 2 * units], u[:, 2 * units :]
    b_rz, b_n = (None, None) if b_recurrent is None else np.split(b_recurrent, [2 * units])
    sums = _plus(_matmul(x, w), b)
    for rows, t in _steps(x, lengths, reverse):
        before = previous[rows, t] = h[rows]
        sums_rz, sums_n = np.split(sums[rows, t], [2 * units], axis=1)
        r, z = np.split(
            _act(_plus(sums_rz + _matmul(before, u_rz), b_rz), of_gate, clip), 2, axis=1
        )
        if reset_after:
            inner[rows, t] = _plus(_matmul(before, u_n), b_n)
            n = _act(sums_n + r * inner[rows, t], of_state, clip)
        else:
            inner[rows, t] = r * before
            n = _act(sums_n + _matmul(inner[rows, t], u_n), of_state, clip)
        h[rows] = y[rows, t] = (1 - z) * n + z * before
        gates[rows, t] = np.concatenate([r, z, n], axis=1)
    return y, h, gates, inner, previous


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def gru_backward(
    dy: NDArray[Any] | None,
    x: NDArray[Any],
    w: NDArray[Any],
    u: NDArray[Any],
    gates: NDArray[Any],
    inner: NDArray[Any],
    previous: NDArray[Any],
    *,
    dhn: NDArray[Any] | None = None,
    reset_after: bool = True,
    activations: tuple[str, ...] = ("sigmoid", "tanh"),
    clip: float | None = None,
    lengths: NDArray[np.int64] | None = None,
    reverse: bool = False,
    input_gradient: bool = True,
) -> tuple[NDArray[Any], ...]:
    """Return the gradients of a GRU layer."""
    # With dh = dy_t + dh_t: dz_n = dh (1 - z) (1 - n²), dz_z = dh (h_{t-1} - n) σ'(z), and
    # dz_r = dr σ'(r), where dr = dz_n inner, or (dz_n u_nᵀ) h_{t-1} with the reset gate before
    # the product. The first factor r of n, or of h_{t-1}, is in `recurrent` or in dh_{t-1}:
    # dh_{t-1} = dh z + (dz_r, dz_z, dz_n r) uᵀ, or dh z + (dz_r, dz_z) u_rzᵀ + (dz_n u_nᵀ) r.
    units, (of_gate, of_state) = len(u), activations
    u_rz, u_n = u[:, : 2 * units], u[:, 2 * units :]
    dh = _initial(dhn, (len(x), units), x.dtype)
    dz, recurrent = np.zeros_like(gates), np.zeros_like(gates)
    for rows, t in reversed([*_steps(x, lengths, reverse)]):
        r, z, n = np.split(gates[rows, t], 3, axis=1)
        before = previous[rows, t]
        dh_t = _plus(dh[rows], None if dy is None else dy[rows, t])
        dz_n = _slope(dh_t * (1 - z), n, of_state, clip)
        dz_z = _slope(dh_t * (before - n), z, of_gate, clip)
        dinner = dz_n * r if reset_after else _matmul(dz_n, u_n.T)
        dr = dz_n * inner[rows, t] if reset_after else dinner * before
        dz_r = _slope(dr, r, of_gate, clip)
        dz[rows, t] = np.concatenate([dz_r, dz_z, dz_n], axis=1)
        recurrent[rows, t] = np.concatenate([dz_r, dz_z, dinner if reset_after else dz_n], axis=1)
        through_n = _matmul(dinner, u_n.T) if reset_after else dinner * r
        through_rz = _matmul(np.concatenate([dz_r, dz_z], axis=1), u_rz.T)
        dh[rows] = dh_t * z + through_rz + through_n
    du = _products(previous, recurrent)
    if not reset_after:
        du[:, 2 * units :] = _products(inner, dz[..., 2 * units :])
    db, db_recurrent = _sums(dz), _sums(recurrent)
    dx = _matmul(dz[: len(dz) * input_gradient], w.T)
    return dx, _products(x, dz), du, db, db_recurrent, dh
