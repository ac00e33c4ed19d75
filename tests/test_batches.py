"""Batches from iterables: generators, functions that make them, data loaders."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(75, 4)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)
PARTS = [slice(start, start + 16) for start in range(0, 75, 16)]  # the last one is smaller
OPTIONS: dict[str, Any] = {"loss": "softmax_cross_entropy", "metrics": "accuracy", "verbose": 0}
BATCHES = [(X[part], LABELS[part]) for part in PARTS]
Make = Callable[[], Any]


class Tensor:
    """A tensor on the CPU, of which only the conversion is known."""

    def __init__(self, array: Any) -> None:
        self._array = np.asarray(array)
        self.shape = self._array.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        return self._array


class Loader:
    """A data loader: it can be passed over again, and tells its length."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


@pytest.fixture(autouse=True)
def no_thread_left() -> Any:
    """Fail if a reader is still there."""
    yield
    for each in threading.enumerate():
        if "reader" in each.name:
            each.join(1)
            assert not each.is_alive()


def generate() -> Iterator[Any]:
    yield from BATCHES


def net() -> gk.Sequential:
    return gk.Sequential(gk.Dense(8, "relu"), gk.Dense(3, name="class"), seed=1)


def expected(epochs: int = 3) -> tuple[gk.Sequential, gk.History]:
    """Return the training on the same batches of arrays."""
    model = net()
    return model, model.fit(X, LABELS, batch_size=16, shuffle=False, epochs=epochs, **OPTIONS)


FORMS: dict[str, Make] = {
    "function": lambda: generate,
    "loader": lambda: Loader(BATCHES),
    "lists of tensors": lambda: Loader([[Tensor(x), Tensor(y)] for x, y in BATCHES]),
    "keys": lambda: Loader([{"x": x, "y": Tensor(y)} for x, y in BATCHES]),
    "names": lambda: Loader([{"class": y, net().input_names[0]: x} for x, y in BATCHES]),
    "other dtypes": lambda: Loader([(x.astype(float), y.astype("u1")) for x, y in BATCHES]),
    "nested lists": lambda: Loader([(x.tolist(), y.tolist()) for x, y in BATCHES]),
    "function of a list": lambda: lambda: BATCHES,
}


@pytest.mark.parametrize("form", FORMS)
def test_batches_train_as_those_of_an_array(form: str) -> None:
    (one, first), other = expected(), net()
    second = other.fit(FORMS[form](), epochs=3, **OPTIONS)
    assert np.array_equal(one.flat_params, other.flat_params)
    assert dict(first) == dict(second)
    assert second.samples == 75


def test_an_iterator_without_end_has_epochs_of_some_steps() -> None:
    one, first = expected()
    for make in (lambda: cycle(BATCHES), lambda: Loader(BATCHES), lambda: generate):
        other, seen = net(), []
        callback = gk.callbacks.Callback()
        second = other.fit(make(), steps_per_epoch=3, epochs=5, callbacks=callback, **OPTIONS)
        assert np.array_equal(one.flat_params, other.flat_params), seen
        assert second.epochs == 5
        assert callback.steps_per_epoch == 3
        assert second.samples == 43  # the last three batches
    assert first.epochs == 3


def test_no_batch_behind_the_last_one_is_read() -> None:
    numbers = count()
    batches = (BATCHES[next(numbers) % 4] for _ in count())
    net().fit(batches, steps_per_epoch=4, epochs=3, **OPTIONS)
    assert next(numbers) == 12
    net().fit(batches, steps_per_epoch=4, epochs=1, **OPTIONS)  # and the iterator goes on
    assert next(numbers) == 17


def test_the_next_batches_are_read_while_one_trains() -> None:
    read, reached = 0, threading.Event()

    def batches() -> Iterator[Any]:
        nonlocal read
        for _ in range(20):
            read += 1
            if read == 3:
                reached.set()
            yield BATCHES[0]

    class Watch(gk.callbacks.Callback):
        """A callback that waits, in the first step, for the third batch."""

        trained = 0

        def on_train_batch_begin(self, batch: int) -> None:
            assert reached.wait(5)
            assert read - self.trained <= 4  # the memory is bounded
            self.trained += 1

    watch = Watch()
    net().fit(batches, callbacks=watch, **OPTIONS)
    assert watch.trained == read == 20


def test_validation_evaluation_and_prediction_take_batches() -> None:
    model, other = net(), net()
    options = {**OPTIONS, "epochs": 4, "validation_freq": 2}
    first = model.fit(X, LABELS, validation_data=(X, LABELS), validation_batch_size=16, **options)
    for validation in (generate, Loader(BATCHES)):
        other = net()
        second = other.fit(X, LABELS, validation_data=validation, **options)
        np.testing.assert_equal(dict(second), dict(first))
    assert other.evaluate(generate()) == model.evaluate(X, LABELS, batch_size=16)
    wanted = model.predict(X)
    inputs = {"x": [{"x": x} for x, _ in BATCHES], "alone": [x for x, _ in BATCHES]}
    for batches in (BATCHES, *inputs.values(), [[Tensor(x), Tensor(y)] for x, y in BATCHES]):
        assert np.array_equal(other.predict(iter(batches)), wanted)


