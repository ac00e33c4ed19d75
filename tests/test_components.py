"""Components: arguments and attributes that there are not, and other names for those that are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import safetensors
from gyaku.losses import loss
from gyaku.metrics import metric
from gyaku.optim import optimizer


class Own(gk.Layer):
    """A layer as a student writes it."""

    def __init__(self, factor, lr=0.1, name=""):
        super().__init__(name=name)
        self.factor, self.lr = factor, lr
        self.anything = self.trained = None

    def forward(self, x):
        self.x = x
        return self.factor * x

    def backward(self, dy):
        return self.factor * dy


class Free(Own):
    def __init__(self, *args, **options):
        super().__init__(2)
        self.args, self.options = args, options


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gk.Conv2D(8, 3, strides=2), "Conv2D has no argument 'strides', did you mean 'str"),
        (lambda: gk.Conv1D(8, 3, filtres=2), "Conv1D has no argument 'filtres', did you mean 'fil"),
        (lambda: gk.Dense(3, kernel_initializer="he"), ".* 'kernel_initializer', .* 'weight_init'"),
        (lambda: gk.MaxPool2D(pool_size=2), "MaxPool2D has no .* 'pool_size', .* 'kernel_size'"),
        (lambda: gk.ReLU(axis=2), "ReLU has no argument 'axis'; it takes name"),
        (lambda: gk.Conv2D(1, 8, 3), r"Conv2D takes at most 2 .* \(filters, kernel_size\), got 3"),
        (lambda: gk.init.Normal(0.01), "Normal takes no .* position, got 1; .* takes std, mean"),
        (lambda: gk.init.Uniform(0.1), "Uniform takes no .* position, got 1; .* low, high"),
        (lambda: gk.Dense(784, 10), r"Dense: activation must be .* got 10; .* write Dense\(10\)"),
        (lambda: gk.Dense(), "Dense needs units"),
        (lambda: gk.Conv2D(padding=1), "Conv2D needs filters and kernel_size"),
        (lambda: gk.Dense(3, units=4), "Dense: units is given twice, by position and by name"),
        (lambda: gk.SGD(lr=1, learning_rate=1), "SGD: learning_rate is given twice, as lr too"),
        (lambda: gk.EarlyStopping(patients=3), "EarlyStopping has no .*, did you mean 'patience'"),
        (lambda: gk.losses.CrossEntropy("sum"), "CrossEntropy takes no arguments by position"),
        (lambda: gk.schedules.Constant(), "Constant needs rate"),
        (lambda: Own(facto=1), "Own has no argument 'facto', did you mean 'factor'"),
        (lambda: Own(), "Own needs factor"),
    ],
)
def test_a_constructor_names_the_class_and_what_was_meant(
    make: Callable[[], Any], message: str
) -> None:
    with pytest.raises(TypeError, match=f"^{message}"):
        make()


def test_other_names_of_arguments_are_taken() -> None:
    assert repr(gk.SGD(lr=0.5)) == "SGD(learning_rate=0.5)"
    assert repr(gk.Adam(eps=1e-3)) == "Adam(epsilon=0.001)"
    assert repr(gk.BatchNorm(eps=0.5)) == "BatchNorm(epsilon=0.5)"
    assert repr(gk.MaxPool2D(window=3)) == "MaxPool2D(kernel_size=3)"


def test_a_class_of_ones_own_names_its_arguments_as_it_likes() -> None:
    assert Own(1, lr=0.5).lr == 0.5
    free = Free(1, 2, lr=3, strides=4)
    assert (free.args, free.options) == ((1, 2), {"lr": 3, "strides": 4})


@pytest.mark.parametrize(
    ("made", "name", "close"),
    [
        (gk.Dense(3), "trainible", "trainable"),
        (gk.Dense(3), "requires_grad", "trainable"),
        (gk.Dense(3), "unit", "units"),
        (gk.Conv2D(3, 3), "activaton", "activation"),
        (gk.SGD(0.1), "lr", "learning_rate"),
        (gk.EarlyStopping(), "patiense", "patience"),
        (Own(1), "trainible", "trainable"),
        (Own(1), "requires_grad", "trainable"),
        (gk.ReLU(), "zzz", None),
    ],
    ids=str,
)
def test_an_attribute_that_there_is_not_is_refused(made: Any, name: str, close: str | None) -> None:
    with pytest.raises(AttributeError) as caught:
        setattr(made, name, False)
    hint = f", did you mean {close!r}?" if close else ""
    assert str(caught.value) == f"{type(made).__name__} has no attribute {name!r}{hint}"
    assert not hasattr(made, name)


def test_attributes_that_there_are_can_be_set() -> None:
    dense, learner = gk.Dense(3), gk.SGD(0.1)
    dense.name = "output"
    learner.learning_rate = 0.5
    assert str(dense) == "Dense 'output'"
    assert repr(learner) == "SGD(learning_rate=0.5)"


@pytest.mark.parametrize(
    ("choose", "given", "wanted"),
    [
        (loss, "mse", "MeanSquaredError()"),
        (loss, "Cross_Entropy", "CrossEntropy()"),
        (loss, "bce", "BinaryCrossEntropy()"),
        (loss, "binary_crossentropy", "BinaryCrossEntropy()"),
        (metric, "acc", "Accuracy()"),
        (metric, "mse", "MeanSquaredError()"),
        (optimizer, "Adam", "Adam()"),
        (optimizer, "SGD", "SGD()"),
        (optimizer, None, "Adam()"),
        (gk.init.initializer, "glorot", "Xavier()"),
        (gk.layers.activation.activation, "swish", "SiLU()"),
    ],
)
def test_other_names_are_taken(choose: Callable[[Any], object], given: Any, wanted: str) -> None:
    assert repr(choose(given)) == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("categorical_crossentropy", "'softmax_cross_entropy' for a last layer without activation"),
        ("sparse_categorical_crossentropy", "'cross_entropy' for a model that ends in Softmax"),
        ("triplet", "unknown loss 'triplet', did you mean 'triplet_margin'"),
    ],
)
def test_a_name_that_could_mean_several_losses_is_answered_with_advice(
    given: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        loss(given)


def test_none_is_taken_where_nothing_is_meant() -> None:
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    model = gk.Sequential(gk.Dense(1, activation=None, name=None), name=None)
    history = model.fit(
        *(x, x[:, :1]),
        loss="mse",
        optimizer=None,
        metrics=None,
        callbacks=None,
        validation_data=None,
        augment=None,
        verbose=0,
    )
    assert list(history) == ["loss"]
    assert model.layers[0].name == "dense"


def test_files_with_older_names_of_arguments_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = gk.Sequential(
        *(gk.Conv2D(2, 3), gk.MaxPool2D(2), gk.AvgPool2D(2, 1)),
        *(gk.Flatten(), gk.Dense(2, bias_init=gk.init.Normal(std=0.5))),
    )
    model.build((9, 9, 1))
    model.save(path)
    tensors, metadata = safetensors.read(path)
    del metadata["gyaku.checksum"]
    text = metadata["gyaku.architecture"]
    for new, old in (("kernel_size", "window"), ("std", "deviation")):
        assert f'"{new}"' in text
        text = text.replace(f'"{new}"', f'"{old}"')
    safetensors.write(path, tensors, metadata | {"gyaku.architecture": text})
    x = np.random.default_rng(0).normal(size=(4, 9, 9, 1)).astype(np.float32)
    again = gk.load(path)
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
