"""What students do wrong with images: one sentence with the layer's name and both shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk

HUGE = 2**21  # images of HUGE x HUGE pixels and HUGE channels have 2^63 numbers
SHAPE = f"({HUGE}, {HUGE}, {HUGE})"
BEYOND = "would be beyond 2^63 bytes"


class Scale(gk.Layer):
    """Neither a shape of its own nor `build`."""

    def forward(self, x):
        return x


class Matrix(gk.Layer):
    def __init__(self, *shape):
        self.shape = shape

    def build(self, input_shape):
        self.add_param("w", self.shape)
        return input_shape


def built(*shape: int) -> Callable[..., None]:
    return lambda *layers: gk.Sequential(*layers).build(shape)


def joined() -> None:
    a, b = gk.Input((2**59,)), gk.Input((2**59,))
    gk.Model([a, b], gk.Concatenate()(a, b)).build()


BUILDS: list[tuple[type[Exception], Callable[[], object], str]] = [
    # sizes beyond 64 bits
    (
        ValueError,
        lambda: built(HUGE, HUGE, HUGE)(gk.Flatten()),
        f"Flatten 'flatten': the output of shape ({2**63},) {BEYOND} (input {SHAPE})",
    ),
    *(
        (
            ValueError,
            lambda make=make: built(HUGE, HUGE, HUGE)(make()),
            f"{name}: the output of shape {SHAPE} {BEYOND} (input {SHAPE})",
        )
        for make, name in [
            (gk.BatchNorm, "BatchNorm 'batch_norm'"),
            (gk.LayerNorm, "LayerNorm 'layer_norm'"),
            (gk.ReLU, "ReLU 'relu'"),
            (gk.Softmax, "Softmax 'softmax'"),
            (lambda: gk.Dropout(0.5, name="drop"), "Dropout 'drop'"),
            (lambda: gk.Residual(gk.ReLU()), "ReLU 'residual.relu'"),
        ]
    ),
    (
        ValueError,
        lambda: built(HUGE, HUGE, HUGE)(gk.MaxPool2D(2)),
        (
            f"MaxPool2D 'max_pool2d': the output of shape (1, {HUGE // 2}, {HUGE // 2}, {HUGE})"
            f" {BEYOND} (input (1, {HUGE}, {HUGE}, {HUGE}), kernel_size (2, 2))"
        ),
    ),
    (
        ValueError,
        lambda: built(HUGE, HUGE, HUGE)(gk.AvgPool2D(2**9, name="pool")),
        f"AvgPool2D 'pool': the input of shape {SHAPE} {BEYOND} (output (4096, 4096, {HUGE}))",
    ),
    (
        ValueError,
        lambda: built(2**15, 2**15, 2**40)(gk.GlobalAvgPool2D()),
        (
            "GlobalAvgPool2D 'global_avg_pool2d': the input of shape (32768, 32768, 1099511627776)"
            f" {BEYOND} (output (1099511627776,))"
        ),
    ),
    (
        ValueError,
        lambda: built(HUGE, HUGE, HUGE)(Scale()),
        f"Scale 'scale': the input of shape {SHAPE} {BEYOND} (which build passes through forward)",
    ),
    (
        ValueError,
        joined,
        (
            f"Concatenate 'concatenate': the output of shape ({2**60},) {BEYOND}"
            f" (input ({2**59},) and ({2**59},))"
        ),
    ),
    # parameters
    (
        ValueError,
        lambda: built(2**60)(gk.BatchNorm()),
        (
            f"BatchNorm 'batch_norm': the parameter 'gamma' of shape ({2**60},) {BEYOND}"
            f" (input ({2**60},))"
        ),
    ),
    (
        ValueError,
        lambda: built(4)(gk.Dense(2**70)),
        f"Dense 'dense': the parameter 'weight' of shape (4, {2**70}) {BEYOND} (input (4,))",
    ),
    (
        ValueError,
        lambda: built(3)(Matrix(2**40, 2**40)),
        f"Matrix 'matrix': the parameter 'w' of shape ({2**40}, {2**40}) {BEYOND} (input (3,))",
    ),
    (
        MemoryError,
        lambda: built(2**31)(gk.Dense(2**20)),
        (
            "Dense 'dense': there is no memory for the parameter 'weight' of shape"
            f" ({2**31}, {2**20}) (input ({2**31},))"
        ),
    ),
    (
        ValueError,
        lambda: built(28, 28, 1)(gk.Conv2D(2**45, 3)),
        (
            f"Conv2D 'conv2d': filters must be below 2^31, got {2**45} (input (1, 28, 28, 1),"
            f" weights (3, 3, 1, {2**45}))"
        ),
    ),
    (
        ValueError,
        lambda: built(28, 28, 1)(gk.Conv2D(2**60, 3)),
        f"Conv2D 'conv2d': weights of shape (3, 3, 1, {2**60}) {BEYOND} (input (1, 28, 28, 1))",
    ),
    # numbers that kernels cannot count with
    (
        ValueError,
        lambda: gk.Conv2D(2, 3, stride=2**40, name="c1"),
        f"Conv2D 'c1': stride must be below 2^31, got {2**40}",
    ),
    (
        ValueError,
        lambda: gk.Conv2D(2, 3, padding=((0, 0), (0, 2**31))),
        f"Conv2D: padding must be below 2^31, got ((0, 0), (0, {2**31}))",
    ),
    (
        ValueError,
        lambda: gk.MaxPool2D(2, dilation=2**31),
        f"MaxPool2D: dilation must be below 2^31, got {2**31}",
    ),
    (
        ValueError,
        lambda: built(28, 28, 1)(gk.Conv2D(2, 3, stride=2**30)),
        (
            "Conv2D 'conv2d': the padded image, stride and dilation must be below 2^29 on each"
            f" side, got 28 x 28, {2**30} x {2**30} and 1 x 1 (input (1, 28, 28, 1), weights"
            " (3, 3, 1, 2))"
        ),
    ),
    # layers in the wrong order or for other samples
    (
        ValueError,
        lambda: built(9, 9, 3)(gk.Flatten(), gk.Conv2D(2, 3)),
        (
            "Conv2D 'conv2d': samples must have the shape (height, width, channels), got (243,);"
            " Reshape makes images of rows"
        ),
    ),
    (
        ValueError,
        lambda: built(9, 9, 3)(gk.Conv1D(2, 3)),
        (
            "Conv1D 'conv1d': samples must have the shape (time, channels), got (9, 9, 3); layers"
            " whose names end in 2D take images"
        ),
    ),
    (
        ValueError,
        lambda: built(9, 9, 3)(gk.Conv2D(2, 5), gk.MaxPool2D(), gk.Conv2D(2, 3)),
        (
            "Conv2D 'conv2d_2': a window of 3 x 3 is larger than the padded image of 2 x 2, with"
            " padding 0 (input (1, 2, 2, 2), weights (3, 3, 2, 2))"
        ),
    ),
    (
        ValueError,
        lambda: built(9, 9, 3)(gk.Residual(gk.Conv2D(3, 3))),
        "Add 'residual.add': inputs must have the same shape, got (7, 7, 3) and (9, 9, 3)",
    ),
]


@pytest.mark.parametrize(("kind", "call", "message"), BUILDS, ids=[row[2] for row in BUILDS])
def test_what_cannot_be_built_is_refused(
    kind: type[Exception], call: Callable[[], object], message: str
) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}$"):
        call()


IMAGES = np.zeros((4, 8, 8, 3), np.float32)
GREY = IMAGES[..., :1]
LABELS = np.array([0, 1, 1, 0])
LAST = "; channels come last, x.transpose(0, 2, 3, 1) puts them there"
EXPECTS = "x has samples of shape {}, the model expects {}"


def known(shape: tuple[int, ...], what: str, x: Any) -> Callable[[], object]:
    """Return a call of a model that was built for samples of a shape."""
    model = gk.Sequential(gk.Conv2D(2, 3))
    model.build(shape)
    return lambda: getattr(model, what)(x)


def fitted(x: Any, y: Any, *layers: gk.Layer) -> Callable[[], object]:
    return lambda: gk.Sequential(*layers).fit(x, y, loss="softmax_cross_entropy", verbose=0)


CALLS: list[tuple[Callable[[], object], str]] = [
    *(
        (known(shape, what, x), f"{what}: {EXPECTS.format(x.shape[1:], shape)}{hint}")
        for what in ("predict", "forward")
        for shape, x, hint in [
            ((8, 8, 1), GREY[0], "; write x[None] for one sample"),
            ((8, 8, 1), GREY[..., 0], "; x[..., None] has one channel"),
            ((8, 8, 3), IMAGES.transpose(0, 3, 1, 2), LAST),
            ((9, 9, 3), IMAGES, ""),
        ]
    ),
    (
        fitted(GREY[..., 0].astype(np.uint8), LABELS, gk.Conv2D(2, 3), gk.Flatten(), gk.Dense(2)),
        (
            "Conv2D 'conv2d': samples must have the shape (height, width, channels), got (8, 8);"
            " x[..., None] has one channel"
        ),
    ),
    (
        fitted(IMAGES, LABELS, gk.Conv2D(2, 3), gk.Dense(2)),
        (
            "fit: y holds one class number a sample, but the model's outputs have shape (6, 6, 2);"
            " end it with Flatten and Dense"
        ),
    ),
    (
        fitted(IMAGES, np.eye(2)[LABELS], gk.Conv2D(2, 3), gk.Dense(2)),
        (
            "fit: y has targets of shape (2,), the model's outputs have (6, 6, 2); end it with"
            " Flatten and Dense"
        ),
    ),
    (
        fitted([GREY[0], GREY[1, :5]], LABELS[:2], gk.Flatten(), gk.Dense(2)),
        "fit: x cannot be made an array: row 1 has the shape (5, 8, 1), row 0 (8, 8, 1)",
    ),
    (
        lambda: gk.Sequential(gk.BatchNorm()).forward(IMAGES[:0], training=True),
        "BatchNorm 'batch_norm': the batch is empty, its shape is (0, 8, 8, 3)",
    ),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[row[1] for row in CALLS])
def test_images_that_do_not_fit_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("first", [(), (1 / 255,)], ids=["a convolution", "a rescaling"])
def test_channels_that_seem_to_come_first_are_warned_of(first: tuple[float, ...]) -> None:
    message = (
        "fit: Conv2D 'conv2d' takes samples of shape (3, 8, 8) for 3 x 8 pixels of 8 channels; if"
        " their channels come first, x.transpose(0, 2, 3, 1) puts them last"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
        fitted(
            *(IMAGES.transpose(0, 3, 1, 2), LABELS),
            *map(gk.Rescaling, first),
            *(gk.Conv2D(2, 3), gk.Reshape((1, 6, 2)), gk.Flatten(), gk.Dense(2)),
        )()


def test_a_window_that_misses_the_image_is_what_to_change() -> None:
    model = gk.Sequential(gk.MaxPool2D(2, padding=1, dilation=2), gk.Flatten(), gk.Dense(2))
    advice = (
        r"the output of MaxPool2D 'max_pool2d'; .* Windows with dilation 2 see nothing but padding"
        r" of an image of shape \(1, 1, 3\), choose a smaller dilation$"
    )
    with pytest.raises(gk.NonFiniteError, match=advice):
        model.fit(IMAGES[:, :1, :1], LABELS, loss="softmax_cross_entropy", verbose=0)
    again = gk.Sequential(gk.MaxPool2D(2, padding=1, dilation=2), gk.Flatten(), gk.Dense(2))
    again.fit(IMAGES, LABELS, loss="softmax_cross_entropy", verbose=0)
