"""fit, evaluate and predict: what they compute, show and call."""

from __future__ import annotations

import copy
import gc
import math
import os
import pickle
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku.train.samples import Samples
from gyaku.train.steps import Training

XOR_X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
XOR_Y = np.array([[0], [1], [1], [0]], np.float32)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)
ENTROPY = "softmax_cross_entropy"


def net(*, units: int = 8, **options: Any) -> gk.Sequential:
    return gk.Sequential(gk.Dense(units, "relu"), gk.Dense(3), **options)


def xor_net() -> gk.Sequential:
    return gk.Sequential(gk.Dense(2, "sigmoid"), gk.Dense(1, "sigmoid"))


@pytest.mark.parametrize(
    ("batch_size", "optimizer", "epochs"),
    [(1, gk.SGD(0.5), 10_000), (None, gk.Adam(0.1), 1_000), (3, gk.Momentum(0.2), 4_000)],
    ids=["on-line", "batch", "mini-batch"],
)
def test_xor_is_learnt(batch_size: int | None, optimizer: Any, epochs: int) -> None:
    model = xor_net()
    history = model.fit(
        *(XOR_X, XOR_Y),
        loss="sum_squared_error",
        optimizer=optimizer,
        epochs=epochs,
        batch_size=batch_size,
        metrics=["accuracy"],
        seed=3,
        verbose=0,
    )
    assert history.epochs == epochs == len(history["loss"]) == len(history.seconds)
    assert history["accuracy"][-1] == 1
    assert history["loss"][-1] < 0.01 < history["loss"][0]
    np.testing.assert_array_equal(model.predict(XOR_X).round(), XOR_Y)


@pytest.mark.parametrize("batch_size", [1, 3, None])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_many_epochs_in_one_call_are_the_same_epochs(backend: str, batch_size: int | None) -> None:
    gk.use_backend(backend)
    found = []
    # A callback at each epoch, or at each step, keeps calls short.
    for callback in ([], [lambda epoch, logs: None], [EachStep()]):
        model = xor_net()
        history = model.fit(
            *(XOR_X, XOR_Y),
            loss="sum_squared_error",
            optimizer=gk.SGD(gk.schedules.InverseTime(0.5, 100)),
            epochs=50,
            batch_size=batch_size,
            callbacks=callback,
            verbose=0,
        )
        found.append((model.flat_params.tobytes(), history["loss"]))
    assert found[0] == found[1] == found[2]


def test_epochs_beyond_one_order_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def train() -> tuple[bytes, list[float]]:
        model = xor_net()
        history = model.fit(
            XOR_X, XOR_Y, loss="sum_squared_error", epochs=50, batch_size=3, verbose=0
        )
        return model.flat_params.tobytes(), history["loss"]

    whole = train()
    monkeypatch.setattr("gyaku.train.steps._ORDER", 30)  # seven epochs of four samples
    assert train() == whole


def test_the_history_is_the_loss_on_the_way() -> None:
    model = net()
    history = model.fit(X, LABELS, loss=ENTROPY, batch_size=None, epochs=2, verbose=0)
    again = net()
    again.build((4,))
    before = again.evaluate(X, LABELS, loss=ENTROPY)
    assert history["loss"][0] == pytest.approx(before["loss"], rel=1e-6)
    assert history.last() == {"loss": history["loss"][1]}
    assert history.stopped is None


@pytest.mark.parametrize("size", [1, 7, 90, 1000])
def test_evaluate_is_loss_and_metrics_over_all_samples(size: int) -> None:
    model = net(dtype="float64")
    y = model.forward(X)
    found = model.evaluate(X, LABELS, loss=ENTROPY, metrics=["accuracy"], batch_size=size)
    assert found["loss"] == pytest.approx(float(gk.losses.loss(ENTROPY)(y, LABELS)[0]), rel=1e-13)
    assert found["accuracy"] == np.mean(y.argmax(axis=1) == LABELS)
    summed = gk.losses.SoftmaxCrossEntropy(reduction="sum")
    total = model.evaluate(X, LABELS, loss=summed, batch_size=size)["loss"]
    assert total == pytest.approx(90 * found["loss"], rel=1e-13)


def test_no_array_becomes_text_that_nobody_sees() -> None:
    def explode(value: object) -> str:
        raise AssertionError(f"{value} was made text")

    with np.printoptions(formatter={"all": explode}):
        model = net()
        model.fit(X, LABELS, loss=ENTROPY, validation_split=0.2, epochs=2, verbose=0)
        model.evaluate(X, LABELS)
        for size in (512, 7):
            model.predict(X, batch_size=size)


