"""Choosing what the operations run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gyaku import _core, ops
from gyaku.backend import active_backend, use_backend


def test_native_is_the_default() -> None:
    assert active_backend() == "native"


def test_a_call_holds_until_the_next() -> None:
    use_backend("reference")
    assert active_backend() == "reference"
    use_backend("native")
    assert active_backend() == "native"


def test_a_block_restores_the_backend_before_it() -> None:
    with use_backend("reference") as name:
        assert name == active_backend() == "reference"
        with use_backend("native"):
            assert active_backend() == "native"
        assert active_backend() == "reference"
    assert active_backend() == "native"


def test_a_block_that_fails_restores_the_backend() -> None:
    with pytest.raises(KeyError), use_backend("reference"):
        raise KeyError
    assert active_backend() == "native"


@pytest.mark.parametrize("name", ["numpy", "", "Native", None])
def test_an_unknown_backend_is_one_sentence(name: Any) -> None:
    message = f'use_backend: name must be "native" or "reference", got {name!r}'
    with pytest.raises(ValueError, match=message):
        use_backend(name)
    assert active_backend() == "native"


def kernels_called(function: Callable[[], object]) -> list[str]:
    program = _core.Program()
    program.begin()
    try:
        function()
    finally:
        program.end()
    return [task["name"] for task in program.tasks()]


def test_the_reference_calls_no_kernel() -> None:
    with use_backend("reference"):
        assert kernels_called(lambda: ops.relu([-1.0, 2.0])) == []
    assert kernels_called(lambda: ops.relu([-1.0, 2.0])) == ["relu"]
