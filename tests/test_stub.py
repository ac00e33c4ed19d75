"""The stub of the extension is true: same names, same parameters, same plain types."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from gyaku import _core

STUB = Path(__file__).parent.parent / "python" / "gyaku" / "_core.pyi"
# How a signature made by pybind11 writes a plain type, and how a stub does.
WRITTEN = {
    "typing.SupportsInt | typing.SupportsIndex": "int",
    "typing.SupportsFloat | typing.SupportsIndex": "float",
    "typing.SupportsInt": "int",
    "typing.SupportsFloat": "float",
    "int": "int",
    "float": "float",
    "bool": "bool",
    "str": "str",
    "None": "None",
}


def described(path: Path) -> dict[str, ast.FunctionDef | None]:
    """Return the stub's functions and methods by dotted name; None for a class."""
    names: dict[str, ast.FunctionDef | None] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names[node.name] = node
        elif isinstance(node, ast.ClassDef):
            names[node.name] = None
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    names[f"{node.name}.{inner.name}"] = inner
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names[node.target.id] = None
    return {name: node for name, node in names.items() if is_public(name)}


def built() -> dict[str, object]:
    """Return what the built module shows, by dotted name."""
    names: dict[str, object] = {}
    for name, value in vars(_core).items():
        names[name] = value
        if inspect.isclass(value):
            names |= {f"{name}.{inner}": member for inner, member in vars(value).items()}
    return {name: value for name, value in names.items() if is_public(name)}


def is_public(name: str) -> bool:
    last = name.split(".")[-1]
    return not last.startswith("_") or last == "__init__"


def signature(value: object) -> ast.FunctionDef:
    """Parse the first line of the docstring that pybind11 writes."""
    line = (inspect.getdoc(value) or "").splitlines()[0]
    line = re.sub(r"<[^<>]*>", "...", line)  # the repr of a default that is no literal
    line = re.sub(r"\bself: [\w.]+", "self", line)
    parsed = ast.parse(f"def {line}: ...").body[0]
    assert isinstance(parsed, ast.FunctionDef)
    return parsed


def parameters(function: ast.FunctionDef) -> list[tuple[str, str, bool]]:
    """Return name, kind and whether there is a default, for each parameter but self."""
    a = function.args
    optional = len(a.posonlyargs) + len(a.args) - len(a.defaults)
    found = [
        (arg.arg, "positional only" if i < len(a.posonlyargs) else "any", i >= optional)
        for i, arg in enumerate([*a.posonlyargs, *a.args])
    ]
    found += [
        (arg.arg, "keyword", default is not None)
        for arg, default in zip(a.kwonlyargs, a.kw_defaults, strict=True)
    ]
    return [row for row in found if row[0] != "self"]


STUBBED, BUILT = described(STUB), built()
FUNCTIONS = sorted(n for n, v in BUILT.items() if inspect.isroutine(v) and n in STUBBED)


def test_stub_and_module_have_the_same_names() -> None:
    # `elementary` is for tests, in a build for them.
    assert set(STUBBED) == set(BUILT) - {"elementary"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_the_parameters_that_the_stub_says(name: str) -> None:
    stub = STUBBED[name]
    assert stub is not None
    assert parameters(stub) == parameters(signature(BUILT[name]))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_plain_types_are_those_that_the_stub_says(name: str) -> None:
    stub, module = STUBBED[name], signature(BUILT[name])
    assert stub is not None
    pairs = [
        (getattr(said, "annotation", said), getattr(true, "annotation", true))
        for said, true in zip(
            [*stub.args.args, *stub.args.kwonlyargs, stub.returns],
            [*module.args.args, *module.args.kwonlyargs, module.returns],
            strict=True,
        )
        if said is not None and getattr(said, "arg", "") != "self"
    ]
    written = [(ast.unparse(said), WRITTEN.get(ast.unparse(true))) for said, true in pairs if true]
    assert [said for said, true in written if true is not None and said != true] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_signature_shows_a_cpp_type(name: str) -> None:
    assert "::" not in (inspect.getdoc(BUILT[name]) or "").splitlines()[0]
