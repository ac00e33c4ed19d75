"""The playground without thread and browser: points, settings, steps, pictures, programs."""

from __future__ import annotations

import json
import re
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gyaku.lab.toy_data import DATA, FEATURES, LIMIT, features, held_out, toy_data
from gyaku.lab.toy_script import script
from gyaku.lab.toy_settings import ACTIVATIONS, OPTIMIZERS, Settings, choices
from gyaku.lab.toy_training import SIDE, UNIT_SIDE, ToyTraining

OWN = [[-1.5, -1.5, 0], [1.5, 1.5, 0], [-1.5, 1.5, 1], [1.5, -1.5, 1]]


def weights(toy: ToyTraining) -> NDArray[np.float32]:
    found: NDArray[np.float32] = toy.model.flat_params.copy()
    return found


def changed(**given: Any) -> Settings:
    """Return the settings as the page would send them, in JSON."""
    return Settings().changed(json.loads(json.dumps(given)))


@pytest.mark.parametrize("kind", DATA)
def test_points_are_of_both_classes_reproducible_and_on_the_square(kind: str) -> None:
    x, y = toy_data(kind, 400, noise=0.1, seed=3)
    assert np.array_equal(toy_data(kind, 400, noise=0.1, seed=3)[0], x)
    assert not np.array_equal(toy_data(kind, 400, noise=0.1, seed=4)[0], x)
    assert np.bincount(y.astype(int)).tolist() == [200, 200]
    assert (np.abs(x) < LIMIT).mean() > 0.99
    assert 0.7 < x.std() < 1.8


def test_noise_moves_points_by_its_standard_deviation() -> None:
    still, moved = toy_data("circles", 1000)[0], toy_data("circles", 1000, noise=0.3)[0]
    assert (moved - still).std() == pytest.approx(0.3, rel=0.05)


def test_points_held_out_stay_so_when_others_follow() -> None:
    assert held_out(1000, 0.3).sum() == 300
    assert np.array_equal(held_out(1000, 0.3)[:77], held_out(77, 0.3))
    assert not held_out(9, 0).any()


def test_each_feature_is_what_its_expression_says() -> None:
    x = toy_data("moons", 50)[0]
    for place, name in enumerate(FEATURES):
        value = eval(name, {"np": np}, {"x1": x[:, 0], "x2": x[:, 1]})
        assert np.array_equal(features(x, list(FEATURES))[:, place], value)


ANEW = [
    *({"data": kind} for kind in (*DATA, "own") if kind != "xor"),
    *({"activation": name} for name in ACTIVATIONS if name != "Tanh"),
    {"features": list(FEATURES)},
    {"hidden": []},
    {"hidden": [8] * 6},
    {"hidden": [1, 3]},
    {"seed": 2**32 - 1},
]
ON = [
    *({"optimizer": name} for name in OPTIMIZERS if name != "SGD"),
    *({"batch": size} for size in (1, 10, 1000, None)),
    {"noise": 0.5},
    {"samples": 1000},
    {"samples": 4},
    {"test": 0},
    {"test": 0.9},
    {"dropout": 0.5},
    {"decay": 0.01},
    {"rate": 1e-4},
    {"speed": 10},
]


@pytest.mark.parametrize("given", ANEW, ids=str)
def test_another_network_begins_anew(given: dict[str, Any]) -> None:
    toy = ToyTraining(Settings())
    toy.advance(20)
    assert toy.change(changed(points=OWN, **given))
    assert toy.step == toy.epoch == 0
    assert np.array_equal(weights(toy), weights(ToyTraining(changed(points=OWN, **given))))
    toy.advance(20)
    assert toy.step == 20


@pytest.mark.parametrize("given", ON, ids=str)
def test_other_settings_take_effect_without_loss_of_weights(given: dict[str, Any]) -> None:
    toy = ToyTraining(Settings())
    toy.advance(20)
    before = weights(toy)
    assert not toy.change(changed(**given))
    assert np.array_equal(weights(toy), before)
    toy.advance(5)
    assert toy.step == 25
    assert not np.array_equal(weights(toy), before)
    assert np.isfinite(weights(toy)).all()


def test_a_new_rate_is_that_of_the_next_step() -> None:
    moved = []
    for rate in (0.1, 0.2):
        toy = ToyTraining(Settings(batch=None))
        toy.advance(3)
        before = weights(toy)
        toy.change(Settings(batch=None, rate=rate))
        toy.advance(1)
        moved.append(weights(toy) - before)
    assert np.allclose(moved[1], 2 * moved[0], rtol=1e-3, atol=1e-7)


def test_the_optimizer_keeps_its_state_where_it_stays() -> None:
    toy = ToyTraining(changed(optimizer="Adam", rate=0.01))
    toy.advance(100)
    moment = toy.optimizer.state["m"].copy()
    toy.change(changed(optimizer="Adam", rate=0.01, decay=0.001))
    assert np.array_equal(toy.optimizer.state["m"], moment)
    assert toy.optimizer.clock[0] == 100
    toy.change(changed(optimizer="Nesterov"))
    assert toy.optimizer.clock[0] == 0


def test_decay_and_dropout_are_in_the_steps() -> None:
    norms = {}
    for decay in (0.0, 0.1):
        toy = ToyTraining(changed(decay=decay))
        toy.advance(2000)
        norms[decay] = float(np.linalg.norm(weights(toy)))
    assert norms[0.1] < 0.7 * norms[0.0]
    dropped = ToyTraining(changed(dropout=0.5))
    assert [type(layer).__name__ for layer in dropped.model.layers].count("Dropout") == 2


