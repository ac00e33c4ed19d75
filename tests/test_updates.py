"""Gradients between the backward pass and the update: limits, and means over several batches."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import gyaku as gk

RANDOM = np.random.default_rng(6)
X = RANDOM.normal(size=(48, 6)).astype("f4")
Y = 10 * RANDOM.normal(size=(48, 2)).astype("f4")
OPTIONS: dict[str, Any] = {"loss": "mse", "epochs": 3, "verbose": 0}


def network() -> gk.Sequential:
    return gk.Sequential(gk.Dense(9, "tanh"), gk.Dense(2))


def trained(x: Any = X, y: Any = Y, **options: Any) -> gk.Sequential:
    model = network()
    model.fit(x, y, **OPTIONS | options)
    return model


class Watched(gk.SGD):
    """Keeps the parameters before each update, and those after the last."""

    def update(self, params, grads):
        self.seen = [*getattr(self, "seen", []), (params.copy(), grads.copy())]
        super().update(params, grads)


class Between(gk.callbacks.Callback):
    """Acts between all steps."""

    def on_train_batch_end(self, batch, logs):
        pass


def gradients(**options: Any) -> list[Any]:
    """Return the gradients of all updates."""
    learner = Watched(0.01)
    trained(optimizer=learner, **options)
    return [grads for _, grads in learner.seen]


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_norm_is_limited(backend: str) -> None:
    gk.use_backend(backend)
    options = {"batch_size": 16, "epochs": 1}
    free, limited = gradients(**options), gradients(clip_norm=0.5, **options)
    assert np.linalg.norm(free[0]) > 0.5
    np.testing.assert_allclose(limited[0], free[0] * 0.5 / np.linalg.norm(free[0]), rtol=1e-5)
    for each in limited:
        assert np.linalg.norm(each) == pytest.approx(0.5, rel=1e-5)
    for one, other in zip(free, gradients(clip_norm=1e6, **options), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_element_is_limited() -> None:
    options = {"batch_size": 16, "epochs": 1}
    free, limited = gradients(**options), gradients(clip_value=0.1, **options)
    np.testing.assert_array_equal(limited[0], np.clip(free[0], np.float32(-0.1), np.float32(0.1)))
    assert all(abs(each).max() == np.float32(0.1) for each in limited)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(("size", "batches"), [(8, 6), (16, 3), (8, 2), (20, 2), (10, 3)])
def test_several_batches_are_like_a_large_one(backend: str, size: int, batches: int) -> None:
    gk.use_backend(backend)
    several = trained(batch_size=size, accumulate=batches)
    one = trained(batch_size=min(size * batches, 48))
    np.testing.assert_allclose(several.flat_params, one.flat_params, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("kind", ["samples", "steps", "lengths", "both", "found", "class"])
def test_weights_of_several_batches_have_one_sum(backend: str, kind: str) -> None:
    gk.use_backend(backend)
    random = np.random.default_rng(8)
    x = random.normal(size=(48, 5, 3)).astype("f4")
    y = random.integers(0, 3, (48, 5))
    weights = random.random((48, 5) if kind in ("steps", "both") else 48) ** 4
    options: dict[str, Any] = {"loss": "softmax_cross_entropy", "optimizer": gk.SGD(1.0)}
    if kind in ("lengths", "both"):
        options["lengths"] = random.integers(1, 6, 48)
    if kind in ("samples", "steps", "both"):
        options["sample_weight"] = weights
    if kind == "class":
        options["class_weight"] = {0: 9.0}
    first = [gk.Embedding(5, 3, mask_zero=True)] if kind == "found" else []
    if kind == "found":
        x = random.integers(1, 5, (48, 5)) * (np.arange(5) < random.integers(1, 6, (48, 1)))

    def fitted(**more: Any) -> gk.Sequential:
        model = gk.Sequential(*copy.deepcopy(first), gk.GRU(4, return_sequences=True), gk.Dense(3))
        model.fit(x, y, **OPTIONS | options | more)
        return model

    several, one = fitted(batch_size=8, accumulate=3), fitted(batch_size=24)
    np.testing.assert_allclose(several.flat_params, one.flat_params, rtol=1e-3, atol=1e-5)
    each = fitted(batch_size=8, accumulate=3, callbacks=[Between()])
    np.testing.assert_array_equal(several.flat_params, each.flat_params)


def test_outputs_with_other_weights_are_not_accumulated() -> None:
    inputs = gk.Input((6,))
    model = gk.Model(inputs, (gk.Dense(2, name="a")(inputs), gk.Dense(2, name="b")(inputs)))
    weights = np.arange(48.0)
    model.fit(X, (Y, Y), accumulate=2, sample_weight=weights, **OPTIONS)
    with pytest.raises(ValueError, match="but the outputs a and b have different ones; leave"):
        model.fit(X, (Y, Y), accumulate=2, sample_weight=(weights, None), **OPTIONS)


def test_several_batches_of_a_sum_are_like_a_large_one() -> None:
    options = {"loss": gk.losses.MeanSquaredError(reduction="sum"), "optimizer": gk.SGD(1e-3)}
    several = trained(batch_size=10, accumulate=3, **options)
    one = trained(batch_size=30, **options)
    np.testing.assert_allclose(several.flat_params, one.flat_params, rtol=1e-4, atol=1e-6)


def test_the_mean_is_that_of_the_batches_in_their_order() -> None:
    each = gradients(batch_size=16, epochs=1, shuffle=False, accumulate=1)[:1]
    mean = gradients(batch_size=16, epochs=1, shuffle=False, accumulate=3)
    assert len(mean) == 1
    of_others = []
    for start in (16, 32):
        rows = slice(start, start + 16)
        learner = Watched(0.01)
        trained(X[rows], Y[rows], optimizer=learner, batch_size=16, epochs=1, shuffle=False)
        of_others.append(learner.seen[0][1])
    total = np.zeros_like(each[0])
    for one in (*each, *of_others):
        total += np.float32(16) * one
    np.testing.assert_allclose(mean[0], total / np.float32(48), rtol=1e-6, atol=1e-7)


def test_a_schedule_counts_updates() -> None:
    rates: list[float] = []

    class Rates(gk.SGD):
        def update(self, params, grads):
            rates.append(self.rate)
            super().update(params, grads)

    seen: list[int] = []

    def schedule(step: Any) -> Any:
        seen.append(int(np.max(step)))
        return 0.1 / (1 + np.asarray(step))

    trained(optimizer=Rates(schedule), batch_size=10, accumulate=2)
    assert rates == pytest.approx([0.1 / (1 + step) for step in range(9)])  # 5 batches, 3 updates


def test_one_thread_and_two_and_the_plain_program_give_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = RANDOM.normal(size=(256, 40)).astype("f4")
    y = RANDOM.normal(size=(256, 3)).astype("f4")

    def bits(threads: int, optimize: str) -> bytes:
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        gk.set_num_threads(threads, exact=True)
        model = gk.Sequential(gk.Dense(300, "relu"), gk.Dense(3))
        options = {"batch_size": 32, "clip_norm": 0.1, "accumulate": 3, "sample_weight": weights}
        model.fit(x, y, **OPTIONS | options)
        model.fit(x, y, **OPTIONS | {"batch_size": 64, "clip_norm": 0.1})
        return model.flat_params.tobytes()

    weights = RANDOM.random(256)
    try:
        found = {bits(threads, plan) for threads in (1, 2) for plan in ("0", "1")}
    finally:
        gk.set_num_threads(None)
    assert len(found) == 1


def test_the_history_has_the_same_batches() -> None:
    plain, several = network(), network()
    options = {"batch_size": 16, "optimizer": gk.SGD(1e-9), "metrics": ["mae"]}
    one = plain.fit(X, Y, **OPTIONS | options)
    other = several.fit(X, Y, accumulate=2, **OPTIONS | options | {"optimizer": gk.SGD(1e-9)})
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5)
    tasks = [task["name"] for task in several.captured["tasks"]]
    assert {"add_gradients", "mean_gradients"} <= set(tasks)


def test_callbacks_between_steps_change_no_bit() -> None:
    plain = trained(batch_size=10, accumulate=3)
    watched = trained(batch_size=10, accumulate=3, callbacks=[Between()])
    np.testing.assert_array_equal(plain.flat_params, watched.flat_params)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"clip_norm": 0}, "fit: clip_norm must be positive, got 0"),
    ({"clip_value": -1.0}, "fit: clip_value must be positive, got -1.0"),
    ({"clip_value": 1, "clip_norm": 1}, "fit: give clip_norm or clip_value, not both"),
    ({"accumulate": 0}, "fit: accumulate must be at least 1, got 0"),
    (
        {"accumulate": 2, "optimizer": gk.LBFGS()},
        "fit: accumulate needs an optimizer whose step is one gradient and one update, but LBFGS",
    ),
    (
        {"clip_norm": 2, "optimizer": gk.LBFGS()},
        "fit: clip_norm needs an optimizer whose step is one gradient and one update, but LBFGS",
    ),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[row[1][:40] for row in BAD])
def test_mistakes_are_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        trained(**options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("clipnorm", "clip_norm"),
        ("global_clipnorm", "clip_norm"),
        ("gradient_clip_val", "clip_norm"),
        ("max_grad_norm", "clip_norm"),
        ("clipvalue", "clip_value"),
        ("accumulate_grad_batches", "accumulate"),
        ("gradient_accumulation_steps", "accumulate"),
    ],
)
def test_names_of_other_libraries_are_explained(name: str, meant: str) -> None:
    with pytest.raises(TypeError, match=f"fit: unknown argument '{name}', did you mean '{meant}'"):
        trained(**{name: 1})


def test_an_optimizer_says_where_gradients_are_clipped() -> None:
    with pytest.raises(TypeError) as caught:
        gk.Adam(clipnorm=1.0)
    assert str(caught.value) == "Adam has no argument 'clipnorm'; fit has clip_norm"


def test_updates_end_at_the_end_of_an_epoch() -> None:
    assert len(gradients(batch_size=8, accumulate=4, epochs=2)) == 4
    lengths = [len(gradients(batch_size=8, accumulate=k, epochs=1)) for k in range(1, 8)]
    assert lengths == [6, 3, 2, 2, 2, 1, 1]
    assert all(a >= b for a, b in pairwise(lengths))


@pytest.mark.parametrize("options", [{"clip_norm": 0.5}, {"clip_value": 0.1}, {"accumulate": 5}])
def test_gradients_of_single_samples_are_limited_before_they_are_used(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without limits, a gradient of one sample is formed in its update and is nowhere in memory.
    fused = trained(batch_size=1, **options)
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")
    plain = trained(batch_size=1, **options)
    np.testing.assert_array_equal(fused.flat_params, plain.flat_params)
    gk.use_backend("reference")
    reference = trained(batch_size=1, **options)
    np.testing.assert_allclose(fused.flat_params, reference.flat_params, rtol=1e-3, atol=1e-5)
