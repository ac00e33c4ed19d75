"""Large batches go in slices, whose gradients add up to that of the batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.train import slices

RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(90, 6)).astype("f4")
Y = RANDOM.integers(0, 4, 90)
OPTIONS: dict[str, Any] = {"loss": "softmax_cross_entropy", "epochs": 3, "verbose": 0, "seed": 5}
SLICE = 8


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make slices of 8 samples."""
    monkeypatch.setattr(slices, "_LEAST", SLICE)
    monkeypatch.setattr(slices, "_BYTES", 0)


def network(*more: gk.Layer) -> gk.Sequential:
    return gk.Sequential(gk.Dense(9, "tanh"), *more, gk.Dense(4))


def trained(*more: gk.Layer, x: Any = X, y: Any = Y, **options: Any) -> tuple[gk.Sequential, Any]:
    model = network(*more)
    history = model.fit(x, y, **{**OPTIONS, "optimizer": gk.SGD(0.3), **options})
    return model, history


class Kinds(gk.Callback):
    """Keeps the class of the training."""

    def on_train_begin(self, logs: object = None) -> None:
        self.kind = type(self.training.training)


def is_sliced(*more: gk.Layer, **options: Any) -> bool:
    kinds = Kinds()
    trained(*more, callbacks=kinds, **options)
    return kinds.kind is slices.SlicedTraining


def state(model: gk.Model) -> list[bytes]:
    return [each.tobytes() for each in (model.flat_params, model.clock)]


