"""Long native work stops within 200 ms of a signal; a step that was begun is undone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Timer

import numpy as np
import pytest

import gyaku as gk

LATEST = 0.2


class Late(Exception):
    """What the handler of a signal raises."""


def latency(work: Callable[[], object], after: float = 0.15) -> float:
    """Return the seconds from a signal during work to its exception."""

    def handle(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        start = time.monotonic()
        with pytest.raises(Late):
            work()
        return time.monotonic() - start - after
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_signal_stops_a_long_product(threads: int) -> None:
    a = np.ones((6000, 6000), np.float32)
    gk.set_num_threads(threads, exact=True)
    assert min(latency(lambda: gk.ops.matmul(a, a)) for _ in range(3)) < LATEST
    small = np.ones((300, 300), np.float32)
    assert gk.ops.matmul(small, small).min() == 300  # the team is usable


@pytest.mark.parametrize("threads", [1, 2])
def test_work_in_pieces_gives_the_same_bits(threads: int) -> None:
    gk.set_num_threads(threads, exact=True)
    random = np.random.default_rng(0)
    a, b = (random.random((2000, 2000), dtype=np.float32) for _ in range(2))
    images = random.random((400, 28, 28, 16), dtype=np.float32)
    filters = random.random((5, 5, 16, 32), dtype=np.float32)
    works = [lambda: gk.ops.matmul(a, b), lambda: gk.ops.conv2d(images, filters)]
    with ThreadPoolExecutor(1) as other:  # no thread but the main one hears of signals
        whole = [other.submit(work).result().tobytes() for work in works]
    assert [work().tobytes() for work in works] == whole


@pytest.mark.parametrize("calls", [0, 1], ids=["first", "captured"])
def test_a_signal_stops_a_long_prediction(calls: int) -> None:
    model = gk.Sequential(*(gk.Dense(2048) for _ in range(6)))
    x = np.ones((8000, 2048), np.float32)
    model.build((2048,))
    few = x[:10]
    expected = model.predict(few)

    def predict() -> None:
        for _ in range(calls):
            model.predict(few)
        model.predict(x, batch_size=8000)

    assert min(latency(predict) for _ in range(3)) < LATEST
    np.testing.assert_array_equal(model.predict(few), expected)


class Press(gk.Callback):
    """Ctrl-C some time after a step has begun."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.began = 0.0

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        if batch == self.step:
            self.began = time.monotonic()
            Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("step", [0, 1], ids=["recorded", "replayed"])
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_undoes_a_long_step(step: int, threads: int) -> None:
    x = np.random.default_rng(0).normal(size=(12_000, 1024)).astype(np.float32)
    y = np.arange(12_000) % 10
    gk.set_num_threads(threads, exact=True)

    def trained(steps: int, *callbacks: gk.Callback) -> tuple[gk.Sequential, str | None]:
        hidden = [part for _ in range(2) for part in (gk.Dense(1024), gk.BatchNorm(), gk.ReLU())]
        model = gk.Sequential(*hidden, gk.Dropout(0.5), gk.Dense(10))
        model.build((1024,), seed=0)
        if not steps:
            return model, None
        history = model.fit(
            *(x[: 6000 * steps], y[: 6000 * steps]),
            loss="softmax_cross_entropy",
            batch_size=6000,
            shuffle=False,
            seed=0,
            callbacks=callbacks,
            verbose=0,
        )
        return model, history.stopped

    press = Press(step)
    with pytest.warns(UserWarning, match=f"interrupted after 0 epochs and {step} steps"):
        model, stopped = trained(2, press)
    assert stopped == "interrupted"
    assert time.monotonic() - press.began - 0.1 < 3 * LATEST  # on a busy machine
    expected = trained(step)[0]
    for found, wanted in zip(state(model), state(expected), strict=True):
        np.testing.assert_array_equal(found, wanted)


def state(model: gk.Model) -> list[np.ndarray]:
    return [model.flat_params, model.flat_buffers, model.clock]
