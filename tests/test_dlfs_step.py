"""Programs of the textbook's networks: the same numbers as their layers one by one."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import dlfs

NETWORKS: dict[str, Any] = {
    "two": (lambda **kind: dlfs.TwoLayerNet(20, 8, 3, 0.3, **kind), (20,)),
    "sigmoid": (lambda **kind: dlfs.MultiLayerNet(20, [8, 7], 3, "sigmoid", 0.5, **kind), (20,)),
    "decay": (
        lambda **kind: dlfs.MultiLayerNet(20, [8], 3, weight_decay_lambda=0.1, **kind),
        (20,),
    ),
    "images": (lambda **kind: images(1, **kind), (1, 10, 10)),
    "colours": (lambda **kind: images(3, **kind), (3, 10, 10)),
}


def images(channels: int, **kind: Any) -> dlfs.SimpleConvNet:
    conv = {"filter_num": 4, "filter_size": 3}
    return dlfs.SimpleConvNet((channels, 10, 10), conv, 8, 3, 0.3, **kind)


class Subclass(dlfs.TwoLayerNet):
    """A network that a student changed: its loss is doubled, layers run one by one."""

    def loss(self, x: Any, t: Any, train_flg: bool = False) -> float:
        return super().loss(x, t, train_flg)


def made(name: str, dtype: str = "float64") -> tuple[Any, np.ndarray, np.ndarray]:
    build, shape = NETWORKS[name]
    np.random.seed(0)
    network = build(dtype=dtype)
    random = np.random.default_rng(1)
    x = np.maximum(random.standard_normal((60, *shape)), 0).astype(dtype)
    return network, x, random.integers(0, 3, 60)


def by_layers(network: Any, x: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
    with gk.use_backend("reference"):
        gradients: dict[str, np.ndarray] = network.gradient(x, t)
    return gradients


def assert_close(found: dict[str, Any], expected: dict[str, Any], dtype: str) -> None:
    assert found.keys() == expected.keys()
    for key, gradient in found.items():
        assert gradient.dtype == expected[key].dtype == dtype
        atol = 1e-12 if dtype == "float64" else 1e-5
        np.testing.assert_allclose(gradient, expected[key], rtol=0, atol=atol, err_msg=key)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_program_has_the_gradients_of_the_layers(name: str, dtype: str) -> None:
    network, x, t = made(name, dtype)
    for rows in (slice(10), slice(10, 20), slice(20, 25), slice(25, 35)):
        assert network.step(x[rows]) is not None
        found = network.gradient(x[rows], t[rows])
        assert_close(found, by_layers(copy.deepcopy(network), x[rows], t[rows]), dtype)
        assert network.last_layer.loss == pytest.approx(
            network.loss(x[rows], t[rows]) - network.penalty, abs=1e-6
        )


def test_changes_in_place_are_seen_and_earlier_gradients_stay() -> None:
    network, x, t = made("images")
    first = network.gradient(x, t)
    kept = {key: gradient.copy() for key, gradient in first.items()}
    for key, param in network.params.items():
        param -= 0.1 * first[key]
    second = network.gradient(x, np.eye(3)[t])
    assert_close(second, by_layers(copy.deepcopy(network), x, t), "float64")
    assert_close(first, kept, "float64")
    layer = network.layers["Conv1"]
    assert layer.dW is second["W1"] is layer.grads[0]


def test_replaced_arrays_and_settings_are_seen() -> None:
    network, x, t = made("images")
    network.gradient(x, t)
    layer = network.layers["Conv1"]
    layer.W = network.params["W1"] = 2 * network.params["W1"]  # as the book loads parameters
    assert_close(network.gradient(x, t), by_layers(copy.deepcopy(network), x, t), "float64")
    network.params["b1"] = network.params["b1"] + 1
    with pytest.raises(ValueError, match="an array in params was replaced"):
        network.gradient(x, t)


def test_what_is_not_of_the_book_runs_layer_by_layer() -> None:
    network, x, t = made("two")
    assert Subclass(20, 8, 3).step(x) is None
    assert network.step(x.tolist()) is None
    assert network.step(x.astype(np.float32)) is not None
    with gk.use_backend("reference"):
        assert network.step(x) is None
    assert dlfs.TwoLayerNet(20, 8, 3, dtype=np.float32).step(x) is None  # float64 is kept
    network.layers["Relu1"] = type("Mine", (dlfs.Relu,), {})()
    assert network.step(x) is None
    assert set(network.gradient(x, t)) == set(network.params)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_have_programs_of_their_own(copied: Any) -> None:
    network, x, t = made("two")
    expected = network.gradient(x, t)
    other = copied(network)
    other.params["W1"][...] = 0
    other.gradient(x, t)
    assert_close(network.gradient(x, t), expected, "float64")
    assert_close(other.gradient(x, t), by_layers(copied(other), x, t), "float64")


def test_labels_are_checked_before_anything_is_computed() -> None:
    network, x, t = made("two")
    network.gradient(x, t)
    for labels, message in ((t + 1, "label"), (t[:5], "60 labels")):
        with pytest.raises(ValueError, match=message):
            network.gradient(x, labels)


RULES: dict[str, dict[str, float]] = {
    "SGD": {"lr": 0.1},
    "Momentum": {"lr": 0.05},
    "Nesterov": {"lr": 0.05},
    "AdaGrad": {"lr": 0.05},
    "RMSprop": {"lr": 0.01, "decay_rate": 0.9},
    "Adam": {"lr": 0.01, "beta1": 0.8},
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rule", RULES)
def test_the_trainer_takes_the_steps_of_the_own_loop(name: str, rule: str) -> None:
    network, x, t = made(name)
    other = copy.deepcopy(network)
    how = {"optimizer": rule, "optimizer_param": RULES[rule]}
    trainer = dlfs.Trainer(network, x, t, x, t, mini_batch_size=10, verbose=False, **how)
    np.random.seed(2)
    for step in range(6):
        trainer.optimizer.lr = RULES[rule]["lr"] / (1 + step)
        trainer.train_step()
    own = getattr(dlfs, rule)(**RULES[rule])
    np.random.seed(2)
    losses = []
    for step in range(6):
        own.lr = RULES[rule]["lr"] / (1 + step)
        rows = np.random.choice(60, 10)
        own.update(other.params, by_layers(other, x[rows], t[rows]))
        losses.append(other.loss(x[rows], t[rows]))
    np.testing.assert_allclose(trainer.train_loss_list, losses, rtol=0, atol=1e-9)
    assert_close(network.params, other.params, "float64")


def test_the_trainer_reads_bytes_and_sees_changes_of_the_data() -> None:
    network, x, t = made("two", "float32")
    pixels = (50 * x).astype(np.uint8)
    other = copy.deepcopy(network)
    trainer = dlfs.Trainer(network, pixels, t, x, t, mini_batch_size=10, verbose=False)
    trainer.train_step()
    pixels[...], t[...] = 1, 0
    trainer.train_step()
    assert network.step(pixels, 10, trainer.optimizer) is not None
    assert trainer.train_loss_list[1] == pytest.approx(network.loss(pixels, t), rel=1e-5)
    assert other.params["W1"].dtype == np.float32


def test_a_students_optimizer_works_on_the_dictionaries() -> None:
    class Mine:
        def update(self, params: dict[str, Any], grads: dict[str, Any]) -> None:
            for key in params:
                params[key] -= 0.1 * grads[key]

    network, x, t = made("images")
    other = copy.deepcopy(network)
    trainer = dlfs.Trainer(network, x, t, x, t, mini_batch_size=10, verbose=False)
    trainer.optimizer = Mine()
    reference = dlfs.Trainer(
        other, x, t, x, t, mini_batch_size=10, verbose=False, optimizer_param={"lr": 0.1}
    )
    for each in (trainer, reference):
        np.random.seed(2)
        for _ in range(4):
            each.train_step()
    assert_close(network.params, other.params, "float64")
