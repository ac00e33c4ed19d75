"""Callbacks: when they are called, and what they decide."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import gyaku as gk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)
ENTROPY = "softmax_cross_entropy"


def net(**options: Any) -> gk.Sequential:
    return gk.Sequential(gk.Dense(8, "relu"), gk.Dense(3), **options)


class Diary(gk.Callback):
    """Writes down what happens."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.lines = []

    def on_train_begin(self):
        self.lines.append("begin")

    def on_epoch_begin(self, epoch):
        self.lines.append(f"epoch {epoch}")

    def on_train_batch_begin(self, batch):
        self.lines.append(f"batch {batch}")

    def on_train_batch_end(self, batch, logs):
        assert set(logs) == {"loss"}

    def on_epoch_end(self, epoch, logs):
        self.lines.append(f"end of epoch {epoch}")
        return epoch == self.stop_at and "enough"

    def on_exception(self, error):
        self.lines.append(repr(error))

    def on_train_end(self):
        self.lines.append("end")


def test_callbacks_are_called_in_order() -> None:
    diary = Diary()
    net().fit(X, LABELS, loss=ENTROPY, epochs=2, batch_size=50, callbacks=diary, verbose=0)
    epochs = [[f"epoch {e}", "batch 0", "batch 1", f"end of epoch {e}"] for e in range(2)]
    assert diary.lines == ["begin", *epochs[0], *epochs[1], "end"]


def test_a_callback_can_stop_the_training() -> None:
    history = net().fit(X, LABELS, loss=ENTROPY, epochs=9, callbacks=[Diary(2)], verbose=0)
    assert (history.epochs, history.stopped) == (3, "enough")
    history = net().fit(
        X, LABELS, loss=ENTROPY, epochs=9, callbacks=lambda epoch, logs: epoch == 1, verbose=0
    )
    assert history.epochs == 2
    assert history.stopped


@pytest.mark.parametrize(
    ("answer", "epochs"),
    [(True, 1), (np.True_, 1), ("enough", 1)]
    + [(value, 3) for value in (None, False, np.False_, "", 1, {"loss": 0.5}, np.ones(3))],
    ids=repr,
)
def test_only_true_or_a_reason_ends_the_training(answer: object, epochs: int) -> None:
    history = net().fit(
        X, LABELS, loss=ENTROPY, epochs=3, callbacks=lambda epoch, logs: answer, verbose=0
    )
    assert history.epochs == epochs
    assert history.stopped == (
        None if epochs == 3 else answer if answer == "enough" else "<lambda>"
    )


def test_a_callback_can_stop_the_training_by_an_attribute_of_the_model() -> None:
    class Stop(gk.Callback):
        def on_train_batch_end(self, batch, logs):
            self.model.stop_training = self.model.optimizer.clock[0] == 4

    model = net()
    fit = {"loss": ENTROPY, "epochs": 9, "batch_size": 30, "verbose": 0}
    history = model.fit(X, LABELS, callbacks=Stop(), **fit)
    assert model.optimizer
    assert (model.optimizer.clock[0], history.stopped) == (4, "Stop")
    assert model.fit(X, LABELS, **fit).epochs == 9  # the next one begins anew

    def first(epoch, logs):
        model.stop_training = True

    history = model.fit(X, LABELS, callbacks=[first, Diary()], **fit)
    assert (history.epochs, history.stopped) == (1, "first")


def test_a_function_that_stops_the_training_is_named_and_the_next_is_still_called() -> None:
    def good_enough(epoch, logs):
        return epoch == 1

    diary = Diary()
    history = net().fit(
        *(X, LABELS), loss=ENTROPY, epochs=5, callbacks=[good_enough, diary], verbose=0
    )
    assert history.epochs == 2
    assert history.stopped == "good_enough"
    assert diary.lines[0] == "begin"
    assert diary.lines[-1] == "end"


def test_a_callback_may_use_the_model() -> None:
    losses = []

    class Look(gk.Callback):
        def on_epoch_end(self, epoch, logs):
            losses.append(self.model.evaluate(X, LABELS)["loss"])
            self.model.predict(X[:1])

    quiet, looked = net(), net()
    quiet.fit(X, LABELS, loss=ENTROPY, epochs=3, verbose=0)
    looked.fit(X, LABELS, loss=ENTROPY, epochs=3, callbacks=Look(), verbose=0)
    assert len(set(losses)) == 3
    np.testing.assert_array_equal(quiet.flat_params, looked.flat_params)


