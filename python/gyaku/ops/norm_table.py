"""The rows of the table that are normalisations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku import reference
from gyaku.ops import norm
from gyaku.ops.op import Op

if TYPE_CHECKING:
    from gyaku.ops.op import Shape, Shapes

__all__ = ["ROWS"]


def _by_channel(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    x, gamma, *_ = shapes
    return x, gamma, gamma, gamma


def _by_sample(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    x, gamma, _ = shapes
    samples = x[: len(x) - len(gamma)]
    return x, samples, samples


def _gradients(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    _, x, gamma, *_ = shapes
    return x, gamma, gamma


def _numbers(inputs: Shapes, outputs: Shapes) -> int:
    del inputs
    return math.prod(outputs[0])


ROWS = [
    Op(
        norm.batch_norm,
        kernel="batch_norm",
        equation=reference.batch_norm,
        inputs="x gamma beta",
        outputs="y mean inverse variance",
        shapes=_by_channel,
        flops=lambda _inputs, outputs: 8 * math.prod(outputs[0]),
        saves="input",
        gradient="batch_norm_backward",
        roundings=8,
        terms=_numbers,
    ),
    Op(
        norm.batch_norm_inference,
        kernel="batch_norm_inference",
        equation=reference.batch_norm_inference,
        inputs="x gamma beta mean variance",
        outputs="y inverse",
        shapes=lambda shapes, **_keywords: (shapes[0], shapes[1]),
        flops=lambda _inputs, outputs: 4 * math.prod(outputs[0]),
        saves="input",
        gradient="batch_norm_backward",
        roundings=7,
    ),
    Op(
        norm.batch_norm_backward,
        kernel="batch_norm_backward",
        equation=reference.batch_norm_backward,
        inputs="dy x gamma mean inverse",
        outputs="dx dgamma dbeta",
        shapes=_gradients,
        flops=lambda _inputs, outputs: 10 * math.prod(outputs[0]),
        no_gradient="it is a gradient",
        roundings=8,
        terms=_numbers,
    ),
    Op(
        norm.layer_norm,
        kernel="layer_norm",
        equation=reference.layer_norm,
        inputs="x gamma beta",
        outputs="y mean inverse",
        shapes=_by_sample,
        flops=lambda _inputs, outputs: 8 * math.prod(outputs[0]),
        saves="input",
        gradient="layer_norm_backward",
        roundings=8,
        terms=lambda inputs, _outputs: math.prod(inputs[1]),
    ),
    Op(
        norm.layer_norm_backward,
        kernel="layer_norm_backward",
        equation=reference.layer_norm_backward,
        inputs="dy x gamma mean inverse",
        outputs="dx dgamma dbeta",
        shapes=_gradients,
        flops=lambda _inputs, outputs: 14 * math.prod(outputs[0]),
        no_gradient="it is a gradient",
        roundings=8,
        terms=_numbers,
    ),
    Op(
        norm.update_running,
        kernel="update_running",
        equation=reference.update_running,
        inputs="running_mean running_var mean variance",
        outputs="running_mean running_var",
        shapes=lambda shapes, **_keywords: (shapes[0], shapes[0]),
        flops=lambda _inputs, outputs: 7 * math.prod(outputs[0]),
        in_place=True,
        no_gradient="bookkeeping",
        roundings=5,
    ),
]
