"""Tables of mistakes: the error, its one sentence, and the call that makes the mistake."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gyaku.backend import use_backend

Mistake = tuple[type[Exception], str, Callable[[], Any]]


def refused_in_one_sentence(mistakes: Sequence[Mistake]) -> Callable[..., None]:
    """Return the test that either backend refuses each call with its whole message."""

    @pytest.mark.parametrize("backend", ["native", "reference"])
    @pytest.mark.parametrize(
        ("error", "message", "call"), mistakes, ids=[message for _, message, _ in mistakes]
    )
    def test(error: type[Exception], message: str, call: Callable[[], Any], backend: Any) -> None:
        with use_backend(backend), pytest.raises(error, match=f"^{re.escape(message)}$"):
            call()

    return test
