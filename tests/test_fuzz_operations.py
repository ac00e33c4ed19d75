"""Odd arrays are right or refused, in every operation, in random calls and in every argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fuzz_operations import LENGTH, NO_NUMBERS, SMALL, attempt, explained
from hypothesis import given, settings
from hypothesis import strategies as st
from op_case import FLOAT32, Case
from op_cases import BY_OP

from gyaku.ops import TABLE


@settings(max_examples=600, deadline=None, derandomize=True, database=None)
@given(st.binary(min_size=LENGTH, max_size=LENGTH))
def test_a_random_call_is_right_or_refused(data: bytes) -> None:
    try:
        attempt(data)
    except Exception as error:
        raise AssertionError(explained(data)) from error


def test_a_wrong_element_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes([0, 9]) + bytes(LENGTH - 2)  # the tenth case, plain
    assert attempt(data) == "right"
    run = Case.run

    def wrong(case: Case, call: Any) -> Any:
        outputs = run(case, call)
        outputs[0].flat[-1] += 1e-3
        return outputs

    monkeypatch.setattr(Case, "run", wrong)
    with pytest.raises(AssertionError):
        attempt(data)


@pytest.mark.parametrize("op", TABLE)
def test_every_operation_is_among_the_random_calls(op: str) -> None:
    assert any(case.row.name == op for case in SMALL)


@pytest.mark.parametrize("op", TABLE)
def test_what_is_no_real_number_is_refused_in_each_argument(op: str) -> None:
    case = next(case for case in BY_OP[op] if all(np.size(x) for x in case.call(FLOAT32)[0]))
    arguments, keywords = case.call(FLOAT32)
    places = [place for place, x in enumerate(arguments) if isinstance(x, np.ndarray)]
    for place in places:
        for change in NO_NUMBERS.values():
            changed = [*arguments[:place], change(arguments[place]), *arguments[place + 1 :]]
            with pytest.raises(TypeError) as caught:
                TABLE[op].function(*changed, **keywords)
            text = str(caught.value)
            assert text.startswith(f"{op}: {case.parameters[place]} must "), text
            assert "\n" not in text


def array_keywords() -> list[tuple[str, str]]:
    """Return operations with the names of their keywords that are arrays in a case."""
    found = {
        (case.row.name, name)
        for case in SMALL
        for name, x in case.call(FLOAT32)[1].items()
        if isinstance(x, np.ndarray)
    }
    return sorted(found)


@pytest.mark.parametrize(("op", "name"), array_keywords())
def test_what_is_no_real_number_is_refused_in_each_keyword(op: str, name: str) -> None:
    case = next(
        case for case in BY_OP[op] if isinstance(case.call(FLOAT32)[1].get(name), np.ndarray)
    )
    arguments, keywords = case.call(FLOAT32)
    for kind, change in NO_NUMBERS.items():
        with pytest.raises(TypeError) as caught:
            TABLE[op].function(*arguments, **{**keywords, name: change(keywords[name])})
        assert str(caught.value).startswith(f"{op}: {name} must "), (kind, str(caught.value))


@pytest.mark.parametrize("op", ["matmul", "sum_rows"])
def test_a_masked_array_is_no_place_for_a_result(op: str) -> None:
    x = np.ones((3, 3), np.float32)
    out = np.ma.masked_array(np.zeros((3, 3) if op == "matmul" else 3, np.float32), mask=True)
    arguments = [x, x] if op == "matmul" else [x]
    with pytest.raises(TypeError, match=f"^{op}: out must not be masked"):
        TABLE[op].function(*arguments, out=out)
