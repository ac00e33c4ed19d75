"""Bad input to fit, evaluate and predict: one clear sentence, before anything starts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.train.samples import check_finite

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])
ROWS = np.eye(3, dtype=np.float32)[LABELS]


def spoilt(array: np.ndarray, row: int, value: float) -> np.ndarray:
    array = array.astype(np.float32)
    array[row, -1] = value
    return array


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    # how to train
    ({"shuffle": "no"}, TypeError, r"fit: shuffle must be True or False, got 'no'"),
    (
        {"callbacks": 3},
        TypeError,
        r"fit: a callback must be a Callback or a function (epoch, logs), got 3",
    ),
    ({"metrics": 3}, TypeError, r"a metric must be a name or a function (y, t), got 3"),
    # the inputs
    ({"x": X[:0]}, ValueError, r"fit: x is empty, its shape is (0, 4)"),
    ({"x": X[:, :0]}, ValueError, r"fit: x is empty, its shape is (6, 0)"),
    (
        {"x": X[:, 0]},
        ValueError,
        (
            "fit: x must have a sample axis and at least one feature axis, got shape (6,): write"
            " x[:, None] for one feature"
        ),
    ),
    ({"x": 3.0}, ValueError, "fit: x must have a sample axis and at least one feature axis, got"),
    ({"x": None}, TypeError, "fit: x must be an array of samples, got None"),
    ({"x": [["a"]]}, TypeError, "fit: x must hold real numbers, got dtype <U1"),
    ({"x": X + 1j}, TypeError, "fit: x must hold real numbers, got dtype complex64"),
    ({"x": [[1, 2], [3]]}, ValueError, "fit: x cannot be made an array: "),
    ({"x": np.ma.masked_less(X, 0)}, TypeError, "fit: x must not be a masked array, fill or drop"),
    (
        {"x": spoilt(X, 4, np.nan)},
        ValueError,
        "fit: x must be finite, but column 3 holds nan in row 4; fill or drop what is missing",
    ),
    (
        {"x": spoilt(X, 0, -np.inf)},
        ValueError,
        "fit: x must be finite, but column 3 holds -inf in row 0",
    ),
    ({"x": X[:5]}, ValueError, "fit: there are 5 samples but 6 targets in y"),
    ({"augment": 2}, TypeError, "fit: augment must be a gyaku.data.Augment or None, got int"),
    (
        {"augment": gk.data.Augment(1)},
        ValueError,
        "fit: augment is for images of shape (height, width, channels), got samples of shape (4,)",
    ),
    # the targets
    ({"y": LABELS[:5]}, ValueError, "fit: there are 6 samples but 5 targets in y"),
    ({"y": 3}, ValueError, "fit: there are 6 samples but no targets in y"),
    (
        {"y": LABELS + 1},
        ValueError,
        (
            "fit: the label 3 in row 2 of y is out of range: the model has 3 outputs, so labels go"
            " from 0 to 2"
        ),
    ),
    ({"y": LABELS - 1}, ValueError, "fit: the label -1 in row 0 of y is out of range"),
    (
        {"y": LABELS.astype(float)},
        ValueError,
        (
            "fit: y must hold class numbers as integers or rows of 3 probabilities, got one float64"
            " a sample; class numbers can be converted by y.astype(int)"
        ),
    ),
    (
        {"y": ROWS[:, :2]},
        ValueError,
        "fit: y has targets of shape (2,), the model's outputs have (3,)",
    ),
    (
        {"loss": "sum_squared_error"},
        ValueError,
        (
            "fit: y has targets of shape (), the model's outputs have (3,); one row for each class"
            " number is np.eye(3)[y]"
        ),
    ),
    (
        {"loss": "mean_squared_error", "y": X[:, 0]},
        ValueError,
        "fit: y has targets of shape (), the model's outputs have (3,)",
    ),
    (
        {"y": spoilt(ROWS, 3, np.nan)},
        ValueError,
        "fit: y must be finite, but column 2 holds nan in row 3; fill",
    ),
    (
        {"y": list("abcabc")},
        TypeError,
        (
            "fit: y must hold real numbers, got dtype <U1; class names become numbers by"
            " np.unique(y, return_inverse=True)[1]"
        ),
    ),
    # names and numbers
    (
        {"loss": "mze"},
        ValueError,
        f"unknown loss 'mze', known are {', '.join(sorted(gk.losses.LOSSES))}",
    ),
    (
        {"loss": None},
        TypeError,
        (
            'fit: a loss is needed, as in loss="softmax_cross_entropy"; known are '
            + ", ".join(sorted(gk.losses.LOSSES))
        ),
    ),
    ({"loss": 3}, TypeError, "loss must be a name, a Loss or a function (y, t), got 3"),
    (
        {"batchsize": 8},
        TypeError,
        "fit: unknown argument 'batchsize', did you mean 'batch_size'? Known are accumulate, augme",
    ),
    ({"self": 8}, TypeError, "fit: unknown argument 'self', "),
    ({"optimizer": "Adan"}, ValueError, "unknown optimizer 'Adan', did you mean 'adam'?"),
    ({"optimizer": 0.1}, TypeError, "optimizer must be a name or an Optimizer, got 0.1"),
    ({"metrics": ["acuracy"]}, ValueError, "unknown metric 'acuracy', did you mean 'accuracy'?"),
    ({"metrics": [3]}, TypeError, "a metric must be a name or a function (y, t), got 3"),
    (
        {"metrics": ["accuracy"] * 2},
        ValueError,
        "two columns of the history would be named",
    ),
    ({"epochs": 0}, ValueError, "fit: epochs must be at least 1, got 0"),
    ({"epochs": 1.5}, TypeError, "fit: epochs must be an integer, got 1.5"),
    ({"batch_size": 0}, ValueError, "fit: batch_size must be at least 1, got 0"),
    ({"batch_size": "all"}, TypeError, "fit: batch_size must be an integer, got 'all'"),
    ({"seed": -1}, ValueError, "fit: seed must be at least 0, got -1"),
    ({"seed": 2**64}, ValueError, "fit: seed must be below 2^64, got 18446744073709551616"),
    ({"verbose": 3}, ValueError, "fit: verbose must be 0, 1, 2 or 'auto', got 3"),
    ({"callbacks": [3]}, TypeError, "a callback must be a Callback or a function (epoch, logs)"),
    # a class instead of an object
    ({"callbacks": [gk.EarlyStopping]}, TypeError, "is the class EarlyStopping, write Early"),
    (
        {"loss": gk.losses.SoftmaxCrossEntropy},
        TypeError,
        "loss is the class SoftmaxCrossEntropy, write SoftmaxCrossEntropy()",
    ),
    ({"optimizer": gk.Adam}, TypeError, "optimizer is the class Adam, write Adam()"),
    ({"metrics": [gk.metrics.Accuracy]}, TypeError, "a metric is the class Accuracy, write Acc"),
    # the validation
    ({"validation_split": 1.0}, ValueError, "validation_split must be at least 0 and below 1, got"),
    ({"validation_split": 0.99}, ValueError, "of 6 samples leaves none to train on"),
    ({"validation_freq": 0}, ValueError, "fit: validation_freq must be at least 1, got 0"),
    (
        {"validation_data": X},
        TypeError,
        "fit: validation_data must be (x, y), (x, y, sample_weight)",
    ),
    (
        {"validation_data": (X[:, :3], LABELS)},
        ValueError,
        "fit: validation_data's x has samples of shape (3,), the model expects (4,)",
    ),
    (
        {"validation_data": (X, LABELS + 1)},
        ValueError,
        "fit: the label 3 in row 2 of validation_data's y is out of range",
    ),
    (
        {"validation_data": (X, LABELS), "validation_split": 0.5},
        ValueError,
        "fit: give validation_data or validation_split, not both",
    ),
    (
        {"callbacks": gk.EarlyStopping()},
        ValueError,
        "EarlyStopping: there is no 'val_loss' to monitor (fit has no validation data), only loss",
    ),
]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    BAD,
    ids=[f"{number} {row[2][:40]}" for number, row in enumerate(BAD)],
)
def test_bad_input_is_refused_in_one_sentence(
    change: dict[str, Any], kind: type[Exception], message: str
) -> None:
    arguments = {"x": X, "y": LABELS, "loss": "softmax_cross_entropy", "verbose": 0, **change}
    with pytest.raises(kind) as caught:
        gk.Sequential(gk.Dense(3)).fit(**arguments)
    assert type(caught.value) is kind
    assert message in str(caught.value)
    assert "\n" not in str(caught.value).split(": The requested array")[0]


def test_a_model_that_was_built_expects_its_shape() -> None:
    model = gk.Sequential(gk.Dense(3))
    model.build((5,))
    message = r"has samples of shape \(4,\), the model expects \(5,\)"
    with pytest.raises(ValueError, match="fit: x " + message):
        model.fit(X, LABELS, loss="softmax_cross_entropy")
    with pytest.raises(ValueError, match="evaluate: x " + message):
        model.evaluate(X, LABELS, loss="softmax_cross_entropy")
    with pytest.raises(ValueError, match="predict: x " + message):
        model.predict(X)


def test_a_single_sample_needs_a_sample_axis() -> None:
    model = gk.Sequential(gk.Dense(3))
    model.build((4,))
    with pytest.raises(ValueError, match=r"got shape \(4,\); write x\[None\] for one sample"):
        model.predict(X[0])
    images = gk.Sequential(gk.Flatten(), gk.Dense(3))
    images.build((2, 2))
    message = r"the model expects \(2, 2\); write x\[None\] for one sample"
    with pytest.raises(ValueError, match=message):
        images.predict(np.zeros((2, 2)))


@pytest.mark.parametrize("y", [LABELS > 0, (LABELS > 0).astype(float)[:, None]], ids=["1d", "2d"])
@pytest.mark.parametrize("loss", ["cross_entropy", "softmax_cross_entropy"])
def test_a_cross_entropy_needs_an_output_for_each_class(loss: str, y: np.ndarray) -> None:
    message = r"needs an output for each class, but the model has one output; .* take Dense\(2\)"
    with pytest.raises(ValueError, match=message):
        gk.Sequential(gk.Dense(1, "sigmoid")).fit(X, y, loss=loss)


def test_targets_in_a_row_train_one_output_and_are_never_broadcast() -> None:
    losses = [
        gk.Sequential(gk.Dense(1)).fit(X, y, loss="mean_squared_error", epochs=3, verbose=0)["loss"]
        for y in (X[:, 0], X[:, :1])
    ]
    assert losses[0] == losses[1]


def test_a_model_without_parameters_cannot_be_trained() -> None:
    message = "fit: the model has no parameters to train, add a Dense layer"
    with pytest.raises(ValueError, match=message):
        gk.Sequential(gk.ReLU()).fit(X, X, loss="sum_squared_error")


REMEDY = (
    "is zero everywhere; use Sigmoid instead of Step, or gyaku.Perceptron, whose learning rule"
    " needs no gradient, or set trainable = False"
)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([gk.Dense(3, "step")], "Dense 'dense' cannot learn, because the gradient of its own step"),
        (
            [gk.Dense(4), gk.Step(), gk.Dense(3)],
            f"fit: Dense 'dense' cannot learn, because the gradient of Step 'step' {REMEDY}",
        ),
        (
            [gk.Dense(4, name="first"), gk.BatchNorm(), gk.ReLU(), gk.Step(), gk.Dense(3)],
            "fit: BatchNorm 'batch_norm' cannot learn, because the gradient of Step 'step' is zero",
        ),
        (
            [gk.Reshape((2, 2)), gk.TimeDistributed(gk.Dense(3, "step")), gk.Flatten()],
            "TimeDistributed 'time_distributed' cannot learn, because the gradient of its own step",
        ),
        ([gk.Sequential(gk.Dense(4), gk.Dense(4, "step")), gk.Dense(3)], "'sequential.dense_2' c"),
    ],
)
def test_training_through_a_step_function_is_refused(layers: list[Any], message: str) -> None:
    model = gk.Sequential(*layers)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, LABELS, loss="softmax_cross_entropy", verbose=0)
    assert not model.built


def test_layers_that_a_step_function_does_not_cut_off_are_trained() -> None:
    fixed = gk.Dense(30, "step")
    fixed.trainable = False
    model = gk.Sequential(fixed, gk.Dense(3))
    history = model.fit(X, LABELS, loss="softmax_cross_entropy", epochs=20, verbose=0)
    assert history["loss"][-1] < history["loss"][0]
    x, shared = gk.Input((4,)), gk.Dense(4)
    around = gk.Add()(shared(x), gk.Step()(shared(shared(x))))
    history = gk.Model(x, around).fit(X, X, loss="mean_squared_error", epochs=9, verbose=0)
    assert history["loss"][-1] < history["loss"][0]


def test_labels_need_outputs_in_a_row() -> None:
    message = r"the model's outputs have shape \(2, 3\); end it with a recurrent layer"
    with pytest.raises(ValueError, match=message):
        gk.Sequential(gk.Dense(6), gk.Reshape((2, 3))).fit(X, LABELS, loss="cross_entropy")


def test_evaluate_wants_a_loss_that_it_knows() -> None:
    message = (
        'evaluate: a loss is needed, as in loss="softmax_cross_entropy"; known are binary_cross_en'
    )
    with pytest.raises(ValueError, match=message):
        gk.Sequential(gk.Dense(3)).evaluate(X, LABELS)


@pytest.mark.parametrize("call", ["evaluate", "predict"])
def test_batch_sizes_are_checked_everywhere(call: str) -> None:
    model = gk.Sequential(gk.Dense(3))
    model.fit(X, LABELS, loss="softmax_cross_entropy", verbose=0)
    arguments = (X, LABELS) if call == "evaluate" else (X,)
    with pytest.raises(ValueError, match=f"{call}: batch_size must be at least 1, got 0"):
        getattr(model, call)(*arguments, batch_size=0)


def test_a_refused_fit_leaves_the_model_as_it_was() -> None:
    model = gk.Sequential(gk.Dense(3))
    model.fit(X, LABELS, loss="softmax_cross_entropy", verbose=0)
    weights, optimizer = model.flat_params.copy(), model.optimizer
    for change in (each for each, _, _ in BAD[:-1] if each != {"loss": None}):
        arguments = {"x": X, "y": LABELS, "loss": "softmax_cross_entropy", "verbose": 0, **change}
        with pytest.raises((ValueError, TypeError)):
            model.fit(**arguments)
    np.testing.assert_array_equal(model.flat_params, weights)
    assert model.optimizer is optimizer


def test_large_finite_numbers_are_finite() -> None:
    x = np.full((4, 3), 3e38, np.float32)  # whose sum is not
    model = gk.Sequential(gk.Dense(1))
    model.build((3,))
    model.predict(x)


def test_looking_for_nan_costs_little() -> None:
    x = np.zeros((60_000, 784), np.float32)
    check_finite("fit", "x", x, x, x.dtype)

    def cost(work: Callable[[], object]) -> float:
        start = time.thread_time()  # of this thread, whatever else runs
        work()
        return time.thread_time() - start

    # Alternating with a sum of all elements, so that a slow machine is slow for both.
    pairs = [(cost(lambda: check_finite("fit", "x", x, x, x.dtype)), cost(x.sum)) for _ in range(7)]
    check, total = (min(times) for times in zip(*pairs, strict=True))
    assert check < 2 * total


def test_a_loss_that_was_left_out_is_asked_for() -> None:
    with pytest.raises(TypeError, match="fit: a loss is needed, as in loss="):
        gk.Sequential(gk.Dense(3)).fit(X, LABELS)


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict", "profile"])
def test_no_message_names_an_internal_class(call: str) -> None:
    model = gk.Sequential(gk.Dense(3))
    data = (X,) if call == "predict" else (X, LABELS)
    with pytest.raises(
        TypeError, match=rf"^{call}: unknown argument 'batchsize', did you mean 'ba"
    ):
        getattr(model, call)(*data, batchsize=3)
    with pytest.raises(TypeError) as caught:
        getattr(model, call)()
    assert str(caught.value).startswith(f"{call} needs x")


def test_a_refused_fit_leaves_a_new_model_as_it_was() -> None:
    class Counting(gk.Dense):
        """A layer that counts how often weights are drawn."""

        drawn = 0

        def add_weights(self, *arguments: Any, **options: Any) -> None:
            Counting.drawn += not self.sketched
            super().add_weights(*arguments, **options)

    layer = Counting(3)
    model = gk.Sequential(layer)
    for change, _, _ in BAD[:-1]:
        arguments = {"x": X, "y": LABELS, "loss": "softmax_cross_entropy", "verbose": 0, **change}
        with pytest.raises((ValueError, TypeError)):
            model.fit(**arguments)
    assert (model.built, model.input_shape, dict(layer.params)) == (False, None, {})
    assert layer.model is None
    assert Counting.drawn == 0
    model.fit(X, LABELS, loss="softmax_cross_entropy", verbose=0)
    assert Counting.drawn == 1
