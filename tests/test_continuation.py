"""A training that goes on: fit after fit, pickled, copied, saved and loaded, bit for bit."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import safetensors
from gyaku.files import FileError
from gyaku.schedules import Constant, InverseTime, OneCycle

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(1, 256, (22, 6, 6, 1), np.uint8)
CLASSES = np.arange(22) % 3

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "adam by name": lambda: "adam",
    "default": lambda: None,
    "sgd": lambda: gk.SGD(Constant(0.1)),
    "momentum by schedule": lambda: gk.Momentum(InverseTime(0.1, 2)),
    "adamw": lambda: gk.AdamW(0.01, weight_decay=0.1),
    "lbfgs": lambda: gk.LBFGS(),
}
each_optimizer = pytest.mark.parametrize("made", OPTIMIZERS.values(), ids=OPTIMIZERS)


def network() -> gk.Sequential:
    return gk.Sequential(
        *(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(7, "tanh"), gk.BatchNorm()),
        *(gk.Dropout(0.3), gk.Dense(3)),
    )


def train(model: Any, epochs: int, optimizer: Any, **options: Any) -> list[float]:
    options = {"batch_size": 5, "augment": gk.data.Augment(1), **options}
    history = model.fit(
        *(IMAGES, CLASSES),
        loss="softmax_cross_entropy",
        optimizer=optimizer,
        epochs=epochs,
        verbose=0,
        **options,
    )
    return list(history["loss"])


@pytest.fixture
def straight() -> Callable[..., tuple[list[float], bytes]]:
    def run(epochs: int, made: Callable[[], Any], **options: Any) -> tuple[list[float], bytes]:
        model = network()
        return train(model, epochs, made(), **options), model.flat_params.tobytes()

    return run


@each_optimizer
def test_fits_of_one_epoch_are_one_of_many(made: Any, straight: Any) -> None:
    model, optimizer, losses = network(), made(), []
    for epochs in (1, 2, 1):
        losses += train(model, epochs, optimizer)
    assert (losses, model.flat_params.tobytes()) == straight(4, made)
    assert model.epochs_begun == 4


def test_batches_by_length_go_on() -> None:
    x, y = RNG.normal(size=(40, 9, 2)), np.arange(40) % 2
    lengths = RNG.integers(1, 10, 40)

    def run(*all_epochs: int) -> bytes:
        model = gk.Sequential(gk.SimpleRNN(3), gk.Dense(2))
        for epochs in all_epochs:
            model.fit(
                *(x, y),
                lengths=lengths,
                by_length=True,
                loss="softmax_cross_entropy",
                batch_size=4,
                epochs=epochs,
                verbose=0,
            )
        return model.flat_params.tobytes()

    assert run(1, 1, 1) == run(3)


class Look(gk.Layer):
    """A layer that keeps the inputs of its training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def forward(self, x: Any, training: bool = False) -> Any:
        if training:
            self.seen.append(x.copy())
        return x

    def backward(self, dy: Any) -> Any:
        return dy


def test_a_new_seed_begins_a_new_order() -> None:
    look = Look()
    model = gk.Sequential(look, gk.Dense(1))
    x = np.arange(20.0)[:, None]
    for seed in (0, 0, 1, 0):
        model.fit(x, x, loss="mse", batch_size=19, seed=seed, verbose=0)
    first, second, other, again = look.seen[::2]
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_a_full_batch_is_in_the_order_of_the_data(dtype: str) -> None:
    x, y = RNG.integers(0, 9, (120, 30)).astype(dtype), RNG.integers(0, 3, 120)
    x[:, ::2] = 0
    before, found = x.copy(), []
    for shuffle in (True, False):
        look = Look()
        model = gk.Sequential(gk.Dense(7, "tanh"), gk.Dense(3), seed=0)
        watched = gk.Sequential(look, model)
        options: dict[str, Any] = {"loss": "softmax_cross_entropy", "epochs": 3, "verbose": 0}
        model.fit(x, y, batch_size=None, shuffle=shuffle, **options)
        watched.fit(x, y, batch_size=None, shuffle=shuffle, **options)
        assert all(np.array_equal(seen, x) for seen in look.seen)
        found.append(model.flat_params.tobytes())
    assert found[0] == found[1]
    assert np.array_equal(x, before)
    assert x.flags.writeable


