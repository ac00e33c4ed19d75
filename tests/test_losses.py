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


# What the loss of a sample is, written once more.
EQUATIONS = {
    "sum_squared_error": lambda y, t: 0.5 * ((y - t) ** 2).sum(axis=1),
    "mean_squared_error": lambda y, t: ((y - t) ** 2).mean(axis=1),
    "mean_absolute_error": lambda y, t: np.abs(y - t).mean(axis=1),
    "cross_entropy": lambda y, t: -(t * np.log(y + 1e-7)).sum(axis=1),
    "softmax_cross_entropy": lambda y, t: -(t * log_softmax(y)).sum(axis=1),
}


def test_every_loss_has_an_equation() -> None:
    assert set(EQUATIONS) == set(LOSSES)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_equation(name: str, reduction: str, backend: str) -> None:
    gk.use_backend(backend)
    value, dy = LOSSES[name](reduction=reduction)(Y, ROWS)
    samples = EQUATIONS[name](Y, ROWS)
    wanted = samples.mean() if reduction == "mean" else samples.sum()
    assert float(value) == pytest.approx(wanted, rel=20 * EPS)
    assert dy.shape == Y.shape


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
    t = ROWS if target == "rows" else LABELS
    wanted = np.empty_like(Y)
    h = EPS ** (1 / 3)
    for place in np.ndindex(Y.shape):
        step = np.zeros_like(Y)
        step[place] = h
        wanted[place] = (float(loss(Y + step, t)[0]) - float(loss(Y - step, t)[0])) / (2 * h)
    # The third derivative of the logarithm is 2/y³.
    tolerance = EPS ** (2 / 3) * (10 + 2 / Y.min() ** 3)
    np.testing.assert_allclose(loss(Y, t)[1], wanted, atol=tolerance, rtol=0)


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
            "unknown loss 'x', known are cross_entropy, mean",
        ),
        (lambda: gk.losses.loss(3), TypeError, r"a name, a Loss or a function \(y, t\), got 3"),
        (lambda: SumSquaredError(reduction="none"), ValueError, "'mean' or 'sum', got 'none'"),
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
