"""Kill a small training at random moments, resume it, and compare with one that ran through.

``python tests/kills.py 200`` prints what differs, as JSON: nothing.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np

import gyaku as gk

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 6)).astype(np.float32)
Y = (X @ RANDOM.normal(size=(6, 3))).argmax(axis=1)


class Slow(gk.Callback):
    """Time for kills."""

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        time.sleep(0.001)


def train(folder: Path) -> None:
    """Train, or go on, and write the result."""
    model = gk.Sequential(
        *(gk.Dense(8, "tanh"), gk.BatchNorm(), gk.Dropout(0.2), gk.Dense(3)), name="net"
    )
    history = model.fit(
        *(X, Y),
        loss="softmax_cross_entropy",
        optimizer=gk.Adam(gk.schedules.OneCycle(0.05)),
        epochs=8,
        batch_size=7,
        validation_split=0.25,
        metrics=["accuracy", "auc"],
        callbacks=[
            Slow(),
            gk.ModelCheckpoint(folder / "last.safetensors", steps=4),
            gk.ModelCheckpoint(folder / "best.safetensors", keep="best"),
            gk.ModelCheckpoint(folder / "{epoch:02}-{val_loss:.3f}.safetensors", keep=2),
            gk.CSVLogger(folder / "log.csv"),
            gk.EMA(0.9),
            gk.EarlyStopping(patience=5, restore_best=False),
        ],
        resume=True,
        verbose=0,
    )
    result = {
        "weights": model.flat_params.tobytes().hex(),
        "buffers": model.flat_buffers.tobytes().hex(),
        "history": repr(dict(history)),
        "stopped": history.stopped,
        "log": (folder / "log.csv").read_text(),
        "files": sorted(path.name for path in folder.iterdir() if path.suffix != ".json"),
        "saved": {
            path.name: gk.load(path).flat_params.tobytes().hex()
            for path in folder.glob("*.safetensors")
        },
    }
    (folder / "unfinished.json").write_text(json.dumps(result))
    (folder / "unfinished.json").replace(folder / "result.json")


def run(folder: Path, seconds: float | None) -> bool:
    """Train in a process that is killed after a time, and return whether it came to its end."""
    process = os.fork()
    if not process:
        code = 1
        try:
            train(folder)
            code = 0
        finally:  # before anything of the parent's runs once more
            if code:
                traceback.print_exc()
            os._exit(code)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the training ended with {code}")
    return code == 0


def result_of(folder: Path) -> dict[str, Any]:
    text = (folder / "result.json").read_text()
    (folder / "result.json").unlink()
    return dict(json.loads(text))


def main(kills: int, seed: int = 0, folder: str | None = None) -> dict[str, Any]:
    """Return what differs between trainings that were killed and one that was not."""
    chance = random.Random(seed)
    done, rounds, differing = 0, 0, set[str]()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        whole = Path(name, "whole")
        whole.mkdir()
        start = time.monotonic()
        run(whole, None)
        length, expected = time.monotonic() - start, result_of(whole)
        while done < kills:
            broken = Path(name, str(rounds))
            broken.mkdir()
            finished = broken / "result.json"
            while not finished.exists() and done < kills:
                done += not run(broken, chance.uniform(0, length / 2))
            if not finished.exists():
                run(broken, None)
            found = result_of(broken)
            differing |= {key for key in expected if found[key] != expected[key]}
            rounds += 1
    return {"kills": done, "trainings": rounds, "seconds": length, "differing": sorted(differing)}


if __name__ == "__main__":
    found = main(int(sys.argv[1]) if sys.argv[1:] else 200)
    print(json.dumps(found))
    sys.exit(bool(found["differing"]))
