"""The elementary functions that the kernels are built from, against NumPy in a wider type.

Subnormal numbers count as zero, on the way in and on the way out. GYAKU_EXHAUSTIVE=1, as CI sets it
once, tries each of the 2^32 numbers of float32, which takes a minute a function; with `-rP` it says
how far off each function is at most.
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

pytestmark = pytest.mark.skipif(
    not hasattr(_core, "elementary"),
    reason="needs a build with -C cmake.define.GYAKU_TESTING=ON, which has these kernels",
)

Array = NDArray[Any]

EXHAUSTIVE = os.environ.get("GYAKU_EXHAUSTIVE") == "1"
FLOAT32_ULPS = 2
FLOAT64_ULPS = 4
BLOCK = 1 << 13  # so little that memory for it is at hand, not asked of the system each time

# Where a function changes its formula, or its result leaves the range of one of the two types.
SEAMS = [0.5, 0.55, 0.7071068, 1, 1.4142135, 2, 4, 6, 17, 24, 37, 40, 87.33654, 88.22, 88.72284]
SEAMS += [2.0**n for n in (-53, -26, -25, -24, 23, 24, 53)] + [708.4, 709.78]


def exp(x: Array) -> Array:
    # NumPy is slow where it overflows; one size up, the next type has overflowed as well.
    return np.exp(np.clip(x, -120, 120) if x.dtype == np.float64 else x)


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def erf_series(spacing: float, order: int) -> Array:
    """Return the coefficients of erf's Taylor series about 0, spacing, 2 spacing, ... 6.

    With f the derivative of erf, f'(x) = -2 x f(x): so (n + 1) f_n+1 = -2 (c f_n + f_n-1) about c.
    """
    c = np.arange(0, 6 + spacing, spacing)
    f = [0 * c, 2 / np.sqrt(np.pi) * np.exp(-c * c)]
    for n in range(order - 1):
        f.append(-2 * (c * f[-1] + f[-2]) / (n + 1))
    return np.array([[math.erf(x) for x in c], *[f_n / (n + 1) for n, f_n in enumerate(f[1:])]])


ERF_SPACING = 1 / 64
ERF_SERIES = erf_series(ERF_SPACING, order=5)


def erf(x: Array) -> Array:
    """Return erf to 13 digits: quicker than one call of `math.erf` for each number."""
    a = np.minimum(np.abs(x), 6)
    nearest = np.rint(a / ERF_SPACING)
    h = a - nearest * ERF_SPACING
    place = np.fmin(nearest, 6 / ERF_SPACING).astype(np.int64)  # of NaN any
    y = ERF_SERIES[-1].take(place)
    for coefficients in ERF_SERIES[-2::-1]:
        y = y * h + coefficients.take(place)
    return np.copysign(y, x)


def erf_of_each(x: Array) -> Array:
    return np.array([math.erf(number) for number in x.tolist()])


REFERENCE: dict[str, Callable[[Array], Array]] = {
    "exp": exp,
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
    return x * (np.abs(x) >= np.finfo(x.dtype).tiny)


def around(numbers: Array) -> Array:
    """Return the numbers and eight neighbours on each side, of both signs."""
    bits = numbers.view(f"i{numbers.itemsize}")[:, np.newaxis] + np.arange(-8, 9)
    x = np.abs(bits.reshape(-1)).view(numbers.dtype)
    return np.concatenate([x, -x])


def edges(dtype: type[Any]) -> Array:
    """Return what lies around the seams and around each power of two."""
    limits = np.finfo(dtype)
    powers = np.exp2(np.arange(limits.minexp - 1, limits.maxexp, dtype=dtype))
    return around(np.concatenate([np.array([0, np.inf, np.nan, *SEAMS], dtype), powers]))


def stratified(dtype: type[Any], strata: int) -> Array:
    """Return a random number from each of equally many neighbouring bit patterns."""
    size = np.dtype(dtype).itemsize
    step = 2 ** (8 * size) // strata
    rng = np.random.default_rng(0)
    bits = np.arange(strata, dtype=np.uint64) * np.uint64(step)
    bits += rng.integers(0, step, strata, dtype=np.uint64)
    return bits.astype(f"u{size}").view(dtype)


def blocks_of_float32() -> Iterator[Array]:
    yield edges(np.float32)
    if EXHAUSTIVE:
        for first in range(0, 2**32, BLOCK):
            yield np.arange(first, first + BLOCK, dtype=np.uint32).view(np.float32)
    else:
        yield from np.split(stratified(np.float32, 1 << 22), (1 << 22) // BLOCK)


def ulps_off(y: Array, exact: Array) -> Array:
    """Return how far y = f(x) is from f in a wider type.

    A result that is infinite, zero or NaN must be the same; else it is off by infinity or NaN.
    """
    rounded = without_subnormals(exact.astype(y.dtype))
    y = without_subnormals(y)
    integer = f"i{y.itemsize}"
    infinity = np.array(np.inf, y.dtype).view(integer)
    exponent = rounded.view(integer) & infinity
    power = np.where(exponent == infinity, 0, exponent).view(y.dtype)  # of two, below |rounded|
    error = np.abs(y - exact) / (power.astype(exact.dtype) * np.finfo(y.dtype).eps)
    alike = (y.view(integer) == rounded.view(integer)) | (np.isnan(y) & np.isnan(rounded))
    return np.where(alike & (power == 0), 0, error)


def largest_error(limit: float, x: Array, y: Array, exact: Array) -> float:
    """Return by how many ULP y = f(x) is off at most, which must be within the limit."""
    error = ulps_off(y, exact)
    wrong = np.flatnonzero(~(error <= limit))
    assert len(wrong) == 0, (
        f"{len(wrong)} of {len(x)} are off, such as f({x[wrong[0]]!r}) = {y[wrong[0]]!r}, "
        f"which is {exact[wrong[0]]!r}: {error[wrong[0]]:.3g} ulp"
    )
    return float(error.max())


@each_function
def test_float32_is_within_two_ulps_over_the_whole_range(name: str) -> None:
    largest = 0.0
    with np.errstate(all="ignore"):
        for x in blocks_of_float32():
            exact = REFERENCE[name](without_subnormals(x).astype(np.float64))
            largest = max(largest, largest_error(FLOAT32_ULPS, x, elementary(name, x), exact))
    print(f"{name} is off by {largest:.3f} ulp at most")


@each_function
def test_float64_is_within_four_ulps_over_the_whole_range(name: str) -> None:
    every_size = np.concatenate([stratified(np.float64, 1 << 16), edges(np.float64)])
    middle = np.random.default_rng(1).uniform(-50, 50, 1 << 16)
    x = np.concatenate([every_size, middle, middle / 50, 15 * middle])
    reference = erf_of_each if name == "erf" else REFERENCE[name]
    with np.errstate(all="ignore"):
        exact = reference(without_subnormals(x).astype(np.longdouble))
        largest = largest_error(FLOAT64_ULPS, x, elementary(name, x), exact)
    print(f"{name} is off by {largest:.3f} ulp at most")


def test_the_reference_of_erf_has_13_digits() -> None:
    x = np.concatenate([np.random.default_rng(3).uniform(-7, 7, 1 << 16), np.geomspace(1e-9, 1)])
    np.testing.assert_allclose(erf(x), erf_of_each(x), rtol=1e-13)


def test_the_measure_of_errors_sees_each_kind() -> None:
    tiny, largest = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    exact = np.array([1, 1, 3, 0.75, 0, 0, tiny, 1e40, 1e40, 1, np.nan, 1, -1, np.inf])
    step = 2.0**-23
    y = [1 + step, 1 - step, 3 + 2 * step, 0.75 - step, -0.0, tiny, 0, largest, np.inf]
    y += [np.inf, np.nan, np.nan, 1, -np.inf]
    with np.errstate(all="ignore"):
        off = ulps_off(np.array(y, np.float32), exact)
    assert off[:4].tolist() == [1, 1, 1, 2]
    assert np.flatnonzero(off[4:] <= 4).tolist() == [4, 6]  # infinity and NaN, where they belong


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