# Each with few epochs: the same bits say that it is the same training.
SAME = [
    {},
    {"batch": 1, "hidden": [], "features": ["x1", "x2", "x1 * x2"]},
    {"data": "spirals", "activation": "ReLU", "hidden": [8, 8, 8], "optimizer": "Adam", "seed": 5},
    {"data": "circles", "activation": "Sigmoid", "optimizer": "LBFGS", "batch": None, "rate": 1},
    {"data": "moons", "dropout": 0.2, "decay": 0.001, "optimizer": "Momentum", "batch": 7},
    {"data": "gaussians", "optimizer": "AdamW", "noise": 0.33, "test": 0.0, "samples": 37},
    {"data": "own", "points": [*OWN, [0.25, -0.07, 1]], "test": 0.3, "optimizer": "RMSProp"},
]


@pytest.mark.parametrize("given", SAME, ids=str)
def test_the_program_trains_the_same_bits(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    mpl.use("Agg")
    wanted, epochs = changed(**given), 7
    toy = ToyTraining(wanted)
    for _ in range(epochs):
        toy.advance(toy.steps_left)
    assert toy.epoch == epochs
    found: dict[str, Any] = {}
    exec(script(wanted, epochs), found)
    assert np.array_equal(found["model"].flat_params, weights(toy))
    picture = toy.picture()
    printed = re.findall(r"^(\w+): loss (\S+), error (\S+)$", capsys.readouterr().out, re.MULTILINE)
    shown = list(zip(("training", "test"), picture.losses, picture.errors, strict=True))
    assert [name for name, *_ in printed] == [name for name, *_ in shown][: 1 + toy.test.any()]
    for (_, loss, error), (_, *numbers) in zip(printed, shown, strict=False):
        assert [float(loss), float(error)] == pytest.approx(numbers, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_the_circles(name: str) -> None:
    batch = None if name == "LBFGS" else 4
    toy = ToyTraining(changed(data="circles", optimizer=name, rate=OPTIMIZERS[name], batch=batch))
    toy.advance(60 if batch is None else 4000)
    assert toy.picture().errors[0] < 0.05


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "Identity"])
def test_every_activation_learns_the_circles(name: str) -> None:
    toy = ToyTraining(changed(data="circles", activation=name, optimizer="Adam", rate=0.01))
    toy.advance(4000)
    assert toy.picture().errors[0] < 0.05


def test_the_picture_shows_the_network() -> None:
    toy = ToyTraining(changed(hidden=[3, 2]))
    toy.advance(500)
    picture = toy.picture()
    assert (picture.output.shape, picture.units.shape) == (
        (SIDE, SIDE),
        (5, UNIT_SIDE, UNIT_SIDE),
    )
    assert picture.weights.size == 2 * 3 + 3 + 3 * 2 + 2 + 2 + 1
    assert np.array_equal(picture.weights[:6].reshape(2, 3), next(iter(toy.model.params.values())))
    # The cell at the top left is the point at x1 = -2.94, x2 = 2.94.
    corner = np.array([[-LIMIT, LIMIT]]) * (1 - 1 / SIDE)
    chance = 1 / (1 + np.exp(-toy.model.predict(corner)[0, 0]))
    assert abs(picture.output[0, 0] - 255 * chance) <= 0.51
    sums = corner @ picture.weights[:6].reshape(2, 3) + picture.weights[6:9]
    assert (np.sign(picture.units[:3, 0, 0] - 128.0) == np.sign(sums[0])).all()
    train = ~toy.test
    wrong = (toy.model.predict(toy.points[train])[:, 0] > 0) != toy.classes[train]
    assert picture.errors[0] == wrong.mean()


WRONG: dict[str, list[Any]] = {
    "rate": [0, -1, 101, "0.1", None, True, 10**400, [1]],
    "batch": [0, 1.5, 1001, "all", True],
    "hidden": [[0], [9], [1] * 7, 3, "44", [4.5], [True], None],
    "features": [[], ["x3"], "x1", [1], [["x1"]]],
    "data": ["cubes", 1, None, ["xor"]],
    "activation": ["tanh", "Softmax", "__class__"],
    "optimizer": ["sgd", "Optimizer", 3],
    "points": [[[1, 2]], [[1, 2, 2]], [[4, 0, 1]], [["1", 0, 1]], [[0, 0, 0]] * 1001, {}],
    "noise": [-0.1, 1.1],
    "samples": [3, 1001],
    "test": [1, 0.95, -1],
    "dropout": [1, 0.95],
    "decay": [-1, 2],
    "seed": [-1, 2**32, 0.5],
    "speed": [-1, 10**7],
    "colour": [1],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_one_sentence(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises((TypeError, ValueError), match="^playground: ") as raised:
            Settings().changed({name: value})
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 250
    assert {*WRONG} == {*Settings._fields, "colour"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(Settings._fields), JSON, max_size=2))
@settings(max_examples=60, deadline=None)
def test_whatever_is_sent_is_refused_or_trains(message: dict[str, Any]) -> None:
    try:
        found = Settings(samples=8).changed(message)
    except (TypeError, ValueError):
        return
    toy = ToyTraining(found)
    assert toy.can_train == (found.data != "own" or bool(found.points))


def test_the_page_is_told_all_choices() -> None:
    told = json.loads(json.dumps(choices()))
    for name in ("data", "activation", "features"):
        for value in told[name]:
            Settings().changed({name: [value] if name == "features" else value})
    for name, rate in told["optimizer"].items():
        Settings().changed({"optimizer": name, "rate": rate})
