"""Errors of convolutions, each in one sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence
from op_case import Array

from gyaku import _core, ops, reference


def ones(*shape: int, dtype: Any = np.float32) -> Array:
    return np.ones(shape, dtype)


X, W, DY = ones(2, 6, 5, 4), ones(3, 3, 4, 8), ones(2, 4, 3, 8)
MISTAKES: list[Mistake] = [
    (
        ValueError,
        "conv2d: input has 4 channels, weights expect 3 (input (2, 6, 5, 4), weights (3, 3, 3, 8))",
        lambda: ops.conv2d(X, ones(3, 3, 3, 8)),
    ),
    (
        ValueError,
        "conv2d: input must have shape (samples, h, w, channels), got (6, 5, 4)",
        lambda: ops.conv2d(X[0], W),
    ),
    (
        ValueError,
        "conv2d: stride must be at least 1, got 0 (input (2, 6, 5, 4), weights (3, 3, 4, 8))",
        lambda: ops.conv2d(X, W, stride=0),
    ),
    (
        ValueError,
        "conv2d: b must have shape (8,), got (4,)",
        lambda: ops.conv2d(X, W, ones(4)),
    ),
    (
        TypeError,
        "conv2d: x must be real numbers, got dtype complex64",
        lambda: ops.conv2d(X.astype(np.complex64), W),
    ),
    (
        ValueError,
        f"conv2d: unknown activation 'rellu', known are {', '.join(reference.FORWARD)}",
        lambda: ops.conv2d(X, W, activation="rellu"),
    ),
    (
        ValueError,
        "conv2d: alpha must be at least 0, got -1.0",
        lambda: ops.conv2d(X, W, activation="elu", alpha=-1.0),
    ),
    (
        ValueError,
        "conv2d: out must have shape (2, 4, 3, 8), got (2, 3, 4, 8)",
        lambda: ops.conv2d(X, W, out=ones(2, 3, 4, 8)),
    ),
    (
        ValueError,
        "conv2d: out must not overlap x, which is read while out is written",
        lambda: ops.conv2d(X, ones(1, 1, 4, 4), out=X),
    ),
    (
        ValueError,
        (
            "conv2d_transpose: output_padding must be less than the stride or the dilation, got"
            " output_padding 1 x 1, stride 1 x 1, dilation 1 x 1 (input (2, 4, 3, 8), weights"
            " (3, 3, 4, 8))"
        ),
        lambda: ops.conv2d_transpose(DY, W, output_padding=1),
    ),
    (
        ValueError,
        "conv2d_transpose: b must have shape (4,), got (8,)",
        lambda: ops.conv2d_transpose(DY, W, ones(8)),
    ),
    (
        ValueError,
        "conv2d_backward_data: dy must have the output's shape (2, 5, 4, 8), got (2, 4, 3, 8)",
        lambda: ops.conv2d_backward_data(DY, W, (7, 6)),
    ),
    (
        ValueError,
        "conv2d_backward_data: dy must have shape (samples, h, w, channels), got (4, 3, 8)",
        lambda: ops.conv2d_backward_data(DY[0], W, (6, 5)),
    ),
    (
        ValueError,
        "conv2d_backward_data: size must be an integer or a pair of integers, got (6, 5, 4)",
        lambda: ops.conv2d_backward_data(DY, W, (6, 5, 4)),  # type: ignore[arg-type]
    ),
    (
        ValueError,
        (
            "conv2d_backward_data: weights must have 4 dimensions, those of the kernel first,"
            " got shape (3, 3, 4)"
        ),
        lambda: ops.conv2d_backward_data(DY, W[..., 0], (6, 5)),
    ),
    (
        ValueError,
        "conv2d_backward_weights: groups must be at least 1, got 0",
        lambda: ops.conv2d_backward_weights(DY, X, 3, groups=0),
    ),
    (
        ValueError,
        (
            "conv2d_backward_weights: channels (4) must be divisible by groups (3)"
            " (input (2, 6, 5, 4), weights (3, 3, 1, 8))"
        ),
        lambda: ops.conv2d_backward_weights(DY, X, 3, groups=3),
    ),
    (
        ValueError,
        "conv2d_backward_weights: dy must have the output's shape (2, 5, 4, 8), got (2, 4, 3, 8)",
        lambda: ops.conv2d_backward_weights(DY, X, 2),
    ),
    (
        ValueError,
        "conv2d_backward_weights: dw must have shape (3, 3, 4, 8), got (3, 3, 4, 7)",
        lambda: ops.conv2d_backward_weights(DY, X, 3, out=(ones(3, 3, 4, 7), ones(8))),
    ),
    (
        TypeError,
        "conv2d_backward_weights: db must be an array of float32, got float64",
        lambda: ops.conv2d_backward_weights(DY, X, 3, out=(None, np.ones(8))),
    ),
    (
        ValueError,
        "conv2d_backward_weights: dw and db must not overlap, both are written to",
        lambda: ops.conv2d_backward_weights(DY, X, 3, out=(W, W[0, 0, 0])),
    ),
    (
        ValueError,
        "conv2d_backward_weights: out must be a tuple (dw, db), got 1.0",
        lambda: ops.conv2d_backward_weights(DY, X, 3, out=1.0),  # type: ignore[arg-type]
    ),
    (
        ValueError,
        "conv2d_backward: dy must have the output's shape (2, 4, 3, 8), got (2, 6, 5, 4)",
        lambda: ops.conv2d_backward(X, X, W),
    ),
    (
        ValueError,
        "conv2d_transpose_backward: dy must have the output's shape (2, 6, 5, 4), got (2, 4, 3, 8)",
        lambda: ops.conv2d_transpose_backward(DY, DY, W),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)


@pytest.mark.parametrize("place", range(7))
def test_the_core_refuses_windows_that_do_not_fit_the_arrays(place: int) -> None:
    axis = [6, 3, 1, 1, 0, 0, 4]
    columns = [5, 3, 1, 1, 0, 0, 3]
    _core.conv2d(X, W, None, None, axis, columns, 1, None, None)
    axis[place] = -1
    if place != 5:  # padding after the image follows from the rest
        with pytest.raises(ValueError, match=r"^conv2d: "):
            _core.conv2d(X, W, None, None, axis, columns, 1, None, None)
