"""Mistakes of newcomers: each message names what was given, where, and what would be right."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gyaku as gk
from child import Command
from gyaku.history import History

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 5))
Y = RNG.integers(0, 3, 30)
IMAGES = RNG.normal(size=(30, 6, 6, 1))
ENTROPY = "softmax_cross_entropy"


def net(outputs: int = 3) -> gk.Sequential:
    return gk.Sequential(gk.Dense(4, "relu"), gk.Dense(outputs))


def fit(model: gk.Model | None = None, x: Any = X, y: Any = Y, **options: Any) -> gk.Model:
    model = net() if model is None else model
    model.fit(x, y, **{"loss": ENTROPY, "verbose": 0} | options)
    return model


class Sparse:
    """A sparse matrix as NumPy sees it."""

    shape = (30, 5)


class Pairs:
    """A data set of PyTorch: samples by their number, each with its target."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> tuple[Any, int]:
        return X[number], Y[number]


FRAME = pd.DataFrame({"height": [1.5, 2.5] * 15, "town": ["Kyoto", "Nara"] * 15})

RUN: Any = {"columns": {"loss": [0.5]}, "seconds": [1.0], "samples": 9, "stopped": None}

MISTAKES: dict[str, Callable[[], object]] = {
    "batchsize": lambda: fit(batchsize=8),
    "nb_epoch": lambda: fit(nb_epoch=8),
    "random_state": lambda: fit(random_state=8),
    "validation": lambda: fit(validation=(X, Y)),
    "lr of fit": lambda: fit(lr=0.1),
    "patience": lambda: fit(patience=3),
    "strides": lambda: gk.Conv2D(8, 3, strides=2),
    "kernel_initializer": lambda: gk.Dense(8, kernel_initializer="he"),
    "input_shape": lambda: gk.Dense(8, input_shape=(4,)),
    "decay": lambda: gk.Adam(decay=0.1),
    "Dense(784, 10)": lambda: gk.Dense(784, 10),
    "Conv2D(1, 8, 3)": lambda: gk.Conv2D(1, 8, 3),
    "RMSprop": lambda: gk.RMSprop,
    "BatchNormalization": lambda: gk.BatchNormalization,
    "Linear": lambda: gk.Linear,
    "optimizers": lambda: gk.optimizers,
    "nn": lambda: gk.nn,
    "StepLR": lambda: gk.StepLR,
    "LRFinder": lambda: gk.LRFinder,
    "LearningRateScheduler": lambda: gk.LearningRateScheduler,
    "BackupAndRestore": lambda: gk.BackupAndRestore,
    "weights": lambda: fit(weights=np.ones(30)),
    "ckpt_path": lambda: fit(ckpt_path="last.ckpt"),
    "save_best_only": lambda: gk.ModelCheckpoint("best.safetensors", save_best_only=True),
    "history.history": lambda: History().history,
    "history.loss": lambda: History.from_dict(RUN).loss,
    "to_categorical": lambda: gk.to_categorical,
    "compile": lambda: net().compile,
    "get_weights": lambda: net().get_weights,
    "one_hot": lambda: gk.one_hot(Y, 3),
    "more data sets": lambda: gk.data.load_iris(),
    "a plot": lambda: gk.plots.learning_curves({}),
    "a model by name": lambda: gk.models.resnett(),
    "mse as a class": lambda: gk.losses.MSE(),
    "init": lambda: gk.Dense(8, init="he"),
    "W": lambda: fit(net()).layers[0].W,
    "db": lambda: fit(net()).layers[0].db,
    "pop": lambda: net().pop(),
    "export": lambda: net().export("net.onnx"),
    "predict up to a layer": lambda: fit(net()).predict(X, layer="dense"),
    "a layer of another model": lambda: [fit(gk.Sequential(each.layers[1])) for each in [fit()]],
    "Input(5)": lambda: gk.Input(5),
    "a function of one argument": lambda: fit(callbacks=lambda epoch: None),
    "a list as history": lambda: gk.plots.learning_curve([0.9, 0.4]),  # type: ignore[arg-type]
    "a series": lambda: fit(x=FRAME["height"]),
    "a gap in a frame": lambda: fit(x=FRAME[["height"]].replace(2.5, np.nan)),
    "texts in an array": lambda: fit(x=[["a", "b"]] * 30),
    "a data set of PyTorch": lambda: net().fit(Pairs(), loss=ENTROPY),
    "misspelt": lambda: net().evaluat,
    "layer's": lambda: gk.Dense(3).unit,
    "load": lambda: net().load("a.safetensors"),
    "profile": lambda: net().profile(),
    "predict": lambda: net().predict(),
    "categorical_crossentropy": lambda: fit(loss="categorical_crossentropy"),
    "no loss": lambda: net().fit(X, Y),
    "one output": lambda: fit(net(1)),
    "squares of classes": lambda: fit(loss="mse"),
    "Flatten": lambda: fit(x=IMAGES),
    "Flatten for numbers": lambda: fit(net(1), IMAGES, X[:, 0], loss="mse"),
    "Flatten at the end": lambda: fit(gk.Sequential(gk.Conv2D(3, 3)), IMAGES),
    "names in a frame": lambda: fit(x=FRAME),
    "an unreadable matrix": lambda: fit(x=Sparse()),
    "a file's name": lambda: fit(x="data.csv"),
    "labels from 1": lambda: fit(y=Y + 1),
    "names as labels": lambda: fit(y=np.array(list("abc"))[Y]),
    "large targets": lambda: fit(net(1), y=np.full(30, 1e30), loss="mse"),
    "Input in a chain": lambda: gk.Sequential(gk.Input((5,)), gk.Dense(3)),
    "a name in a chain": lambda: gk.Sequential(gk.Dense(3), "relu"),
    "Normal(0.01)": lambda: gk.init.Normal(0.01),
    "a perceptron's step": lambda: fit(gk.Sequential(gk.Dense(3), gk.Step())),
    "val_acc": lambda: fit(validation_split=0.2, callbacks=gk.EarlyStopping("val_acc")),
    "no validation": lambda: fit(callbacks=gk.EarlyStopping()),
}
SENTENCES = {
    "batchsize": "fit: unknown argument 'batchsize', did you mean 'batch_size'?",
    "nb_epoch": "fit: unknown argument 'nb_epoch', did you mean 'epochs'?",
    "random_state": "'random_state', did you mean 'seed'?",
    "validation": "'validation', did you mean 'validation_data'?",
    "lr of fit": "argument 'lr'; it belongs to the optimizer, as in optimizer=gyaku.Adam(0.001)",
    "patience": "'patience'; early stopping is a callback",
    "strides": "Conv2D has no argument 'strides', did you mean 'stride'?",
    "kernel_initializer": "has no argument 'kernel_initializer', did you mean 'weight_init'?",
    "input_shape": "'input_shape'; the number of inputs is inferred when the model is built",
    "decay": "Adam has no argument 'decay'; a falling learning rate is a schedule",
    "Dense(784, 10)": "the number of inputs is inferred when the model is built, write Dense(10)",
    "Conv2D(1, 8, 3)": "takes at most 2 arguments by position (filters, kernel_size), got 3",
    "RMSprop": "no attribute 'RMSprop', did you mean 'RMSProp'?",
    "BatchNormalization": "did you mean 'BatchNorm'?",
    "Linear": "no attribute 'Linear', did you mean 'Dense'?",
    "optimizers": "no attribute 'optimizers', did you mean 'optim'?",
    "StepLR": "no attribute 'StepLR', did you mean 'schedules.Step'?",
    "LRFinder": "did you mean 'find_learning_rate'?",
    "LearningRateScheduler": "; a schedule is a learning rate, as in gyaku.SGD(",
    "BackupAndRestore": "did you mean 'ModelCheckpoint'?",
    "weights": "'weights', did you mean 'sample_weight'?",
    "ckpt_path": "'ckpt_path', did you mean 'resume'?",
    "save_best_only": "no argument 'save_best_only'; keep='best' keeps the best",
    "history.history": "; fit returns a history, a mapping, as in history['loss']",
    "history.loss": "History has no attribute 'loss'; its values are history['loss']",
    "nn": "no attribute 'nn'; layers are names of gyaku itself",
    "to_categorical": "; numpy.eye(classes)[y] makes rows of class",
    "compile": "Sequential has no attribute 'compile'; fit takes loss,",
    "get_weights": "; params has the parameters by name",
    "one_hot": "; numpy.eye(classes)[y] makes rows of class",
    "more data sets": "; scikit-learn and torchvision have more data sets",
    "a plot": "no attribute 'learning_curves', did you mean 'learning_curve'?",
    "a model by name": "no attribute 'resnett', did you mean 'resnet'?",
    "mse as a class": "no attribute 'MSE', did you mean 'MeanSquaredError'?",
    "init": "Dense has no argument 'init', did you mean 'weight_init'?",
    "W": "Dense has no attribute 'W'; it is params['weight']",
    "db": "Dense has no attribute 'db'; it is grads['bias']",
    "pop": "; layers that predict by themselves are a model of their own within the model",
    "export": "; gyaku.interop.to_onnx(model, path) writes ONNX",
    "predict up to a layer": "unknown argument 'layer'; layers that predict by themselves are",
    "a layer of another model": "already, make a new layer; to predict with some of a model's",
    "Input(5)": "Input: shape must be a tuple, such as (784,) or (28, 28, 1), got 5, write (5,)",
    "a function of one argument": "is called as <lambda>(epoch, logs) behind each epoch",
    "a list as history": "history must be a History, or a dict of lists such as {'loss': [0.9",
    "a series": "write x.to_frame() for one feature",
    "a gap in a frame": "but column 'height' holds nan in row 1; fill or drop what is missing",
    "texts in an array": "got dtype <U1; pandas.get_dummies makes numbers of a column of names",
    "a data set of PyTorch": "a sample of Pairs is a tuple; fit takes batches, as DataLoader(x)",
    "misspelt": "has no attribute 'evaluat', did you mean 'evaluate'?",
    "layer's": "Dense has no attribute 'unit', did you mean 'units'?",
    "load": "load: gyaku.load('a.safetensors') reads a model",
    "profile": "profile needs x and y, as in profile(x, y)",
    "predict": "predict needs x, as in predict(x)",
    "categorical_crossentropy": "a model that ends in Softmax; both take class numbers and rows",
    "no loss": 'fit: a loss is needed, as in loss="softmax_cross_entropy"',
    "one output": "but the model has one output; two classes take Dense(2)",
    "squares of classes": "one row for each class number is np.eye(3)[y]",
    "Flatten": "outputs have shape (6, 6, 3); put Flatten in front of the first Dense layer",
    "Flatten for numbers": "have (6, 6, 1); put Flatten in front of the first Dense layer",
    "Flatten at the end": "end it with Flatten and Dense",
    "names in a frame": "'Kyoto' in row 0; pandas.get_dummies makes numbers of a column of names",
    "an unreadable matrix": "of shape (30, 5), which NumPy cannot read; give a dense array of it",
    "a file's name": "'data.csv'; numpy.load, numpy.loadtxt and",
    "labels from 1": "so labels go from 0 to 2; y - 1 has such labels",
    "names as labels": "class names become numbers by",
    "large targets": "The targets are too large, up to 1e+30; scale them",
    "Input in a chain": "leave it out, and give the shape to build((5,)), or let fit find it",
    "a name in a chain": "got 'relu', write ReLU()",
    "Normal(0.01)": "Normal takes no arguments by position, got 1; by name it takes std, mean",
    "a perceptron's step": "cannot learn, because the gradient of Step 'step' is zero everywhere",
    "val_acc": "is no 'val_acc' to monitor (give fit metrics='accuracy'), only loss, val_loss",
    "no validation": "(fit has no validation data), only",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_its_remedy(mistake: str) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError, ArithmeticError)) as caught:
        MISTAKES[mistake]()
    assert SENTENCES[mistake] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_private_name_is_refused_at_once() -> None:
    assert not hasattr(net(), "_repr_latex_")
    assert not hasattr(gk.Dense(3), "__array__")


