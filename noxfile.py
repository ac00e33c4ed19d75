#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox>=2025.2"]
# ///
"""Tasks of a developer: `nox` runs the default ones, `nox -l` lists all."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv|virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")
INSTRUCTION_SETS = ["scalar", "x86-64-v2", "avx2", "avx512"]


@nox.session
def lint(session: nox.Session) -> None:
    """Run the checks that need no build."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"), "numpy>=2")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("mypy")
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
    """Run the tests under one instruction set."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *session.posargs, env={"GYAKU_ISA": isa})


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Make the sdist, and the wheel from the sdist, with warnings as errors."""
    session.install(*nox.project.dependency_groups(PROJECT, "build"))
    session.run("python", "-m", "build", "-C", "cmake.define.GYAKU_WERROR=ON")


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation in English and Japanese."""
    session.install(".", *nox.project.dependency_groups(PROJECT, "docs"))
    session.run("sphinx-build", "-W", "--keep-going", "docs", "docs/_build/html")


if __name__ == "__main__":
    nox.main()
