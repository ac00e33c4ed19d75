"""The elementary functions that the kernels are built from, against NumPy in a wider type.

Subnormal numbers count as zero, on the way in and on the way out. GYAKU_EXHAUSTIVE=1 tries each of
the 2^32 numbers of float32, which takes about an hour.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gyaku import _core

Array = NDArray[Any]

EXHAUSTIVE = os.environ.get("GYAKU_EXHAUSTIVE") == "1"
FLOAT32_ULPS = 2
FLOAT64_ULPS = 4
CHUNK = 1 << 20

# Where a function changes its formula, or its result leaves the range of one of the two types.
SEAMS = [0.5, 0.55, 0.7071068, 1, 1.4142135, 2, 4, 6, 17, 24, 37, 40, 87.33654, 88.22, 88.72284]
SEAMS += [2.0**n for n in (-127, -126, -125, -53, -26, -25, -24, 23, 24, 53)] + [708.4, 709.78]


def sigmoid(x: Array) -> Array:
    return np.where(x < 0, np.exp(np.minimum(x, 0)), 1) / (1 + np.exp(-np.abs(x)))


def erf(x: Array) -> Array:
    return np.array([math.erf(number) for number in x.tolist()])


REFERENCE: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "erf": erf,
}
each_function = pytest.mark.parametrize("name", REFERENCE)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def elementary(name: str, x: Array) -> Array:
    y = np.empty_like(x)
    _core.elementary(x, y, name)
    return y


def without_subnormals(x: Array) -> Array:
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def around_seams(dtype: type[Any]) -> Array:
    seams = np.array([0, np.inf, np.nan, *SEAMS], dtype)
    bits = seams.view(f"i{seams.itemsize}")[:, np.newaxis] + np.arange(-8, 9)
    x = np.abs(bits.reshape(-1)).view(dtype)
    return np.concatenate([x, -x])


def stratified(dtype: type[Any], strata: int) -> Array:
    """Return a random number from each of equally many neighbouring bit patterns."""
    size = np.dtype(dtype).itemsize
    step = 2 ** (8 * size) // strata
    rng = np.random.default_rng(0)
    bits = np.arange(strata, dtype=np.uint64) * np.uint64(step)
    bits += rng.integers(0, step, strata, dtype=np.uint64)
    return bits.astype(f"u{size}").view(dtype)


def chunks_of_float32() -> Iterator[Array]:
    if EXHAUSTIVE:
        for first in range(0, 2**32, CHUNK):
            yield np.arange(first, first + CHUNK, dtype=np.uint32).view(np.float32)
    else:
        yield around_seams(np.float32)
        yield from np.split(stratified(np.float32, 1 << 22), 4)


def assert_within(ulps: float, x: Array, y: Array, exact: Array) -> None:
    """Check y = f(x) against f in a wider type; what is not a normal number must be the same."""
    with np.errstate(all="ignore"):  # rounding overflows where the function does
        rounded = without_subnormals(exact.astype(x.dtype))
        y = without_subnormals(y)
        error = np.abs(y - exact) / np.spacing(np.abs(rounded))
    special = ~np.isfinite(rounded) | (rounded == 0) | ~np.isfinite(y) | (y == 0)
    alike = (y == rounded) & (np.signbit(y) == np.signbit(rounded))
    alike |= np.isnan(y) & np.isnan(rounded)
    wrong = np.flatnonzero(np.where(special, ~alike, ~(error <= ulps)))
    assert len(wrong) == 0, (
        f"{len(wrong)} of {len(x)} are off, such as f({x[wrong[0]]!r}) = {y[wrong[0]]!r}, "
        f"which is {exact[wrong[0]]!r}: {error[wrong[0]]:.3g} ulp"
    )


@each_function
def test_float32_is_within_two_ulps_over_the_whole_range(name: str) -> None:
    for x in chunks_of_float32():
        with np.errstate(all="ignore"):
            exact = REFERENCE[name](without_subnormals(x).astype(np.float64))
        assert_within(FLOAT32_ULPS, x, elementary(name, x), exact)


@each_function
def test_float64_is_within_four_ulps_over_the_whole_range(name: str) -> None:
    every_size = np.concatenate([stratified(np.float64, 1 << 16), around_seams(np.float64)])
    middle = np.random.default_rng(1).uniform(-50, 50, 1 << 16)
    x = np.concatenate([every_size, middle, middle / 50, 15 * middle])
    with np.errstate(all="ignore"):
        exact = REFERENCE[name](without_subnormals(x).astype(np.longdouble))
    assert_within(FLOAT64_ULPS, x, elementary(name, x), exact)


@each_dtype
@pytest.mark.parametrize(
    ("name", "values"),  # at -inf, -1, -0, 0, inf
    [
        ("exp", [0, np.exp(-1), 1, 1, np.inf]),
        ("expm1", [-1, np.expm1(-1), -0.0, 0, np.inf]),
        ("log", [np.nan, np.nan, -np.inf, -np.inf, np.inf]),
        ("log1p", [np.nan, -np.inf, -0.0, 0, np.inf]),
        ("tanh", [-1, np.tanh(-1), -0.0, 0, 1]),
        ("sigmoid", [0, 1 / (1 + np.e), 0.5, 0.5, 1]),
        ("erf", [-1, math.erf(-1), -0.0, 0, 1]),
    ],
)
def test_special_values(name: str, values: list[float], dtype: type[Any]) -> None:
    y = elementary(name, np.array([-np.inf, -1, -0.0, 0, np.inf, np.nan], dtype))
    expected = np.array([*values, np.nan], dtype)
    np.testing.assert_array_max_ulp(np.nan_to_num(y), np.nan_to_num(expected), FLOAT64_ULPS)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(expected))
    numbers = ~np.isnan(expected)  # a NaN has no sign
    np.testing.assert_array_equal(np.signbit(y[numbers]), np.signbit(expected[numbers]))


@each_dtype
@each_function
def test_a_number_gives_the_same_bits_in_every_lane(name: str, dtype: type[Any]) -> None:
    x = np.random.default_rng(2).uniform(0, 3, 67).astype(dtype)
    y = elementary(name, x)
    for size in range(1, len(x)):
        first, last = elementary(name, x[:size].copy()), elementary(name, x[-size:].copy())
        assert first.tobytes() == y[:size].tobytes()
        assert last.tobytes() == y[-size:].tobytes()
