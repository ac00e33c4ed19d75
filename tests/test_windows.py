"""Positions of windows, by counting; and the sentences where there are none, word by word."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gyaku.windows import Axis, conv_axes, margins, pool_axes, sides, transposed_conv_axes

HUGE = 2**40
CONV, POOL = "Conv2D 'conv2'", "MaxPool2D 'pool1'"
SHAPES = "(input (8, 4, 4, 3), weights (3, 3, 3, 6))"
PADDING = f'{CONV}: padding must be "same", "valid", an integer, a pair or a pair of pairs, got '

LINES = [
    dict(zip(("size", "taps", "stride", "dilation", "before", "after"), numbers, strict=True))
    for numbers in itertools.product((1, 2, 5, 8), (1, 2, 3), (1, 2, 4), (1, 3), (0, 1), (0, 2))
]


def starts(line: dict[str, int], *, ceil_mode: bool) -> list[int]:
    """Return the starts of windows, found by sliding one along."""
    extent = line["dilation"] * (line["taps"] - 1) + 1
    end = line["size"] + line["after"]
    found: list[int] = []
    last = line["size"] if ceil_mode else end
    for start in range(-line["before"], last, line["stride"]):
        complete = start + extent <= end
        left_over = not found or found[-1] + extent < end
        # The first window of all may be cut only where a full step of it is inside.
        cut = ceil_mode and left_over and (found or start + extent < end + line["stride"])
        if complete or cut:
            found.append(start)
    return found


def axis(line: dict[str, int], *, ceil_mode: bool = False) -> Axis:
    return Axis.sliding(
        line["size"],
        line["taps"],
        line["stride"],
        (line["before"], line["after"]),
        line["dilation"],
        ceil_mode=ceil_mode,
    )


each_mode = pytest.mark.parametrize("ceil_mode", [False, True])


@each_mode
def test_windows_are_those_that_fit(ceil_mode: bool) -> None:
    for line in LINES:
        if ceil_mode and line["after"] > line["taps"] // 2:
            continue  # more than a pooling may be padded by
        found = axis(line, ceil_mode=ceil_mode)
        assert max(found.windows, 0) == len(starts(line, ceil_mode=ceil_mode)), line


@each_mode
def test_a_window_counts_its_pixels(ceil_mode: bool) -> None:
    for line in LINES:
        if ceil_mode and line["after"] > line["taps"] // 2:
            continue
        found = axis(line, ceil_mode=ceil_mode)
        if found.windows < 1:
            continue
        for start, pixels, padded in zip(
            starts(line, ceil_mode=ceil_mode),
            found.pixels(padded=False),
            found.pixels(padded=True),
            strict=True,
        ):
            seen = {start + tap * found.dilation for tap in range(found.taps)}
            assert pixels == len(seen & set(range(found.size)))
            assert padded == len(seen & set(range(-found.before, found.size + found.after)))


def test_same_padding_makes_a_window_for_each_step() -> None:
    for line in LINES:
        found = Axis.sliding(line["size"], line["taps"], line["stride"], "same", line["dilation"])
        assert found.windows == -(-found.size // found.stride)
        assert 0 <= found.after - found.before <= 1
        # No less padding would do.
        assert found.before + found.after == max(found.span - found.size, 0)


def test_a_transposed_window_leads_back() -> None:
    for line in LINES:
        margin: Any
        for margin in ((line["before"], line["after"]), "same"):
            kernel = line["taps"], line["stride"], margin, line["dilation"]
            found = Axis.transposed(line["size"], *kernel)
            if found.size < 1:
                continue
            back = Axis.sliding(found.size, *kernel)
            assert back == found
            assert margin != "same" or found.size == line["size"] * line["stride"]
            for extra in range(line["stride"] if margin != "same" else 0):
                longer = Axis.transposed(line["size"], *kernel, output_padding=extra)
                assert longer.size == found.size + extra
                assert Axis.sliding(longer.size, *kernel) == longer


@pytest.mark.parametrize(
    ("value", "dimensions", "expected"),
    [
        (2, 2, ((2, 2), (2, 2))),
        (np.int64(2), 2, ((2, 2), (2, 2))),
        ((1, 2), 2, ((1, 1), (2, 2))),
        ([[0, 1], [2, 3]], 2, ((0, 1), (2, 3))),
        (((0, 1), 2), 2, ((0, 1), (2, 2))),
        (np.array([[0, 1], [2, 3]]), 2, ((0, 1), (2, 3))),
        ("valid", 2, ((0, 0), (0, 0))),
        ("same", 2, "same"),
        (1, 1, ((1, 1),)),
        ((2, 0), 1, ((2, 0),)),
        (((2, 0),), 1, ((2, 0),)),
        ((2,), 1, ((2, 2),)),
    ],
)
def test_forms_of_padding(value: Any, dimensions: int, expected: Any) -> None:
    assert margins("conv2d", value, dimensions) == expected


def test_forms_of_sides() -> None:
    assert sides("conv2d", "stride", 2) == sides("conv2d", "stride", [2, 2]) == (2, 2)
    assert sides("conv2d", "stride", np.array([1, 2], np.int8)) == (1, 2)
    assert sides("Conv1D", "stride", 3, 1) == sides("Conv1D", "stride", (3,), 1) == (3,)
    assert all(type(side) is int for side in sides("conv2d", "stride", np.array([1, 2])))


def test_a_sequence_has_one_axis() -> None:
    (time,) = conv_axes("Conv1D", (1, 10, 3), (4, 3, 8), padding=(3, 0), dimensions=1)
    assert (time.before, time.after, time.windows) == (3, 0, 10)
    (time,) = pool_axes("MaxPool1D", (1, 10, 3), 4, dimensions=1)
    assert time.windows == 2


def conv(x: Any = (8, 4, 4, 3), w: Any = (3, 3, 3, 6), **options: Any) -> Callable[[], Any]:
    return lambda: conv_axes(CONV, x, w, **options)


def transposed(x: Any = (8, 2, 2, 3), w: Any = (3, 3, 6, 3), **options: Any) -> Callable[[], Any]:
    return lambda: transposed_conv_axes("conv2d_transpose", x, w, **options)


def pool(x: Any = (8, 4, 4, 3), kernel_size: Any = 2, **options: Any) -> Callable[[], Any]:
    return lambda: pool_axes(POOL, x, kernel_size, **options)


def refused(
    call: Callable[[], Any], *words: str, error: type[Exception] = ValueError
) -> tuple[type[Exception], str, Callable[[], Any]]:
    """Return a row: the error, its sentence, and the call that raises it."""
    return error, " ".join(words), call


ROWS = [
    # windows
    refused(
        conv(w=(5, 5, 3, 6)),
        f"{CONV}: a window of 5 x 5 is larger than the padded image of 4 x 4, with padding 0",
        "(input (8, 4, 4, 3), weights (5, 5, 3, 6))",
    ),
    refused(
        conv(dilation=(3, 1), padding=((1, 0), (1, 2))),
        f"{CONV}: a window of 3 x 3 (dilated 7 x 3) is larger than the padded image of 5 x 7,",
        f"with padding ((1, 0), (1, 2)) {SHAPES}",
    ),
    refused(
        conv(w=(3, 9, 3, 6), padding=(0, 2)),
        f"{CONV}: a window of 3 x 9 is larger than the padded image of 4 x 8, with padding 0 x 2",
        "(input (8, 4, 4, 3), weights (3, 9, 3, 6))",
    ),
    refused(
        lambda: conv_axes("Conv1D", (1, 2, 3), (5, 3, 6), padding=(2, 0), dimensions=1),
        "Conv1D: a window of 5 is larger than the padded image of 4, with padding (2, 0)",
        "(input (1, 2, 3), weights (5, 3, 6))",
    ),
    refused(
        conv(w=(0, 3, 3, 6)),
        f"{CONV}: a window of 0 x 3 is empty, each side must be at least 1",
        "(input (8, 4, 4, 3), weights (0, 3, 3, 6))",
    ),
    refused(
        pool(kernel_size=(2, 0)),
        POOL
        + ": kernel_size must be at least 1, got (2, 0) (input (8, 4, 4, 3), kernel_size (2, 0))",
    ),
    refused(
        pool((8, 2, 4, 3), 3),
        f"{POOL}: a window of 3 x 3 is larger than the padded image of 2 x 4, with padding 0",
        "(input (8, 2, 4, 3), kernel_size 3)",
    ),
    refused(
        pool(kernel_size=5, stride=1, ceil_mode=True),
        f"{POOL}: a window of 5 x 5 is larger than the padded image of 4 x 4, with padding 0",
        "(input (8, 4, 4, 3), kernel_size 5)",
    ),
    refused(
        pool(kernel_size=3, padding=3),
        f"{POOL}: padding must be less than the kernel of 3 x 3, got padding 3",
        "(input (8, 4, 4, 3), kernel_size 3)",
    ),
    refused(
        pool((8, 5, 5, 3), 3, padding=((0, 5), 0), dilation=2),
        f"{POOL}: padding must be less than the kernel of 3 x 3 (dilated 5 x 5), got padding"
        " ((0, 5), (0, 0))",
        "(input (8, 5, 5, 3), kernel_size 3)",
    ),
    # channels
    refused(
        conv((8, 4, 4, 20), (3, 3, 16, 6), groups=2),
        f"{CONV}: input has 20 channels, weights expect 32",
        "(input (8, 4, 4, 20), weights (3, 3, 16, 6))",
    ),
    refused(
        conv((8, 4, 4, 20), (3, 3, 6, 6), groups=3),
        f"{CONV}: channels (20) must be divisible by groups (3)",
        "(input (8, 4, 4, 20), weights (3, 3, 6, 6))",
    ),
    refused(
        conv((8, 4, 4, 6), (3, 3, 2, 8), groups=3),
        f"{CONV}: filters (8) must be divisible by groups (3)",
        "(input (8, 4, 4, 6), weights (3, 3, 2, 8))",
    ),
    refused(
        conv(w=(3, 3, 3, 0)),
        f"{CONV}: filters must be at least 1, got 0 (input (8, 4, 4, 3), weights (3, 3, 3, 0))",
    ),
    refused(
        conv((8, 4, 4, 0), (3, 3, 0, 6)),
        f"{CONV}: channels must be at least 1, got 0 (input (8, 4, 4, 0), weights (3, 3, 0, 6))",
    ),
    refused(conv(groups=0), f"{CONV}: groups must be at least 1, got 0 {SHAPES}"),
    refused(
        conv(groups=1.5), f"{CONV}: groups must be an integer, got 1.5 {SHAPES}", error=TypeError
    ),
    refused(
        transposed((8, 2, 2, 4)),
        "conv2d_transpose: input has 4 channels, weights expect 3",
        "(input (8, 2, 2, 4), weights (3, 3, 6, 3))",
    ),
    # shapes
    refused(
        conv((4, 4, 3)), f"{CONV}: input must have shape (samples, h, w, channels), got (4, 4, 3)"
    ),
    refused(
        lambda: conv_axes("Conv1D", (4, 3), (3, 3, 6), dimensions=1),
        "Conv1D: input must have shape (samples, time, channels), got (4, 3)",
    ),
    refused(
        conv(w=(3, 3, 6)),
        f"{CONV}: weights must have 4 dimensions, those of the kernel first, got shape (3, 3, 6)",
    ),
    refused(conv((8, 4, 0, 3)), f"{CONV}: an image of 4 x 0 has no pixels (input (8, 4, 0, 3))"),
    # steps and padding
    refused(conv(stride=(1, 0)), f"{CONV}: stride must be at least 1, got (1, 0) {SHAPES}"),
    refused(
        conv(stride=(1, 2, 3)),
        f"{CONV}: stride must be an integer or a pair of integers, got (1, 2, 3) {SHAPES}",
    ),
    refused(
        conv(stride=2.0),
        f"{CONV}: stride must be an integer or a pair of integers, got 2.0 {SHAPES}",
        error=TypeError,
    ),
    refused(
        conv(dilation=True),
        f"{CONV}: dilation must be an integer or a pair of integers, got True {SHAPES}",
        error=TypeError,
    ),
    refused(conv(dilation=-1), f"{CONV}: dilation must be at least 1, got -1 {SHAPES}"),
    refused(
        conv(padding=(0, (2, -1))),
        f"{CONV}: padding must be at least 0, got (0, (2, -1)) {SHAPES}",
    ),
    refused(conv(padding="full"), PADDING + "'full'", SHAPES),
    refused(conv(padding=(1, 2, 3)), PADDING + "(1, 2, 3)", SHAPES),
    refused(
        lambda: margins("Conv1D", (1, 2, 3), 1),
        'Conv1D: padding must be "same", "valid", an integer or a pair, got (1, 2, 3)',
    ),
    refused(conv(padding=0.5), PADDING + "0.5", SHAPES, error=TypeError),
    refused(conv(padding=None), PADDING + "None", SHAPES, error=TypeError),
    # transposed
    refused(
        transposed(stride=2, output_padding=(2, 0)),
        "conv2d_transpose: output_padding must be less than the stride or the dilation, got",
        "output_padding 2 x 0, stride 2 x 2, dilation 1 x 1",
        "(input (8, 2, 2, 3), weights (3, 3, 6, 3))",
    ),
    refused(
        transposed(stride=2, padding="same", output_padding=1),
        'conv2d_transpose: output_padding must be 0 with padding "same", got 1 x 1',
        "(input (8, 2, 2, 3), weights (3, 3, 6, 3))",
    ),
    refused(
        transposed(padding=2),
        "conv2d_transpose: padding 2 leaves nothing of an output of 4 x 4",
        "(input (8, 2, 2, 3), weights (3, 3, 6, 3))",
    ),
    # beyond 32 bits
    refused(conv(stride=2**31), f"{CONV}: stride must be below 2^31, got {2**31} {SHAPES}"),
    refused(conv(padding=HUGE), f"{CONV}: padding must be below 2^31, got {HUGE} {SHAPES}"),
    refused(
        pool(dilation=(1, HUGE)),
        f"{POOL}: dilation must be below 2^31, got (1, {HUGE}) (input (8, 4, 4, 3), kernel_size 2)",
    ),
    refused(
        pool(kernel_size=(2**30, 2)),
        f"{POOL}: a window of {2**30} x 2 has more than 2^31 - 1 elements",
        f"(input (8, 4, 4, 3), kernel_size ({2**30}, 2))",
    ),
    refused(
        conv(stride=2**29),
        f"{CONV}: the padded image, stride and dilation must be below 2^29 on each side,",
        f"got 4 x 4, {2**29} x {2**29} and 1 x 1 {SHAPES}",
    ),
    refused(
        conv(w=(1, 1, 3, 6), dilation=2**29),
        f"{CONV}: the padded image, stride and dilation must be below 2^29 on each side,",
        f"got 4 x 4, 1 x 1 and {2**29} x {2**29} (input (8, 4, 4, 3), weights (1, 1, 3, 6))",
    ),
    refused(
        transposed((8, 2, 1, 3), stride=(2**29 - 1, 1)),
        "conv2d_transpose: the padded image, stride and dilation must be below 2^29 on each side,",
        f"got {2**29 + 2} x 3, {2**29 - 1} x 1 and 1 x 1",
        "(input (8, 2, 1, 3), weights (3, 3, 6, 3))",
    ),
    refused(
        conv(w=(3, 3, 3, 2**31)),
        f"{CONV}: filters must be below 2^31, got {2**31}",
        f"(input (8, 4, 4, 3), weights (3, 3, 3, {2**31}))",
    ),
    # beyond 64 bits
    refused(
        conv((8, 2**28, 2**28, 3)),
        f"{CONV}: the output of shape (8, {2**28 - 2}, {2**28 - 2}, 6) would be beyond 2^63 bytes",
        f"(input (8, {2**28}, {2**28}, 3), weights (3, 3, 3, 6))",
    ),
    refused(
        pool((1, HUGE, HUGE, 3)),
        f"{POOL}: the output of shape (1, {HUGE // 2}, {HUGE // 2}, 3) would be beyond 2^63 bytes",
        f"(input (1, {HUGE}, {HUGE}, 3), kernel_size 2)",
    ),
    refused(
        transposed((8, 2**14, 2**14, 3), stride=2**14),
        f"conv2d_transpose: the output of shape (8, {(2**14 - 1) * 2**14 + 3},",
        f"{(2**14 - 1) * 2**14 + 3}, 6) would be beyond 2^63 bytes",
        f"(input (8, {2**14}, {2**14}, 3), weights (3, 3, 6, 3))",
    ),
    refused(
        conv(w=(HUGE, HUGE, 3, 6)),
        f"{CONV}: weights of shape ({HUGE}, {HUGE}, 3, 6) would be beyond 2^63 bytes",
        "(input (8, 4, 4, 3))",
    ),
]


@pytest.mark.parametrize(("error", "message", "call"), ROWS, ids=[row[1] for row in ROWS])
def test_errors_say_what_does_not_fit(
    error: type[Exception], message: str, call: Callable[[], Any]
) -> None:
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message


def test_an_empty_batch_is_no_excuse_for_a_shape_beyond_64_bits() -> None:
    with pytest.raises(ValueError, match="would be beyond 2\\^63 bytes"):
        conv((0, 2**28, 2**28, 3), (3, 3, 3, 60))()


def test_a_window_may_overhang_in_ceil_mode() -> None:
    rows, columns = pool((1, 1, 4, 1), (3, 3), stride=3, ceil_mode=True)()
    assert (rows.windows, columns.windows) == (1, 2)


def test_same_padding_of_a_dilated_pool_is_no_mistake() -> None:
    rows, _ = pool(kernel_size=3, padding="same", stride=1, dilation=3)()
    assert (rows.before, rows.after, rows.windows) == (3, 3, 4)


def test_windows_from_the_cache_are_those_of_the_arguments() -> None:
    asked = pool_axes(POOL, (1, 4, 4, 1), 2, stride=1)
    assert pool_axes(POOL, (1, 4, 4, 1), [2, 2], stride=[1, 1]) == asked
    with pytest.raises(TypeError, match="stride must be an integer"):
        pool_axes(POOL, (1, 4, 4, 1), 2, stride=True)
    with pytest.raises(TypeError, match="stride must be an integer"):
        pool_axes(POOL, (1, 4, 4, 1), 2, stride=1.0)
