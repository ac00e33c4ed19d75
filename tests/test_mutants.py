"""Each mistake of `mutants.toml`, which the tests must find, has one place in the sources."""

from __future__ import annotations

import re

import pytest
from mutants import ROOT, Mutant, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mistake_has_one_place(mutant: Mutant) -> None:
    old = mutant.find(ROOT)[1]["old"]
    # An operator alone is no expression that may stand behind a condition.
    assert not any(re.fullmatch(r"[-=!<>+*/%&|^]+", text) for text in (old, mutant.new))
    for arguments in mutant.tests:
        assert (ROOT / arguments.split()[0]).exists()
