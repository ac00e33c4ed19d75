#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2"]
# ///
"""Tasks of a developer: `nox` runs the default ones, `nox -l` lists all."""

from __future__ import annotations

import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
VERSIONS = ["3.11", "3.12", "3.13", "3.14"]
INSTRUCTION_SETS = ["scalar", "x86-64-v2", "avx2", "avx512"]
# Where one set is enough; each is compiled from the same sources.
ONE_SET = "neon" if platform.machine() in {"aarch64", "arm64"} else "avx2"


def install_with(session: nox.Session, *settings: str, **keywords: Any) -> None:
    """Install the package, built with these settings of scikit-build."""
    session.install(".", *(word for each in settings for word in ("-C", each)), **keywords)


@nox.session
def lint(session: nox.Session) -> None:
    """Run the checks that need no build."""
    needed = PROJECT["project"]["dependencies"]  # mypy looks into them
    session.install(*nox.project.dependency_groups(PROJECT, "lint"), *needed)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("mypy")
    core = [str(path) for path in Path("csrc").rglob("*.*") if path.suffix in {".h", ".cpp"}]
    session.run("clang-format", "--dry-run", "-Werror", *core)
    session.run("sp-repo-review", ".")


@nox.session(python=VERSIONS, default=False)
def versions(session: nox.Session) -> None:
    """Run the tests under each supported Python that the machine has."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Build the package and run the tests."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(default=False)
@nox.parametrize("isa", INSTRUCTION_SETS)
def forced(session: nox.Session, isa: str) -> None:
    """Run the tests that depend on the instruction set under one of them."""
    session.install(".[test]", "-C", "cmake.define.GYAKU_TESTING=ON")
    session.run("python", "-m", "pytest", "-m", "isa", *session.posargs, env={"GYAKU_ISA": isa})


@nox.session(default=False)
def emulated(session: nox.Session) -> None:
    """Run the tests that depend on the instruction set under AVX-512, emulated by AVX2."""
    options = ["build-dir=build/emulated", "cmake.define.GYAKU_EMULATE=ON"]
    options += ["cmake.define.GYAKU_TESTING=ON", "cmake.define.GYAKU_ISAS=avx512;avx512-bf16"]
    session.install(*nox.project.dependency_groups(PROJECT, "test"))
    session.install(".", *(word for option in options for word in ("-C", option)))
    session.run("python", "-m", "pytest", "-m", "isa", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Make mistakes in a copy of the sources, one at a time, and see that the tests find them."""
    groups = ("test", "build")
    needed = PROJECT["project"]["dependencies"]
    session.install(*nox.project.dependency_groups(PROJECT, *groups), *needed)
    session.run("python", "tests/mutants.py", *session.posargs)


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """Kill a training 200 times at random moments, resume it, and compare the bits."""
    session.install(".")
    session.run("python", "tests/kills.py", *(session.posargs or ["200"]))


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Call operations at random, and read damaged files; the number of each may be given."""
    session.install(".", *nox.project.dependency_groups(PROJECT, "test"))
    count = session.posargs[0] if session.posargs else "1000000"
    session.run("python", "tests/fuzz_operations.py", count)
    session.run("python", "tests/fuzz_readers.py", count)


@nox.session(default=False)
def keras(session: nox.Session) -> None:
    """Convert models of Keras and back, with Keras itself."""
    session.install(".[keras]", "keras>=3.15", "tensorflow-cpu>=2.21")
    session.run("python", "tests/keras_battery.py", *session.posargs)


@nox.session(default=False)
def onnx_nodes(session: nox.Session) -> None:
    """Read the node tests of the package onnx, and count those with the outputs that they state."""
    session.install(".", *nox.project.dependency_groups(PROJECT, "test"))
    session.run("python", "tests/onnx_nodes.py", *session.posargs)


@nox.session(default=False)
def torch_samples(session: nox.Session) -> None:
    """Take the samples of PyTorch's own tests, and count those that are computed alike."""
    session.install(".", *nox.project.dependency_groups(PROJECT, "test"), "torch", "expecttest")
    session.run("python", "tests/torch_samples.py", *session.posargs)


@nox.session(default=False)
def leaks(session: nox.Session) -> None:
    """Make 1,000 models, 1,000 batch shapes and 100,000 steps, and compare the memory."""
    session.install(".")
    session.run("python", "tests/leaks.py", *session.posargs)


@nox.session(default=False)
def large(session: nox.Session) -> None:
    """Index arrays of 9 GiB, which take about 1 GiB of memory."""
    session.install(".")
    session.run("python", "tests/large_arrays.py")


