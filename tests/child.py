"""Run Python code in a process of its own, where it can harm no other test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Command = Callable[..., "subprocess.CompletedProcess[str]"]  # `here` of conftest.py

# For the process of the tests, not for its children: threads of NumPy, and those of OpenMP that
# spin while they wait, would take the cores from what is tested.
FEW_THREADS = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}

# Big enough that every product is shared by the threads; prints what the weights are, bit for bit.
# The number of threads in the environment is an order, or one thread would do most of it.
TRAIN = """
import hashlib, os
import numpy as np
import gyaku as gk

if count := os.environ.get("GYAKU_NUM_THREADS"):
    gk.set_num_threads(int(count), exact=True)

def train(*callbacks):
    rng = np.random.default_rng(0)
    x = rng.random((512, 256), dtype=np.float32)
    target = (10 * x[:, 0]).astype(np.int64)
    model = gk.Sequential(gk.Dense(256), gk.ReLU(), gk.Dropout(0.2), gk.Dense(10))
    model.fit(x, target, loss="softmax_cross_entropy", optimizer="adam", epochs=3, batch_size=100,
              seed=0, callbacks=callbacks, verbose=False)
    return hashlib.sha256(model.flat_params.tobytes()).hexdigest()
"""


def without(variables: dict[str, str]) -> dict[str, str]:
    """Return the environment but for these variables, where they have these values."""
    return {name: x for name, x in os.environ.items() if variables.get(name) != x}


def run(
    code: str, *, timeout: float = 120, prefix: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `code` and return what became of it; a process that hangs fails the test."""
    return subprocess.run(
        [*prefix, sys.executable, "-c", textwrap.dedent(code)],
        env={**without(FEW_THREADS), **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def output(
    code: str, *, timeout: float = 120, prefix: tuple[str, ...] = (), **environment: str
) -> str:
    """Run `code`, which must succeed, and return what it printed."""
    done = run(code, timeout=timeout, prefix=prefix, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def interruptible(
    command: list[str], *, timeout: float = 60, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run a command that Ctrl-C reaches, even where this process was started to ignore it."""

    def hear_ctrl_c() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c, **options
    ) as process:
        alarm = threading.Timer(timeout, process.kill)
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()
