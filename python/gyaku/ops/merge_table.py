"""The rows of the table where branches meet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import reference
from gyaku.ops.merge import add, copy_columns, take_columns
from gyaku.ops.op import Op

if TYPE_CHECKING:
    from gyaku.ops.op import Shape, Shapes

__all__ = ["ROWS"]


def _taken(shapes: Shapes, *, start: int, count: int) -> tuple[Shape, ...]:
    del start
    return ((*shapes[0][:-1], count),)


ROWS = [
    Op(
        add,
        kernel="add",
        equation=reference.add,
        inputs="a b",
        outputs="y",
        shapes=lambda shapes: (shapes[0],),
        flops=lambda _inputs, outputs: math.prod(outputs[0]),
        no_gradient="its gradient is dy",
        roundings=1,
    ),
    Op(
        copy_columns,
        kernel="copy_columns",
        equation=reference.copy_columns,
        inputs="x",
        outputs="out",
        shapes=lambda shapes, **_keywords: (shapes[1],),
        flops=lambda _inputs, _outputs: 0,
        numbers=lambda inputs, _outputs: 2 * math.prod(inputs[0]),
        in_place=True,
        gradient="take_columns",
        exact="numbers are copied",
    ),
    Op(
        take_columns,
        kernel="take_columns",
        equation=reference.take_columns,
        inputs="x",
        outputs="y",
        shapes=_taken,
        flops=lambda _inputs, _outputs: 0,
        numbers=lambda _inputs, outputs: 2 * math.prod(outputs[0]),
        no_gradient="it is a gradient",
        exact="numbers are copied",
    ),
]
