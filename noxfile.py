#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2"]
# ///
"""Tasks of a developer: `nox` runs the default ones, `nox -l` lists all."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
INSTRUCTION_SETS = ["scalar", "x86-64-v2", "avx2", "avx512"]


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


@nox.session(python=["3.11", "3.12", "3.13", "3.14"], default=False)
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


@nox.session(default=False)
def sanitize(session: nox.Session) -> None:
    """Run what touches memory under the compiler's address and undefined-behaviour sanitizers."""
    options = ["build-dir=build/sanitize", "cmake.build-type=RelWithDebInfo"]
    options += ["cmake.define.GYAKU_SANITIZE=address;undefined"]
    session.install(*nox.project.dependency_groups(PROJECT, "test"))
    session.install(".", *(word for option in options for word in ("-C", option)))
    # Without the C++ library behind it, the sanitizer meets the first exception unprepared.
    libraries = [
        str(session.run("gcc", f"-print-file-name={name}", external=True, silent=True)).strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    session.run(
        *["python", "-m", "pytest", "-s", "-p", "no:cacheprovider"],
        *(session.posargs or ["tests/test_ops.py", "tests/test_lanes.py", "tests/test_replay.py"]),
        env={
            "LD_PRELOAD": " ".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:halt_on_error=1",
            "PYTHONMALLOC": "malloc",
        },
    )


if __name__ == "__main__":
    nox.main()
