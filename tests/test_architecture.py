"""The arrows: who may use whom, read from the includes and imports of the source tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "python" / "gyaku"

INTRINSICS = ["<immintrin.h>", "<arm_neon.h>"]
LISTS = ["activations.inc", "updates.inc", "all_kernels.inc"]  # that the build makes
# A row is a pattern of files and what they may include; the first row that fits is the law.
INCLUDES = {
    "simd/*": ["<cstddef>", "<cstdint>", *INTRINSICS, "simd/*"],
    "kernels/table.*": ["<*>", "runtime/cpu.h", "kernels/*.h", "isas.inc"],
    "kernels/isa.cpp": ["kernels/kernels.h", "kernels.inc"],
    "kernels/*": ["<cstddef>", "<cstdint>", *INTRINSICS, "simd/*", "kernels/*", *LISTS],
    "runtime/*": ["<*>", "runtime/*"],
    "program/team.*": ["<*>", "runtime/*", "kernels/kernel.h", "program/*"],
    "program/watch.*": ["<*>", "kernels/kernel.h", "program/*"],
    "program/*": ["<*>", "runtime/*", "kernels/args/*", "kernels/table.h", "program/*"],
    "bindings/*": [
        *["<*>", "<pybind11/*>", "runtime/*", "kernels/args/*", "kernels/families.inc"],
        *["kernels/table.h", "program/*", "bindings/*", "bindings.inc", *LISTS],
    ],
}
# Headers that only the row which names them may include.
PRIVATE_HEADERS = ["<pybind11/*>", "<omp.h>"]  # nothing includes the last one

# A room of the package and the rooms that it may import; a room may always import itself.
IMPORTS = {
    "_core": [],
    "names": [],
    "checks": [],
    "calls": [],
    "classifier": [],
    "components": ["names"],
    "files": [],
    "terminal": [],
    "diagram": ["files"],
    "findings": [],
    "backend": ["_core", "reference"],
    "precision": ["_core"],
    "threads": ["_core", "checks"],
    "memory": ["backend"],
    "windows": ["checks"],
    "reference": ["precision", "windows"],
    "ops": ["_core", "backend", "checks", "reference", "windows"],
    "init": ["checks", "components", "names"],
    "schedules": ["checks", "components", "names"],
    "symbolic": ["checks"],
    "computation": ["diagram", "reference"],
    "layers": [
        *["checks", "components", "init", "memory", "names", "ops", "reference", "symbolic"],
        "windows",
    ],
    "losses": ["calls", "checks", "components", "memory", "names", "ops"],
    "metrics": ["calls", "checks", "components", "memory", "names", "ops"],
    "optim": ["checks", "components", "memory", "names", "ops", "schedules"],
    "history": ["files", "names", "plots", "table"],
    "table": ["terminal"],
    "callbacks": ["checks", "components", "files", "metrics", "names"],
    "safetensors": ["files"],
    "data": ["checks", "files", "names"],
    "plots": ["checks", "diagram", "layers", "losses", "names"],
    "train": [
        *["backend", "callbacks", "calls", "checks", "components", "data", "findings", "history"],
        *["losses", "memory", "metrics", "names", "ops", "optim", "precision", "terminal"],
        "threads",
    ],
    "model": [
        *["_core", "backend", "checks", "components", "diagram", "files", "findings", "init"],
        *["layers", "losses", "memory", "metrics", "names", "ops", "optim", "precision"],
        *["safetensors", "schedules", "symbolic", "table", "terminal", "train", "windows"],
    ],
    "gradients": ["checks", "layers", "model", "symbolic", "table", "train"],
    "diagnosis": ["callbacks", "findings", "losses", "model", "optim", "symbolic", "train"],
    "report": [
        *["_core", "checks", "diagnosis", "files", "history", "losses", "model", "plots"],
        "threads",
    ],
    "dlfs": ["backend", "data", "memory", "ops"],
    "perceptron": ["checks", "components", "history"],
    "pretraining": ["layers", "losses", "model", "optim", "history", "symbolic", "train"],
    "models": ["checks", "layers", "model", "names", "optim", "schedules", "symbolic"],
    "learning_rate": ["callbacks", "checks", "optim", "plots", "train"],
    "tuning": ["callbacks", "checks", "history", "train"],
    "distributed": ["backend", "checks", "memory", "schedules", "table", "threads", "train"],
    "interop": [
        "_core",
        "checks",
        "files",
        "layers",
        "model",
        "names",
        "ops",
        "reference",
        "safetensors",
        "symbolic",
        "windows",
    ],
    "sklearn": ["callbacks", "data", "layers", "losses", "model", "names", "optim", "train"],
    "lessons": ["names"],
}
# What stands on everything, and what it may import of its kind.
ROOFS = {"__init__": {"cli", "lab"}, "__main__": {"cli"}, "cli": {"lab"}, "lab": set[str]()}
THIRD_PARTIES = {"tqdm", "matplotlib", "safetensors", "pooch", "sklearn", "optuna", "tensorboardX"}
THIRD_PARTIES |= {"torch", "onnx", "mpi4py", "h5py", "starlette", "uvicorn", "h11", "websockets"}
SERVING = {"server", "connection", "guard", "messages", "draw", "playground", "watch"}  # of the lab
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "yaml.load", "torch.load"}


def sources(*suffixes: str, below: Path) -> list[Path]:
    return sorted(path for path in below.rglob("*") if path.suffix in suffixes)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def allowed(include: str, patterns: list[str]) -> bool:
    private = any(fnmatch(include, header) for header in PRIVATE_HEADERS)
    return any(fnmatch(include, p) for p in patterns if not (private and p == "<*>"))


def core(folder: Path = CSRC) -> list[Path]:
    return sources(".h", ".cpp", below=folder)


def offenders(
    paths: Sequence[Path], offences: Callable[[Path], Collection[str]]
) -> dict[str, Collection[str]]:
    """Return the files that break a law, each with what it does against it."""
    assert paths, "no file to look at"
    found = {relative(path): offences(path) for path in paths}
    return {path: against for path, against in found.items() if against}


def foreign_includes(path: Path) -> list[str]:
    name = path.relative_to(CSRC).as_posix()
    patterns = next(law for room, law in INCLUDES.items() if fnmatch(name, room))
    found = re.findall(r'^\s*#\s*include\s*(<[^>]+>|"[^"]+")', path.read_text(), re.MULTILINE)
    return [i for i in found if not allowed(i.strip('"'), patterns)]


def test_a_file_of_the_core_includes_only_what_its_room_may() -> None:
    assert offenders(core(), foreign_includes) == {}


def test_nothing_depends_on_openmp() -> None:
    # Its runtimes differ at a fork, and where the system refuses a thread they end the process.
    openmp = re.compile(r"#\s*pragma\s+omp|\bomp_\w+\(")
    assert offenders(core(), lambda path: openmp.findall(path.read_text())) == {}


def test_bindings_have_no_static_local() -> None:
    # A static local is guarded by a lock; waiting for it with the GIL held is a deadlock.
    static = re.compile(r"^[ \t]+static\s+(?!constexpr\b)[^(]*[;={]", re.MULTILINE)
    assert offenders(core(CSRC / "bindings"), lambda path: static.findall(path.read_text())) == {}


def imports(tree: ast.AST, package: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield each imported module, also for types alone, and whether its importer's import does."""
    types_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    in_function = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        at_import = id(node) not in in_function | types_only
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_import) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from . import ops` names modules; `from .ops import matmul` names one module.
            if module == "gyaku":
                yield from ((f"gyaku.{alias.name}", at_import) for alias in node.names)
            else:
                yield module, at_import


def modules() -> list[Path]:
    return sources(".py", below=PACKAGE)


@cache
def imports_of(path: Path) -> list[tuple[str, bool]]:
    package = ["gyaku", *path.relative_to(PACKAGE).parts[:-1]]
    return list(imports(ast.parse(path.read_text()), package))


def foreign_imports(path: Path) -> set[str]:
    room = path.relative_to(PACKAGE).with_suffix("").parts[0]
    used = {name.split(".")[1] for name, _ in imports_of(path) if name.startswith("gyaku.")}
    if room in ROOFS:
        return (used & ROOFS.keys()) - {room, *ROOFS[room]}
    return used - {room, *IMPORTS[room]}


def test_a_module_imports_only_the_rooms_it_may() -> None:
    assert offenders(modules(), foreign_imports) == {}


def test_the_arrows_of_the_package_form_no_ring() -> None:
    TopologicalSorter(IMPORTS).prepare()


def module_of(path: Path) -> str:
    parts = ["gyaku", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_imported_by(path: Path, known: set[str]) -> set[str]:
    """Return the modules of the package that a file names, wherever its imports stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports of the package are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & known or {str(node.module)}
    return found & known - {module_of(path)}


def test_no_file_is_imported_by_one_that_it_imports() -> None:
    known = {module_of(path) for path in modules()} | {"gyaku._core"}
    graph = {module_of(path): modules_imported_by(path, known) for path in modules()}
    assert graph["gyaku.ops.gemm"] >= {"gyaku._core"} or graph["gyaku.backend"] >= {"gyaku._core"}
    TopologicalSorter(graph).prepare()


def test_the_page_on_the_architecture_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path.name for path in CSRC.iterdir() if path.is_dir()] + list(IMPORTS)
    assert [room for room in rooms if not re.search(rf"\b{room}\b", page)] == []


def early_imports(path: Path) -> set[str]:
    """Return the packages of others that a module imports."""
    late = {"sklearn": path.stem != "__init__", "lab": path.stem in SERVING}
    if late.get(path.parent.name):  # imported when they are asked for
        return set()
    early = {name.split(".")[0] for name, at_import in imports_of(path) if at_import}
    return early & THIRD_PARTIES


def test_import_time_belongs_to_numpy_alone() -> None:
    assert offenders(modules(), early_imports) == {}


def ways_to_run_code(path: Path) -> set[str]:
    names = {name.split(".")[0] for name, _ in imports_of(path)}
    nodes = ast.walk(ast.parse(path.read_text()))
    calls = [(ast.unparse(n.func), ast.unparse(n)) for n in nodes if isinstance(n, ast.Call)]
    found = names & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
    found |= {name for name, _ in calls} & FORBIDDEN_CALLS
    loads = {text for name, text in calls if name in {"np.load", "numpy.load"}}
    return found | {load for load in loads if "allow_pickle=False" not in load}


def test_files_cannot_run_code() -> None:
    runner = PACKAGE / "lessons" / "runner.py"  # of the package's own pages, and of no other file
    assert ways_to_run_code(runner) == {"compile", "eval", "exec"}
    assert offenders([path for path in modules() if path != runner], ways_to_run_code) == {}


@pytest.mark.parametrize("folder", [CSRC, PACKAGE, ROOT / "tests", ROOT / "bench"], ids=relative)
def test_no_room_is_a_junk_drawer(folder: Path) -> None:
    textbook = PACKAGE / "dlfs" / "util.py"  # the name of the textbook's module
    names = {path.stem for path in folder.rglob("*") if path != textbook}
    assert names & {"util", "utils", "helper", "helpers", "common", "misc"} == set()


def lines_of_python(path: Path) -> int:
    """Return the number of lines, docstrings not counted."""
    text = path.read_text()
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = [
        node.body[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
    ]
    return text.count("\n") - sum((d.end_lineno or 0) - d.lineno + 1 for d in docstrings)


@pytest.mark.parametrize("folder", [PACKAGE, ROOT / "tests", ROOT / "bench"], ids=relative)
def test_no_python_file_outgrows_its_room(folder: Path) -> None:
    lengths = {relative(path): lines_of_python(path) for path in sources(".py", below=folder)}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_no_file_of_the_core_outgrows_its_room() -> None:
    lengths = {
        relative(path): path.read_text().count("\n") for path in sources(".h", ".cpp", below=CSRC)
    }
    assert {path: length for path, length in lengths.items() if length > 600} == {}


def test_the_tree_speaks_of_the_product_alone() -> None:
    # Written in halves, so that this file passes its own test.
    elsewhere = re.compile("/wor" + r"k/\w|/tm" + r"p/\w|FIX" + r"ME|TO" + r"DO\b|index-" + "url")
    kinds = {".py", ".pyi", ".h", ".cpp", ".md", ".toml", ".txt", ".yaml"}
    rooms = ["csrc", "python", "tests", "bench", "docs"]
    paths = [p for room in rooms for p in (ROOT / room).rglob("*") if p.suffix in kinds]
    paths += [p for p in ROOT.iterdir() if p.suffix in kinds]
    assert [relative(p) for p in paths if elsewhere.search(p.read_text())] == []