def test_one_batch_is_predicted_without_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    model = net()
    wanted = model.predict(X, batch_size=7)
    monkeypatch.setattr("gyaku.train.capture._core.Program", None)
    np.testing.assert_array_equal(model.predict(X), wanted)
    np.testing.assert_array_equal(model.predict(X.astype(np.float64)), wanted)


def test_a_prediction_is_the_callers_own() -> None:
    model = gk.Sequential(gk.Identity())
    x = np.ones((3, 2), np.float32)
    model.predict(x)[...] = 0
    assert x.all()


@pytest.mark.parametrize("size", [1, 7, 90, 1000])
@pytest.mark.parametrize("backend", ["native", "reference"])
def test_predict_is_forward(size: int, backend: str) -> None:
    gk.use_backend(backend)
    model = net(dtype="float64")
    wanted = model.forward(X)
    found = model.predict(X, batch_size=size)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-14)
    assert found.dtype == np.float64


def test_metrics_are_names_objects_and_functions() -> None:
    def largest_error(y: NDArray[Any], t: NDArray[Any]) -> float:
        return float(np.abs(y - t).max())

    model = gk.Sequential(gk.Dense(1))
    history = model.fit(
        *(X, X[:, 0]),
        loss="mean_squared_error",
        metrics=["mean_squared_error", gk.metrics.Accuracy(), largest_error],
        batch_size=None,
        verbose=0,
    )
    assert list(history) == ["loss", "mean_squared_error", "accuracy", "largest_error"]
    assert history["loss"] == history["mean_squared_error"]
    found = model.evaluate(X, X[:, 0])
    wanted = np.abs(model.predict(X).ravel() - X[:, 0]).max()
    assert found["largest_error"] == pytest.approx(wanted, rel=1e-6)


def test_a_metric_in_numpy_is_measured_at_each_step() -> None:
    def squared(y: NDArray[Any], t: NDArray[Any]) -> float:
        return float(((y - t) ** 2).mean())

    history = gk.Sequential(gk.Dense(1), dtype="float64").fit(
        *(X, X[:, 0]),
        loss="mean_squared_error",
        metrics=[squared],
        epochs=20,
        verbose=0,
    )
    np.testing.assert_allclose(history["squared"], history["loss"], rtol=1e-13)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int32, np.uint64, bool])
def test_labels_are_any_integers(kind: Any) -> None:
    labels = LABELS % 2
    wanted = net().fit(X, labels, loss=ENTROPY, verbose=0)["loss"]
    assert net().fit(X, labels.astype(kind), loss=ENTROPY, verbose=0)["loss"] == wanted
    column = labels.astype(kind)[:, np.newaxis]
    assert net().fit(X, column, loss=ENTROPY, verbose=0)["loss"] == wanted


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.astype(np.float64),
        lambda x: x.astype(">f4"),
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=0)[::2],
        lambda x: x.tolist(),
    ],
    ids=["float64", "big-endian", "by columns", "strided", "lists"],
)
def test_inputs_may_come_in_any_form(change: Any) -> None:
    wanted = net().fit(X, LABELS, loss=ENTROPY, verbose=0)["loss"]
    assert net().fit(change(X), LABELS, loss=ENTROPY, verbose=0)["loss"] == wanted


def test_data_are_never_changed() -> None:
    x, labels = X.copy(), LABELS.copy()
    x.flags.writeable = labels.flags.writeable = False
    model = net()
    model.fit(x, labels, loss=ENTROPY, validation_split=0.2, verbose=0)
    model.evaluate(x, labels)
    model.predict(x)
    np.testing.assert_array_equal(x, X)


def test_validation_data_are_measured_after_the_epoch() -> None:
    model = net()
    seen = []

    def measure(epoch: int, logs: Any) -> None:
        seen.append(model.evaluate(X[:30], LABELS[:30])["loss"])

    history = model.fit(
        *(X, LABELS),
        loss=ENTROPY,
        metrics="accuracy",
        validation_data=(X[:30], LABELS[:30]),
        epochs=3,
        callbacks=measure,
        verbose=0,
    )
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history["val_loss"] == seen


