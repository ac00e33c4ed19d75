"""The instruction set: the forced one is the active one; a wrong name is one sentence."""

from __future__ import annotations

import pytest

from child import output, run
from gyaku import _core

ISAS = list(_core.isas())


def test_the_machine_can_run_the_portable_kernels() -> None:
    assert ISAS[0] == "scalar"
    assert len(set(ISAS)) == len(ISAS)


@pytest.mark.parametrize("isa", ISAS)
def test_the_forced_isa_is_the_active_one(isa: str) -> None:
    assert output("import gyaku._core as core; print(core.isa())", GYAKU_ISA=isa) == isa


def test_the_highest_isa_is_taken_when_none_is_forced() -> None:
    assert output("import gyaku._core as core; print(core.isa())", GYAKU_ISA="") == ISAS[-1]


@pytest.mark.skipif("avx2" not in ISAS, reason="the machine has no wide vectors to compare with")
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
