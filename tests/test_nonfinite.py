"""A loss that is not finite: training stops, and says where it came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.schedules import InverseTime

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)
ENTROPY = "softmax_cross_entropy"


class EachStep(gk.Callback):
    """Makes each step a call of its own."""

    def on_train_batch_end(self, batch, logs):
        pass


def explosion(**options: Any) -> tuple[gk.Sequential, gk.NonFiniteError]:
    """Train with a learning rate that is much too large."""
    model = gk.Sequential(gk.Dense(8), gk.Dense(1), dtype="float32")
    with pytest.raises(gk.NonFiniteError) as caught:
        model.fit(
            *(X, X[:, :1]),
            loss="sum_squared_error",
            optimizer=gk.SGD(2.0),
            epochs=100,
            verbose=0,
            **options,
        )
    return model, caught.value


def test_a_cross_entropy_of_no_probabilities_says_what_is_missing() -> None:
    with pytest.raises(gk.NonFiniteError, match="It takes probabilities: end the model with Soft"):
        gk.Sequential(gk.Dense(3)).fit(X, LABELS, loss="cross_entropy", verbose=0)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("callback", [[], [EachStep()]], ids=["fast", "each step"])
def test_a_loss_that_is_not_finite_stops_at_the_step(backend: str, callback: list[Any]) -> None:
    gk.use_backend(backend)
    model, error = explosion(callbacks=callback)
    assert np.isfinite(model.flat_params).all()
    assert isinstance(error, FloatingPointError)
    assert f"stopped at step {error.step} (epoch {(error.step - 1) // 3 + 1})" in str(error)
    assert "Try a smaller learning rate, now 2" in str(error)
    assert error.history is not None
    assert error.history.epochs == (error.step - 1) // 3
    # So many steps are what a training of so many steps does.
    again = gk.Sequential(gk.Dense(8), gk.Dense(1), dtype="float32")
    steps = iter(range(1, error.step))

    class Stop(gk.Callback):
        def on_train_batch_end(self, batch, logs):
            return next(steps) == error.step - 1

    again.fit(
        *(X, X[:, :1]),
        loss="sum_squared_error",
        optimizer=gk.SGD(2.0),
        epochs=100,
        callbacks=Stop(),
        verbose=0,
    )
    np.testing.assert_array_equal(model.flat_params, again.flat_params)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("forward", "arose in the output of Poison 'poison'"),
        ("backward", "arose in the gradient of Poison 'poison'"),
    ],
)
def test_the_layer_of_the_first_nan_is_named(place: str, message: str) -> None:
    class Poison(gk.Layer):
        def __init__(self):
            self.counts = {"forward": 0, "backward": 0}

        def spoil(self, where, x):
            return x * np.float32("nan") if where == place and self.model().clock[0] > 40 else x

        def forward(self, x, training=False):
            return self.spoil("forward", x)

        def backward(self, dy):
            return self.spoil("backward", dy)

    model = gk.Sequential(gk.Dense(4), Poison(), gk.ReLU(), gk.Dense(3))
    with pytest.raises(gk.NonFiniteError, match=message) as caught:
        model.fit(X, LABELS, loss=ENTROPY, epochs=50, verbose=0)
    assert caught.value.layer == "poison"
    assert caught.value.step == 41
    assert np.isfinite(model.flat_params).all()


def test_a_last_step_that_spoils_the_weights_is_found() -> None:
    model = gk.Sequential(gk.Dense(1))
    with pytest.raises(gk.NonFiniteError, match="arose in the update of the weights") as caught:
        model.fit(
            *(X, X[:, :1]),
            loss="sum_squared_error",
            optimizer=gk.SGD(lambda steps: np.where(steps == 5, 1e39, 0.1)),
            epochs=2,
            verbose=0,
        )
    assert caught.value.step == 6
    assert np.isfinite(model.flat_params).all()


def test_weights_that_are_not_finite_to_begin_with_are_named() -> None:
    model = gk.Sequential(gk.Dense(2), gk.Dense(3))
    model.build((4,))
    model.params["dense_2.bias"] = [0, np.inf, 0]
    message = "fit: dense_2.bias is not finite before the first step"
    with pytest.raises(gk.NonFiniteError, match=message) as caught:
        model.fit(X, LABELS, loss=ENTROPY, verbose=0)
    assert (caught.value.step, caught.value.layer) == (0, "dense_2")


def test_targets_that_are_too_large_are_named() -> None:
    y = np.full((30, 1), 1.0)
    y[7] = -1e30
    with pytest.raises(gk.NonFiniteError) as caught:
        gk.Sequential(gk.Dense(1)).fit(np.ones((30, 2)), y, loss="mse", verbose=0)
    assert "in the loss" in str(caught.value)
    assert str(caught.value).endswith("The targets are too large, up to 1e+30; scale them")


class Raise(gk.Callback):
    """Raises the learning rate at the end of an epoch, to a number or a schedule."""

    def __init__(self, epoch, rate):
        self.epoch = epoch
        self.rate = rate

    def on_epoch_end(self, epoch, logs):
        if epoch == self.epoch:
            self.model.optimizer.learning_rate = self.rate


@pytest.mark.parametrize("rate", [0.9, 2.0, InverseTime(1.5, 40)], ids=str)
@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_the_search_repeats_what_happened_where_a_callback_changed_the_rate(
    epoch: int, rate: Any
) -> None:
    def stopped(*more: gk.Callback) -> tuple[int, bytes]:
        model = gk.Sequential(gk.Dense(8), gk.Dense(1))
        with pytest.raises(gk.NonFiniteError) as caught:
            model.fit(
                *(X, X[:, :1]),
                loss="sum_squared_error",
                optimizer=gk.SGD(1e-3),
                epochs=100,
                callbacks=[Raise(epoch, rate), *more],
                verbose=0,
            )
        return caught.value.step, model.flat_params.tobytes()

    step, weights = stopped()

    class Watch(gk.Callback):
        bad = 0
        kept = b""

        def on_train_batch_begin(self, batch):
            if not self.bad:
                self.kept = self.model.flat_params.tobytes()

        def on_train_batch_end(self, batch, logs):
            self.steps = getattr(self, "steps", 0) + 1

    watch = Watch()
    again = stopped(watch)
    assert again == (step, weights)
    assert watch.steps == step - 1
    assert watch.kept == weights


def test_a_search_that_cannot_repeat_what_happened_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gyaku.train import nonfinite

    monkeypatch.setattr(nonfinite, "_COPY_SHARE", 1e9)  # no copy of the weights but the first

    class Spoil(gk.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 2:
                self.model.params["dense.weight"] *= 1e30

    model = gk.Sequential(gk.Dense(8), gk.Dense(1))
    with pytest.raises(gk.NonFiniteError) as caught:
        model.fit(X, X[:, :1], loss="mse", epochs=9, callbacks=[Spoil(), EachStep()], verbose=0)
    assert caught.value.step == 10
    assert "after step 10; in which step it arose is unknown, since repeating" in str(caught.value)
    assert np.isfinite(model.flat_params).all()
