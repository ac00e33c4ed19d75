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