def test_validation_every_other_epoch_and_after_the_last() -> None:
    def run(**options: Any) -> list[bool]:
        history = net().fit(
            *(X, LABELS), loss=ENTROPY, validation_split=0.1, epochs=5, verbose=0, **options
        )
        assert not any(map(math.isnan, history["loss"]))
        return [math.isnan(value) for value in history["val_loss"]]

    wanted = [True, False, True, False, False]
    assert run(validation_freq=2) == wanted
    assert run(validation_freq=2, batch_size=None) == wanted
    assert run(validation_freq=2, callbacks=[EachStep()]) == wanted


def test_a_split_has_the_same_share_of_each_class() -> None:
    labels = np.repeat([0, 1, 2], [60, 20, 10])
    kept, aside = Samples([X], [labels]).split(0.2, seed=1, shuffle=True)
    assert np.bincount(labels[aside.rows]).tolist() == [12, 4, 2]
    assert sorted([*kept.rows, *aside.rows]) == list(range(90))
    other = Samples([X], [labels]).split(0.2, seed=2, shuffle=True)[1]
    assert not np.array_equal(aside.rows, other.rows)


def test_a_split_without_shuffling_is_the_end() -> None:
    kept, aside = Samples([X], [LABELS]).split(0.1, seed=1, shuffle=False)
    assert kept.rows.tolist() == list(range(81))
    assert aside.rows.tolist() == list(range(81, 90))


def test_a_split_is_not_trained_on() -> None:
    x = X.copy()
    model = net()
    history = model.fit(x, LABELS, loss=ENTROPY, validation_split=0.2, shuffle=False, verbose=0)
    again = net()
    alone = again.fit(x[:72], LABELS[:72], loss=ENTROPY, shuffle=False, verbose=0)
    assert history["loss"] == alone["loss"]
    assert history["val_loss"] == [again.evaluate(x[72:], LABELS[72:])["loss"]]


def test_a_seed_decides_everything() -> None:
    def loss(**options: Any) -> list[float]:
        model = gk.Sequential(gk.Dense(8), gk.Dropout(0.3), gk.Dense(3))
        return model.fit(X, LABELS, loss=ENTROPY, epochs=2, verbose=0, **options)["loss"]

    assert loss(seed=5) == loss(seed=5)
    assert loss(seed=5) != loss(seed=6)
    assert loss(seed=None) != loss(seed=None)


class EachStep(gk.Callback):
    """Makes each step a call of its own."""

    def on_train_batch_end(self, batch, logs):
        pass


def test_an_error_in_a_layer_of_ones_own_comes_out_of_the_replay() -> None:
    class Bomb(gk.Layer):
        count = 0

        def forward(self, x):
            self.count += 1
            if self.count > 10:
                raise LookupError("boom")
            return x

        def backward(self, dy):
            return dy

    model = gk.Sequential(gk.Dense(4), Bomb(), gk.Dense(3))
    with pytest.raises(LookupError, match="boom"):
        model.fit(X, LABELS, loss=ENTROPY, epochs=100, verbose=0)
    assert np.isfinite(model.flat_params).all()


def test_another_thread_cannot_use_the_model_meanwhile() -> None:
    model, errors = net(), []

    def intrude() -> None:
        for call in (
            lambda: model.fit(X, LABELS, loss=ENTROPY, verbose=0),
            lambda: model.predict(X),
            lambda: model.save(os.devnull),
            lambda: pickle.dumps(model),
            lambda: copy.deepcopy(model),
        ):
            try:
                call()
            except RuntimeError as error:
                errors.append(str(error))

    def meanwhile(epoch: int, logs: Any) -> None:
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()

    model.fit(X, LABELS, loss=ENTROPY, callbacks=meanwhile, verbose=0)
    wanted = "another thread uses this model; wait for it, or give each thread a model"
    assert errors == [
        f"{name}: {wanted}" for name in ("fit", "predict", "save", "pickle", "pickle")
    ]
    model.predict(X)


def test_threads_train_models_of_their_own() -> None:
    found: dict[int, bytes] = {}

    def train(seed: int) -> None:
        model = net(units=64)
        model.fit(X, LABELS, loss=ENTROPY, epochs=20, seed=seed % 2, verbose=0)
        found[seed] = model.flat_params.tobytes()

    threads = [threading.Thread(target=train, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[2] != found[1] == found[3]


def test_a_training_and_its_memory_are_gone_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Watched(Training):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(weakref.ref(self))

    monkeypatch.setattr("gyaku.train.slices.Training", Watched)
    gc.disable()
    try:
        net().fit(X, LABELS, loss=ENTROPY, validation_split=0.1, epochs=3, verbose=0)
        assert [each() for each in made] == [None]
    finally:
        gc.enable()
