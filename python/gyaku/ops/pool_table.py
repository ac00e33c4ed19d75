"""The rows of the table that are poolings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku import reference
from gyaku.ops import pool
from gyaku.ops.op import Op
from gyaku.ops.windows import pool_axes

if TYPE_CHECKING:
    from gyaku.ops.op import Shape, Shapes
    from gyaku.reference.windows import Sides

__all__ = ["ROWS"]

_SELECTS = "numbers are selected, not computed"


def _windows(shapes: Shapes, *, window: Sides, **where: Any) -> Shape:
    where.pop("count_include_pad", None)
    rows, columns = pool_axes("pooling", shapes[0], window, **where)
    return (shapes[0][0], rows.windows, columns.windows, shapes[0][3])


def _maxima(shapes: Shapes, **where: Any) -> tuple[Shape, ...]:
    return (_windows(shapes, **where),) * 2


def _means(shapes: Shapes, **where: Any) -> tuple[Shape, ...]:
    return (_windows(shapes, **where),)


def _channels(shapes: Shapes) -> tuple[Shape, ...]:
    return ((shapes[0][0], shapes[0][3]),)


def _images(shapes: Shapes, *, size: tuple[int, int], **where: Any) -> tuple[Shape, ...]:
    del where
    return ((shapes[0][0], *size, shapes[0][-1]),)


# How often windows overlap is not known from shapes; each pixel is looked at once at least.
def _flops(inputs: Shapes, outputs: Shapes) -> int:
    return max(math.prod(inputs[0]), math.prod(outputs[0]))


def _pixels(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return math.prod(inputs[0][1:-1])


ROWS = [
    Op(
        pool.max_pool2d,
        kernel="max_pool2d",
        equation=reference.max_pool2d,
        inputs="x",
        outputs="y argmax",
        shapes=_maxima,
        flops=_flops,
        saves="output",
        gradient="max_pool2d_backward",
        exact=_SELECTS,
    ),
    Op(
        pool.max_pool2d_backward,
        kernel="max_pool2d_backward",
        equation=reference.max_pool2d_backward,
        inputs="dy argmax",
        outputs="dx",
        shapes=_images,
        flops=_flops,
        no_gradient="it is a gradient",
        roundings=1,
        terms=_pixels,
    ),
    Op(
        pool.avg_pool2d,
        kernel="avg_pool2d",
        equation=reference.avg_pool2d,
        inputs="x",
        outputs="y",
        shapes=_means,
        flops=_flops,
        gradient="avg_pool2d_backward",
        roundings=3,
        terms=_pixels,
    ),
    Op(
        pool.avg_pool2d_backward,
        kernel="avg_pool2d_backward",
        equation=reference.avg_pool2d_backward,
        inputs="dy",
        outputs="dx",
        shapes=_images,
        flops=_flops,
        no_gradient="it is a gradient",
        roundings=3,
        terms=_pixels,
    ),
    Op(
        pool.global_max_pool2d,
        kernel="max_pool2d",
        equation=reference.global_max_pool2d,
        inputs="x",
        outputs="y argmax",
        shapes=lambda shapes: _channels(shapes) * 2,
        flops=_flops,
        saves="output",
        gradient="global_max_pool2d_backward",
        exact=_SELECTS,
    ),
    Op(
        pool.global_max_pool2d_backward,
        kernel="max_pool2d_backward",
        equation=reference.global_max_pool2d_backward,
        inputs="dy argmax",
        outputs="dx",
        shapes=_images,
        flops=_flops,
        no_gradient="it is a gradient",
        exact=_SELECTS,
    ),
    Op(
        pool.global_avg_pool2d,
        kernel="avg_pool2d",
        equation=reference.global_avg_pool2d,
        inputs="x",
        outputs="y",
        shapes=_channels,
        flops=_flops,
        gradient="global_avg_pool2d_backward",
        roundings=3,
        terms=_pixels,
    ),
    Op(
        pool.global_avg_pool2d_backward,
        kernel="avg_pool2d_backward",
        equation=reference.global_avg_pool2d_backward,
        inputs="dy",
        outputs="dx",
        shapes=_images,
        flops=_flops,
        no_gradient="it is a gradient",
        roundings=2,
    ),
]