def test_a_named_optimizer_of_another_kind_or_seed_is_new() -> None:
    model = network()
    train(model, 1, "adam")
    kept = model.optimizer
    train(model, 1, "adam")
    assert model.optimizer is kept
    train(model, 1, "momentum")
    assert type(model.optimizer) is gk.Momentum
    train(model, 1, "adam")
    assert model.optimizer is not kept
    kept = model.optimizer
    train(model, 1, "adam", seed=1)
    assert model.optimizer is not kept


def test_a_cycle_without_a_length_is_that_of_each_fit() -> None:
    model, optimizer = network(), gk.SGD(OneCycle(0.1))
    rates: list[float] = []
    for _ in range(2):
        train(model, 4, optimizer, callbacks=lambda epoch, logs: rates.append(optimizer.rate))
    assert rates[:4] == rates[4:]


def test_a_rate_set_between_two_fits_begins_with_the_second() -> None:
    model, optimizer = network(), gk.SGD(0.1)
    train(model, 3, optimizer)
    optimizer.learning_rate = InverseTime(0.4, 4)
    rates: list[float] = []
    train(
        *(model, 3, optimizer),
        batch_size=None,
        callbacks=lambda epoch, logs: rates.append(optimizer.rate),
    )
    np.testing.assert_array_equal(rates, InverseTime(0.4, 4)(np.arange(3)))


def test_a_cycle_set_in_mid_training_lasts_to_its_end() -> None:
    rates: list[float] = []

    def change(epoch: int, logs: Any) -> None:
        rates.append(optimizer.rate)
        if epoch == 2:
            optimizer.learning_rate = OneCycle(0.1)

    optimizer = gk.SGD(0.5)
    train(network(), 9, optimizer, batch_size=None, callbacks=change)
    np.testing.assert_array_equal(rates[3:], OneCycle(0.1, 6)(np.arange(6)))


def travel_by_pickle(model: Any, optimizer: Any, folder: Path) -> tuple[Any, Any]:
    return pickle.loads(pickle.dumps((model, optimizer)))


def travel_alone(model: Any, optimizer: Any, folder: Path) -> tuple[Any, Any]:
    model = pickle.loads(pickle.dumps(model))
    return model, model.optimizer


def travel_by_copy(model: Any, optimizer: Any, folder: Path) -> tuple[Any, Any]:
    model = copy.deepcopy(model)
    return model, model.optimizer


def travel_by_file(model: Any, optimizer: Any, folder: Path) -> tuple[Any, Any]:
    model.save(folder / "model.safetensors")
    model = gk.load(folder / "model.safetensors")
    return model, model.optimizer


@pytest.mark.parametrize("travel", [travel_by_pickle, travel_alone, travel_by_copy, travel_by_file])
@each_optimizer
def test_a_training_travels(made: Any, travel: Any, straight: Any, tmp_path: Path) -> None:
    model, optimizer = network(), made()
    losses = train(model, 2, optimizer)
    model, optimizer = travel(model, optimizer, tmp_path)
    losses += train(model, 2, optimizer)
    assert (losses, model.flat_params.tobytes()) == straight(4, made)


@pytest.mark.parametrize("travel", [travel_by_pickle, travel_by_file])
def test_a_schedule_given_to_a_travelled_optimizer_begins_with_the_next_step(
    travel: Any, tmp_path: Path
) -> None:
    model, optimizer = network(), gk.SGD(InverseTime(0.1, 2))
    train(model, 2, optimizer)
    model, optimizer = travel(model, optimizer, tmp_path)
    optimizer.learning_rate = InverseTime(0.4, 4)
    rates: list[float] = []
    train(
        *(model, 3, optimizer),
        batch_size=None,
        callbacks=lambda epoch, logs: rates.append(optimizer.rate),
    )
    np.testing.assert_array_equal(rates, InverseTime(0.4, 4)(np.arange(3)))


def test_a_training_with_frozen_layers_travels(tmp_path: Path) -> None:
    def frozen() -> gk.Sequential:
        model = network()
        model.layers[2].trainable = False
        return model

    whole, model = frozen(), frozen()
    train(whole, 4, "adam")
    train(model, 2, "adam")
    model, _ = travel_by_file(model, None, tmp_path)
    train(model, 2, "adam")
    assert model.flat_params.tobytes() == whole.flat_params.tobytes()


def test_a_file_without_the_optimizer(tmp_path: Path) -> None:
    model = network()
    train(model, 1, "adam")
    model.save(tmp_path / "small.safetensors", optimizer=False)
    model.save(tmp_path / "whole.safetensors")
    small, whole = (gk.load(tmp_path / f"{name}.safetensors") for name in ("small", "whole"))
    assert small.optimizer is None
    assert small.epochs_begun == 0
    assert whole.optimizer.state["m"].any()
    tensors, _ = safetensors.read(tmp_path / "small.safetensors")
    assert tensors.keys() == model.params.keys() | model.buffers.keys()
    with pytest.raises(TypeError, match="save: optimizer must be True or False, got 'adam'"):
        model.save(tmp_path / "whole.safetensors", optimizer="adam")  # type: ignore[arg-type]


