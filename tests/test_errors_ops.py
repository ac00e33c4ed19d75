"""Errors of operations: one sentence with the operation, the argument, the rule and the value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence

from gyaku import ops, reference
from gyaku.ops.activation import ACTIVATIONS

F32, F64, I64 = np.float32, np.float64, np.int64
ONES = np.ones((2, 3), F32)
HUGE = 2**40


def zeros(*shape: int, dtype: Any = F32) -> Any:
    return np.zeros(shape, dtype)


def frozen(x: Any) -> Any:
    x.flags.writeable = False
    return x


MISTAKES: list[Mistake] = [
    # dtypes
    (TypeError, "relu: x must be real numbers, got dtype complex128", lambda: ops.relu([1j])),
    (
        TypeError,
        "relu: x must be real numbers, got dtype object",
        lambda: ops.relu(np.array([None])),
    ),
    (TypeError, "relu: x must be real numbers, got dtype <U1", lambda: ops.relu("x")),
    (
        TypeError,
        "relu: x must be real numbers, got dtype [('a', '<f4')]",
        lambda: ops.relu(np.zeros(2, [("a", F32)])),
    ),
    (
        TypeError,
        "relu: x must not be masked; fill it first, as in x.filled(0)",
        lambda: ops.relu(np.ma.masked_array([1.0, 2.0], [True, False])),
    ),
    (
        ValueError,
        "relu: x must be a regular array, its rows differ in length",
        lambda: ops.relu([[1.0], [1.0, 2.0]]),
    ),
    (
        TypeError,
        "matmul: bias must be real numbers, got dtype complex64",
        lambda: ops.matmul(ONES, ONES.T, bias=np.ones(2, np.complex64)),
    ),
    # activations
    (
        ValueError,
        "sigmoid_backward: dy and saved must have the same shape, got (2,) and (3,)",
        lambda: ops.sigmoid_backward(zeros(2), zeros(3)),
    ),
    (
        ValueError,
        "elu_backward: alpha must be at least 0, got nan",
        lambda: ops.elu_backward(ONES, ONES, alpha=float("nan")),
    ),
    # matrix products
    (
        ValueError,
        "matmul: a must have two dimensions, got shape (3,)",
        lambda: ops.matmul(zeros(3), ONES),
    ),
    (
        ValueError,
        "matmul: b must have two dimensions, got shape (3,)",
        lambda: ops.matmul(ONES, zeros(3)),
    ),
    (
        ValueError,
        "matmul: a of shape (2, 3) has 3 columns, b of shape (1, 2, 3) has 2 rows",
        lambda: ops.matmul(ONES, zeros(1, 2, 3)),
    ),
    (
        ValueError,
        (
            "matmul: the axes before the matrices must be broadcast, got a of shape (2, 1, 3) and b"
            " of shape (3, 3, 4)"
        ),
        lambda: ops.matmul(zeros(2, 1, 3), zeros(3, 3, 4)),
    ),
    (
        ValueError,
        "softmax: axis must be below 2, the number of axes, got 2",
        lambda: ops.softmax(ONES, axis=2),
    ),
    (
        ValueError,
        "log_softmax_backward: axis must be at least -2, got -3",
        lambda: ops.log_softmax_backward(ONES, ONES, axis=-3),
    ),
    (TypeError, "softmax: axis must be an integer, got 0.5", lambda: ops.softmax(ONES, axis=0.5)),
    (ValueError, "selu: gamma must be positive, got 0", lambda: ops.selu(ONES, gamma=0)),
    (
        ValueError,
        "softplus_backward: beta must be positive, got -1.0",
        lambda: ops.softplus_backward(ONES, ONES, beta=-1.0),
    ),
    (
        TypeError,
        "hard_sigmoid: alpha must be a number, got 'a'",
        lambda: ops.hard_sigmoid(ONES, alpha="a"),
    ),
    (
        ValueError,
        "broadcast_to: x of shape (2, 3) is not broadcast to shape (3, 2)",
        lambda: ops.broadcast_to(ONES, (3, 2)),
    ),
    (
        ValueError,
        "sum_to: shape (2,) is not broadcast to (2, 3), that of x",
        lambda: ops.sum_to(ONES, (2,)),
    ),
    (
        ValueError,
        "matmul: a of shape (2, 3) has 3 columns, b of shape (2, 3) has 2 rows",
        lambda: ops.matmul(ONES, ONES),
    ),
    (
        ValueError,
        "matmul: a of shape (2, 3) transposed has 2 columns, b of shape (3, 1) has 3 rows",
        lambda: ops.matmul(ONES, zeros(3, 1), transpose_a=True),
    ),
    (
        ValueError,
        "matmul: bias must have shape (2,), or one that is broadcast to (2, 2), got (3,)",
        lambda: ops.matmul(ONES, ONES.T, bias=zeros(3)),
    ),
    (
        ValueError,
        f"matmul: unknown activation 'rellu', known are {', '.join(reference.FORWARD)}",
        lambda: ops.matmul(ONES, ONES.T, activation="rellu"),
    ),
    (
        ValueError,
        "matmul: alpha must be at least 0, got -1.0",
        lambda: ops.matmul(ONES, ONES.T, activation="elu", alpha=-1.0),
    ),
    (
        TypeError,
        "matmul: out must be an array of float32, got float64",
        lambda: ops.matmul(ONES, ONES.T, out=zeros(2, 2, dtype=F64)),
    ),
    (
        TypeError,
        "matmul: out must be an array of float32, got list",
        lambda: ops.matmul(ONES, ONES.T, out=[[0.0]]),  # type: ignore[arg-type]
    ),
    (
        ValueError,
        "matmul: out must have shape (2, 2), got (2, 3)",
        lambda: ops.matmul(ONES, ONES.T, out=zeros(2, 3)),
    ),
    (
        ValueError,
        "matmul: out must be C-contiguous and aligned, it is used in place",
        lambda: ops.matmul(ONES, ONES.T, out=zeros(2, 4)[:, ::2]),
    ),
    (
        ValueError,
        "matmul: out must be writeable, it is updated in place",
        lambda: ops.matmul(ONES, ONES.T, out=frozen(zeros(2, 2))),
    ),
    (
        ValueError,
        "sum_rows: x must have two dimensions, got shape ()",
        lambda: ops.sum_rows(1.0),
    ),
    (
        ValueError,
        "sum_rows: out must have shape (3,), got (2,)",
        lambda: ops.sum_rows(ONES, out=zeros(2)),
    ),
    # sizes beyond 64 bits
    (
        ValueError,
        f"matmul: an array of shape ({HUGE}, {HUGE}) and dtype float32 is beyond 2^63 bytes",
        lambda: ops.matmul(zeros(HUGE, 0), zeros(0, HUGE)),
    ),
    (
        ValueError,
        f"relu: an array of shape ({2**30}, {2**30}, 2) and dtype float32 is beyond 2^63 bytes",
        lambda: ops.relu(np.broadcast_to(np.int8(1), (2**30, 2**30, 2))),
    ),
    (
        MemoryError,
        f"matmul: there is no memory for an array of shape ({2**31}, {2**20}) and dtype float32",
        lambda: ops.matmul(zeros(2**31, 0), zeros(0, 2**20)),
    ),
    # softmax
    (
        ValueError,
        "softmax: x must have at least one dimension, got a single number",
        lambda: ops.softmax(1.0),
    ),
    (
        ValueError,
        "log_softmax_backward: dy and y must have the same shape, got (2,) and (3,)",
        lambda: ops.log_softmax_backward(zeros(2), zeros(3)),
    ),
    # losses
    (
        ValueError,
        "softmax_cross_entropy: target in row 1 is label 3, with 3 classes it must be 0 to 2",
        lambda: ops.softmax_cross_entropy(ONES, [0, 3]),
    ),
    (
        ValueError,
        "cross_entropy: target in row 0 is label -1, with 3 classes it must be 0 to 2",
        lambda: ops.cross_entropy(ONES, np.array([-1, 7], np.int8)),
    ),
    (
        ValueError,
        "softmax_cross_entropy: target must be 2 labels, got 3",
        lambda: ops.softmax_cross_entropy(ONES, [0, 1, 2]),
    ),
    (
        ValueError,
        "cross_entropy: target must be 2 labels or an array of shape (2, 3), got shape (3, 2)",
        lambda: ops.cross_entropy(ONES, zeros(3, 2)),
    ),
    (
        TypeError,
        "softmax_cross_entropy: target must be integer labels, got float64 labels",
        lambda: ops.softmax_cross_entropy(ONES, [0.0, 1.0]),
    ),
    (
        TypeError,
        "softmax_cross_entropy: target must be real numbers, got dtype <U3",
        lambda: ops.softmax_cross_entropy(ONES, ["cat", "dog"]),
    ),
    (
        ValueError,
        "softmax_cross_entropy: logits must have two or more dimensions, got shape (3,)",
        lambda: ops.softmax_cross_entropy(zeros(3), [0]),
    ),
    (
        ValueError,
        "softmax_cross_entropy: label_smoothing must be 0 to 1, got 1.5",
        lambda: ops.softmax_cross_entropy(ONES, [0, 1], label_smoothing=1.5),
    ),
    (
        ValueError,
        'softmax_cross_entropy: reduction must be "mean" or "sum", got \'max\'',
        lambda: ops.softmax_cross_entropy(ONES, [0, 1], reduction="max"),
    ),
    (
        ValueError,
        "softmax_cross_entropy: the batch is empty, a loss needs at least one sample",
        lambda: ops.softmax_cross_entropy(zeros(0, 3), zeros(0, dtype=I64)),
    ),
    (
        ValueError,
        "cross_entropy: delta must be above 0, got 0.0",
        lambda: ops.cross_entropy(ONES, [0, 1], delta=0.0),
    ),
    (
        ValueError,
        "huber: delta must be above 0, got -1.0",
        lambda: ops.huber(ONES, ONES, delta=-1.0),
    ),
    (
        ValueError,
        "binary_cross_entropy: p and t must have the same shape, got (2, 3) and (2,)",
        lambda: ops.binary_cross_entropy(ONES, zeros(2)),
    ),
    (
        ValueError,
        "sum_squared_error: y and t must have the same shape, got (2, 3) and (3, 2)",
        lambda: ops.sum_squared_error(ONES, ONES.T),
    ),
    (
        ValueError,
        "mean_squared_error: y must have at least one dimension, got a single number",
        lambda: ops.mean_squared_error(1.0, 2.0),
    ),
    (
        ValueError,
        "mean_squared_error: the batch is empty, a loss needs at least one sample",
        lambda: ops.mean_squared_error(zeros(0, 3), zeros(0, 3), reduction="sum"),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)


def test_out_must_not_overlap_an_input() -> None:
    square = np.ones((3, 3), F32)
    for a, b, name in ((square, np.ones((3, 3), F32), "a"), (np.ones((3, 3), F32), square, "b")):
        with pytest.raises(ValueError, match=f"^matmul: out must not overlap {name}, "):
            ops.matmul(a, b, out=square)
    flat = np.ones(12, F32)
    with pytest.raises(ValueError, match=r"^sum_rows: out must not overlap x, "):
        ops.sum_rows(flat.reshape(4, 3), out=flat[3:6])
    with pytest.raises(ValueError, match=r"^matmul: out must not overlap bias, "):
        ops.matmul(zeros(1, 2), zeros(2, 3), bias=flat[:3], out=flat[:3].reshape(1, 3))


@pytest.mark.parametrize("name", [name for name, row in ACTIVATIONS.items() if row.alpha])
def test_alpha_is_refused_out_of_its_range(name: str) -> None:
    row = ACTIVATIONS[name]
    least, wrong = ("positive", 0.0) if row.positive else ("at least 0", -0.1)
    if row.negative:
        least, wrong = "finite", float("inf")
    for op, call in {
        name: lambda: getattr(ops, name)(ONES, alpha=wrong),
        f"{name}_backward": lambda: getattr(ops, f"{name}_backward")(ONES, ONES, alpha=wrong),
        "matmul": lambda: ops.matmul(ONES, ONES.T, activation=name, alpha=wrong),
    }.items():
        with pytest.raises(ValueError, match=f"^{op}: alpha must be {least}, got {wrong}$"):
            call()
