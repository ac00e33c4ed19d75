"""Floating-point operations are counted once: summary, program and profile agree with the table."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest
from op_case import FLOAT32, Case
from op_cases import CASES
from recorded import numbers, record

import gyaku as gk
from gyaku import ops


@pytest.fixture(autouse=True)
def as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the tasks as the operations made them."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")


def counted(program: Any) -> float:
    return sum(task["flops"] for task in program.tasks())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_tasks_of_an_operation_take_what_its_row_says(case: Case) -> None:
    arguments, keywords = case.call(FLOAT32)
    given = inspect.signature(case.row.function).bind(*arguments, **keywords).arguments
    inputs = [np.shape(argument) for argument in arguments]

    def call() -> list[Any]:
        results = case.row.function(*arguments, **keywords)
        return list(results if isinstance(results, tuple) else [results])

    program, results = record(call, keep=False)
    outputs = [np.shape(result) for result in results]
    if case.row.in_place:
        outputs = list(case.row.shapes(inputs))
    expected = case.row.flops(inputs, outputs)
    if any(task["host"] for task in program.tasks()):  # evaluated by the equation in NumPy
        assert counted(program) == expected
        return
    # Bias, weights and activation, which the row does not know of.
    recurrent = case.row.kernel.startswith("recurrent")
    bias = given.get("b" if "conv" in case.row.name or recurrent else "bias")
    if bias is not None:
        expected += math.prod(outputs[0][:-1]) * np.size(bias)
    if given.get("sample_weight") is not None and len(outputs) > 1:
        expected += math.prod(outputs[1])
    if given.get("reset_after", True) is False and case.row.name == "gru_backward":
        expected -= math.prod(np.shape(given["inner"]))  # one bias, and no gradient of another
    if given.get("activation") and not recurrent:
        expected += ops.TABLE[given["activation"]].flops(outputs, outputs)
    assert counted(program) == expected


LAYERS = [
    *(gk.Dense(5, activation) for activation in (None, "relu", "gelu")),
    *(gk.Conv2D(4, 3, activation="tanh"), gk.Conv2D(4, 3, use_bias=False), gk.DepthwiseConv2D(3)),
    *(gk.Conv2DTranspose(4, 2, stride=2, activation="silu"), gk.MaxPool2D(2), gk.AvgPool2D(3)),
    *(gk.MaxPool2D(3, stride=1, padding="same"), gk.GlobalMaxPool2D(), gk.GlobalAvgPool2D()),
    *(gk.BatchNorm(), gk.LayerNorm(), gk.Dropout(0.5), gk.Softmax(), gk.Sigmoid(), gk.Flatten()),
    gk.Dropout(0.5, scaled="prediction"),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_takes_what_the_summary_says(layer: gk.Layer) -> None:
    model = gk.Sequential(layer)
    model.build((8, 8, 4))
    x = numbers(3, 8, 8, 4)
    program, _ = record(lambda: model.run_forward([x], training=True))
    forward = [task for task in program.tasks() if task["name"] != "update_running"]
    assert sum(task["flops"] for task in forward) == 3 * layer.flops


def test_a_program_takes_what_its_layers_do_forward_and_twice_that_backward() -> None:
    model = gk.Sequential(gk.Dense(32, use_bias=False), gk.Dense(10, use_bias=False))
    x, y = numbers(40, 20), np.arange(40) % 10
    model.fit(x, y, loss="softmax_cross_entropy", epochs=1, batch_size=40, verbose=0)
    tasks = model.captured["tasks"]
    products = sum(task["flops"] for task in tasks if "matmul" in task["name"])
    first, second = (use.instance.flops for use in model.plan.applications)
    assert products == 40 * (2 * first + 3 * second)
    losses = ops.TABLE["softmax_cross_entropy"].flops([(40, 10), (40,)], [(1,), (40, 10)])
    assert sum(task["flops"] for task in tasks if "cross_entropy" in task["name"]) == losses
