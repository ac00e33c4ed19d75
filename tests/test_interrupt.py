"""Ctrl-C: training stops within a second, after a whole step, and keeps what it has."""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

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


def test_a_second_ctrl_c_ends_what_does_not_end() -> None:
    code = """
    import time, warnings
    import numpy as np
    import gyaku as gk

    def sleep(epoch, logs):
        print("asleep", flush=True)
        time.sleep(100)

    warnings.simplefilter("ignore")
    x = np.ones((4, 1))
    model = gk.Sequential(gk.Dense(1))
    print(model.fit(x, x, loss="sum_squared_error", callbacks=sleep, verbose=0).stopped)
    """
    code = "\n".join(line[4:] for line in code.splitlines())
    with interruptible([sys.executable, "-c", code]) as process:
        assert process.stdout
        assert process.stdout.readline() == "asleep\n"
        for _ in range(2):
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
