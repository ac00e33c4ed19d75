"""NaN in, NaN out, in every operation: a number that takes part in a result spoils it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from op_case import Array, Call, Case
from op_cases import CASES
from optimizer_facts import UPDATES

from gyaku.ops import TABLE

DTYPE = np.dtype(np.float32)
STEP = 2.0**-10
# Gradients beside a NaN keep their size, as the norm that would limit them is unknown; in counts a
# NaN is the largest score.
KEEPS = {"clip_by_norm", "count_confusions"}


def floats(name: str, call: Call) -> Iterator[tuple[Any, Array]]:
    """Yield the place and the array of each argument with real numbers."""
    arguments, keywords = call
    for place, each in [*enumerate(arguments), *keywords.items()]:
        if name in UPDATES and place not in (0, 1):
            continue  # a state has a NaN from a gradient alone, and all states have it then
        if isinstance(each, np.ndarray) and each.dtype == DTYPE and each.size:
            yield place, each


def changed(case: Case, place: Any, element: int, change: Any) -> Call:
    """Return the arguments with one element changed by a function."""
    arguments, keywords = case.call(DTYPE)
    given = keywords if isinstance(place, str) else arguments
    given[place] = given[place].copy()
    given[place].reshape(-1)[element] = change(given[place].reshape(-1)[element])
    return arguments, keywords


def short_cases(count: int = 3) -> dict[str, list[Case]]:
    """Return a few short cases of each operation that takes real numbers."""
    cases: dict[str, list[tuple[int, Case]]] = {}
    for case in CASES:
        size = sum(each.size for _, each in floats(case.row.name, case.call(DTYPE)))
        if size and "specials" not in case.id:
            cases.setdefault(case.row.name, []).append((size, case))
    return {
        name: [case for _, case in sorted(found, key=lambda each: each[0])[:count]]
        for name, found in cases.items()
    }


SHORT = short_cases()


def test_operations_without_real_numbers_are_few() -> None:
    numbers = {"accumulate", "advance", "count_steps", "optimizer_tick", "sum_weights"}  # float64
    assert set(TABLE) - set(SHORT) == {*numbers, "permutation", "sequence_lengths"}


@pytest.mark.parametrize("name", SHORT)
def test_nan_in_nan_out(name: str) -> None:
    random = np.random.default_rng(0)
    for case in SHORT[name]:
        plain = case.expected(case.call(DTYPE), DTYPE)
        for place, array in floats(name, case.call(DTYPE)):
            for element in random.integers(array.size, size=3):
                broken = changed(case, place, element, lambda _: np.nan)
                expected = case.expected(broken, DTYPE)
                nearby = changed(case, place, element, lambda x: x * (1 + STEP))
                moved = case.expected(nearby, DTYPE)
                for y, equation, before, after in zip(
                    case.run(broken), expected, plain, moved, strict=True
                ):
                    found = np.isnan(y)
                    np.testing.assert_array_equal(found, np.isnan(equation), str((place, element)))
                    if name not in KEEPS and y.dtype.kind == "f":
                        assert found[before != after].all(), (case.id, place, element)