@nox.session(default=False)
def nightly(session: nox.Session) -> None:
    """Run all that takes hours; docs/reliability.md has the last results."""
    for name in ("fuzz", "leaks", "large", "kills", "mutants", "coverage"):
        session.notify(name)
    for checked in SANITIZED:
        session.notify(f"sanitize({checked})")


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure which lines of Python and C++ the tests reach."""
    groups = ("test", "coverage")
    session.install(*nox.project.dependency_groups(PROJECT, *groups))
    install_with(
        session,
        "build-dir=build/coverage",
        "cmake.define.GYAKU_COVERAGE=ON",
        f"cmake.define.GYAKU_ISAS={ONE_SET}",
        "cmake.define.GYAKU_TESTING=ON",
    )
    session.run(
        *["python", "-m", "coverage", "run", "-m", "pytest"],
        *session.posargs,
        success_codes=[0, 1],  # tests of time and of symbols expect an optimised build
    )
    session.run("python", "-m", "coverage", "combine")
    session.run("python", "-m", "coverage", "report", "--skip-covered")
    # Threads that count at once lose counts, and long tests count beyond what gcovr believes; the
    # headers of pybind11 were in the environment of the build, which is gone.
    ignored = [
        "--gcov-ignore-errors=source_not_found",
        "--gcov-ignore-parse-errors=negative_hits.warn",
        "--gcov-ignore-parse-errors=suspicious_hits.warn",
    ]
    session.run(
        *["gcovr", "--root", ".", "--filter", "csrc/", "--merge-lines", *ignored],
        "build/coverage",
    )


@nox.session(python=VERSIONS, default=False)
def wheels(session: nox.Session) -> None:
    """Build a manylinux wheel for each Python that the machine has, and run the tests on it."""
    session.install(*nox.project.dependency_groups(PROJECT, "build", "wheels"))
    built = Path(session.create_tmp()) / "built"
    shutil.rmtree(built, ignore_errors=True)
    # One folder for all: only the bindings depend on Python, and are compiled again.
    session.run(
        "python", "-m", "build", "--wheel", "-o", str(built), "-C", "build-dir=build/wheels"
    )
    session.run("auditwheel", "repair", "-w", "dist", *map(str, built.glob("gyaku-*.whl")))
    session.notify(f"installed-{session.python}")


@nox.session(python=VERSIONS, default=False)
def installed(session: nox.Session) -> None:
    """Install the wheel of `dist` where no compiler is, and run the tests on it."""
    session.install(*nox.project.dependency_groups(PROJECT, "test"))
    session.install(*PROJECT["project"]["dependencies"])
    session.install("--no-index", "--no-deps", "--find-links", "dist", "gyaku")
    path = without_compilers(Path(session.create_tmp()) / "path", session.bin)
    session.run("python", "-m", "pytest", *session.posargs, env={"PATH": path})


def without_compilers(folder: Path, first: str) -> str:
    """Return a PATH with the programs of the machine but its compilers, behind a folder."""
    compiler = re.compile(r"(.*-)?(cc|c\+\+|[gc]\+\+|gcc|clang|clang\+\+|c[89]9)(-[\d.]+)?")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            link = folder / program.name
            if not compiler.fullmatch(program.name) and not link.is_symlink():
                link.symlink_to(program)
    return os.pathsep.join([first, str(folder)])


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Make the sdist, and the wheel from the sdist, with warnings as errors."""
    session.install(*nox.project.dependency_groups(PROJECT, "build"))
    session.run("python", "-m", "build", "-C", "cmake.define.GYAKU_WERROR=ON")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation in English and Japanese; the lessons are executed."""
    session.install(".", *nox.project.dependency_groups(PROJECT, "docs"))
    # In a copy the link to the lessons is a folder; MyST would look for its pages outside of docs.
    shutil.rmtree("_site", ignore_errors=True)
    shutil.copytree("docs", "_site", ignore=shutil.ignore_patterns("_build"))
    session.run("sphinx-build", "-W", "--keep-going", "_site", "docs/_build/html")


# The tests that touch memory, and those whose threads share it; and the instruction sets, of which
# the scalar one has every access checked: loads and stores by intrinsics are not.
SANITIZED = {
    "address": (
        "address;undefined",
        "neon" if ONE_SET == "neon" else "avx2;avx512;avx512-bf16",
        [
            *("test_ops", "test_lanes", "test_products", "test_winograd"),
            *("test_precision", "test_recurrent", "test_replay"),
        ],
    ),
    "thread": (
        "thread",
        "scalar",
        ["test_replay", "test_same_bits", "test_predict", "test_product_bits", "test_threads"],
    ),
}
# Without the C++ library behind it, a sanitizer meets the first exception unprepared.
PRELOADED = {
    "address": ["libasan.so", "libubsan.so", "libstdc++.so"],
    "thread": ["libtsan.so", "libstdc++.so"],
}


@nox.session(default=False)
@nox.parametrize("checked", [nox.param(name, id=name) for name in SANITIZED])
def sanitize(session: nox.Session, checked: str) -> None:
    """Run tests under gcc's sanitizers of addresses and undefined behaviour, or of threads."""
    sanitizers, isas, files = SANITIZED[checked]
    session.install(*nox.project.dependency_groups(PROJECT, "test"))
    install_with(
        session,
        f"build-dir={session.create_tmp()}/build",
        f"cmake.define.GYAKU_SANITIZE={sanitizers}",
        f"cmake.define.GYAKU_ISAS={isas}",
        "cmake.define.GYAKU_TESTING=ON",
    )
    libraries = [
        str(session.run("gcc", f"-print-file-name={name}", external=True, silent=True)).strip()
        for name in PRELOADED[checked]
    ]
    session.run(
        *["python", "-m", "pytest", "-s", "-p", "no:cacheprovider"],
        *(session.posargs or [f"tests/{name}.py" for name in files]),
        env={
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:halt_on_error=1",
            "TSAN_OPTIONS": "halt_on_error=1",
            "PYTHONMALLOC": "malloc",
        },
    )


@nox.session(default=False)
def clang(session: nox.Session) -> None:
    """Build with clang, or $CXX, warnings as errors, and run a cross-section of the tests."""
    session.install(*nox.project.dependency_groups(PROJECT, "test"))
    install_with(
        session,
        f"build-dir={session.create_tmp()}/build",
        "cmake.define.GYAKU_WERROR=ON",
        env={"CC": os.environ.get("CC", "clang"), "CXX": os.environ.get("CXX", "clang++")},
    )
    session.run("python", "-m", "pytest", *(session.posargs or ["-m", "quick"]))


@nox.session(default=False)
def arm64(session: nox.Session) -> None:
    """Cross-compile for arm64, and run tests of the kernels in an emulator."""
    session.install(*nox.project.dependency_groups(PROJECT, "build"))
    session.run("python", "tests/arm64.py", *session.posargs)


if __name__ == "__main__":
    nox.main()