def test_an_error_in_a_callback_is_told_to_all_and_raised() -> None:
    def fail(epoch: int, logs: Any) -> None:
        raise LookupError("no")

    diary = Diary()
    with pytest.raises(LookupError, match="no"):
        net().fit(X, LABELS, loss=ENTROPY, callbacks=[fail, diary], verbose=0)
    assert diary.lines[-2:] == ["LookupError('no')", "end"]


@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping_waits_and_goes_back_to_the_best(restore: bool) -> None:
    weights = []

    class Keep(gk.Callback):
        def on_epoch_end(self, epoch, logs):
            weights.append(self.model.flat_params.copy())

    stopping = gk.EarlyStopping("loss", patience=3, restore_best=restore)
    model = net()
    history = model.fit(
        *(X, LABELS),
        loss=ENTROPY,
        optimizer=gk.SGD(lambda steps: np.where(steps < 15, 0.1, 5.0)),  # turns bad at epoch 5
        epochs=50,
        callbacks=[Keep(), stopping],
        verbose=0,
    )
    best = int(np.argmin(history["loss"]))
    assert stopping.best_epoch == best
    assert history.epochs == best + 1 + 3
    assert history.stopped
    assert f"loss has not improved since epoch {best + 1}" in history.stopped
    np.testing.assert_array_equal(model.flat_params, weights[best if restore else -1])


def test_early_stopping_wants_more_of_an_accuracy() -> None:
    stopping = gk.EarlyStopping("accuracy", patience=2)
    for epoch, value in enumerate([0.1, 0.3, math.nan, 0.2]):
        stopping.model = net()
        stopping.model.build((4,))
        answer = stopping.on_epoch_end(epoch, {"accuracy": value})
    assert (stopping.best, stopping.best_epoch) == (0.3, 1)
    assert answer


@pytest.mark.parametrize("optimizer", [gk.SGD(0.9), gk.Adam(0.5)], ids=["sgd", "adam"])
def test_the_best_weights_by_the_loss_of_a_single_step_are_those_of_this_loss(
    optimizer: gk.Optimizer,
) -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=(16, 3)).astype("f4")
    target = (x @ [1, -2, 0.5])[:, None].astype("f4")
    model = gk.Sequential(gk.Dense(8, "tanh"), gk.Dense(1))
    stopping = gk.EarlyStopping("loss", patience=5)
    options = {"loss": "mse", "optimizer": optimizer, "epochs": 200, "verbose": 0}
    history = model.fit(x, target, batch_size=None, callbacks=stopping, **options)
    assert history["loss"][stopping.best_epoch] == min(history["loss"]) < history["loss"][-1]
    assert model.evaluate(x, target)["loss"] == pytest.approx(min(history["loss"]), rel=1e-6)


def test_a_metric_that_is_not_there_is_explained() -> None:
    def message(monitor: str, **options: Any) -> str:
        with pytest.raises(ValueError) as caught:
            net().fit(
                *(X, LABELS),
                loss=ENTROPY,
                callbacks=gk.EarlyStopping(monitor),
                verbose=0,
                **options,
            )
        return str(caught.value)

    start = "EarlyStopping: there is no 'val_acc' to monitor"
    assert message("val_acc") == f"{start} (fit has no validation data), only loss"
    assert message("val_acc", validation_split=0.2) == (
        f"{start} (give fit metrics='accuracy'), only loss, val_loss"
    )
    assert message("accuracies") == (
        "EarlyStopping: there is no 'accuracies' to monitor, only loss"
    )


def test_an_alias_of_a_metric_is_monitored() -> None:
    stopping = gk.EarlyStopping("val_acc", patience=1, min_delta=2)
    net().fit(
        *(X, LABELS),
        loss=ENTROPY,
        metrics="acc",
        validation_split=0.3,
        epochs=9,
        callbacks=stopping,
        verbose=0,
    )
    assert stopping.best_epoch == 0