def test_a_layer_of_ones_own_that_fails_is_named() -> None:
    class Wrong(gk.Layer):
        def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
            return input_shape

        def forward(self, x: Any, training: bool = False) -> Any:
            return x @ np.ones((2, 2))

    with pytest.raises(ValueError, match="matmul") as caught:
        fit(gk.Sequential(gk.Dense(4), Wrong(name="mine"), gk.Dense(3)))
    text = "".join(traceback.format_exception(caught.value))
    assert "in forward of Wrong 'mine', whose arguments have the shape (30, 4)" in text


def test_numbers_and_booleans_in_one_frame_are_numbers() -> None:
    table = pd.get_dummies(FRAME)
    assert len({str(each) for each in table.dtypes}) == 2
    with_frame, with_floats = (fit(x=each).flat_params for each in (table, table.astype(float)))
    np.testing.assert_array_equal(with_frame, with_floats)


def test_commas_and_a_column_of_labels_at_the_command_line(tmp_path: Path, here: Command) -> None:
    assert "got '9,5'" in (said := here("train", "--hidden", "9,5").stderr)
    assert "of at least 1, and further ones behind spaces, as in 9 5, got '9,5'" in said
    (tmp_path / "folder").mkdir()
    model = gk.models.linear()
    model.build((8, 8, 1))
    model.save(tmp_path / "m.safetensors")
    np.savetxt(tmp_path / "head.csv", np.zeros((3, 65)), fmt="%d", delimiter=",")
    said = here("predict", "m.safetensors", "head.csv").stderr
    assert "head.csv holds 3 x 65 values, the model takes samples of 8 x 8 x 1" in said
    assert "; leave out the column of labels" in said
    said = here("predict", "m.safetensors", "folder").stderr
    assert "folder is a folder; name the files in it, as in folder/*.png" in said