def test_lengths_and_numbers_of_steps_may_differ_from_batch_to_batch() -> None:
    lengths = RNG.integers(1, 9, 75)
    whole = RNG.normal(size=(75, 8, 2)).astype(np.float32)
    whole[np.arange(8) >= lengths[:, np.newaxis]] = 0

    def model() -> gk.Sequential:
        return gk.Sequential(gk.LSTM(5), gk.Dense(3), seed=1, dtype="float64")

    def cut() -> Iterator[Any]:
        for part in PARTS:
            yield whole[part, : lengths[part].max()], LABELS[part], lengths[part], None

    one, other = model(), model()
    first = one.fit(
        whole, LABELS, lengths=lengths, batch_size=16, shuffle=False, epochs=2, **OPTIONS
    )
    second = other.fit(cut, epochs=2, **OPTIONS)
    np.testing.assert_allclose(second["loss"], first["loss"], rtol=1e-12)
    np.testing.assert_allclose(other.flat_params, one.flat_params, rtol=1e-9)


def test_weights_come_with_the_batches() -> None:
    weights = RNG.integers(1, 4, 75).astype(float)
    options = {**OPTIONS, "epochs": 2}
    one, other, keyed = net(), net(), net()
    given = (X, LABELS, weights)
    first = one.fit(
        *given[:2], sample_weight=weights, batch_size=16, shuffle=False, validation_data=given,
        validation_batch_size=16, **options
    )  # fmt: skip
    batches = Loader([(X[part], LABELS[part], weights[part]) for part in PARTS])
    second = other.fit(batches, validation_data=batches, **options)
    assert np.array_equal(one.flat_params, other.flat_params)
    assert dict(first) == dict(second)
    names = ("x", "y", "sample_weight")
    third = keyed.fit([dict(zip(names, each, strict=True)) for each in batches].__iter__, **options)
    assert third["loss"] == first["loss"]
    without = Loader([(X, LABELS, weights * (np.arange(75) % 2))])  # zero: the sample is not there
    assert net().fit(without, **OPTIONS).samples == 37


@pytest.mark.parametrize("options", [{"accumulate": 2}, {"clip_norm": 0.1}, {"initial_epoch": 1}])
def test_updates_are_those_of_arrays(options: dict[str, Any]) -> None:
    one, other = net(), net()
    options = {**OPTIONS, "epochs": 3, **options}
    first = one.fit(X, LABELS, batch_size=16, shuffle=False, **options)
    second = other.fit(generate, **options)
    assert np.array_equal(one.flat_params, other.flat_params)
    assert dict(first) == dict(second)


def test_callbacks_and_lines_count_as_for_arrays(capsys: pytest.CaptureFixture[str]) -> None:
    class Calls(gk.callbacks.Callback):
        """A callback that keeps its calls."""

        def on_train_begin(self) -> None:
            self.calls: list[tuple[str, int]] = []

        def on_epoch_begin(self, epoch: int) -> None:
            self.calls.append(("epoch", epoch))

        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            self.calls.append(("batch", batch))

        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            self.calls.append(("end", epoch))

    one, other = Calls(), Calls()
    options = {**OPTIONS, "verbose": 2, "epochs": 2}
    net().fit(X, LABELS, batch_size=16, callbacks=one, **options)
    lines = capsys.readouterr().out.splitlines()
    net().fit(generate, callbacks=other, **options)
    assert one.calls == other.calls
    assert one.steps_per_epoch == 5
    assert other.steps_per_epoch == 0  # unknown
    assert len(capsys.readouterr().out.splitlines()) == len(lines)
    net().fit(generate, **{**options, "verbose": 1})
    last = capsys.readouterr().err.strip().split("\r")[-1]
    assert last.startswith("epoch 2/2: 100%")


def test_error_of_the_generator_reaches_the_user() -> None:
    error, model = OSError("the camera is gone"), net()

    def failing() -> Iterator[Any]:
        yield from BATCHES[:3]
        raise error

    for call in (model.fit, model.evaluate):
        with pytest.raises(OSError, match="^the camera is gone") as caught:
            call(failing, loss="softmax_cross_entropy")
        assert caught.value is error
        verb = call.__name__
        assert error.__notes__[-1] == f"{verb}: batch 4 is where x raised this"
    assert model.optimizer is not None
    assert model.optimizer.clock[0] == 3  # the steps on the batches before


def test_ctrl_c_ends_a_fit_that_waits_for_a_batch() -> None:
    wait = threading.Event()

    def slow() -> Iterator[Any]:
        yield BATCHES[0]
        os.kill(os.getpid(), signal.SIGINT)
        wait.wait(0.5)
        yield BATCHES[1]

    with pytest.warns(UserWarning, match="^fit: interrupted after 0 epochs and 1 steps"):
        history = net().fit(slow, **OPTIONS)
    assert history.stopped == "interrupted"


