"""Each mistake of `mutants.toml`, which the tests must find, has one place in the sources."""

from __future__ import annotations

import pytest
from mutants import ROOT, Mutant, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mistake_has_one_place(mutant: Mutant) -> None:
    mutant.find(ROOT)
    for arguments in mutant.tests:
        assert (ROOT / arguments.split()[0]).exists()
