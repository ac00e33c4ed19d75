"""Losses: the equation, its gradient, and losses of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku.losses import (
    LOSSES,
    CrossEntropy,
    Loss,
    MeanSquaredError,
    SoftmaxCrossEntropy,
    SumSquaredError,
)

EPS = np.finfo(np.float64).eps
LABELS = np.array([2, 0, 1, 2])
ROWS = np.random.default_rng(0).dirichlet(np.ones(3), 4)
Y = np.random.default_rng(1).dirichlet(np.ones(3), 4)


def log_softmax(y: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(y - np.log(np.exp(y).sum(axis=1, keepdims=True)))


def cosines(y: NDArray[Any]) -> NDArray[Any]:
    a, b = np.split(y, 2, axis=1)
    lengths = np.sqrt(((a**2).sum(axis=1) + 1e-12) * ((b**2).sum(axis=1) + 1e-12))
    return np.asarray((a * b).sum(axis=1) / lengths)


# What the loss of a sample is, written once more.
EQUATIONS = {
    "sum_squared_error": lambda y, t: 0.5 * ((y - t) ** 2).sum(axis=1),
    "mean_squared_error": lambda y, t: ((y - t) ** 2).mean(axis=1),
    "mean_absolute_error": lambda y, t: np.abs(y - t).mean(axis=1),
    "huber": lambda y, t: np.where(abs(y - t) < 1, (y - t) ** 2 / 2, abs(y - t) - 0.5).mean(axis=1),
    "smooth_l1": lambda y, t: (
        np.where(abs(y - t) < 1, (y - t) ** 2, 2 * abs(y - t) - 1).mean(1) / 2
    ),
    "log_cosh": lambda y, t: np.log(np.cosh(y - t)).mean(axis=1),
    "poisson": lambda y, t: (np.exp(y) - t * y).mean(axis=1),
    "gaussian": lambda y, t: (y[:, 3:] + (y[:, :3] - t) ** 2 / np.exp(y[:, 3:])).mean(axis=1) / 2,
    "triplet_margin": lambda y, t: np.maximum(
        1
        + np.sqrt(((y[:, :3] - y[:, 3:6] + 1e-6) ** 2).sum(axis=1))
        - np.sqrt(((y[:, :3] - y[:, 6:] + 1e-6) ** 2).sum(axis=1)),
        0,
    ),
    "hinge": lambda y, t: np.maximum(1 - y * np.where(t > 0, 1, -1), 0).mean(axis=1),
    "cosine_similarity": lambda y, t: (
        1 - (y * t).sum(axis=1) / np.sqrt((y**2).sum(axis=1) * (t**2).sum(axis=1))
    ),
    "kl_divergence": lambda y, t: (t * (np.log(t) - y)).sum(axis=1),
    "negative_log_likelihood": lambda y, t: -(t * y).sum(axis=1),
    "hinge_embedding": lambda y, t: np.where(t > 0, y, np.maximum(1 - y, 0)).mean(axis=1),
    "cosine_embedding": lambda y, t: np.where(
        t[:, 0] > 0, 1 - cosines(y), np.maximum(cosines(y), 0)
    ),
    "multi_label_margin": lambda y, t: (
        np.array(
            [
                sum(
                    max(1 - row[j] + row[i], 0)
                    for j in range(3)
                    for i in range(3)
                    if r[j] > 0 >= r[i]
                )
                for row, r in zip(y, t, strict=True)
            ]
        )
        / 3
    ),
    "ctc": lambda y, t: -log_softmax(y[:, 0])[np.arange(4), t[:, 0]],
    "multi_margin": lambda y, t: np.array(
        [
            np.maximum(1 - row[c] + np.delete(row, c), 0).sum() / 3
            for row, c in zip(y, t.argmax(1), strict=True)
        ]
    ),
    "binary_cross_entropy": lambda y, t: (
        -(t * np.log(y + 1e-7) + (1 - t) * np.log(1 - y + 1e-7)).mean(axis=1)
    ),
    "sigmoid_cross_entropy": lambda y, t: (np.log(1 + np.exp(y)) - y * t).mean(axis=1),
    "cross_entropy": lambda y, t: -(t * np.log(y + 1e-7)).sum(axis=1),
    "softmax_cross_entropy": lambda y, t: -(t * log_softmax(y)).sum(axis=1),
}


PARTS = {"gaussian": 2, "triplet_margin": 3, "cosine_embedding": 2}
"""The number of parts of the outputs of losses whose targets have fewer columns."""
LABELS_OF_ROWS = {"hinge_embedding", "multi_label_margin"}
"""Losses whose targets are above zero, or not."""


def side_by_side(name: str, y: NDArray[Any]) -> NDArray[Any]:
    """Return outputs of a loss, of which some stand side by side on the last axis."""
    outputs = np.concatenate([(1 + n) * y - n for n in range(PARTS.get(name, 1))], axis=-1)
    return outputs[:, np.newaxis] if name == "ctc" else outputs


def targets_of(name: str, rows: NDArray[Any]) -> NDArray[Any]:
    """Return the targets of a loss, from rows of probabilities."""
    if name == "ctc":  # one label at one step, which is not the blank
        return np.asarray(1 + rows[:, 1:].argmax(axis=-1, keepdims=True))
    if name == "cosine_embedding":
        return np.asarray(np.sign(rows[..., :1] - rows.mean()))
    return rows - rows.mean() if name in LABELS_OF_ROWS else rows


def test_every_loss_has_an_equation() -> None:
    assert set(EQUATIONS) == set(LOSSES)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_equation(name: str, reduction: str, backend: str) -> None:
    gk.use_backend(backend)
    y, t = side_by_side(name, Y), targets_of(name, ROWS)
    value, dy = LOSSES[name](reduction=reduction)(y, t)
    samples = EQUATIONS[name](y, t)
    wanted = samples.mean() if reduction == "mean" else samples.sum()
    assert float(value) == pytest.approx(wanted, rel=20 * EPS)
    assert dy.shape == y.shape


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("target", ["rows", "labels"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_numerical_one(
    name: str, target: str, reduction: str, backend: str
) -> None:
    gk.use_backend(backend)
    loss = LOSSES[name](reduction=reduction)
    if target == "labels" and loss.takes != "classes":
        return
    t = targets_of(name, ROWS) if target == "rows" else LABELS
    outputs = side_by_side(name, Y)
    wanted = gk.numerical_gradient(lambda y: loss(y, t)[0], outputs)
    # The third derivative of the logarithm is 2/y³.
    tolerance = EPS ** (2 / 3) * (10 + 2 / Y.min() ** 3)
    np.testing.assert_allclose(loss(outputs, t)[1], wanted, atol=tolerance, rtol=0)


@pytest.mark.parametrize("loss", [CrossEntropy(), SoftmaxCrossEntropy()])
def test_labels_are_short_for_rows_of_one(loss: Loss) -> None:
    by_label, by_row = loss(Y, LABELS), loss(Y, np.eye(3)[LABELS])
    assert float(by_label[0]) == pytest.approx(float(by_row[0]), rel=4 * EPS)
    np.testing.assert_allclose(by_label[1], by_row[1], rtol=4 * EPS, atol=EPS)


def test_label_smoothing_spreads_a_share_over_all_classes() -> None:
    smooth = SoftmaxCrossEntropy(label_smoothing=0.3)(Y, LABELS)
    rows = 0.7 * np.eye(3)[LABELS] + 0.1
    by_row = SoftmaxCrossEntropy()(Y, rows)
    assert float(smooth[0]) == pytest.approx(float(by_row[0]), rel=8 * EPS)
    np.testing.assert_allclose(smooth[1], by_row[1], atol=8 * EPS, rtol=0)


def test_a_loss_counts_and_prints_like_a_number() -> None:
    loss, _ = SumSquaredError()(np.array([[3.0]]), np.array([[1.0]]))
    assert f"{loss:.2f}" == "2.00"
    assert loss < 3
    assert float(loss) == 2


def test_squared_errors_take_images() -> None:
    y, t = np.random.default_rng(0).normal(size=(2, 5, 3, 4))
    loss, dy = MeanSquaredError()(y, t)
    assert float(loss) == pytest.approx(((y - t) ** 2).mean(), rel=100 * EPS)
    assert dy.shape == y.shape


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_the_gradient_of_an_absolute_error_is_a_sign(backend: str) -> None:
    gk.use_backend(backend)
    least = np.finfo(np.float64).tiny  # whose difference underflows
    y = np.array([[1.0, 1.0, 2.0, 1.5 * least, np.inf, np.nan]])
    t = np.array([[1.0, 3.0, 1.0, least, np.inf, 0.0]])
    _, dy = gk.losses.loss("mae")(y, t)
    np.testing.assert_array_equal(6 * dy, [[0, -1, 1, 1, np.nan, np.nan]])


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_beyond_delta_the_huber_loss_is_a_line(backend: str) -> None:
    gk.use_backend(backend)
    y = np.array([[0.25, -0.5, 4.0, -np.inf, np.nan]])
    for place, (loss, slope) in enumerate(
        [(0.03125, 0.25), (0.125, -0.5), (1.875, 0.5), (np.inf, -0.5), (np.nan, np.nan)]
    ):
        value, dy = gk.losses.Huber(0.5)(y[:, place : place + 1], np.zeros((1, 1)))
        np.testing.assert_array_equal([float(value), dy.item()], [loss, slope])


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sigmoid_cross_entropy_is_exact_for_large_logits(dtype: Any, backend: str) -> None:
    gk.use_backend(backend)
    logits, t = np.array([[1e4, -1e4, 1e4, -1e4]], dtype), np.array([[1, 0, 0, 1]], dtype)
    loss, dy = gk.losses.loss("sigmoid_cross_entropy")(logits, t)
    assert float(loss) == 2e4 / 4
    np.testing.assert_array_equal(4 * dy, [[0, 0, 1, -1]])


def test_probabilities_and_logits_have_the_same_binary_cross_entropy() -> None:
    logits = np.random.default_rng(2).normal(size=(4, 3))
    p = 1 / (1 + np.exp(-logits))
    of_p, dp = gk.losses.BinaryCrossEntropy(delta=1e-15)(p, ROWS)
    of_logits, dy = gk.losses.SigmoidCrossEntropy()(logits, ROWS)
    assert float(of_p) == pytest.approx(float(of_logits), rel=1e-13)
    np.testing.assert_allclose(dp * p * (1 - p), dy, rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "last", "threshold"),
    [("bce", "sigmoid", 0.5), (gk.losses.SigmoidCrossEntropy(), None, 0.0)],
)
def test_several_labels_a_sample_are_learned(loss: Any, last: Any, threshold: float) -> None:
    x = np.random.default_rng(0).random((500, 3), np.float32)
    model = gk.Sequential(gk.Dense(3, last))
    options: dict[str, Any] = {"optimizer": gk.Adam(0.1), "epochs": 30, "verbose": 0}
    metrics = [gk.metrics.BinaryAccuracy(threshold)]
    history = model.fit(x, x > 0.5, loss=loss, metrics=metrics, **options)
    assert history["binary_accuracy"][-1] > 0.95
    right = (model.predict(x) > threshold) == (x > 0.5)
    assert model.evaluate(x, x > 0.5)["binary_accuracy"] == right.mean()


@pytest.mark.parametrize(
    ("loss", "advice"),
    [
        ("cross_entropy", "rewards large outputs alone, .* several labels a sample use Binary"),
        ("sigmoid_cross_entropy", "SigmoidCrossEntropy adds another, .* or use BinaryCrossEntropy"),
    ],
)
def test_a_sigmoid_before_another_loss_gets_advice(loss: str, advice: str) -> None:
    x = np.eye(3, dtype=np.float32)
    with pytest.warns(UserWarning, match=f"^fit: the model ends with a sigmoid and .*{advice}"):
        gk.Sequential(gk.Dense(3, "sigmoid")).fit(x, x, loss=loss, epochs=1, verbose=0)


def test_a_function_is_a_loss() -> None:
    def absolute(y, t):
        return np.abs(y - t).mean(), np.sign(y - t) / y.size

    loss = gk.losses.loss(absolute)
    assert repr(loss) == "absolute"
    value, dy = loss(Y, ROWS)
    assert float(value) == np.abs(Y - ROWS).mean()
    np.testing.assert_array_equal(dy, np.sign(Y - ROWS) / Y.size)


def test_a_subclass_of_ones_own_is_called_back() -> None:
    class Weighted(SumSquaredError):
        def compute(self, y, t):
            value, dy = super().compute(y, t)
            return 2 * value, 2 * dy

    loss = gk.losses.loss(Weighted(reduction="sum"))
    assert loss.reduction == "sum"
    assert float(loss(Y, ROWS)[0]) == 2 * float(SumSquaredError(reduction="sum")(Y, ROWS)[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            lambda y, t: 3.0,
            r"must return a number and the gradient of shape \(4, 3\), got shapes \[",
        ),
        (lambda y, t: (y, y), r"must return a number and the gradient .* \[\(4, 3\), \(4, 3\)\]"),
        (lambda y, t: (0.0, y[:1]), r"must return a number and the gradient .* \[\(\), \(1, 3\)\]"),
    ],
)
def test_a_function_that_returns_something_else_is_named(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gk.losses.loss(given)(Y, ROWS)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: gk.losses.loss("crossentropy"), ValueError, "did you mean 'cross_entropy'"),
        (
            lambda: gk.losses.loss("x"),
            ValueError,
            "unknown loss 'x', known are binary_cross_entropy, cosine",
        ),
        (lambda: gk.losses.loss(3), TypeError, r"a name, a Loss or a function \(y, t\), got 3"),
        (lambda: SumSquaredError(reduction="all"), ValueError, "'sum' or 'none', got 'all'"),
        (lambda: gk.losses.Huber(0), ValueError, "Huber: delta must be positive, got 0"),
        (lambda: CrossEntropy(delta=-1), ValueError, "delta must be at least 0, got -1"),
        (
            lambda: SoftmaxCrossEntropy(label_smoothing=1),
            ValueError,
            "label_smoothing must be at least 0 and below 1, got 1",
        ),
    ],
)
def test_a_senseless_argument_is_refused(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
