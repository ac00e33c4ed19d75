"""Docstrings: everything public has one that numpydoc finds no fault with, and examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpydoc.validate import ERROR_MSGS, Validator, validate

import gyaku
from gyaku import reference
from gyaku.ops import TABLE

ROOT = Path(__file__).parent.parent


def module_names() -> list[str]:
    found = pkgutil.walk_packages(gyaku.__path__, "gyaku.")
    names = [
        info.name for info in found if not any(p.startswith("_") for p in info.name.split("."))
    ]
    return ["gyaku", *sorted(names)]


def public_members(owner: type | types.ModuleType) -> Iterator[str]:
    """Yield the dotted names of what `owner` itself defines and shows."""
    for name, value in vars(owner).items():
        made_by_scikit_learn = name.startswith("set_") and name.endswith("_request")
        if name.startswith("_") or made_by_scikit_learn:
            continue
        if isinstance(owner, types.ModuleType):
            if getattr(value, "__module__", None) != owner.__name__:
                continue
            if inspect.isclass(value) or inspect.isroutine(value):
                yield f"{owner.__name__}.{value.__qualname__}"
            if inspect.isclass(value):
                yield from public_members(value)
        elif inspect.isroutine(value) or isinstance(value, property | classmethod | staticmethod):
            yield f"{owner.__module__}.{owner.__qualname__}.{name}"


def is_equation(name: str) -> bool:
    """Whether a function of the reference is an operation, which is documented in `gyaku.ops`."""
    return name.startswith("gyaku.reference.") and name.split(".")[-1] in TABLE


def public_names() -> list[str]:
    modules = [importlib.import_module(name) for name in module_names()]
    names = [module.__name__ for module in modules]
    return sorted({*names, *(name for module in modules for name in public_members(module))})


def checks() -> set[str]:
    """Return the codes that pyproject.toml asks for; there is no list of excused names."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["numpydoc_validation"]
    assert set(table) == {"checks"}
    listed = set(table["checks"])
    return set(ERROR_MSGS) - listed if "all" in listed else listed


class Finder(doctest.DocTestFinder):
    """Finds the examples of operations too, which are wrapped functions."""

    def _from_module(self, module: types.ModuleType, object: object) -> bool:
        found: bool = super()._from_module(module, inspect.unwrap(object))  # type: ignore[misc, arg-type]
        return found or getattr(object, "__module__", None) == module.__name__


def test_numpydoc_finds_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    # The line is only for reports, and looking for it fails in a module that defines nothing.
    monkeypatch.setattr(Validator, "source_file_def_line", 1)
    names = [name for name in public_names() if not is_equation(name)]
    asked = checks()
    assert len(names) > 500
    faults = {name: [f for f in validate(name)["errors"] if f[0] in asked] for name in names}
    assert {name: found for name, found in faults.items() if found} == {}


def test_an_equation_has_one_line_in_front_of_it() -> None:
    equations = [getattr(reference, name) for name in TABLE]
    assert [f.__name__ for f in equations if (f.__doc__ or "\n").count("\n")] == []


@pytest.mark.parametrize("name", module_names())
def test_examples_run(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    with np.printoptions(precision=4, suppress=True):
        module = importlib.import_module(name)
        runner = doctest.DocTestRunner(optionflags=flags)
        for test in Finder().find(module, name):
            runner.run(test)
    assert runner.failures == 0, capsys.readouterr().out


def test_the_examples_of_operations_are_found() -> None:
    found = {test.name for test in Finder().find(importlib.import_module("gyaku.ops.gemm"))}
    assert "gyaku.ops.gemm.matmul" in found


@pytest.mark.parametrize("name", sorted(gyaku.__all__))
def test_public_classes_and_functions_show_an_example(name: str) -> None:
    value = getattr(gyaku, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert ">>>" in (inspect.getdoc(value) or "")


def test_examples_stand_only_where_they_run() -> None:
    # doctest walks the members of a module; an example in a nested function would never run.
    for path in Path(gyaku.__file__).parent.rglob("*.py"):
        for outer in ast.walk(ast.parse(path.read_text())):
            if isinstance(outer, ast.FunctionDef):
                inner = [n for n in ast.walk(outer) if isinstance(n, ast.FunctionDef)][1:]
                assert all(">>>" not in (ast.get_docstring(n) or "") for n in inner)
