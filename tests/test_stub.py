"""The stub of the extension is true, and calls of the extension fit its functions."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from gyaku import _core

PACKAGE = Path(__file__).parent.parent / "python" / "gyaku"
STUB = PACKAGE / "_core.pyi"
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


def calls() -> dict[str, tuple[str, ast.Call]]:
    """Return the calls of the extension in the package, by file and line."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("_core"), attr=name)):
                    found[f"{path.relative_to(PACKAGE)}:{node.lineno}"] = (name, node)
    return found


def mentioned() -> set[str]:
    """Return the functions of the extension that the package calls or hands on."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(value=ast.Name("_core"), attr=name):
                    found.add(name)
    return found


CALLS = calls()


def test_the_stub_names_what_there_is() -> None:
    assert set(STUBBED) <= set(BUILT)


def test_only_operations_call_what_the_stub_leaves_out() -> None:
    by_others = {name for place, (name, _) in CALLS.items() if not place.startswith("ops/")}
    assert by_others <= set(STUBBED)
    # `elementary` and `philox` are for tests.
    used = mentioned() | {"elementary", "philox"}
    assert {name for name in BUILT if "." not in name} - set(STUBBED) <= used


@pytest.mark.parametrize("place", CALLS)
def test_a_call_fits_the_function(place: str) -> None:
    name, call = CALLS[place]
    assert name in BUILT
    kinds = {"positional only": "POSITIONAL_ONLY", "keyword": "KEYWORD_ONLY"}
    takes = inspect.Signature(
        [
            inspect.Parameter(
                parameter,
                getattr(inspect.Parameter, kinds.get(kind, "POSITIONAL_OR_KEYWORD")),
                default=None if optional else inspect.Parameter.empty,
            )
            for parameter, kind, optional in parameters(
                signature(BUILT.get(f"{name}.__init__", BUILT[name]))
            )
        ]
    )
    given = [each for each in call.args if not isinstance(each, ast.Starred)]
    keywords = {each.arg: None for each in call.keywords if each.arg is not None}
    is_whole = len(given) == len(call.args) and len(keywords) == len(call.keywords)
    (takes.bind if is_whole else takes.bind_partial)(*given, **keywords)


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


@pytest.mark.parametrize("name", sorted(n for n, v in BUILT.items() if inspect.isroutine(v)))
def test_no_signature_shows_a_cpp_type(name: str) -> None:
    assert "::" not in (inspect.getdoc(BUILT[name]) or "").splitlines()[0]
