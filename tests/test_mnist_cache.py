"""MNIST's cache: the second load takes a tenth of the first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from child import output

DATA = Path(os.environ.get("GYAKU_DATA") or Path(__file__).parents[2] / "shared" / "data")
MNIST = DATA / "mnist"


@pytest.mark.skipif(not MNIST.is_dir(), reason="MNIST is not on this machine: set GYAKU_DATA")
def test_the_second_load_takes_a_tenth_of_the_first(tmp_path: Path) -> None:
    code = f"""
    from timeit import repeat
    from gyaku.data import mnist

    first, *later = repeat(lambda: mnist({str(MNIST)!r}), number=1, repeat=6)
    print(first / min(later))
    """
    assert float(output(code, GYAKU_CACHE=str(tmp_path))) > 10
