"""The instruction set: the forced one is the active one; a wrong name is one sentence."""

from __future__ import annotations

import pytest

from child import output, run
from gyaku import _core

ISAS = list(_core.isas())


def test_the_lowest_instruction_set_comes_first() -> None:
    rising = ["scalar", "x86-64-v2", "avx2", "avx512", "neon"]
    assert [isa for isa in rising if isa in ISAS] == ISAS


@pytest.mark.parametrize("isa", ISAS)
def test_the_forced_isa_is_the_active_one(isa: str) -> None:
    assert output("import gyaku._core as core; print(core.isa())", GYAKU_ISA=isa) == isa


def test_the_highest_isa_is_taken_when_none_is_forced() -> None:
    assert output("import gyaku._core as core; print(core.isa())", GYAKU_ISA="") == ISAS[-1]


@pytest.mark.skipif(
    not {"scalar", "avx2"} <= set(ISAS),
    reason="needs AVX2 and a build with -C cmake.define.GYAKU_TESTING=ON, which has the scalar set",
)
def test_the_forced_isa_is_the_one_that_computes() -> None:
    # Eight multiply-adds an instruction against one: a table that lies about its name shows here.
    code = """
    import gyaku._core as core
    print(max(core.measure_flops("float32", 1) for _ in range(3)))
    """
    scalar, avx2 = (float(output(code, GYAKU_ISA=isa)) for isa in ["scalar", "avx2"])
    assert avx2 > 2.5 * scalar


@pytest.mark.parametrize("name", ["sse9", "AVX 2", "avx512; rm"])
def test_an_unknown_isa_is_one_sentence_at_import(name: str) -> None:
    done = run("import gyaku", GYAKU_ISA=name)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert name in last
    assert "GYAKU_ISA" in last
    assert all(isa in last for isa in ISAS)


SUMS = """
import hashlib
import numpy as np
from gyaku import ops
x = np.random.default_rng(0).normal(size=(64, 999)).astype(np.float32)
gamma, beta = np.ones(999, np.float32), np.zeros(999, np.float32)
for y in (ops.softmax(x), ops.layer_norm(x, gamma, beta)[0]):
    print(hashlib.sha256(y.tobytes()).hexdigest())
"""


@pytest.mark.skipif(
    not {"scalar", "x86-64-v2"} <= set(ISAS),
    reason="needs a build with -C cmake.define.GYAKU_TESTING=ON, which has a set upon another",
)
def test_a_set_upon_another_replaces_only_its_families() -> None:
    # `overlay` is scalar but for softmax, which is that of x86-64-v2: four lanes add up in another
    # order than one.
    scalar, wide, overlay = (
        output(SUMS, GYAKU_ISA=isa).split() for isa in ["scalar", "x86-64-v2", "overlay"]
    )
    assert all(a != b for a, b in zip(scalar, wide, strict=True))
    assert overlay == [wide[0], scalar[1]]


def test_a_set_that_is_not_listed_is_not_chosen() -> None:
    assert "overlay" not in ISAS