def changed(place: int, batch: Any) -> Make:
    """Return a function of batches of which one is another."""
    return lambda: [*BATCHES[:place], batch, *BATCHES[place:]]


def same(iterator: Any) -> Make:
    """Return a function that does not make a new iterator."""
    return lambda: iterator


@pytest.mark.parametrize(
    ("given", "options", "sentence"),
    [
        (same([]), {}, "fit: x yields no batch"),
        (lambda: 3, {}, "fit: x is a function, which must return an iterator of batches, got int"),
        (
            changed(0, X),
            {},
            "fit: batch 1 must be (x, y), (x, y, sample_weight), (x, y, lengths, sam",
        ),
        (
            changed(2, (X,)),
            {},
            "fit: batch 3 must be (x, y), (x, y, sample_weight), (x, y, lengths, sam",
        ),
        (changed(2, {"a": X, "b": X}), {}, "fit: batch 3 must have the keys x and y, or the names"),
        (
            changed(2, (X[:, :3], LABELS)),
            {},
            "fit: batch 3: x has samples of shape (3,), the model",
        ),
        (changed(2, (X, LABELS[1:])), {}, "fit: batch 3: there are 75 samples but 74 targets in y"),
        (changed(2, (X[:0], LABELS[:0])), {}, "fit: batch 3: x is empty, its shape is (0, 4)"),
        (changed(2, (X.astype(str), LABELS)), {}, "fit: batch 3: x must hold real numbers, got dt"),
        (changed(2, (X, LABELS + 1)), {}, "fit: batch 3: the label 3 in row"),
        (iter(BATCHES), {"epochs": 2}, "fit: x is an iterator, which is passed over once, but 2"),
        (
            iter(BATCHES),
            {"epochs": 2, "steps_per_epoch": 3},
            "fit: epoch 2, batch 3 is missing, x has ended; an iterator is passed over once",
        ),
        (
            same(iter(BATCHES)),
            {"epochs": 2},
            "fit: epoch 2, batch 1 is missing, x yields no",
        ),
        (lambda: zip(X, LABELS, strict=True), {}, "fit: batch 1 is a single sample, x of shape"),
        (generate, {"batch_size": 8}, "fit: batch_size is not for an iterable; its batches are"),
        (generate, {"validation_split": 0.1}, "fit: validation_split is not for an iterable; give"),
        (
            changed(2, (X, LABELS, LABELS)),
            {},
            "fit: batch 3 has weights, but the first batch had none",
        ),
        (generate, {"class_weight": "balanced"}, "fit: class_weight is not for an iterable; its"),
        (generate, {"y": LABELS}, "fit: x is a function, whose batches hold their own y"),
        (
            generate,
            {"optimizer": gk.optim.SGD(gk.schedules.Cosine(0.1))},
            "fit: the schedule Cosine(0.1) spans the whole training, but the iterable does not",
        ),
        (
            generate,
            {"validation_data": changed(2, (X[:, :3], LABELS))},
            "fit: validation batch 3: x has samples of shape (3,), the model expects (4,)",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    given: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(sentence)}"):
        net().fit(given, **options, **OPTIONS)


def test_layer_that_needs_more_samples_is_named_with_the_batch() -> None:
    model = gk.Sequential(gk.Dense(4), gk.BatchNorm(), gk.Dense(3))
    with pytest.raises(ValueError, match=r"^fit: batch 2: BatchNorm.* needs at least 2 samples"):
        model.fit(lambda: [BATCHES[0], (X[:1], LABELS[:1])], **OPTIONS)


def test_values_that_overflow_name_the_last_good_step() -> None:
    large = [*BATCHES[:4], (np.full_like(X, 1e30), LABELS)]
    model = gk.Sequential(gk.Dense(8), gk.Dense(3), seed=1)
    with pytest.raises(gk.NonFiniteError, match=r"since the batches of an iterable pass once\."):
        model.fit([(x, x[:, :3]) for x, _ in large].__iter__(), **{**OPTIONS, "loss": "mse"})
    assert np.isfinite(model.flat_params).all()


def test_batches_of_a_pytorch_loader_are_collated_as_recorded() -> None:
    # Made by tests/torch_loader.py: what a DataLoader yields for three kinds of data sets.
    recorded = json.loads(Path(__file__).with_name("torch_loader.json").read_text())
    results = []
    for kind, batches in recorded.items():
        model = net()
        made = {"pair": list, "names": dict, "stack": tuple}[kind]
        loader = Loader([made(tensors(each)) for each in batches])
        model.fit(loader, epochs=2, **OPTIONS)
        results.append(model.flat_params.tobytes())
    assert len(set(results)) == 1


def tensors(batch: Any) -> Any:
    """Return a recorded batch with tensors in place of lists of numbers."""
    if isinstance(batch, dict):
        return {name: Tensor(np.array(each)) for name, each in batch.items()}
    return [Tensor(np.array(each)) for each in batch]
