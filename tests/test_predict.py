"""Repeated predictions of a batch shape: replayed, with the bits of a forward pass."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import gyaku as gk
from child import output
from gyaku import _core
from gyaku.train import predict as module
from gyaku.train.capture import MOST

if TYPE_CHECKING:
    from collections.abc import Callable

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.standard_normal((5, 12, 12, 1), np.float32)
LABELS = np.arange(5) % 3


def convnet() -> gk.Sequential:
    model = gk.Sequential(
        gk.Conv2D(4, 3), gk.BatchNorm(), gk.LeakyReLU(0.1), gk.MaxPool2D(2), gk.Dropout(0.2),
        gk.Flatten(), gk.Dense(8, "tanh"), gk.Dense(3, "softmax"),
    )  # fmt: skip
    model.build((12, 12, 1))
    return model


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of replayed predictions, the only entry."""
    count = [0]

    class Counting(_core.Program):
        def answer(self, *arrays: Any) -> Any:
            count[0] += 1
            return super().answer(*arrays)

    monkeypatch.setattr(module, "_core", SimpleNamespace(Program=Counting))
    return count


def same(model: gk.Model, x: np.ndarray[Any, Any], times: int = 4) -> None:
    """Raise unless all predictions have the bits of a forward pass."""
    wanted = model.forward(x).tobytes()
    found = [model.predict(x) for _ in range(times)]
    assert [each.tobytes() for each in found] == [wanted] * times
    assert len({each.ctypes.data for each in found}) == times


@pytest.mark.parametrize("samples", [1, 5])
@pytest.mark.parametrize(
    "convert", [np.float32, np.float64, lambda x: (4 * abs(x)).astype(np.uint8)]
)
def test_a_repeated_prediction_is_replayed(
    samples: int, convert: Callable[[Any], Any], replays: list[int]
) -> None:
    model = convnet()
    model.fit(IMAGES, LABELS, loss="cross_entropy", epochs=2, verbose=0)
    same(model, convert(IMAGES[:samples]))
    assert replays == [2]  # the first is eager, the second captured
    same(model, convert(IMAGES[::-1][:samples].copy()))
    assert replays == [6]


def test_inputs_of_several_kinds_are_replayed(replays: list[int]) -> None:
    ids, numbers = gk.Input((4,), dtype="int32"), gk.Input((3,))
    values = gk.Flatten()(gk.Embedding(9, 2)(ids))
    model = gk.Model([ids, numbers], gk.Dense(2)(gk.Concatenate()(values, numbers)))
    for seed in range(4):
        random = np.random.default_rng(seed)
        x = random.integers(0, 9, (6, 4), np.int32), random.standard_normal((6, 3), np.float32)
        assert model.predict(x).tobytes() == model.forward(x).tobytes()
    assert replays == [2]


def change_weights(model: gk.Model) -> None:
    model.flat_params[...] *= 0.5


def train(model: gk.Model) -> None:
    model.fit(IMAGES, LABELS, loss="cross_entropy", verbose=0)


def freeze_and_train(model: gk.Model) -> None:
    model[0].trainable = False
    train(model)


def change_a_setting(model: gk.Model) -> None:
    model[2].alpha = 0.7


def build_again(model: gk.Model) -> None:
    model.build((12, 12, 1), seed=9)


@pytest.mark.parametrize(
    "change", [change_weights, train, freeze_and_train, change_a_setting, build_again]
)
def test_a_change_of_the_model_is_noticed(change: Callable[[gk.Model], None]) -> None:
    model = convnet()
    for _ in range(3):
        before = model.predict(IMAGES)
    change(model)
    assert model.predict(IMAGES).tobytes() != before.tobytes()
    same(model, IMAGES)


