"""A build that is refused or interrupted changes nothing: the model predicts as before."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk

X = np.random.default_rng(0).normal(size=(5, 6, 3)).astype(np.float32)
PACKAGE = str(Path(gk.__file__).parent)


def plain() -> gk.Model:
    return gk.Sequential(
        gk.Dense(4, "relu"), gk.BatchNorm(), gk.SimpleRNN(3), gk.Dense(2), gk.Dropout(0.1)
    )


def nested() -> gk.Model:
    shared = gk.Dense(3)
    inner = gk.Sequential(gk.Bidirectional(gk.LSTM(2, return_sequences=True)), gk.Dense(3))
    x = gk.Input((6, 3))
    return gk.Model(x, gk.Dense(2)(gk.Flatten()(inner(shared(shared(x))))))


MODELS = {"plain": plain, "nested": nested}
each_model = pytest.mark.parametrize("made", MODELS.values(), ids=MODELS)


def trained(made: Callable[[], gk.Model]) -> gk.Model:
    model = made()
    model.fit(X, np.arange(5) % 2, loss="softmax_cross_entropy", epochs=2, verbose=0)
    return model


def facts(model: gk.Model) -> Any:
    arrays = {**model.params, **model.buffers}
    layer = model.layers[0]
    return (
        model.predict(X).tobytes(),
        {name: array.tobytes() for name, array in arrays.items()},
        model.input_shape,
        model.dtype,
        {name: array.tobytes() for name, array in layer.params.items()},
    )


@each_model
@pytest.mark.parametrize("shape", [(6,), (6, 3, 2), (0, 3), (6, 2**50), "6"], ids=str)
def test_a_refused_build_changes_nothing(made: Any, shape: Any) -> None:
    model = trained(made)
    before = facts(model)
    with pytest.raises((ValueError, TypeError, MemoryError)):
        model.build(shape, dtype="float64")
    assert facts(model) == before
    model.fit(X, np.arange(5) % 2, loss="softmax_cross_entropy", verbose=0)


@each_model
def test_an_interrupted_build_changes_nothing(made: Any) -> None:
    model = trained(made)
    before = facts(model)
    lines = 0

    def interrupt_at(line: int) -> bool:
        """Interrupt a build at a line of Python, and return whether there was such a line."""
        nonlocal lines
        lines = 0

        def trace(frame: Any, event: str, argument: object) -> Any:
            nonlocal lines
            if not frame.f_code.co_filename.startswith(PACKAGE):
                return None
            if event == "line":
                lines += 1
                if lines == line:
                    raise KeyboardInterrupt
            return trace

        old = sys.gettrace()
        sys.settrace(trace)
        try:
            model.build((6, 3), seed=7)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(old)
        return False

    step, line = (7, 1)
    while interrupt_at(line):
        assert facts(model) == before, line
        line += step
    assert line > 300


@pytest.mark.parametrize("verb", ["sequential", "model", "build", "fit"])
def test_a_model_in_training_keeps_its_parameters(verb: str) -> None:
    messages = []
    options: dict[str, Any] = {"loss": "softmax_cross_entropy", "verbose": 0}
    meddles: dict[str, Callable[[], object]] = {
        "sequential": lambda: gk.Sequential(model, gk.Softmax()).predict(X),
        "model": lambda: gk.Model(x := gk.Input((6, 3)), gk.Softmax()(model(x))).predict(X),
        "build": lambda: model.build((6, 3)),
        "fit": lambda: model.fit(X, np.arange(5) % 2, **options),
    }

    def meddle(epoch: int, logs: Any) -> None:
        with pytest.raises(RuntimeError) as caught:
            meddles[verb]()
        messages.append(str(caught.value))

    model, expected = plain(), plain()
    history = model.fit(X, np.arange(5) % 2, epochs=3, callbacks=meddle, **options)
    assert history["loss"] == expected.fit(X, np.arange(5) % 2, epochs=3, **options)["loss"]
    assert model.flat_params.tobytes() == expected.flat_params.tobytes()
    part = "cannot be built while its part Sequential 'sequential' is in training; put a copy into"
    wanted = {
        "build": "Sequential: cannot be built while it is in training",
        "fit": "fit: the model is in training already, by the fit that called this one",
    }
    assert len(messages) == 3
    assert all(wanted.get(verb, part) in message for message in messages)
    gk.Sequential(model, gk.Softmax()).predict(X)


def test_a_part_of_a_model_in_training_is_not_saved_by_another_thread(tmp_path: Path) -> None:
    part = plain()
    whole = gk.Sequential(part, gk.Dense(2))
    errors = []

    def save() -> None:
        try:
            part.save(tmp_path / "part.safetensors")
        except RuntimeError as error:
            errors.append(str(error))

    def meanwhile(epoch: int, logs: Any) -> None:
        thread = threading.Thread(target=save)
        thread.start()
        thread.join()

    whole.fit(X, np.arange(5) % 2, loss="softmax_cross_entropy", callbacks=meanwhile, verbose=0)
    assert errors == [
        "save: another thread uses this model; wait for it, or give each thread a model"
    ]
    save()
    assert len(errors) == 1