def assert_alike(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    np.testing.assert_allclose(one[0].flat_params, other[0].flat_params, rtol=1e-4, atol=1e-5)
    for name in one[1]:
        np.testing.assert_allclose(one[1][name], other[1][name], rtol=1e-5)


BATCHES = [pytest.param(None, id="full"), 40]


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("size", BATCHES)
def test_slices_are_like_the_batch(size: int | None, backend: str, request: Any) -> None:
    gk.use_backend(backend)
    options = {"batch_size": size, "metrics": "accuracy", "clip_norm": 0.1}
    whole = trained(**options)
    request.getfixturevalue("small")
    assert_alike(trained(**options), whole)


def test_slices_are_batches_that_an_update_takes_together(small: None) -> None:
    options = {"x": X[:64], "y": Y[:64], "shuffle": False}
    sliced, history = trained(gk.Dropout(0.3), batch_size=None, **options)
    batches, same = trained(gk.Dropout(0.3), batch_size=SLICE, accumulate=8, **options)
    assert state(sliced) == state(batches)
    assert history["loss"] == same["loss"]


@pytest.mark.parametrize("size", BATCHES)
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sum"])
def test_weights_count(size: int | None, loss: str, request: Any) -> None:
    given = gk.losses.SoftmaxCrossEntropy(reduction="sum") if loss == "sum" else loss
    options = {"batch_size": size, "sample_weight": RANDOM.random(90), "loss": given}
    options["optimizer"] = gk.SGD(0.003 if loss == "sum" else 0.3)
    whole = trained(**options)
    request.getfixturevalue("small")
    assert_alike(trained(**options), whole)


@pytest.mark.parametrize("optimizer", [gk.SGD, gk.LBFGS])
def test_real_steps_count(optimizer: Any, request: Any) -> None:
    x, y = RANDOM.normal(size=(60, 5, 3)).astype("f4"), RANDOM.integers(0, 4, (60, 5))
    lengths = 1 + np.arange(60) % 5

    def run() -> tuple[Any, Any]:
        model = gk.Sequential(gk.SimpleRNN(7, return_sequences=True), gk.Dense(4))
        given = {"lengths": lengths, "optimizer": optimizer(0.2), "metrics": ["accuracy"]}
        return model, model.fit(x, y, batch_size=None, **OPTIONS, **given)

    whole = run()
    request.getfixturevalue("small")
    assert_alike(run(), whole)


def test_one_thread_and_two_and_the_plain_program_give_the_same_bits(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for threads, optimize in ((1, "1"), (2, "1"), (2, "0")):
        gk.set_num_threads(threads, exact=True)
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        found.append(state(trained(gk.Dropout(0.2), batch_size=None)[0]))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("kept", ["steps", "whole"])
def test_callbacks_between_steps_change_no_bit(small: None, kept: str) -> None:
    class Between(gk.Callback):
        def on_train_batch_end(self, batch: int, logs: object) -> None:
            pass

    options = {"batch_size": 40}
    callbacks = Between() if kept == "steps" else ()
    assert state(trained(callbacks=callbacks, **options)[0]) == state(trained(**options)[0])


@pytest.mark.parametrize("size", BATCHES)
def test_lbfgs_evaluates_slices(size: int | None, request: Any) -> None:
    options = {
        "batch_size": size,
        "optimizer": gk.LBFGS(weight_decay=1e-3),
        "metrics": ["accuracy"],
        "epochs": 4,
        "shuffle": False,
    }
    whole = trained(**options)
    request.getfixturevalue("small")
    sliced = trained(**{**options, "optimizer": gk.LBFGS(weight_decay=1e-3)})
    np.testing.assert_allclose(sliced[1]["loss"], whole[1]["loss"], rtol=1e-3)
    model = sliced[0]
    if size is None:  # the history has the loss behind each step
        assert model.evaluate(X, Y)["loss"] == pytest.approx(sliced[1]["loss"][-1], rel=1e-5)


def test_lbfgs_at_a_minimum_has_a_loss(small: None) -> None:
    model, history = trained(optimizer=gk.LBFGS(tolerance=1e9), batch_size=None)
    assert history.epochs == 1
    assert model.evaluate(X, Y)["loss"] == pytest.approx(history["loss"][0], rel=1e-5)


class Doubled(gk.Layer):
    """May compare the samples of a batch, as a layer of users."""

    def forward(self, x: Any, training: bool = False) -> Any:
        return 2 * x

    def backward(self, dy: Any) -> Any:
        return 2 * dy


def mse(y: Any, t: Any) -> tuple[float, Any]:
    return float(np.mean((y - t) ** 2)), 2 * (y - t) / y.size


def mean(y: Any, t: Any) -> float:
    return float(y.mean())


ROWS = RANDOM.normal(size=(90, 4)).astype("f4")


@pytest.mark.parametrize(
    ("more", "options"),
    [
        ([gk.BatchNorm()], {}),
        ([Doubled()], {}),
        ([], {"loss": mse, "y": ROWS}),
        ([], {"metrics": mean}),
        ([], {"metrics": gk.metrics.F1()}),
        ([], {"batch_size": 15}),
        ([], {"batch_size": 45, "accumulate": 2}),
    ],
    ids=["norm", "layer", "loss", "metric", "overall", "small", "accumulate"],
)
def test_samples_that_may_depend_on_one_another_stay_together(
    more: list[gk.Layer], options: dict[str, Any], small: None
) -> None:
    assert is_sliced(batch_size=None)
    assert not is_sliced(*more, **{"batch_size": None, **options})


def test_ordinary_batches_stay_together() -> None:
    x, y = np.zeros((4096, 2), "f4"), np.zeros((4096, 4), "f4")
    options = {"x": x, "y": y, "loss": "mse", "epochs": 1}
    assert not is_sliced(batch_size=2047, **options)
    assert not is_sliced(batch_size=None, **options)  # its values are few
    wide = np.zeros((2048, 1024), "f4")
    assert is_sliced(batch_size=None, **{**options, "x": wide, "y": y[:2048]})


def test_an_interrupted_step_leaves_no_trace(small: None) -> None:
    class Stop(gk.Callback):
        """Interrupt the second step behind some of its slices."""

        def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
            if batch == 1:

                def pause() -> None:
                    raise KeyboardInterrupt

                self.training.training.pause = pause

    with pytest.warns(UserWarning, match="interrupted after 0 epochs and 1 steps"):
        model, history = trained(callbacks=Stop(), batch_size=40, shuffle=False)
    assert history.stopped == "interrupted"
    expected, _ = trained(x=X[:40], y=Y[:40], epochs=1, batch_size=40, shuffle=False)
    assert state(model) == state(expected)


def test_a_value_that_is_not_finite_is_found_in_its_slice(small: None) -> None:
    x = X.copy()
    x[70:] = 3e38
    model = gk.Sequential(gk.Dense(9), gk.Dense(4))
    with (
        pytest.warns(UserWarning, match="x is not scaled"),
        pytest.raises(gk.NonFiniteError, match="the output of Dense") as raised,
    ):
        model.fit(x, Y, batch_size=None, optimizer=gk.SGD(0.1), **OPTIONS)
    assert raised.value.step == 1


def test_a_resumed_training_has_the_same_bits(small: None, tmp_path: Any) -> None:
    path = tmp_path / "last.safetensors"

    def run(model: gk.Sequential, **options: Any) -> Any:
        given = {**OPTIONS, "batch_size": 40, "optimizer": gk.Momentum(0.1), **options}
        return model.fit(X, Y, **given)

    expected, begun, resumed = (network(gk.Dropout(0.2)) for _ in range(3))
    history = run(expected, epochs=4)
    run(begun, epochs=2, callbacks=gk.ModelCheckpoint(path))
    more = run(resumed, epochs=4, callbacks=gk.ModelCheckpoint(path), resume=path)
    assert state(resumed) == state(expected)
    assert more["loss"] == history["loss"]


def test_reports_count_all_slices(small: None) -> None:
    model, _ = trained(batch_size=None)
    text = str(model.program())
    assert "(12 ×)" in text
    assert "matmul" in text
    assert "A training step of 90 samples" in str(model.profile(X, Y, batch_size=90, steps=2))
