"""Trainings whose job ends as failed: `mpiexec -n N python distributed_failures.py FOLDER NAME`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from distributed_models import mlp, rows

import gyaku as gk
from gyaku.distributed import MPI


def fails(folder: Path) -> None:
    ranks = MPI()

    class Fails(gk.Layer):
        def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape

        def forward(self, x: Any, training: bool = False) -> Any:
            if ranks.rank == 1 and model.clock[0] > 20:
                raise OSError("the disk of rank 1 is gone")
            return x

        def backward(self, dy: Any) -> Any:
            return dy

    model = gk.Sequential(gk.Dense(8), Fails(), gk.Dense(1))
    kept = gk.ModelCheckpoint(folder / "last.safetensors", steps=2, keep="last")
    model.fit(*rows(), loss="mse", epochs=1000, verbose=0, callbacks=kept, distributed=ranks)


def waits(folder: Path) -> None:
    ranks = MPI()
    kept = gk.ModelCheckpoint(folder / "last.safetensors", steps=2, keep="last")
    (folder / f"pid-{ranks.rank}").write_text(str(os.getpid()))
    mlp().fit(*rows(), loss="mse", epochs=10**7, verbose=0, callbacks=kept, distributed=ranks)


def fails_in_a_callback(folder: Path) -> None:
    """An error that all processes might have, and that the program handles, on the first one."""
    ranks = MPI()

    def fails(epoch: int, logs: dict[str, float]) -> None:
        raise FloatingPointError("the callback of rank 0 divides by zero")

    with contextlib.suppress(FloatingPointError):
        mlp().fit(*rows(), loss="mse", verbose=0, callbacks=fails, distributed=ranks)


def fails_before(folder: Path) -> None:
    """An error outside of `fit`, in a program that shows errors in a way of its own."""
    sys.excepthook = lambda kind, error, traceback: print("in red:", error, file=sys.stderr)
    ranks = MPI()
    if ranks.rank == 1:
        raise OSError("the data of rank 1 are gone")
    mlp().fit(*rows(), loss="mse", verbose=0, distributed=ranks)


def leaves(folder: Path) -> None:
    """An end of one process that is no error for Python."""
    ranks = MPI()
    if ranks.rank == 1:
        sys.exit("no data for rank 1")
    mlp().fit(*rows(), loss="mse", verbose=0, distributed=ranks)


def told_to_end(folder: Path) -> None:
    """SIGTERM for a process that writes no files."""
    ranks = MPI()
    kept = gk.ModelCheckpoint(folder / "told.safetensors", minutes=60, at_signal=True)

    def tell(epoch: int, logs: dict[str, float]) -> None:
        if epoch == 2:
            os.kill(pids[1], signal.SIGTERM)

    pids = ranks.gather(os.getpid())
    mlp().fit(
        *rows(), loss="mse", epochs=10**7, verbose=0, callbacks=[kept, tell], distributed=ranks
    )


FAILURES = {
    function.__name__: function
    for function in (fails, fails_in_a_callback, fails_before, leaves, told_to_end, waits)
}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    FAILURES[sys.argv[2]](Path(sys.argv[1]))
