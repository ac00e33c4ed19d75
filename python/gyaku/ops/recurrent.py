"""Recurrent layers over all steps of their sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.checks import number
from gyaku.ops.arrays import check_shape, floats, lengths_of
from gyaku.ops.gemm import matmul
from gyaku.ops.op import in_numpy, operation, prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

    Arrays = dict[str, Any]  # arrays and None
    Results = tuple[NDArray[Any], ...]

__all__ = ["gru", "lstm", "simple_rnn"]

ACTIVATIONS = (
    *("sigmoid", "tanh", "relu", "identity", "leaky_relu", "elu", "selu", "hard_sigmoid"),
    "softsign",
)
"""Activation functions of recurrent layers: those whose gradient follows from their output."""
RNN_ACTIVATIONS = "tanh", "relu"
LSTM_ACTIVATIONS, GRU_ACTIVATIONS = ("sigmoid", "tanh", "tanh"), ("sigmoid", "tanh")
"""Those that the kernels have."""


def recurrent_flops(gates: int, element: int) -> Callable[[Shapes, Shapes], int]:
    """Return the count of FLOPs of a recurrent layer, forward and without a bias.

    Parameters
    ----------
    gates : int
        Number of gates: the sums of a unit.
    element : int
        Operations for one unit and step beside the two products, an elementary function as one.

    Returns
    -------
    callable
        The FLOPs, from input and output shapes.
    """

    def flops(inputs: Shapes, outputs: Shapes) -> int:
        del outputs
        (n, time, features), w, u = inputs[:3]
        units, states = w[1] // gates, u[0]
        projection = 2 * units * states if states != units else 0
        return n * time * (2 * (features + states) * w[1] + element * units + projection)

    return flops


def step_terms(inputs: Shapes, outputs: Shapes) -> int:
    """Return the length of the longest sum in a step: over the features and the states.

    Parameters
    ----------
    inputs : sequence of tuple of int
        Shapes of the inputs; x, w and u are the first three.
    outputs : sequence of tuple of int
        Shapes of the outputs.

    Returns
    -------
    int
        Number of terms.
    """
    del outputs
    (_, _, features), _, u = inputs[:3]
    return features + u[0] + 1


def sequences(op: str, count: int, /, **arguments: ArrayLike | None) -> Arrays:
    """Return the float arguments of a recurrent layer, of one dtype, if x, w and u match.

    Parameters
    ----------
    op : str
        Operation, for errors.
    count : int
        Number k of gates: the sums of a unit.
    **arguments : array_like or None
        Arguments by name: x of shape (n, t, f), w of shape (f, k h), and u of shape (h, k h), or
        of shape (p, k h) with a projection of shape (h, p).

    Returns
    -------
    dict
        Arrays by name; None stays.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not match, or the sequences are empty.
    """
    given = {name: x for name, x in arguments.items() if x is not None}
    arrays = dict.fromkeys(arguments) | dict(zip(given, floats(op, **given), strict=True))
    x, w, u = arrays["x"], arrays["w"], arrays["u"]
    if x.ndim != 3:
        raise ValueError(f"{op}: x must have shape (samples, time, features), got {x.shape}")
    if not x.shape[1]:
        raise ValueError(f"{op}: x must have at least one time step, got shape {x.shape}")
    columns = w.shape[-1] if w.ndim else 0
    if w.ndim != 2 or w.shape[0] != x.shape[2] or not columns or columns % count:
        many = f"{count} * units" if count > 1 else "units"
        raise ValueError(f"{op}: w must have shape ({x.shape[2]}, {many}), got {w.shape}")
    projection, units = arrays.get("projection"), columns // count
    if projection is not None and (projection.ndim != 2 or projection.shape[0] != units):
        raise ValueError(
            f"{op}: projection must have shape ({units}, outputs), got {projection.shape}"
        )
    check_shape(op, "u", u, (units if projection is None else projection.shape[1], columns))
    return arrays


def check_shapes(op: str, arrays: Arrays, **shapes: Shape) -> None:
    """Raise if an argument that is given does not have the required shape.

    Parameters
    ----------
    op : str
        Operation, for the error.
    arrays : dict
        Arguments by name; None is not given.
    **shapes : tuple of int
        Required shapes by name.

    Raises
    ------
    ValueError
        If a shape differs.
    """
    for name, shape in shapes.items():
        array = arrays[name]
        if array is not None:
            check_shape(op, name, array, shape)


def or_in_numpy(
    op: str, native: Callable[..., Results], kernels: Sequence[object]
) -> Callable[..., Results]:
    """Return the native function of a layer, in NumPy for options that the kernels do not have.

    Parameters
    ----------
    op : str
        Name of the operation.
    native : callable
        Its native function, without the arguments ``activations`` and ``clip``.
    kernels : sequence of object
        Values of ``activations``, or of ``activation``, that the kernels have.

    Returns
    -------
    callable
        The function: without a limit and with these activation functions the native one, otherwise
        the equation, which each replay evaluates again.
    """
    equation: Callable[..., Results] = in_numpy(op)

    def run(**arguments: Any) -> Results:
        functions = arguments.get("activations") or arguments["activation"]
        if arguments["clip"] is not None or functions not in kernels:
            return equation(**arguments)
        left = {"clip", "activations"}
        return native(**{key: each for key, each in arguments.items() if key not in left})

    return run


def _sums(x: NDArray[Any], w: NDArray[Any], b: NDArray[Any] | None) -> NDArray[Any]:
    """Return x w + b, which the kernel overwrites by the gates.

    The bits of a row do not depend on the number of rows, so that a sequence may come in pieces.
    """
    n, time, features = x.shape
    sums = matmul(x.reshape(n * time, features), w, bias=b, independent_rows=True)
    return sums.reshape(n, time, w.shape[1])


def _simple_rnn(
    x: Any, w: Any, u: Any, b: Any, h0: Any, *, activation: str, lengths: Any, reverse: bool
) -> Results:
    y, hn, _, _, _, previous = _core.recurrent(
        activation, _sums(x, w, b), u, None, h0, None, None, None, lengths, reverse
    )
    return y, hn, previous


def _lstm(
    x: Any,
    w: Any,
    u: Any,
    b: Any,
    h0: Any,
    c0: Any,
    *,
    peepholes: Any,
    projection: Any,
    lengths: Any,
    reverse: bool,
) -> Results:
    gates = _sums(x, w, b)
    y, hn, cn, cells, _, previous = _core.recurrent(
        "lstm", gates, u, None, h0, c0, peepholes, projection, lengths, reverse
    )
    return y, hn, cn, gates, cells, previous


def _gru(
    x: Any,
    w: Any,
    u: Any,
    b: Any,
    b_recurrent: Any,
    h0: Any,
    *,
    reset_after: bool,
    lengths: Any,
    reverse: bool,
) -> Results:
    gates, cell = _sums(x, w, b), "gru" if reset_after else "reset_gru"
    y, hn, _, _, inner, previous = _core.recurrent(
        cell, gates, u, b_recurrent, h0, None, None, None, lengths, reverse
    )
    return y, hn, gates, inner, previous


def _simple_shapes(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    (n, time, _), w, _, *_ = shapes
    return (n, time, w[1]), (n, w[1]), (n, time, w[1])


@operation(
    or_in_numpy("simple_rnn", _simple_rnn, RNN_ACTIVATIONS),
    check_first=True,
    kernel="recurrent",
    inputs="x w u b h0",
    outputs="y hn previous",
    shapes=_simple_shapes,
    flops=recurrent_flops(1, 2),
    saves="output",
    gradient="simple_rnn_backward",
    roundings=5,
    terms=step_terms,
)
def simple_rnn(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    activation: str = "tanh",
    clip: float | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
) -> Results:
    """Run a simple recurrent layer over sequences.

    Parameters
    ----------
    x : array_like
        Sequences of shape (n, t, f).
    w : array_like
        Input weights, of shape (f, h).
    u : array_like
        Recurrent weights, of shape (h, h).
    b : array_like or None, optional
        Bias, of shape (h,).
    h0 : array_like or None, optional
        States before the first step, of shape (n, h); None is zeros.
    activation : str, default "tanh"
        The activation function f. NumPy computes the layer for any but "tanh" and "relu":
        "sigmoid", "identity", "leaky_relu", "elu", "selu", "hard_sigmoid" or "softsign".
    clip : float or None, optional
        Limit c of the argument of f, to -c to c; with one, NumPy computes the layer.
    lengths : array_like of int or None, optional
        Length of each sequence, 1 to t, of shape (n,); None is t. Steps beyond it are padding:
        they change no state, and the output there is zero.
    reverse : bool, default False
        Whether to run from the end of each sequence to its start. The output for x_t is still at t.

    Returns
    -------
    y : ndarray
        State after each step, of shape (n, t, h).
    hn : ndarray
        State after the last step of each sequence, of shape (n, h).
    previous : ndarray
        State before each step, of shape (n, t, h), for `simple_rnn_backward`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or lengths are no integers.
    ValueError
        If shapes do not match, a length or the limit is out of range, or the activation is unknown.

    Notes
    -----
    y_t = h_t = f(x_t w + b + h_{t-1} u). J. Elman, "Finding structure in time", Cognitive Science
    14, 1990.

    Examples
    --------
    >>> from gyaku import ops
    >>> x, w, u = [[[1.0], [0.0], [2.0]]], [[1.0]], [[0.5]]
    >>> y, hn, previous = ops.simple_rnn(x, w, u, activation="relu")
    >>> y.ravel(), hn.ravel(), previous.ravel()
    (array([1.  , 0.5 , 2.25]), array([2.25]), array([0. , 1. , 0.5]))
    """
    op = "simple_rnn"
    arrays = sequences(op, 1, x=x, w=w, u=u, b=b, h0=h0)
    n, time, units = _simple_shapes([np.shape(arrays[each]) for each in "xwu"])[0]
    check_shapes(op, arrays, b=(units,), h0=(n, units))
    check_activations(op, activation=(activation,))
    return prepared(clip=limit_of(op, clip), **arrays, lengths=lengths_of(op, lengths, n, time))


def check_activations(op: str, **given: tuple[str, ...]) -> None:
    """Raise if a recurrent layer cannot have some activation functions.

    Parameters
    ----------
    op : str
        Operation, for the error.
    **given : tuple of str
        The names, by argument.

    Raises
    ------
    ValueError
        If one is unknown, or its gradient does not follow from its output.
    """
    for argument, names in given.items():
        for name in names:
            if name not in ACTIVATIONS:
                raise ValueError(
                    f"{op}: {argument} must be among {', '.join(ACTIVATIONS)}, got {name!r}"
                )


def activations_of(op: str, given: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
    """Return the activation functions of a layer with gates as a tuple.

    Parameters
    ----------
    op : str
        Operation or layer, for the error.
    given : sequence of str
        The names.
    default : tuple of str
        The usual ones.

    Returns
    -------
    tuple of str
        The names.

    Raises
    ------
    TypeError
        If they are no sequence.
    ValueError
        If there are too many or too few, or one is unknown.
    """
    wrong = not isinstance(given, tuple | list)
    if wrong or len(given) != len(default):
        raise (TypeError if wrong else ValueError)(
            f"{op}: activations must be {len(default)} names, such as {default}, got {given!r}"
        )
    check_activations(op, activations=tuple(given))
    return tuple(given)


def limit_of(op: str, clip: float | None) -> float | None:
    """Return the limit of the arguments of activation functions, if there is one.

    Parameters
    ----------
    op : str
        Operation or layer, for the error.
    clip : float or None
        The limit.

    Returns
    -------
    float or None
        The limit.

    Raises
    ------
    TypeError
        If it is no real number.
    ValueError
        If it is not positive and finite.
    """
    return None if clip is None else number(op, "clip", clip, above=0)


def _lstm_shapes(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    (n, time, _), w, u, *_ = shapes
    units, outputs = w[1] // 4, u[0]
    states, cells = (n, time, outputs), (n, time, units)
    return states, (n, outputs), (n, units), (n, time, 4 * units), cells, states


@operation(
    or_in_numpy("lstm", _lstm, [LSTM_ACTIVATIONS]),
    check_first=True,
    kernel="recurrent",
    inputs="x w u b h0 c0",
    outputs="y hn cn gates cells previous",
    shapes=_lstm_shapes,
    flops=recurrent_flops(4, 13),
    saves="output",
    gradient="lstm_backward",
    roundings=12,
    terms=step_terms,
)
def lstm(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    c0: ArrayLike | None = None,
    *,
    peepholes: ArrayLike | None = None,
    projection: ArrayLike | None = None,
    activations: Sequence[str] = LSTM_ACTIVATIONS,
    clip: float | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
) -> Results:
    """Run a layer of long short-term memory over sequences.

    Parameters
    ----------
    x : array_like
        Sequences of shape (n, t, f).
    w : array_like
        Input weights, of shape (f, 4h): the gates i, f, g, o side by side.
    u : array_like
        Recurrent weights, of shape (h, 4h), or (p, 4h) with a projection.
    b : array_like or None, optional
        Bias, of shape (4h,).
    h0 : array_like or None, optional
        States before the first step, of shape (n, h), or (n, p); None is zeros.
    c0 : array_like or None, optional
        Cells before the first step, of shape (n, h); None is zeros.
    peepholes : array_like or None, optional
        Weights of the cell in its gates i, f and o, of shape (3, h).
    projection : array_like or None, optional
        Weights of shape (h, p) that make a state of p elements.
    activations : sequence of str, optional
        Activation functions of the gates i, f and o, of g, and of the cell, among those of
        `simple_rnn`; NumPy computes the layer for any but the default.
    clip : float or None, optional
        Limit c of the arguments of the gates and of g, to -c to c; with one, NumPy computes the
        layer.
    lengths : array_like of int or None, optional
        Length of each sequence, 1 to t, of shape (n,); None is t. Steps beyond it are padding:
        they change no state, and the output there is zero.
    reverse : bool, default False
        Whether to run from the end of each sequence to its start. The output for x_t is still at t.

    Returns
    -------
    y : ndarray
        State after each step, of shape (n, t, h), or (n, t, p).
    hn : ndarray
        State after the last step of each sequence, of shape (n, h), or (n, p).
    cn : ndarray
        Cell after the last step of each sequence, of shape (n, h).
    gates : ndarray
        Values of the gates i, f, g, o, of shape (n, t, 4h), for `lstm_backward`.
    cells : ndarray
        Cell after each step, of shape (n, t, h), for `lstm_backward`.
    previous : ndarray
        State before each step, of the shape of y, for `lstm_backward`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or lengths are no integers.
    ValueError
        If shapes do not match, a length or the limit is out of range, or an activation is unknown.

    Notes
    -----
    With the columns of w, u and b for each gate, and peepholes p_i, p_f and p_o if they are given:

    i = σ(x_t w_i + b_i + h_{t-1} u_i + p_i c_{t-1}), f = σ(x_t w_f + b_f + h_{t-1} u_f +
    p_f c_{t-1}), g = tanh(x_t w_g + b_g + h_{t-1} u_g), c_t = f c_{t-1} + i g,
    o = σ(x_t w_o + b_o + h_{t-1} u_o + p_o c_t), y_t = h_t = o tanh(c_t), times the projection if
    there is one.

    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; F. Gers
    and others, "Learning to forget", 2000 (the gate f), and "Learning precise timing with LSTM
    recurrent networks", 2002 (peepholes); H. Sak and others, "Long short-term memory recurrent
    neural network architectures for large scale acoustic modeling", 2014 (the projection).

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x, w, u = np.ones((1, 2, 1)), np.zeros((1, 4)), np.zeros((1, 4))
    >>> y, hn, cn, gates, cells, previous = ops.lstm(x, w, u, c0=[[1.0]])
    >>> cells.ravel(), cn.ravel()  # a gate of 1/2 forgets half of the cell in each step
    (array([0.5 , 0.25]), array([0.25]))
    """
    op = "lstm"
    arrays = sequences(
        op, 4, x=x, w=w, u=u, b=b, h0=h0, c0=c0, peepholes=peepholes, projection=projection
    )
    _, states, cells, (n, time, columns), *_ = _lstm_shapes(
        [np.shape(arrays[each]) for each in "xwu"]
    )
    check_shapes(op, arrays, b=(columns,), h0=states, c0=cells, peepholes=(3, columns // 4))
    return prepared(
        **arrays,
        activations=activations_of(op, activations, LSTM_ACTIVATIONS),
        clip=limit_of(op, clip),
        lengths=lengths_of(op, lengths, n, time),
    )


def _gru_shapes(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    (n, time, _), w, u, *_ = shapes
    states = (n, time, u[0])
    return states, (n, u[0]), (n, time, w[1]), states, states


@operation(
    or_in_numpy("gru", _gru, [GRU_ACTIVATIONS]),
    check_first=True,
    kernel="recurrent",
    inputs="x w u b b_recurrent h0",
    outputs="y hn gates inner previous",
    shapes=_gru_shapes,
    flops=recurrent_flops(3, 11),
    saves="output",
    gradient="gru_backward",
    roundings=12,
    terms=step_terms,
)
def gru(
    x: ArrayLike,
    w: ArrayLike,
    u: ArrayLike,
    b: ArrayLike | None = None,
    b_recurrent: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    *,
    reset_after: bool = True,
    activations: Sequence[str] = GRU_ACTIVATIONS,
    clip: float | None = None,
    lengths: ArrayLike | None = None,
    reverse: bool = False,
) -> Results:
    """Run a layer of gated recurrent units over sequences.

    Parameters
    ----------
    x : array_like
        Sequences of shape (n, t, f).
    w : array_like
        Input weights, of shape (f, 3h): the gates r, z, n side by side.
    u : array_like
        Recurrent weights, of shape (h, 3h).
    b : array_like or None, optional
        Bias, of shape (3h,).
    b_recurrent : array_like or None, optional
        Bias of the recurrent product, of shape (3h,); only with reset_after.
    h0 : array_like or None, optional
        States before the first step, of shape (n, h); None is zeros.
    reset_after : bool, default True
        Whether the gate r acts after the recurrent product of n, as in PyTorch and cuDNN, or on the
        state before it, as in the paper.
    activations : sequence of str, optional
        Activation functions of the gates r and z, and of n, among those of `simple_rnn`; NumPy
        computes the layer for any but the default.
    clip : float or None, optional
        Limit c of the arguments of the gates and of n, to -c to c; with one, NumPy computes the
        layer.
    lengths : array_like of int or None, optional
        Length of each sequence, 1 to t, of shape (n,); None is t. Steps beyond it are padding:
        they change no state, and the output there is zero.
    reverse : bool, default False
        Whether to run from the end of each sequence to its start. The output for x_t is still at t.

    Returns
    -------
    y : ndarray
        State after each step, of shape (n, t, h).
    hn : ndarray
        State after the last step of each sequence, of shape (n, h).
    gates : ndarray
        Values of the gates r, z, n, of shape (n, t, 3h), for `gru_backward`.
    inner : ndarray
        Factor of r in each step, or its product with the state, of shape (n, t, h), for
        `gru_backward`.
    previous : ndarray
        State before each step, of shape (n, t, h), for `gru_backward`.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or lengths are no integers.
    ValueError
        If shapes do not match, a length or the limit is out of range, an activation is unknown, or
        there is a recurrent bias although reset_after is false.

    Notes
    -----
    With the columns of w, u, b and b' = b_recurrent for each gate:

    r = σ(x_t w_r + b_r + h_{t-1} u_r + b'_r), z = σ(x_t w_z + b_z + h_{t-1} u_z + b'_z),
    n = tanh(x_t w_n + b_n + r (h_{t-1} u_n + b'_n)), or tanh(x_t w_n + b_n + (r h_{t-1}) u_n) with
    the reset gate before the product, y_t = h_t = (1 - z) n + z h_{t-1}.

    The result `inner` is h_{t-1} u_n + b'_n, or r h_{t-1}. K. Cho and others, "Learning phrase
    representations using RNN encoder-decoder", EMNLP 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> x, w, u = np.ones((1, 2, 1)), np.zeros((1, 3)), np.zeros((1, 3))
    >>> y, hn, gates, inner, previous = ops.gru(x, w, u, h0=[[1.0]])
    >>> y.ravel(), hn.ravel()  # a gate of 1/2 keeps half of the state in each step
    (array([0.5 , 0.25]), array([0.25]))
    """
    op = "gru"
    arrays = sequences(op, 3, x=x, w=w, u=u, b=b, b_recurrent=b_recurrent, h0=h0)
    _, states, (n, time, columns), *_ = _gru_shapes([np.shape(arrays[each]) for each in "xwu"])
    if b_recurrent is not None and not reset_after:
        raise ValueError(f"{op}: b_recurrent must be None without reset_after, it adds to b")
    check_shapes(op, arrays, b=(columns,), b_recurrent=(columns,), h0=states)
    return prepared(
        **arrays,
        activations=activations_of(op, activations, GRU_ACTIVATIONS),
        clip=limit_of(op, clip),
        lengths=lengths_of(op, lengths, n, time),
    )
