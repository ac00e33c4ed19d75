"""Whole trainings give the same bits on one, two, three, four and eight threads."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk

THREADS = (1, 2, 3, 4, 8)
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 96)).astype(np.float32)
IMAGES = RANDOM.integers(0, 256, (48, 12, 12, 3)).astype(np.uint8)
SEQUENCES = RANDOM.normal(size=(40, 9, 16)).astype(np.float32)
WORDS = RANDOM.integers(0, 50, (40, 9))
LENGTHS = RANDOM.integers(1, 10, 40)

TRAININGS: dict[str, tuple[Callable[[], list[gk.Layer]], Any, dict[str, Any]]] = {
    "dense": (lambda: [gk.Dense(200, "gelu"), gk.LayerNorm(), gk.Dense(3)], ROWS, {}),
    "convolutions": (
        lambda: [
            *(gk.Rescaling(1 / 255), gk.Conv2D(16, 3, padding="same"), gk.BatchNorm()),
            *(gk.ReLU(), gk.MaxPool2D(2), gk.Conv2D(8, 3), gk.GlobalAvgPool2D(), gk.Dropout(0.3)),
            gk.Dense(3),
        ],
        IMAGES,
        {"augment": gk.data.Augment(shift=1)},
    ),
    "many channels": (
        lambda: [
            *(gk.Rescaling(1 / 255), gk.Conv2D(64, 3, padding="same", activation="relu")),
            *(gk.Conv2D(70, 3), gk.MaxPool2D(2), gk.Conv2D(64, 3), gk.BatchNorm()),
            *(gk.GlobalAvgPool2D(), gk.Dense(3)),
        ],
        IMAGES,
        {},
    ),
    "lstm": (
        lambda: [gk.Bidirectional(gk.LSTM(24, return_sequences=True)), gk.LSTM(16), gk.Dense(3)],
        SEQUENCES,
        {"lengths": LENGTHS},
    ),
    "gru": (lambda: [gk.GRU(24), gk.Dense(3)], SEQUENCES, {"lengths": LENGTHS, "by_length": True}),
    "rnn": (lambda: [gk.Embedding(50, 12), gk.SimpleRNN(40), gk.Dense(3)], WORDS, {}),
}


def trained(make: Callable[[], list[gk.Layer]], x: Any, options: dict[str, Any]) -> str:
    """Train from a seed, and return what the weights, the losses and the predictions are."""
    model = gk.Sequential(*make())
    y = np.arange(len(x)) % 3
    history = model.fit(
        *(x, y),
        loss="softmax_cross_entropy",
        optimizer="adam",
        epochs=2,
        batch_size=28,
        metrics=["accuracy"],
        seed=3,
        verbose=0,
        **options,
    )
    lengths = {"lengths": options["lengths"]} if "lengths" in options else {}
    found = hashlib.sha256(model.flat_params.tobytes() + model.flat_buffers.tobytes())
    found.update(model.predict(x, **lengths).tobytes())
    return f"{found.hexdigest()} {dict(history)}"


@pytest.mark.parametrize("name", TRAININGS)
def test_threads_change_no_bit_of_a_training(name: str, set_threads: Callable[[int], None]) -> None:
    results = []
    for threads in THREADS:
        with warnings.catch_warnings(action="ignore"):  # a small machine has fewer threads
            set_threads(threads)
        results.append(trained(*TRAININGS[name]))
    assert results == results[:1] * len(THREADS)