def test_a_layer_of_a_user_runs_each_time(replays: list[int]) -> None:
    class Scale(gk.Layer):
        native = True
        factor = 1.0

        def forward(self, x: Any, training: bool = False) -> Any:
            return x * self.factor

        def backward(self, dy: Any) -> Any:
            return dy

    layer = Scale()
    model = gk.Sequential(gk.Dense(2), layer)
    x = np.ones((3, 4), np.float32)
    for factor in (1.0, 2.0, 3.0, 4.0):
        layer.factor = factor
        assert np.array_equal(model.predict(x), factor * model[0].forward(x))
    assert replays == [0]


def test_states_are_carried_from_prediction_to_prediction() -> None:
    model = gk.Sequential(gk.LSTM(3, stateful=True, return_sequences=True))
    model.build((2, 4))
    x = RANDOM.standard_normal((2, 8, 4), np.float32)
    whole = gk.Sequential(gk.LSTM(3, return_sequences=True))
    whole.build((8, 4))
    whole.flat_params[...] = model.flat_params
    pieces = [model.predict(x[:, i : i + 2]) for i in range(0, 8, 2)]
    assert np.concatenate(pieces, axis=1).tobytes() == whole.predict(x).tobytes()


def test_few_programs_are_kept_and_none_of_large_batches(
    replays: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = gk.Sequential(gk.Dense(2))
    for _ in range(2):
        for samples in range(1, 40):
            model.predict(np.ones((samples, 3), np.float32))
    assert replays == [0]
    assert len(module._shapes[model]) == MOST
    monkeypatch.setattr(module, "LARGEST", 5 * (3 + 2) * 4 - 1)
    for _ in range(4):
        model.predict(np.ones((5, 3), np.float32))
    assert replays == [0]
    assert all(each.program is None for each in module._shapes[model].values())


def test_a_model_with_programs_is_gone_at_once() -> None:
    model = convnet()
    for _ in range(3):
        model.predict(IMAGES)
    watched = weakref.ref(model)
    gc.collect()
    gc.disable()
    try:
        del model
        assert watched() is None
    finally:
        gc.enable()


def test_threads_predict_with_one_model() -> None:
    model = convnet()
    batches = [IMAGES[:1], IMAGES[1:2], IMAGES[2:4], IMAGES]
    wanted = [model.forward(each).tobytes() for each in batches]

    def ask(call: int) -> bool:
        return model.predict(batches[call % 4]).tobytes() == wanted[call % 4]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(400)))


def test_a_failure_while_recording_ends_it() -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    program = _core.Program()
    with pytest.raises(KeyboardInterrupt):
        program.record(fail)
    assert not _core.recording()
    assert program.tasks() == []
    program.record(lambda: [gk.ops.relu(np.ones((2, 3), np.float32))])
    assert len(program.tasks()) == 1


STORM = """
import signal, sys, time
import numpy as np
import gyaku as gk
from gyaku import _core

model = gk.Sequential(gk.Dense(8, "relu"), gk.Dense(2))
x = np.ones((64, 4), np.float32)
wanted = model.predict(x).tobytes()

def interrupt(number, frame):
    raise InterruptedError

signal.signal(signal.SIGALRM, interrupt)
sys.unraisablehook = lambda _: None  # one in a callback of a weak reference is lost
caught, end, rows = 0, time.monotonic() + 0.7, 0
while time.monotonic() < end:
    try:
        while time.monotonic() < end:
            rows = rows % 64 + 1
            signal.setitimer(signal.ITIMER_REAL, 0)  # one that is pending is raised here
            signal.setitimer(signal.ITIMER_REAL, 1e-5 + 5e-6 * rows)
            model.predict(x[:rows], batch_size=1 + rows % 7)  # captured each time
            model.predict(x)
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.monotonic()
    except InterruptedError:
        caught += 1
print(caught > 50, _core.recording(), model.predict(x).tobytes() == wanted)
"""


def test_an_interrupted_prediction_leaves_everything_usable() -> None:
    assert output(STORM).split() == ["True", "False", "True"]