class Own(gk.Optimizer):
    def update(self, params: Any, grads: Any) -> None:
        params -= self.rate * grads


@pytest.mark.parametrize(
    "made",
    [lambda: Own(0.1), lambda: gk.SGD(lambda steps: 0.1 / (1 + steps))],
    ids=["optimizer", "schedule"],
)
def test_an_optimizer_of_ones_own_is_left_out_of_files(made: Any, tmp_path: Path) -> None:
    model = network()
    train(model, 1, made())
    model.save(tmp_path / "model.safetensors")
    assert gk.load(tmp_path / "model.safetensors").optimizer is None


SCHEDULE = {"class": "InverseTime", "config": {"rate": 1, "steps": 1}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, a: t.pop("optimizer:m"), "Adam has the buffers m, v, not ['v']"),
        (lambda t, a: t.update({"optimizer:m": np.zeros(3, "f4")}), "Adam: m has shape (3,), not"),
        (lambda t, a: t.update({"optimizer:w": np.zeros(3, "f4")}), "Adam has the buffers m, v"),
        (lambda t, a: a.pop("training"), "'training'"),
        (lambda t, a: a["training"].update(clock=[1]), "a step state is four numbers, not [1]"),
        (lambda t, a: a["training"].update(epochs=-1), "epochs must be at least 0, got -1"),
        (lambda t, a: a["optimizer"].update(SCHEDULE), "is no optimizer"),
        (lambda t, a: a["optimizer"].update({"class": "Evil"}), "unknown"),
        (lambda t, a: a.pop("optimizer"), "unexpected tensors: optimizer:m"),
    ],
    ids=str.split("missing shape more no-training clock epochs kind unknown no-optimizer"),
)  # fmt: skip
def test_a_file_whose_training_is_inconsistent(change: Any, words: str, tmp_path: Path) -> None:
    import json

    path = tmp_path / "model.safetensors"
    model = network()
    train(model, 1, "adam")
    model.save(path)
    tensors, metadata = safetensors.read(path)
    del metadata["gyaku.checksum"]
    architecture = json.loads(metadata["gyaku.architecture"])
    tensors = dict(tensors)
    change(tensors, architecture)
    safetensors.write(path, tensors, {**metadata, "gyaku.architecture": json.dumps(architecture)})
    with pytest.raises(FileError) as caught:
        gk.load(path)
    assert words in str(caught.value)


@pytest.mark.parametrize("look", ["evaluate", "predict", "forward"])
def test_a_look_before_the_training_changes_no_initial_weights(look: str) -> None:
    def trained(seed: int, looks: bool) -> bytes:
        model = network()
        if looks and look == "evaluate":
            model.evaluate(IMAGES, CLASSES, loss="softmax_cross_entropy")
        elif looks:
            getattr(model, look)(IMAGES)
        train(model, 1, "adam", seed=seed)
        return model.flat_params.tobytes()

    assert trained(0, True) == trained(0, False)
    assert trained(1, True) == trained(1, False) != trained(0, False)


def test_weights_that_were_changed_or_given_stay() -> None:
    def initial(model: gk.Sequential) -> Any:
        model.fit(
            np.ones((2, 3)), [0, 1], loss="softmax_cross_entropy", optimizer=gk.SGD(1e-30), seed=1,
            verbose=0,
        )  # fmt: skip
        return model.flat_params.round(6)  # the biases move by 1e-30

    x = np.ones((2, 3))
    changed = gk.Sequential(gk.Dense(2))
    changed.predict(x)
    changed.params["dense.weight"] = np.arange(6.0).reshape(changed.params["dense.weight"].shape)
    kept = changed.flat_params.round(6)
    np.testing.assert_array_equal(initial(changed), kept)

    built = gk.Sequential(gk.Dense(2))
    built.build((3,))
    kept = built.flat_params.round(6)
    np.testing.assert_array_equal(initial(built), kept)

    part = gk.Sequential(gk.Dense(2))
    initial(part)
    whole = gk.Sequential(part, gk.Flatten())
    whole.predict(x)
    kept = whole.flat_params.round(6)
    np.testing.assert_array_equal(initial(whole), kept)
