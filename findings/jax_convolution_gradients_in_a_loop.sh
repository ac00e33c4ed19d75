#!/usr/bin/env bash
# jax 0.10.2, on a CPU: the advice for speed is to compile a whole epoch as one program, with its steps
# in `lax.scan` or `lax.fori_loop`. One would expect a step to take as long in such a loop as when the
# same compiled step is called from Python, or less.
#
# Seen, channels last: the convolution itself does; its gradients with respect to the weights and to
# the input take several times as long in the loop (4 to 20 times on two cores with AVX2), with the
# same bits. The same is seen in Keras and TensorFlow, where `jit_compile=True` compiles the steps
# together: a training of LeNet took 365 ms a step in such a loop, 20 ms outside (not run here).
#
# So who compares the training of convolutional networks on a CPU has to try both ways and to take the
# faster one. Fails if the gradients in the loop take less than twice the time.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
JAX_PLATFORMS=cpu "$work/venv/bin/python" - <<'PYTHON'
from time import perf_counter

import jax
import jax.numpy as jnp
from jax import lax

print("jax", jax.__version__)
STEPS = 5


def conv(x, w):
    return lax.conv_general_dilated(
        x, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


x, w = jnp.ones((16, 24, 24, 20)), jnp.full((5, 5, 20, 48), 0.01)
dy = conv(x, w)
steps = {
    "forward": lambda x, w: (x + 1e-9 * conv(x, w).mean(), w),
    "weights": lambda x, w: (x, w + 1e-9 * jax.vjp(lambda w: conv(x, w), w)[1](dy)[0]),
    "input": lambda x, w: (x + 1e-9 * jax.vjp(lambda x: conv(x, w), x)[1](dy)[0], w),
}


def shortest(call):
    """Return the result and the shortest of five times."""
    jax.block_until_ready(call())
    times = []
    for _ in range(5):
        start = perf_counter()
        result = jax.block_until_ready(call())
        times.append(perf_counter() - start)
    return result, min(times)


for name, step in steps.items():
    one = jax.jit(step)
    together = jax.jit(lambda x, w, step=step: lax.fori_loop(0, STEPS, lambda _, c: step(*c), (x, w)))

    def called(one=one):
        carry = x, w
        for _ in range(STEPS):
            carry = one(*carry)
        return carry

    (outside, slow), (inside, looped) = shortest(called), shortest(lambda: together(x, w))
    ratio = looped / slow
    print(f"{name}: in the loop {ratio:.1f} times as long")
    assert all(jnp.array_equal(a, b) for a, b in zip(outside, inside, strict=True))
    assert ratio < 2 if name == "forward" else ratio > 2
PYTHON
