"""Gradients of recurrent layers: back-propagation through time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.ops.arrays import lengths_of, results
from gyaku.ops.gemm import matmul, sum_rows
from gyaku.ops.merge import copy_columns
from gyaku.ops.op import operation, prepared
from gyaku.ops.recurrent import (
    GRU_ACTIVATIONS,
    LSTM_ACTIVATIONS,
    RNN_ACTIVATIONS,
    activations_of,
    check_activations,
    check_shapes,
    limit_of,
    or_in_numpy,
    sequences,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes
    from gyaku.ops.recurrent import Arrays

    Out = tuple[NDArray[Any] | None, ...]
    Gradients = tuple[NDArray[Any], ...]

__all__ = ["gru_backward", "lstm_backward", "simple_rnn_backward"]


def _flops(gates: int, element: int) -> Callable[[Shapes, Shapes], int]:
    """Return the count of FLOPs: four products, two of them gradients of weights, and sums."""

    def flops(inputs: Shapes, outputs: Shapes) -> int:
        _, (n, time, features), w, u = inputs[:4]
        units, states = w[1] // gates, u[0]
        work = 4 * (features + states) * w[1] + element * units + w[1]
        work += 4 * units * states if states != units else 0
        work += 6 * units if (3, units) in outputs[6:] else 0  # peepholes
        return n * time * work

    return flops


def _terms(inputs: Shapes, outputs: Shapes) -> int:
    """Return the length of the longest sum: over gates and samples, in each step."""
    del outputs
    _, (n, time, _), w, _ = inputs[:4]
    return time * (n + w[1])


def _check_gradients(op: str, arrays: Arrays, *names: str) -> None:
    if all(arrays[name] is None for name in names):
        raise ValueError(f"{op}: {' or '.join(names)} must be given, there is no gradient")


def _prepared(
    op: str,
    names: str,
    shapes: Sequence[Shape],
    out: Out | None,
    arrays: Arrays,
    lengths: Any,
    options: dict[str, Any],
) -> Gradients:
    """Return the converted arguments; x is the first array, whose dtype is that of the results."""
    x = arrays["x"]
    lengths = lengths_of(op, lengths, *x.shape[:2])
    read: Arrays = {"x": x} | {name: each for name, each in arrays.items() if each is not None}
    if lengths is not None:
        read["lengths"] = lengths
    places = results(op, names, out, shapes, **read)
    given = zip(names.split(), places, out or [None] * len(places), strict=True)
    # The kernel makes these arrays itself.
    own = {"dh0", "dc0", "dpeepholes"}
    made = tuple(place if name not in own else wanted for name, place, wanted in given)
    return prepared(**arrays, **options, lengths=lengths, out=made)


def _rows(x: NDArray[Any]) -> NDArray[Any]:
    """Return all steps of all samples as rows of a matrix."""
    n, time, columns = x.shape
    return x.reshape(n * time, columns)


def _products(
    dz: NDArray[Any], x: NDArray[Any], w: NDArray[Any], out: Gradients, input_gradient: bool
) -> None:
    """Write the gradients of the input product: dx, dw and db."""
    dx, dw, _, db, *_ = out
    matmul(_rows(x), dz, transpose_a=True, out=dw)
    sum_rows(dz, out=db)  # fused with the product
    if input_gradient:
        matmul(dz, w, transpose_b=True, out=_rows(dx))


def _placed(value: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    """Return a result of the kernel, copied to the array for it if there is one."""
    if out is None:
        return value
    copy_columns(value, out, start=0)
    return out


def _simple_rnn_backward(
    dy: Any,
    x: Any,
    w: Any,
    u: Any,
    y: Any,
    previous: Any,
    *,
    dhn: Any,
    activation: str,
    lengths: Any,
    reverse: bool,
    input_gradient: bool,
    out: Any,
) -> Gradients:
    dgates, *_, dh0, _, _ = _core.recurrent_backward(
        activation, dy, dhn, None, u, y, None, None, previous, None, None, None, lengths, reverse
    )
    dz = _rows(dgates)
    _products(dz, x, w, out, input_gradient)
    matmul(_rows(previous), dz, transpose_a=True, out=out[2])
    return *out[:4], _placed(dh0, out[4])


def _lstm_backward(
    dy: Any,
    x: Any,
    w: Any,
    u: Any,
    gates: Any,
    cells: Any,
    previous: Any,
    *,
    c0: Any,
    dhn: Any,
    dcn: Any,
    peepholes: Any,
    projection: Any,
    lengths: Any,
    reverse: bool,
    input_gradient: bool,
    out: Any,
) -> Gradients:
    dgates, _, hidden, dhidden, *states, dpeepholes = _core.recurrent_backward(
        *("lstm", dy, dhn, dcn, u, gates, cells, None, previous, c0, peepholes, projection),
        *(lengths, reverse),
    )
    dz = _rows(dgates)
    _products(dz, x, w, out, input_gradient)
    matmul(_rows(previous), dz, transpose_a=True, out=out[2])
    if projection is not None:
        matmul(_rows(hidden), _rows(dhidden), transpose_a=True, out=out[-1])
    if peepholes is not None:
        states.append(dpeepholes)
    placed = [_placed(each, place) for each, place in zip(states, out[4:], strict=False)]
    return *out[:4], *placed, *out[4 + len(placed) :]


def _gru_backward(
    dy: Any,
    x: Any,
    w: Any,
    u: Any,
    gates: Any,
    inner: Any,
    previous: Any,
    *,
    dhn: Any,
    reset_after: bool,
    lengths: Any,
    reverse: bool,
    input_gradient: bool,
    out: Any,
) -> Gradients:
    dgates, dinner, *_, dh0, _, _ = _core.recurrent_backward(
        *("gru" if reset_after else "reset_gru", dy, dhn, None, u, gates, None, inner, previous),
        *(None, None, None, lengths, reverse),
    )
    dz, before, first = _rows(dgates), _rows(previous), 2 * len(u)
    _products(dz, x, w, out, input_gradient)
    _, _, du, db, db_recurrent, _ = out
    matmul(before, dz[:, :first], transpose_a=True, out=du[:, :first])
    if reset_after:
        copy_columns(db[:first], db_recurrent, start=0)
        matmul(before, _rows(dinner), transpose_a=True, out=du[:, first:])
        sum_rows(_rows(dinner), out=db_recurrent[first:])
    else:
        copy_columns(db, db_recurrent, start=0)
        matmul(_rows(inner), dz[:, first:], transpose_a=True, out=du[:, first:])
    return *out[:5], _placed(dh0, out[5])


def _input_shape(x: Shape, input_gradient: bool) -> Shape:
    return x if input_gradient else (0, *x[1:])


def _simple_shapes(
    shapes: Shapes, *, input_gradient: bool = True, **keywords: Any
) -> tuple[Shape, ...]:
    del keywords
    _, x, w, u, *_ = shapes
    return _input_shape(x, input_gradient), w, u, w[1:], (x[0], w[1])


@operation(
    or_in_numpy("simple_rnn_backward", _simple_rnn_backward, RNN_ACTIVATIONS),
    check_first=True,
    kernel="recurrent_backward",
    inputs="dy x w u y previous",
    outputs="dx dw du db dh0",
    shapes=_simple_shapes,
    flops=_flops(1, 4),
    no_gradient="it is a gradient",
    roundings=6,
    terms=_terms,
)
def simple_rnn_backward(
    dy: ArrayLike | None,
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    y: ArrayLike,
    previous: ArrayLike,
    *,
    dhn: ArrayLike | None = None,
    activation: str = "tanh",
    clip: float | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    input_gradient: bool = True,
    out: Out | None = None,
) -> Gradients:
    """Compute the gradients of a simple recurrent layer.

    Parameters
    ----------
    dy : array_like or None
        Gradient with respect to the output, of shape (n, t, h); it is not read at padded steps.
        None if only the last state has one.
    x : array_like
        Sequences of shape (n, t, f).
    w : array_like
        Input weights, of shape (f, h).
    u : array_like
        Recurrent weights, of shape (h, h).
    y : array_like
        State after each step, of shape (n, t, h).
    previous : array_like
        State before each step, of shape (n, t, h).
    dhn : array_like or None, optional
        Gradient with respect to the last state, of shape (n, h), beside that of y; None is zeros.
    activation : str, default "tanh"
        The activation function f, as of `simple_rnn`.
    clip : float or None, optional
        Limit of its argument, as of `simple_rnn`: where it acted, the gradient is zero.
    lengths : array_like of int or None, optional
        Length of each sequence, as of `simple_rnn`.
    reverse : bool, default False
        Whether the layer ran in reverse.
    input_gradient : bool, default True
        Whether to compute dx; otherwise it is an array of no samples.
    out : tuple of (ndarray or None) or None, optional
        Arrays that the results are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the sequences, zero at padded steps.
    dw : ndarray
        Gradient with respect to the input weights.
    du : ndarray
        Gradient with respect to the recurrent weights.
    db : ndarray
        Gradient with respect to the bias, of shape (h,).
    dh0 : ndarray
        Gradient with respect to the states before the first step, of shape (n, h).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or lengths are no integers.
    ValueError
        If shapes do not match, a length is out of range, neither dy nor dhn is given, or an array
        of out overlaps an argument.

    Notes
    -----
    With z_t = x_t w + b + h_{t-1} u, from the last step to the first: dz_t = f'(z_t) (dy_t + dh_t),
    dh_{t-1} = dz_t uᵀ. Then dx = dz wᵀ, and summed over samples and steps dw = Σ xᵀ dz,
    du = Σ h_{t-1}ᵀ dz, db = Σ dz. P. Werbos, "Backpropagation through time: what it does and how to
    do it", Proceedings of the IEEE 78, 1990.

    Examples
    --------
    >>> from gyaku import ops
    >>> x, w, u = [[[1.0], [0.0], [2.0]]], [[1.0]], [[0.5]]
    >>> y, hn, previous = ops.simple_rnn(x, w, u, activation="relu")
    >>> dx, *_, dh0 = ops.simple_rnn_backward(
    ...     None, x, w, u, y, previous, dhn=[[1.0]], activation="relu"
    ... )
    >>> dx.ravel(), dh0  # halved in each step back
    (array([0.25, 0.5 , 1.  ]), array([[0.125]]))
    """
    op = "simple_rnn_backward"
    arrays = sequences(op, 1, x=x, w=w, u=u, dy=dy, y=y, previous=previous, dhn=dhn)
    _check_gradients(op, arrays, "dy", "dhn")
    shapes = _simple_shapes(
        [(), *(np.shape(arrays[each]) for each in "xwu")], input_gradient=input_gradient
    )
    states = (*arrays["x"].shape[:2], shapes[1][1])
    check_shapes(op, arrays, dy=states, y=states, previous=states, dhn=shapes[4])
    check_activations(op, activation=(activation,))
    options = {"clip": limit_of(op, clip)}
    return _prepared(op, "dx dw du db dh0", shapes, out, arrays, lengths, options)


def _lstm_shapes(
    shapes: Shapes,
    *,
    peepholes: Any = None,
    projection: Any = None,
    input_gradient: bool = True,
    **keywords: Any,
) -> tuple[Shape, ...]:
    del keywords
    _, x, w, u, *_ = shapes
    units, outputs = w[1] // 4, u[0]
    extra = [(3, units)] * (peepholes is not None) + [(units, outputs)] * (projection is not None)
    dx = _input_shape(x, input_gradient)
    return dx, w, u, w[1:], (x[0], outputs), (x[0], units), *extra


def _lstm_names(peepholes: object, projection: object) -> str:
    names = "dx dw du db dh0 dc0"
    names += " dpeepholes" * (peepholes is not None)
    return names + " dprojection" * (projection is not None)


@operation(
    or_in_numpy("lstm_backward", _lstm_backward, [LSTM_ACTIVATIONS]),
    check_first=True,
    kernel="recurrent_backward",
    inputs="dy x w u gates cells previous",
    outputs="dx dw du db dh0 dc0 dpeepholes dprojection",
    shapes=_lstm_shapes,
    flops=_flops(4, 26),
    no_gradient="it is a gradient",
    roundings=16,
    terms=_terms,
)
def lstm_backward(
    dy: ArrayLike | None,
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    gates: ArrayLike,
    cells: ArrayLike,
    previous: ArrayLike,
    *,
    c0: ArrayLike | None = None,
    dhn: ArrayLike | None = None,
    dcn: ArrayLike | None = None,
    peepholes: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    activations: Sequence[str] = LSTM_ACTIVATIONS,
    clip: float | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    input_gradient: bool = True,
    out: Out | None = None,
) -> Gradients:
    """Compute the gradients of a layer of long short-term memory.

    Parameters
    ----------
    dy : array_like or None
        Gradient with respect to the output, of its shape; it is not read at padded steps. None if
        only the last state or cell has one.
    x : array_like
        Sequences of shape (n, t, f).
    w : array_like
        Input weights, of shape (f, 4h): the gates i, f, g, o side by side.
    u : array_like
        Recurrent weights, of shape (h, 4h), or (p, 4h) with a projection.
    gates : array_like
        Values of the gates, of shape (n, t, 4h).
    cells : array_like
        Cell after each step, of shape (n, t, h).
    previous : array_like
        State before each step, of shape (n, t, h), or (n, t, p).
    c0 : array_like or None, optional
        Cells before the first step, of shape (n, h); None is zeros.
    dhn : array_like or None, optional
        Gradient with respect to the last state, beside that of y; None is zeros.
    dcn : array_like or None, optional
        Gradient with respect to the last cell, of shape (n, h); None is zeros.
    peepholes : array_like or None, optional
        Weights of the cell in its gates i, f and o, of shape (3, h).
    projection : array_like or None, optional
        Weights of shape (h, p) that make a state of p elements.
    activations : sequence of str, optional
        Activation functions, as of `lstm`.
    clip : float or None, optional
        Limit of their arguments, as of `lstm`: where it acted, the gradient is zero.
    lengths : array_like of int or None, optional
        Length of each sequence, as of `lstm`.
    reverse : bool, default False
        Whether the layer ran in reverse.
    input_gradient : bool, default True
        Whether to compute dx; otherwise it is an array of no samples.
    out : tuple of (ndarray or None) or None, optional
        Arrays that the results are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the sequences, zero at padded steps.
    dw : ndarray
        Gradient with respect to the input weights.
    du : ndarray
        Gradient with respect to the recurrent weights.
    db : ndarray
        Gradient with respect to the bias, of shape (4h,).
    dh0 : ndarray
        Gradient with respect to the states before the first step.
    dc0 : ndarray
        Gradient with respect to the cells before the first step.
    dpeepholes : ndarray
        Gradient with respect to the peepholes, if they are given.
    dprojection : ndarray
        Gradient with respect to the projection, the last result, if it is given.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or lengths are no integers.
    ValueError
        If shapes do not match, a length is out of range, none of dy, dhn and dcn is given, or an
        array of out overlaps an argument.

    Notes
    -----
    With the sums z of the gates, from the last step to the first, where dm = dy_t + dh_t, times the
    transposed projection if there is one: dz_o = dm tanh(c_t) o (1 - o), dc_t = dc +
    dm o (1 - tanh²(c_t)) + p_o dz_o, dz_i = dc_t g i (1 - i), dz_f = dc_t c_{t-1} f (1 - f),
    dz_g = dc_t i (1 - g²). Then dc = dc_t f + p_i dz_i + p_f dz_f and dh_{t-1} = dz uᵀ go one step
    back: the gate f alone stands between the gradients of two cells, which is why they do not
    vanish. dx = dz wᵀ, and summed over samples and steps dw = Σ xᵀ dz, du = Σ h_{t-1}ᵀ dz,
    db = Σ dz, dp_i = Σ dz_i c_{t-1}, dp_f = Σ dz_f c_{t-1}, dp_o = Σ dz_o c_t, and for the
    projection Σ (o tanh(c_t))ᵀ (dy_t + dh_t).

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x, w, u = np.ones((1, 2, 1)), np.zeros((1, 4)), np.zeros((1, 4))
    >>> *_, gates, cells, previous = ops.lstm(x, w, u, c0=[[1.0]])
    >>> *_, dc0 = ops.lstm_backward(None, x, w, u, gates, cells, previous, c0=[[1.0]], dcn=[[1.0]])
    >>> dc0
    array([[0.25]])
    """
    op = "lstm_backward"
    saved = {"gates": gates, "cells": cells, "previous": previous, "c0": c0}
    more = {"dhn": dhn, "dcn": dcn, "peepholes": peepholes, "projection": projection}
    arrays = sequences(op, 4, x=x, w=w, u=u, dy=dy, **saved, **more)
    _check_gradients(op, arrays, "dy", "dhn", "dcn")
    shapes = _lstm_shapes(
        [(), *(np.shape(arrays[each]) for each in "xwu")],
        peepholes=peepholes,
        projection=projection,
        input_gradient=input_gradient,
    )
    samples = arrays["x"].shape[:2]
    states, cell = (*samples, shapes[4][1]), (*samples, shapes[5][1])
    check_shapes(
        op,
        arrays,
        dy=states,
        gates=(*samples, shapes[1][1]),
        cells=cell,
        previous=states,
        c0=shapes[5],
        dhn=shapes[4],
        dcn=shapes[5],
        peepholes=(3, cell[2]),
    )
    names = _lstm_names(peepholes, projection)
    functions = activations_of(op, activations, LSTM_ACTIVATIONS)
    options = {"activations": functions, "clip": limit_of(op, clip)}
    return _prepared(op, names, shapes, out, arrays, lengths, options)


def _gru_shapes(
    shapes: Shapes, *, input_gradient: bool = True, **keywords: Any
) -> tuple[Shape, ...]:
    del keywords
    _, x, w, u, *_ = shapes
    return _input_shape(x, input_gradient), w, u, w[1:], w[1:], (x[0], u[0])


@operation(
    or_in_numpy("gru_backward", _gru_backward, [GRU_ACTIVATIONS]),
    check_first=True,
    kernel="recurrent_backward",
    inputs="dy x w u gates inner previous",
    outputs="dx dw du db db_recurrent dh0",
    shapes=_gru_shapes,
    flops=_flops(3, 23),
    no_gradient="it is a gradient",
    roundings=16,
    terms=_terms,
)
def gru_backward(
    dy: ArrayLike | None,
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    gates: ArrayLike,
    inner: ArrayLike,
    previous: ArrayLike,
    *,
    dhn: ArrayLike | None = None,
    reset_after: bool = True,
    activations: Sequence[str] = GRU_ACTIVATIONS,
    clip: float | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
    input_gradient: bool = True,
    out: Out | None = None,
) -> Gradients:
    """Compute the gradients of a layer of gated recurrent units.

    Parameters
    ----------
    dy : array_like or None
        Gradient with respect to the output, of shape (n, t, h); it is not read at padded steps.
        None if only the last state has one.
    x : array_like
        Sequences of shape (n, t, f).
    w : array_like
        Input weights, of shape (f, 3h): the gates r, z, n side by side.
    u : array_like
        Recurrent weights, of shape (h, 3h).
    gates : array_like
        Values of the gates, of shape (n, t, 3h).
    inner : array_like
        Factor of r in each step, or its product with the state, of shape (n, t, h).
    previous : array_like
        State before each step, of shape (n, t, h).
    dhn : array_like or None, optional
        Gradient with respect to the last state, of shape (n, h), beside that of y; None is zeros.
    reset_after : bool, default True
        Whether the gate r acts after the recurrent product, as of `gru`.
    activations : sequence of str, optional
        Activation functions, as of `gru`.
    clip : float or None, optional
        Limit of their arguments, as of `gru`: where it acted, the gradient is zero.
    lengths : array_like of int or None, optional
        Length of each sequence, as of `gru`.
    reverse : bool, default False
        Whether the layer ran in reverse.
    input_gradient : bool, default True
        Whether to compute dx; otherwise it is an array of no samples.
    out : tuple of (ndarray or None) or None, optional
        Arrays that the results are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the sequences, zero at padded steps.
    dw : ndarray
        Gradient with respect to the input weights.
    du : ndarray
        Gradient with respect to the recurrent weights.
    db : ndarray
        Gradient with respect to the bias, of shape (3h,).
    db_recurrent : ndarray
        Gradient with respect to the bias of the recurrent product, of shape (3h,); equal to db
        without reset_after.
    dh0 : ndarray
        Gradient with respect to the states before the first step, of shape (n, h).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or lengths are no integers.
    ValueError
        If shapes do not match, a length is out of range, neither dy nor dhn is given, or an array
        of out overlaps an argument.

    Notes
    -----
    With the sums z of the gates, from the last step to the first, where dh = dy_t + dh_t:
    dz_n = dh (1 - z) (1 - n²), dz_z = dh (h_{t-1} - n) z (1 - z), dz_r = dr r (1 - r). With the
    reset gate behind the product, dr = dz_n (h_{t-1} u_n + b'_n) and
    dh_{t-1} = dh z + (dz_r, dz_z, dz_n r) uᵀ; before it, dr = (dz_n u_nᵀ) h_{t-1} and
    dh_{t-1} = dh z + dz_r u_rᵀ + dz_z u_zᵀ + (dz_n u_nᵀ) r. dx = dz wᵀ, and summed over samples and
    steps dw = Σ xᵀ dz, db = Σ dz, and du and db_recurrent with the factors of u instead.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x, w, u = np.ones((1, 2, 1)), np.zeros((1, 3)), np.zeros((1, 3))
    >>> y, hn, *saved = ops.gru(x, w, u, h0=[[1.0]])
    >>> *_, dh0 = ops.gru_backward(None, x, w, u, *saved, dhn=[[1.0]])
    >>> dh0
    array([[0.25]])
    """
    op = "gru_backward"
    arrays = sequences(
        op, 3, x=x, w=w, u=u, dy=dy, gates=gates, inner=inner, previous=previous, dhn=dhn
    )
    _check_gradients(op, arrays, "dy", "dhn")
    shapes = _gru_shapes(
        [(), *(np.shape(arrays[each]) for each in "xwu")], input_gradient=input_gradient
    )
    samples, columns = arrays["x"].shape[:2], shapes[1][1]
    states = (*samples, columns // 3)
    check_shapes(
        op,
        arrays,
        dy=states,
        gates=(*samples, columns),
        inner=states,
        previous=states,
        dhn=shapes[5],
    )
    names = "dx dw du db db_recurrent dh0"
    functions = activations_of(op, activations, GRU_ACTIVATIONS)
    options = {"activations": functions, "clip": limit_of(op, clip)}
    return _prepared(op, names, shapes, out, arrays, lengths, options)
