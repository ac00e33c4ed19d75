"""Is the mathematics right? The equations against derivatives and known values, without kernels.

Gradients are checked in float64 against the imaginary part of a tiny complex step, which has no
cancellation (Squire and Trapp, SIAM Review 40, 1998), or against central differences where the
function is made of straight lines.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from activation_facts import FACTS
from op_case import Array, specials

from gyaku import reference
from gyaku.ops import TABLE
from gyaku.ops.activation import ACTIVATIONS

EPS = float(np.finfo(np.float64).eps)
FLOATS = [np.float16, np.float32, np.float64, np.longdouble]
SMOOTH = [name for name, facts in FACTS.items() if facts.smooth]
MADE_OF_LINES = [name for name, facts in FACTS.items() if not facts.smooth]


def random(*shape: int, scale: float = 1.0) -> Array:
    return np.asarray(scale * np.random.default_rng(len(shape)).standard_normal(shape))


def by_complex_step(f: Callable[[Array], Array], x: Array, dy: Array) -> Array:
    """Return the gradient of sum(dy * f(x)) by x."""
    step = 1e-100
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        moved = x.astype(np.complex128)
        moved[place] += 1j * step
        gradient[place] = (dy * f(moved)).imag.sum() / step
    return gradient


def by_differences(f: Callable[[Array], Array], x: Array, dy: Array) -> Array:
    """Return the gradient of sum(dy * f(x)) by x."""
    step = EPS ** (1 / 3)
    gradient = np.empty_like(x)
    for place in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[place] += step
        behind[place] -= step
        gradient[place] = (dy * (f(ahead) - f(behind))).sum() / (2 * step)
    return gradient


def assert_equal_to_rounding(
    actual: Array, expected: Array, op: str, *, terms: int = 1, unit: float = EPS
) -> None:
    """Allow what the row of the operation allows, for each of the two."""
    scale = max(np.abs(expected).max(initial=0), 1)
    bound = 2 * max(TABLE[op].roundings, 1) * unit * math.sqrt(terms) * scale
    assert np.abs(actual - expected).max(initial=0) <= bound


def saved_for(name: str, x: Array, **options: float) -> Array:
    return x if TABLE[name].saves == "input" else reference.FORWARD[name](x, **options)


POINTS = np.array([-30.0, -8.5, -3.2, -1.0, -0.4, -1e-9, 1e-9, 0.3, 0.9, 2.5, 6.7, 7.9, 30.0])


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("alpha", [None, 0.3])
def test_gradient_of_a_smooth_activation(name: str, alpha: float | None) -> None:
    if alpha is not None and ACTIVATIONS[name].alpha is None:
        return
    options = {} if alpha is None else {"alpha": alpha}
    dy = random(len(POINTS))
    dx = reference.BACKWARD[name](dy, saved_for(name, POINTS, **options), **options)
    expected = by_complex_step(lambda x: reference.FORWARD[name](x, **options), POINTS, dy)
    assert_equal_to_rounding(dx, expected, name + "_backward")


@pytest.mark.parametrize("name", MADE_OF_LINES)
def test_gradient_of_an_activation_made_of_lines(name: str) -> None:
    points = POINTS[np.abs(POINTS) > 0.1]
    dy = random(len(points))
    dx = reference.BACKWARD[name](dy, saved_for(name, points))
    expected = by_differences(reference.FORWARD[name], points, dy)
    # Straight lines have no error but rounding, which the step magnifies.
    unit = EPS ** (2 / 3) * np.abs(points).max()
    assert_equal_to_rounding(dx, expected, name + "_backward", unit=unit)


def test_slopes_at_the_corners() -> None:
    one, zero = np.ones(1), np.zeros(1)
    assert reference.relu_backward(one, zero) == 0
    assert reference.leaky_relu_backward(one, zero) == 0.01
    assert reference.step_backward(one, zero) == 0
    assert reference.hard_sigmoid_backward(one, zero) == 0
    assert reference.hard_sigmoid_backward(one, one) == 0
    assert reference.elu_backward(one, zero, alpha=0.5) == 0.5


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_gradient_of_softmax(name: str) -> None:
    f, backward = getattr(reference, name), getattr(reference, name + "_backward")
    x, dy = random(3, 5, scale=3), random(3, 5)
    dx = backward(dy, f(x))
    assert_equal_to_rounding(dx, by_complex_step(f, x, dy), name + "_backward", terms=5)


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("activation", [None, "sigmoid", "gelu"])
def test_gradients_of_matmul(transpose_a: bool, transpose_b: bool, activation: str | None) -> None:
    a = random(4, 3) if transpose_a else random(3, 4)
    b = random(2, 4) if transpose_b else random(4, 2)
    bias, dy = random(2), random(3, 2)
    options: dict[str, Any] = {"transpose_a": transpose_a, "transpose_b": transpose_b}

    def f(a: Array = a, b: Array = b, bias: Array = bias) -> Array:
        return reference.matmul(a, b, bias=bias, activation=activation, **options)

    name = activation or "identity"
    z = reference.matmul(a, b, bias=bias, **options)
    dz = reference.BACKWARD[name](dy, saved_for(name, z))
    # The four ways to write da = dz b^T and db = a^T dz, each a product again.
    if transpose_a:
        da = reference.matmul(b, dz, transpose_a=transpose_b, transpose_b=True)
    else:
        da = reference.matmul(dz, b, transpose_b=not transpose_b)
    if transpose_b:
        db = reference.matmul(dz, a, transpose_a=True, transpose_b=transpose_a)
    else:
        db = reference.matmul(a, dz, transpose_a=not transpose_a)
    assert_equal_to_rounding(da, by_complex_step(lambda a: f(a=a), a, dy), "matmul", terms=4)
    assert_equal_to_rounding(db, by_complex_step(lambda b: f(b=b), b, dy), "matmul", terms=4)
    dbias = by_complex_step(lambda bias: f(bias=bias), bias, dy)
    assert_equal_to_rounding(reference.sum_rows(dz), dbias, "matmul", terms=4)


LABELS = np.array([0, 4, 2])
SHARES = reference.softmax(random(3, 5))
COUNTS = np.array([[0.0, 1, 2, 0, 0], [3, 0, 0, 0, 1], [0, 0, 0, 0, 5]])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("target", [LABELS, SHARES, COUNTS], ids=["labels", "shares", "counts"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
def test_gradient_of_softmax_cross_entropy(
    target: Array, label_smoothing: float, reduction: str
) -> None:
    x = random(3, 5, scale=3)
    options: dict[str, Any] = {"label_smoothing": label_smoothing, "reduction": reduction}
    _, dx = reference.softmax_cross_entropy(x, target, **options)
    expected = by_complex_step(
        lambda x: reference.softmax_cross_entropy(x, target, **options)[0], x, np.ones(1)
    )
    assert_equal_to_rounding(dx, expected, "softmax_cross_entropy", terms=15)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("target", [LABELS, SHARES, COUNTS], ids=["labels", "shares", "counts"])
def test_gradient_of_cross_entropy(target: Array, reduction: str) -> None:
    p = reference.softmax(random(3, 5))
    _, dp = reference.cross_entropy(p, target, delta=0.01, reduction=reduction)
    expected = by_complex_step(
        lambda p: reference.cross_entropy(p, target, delta=0.01, reduction=reduction)[0],
        p,
        np.ones(1),
    )
    assert_equal_to_rounding(dp, expected, "cross_entropy", terms=15)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", ["sum_squared_error", "mean_squared_error"])
@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 2, 2)], ids=str)
def test_gradient_of_squared_errors(name: str, shape: tuple[int, ...], reduction: str) -> None:
    f = getattr(reference, name)
    y, t = random(*shape), random(*shape, scale=2)
    _, dy = f(y, t, reduction=reduction)
    expected = by_complex_step(lambda y: f(y, t, reduction=reduction)[0], y, np.ones(1))
    assert_equal_to_rounding(dy, expected, name, terms=y.size)


def test_dropout_is_its_own_gradient() -> None:
    x, dy, clock = random(40), random(40)[::-1], np.array([3])
    options: dict[str, Any] = {"rate": 0.3, "seed": 1, "stream": 2}
    expected = by_differences(lambda x: reference.dropout(x, clock, **options), x, dy)
    dx = reference.dropout(dy, clock, **options)
    assert_equal_to_rounding(dx, expected, "dropout", unit=EPS ** (2 / 3))


def test_every_activation_has_its_facts() -> None:
    assert list(FACTS) == list(reference.FORWARD)


@pytest.mark.parametrize(
    ("name", "x", "y"), [(name, x, y) for name, facts in FACTS.items() for x, y in facts.values]
)
def test_known_values_of_activations(name: str, x: float, y: float) -> None:
    value = reference.FORWARD[name](np.array([x]))
    assert abs(value[0] - y) <= max(TABLE[name].roundings, 1) * EPS * abs(y)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", reference.FORWARD)
def test_activations_hold_at_the_limits(name: str, dtype: type) -> None:
    x = specials(np.dtype(dtype))
    y = reference.FORWARD[name](x)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x))
    low, high = FACTS[name].bounds
    numbers = y[~np.isnan(y)]
    unit = 2 * float(np.finfo(dtype).eps)  # rounding alone goes beyond a bound
    assert (low - unit * abs(low) <= numbers).all() if np.isfinite(low) else True
    assert (numbers <= high + unit * abs(high)).all() if np.isfinite(high) else True
    assert y[x == np.inf] == (high if np.isfinite(high) else np.inf)
    assert y[x == -np.inf] == -np.inf or np.isfinite(low)


@pytest.mark.parametrize("name", [name for name in SMOOTH if TABLE[name].saves == "input"])
def test_gradients_at_infinity_are_limits(name: str) -> None:
    infinite = np.array([-np.inf, np.inf])
    far = reference.FORWARD[name](np.array([-1e6, 1e6]))
    gradient = reference.BACKWARD[name](np.ones(2), infinite)
    np.testing.assert_allclose(gradient, [0, far[1] / 1e6], rtol=1e-15)
    assert reference.FORWARD[name](infinite[:1]) == far[0]


@pytest.mark.parametrize("name", FACTS)
def test_minus_zero_stays_where_it_is_a_fact(name: str) -> None:
    y = reference.FORWARD[name](np.array([-0.0]))
    assert (y == 0 and np.signbit(y).item()) == FACTS[name].keeps_minus_zero


def exact_normal(x: float) -> tuple[Decimal, Decimal]:
    """Return distribution function and density by the series of Pólya, in 400 digits."""
    with localcontext() as context:
        context.prec = 400
        # Machin's formula
        pi = 4 * (4 * arctangent_of_inverse(5) - arctangent_of_inverse(239))
        point = Decimal(x)
        density = (-point * point / 2).exp() / (2 * pi).sqrt()
        term = total = point
        n = 1
        while abs(term) > Decimal(10) ** -390:
            n += 2
            term *= point * point / n
            total += term
        return Decimal("0.5") + density * total, density


def arctangent_of_inverse(n: int) -> Decimal:
    power = total = Decimal(1) / n
    k = 1
    while abs(power) > Decimal(10) ** -398:
        power /= -n * n
        k += 2
        total += power / k
    return total


@pytest.mark.parametrize(
    "x", [-37.2, -25.0, -12.3, -5.7, -5.6, -3.1, -1.0, -0.68, -0.67, -1e-8, 0.3, 0.68, 2.2, 5.8]
)
def test_normal_distribution_is_right_to_three_ulps_in_both_tails(x: float) -> None:
    for value, exact in zip(
        (reference.normal_cdf(np.array([x]))[0], reference.normal_pdf(np.array([x]))[0]),
        exact_normal(x),
        strict=True,
    ):
        assert abs(Decimal(float(value)) - exact) <= 3 * Decimal(float(np.spacing(value)))


def test_normal_distribution_at_the_limits() -> None:
    x = np.array([-np.inf, -1e300, -39.0, -0.0, 39.0, 1e300, np.inf])
    np.testing.assert_array_equal(reference.normal_cdf(x), [0, 0, 0, 0.5, 1, 1, 1])
    assert np.isnan(reference.normal_cdf(np.array([np.nan])))
    np.testing.assert_array_equal(reference.normal_pdf(x[np.abs(x) > 38.7]), 0)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes_are_kept(dtype: type) -> None:
    x: Array = random(3, 4).astype(dtype)
    for name, forward in reference.FORWARD.items():
        y = forward(x)
        assert y.dtype == dtype, name
        assert reference.BACKWARD[name](x, y).dtype == dtype, name
    for name in ("softmax", "log_softmax"):
        y = getattr(reference, name)(x)
        assert y.dtype == getattr(reference, name + "_backward")(x, y).dtype == dtype
    assert reference.matmul(x, x, transpose_b=True, bias=x[0, :3]).dtype == dtype
    assert reference.sum_rows(x).dtype == dtype
    assert reference.dropout(x, np.array([0]), rate=0.3, seed=0, stream=0).dtype == dtype
    wide = np.promote_types(dtype, np.float64)
    p, labels = reference.softmax(x), np.array([0, 1, 2])
    for loss, gradient in (
        reference.softmax_cross_entropy(x, labels, label_smoothing=0.1),
        reference.cross_entropy(p, labels),
        reference.sum_squared_error(x, p),
        reference.mean_squared_error(x, p),
    ):
        assert loss.dtype == wide
        assert gradient.dtype == dtype
    clock = np.array([1, 0.1, 0.9, 0.999])
    assert reference.sgd(x, x, clock, weight_decay=0.1).dtype == dtype
    assert {each.dtype for each in reference.momentum(x, x, x, clock)} == {np.dtype(dtype)}
    assert {each.dtype for each in reference.adam(x, x, x, p, clock)} == {np.dtype(dtype)}


def test_softmax_knows_its_limits() -> None:
    inf, nan = np.inf, np.nan
    x = np.array([[1.0, -inf], [-inf, -inf], [inf, 0.0], [nan, 0.0], [1e308, -1e308]])
    np.testing.assert_array_equal(
        reference.softmax(x), [[1, 0], [nan, nan], [nan, nan], [nan, nan], [1, 0]]
    )
    np.testing.assert_array_equal(reference.log_softmax(x)[0], [0, -inf])
    assert reference.softmax(np.empty((3, 0))).shape == (3, 0)
    assert reference.log_softmax(np.empty((0, 3))).shape == (0, 3)


def test_softmax_does_not_feel_a_shift() -> None:
    x = random(4, 7).round(3) * 1024  # so that adding a whole number is exact
    np.testing.assert_array_equal(
        reference.softmax(x.round()), reference.softmax(x.round() + 12345)
    )


def test_a_class_of_target_zero_adds_nothing() -> None:
    logits = np.array([[0.0, -np.inf, 0.0]])
    for target in (np.array([2]), np.array([[0.0, 0.0, 1.0]])):
        loss, dlogits = reference.softmax_cross_entropy(logits, target)
        assert_equal_to_rounding(loss, np.array([math.log(2)]), "softmax_cross_entropy")
        np.testing.assert_array_equal(dlogits, [[0.5, 0.0, -0.5]])


def test_smoothing_spreads_the_target() -> None:
    logits = random(4, 5)
    labels = np.array([1, 0, 4, 2])
    shares = 0.8 * np.eye(5)[labels] + 0.2 / 5
    smooth = reference.softmax_cross_entropy(logits, labels, label_smoothing=0.2)
    spread = reference.softmax_cross_entropy(logits, shares)
    for one, other in zip(smooth, spread, strict=True):
        assert_equal_to_rounding(one, other, "softmax_cross_entropy", terms=5)


def test_losses_by_hand() -> None:
    y, t = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 0.0], [1.0, 4.0]])
    assert reference.sum_squared_error(y, t)[0] == (1 + 4 + 4) / 2 / 2
    assert reference.sum_squared_error(y, t, reduction="sum")[0] == (1 + 4 + 4) / 2
    assert reference.mean_squared_error(y, t)[0] == (1 + 4 + 4) / 4
    assert reference.mean_squared_error(y, t, reduction="sum")[0] == (1 + 4 + 4) / 2
    p = np.array([[0.25, 0.75]])
    loss, _ = reference.cross_entropy(p, np.array([0]), delta=1e-300)
    assert_equal_to_rounding(loss, np.array([math.log(4)]), "cross_entropy")


def test_count_correct_by_hand() -> None:
    inf, nan = np.inf, np.nan
    scores = np.array([[1, 2, 2], [nan, 5, nan], [0, nan, 9], [-inf, -inf, -inf]])
    assert reference.count_correct(scores, np.array([1, 0, 1, 0])) == 4  # the first one counts
    assert reference.count_correct(scores, np.array([2, 2, 2, 1])) == 0
    assert (
        reference.count_correct(scores, np.array([[0, 1, 0], [9, 8, 7], [0, 1, 0], [1, 1, 1]])) == 4
    )
    one = np.array([[0.2], [0.7], [0.5], [nan]])
    assert reference.count_correct(one, np.array([0, 1, 1, 0])) == 3
    assert reference.count_correct(one, np.array([[0.1], [0.9], [0.9], [0.9]])) == 2
