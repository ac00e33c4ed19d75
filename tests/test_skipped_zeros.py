"""Products of a gathered batch leave out what is zero in it, and give the numbers of the others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from op_case import DTYPES, FLOAT32, Array
from recorded import names

import gyaku as gk
from gyaku import _core, ops, reference
from gyaku.precision import use_precision

RNG = np.random.default_rng(0)
BATCHES = (7, 8, 13, 28, 31, 64, 100, 233)
INPUTS = (15, 16, 17, 64, 101, 784, 1031)
UNITS = (5, 16, 17, 33, 64, 96, 100, 131, 250)


@pytest.fixture(autouse=True)
def optimized(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimize programs, even where the whole suite runs without."""
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")


def margins(x: Array) -> None:
    """Images of a digit: nothing but zeros on all sides."""
    columns = np.arange(x.shape[1])
    x[:, (columns % 28 < 6) | (columns % 28 > 21) | (columns < x.shape[1] // 5)] = 0
    x[:, 3::7] *= -0.0  # zeros of both signs


def scattered(x: Array) -> None:
    x[RNG.random(x.shape) < 0.97] = 0


def stripes(x: Array) -> None:
    """Samples of zeros, whole tiles of them and single ones."""
    x[x.shape[0] // 4 : x.shape[0] // 2] = 0
    x[::3] = 0


def nothing(x: Array) -> None:
    x[...] = 0


def one_number(x: Array) -> None:
    x[...] = 0
    x[x.shape[0] // 2, x.shape[1] // 3] = 2.5


def dense(x: Array) -> None:
    """No zero anywhere."""


PATTERNS = (margins, scattered, stripes, nothing, one_number, dense)
FORMS: tuple[Any, ...] = (*((dtype, "float32") for dtype in DTYPES), (FLOAT32, "bfloat16"))
each_form = pytest.mark.parametrize(("dtype", "precision"), FORMS, ids=str)
each_precision = pytest.mark.parametrize("precision", ["float32", "bfloat16"])


class Step:
    """What the first layer of a network does with a batch, forward and backward."""

    def __init__(
        self, x: Array, units: int, *, activation: str = "relu", bias: Array | None = None
    ) -> None:
        (batch, inputs), dtype = x.shape, x.dtype
        self.x, self.activation = x, activation
        self.weights = RNG.standard_normal((inputs, units)).astype(dtype)
        self.bias = RNG.standard_normal(units).astype(dtype) if bias is None else bias
        self.gradient = RNG.standard_normal((batch, units)).astype(dtype)
        self.order, self.cursor = np.arange(batch), np.zeros(1, np.int64)

    def products(self, x: Array, namespace: Any = ops) -> list[Array]:
        y = namespace.matmul(x, self.weights, bias=self.bias, activation=self.activation)
        return [y, namespace.matmul(x, self.gradient, transpose_a=True), self.gradient.sum(axis=0)]

    def record(self) -> tuple[Any, list[Array]]:
        program = _core.Program()
        program.begin()
        batch = _core.empty(self.x.shape, self.x.dtype)
        _core.gather(self.x, self.order, self.cursor, batch, 1.0)
        results = [*self.products(batch)[:2], ops.sum_rows(self.gradient)]
        program.end(results)
        return program, results

    def replayed(self) -> list[Array]:
        program, results = self.record()
        found = []
        for threads in (1, 2, 3):
            _core.set_num_threads(threads)
            for result in results:
                result[...] = np.nan
            _core.replay([(program, 1)])
            found.append([result.copy() for result in results])
        for others in found[1:]:
            for one, other in zip(found[0], others, strict=True):
                assert one.tobytes() == other.tobytes()
        return found[0]


def batch_of(batch: int, inputs: int, pattern: Callable[[Array], None], dtype: Any) -> Array:
    x = RNG.standard_normal((batch, inputs)).astype(dtype)
    pattern(x)
    return x


def sizes() -> list[tuple[int, int, int]]:
    """Each size together with each other one."""
    return [
        (BATCHES[(i + j) % len(BATCHES)], INPUTS[i], UNITS[j])
        for i, j in itertools.product(range(len(INPUTS)), range(len(UNITS)))
    ]


@each_form
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_what_is_left_out_changes_no_number(
    pattern: Callable[[Array], None], dtype: Any, precision: Any
) -> None:
    for number, (batch, inputs, units) in enumerate(sizes()):
        step = Step(
            batch_of(batch, inputs, pattern, dtype),
            units,
            activation=("relu", "identity", "tanh", "sigmoid")[number % 4],
        )
        with use_precision(precision):
            expected = step.products(step.x)
            found = step.replayed()
        for ours, theirs in zip(found[:2], expected[:2], strict=True):
            assert ours.tobytes() == theirs.tobytes(), f"{batch} x {inputs} x {units}"


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_the_numbers_are_those_of_the_reference(pattern: Callable[[Array], None]) -> None:
    for batch, inputs, units in ((64, 784, 100), (100, 1031, 33), (233, 101, 131)):
        step = Step(batch_of(batch, inputs, pattern, FLOAT32), units, activation="identity")
        step.gradient = step.gradient.round(2)
        for ours, theirs in zip(
            step.replayed(), step.products(step.x.astype(np.float64), reference), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


@each_precision
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["weights", "gradient", "x"])
def test_zero_times_infinity_is_still_nan(where: str, bad: float, precision: Any) -> None:
    for batch, inputs, units in ((64, 784, 100), (61, 101, 131), (100, 64, 17)):
        for place in (*range(0, 64, 9), -1, -2, -3):  # the last terms stand outside of a loop
            step = Step(batch_of(batch, inputs, margins, FLOAT32), units, activation="identity")
            array = getattr(step, where)
            array[place % array.shape[0], -place % array.shape[1]] = bad
            with np.errstate(invalid="ignore"), use_precision(precision):
                expected, found = step.products(step.x), step.replayed()
            assert not all(np.isfinite(array).all() for array in expected)
            for ours, theirs in zip(found, expected, strict=True):
                np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
            for ours, theirs in zip(found[:2], expected[:2], strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_a_bias_of_negative_zero_is_a_zero() -> None:
    step = Step(np.zeros((64, 784), np.float32), 100, bias=np.full(100, -0.0, np.float32))
    assert step.replayed()[0].tobytes() == step.products(step.x)[0].tobytes()


@each_form
@pytest.mark.parametrize("transpose", [False, True])
def test_terms_are_really_left_out(transpose: bool, dtype: Any, precision: Any) -> None:
    # What is below zero and too small counts as -0, which becomes +0 once +0 is added.
    x = np.zeros((100, 200), dtype)
    step = Step(x, 100, activation="identity", bias=np.zeros(100, dtype))
    step.weights[...] = 1
    step.gradient[...] = 1
    samples_or_inputs, factors = (x, step.gradient) if transpose else (x.T, step.weights)
    samples_or_inputs[:2] = 1
    smallest = np.finfo(dtype).smallest_normal
    factors[0], factors[1] = 1.25 * smallest, -1.375 * smallest
    with use_precision(precision):
        y, whole = (each[int(transpose)] for each in (step.replayed(), step.products(step.x)))
    assert not y.any()
    assert np.signbit(y[:, :96]).all()
    assert not np.signbit(whole).any()


def trained(units: int, samples: int, precision: Any) -> tuple[bytes, bool]:
    """Train a network; return the bits of its weights and whether its program skips zeros."""
    rng = np.random.default_rng(0)
    x = rng.random((samples, 784)).astype(np.float32)
    x[:, np.arange(784) % 28 > 11] = 0
    target = rng.integers(0, 10, samples)
    model = gk.Sequential(gk.Dense(units), gk.ReLU(), gk.Dense(units), gk.Sigmoid(), gk.Dense(10))
    model.build((784,), seed=3)
    options: dict[str, Any] = {"optimizer": gk.SGD(0.1), "epochs": 2, "seed": 0, "verbose": False}
    options["precision"] = precision
    model.fit(x, target, loss="softmax_cross_entropy", batch_size=samples, **options)
    return model.flat_params.tobytes(), "skips" in str(model.program())


@each_precision
@pytest.mark.parametrize(("units", "samples"), [(100, 100), (512, 128), (1024, 600)])
def test_a_network_learns_the_same_bits(
    units: int, samples: int, precision: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Gradients are temporaries here, and the larger ones are packed: from 192 KB or 2 MB on,
    # depending on the instruction set.
    bits, skips = trained(units, samples, precision)
    monkeypatch.setenv("GYAKU_OPTIMIZE", "0")
    plain_bits, plain_skips = trained(units, samples, precision)
    assert bits == plain_bits
    assert (skips, plain_skips) == (True, False)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_only_the_products_of_the_batch_itself_look_for_zeros(dtype: Any) -> None:
    x = batch_of(100, 784, margins, dtype)
    step = Step(x, 100)
    program, _ = step.record()
    assert [name for name in names(program) if "matmul" in name] == [
        "matmul (skips zeros)",
        "matmul + sum_rows (skips zeros)",
    ]
    small = batch_of(64, 784, margins, dtype)
    other = _core.Program()
    other.begin()
    results = Step(small, 100).products(small)[:2]
    other.end(results)
    assert "skips" not in " ".join(names(other))


def test_a_profile_says_that_operations_were_left_out() -> None:
    x = batch_of(64, 784, margins, FLOAT32)
    model = gk.Sequential(gk.Dense(100), gk.Sigmoid(), gk.Dense(10))
    model.fit(x, np.arange(64) % 10, loss="softmax_cross_entropy", batch_size=32, verbose=0)
    text = str(model.profile(x, np.arange(64) % 10, batch_size=64, steps=2))
    assert "; skipped work counts as done" in text
