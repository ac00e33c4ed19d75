"""Ctrl-C: training stops within a second, after a whole step, and keeps what it has."""

from __future__ import annotations

import json
import signal
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import gyaku as gk
from child import interruptible

SCRIPT = """
import json, signal, warnings
import numpy as np
import gyaku as gk

gk.use_backend({backend!r})
gk.set_num_threads(1)  # a busy machine makes two of them wait for each other

class Count(gk.Optimizer):
    def update(self, params, grads):
        params += 1

class EachStep(gk.Callback):
    def on_train_batch_end(self, batch, logs):
        pass

x = np.ones(({samples}, 2))

def train(epochs):
    model = gk.Sequential(gk.Dense(1, use_bias=False, weight_init="zeros"), dtype="float64")
    return model, model.fit(x, x[:, :1] + 1, loss="sum_squared_error", optimizer={optimizer},
                            epochs=epochs, batch_size=4, callbacks={callbacks}, verbose=0)

train(1)
print("begun", flush=True)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model, history = train(10**8)
print("stopped", flush=True)
whole = train(history.epochs)[0] if {again} else model
print(json.dumps({{
    "weight": model.flat_params[0],
    "same": model.flat_params.tobytes() == whole.flat_params.tobytes(),
    "steps": model.optimizer.clock[0],
    "epochs": history.epochs,
    "losses": len(history["loss"]) if history.epochs else 0,
    "stopped": history.stopped,
    "warnings": [str(w.message) for w in caught],
    "handler": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
}}))
"""
CASES = {
    # Many epochs a call; whole epochs of one step, so that they can be trained once more.
    "native": {"samples": 4, "again": True},
    "native, long epochs": {"samples": 40_000},
    "a callback at each step": {"samples": 4_000, "callbacks": "EachStep()"},
    "an optimizer in NumPy": {"samples": 4_000, "optimizer": "Count(1.0)"},
    "the reference": {"samples": 4_000, "optimizer": "Count(1.0)", "backend": "reference"},
}


@pytest.mark.parametrize("name", CASES)
def test_ctrl_c_stops_after_a_whole_step(name: str) -> None:
    settings = {
        "backend": "native",
        "optimizer": "gk.SGD(1e-9)",
        "callbacks": "()",
        "again": False,
        **CASES[name],
    }
    with interruptible([sys.executable, "-c", SCRIPT.format(**settings)]) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.4)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        seconds = time.monotonic() - start
        found = json.loads(process.stdout.readline())
    assert seconds < 1
    assert found["stopped"] == "interrupted"
    assert found["handler"]
    epochs, steps = divmod(int(found["steps"]), settings["samples"] // 4)
    assert found["steps"] > 10
    assert found["epochs"] == found["losses"] == epochs
    assert len(found["warnings"]) == 1
    assert f"fit: interrupted after {epochs} epochs and {steps} steps" in found["warnings"][0]
    if "Count" in settings["optimizer"]:
        assert found["weight"] == found["steps"]
    assert found["same"]


def script(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_a_second_ctrl_c_raises() -> None:
    code = """
    import time, warnings
    import numpy as np
    import gyaku as gk

    def sleep(epoch, logs):
        print("asleep", flush=True)
        time.sleep(100)

    warnings.simplefilter("ignore")
    x = np.ones((4, 1))
    for each in range(3):
        try:
            gk.Sequential(gk.Dense(1)).fit(x, x, loss="mse", callbacks=sleep, verbose=0)
        except KeyboardInterrupt:
            print("raised")
            break
    """
    with interruptible(script(code)) as process:
        assert process.stdout
        assert process.stdout.readline() == "asleep\n"
        for _ in range(2):
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "raised\n"


def test_a_loop_of_fits_is_told_of_ctrl_c_and_goes_on() -> None:
    code = """
    import warnings
    import numpy as np
    import gyaku as gk

    warnings.simplefilter("ignore")
    class Begun(gk.Callback):
        def on_train_begin(self):
            print("begun", flush=True)

    x = np.ones((4, 1))
    for epochs in (10**9, 1):
        model = gk.Sequential(gk.Dense(1))
        done = model.fit(x, x, loss="mse", epochs=epochs, callbacks=Begun(), verbose=0)
        print(done.stopped)
    """
    with interruptible(script(code)) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().split() == ["interrupted", "begun", "None"]


SIGNALS = """
import sys
import numpy as np
import gyaku as gk

x = np.random.default_rng(0).normal(size=(64, 3))
keep = gk.ModelCheckpoint(sys.argv[1], minutes=1e9, at_signal=True)
model = gk.Sequential(gk.Dense(3, "tanh"), gk.Dropout(0.1), gk.Dense(3), name="net")
print("begun", flush=True)
model.fit(x, x, loss="mse", epochs=10**7, batch_size=1, callbacks=keep, resume=True, verbose=0)
print("ended")
"""


def test_sigusr1_saves_and_sigterm_saves_and_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    with interruptible([*script(SIGNALS), str(path)]) as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.5)
        assert not path.exists()
        process.send_signal(signal.SIGUSR1)
        first = step_of(path)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
        assert process.stdout.read() == ""
    last = step_of(path)
    assert 0 < first < last
    assert [each.name for each in tmp_path.iterdir()] == [path.name]

    class Until(gk.Callback):
        def on_steps_end(self, step):
            return step == last and "that far"

    x = np.random.default_rng(0).normal(size=(64, 3))
    model = gk.Sequential(gk.Dense(3, "tanh"), gk.Dropout(0.1), gk.Dense(3), name="net")
    until = Until()
    until.every_steps = last
    model.fit(x, x, loss="mse", epochs=10**7, batch_size=1, callbacks=until, verbose=0)
    assert gk.load(path).flat_params.tobytes() == model.flat_params.tobytes()


def step_of(path: Path) -> int:
    """Return the number of steps of a checkpoint, as soon as it is there."""
    for _ in range(300):
        if path.exists():
            return int(gk.load(path).clock[0])
        time.sleep(0.01)
    raise TimeoutError(path)


def test_handlers_of_the_program_stay_and_the_systems_are_restored(tmp_path: Path) -> None:
    def own(number: int, frame: object) -> None:
        raise AssertionError

    seen = []

    def look(epoch: int, logs: object) -> None:
        seen.append([signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGUSR1)])

    def train() -> None:
        keep = gk.ModelCheckpoint(tmp_path / "last.safetensors", at_signal=True)
        gk.Sequential(gk.Dense(1)).fit(
            np.ones((4, 2)), np.ones((4, 1)), loss="mse", callbacks=[look, keep], verbose=0
        )

    before = signal.signal(signal.SIGUSR1, own)
    try:
        train()
        assert signal.getsignal(signal.SIGUSR1) is own
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        thread = threading.Thread(target=train)
        thread.start()
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    (in_main, in_thread) = seen
    assert in_main[1] is own
    assert in_main[0] not in (own, signal.SIG_DFL)
    assert in_thread == [signal.SIG_DFL, own]
