"""Errors of buffers that an operation updates, or that change from step to step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from errors import Mistake, refused_in_one_sentence
from optimizer_facts import UPDATES

from gyaku import ops

F32, F64, I64 = np.float32, np.float64, np.int64
ONES = np.ones((2, 3), F32)
CLOCK = np.array([1.0, 0.1, 0.9, 0.999])
STEP = np.zeros(1, I64)


def zeros(*shape: int, dtype: Any = F32) -> Any:
    return np.zeros(shape, dtype)


def frozen(x: Any) -> Any:
    x.flags.writeable = False
    return x


def gather(**changed: Any) -> Callable[[], Any]:
    given = {
        "source": zeros(5, 3),
        "order": np.arange(5),
        "cursor": zeros(1, dtype=I64),
        "out": zeros(2, 3),
    }
    return lambda: ops.gather(**(given | changed))


def gather_images(**changed: Any) -> Callable[[], Any]:
    given = {
        "source": zeros(5, 4, 6, 1),
        "order": np.arange(5),
        "cursor": zeros(1, dtype=I64),
        "epoch": zeros(1, dtype=I64),
        "out": zeros(2, 4, 6, 1),
        "shift": 1,
    }
    return lambda: ops.gather_images(**(given | changed))


def update(name: str, **changed: Any) -> Callable[[], Any]:
    given = {key: zeros(4) for key in ["params", "grads", *UPDATES[name].states]} | {"clock": CLOCK}
    return lambda: getattr(ops, name)(**(given | changed))


def dropout(**changed: Any) -> Callable[[], Any]:
    given: dict[str, Any] = {"x": ONES, "clock": STEP, "rate": 0.5, "seed": 0, "stream": 0}
    return lambda: ops.dropout(**(given | changed))


def permutation(order: Any, n: int = 3, seed: int = 0, first_epoch: int = 0) -> Callable[[], Any]:
    return lambda: ops.permutation(order, n, seed=seed, first_epoch=first_epoch)


MISTAKES: list[Mistake] = [
    # bookkeeping
    (
        ValueError,
        "count_correct: target in row 1 is label 2, with 2 classes it must be 0 to 1",
        lambda: ops.count_correct(zeros(2, 1), [0, 2]),
    ),
    (
        ValueError,
        "count_correct: scores must have a column, got shape (2, 0)",
        lambda: ops.count_correct(zeros(2, 0), [0, 1]),
    ),
    (
        ValueError,
        "softmax_cross_entropy: logits must have a column, got shape (2, 0)",
        lambda: ops.softmax_cross_entropy(zeros(2, 0), zeros(2, 0)),
    ),
    (
        ValueError,
        "cross_entropy: p must have a column, got shape (2, 0)",
        lambda: ops.cross_entropy(zeros(2, 0), zeros(2, 0)),
    ),
    (
        ValueError,
        "accumulate: slot 2 is not in totals of shape (2,)",
        lambda: ops.accumulate(zeros(1, dtype=F64), zeros(2, dtype=F64), np.array([2]), weight=1.0),
    ),
    (
        TypeError,
        "accumulate: value must be an array of float64, got float32",
        lambda: ops.accumulate(zeros(1), zeros(2, dtype=F64), STEP, weight=1.0),
    ),
    (
        TypeError,
        "advance: counter must be an array of int64, got int",
        lambda: ops.advance(3, 1),  # type: ignore[arg-type]
    ),
    (
        ValueError,
        "advance: counter must have shape (1,), got (2,)",
        lambda: ops.advance(zeros(2, dtype=I64), 1),
    ),
    # rows of a data set
    (
        TypeError,
        "gather: source must be uint8, float32 or float64, got int16",
        gather(source=zeros(5, 3, dtype=np.int16)),
    ),
    (TypeError, "gather: source must be an array, got list", gather(source=[[1.0, 2.0, 3.0]])),
    (
        TypeError,
        "gather: out must be float32, float64, int32 or int64, got float16",
        gather(out=zeros(2, 3, dtype=np.float16)),
    ),
    (
        TypeError,
        "gather: source must be an array of int64, got float32",
        gather(out=zeros(2, 3, dtype=I64)),
    ),
    (
        ValueError,
        "gather: scale must be 1 for labels, got 0.5",
        gather(source=zeros(5, 3, dtype=I64), out=zeros(2, 3, dtype=I64), scale=0.5),
    ),
    (
        ValueError,
        "gather: source must be C-contiguous and aligned, it is used in place",
        gather(source=zeros(5, 6)[:, ::2]),
    ),
    (
        ValueError,
        "gather: source of shape (5, 3) and out of shape (2, 4) must have rows of the same shape",
        gather(out=zeros(2, 4)),
    ),
    (
        ValueError,
        "gather: order must have one dimension, got shape (1, 5)",
        gather(order=zeros(1, 5, dtype=I64)),
    ),
    (
        ValueError,
        "gather: cursor 4 and 2 rows go beyond the 5 rows of order",
        gather(cursor=np.array([4])),
    ),
    (
        ValueError,
        "gather: cursor -1 and 2 rows go beyond the 5 rows of order",
        gather(cursor=np.array([-1])),
    ),
    (
        ValueError,
        "gather: order names row 5, source has 5 rows",
        gather(order=np.array([0, 5, 1])),
    ),
    (
        ValueError,
        "gather: order names row -1, source has 5 rows",
        gather(order=np.array([-1, 0])),
    ),
    (
        ValueError,
        "gather_images: order names row 5, source has 5 rows",
        gather_images(order=np.array([5, 5])),
    ),
    (
        ValueError,
        (
            "gather_images: source must hold images of shape (height, width, channels), got float32"
            " of shape (3,)"
        ),
        gather_images(source=zeros(5, 3), out=zeros(2, 3)),
    ),
    (
        ValueError,
        (
            "gather_images: source must hold images of shape (height, width, channels), got int64"
            " of shape (4, 6, 1)"
        ),
        gather_images(source=zeros(5, 4, 6, 1, dtype=I64), out=zeros(2, 4, 6, 1, dtype=I64)),
    ),
    (
        ValueError,
        (
            "gather_images: shift must be at least 0 and less than the height and width of an"
            " image, got 4 for 4 x 6 pixels"
        ),
        gather_images(shift=4),
    ),
    (
        TypeError,
        "gather_images: epoch must be an array of int64, got float32",
        gather_images(epoch=zeros(1)),
    ),
    (ValueError, "gather_images: seed must be 0 to 2^64 - 1, got -1", gather_images(seed=-1)),
    # random numbers
    (TypeError, "dropout: clock must be an array of int64, got int", dropout(clock=1)),
    (
        TypeError,
        "dropout: clock must be an array of int64, got float64",
        dropout(clock=zeros(1, dtype=F64)),
    ),
    (ValueError, "dropout: rate must be at least 0 and below 1, got 1.0", dropout(rate=1.0)),
    (ValueError, "dropout: rate must be at least 0 and below 1, got nan", dropout(rate=np.nan)),
    (ValueError, "dropout: seed must be 0 to 2^64 - 1, got -1", dropout(seed=-1)),
    (
        ValueError,
        f"dropout: stream must be 0 to 2^32 - 2, got {2**32 - 1}",
        dropout(stream=2**32 - 1),
    ),
    (
        TypeError,
        "permutation: order must be an array of int64, got int32",
        permutation(zeros(3, dtype=np.int32)),
    ),
    (
        ValueError,
        "permutation: order must hold whole permutations of 3, got shape (4,)",
        permutation(zeros(4, dtype=I64)),
    ),
    (ValueError, "permutation: n must be at least 1, got 0", permutation(zeros(3, dtype=I64), n=0)),
    (
        ValueError,
        "permutation: first_epoch must be at least 0, got -1",
        permutation(zeros(3, dtype=I64), first_epoch=-1),
    ),
    # updates
    (
        ValueError,
        "optimizer_tick: rates must hold a first step and a learning rate, got shape (1,)",
        lambda: ops.optimizer_tick(CLOCK.copy(), np.zeros(1)),
    ),
    (
        ValueError,
        "optimizer_tick: rates begin with step 5, the step counter is at step 1",
        lambda: ops.optimizer_tick(CLOCK.copy(), np.array([5.0, 0.1])),
    ),
    (
        TypeError,
        "sgd: params must be an array of float32 or float64, got float16",
        update("sgd", params=zeros(4, dtype=np.float16)),
    ),
    (
        TypeError,
        "sgd: params must be an array of float32 or float64, got list",
        update("sgd", params=[1.0]),
    ),
    (
        TypeError,
        "sgd: grads must be an array of float32, got float64",
        update("sgd", grads=zeros(4, dtype=F64)),
    ),
    (
        ValueError,
        "momentum: velocity must have shape (4,), got (5,)",
        update("momentum", velocity=zeros(5)),
    ),
    (
        ValueError,
        "adam: m must be writeable, it is updated in place",
        update("adam", m=frozen(zeros(4))),
    ),
    (ValueError, "adam: clock must have shape (4,), got (3,)", update("adam", clock=np.zeros(3))),
    (
        ValueError,
        "adam: the step counter must be at step 1 or later, call optimizer_tick first",
        update("adam", clock=np.array([0.0, 0.0, 1.0, 1.0])),
    ),
]
test_a_mistake_is_refused_in_one_sentence = refused_in_one_sentence(MISTAKES)


def test_a_refused_update_changes_nothing() -> None:
    params = np.ones(4, F32)
    with pytest.raises(ValueError, match="velocity"):
        update("momentum", params=params, velocity=zeros(5))()
    assert (params == 1).all()
