"""The table of operations: one row each, which tests, benchmarks and summaries walk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku import reference
from gyaku.ops import activation as forward
from gyaku.ops import activation_backward as backward
from gyaku.ops import conv_table, merge_table, norm_table, pool_table
from gyaku.ops.gather import advance, gather, gather_images, rescale
from gyaku.ops.gemm import matmul, sum_rows
from gyaku.ops.loss import (
    accumulate,
    count_correct,
    cross_entropy,
    mean_squared_error,
    softmax_cross_entropy,
    sum_squared_error,
)
from gyaku.ops.op import Op
from gyaku.ops.optimizer import adam, momentum, optimizer_tick, sgd
from gyaku.ops.random import dropout, permutation
from gyaku.ops.softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyaku.ops.op import Shape, Shapes

__all__ = ["TABLE"]


def _like_first(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    return (shapes[0],)


def _loss_and_gradient(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    return (1,), shapes[0]


def _like_outputs(outputs: str) -> Callable[..., tuple[Shape, ...]]:
    count = len(outputs.split())
    return lambda shapes, **_keywords: (shapes[0],) * count


def _one_number(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del shapes, keywords
    return ((1,),)


def _per_element(operations: int) -> Callable[[Shapes, Shapes], int]:
    return lambda _inputs, outputs: operations * max(map(math.prod, outputs))


def _columns(inputs: Shapes, outputs: Shapes) -> int:
    del outputs
    return inputs[0][-1]


def _product_shape(
    shapes: Shapes, *, transpose_a: bool = False, transpose_b: bool = False, **keywords: Any
) -> tuple[Shape, ...]:
    del keywords
    return ((shapes[0][1 if transpose_a else 0], shapes[1][0 if transpose_b else 1]),)


def _inner(inputs: Shapes, outputs: Shapes) -> int:
    rows = outputs[0][0]
    return math.prod(inputs[0]) // rows if rows else 0


# The operations of one number, and the roundings of the function and of its gradient; none where
# numbers are only selected.
_ACTIVATIONS = {
    "identity": (0, 0, 0, 0),
    "step": (1, 0, 0, 0),
    "sigmoid": (3, 4, 3, 3),
    "tanh": (1, 2, 3, 3),
    "relu": (1, 0, 1, 0),
    "leaky_relu": (2, 2, 2, 2),
    "elu": (4, 4, 3, 3),
    "selu": (5, 6, 3, 4),
    "gelu": (5, 5, 11, 13),
    "silu": (4, 5, 8, 9),
    "softplus": (3, 5, 4, 5),
    "hard_sigmoid": (4, 3, 3, 2),
}
_SELECTS = "numbers are selected, not computed"


def _activation_rows() -> list[Op]:
    rows = []
    for name, (flops, roundings, flops_back, roundings_back) in _ACTIVATIONS.items():
        rows.append(
            Op(
                getattr(forward, name),
                kernel="activation",
                equation=reference.FORWARD[name],
                inputs="x",
                outputs="y",
                shapes=_like_first,
                flops=_per_element(flops),
                saves="input" if name in ("gelu", "silu", "softplus") else "output",
                gradient=name + "_backward",
                roundings=roundings,
                exact="" if roundings else _SELECTS,
            )
        )
        rows.append(
            Op(
                getattr(backward, name + "_backward"),
                kernel="activation_backward",
                equation=reference.BACKWARD[name],
                inputs="dy saved",
                outputs="dx",
                shapes=_like_first,
                flops=_per_element(flops_back),
                no_gradient="it is a gradient",
                roundings=roundings_back,
                exact="" if roundings_back else _SELECTS,
            )
        )
    return rows


_GEMM = [
    Op(
        matmul,
        kernel="matmul",
        equation=reference.matmul,
        inputs="a b",
        outputs="y",
        shapes=_product_shape,
        flops=lambda inputs, outputs: 2 * math.prod(inputs[0]) * outputs[0][1],
        saves="input",
        gradient="matmul",
        roundings=3,
        terms=lambda inputs, outputs: _inner(inputs, outputs) + 1,
    ),
    Op(
        sum_rows,
        kernel="sum_rows",
        equation=reference.sum_rows,
        inputs="x",
        outputs="y",
        shapes=lambda shapes: (shapes[0][1:],),
        flops=lambda inputs, _outputs: math.prod(inputs[0]),
        no_gradient="it is the gradient of a bias",
        roundings=1,
        terms=lambda inputs, _outputs: inputs[0][0],
    ),
]

_SOFTMAX = [
    Op(
        function,
        kernel=function.__name__,
        equation=equation,
        inputs=inputs,
        outputs=output,
        shapes=_like_first,
        flops=_per_element(flops),
        saves="output" if gradient else "",
        gradient=gradient,
        no_gradient="" if gradient else "it is a gradient",
        roundings=roundings,
        terms=_columns,
    )
    for function, equation, inputs, output, flops, gradient, roundings in (
        (softmax, reference.softmax, "x", "y", 5, "softmax_backward", 6),
        (softmax_backward, reference.softmax_backward, "dy y", "dx", 4, "", 4),
        (log_softmax, reference.log_softmax, "x", "y", 5, "log_softmax_backward", 7),
        (log_softmax_backward, reference.log_softmax_backward, "dy y", "dx", 4, "", 5),
    )
]

_LOSSES = [
    Op(
        function,
        kernel=kernel,
        equation=equation,
        inputs=inputs,
        outputs=outputs,
        shapes=_loss_and_gradient,
        flops=_per_element(flops),
        no_gradient="it returns its gradient",
        roundings=roundings,
        terms=terms,
    )
    for function, kernel, equation, inputs, outputs, flops, roundings, terms in (
        (
            softmax_cross_entropy,
            "softmax_cross_entropy",
            reference.softmax_cross_entropy,
            "logits target",
            "loss dlogits",
            10,
            12,
            _columns,
        ),
        (
            cross_entropy,
            "cross_entropy",
            reference.cross_entropy,
            "p target",
            "loss dp",
            6,
            7,
            _columns,
        ),
        (
            sum_squared_error,
            "squared_error",
            reference.sum_squared_error,
            "y t",
            "loss dy",
            4,
            5,
            lambda inputs, _outputs: math.prod(inputs[0][1:]),
        ),
        (
            mean_squared_error,
            "squared_error",
            reference.mean_squared_error,
            "y t",
            "loss dy",
            4,
            5,
            lambda inputs, _outputs: math.prod(inputs[0][1:]),
        ),
    )
]

_COUNTS = [
    Op(
        count_correct,
        kernel="count_correct",
        equation=reference.count_correct,
        inputs="scores target",
        outputs="correct",
        shapes=_one_number,
        flops=lambda inputs, _outputs: math.prod(inputs[0]),
        no_gradient="a count is flat wherever it has a slope",
        exact="it counts",
    ),
    Op(
        accumulate,
        kernel="accumulate",
        equation=reference.accumulate,
        inputs="value totals slot",
        outputs="totals",
        shapes=lambda shapes, **_keywords: (shapes[1],),
        flops=lambda _inputs, _outputs: 2,
        numbers=lambda _inputs, _outputs: 4,
        in_place=True,
        no_gradient="bookkeeping",
        roundings=2,
    ),
    Op(
        gather,
        kernel="gather",
        equation=reference.gather,
        inputs="source order cursor",
        outputs="out",
        shapes=lambda shapes, **_keywords: (shapes[3],),
        flops=_per_element(1),
        numbers=lambda _inputs, outputs: 2 * math.prod(outputs[0]) + outputs[0][0] + 1,
        in_place=True,
        no_gradient="data are not trained",
        roundings=3,
    ),
    Op(
        gather_images,
        kernel="gather_images",
        equation=reference.gather_images,
        inputs="source order cursor epoch",
        outputs="out",
        shapes=lambda shapes, **_keywords: (shapes[4],),
        flops=_per_element(1),
        numbers=lambda _inputs, outputs: 2 * math.prod(outputs[0]) + outputs[0][0] + 2,
        in_place=True,
        no_gradient="data are not trained",
        roundings=3,
    ),
    Op(
        rescale,
        kernel="rescale",
        equation=reference.rescale,
        inputs="x",
        outputs="y",
        shapes=_like_first,
        flops=_per_element(2),
        gradient="rescale",
        roundings=3,
    ),
    Op(
        advance,
        kernel="advance",
        equation=reference.advance,
        inputs="counter",
        outputs="counter",
        shapes=_like_first,
        flops=lambda _inputs, _outputs: 0,
        in_place=True,
        no_gradient="bookkeeping",
        exact="integers are added",
    ),
]

_RANDOM = [
    Op(
        dropout,
        kernel="dropout",
        equation=reference.dropout,
        inputs="x clock",
        outputs="y",
        shapes=_like_first,
        flops=_per_element(2),
        gradient="dropout",
        roundings=3,
    ),
    Op(
        permutation,
        kernel="permutation",
        equation=reference.permutation,
        inputs="",
        outputs="order",
        shapes=_like_first,
        flops=lambda _inputs, _outputs: 0,
        in_place=True,
        no_gradient="integers are not trained",
        exact="integers are shuffled",
    ),
]

_OPTIMIZERS = [
    Op(
        optimizer_tick,
        kernel="optimizer_tick",
        equation=reference.optimizer_tick,
        inputs="clock rates",
        outputs="clock",
        shapes=_like_first,
        flops=lambda _inputs, _outputs: 3,
        numbers=lambda _inputs, _outputs: 10,
        in_place=True,
        no_gradient="bookkeeping",
        roundings=1,
    ),
    *(
        Op(
            function,
            kernel=function.__name__,
            equation=equation,
            inputs=inputs,
            outputs=outputs,
            shapes=_like_outputs(outputs),
            flops=_per_element(flops),
            in_place=True,
            no_gradient="an update ends the step",
            roundings=roundings,
        )
        for function, equation, inputs, outputs, flops, roundings in (
            (sgd, reference.sgd, "params grads clock", "params", 2, 6),
            (
                momentum,
                reference.momentum,
                "params grads velocity clock",
                "params velocity",
                4,
                10,
            ),
            (adam, reference.adam, "params grads m v clock", "params m v", 14, 22),
        )
    ),
]

TABLE: dict[str, Op] = {
    row.name: row
    for row in (
        *_GEMM,
        *conv_table.ROWS,
        *pool_table.ROWS,
        *norm_table.ROWS,
        *merge_table.ROWS,
        *_activation_rows(),
        *_SOFTMAX,
        *_LOSSES,
        *_COUNTS,
        *_RANDOM,
        *_OPTIMIZERS,
    )
}
"""The operations by name."""
