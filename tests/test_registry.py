"""The table of operations is whole: nothing is missing, nothing is extra."""

from __future__ import annotations

import inspect
from importlib import import_module

import numpy as np
import pytest
from op_case import FLOAT32
from op_cases import BY_OP

from gyaku import _core, ops, reference
from gyaku.ops import TABLE, activation
from gyaku.ops.activation import ACTIVATIONS

# What the extension offers beside kernels: memory, programs, facts about the machine.
RUNTIME = {
    *(
        "begin_behind",
        "block_of",
        "empty",
        "zeros",
        "is_finite",
        "fits_float32",
        "multiplies_bfloat16",
        "stop_work",
        "isa",
        "isas",
        "cpu_info",
        "parse_cpu_max",
        "num_threads",
    ),
    *(
        "set_num_threads",
        "cgroup_quota",
        "precision",
        "recording",
        "set_precision",
        "host",
        "replay",
        "philox",
    ),
    *("operation", "is_native", "set_native"),
    *("measure_flops", "measure_bandwidth", "takes_maxima"),
}
each_row = pytest.mark.parametrize("row", TABLE.values(), ids=list(TABLE))


def test_every_public_operation_has_a_row() -> None:
    stems = dict.fromkeys(row.function.__module__ for row in TABLE.values())
    listed = [name for stem in stems for name in import_module(stem).__all__]
    assert sorted(listed) == sorted(TABLE)
    assert all(getattr(ops, name) is row.function for name, row in TABLE.items())


def test_the_activations_have_rows_and_equations_in_one_order() -> None:
    assert list(ACTIVATIONS) == list(reference.FORWARD) == list(reference.BACKWARD)
    assert {*ACTIVATIONS, *(name + "_backward" for name in ACTIVATIONS)} == set(activation.__all__)


def test_every_kernel_of_the_extension_has_a_row() -> None:
    functions = {name for name, value in vars(_core).items() if inspect.isroutine(value)}
    # `elementary` is for tests, in a build for them.
    public = {name for name in functions if not name.startswith("_")} - {"elementary"}
    assert public - RUNTIME == {row.kernel for row in TABLE.values() if row.kernel}
    assert public >= RUNTIME


def test_every_equation_has_a_row() -> None:
    parts = {"activate", "normal_cdf", "normal_pdf", "philox4x32", "random_words"}
    functions = {name for name, value in vars(reference).items() if inspect.isfunction(value)}
    assert functions == {*TABLE, *parts}


@each_row
def test_a_row_has_cases(row: ops.Op) -> None:
    cases = BY_OP[row.name]
    assert cases
    assert len({case.id for case in cases}) == len(cases)


@each_row
def test_a_row_has_a_gradient_or_a_reason(row: ops.Op) -> None:
    assert bool(row.gradient) != bool(row.no_gradient)
    if row.gradient:
        assert row.gradient in TABLE
        assert row.saves in {"", "input", "output"}


@each_row
def test_a_row_has_a_tolerance_or_a_reason(row: ops.Op) -> None:
    assert (row.roundings > 0) != bool(row.exact)


@each_row
def test_operation_and_equation_take_the_same_arguments(row: ops.Op) -> None:
    operation, equation = (inspect.signature(f).parameters for f in (row.function, row.equation))
    extra = set(operation) - set(equation)
    assert extra <= {"out"}
    assert [p for p in operation if p not in extra] == list(equation)
    assert all(operation[name].default == equation[name].default for name in equation)
    assert set(row.inputs) <= set(operation)
    assert row.in_place == (set(row.outputs) <= set(operation) and bool(row.outputs))


@each_row
def test_costs_are_counted(row: ops.Op) -> None:
    calls = [case.call(FLOAT32) for case in BY_OP[row.name]]
    arguments, keywords = max(calls, key=lambda call: np.size(call[0][0]))
    keywords.pop("bias", None)
    inputs = [getattr(argument, "shape", ()) for argument in arguments]
    outputs = row.shapes(inputs, **keywords)
    assert row.flops(inputs, outputs) >= 0
    assert row.bytes(inputs, outputs, itemsize=8) == 2 * row.bytes(inputs, outputs, itemsize=4) > 0


def test_every_row_shows_its_equation_its_errors_and_an_example() -> None:
    sections = ("Raises", "Notes", "Examples")  # Parameters and Returns: see test_docstrings.py
    missing = {
        f"{row.name}: {section}"
        for row in TABLE.values()
        for section in sections
        if f"\n{section}\n{'-' * len(section)}\n" not in (inspect.getdoc(row.function) or "")
    }
    assert missing == set()
