"""The rows of the table that are convolutions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku import reference
from gyaku.ops.conv import conv2d, conv2d_transpose
from gyaku.ops.conv_backward import (
    conv2d_backward,
    conv2d_backward_data,
    conv2d_backward_weights,
    conv2d_transpose_backward,
)
from gyaku.ops.op import Op
from gyaku.ops.windows import conv_axes, sides, transposed_conv_axes

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyaku.ops.op import Shape, Shapes
    from gyaku.reference.windows import Sides

__all__ = ["ROWS"]


def _conv_shape(
    shapes: Shapes, *, activation: str | None = None, alpha: float | None = None, **where: Any
) -> tuple[Shape, ...]:
    del activation, alpha
    rows, columns = conv_axes("conv2d", shapes[0], shapes[1], **where)
    return ((shapes[0][0], rows.windows, columns.windows, shapes[1][3]),)


def _transposed_shape(
    shapes: Shapes,
    *,
    activation: str | None = None,
    alpha: float | None = None,
    groups: int = 1,
    **where: Any,
) -> tuple[Shape, ...]:
    del activation, alpha
    x, w = shapes[:2]
    rows, columns = transposed_conv_axes("conv2d_transpose", x, w, groups=groups, **where)
    return ((x[0], rows.size, columns.size, w[2] * groups),)


def _data_shape(shapes: Shapes, *, size: Sides, groups: int = 1, **where: Any) -> tuple[Shape, ...]:
    del where
    dy, w = shapes
    return ((dy[0], *sides("conv2d_backward_data", "size", size), w[2] * groups),)


def _weight_shapes(
    shapes: Shapes, *, window: Sides, groups: int = 1, **where: Any
) -> tuple[Shape, ...]:
    del where
    dy, x = shapes
    taps = sides("conv2d_backward_weights", "window", window)
    return (*taps, x[3] // groups, dy[3]), (dy[3],)


def _gradient_shapes(shapes: Shapes, **where: Any) -> tuple[Shape, ...]:
    del where
    return shapes[1], shapes[2], shapes[0][3:]


# A product and a sum for each tap, channel and filter of what has a pixel for each window.
def _flops(windows: Shape, w: Shape) -> int:
    return 2 * math.prod(windows) * math.prod(w[:3])


def _seen(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return math.prod(inputs[1][:3]) + 1


def _painted(image: Shape, w: Shape) -> int:
    groups = image[3] // w[2]
    return math.prod(w[:2]) * (w[3] // groups) + 1


def _pixels(image: Shape) -> int:
    return math.prod(image[:3])


def _row(
    function: Callable[..., Any],
    *,
    inputs: str,
    outputs: str,
    shapes: Callable[..., tuple[Shape, ...]],
    flops: Callable[[Shapes, Shapes], int],
    terms: Callable[[Shapes, Shapes], int],
    kernel: str = "",
    gradient: str = "",
) -> Op:
    return Op(
        function,
        kernel=kernel or function.__name__,
        equation=getattr(reference, function.__name__),
        inputs=inputs,
        outputs=outputs,
        shapes=shapes,
        flops=flops,
        saves="input" if gradient else "",
        gradient=gradient,
        no_gradient="" if gradient else "it is a gradient",
        roundings=3,
        terms=terms,
    )


ROWS = [
    _row(
        conv2d,
        inputs="x w",
        outputs="y",
        shapes=_conv_shape,
        flops=lambda inputs, outputs: _flops(outputs[0], inputs[1]),
        terms=_seen,
        gradient="conv2d_backward",
    ),
    _row(
        conv2d_backward_data,
        inputs="dy w",
        outputs="dx",
        shapes=_data_shape,
        flops=lambda inputs, _outputs: _flops(inputs[0], inputs[1]),
        terms=lambda inputs, outputs: _painted(outputs[0], inputs[1]),
    ),
    _row(
        conv2d_backward_weights,
        inputs="dy x",
        outputs="dw db",
        shapes=_weight_shapes,
        flops=lambda inputs, outputs: _flops(inputs[0], outputs[0]) + math.prod(inputs[0]),
        terms=lambda inputs, _outputs: _pixels(inputs[0]),
    ),
    _row(
        conv2d_backward,
        inputs="dy x w",
        outputs="dx dw db",
        shapes=_gradient_shapes,
        flops=lambda inputs, _outputs: 2 * _flops(inputs[0], inputs[2]) + math.prod(inputs[0]),
        terms=lambda inputs, _outputs: max(_painted(inputs[1], inputs[2]), _pixels(inputs[0])),
        kernel="conv2d_backward_weights",
    ),
    _row(
        conv2d_transpose,
        inputs="x w",
        outputs="y",
        shapes=_transposed_shape,
        flops=lambda inputs, _outputs: _flops(inputs[0], inputs[1]),
        terms=lambda inputs, outputs: _painted(outputs[0], inputs[1]),
        gradient="conv2d_transpose_backward",
    ),
    _row(
        conv2d_transpose_backward,
        inputs="dy x w",
        outputs="dx dw db",
        shapes=_gradient_shapes,
        # The product for the weights adds up x as well.
        flops=lambda inputs, _outputs: (
            2 * _flops(inputs[1], inputs[2]) + math.prod(inputs[0]) + math.prod(inputs[1])
        ),
        terms=lambda inputs, _outputs: max(math.prod(inputs[2][:3]), _pixels(inputs[0])),
        kernel="conv2d_backward_weights",
    ),
]
"""The rows."""
