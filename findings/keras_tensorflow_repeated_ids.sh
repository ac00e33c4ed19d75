#!/usr/bin/env bash
# keras 3.15.1 on tensorflow-cpu 2.21.0: an id that occurs several times in a batch has, in the table
# of an `Embedding`, the sum of the gradients of its occurrences. One would expect an optimizer to
# take this sum: the first step of Adam moves every element by the learning rate, whatever its
# gradient, and the same model takes the same step on every backend.
#
# Seen: on TensorFlow the gradient arrives as `IndexedSlices` with repeated indices, and the adaptive
# optimizers square the slices one by one before they are added: v grows by a² + b² instead of
# (a + b)². With two equal ids in a batch, the first step of Adam with a rate of 0.01 is 0.0141, that
# of RMSprop 0.0447 instead of 0.0316, that of Adagrad 0.0141; with n equal ids it is √n times too
# long. SGD is right, and so are all of them on JAX. Compilation by XLA changes nothing.
#
# So frequent words are trained with larger steps on TensorFlow than elsewhere, silently, and losses
# of the two backends part. Fails if the behaviour changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  keras==3.15.1 tensorflow-cpu==2.21.0 jax==0.10.2
cat > "$work/step.py" <<'PYTHON'
import math

import keras
import numpy as np

rate, backend = 0.01, keras.backend.backend()


def step(optimizer: keras.optimizers.Optimizer, ids: list[int]) -> float:
    """Return by how much a step on the sum of the vectors of two ids moves that of id 0."""
    layer = keras.layers.Embedding(2, 1, embeddings_initializer="zeros")
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layer])
    model.compile(optimizer, loss=lambda t, y: keras.ops.sum(y))
    model.train_on_batch(np.array([ids], np.int32), np.zeros((1, 2, 1), np.float32))
    return -float(layer.get_weights()[0][0, 0])


makers = {
    "SGD": lambda: keras.optimizers.SGD(rate),
    "Adam": lambda: keras.optimizers.Adam(rate),
    "RMSprop": lambda: keras.optimizers.RMSprop(rate),
    "Adagrad": lambda: keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0),
}
for name, make in makers.items():
    once, twice = step(make(), [0, 1]), step(make(), [0, 0])
    print(f"{backend}: {name}: id 0 once {once:.4f}, twice {twice:.4f}")
    wanted = 2.0 if name == "SGD" else math.sqrt(2) if backend == "tensorflow" else 1.0
    assert math.isclose(twice / once, wanted, rel_tol=1e-3), (name, twice / once, wanted)
PYTHON
for backend in tensorflow jax; do
  KERAS_BACKEND=$backend TF_CPP_MIN_LOG_LEVEL=3 "$work/venv/bin/python" "$work/step.py"
done
