"""Fusion and the memory plan change time and memory of a program, and nothing else."""

from __future__ import annotations

import pytest

from child import output

# Prints the weights after some steps, bit for bit, and what the step consists of.
CODE = """
import hashlib
import numpy as np
import gyaku as gk

rng = np.random.default_rng(1)
x = rng.random((330, 96)).astype({dtype!r})
target = rng.integers(0, 7, 330)
model = gk.Sequential(
    gk.Dense(64), gk.{activation}(), gk.Dropout(0.3), gk.Dense(33), gk.Tanh(), gk.Dense(7)
)
model.build((96,), dtype={dtype!r}, seed=3)
model.fit(x, target, loss="softmax_cross_entropy", optimizer="momentum", metrics=["accuracy"],
          epochs=2, batch_size=100, seed=0, verbose=False)
tasks = str(model.program())
print(hashlib.sha256(model.flat_params.tobytes()).hexdigest(), tasks.count(chr(10)))
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["ReLU", "Sigmoid", "GELU", "Softplus"])
def test_an_optimized_program_gives_the_same_bits(activation: str, dtype: str) -> None:
    code = CODE.format(activation=activation, dtype=dtype)
    bits, tasks = output(code, GYAKU_OPTIMIZE="").split()
    plain_bits, plain_tasks = output(code, GYAKU_OPTIMIZE="0").split()
    assert bits == plain_bits
    assert int(tasks) < int(plain_tasks)  # something was fused, or the test would prove nothing


IMAGES = """
import hashlib
import numpy as np
import gyaku as gk

rng = np.random.default_rng(1)
x = rng.standard_normal((61, 9, 8, 3)).astype({dtype!r})
target = rng.integers(0, 5, 61)
image = gk.Input((9, 8, 3))
y = gk.Conv2D(6, 3, padding=1)(image)
y = gk.{activation}()(y)
pooled = gk.MaxPool2D({window})(y)
rest = gk.Flatten()(gk.Conv2D(4, 2, activation="relu")(pooled))
if {skip}:
    rest = gk.Concatenate()(rest, gk.GlobalAvgPool2D()(y))
model = gk.Model(image, gk.Dense(5)(rest), dtype={dtype!r}, seed=3)
model.fit(x, target, loss="softmax_cross_entropy", optimizer="momentum", epochs=2, batch_size=13,
          seed=0, verbose=False)
tasks = str(model.program()).splitlines()
pool = next(i for i, task in enumerate(tasks) if "max_pool2d_backward" in task)
masked = any("{name}_backward" in task for task in tasks[pool + 1:])
print(hashlib.sha256(model.flat_params.tobytes()).hexdigest(), masked)
"""
WINDOWS = {
    "apart": "2",
    "overlapping": "3, 2, padding=1",
    "dilated": "2, 1, padding=1, dilation=2",
    "cut": "2, 2, ceil_mode=True",
    "gaps": "2, 3",
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
def test_the_gradient_of_relu_goes_through_a_pooling(window: str, dtype: str) -> None:
    code = IMAGES.format(dtype=dtype, window=window, activation="ReLU", name="relu", skip=False)
    plain_bits, plain_masked = output(code, GYAKU_OPTIMIZE="0", GYAKU_NUM_THREADS="1").split()
    bits, masked = output(code, GYAKU_OPTIMIZE="", GYAKU_NUM_THREADS="2").split()
    assert bits == plain_bits
    assert (plain_masked, masked) == ("True", "False")


@pytest.mark.parametrize(
    ("activation", "name", "skip"),
    [("ReLU", "relu", True), ("LeakyReLU", "leaky_relu", False), ("GELU", "gelu", False)],
)
def test_other_gradients_stay_behind_the_pooling(activation: str, name: str, skip: bool) -> None:
    code = IMAGES.format(dtype="float32", window="2", activation=activation, name=name, skip=skip)
    plain_bits, _ = output(code, GYAKU_OPTIMIZE="0").split()
    bits, masked = output(code, GYAKU_OPTIMIZE="").split()
    assert (bits, masked) == (plain_bits, "True")