def test_a_picture_of_the_curve_shows_itself_and_names_a_logarithmic_axis() -> None:
    history = net(1).fit(X, 100 * X[:, :1], loss="mse", epochs=2, verbose=0)
    history.extend({"loss": [history["loss"][0] / 1e4]}, seconds=1)
    axes = history.plot()
    assert axes._repr_png_().startswith(b"\x89PNG")
    labels = [each.get_ylabel() + each.get_title(loc="left") for each in axes.figure.axes]
    texts = [text.get_text() for each in axes.figure.axes for text in each.texts]
    assert "log scale" in " ".join([*labels, *texts])


def test_printing_a_model_shows_its_layers() -> None:
    assert repr(net()).startswith("Sequential(Dense(4, activation='relu', name='dense'), Dense(3")
    lines = str(fit()).splitlines()
    assert lines[0].startswith("Sequential 'sequential', inputs (5,), 39 parameters")
    assert [line.split()[0] for line in lines[1:]] == ["dense", "dense_2"]


def test_a_training_that_goes_on_keeps_its_loss(tmp_path: Path) -> None:
    model = fit(net(1), y=X[:, 0], loss=gk.losses.Huber(0.5))
    model.save(tmp_path / "m.safetensors")
    again = gk.load(tmp_path / "m.safetensors")
    for each in (model, again):
        each.optimizer = None
        each.fit(X, X[:, 0], verbose=0)
        assert repr(each.loss) == "Huber(delta=0.5)"
    np.testing.assert_array_equal(model.flat_params, again.flat_params)


def test_a_curve_is_drawn_in_the_language_asked_for(tmp_path: Path) -> None:
    history = net(1).fit(X, X[:, :1], loss="mse", epochs=2, verbose=0)
    axes = history.plot(tmp_path / "curve.png", title="XOR")
    assert axes.figure.get_suptitle() == "XOR"
    with pytest.raises(ValueError, match="lang must be"):
        history.plot(lang="fr")


def test_a_curve_below_zero_is_within_its_axes() -> None:
    axes = gk.plots.learning_curve({"loss": [-1.0, -5.0]})
    low, high = axes.get_ylim()
    assert low < -5.0
    assert high >= 0.0


def test_a_table_shortens_a_loss_that_is_huge() -> None:
    history = History(samples=9)
    history.extend({"loss": [7.5192e20, 1234567.0]}, seconds=1)
    assert "7.519e+20" in str(history)
    assert "1,234,567" in str(history)
