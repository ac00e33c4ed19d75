"""Do the tests find mistakes? Makes those of `mutants.toml`, one at a time, and runs tests on them.

All mistakes are compiled into one copy of the package, each behind a condition that an environment
variable makes true. No part of the suite, since it builds the extension: `nox -s mutants`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pybind11

ROOT = Path(__file__).parent.parent
TIMEOUT = 600  # seconds; a mistake may be a loop without end

# Read once, when the extension is loaded.
HEADER = """#pragma once
#include <cstdlib>
inline const int mutant_number = [] {
  const char* number = std::getenv("GYAKU_MUTANT");
  return number == nullptr ? 0 : std::atoi(number);
}();
"""
CPP = "(mutant_number == {number} ? ({new}) : ({old}))"
PYTHON = "(({new}) if __import__('os').environ.get('GYAKU_MUTANT') == '{number}' else ({old}))"


@dataclass(frozen=True)
class Mutant:
    """A mistake: where it is made, and the tests that must find it."""

    name: str
    file: str
    at: str
    new: str
    tests: list[str]

    def make(self, number: int, tree: Path) -> None:
        """Write the mistake into a copy of the sources, beside what is right."""
        before, old, behind = (part for half in self.at.split("«") for part in half.split("»"))
        path = self.find(before + old + behind, tree)
        text = path.read_text()
        choice = (PYTHON if path.suffix == ".py" else CPP).format(
            number=number, new=self.new, old=old
        )
        path.write_text(text.replace(before + old + behind, before + choice + behind))

    def find(self, text: str, tree: Path) -> Path:
        """Return the one file that has the text once; it may have been renamed."""
        named = tree / self.file
        others = (tree / Path(self.file).parts[0]).rglob(f"*{named.suffix[0]}*")
        for paths in ([named], sorted(others)):
            found = [p for p in paths if p.is_file() and p.read_text().count(text) == 1]
            if len(found) == 1:
                return found[0]
        raise SystemExit(f"{self.name}: {self.file} has no longer, or more than once: {text}")


def mutants() -> list[Mutant]:
    table = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())
    return [Mutant(**row) for row in table["mutant"]]


def build(tree: Path, folder: Path, isa: str) -> None:
    """Make all mistakes in the tree, and compile it for one instruction set."""
    for number, mutant in enumerate(mutants(), 1):
        mutant.make(number, tree)
    header = tree / "mutant.h"
    header.write_text(HEADER)
    definitions = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_CXX_FLAGS": f"-include {header}",
        "GYAKU_ISAS": isa,
        "SKBUILD_PROJECT_NAME": "gyaku",
        "SKBUILD_PROJECT_VERSION": "0",
        "Python_EXECUTABLE": sys.executable,
        "pybind11_DIR": pybind11.get_cmake_dir(),
    }
    options = [f"-D{name}={value}" for name, value in definitions.items()]
    subprocess.run(["cmake", "-S", tree, "-B", folder, "-G", "Ninja", *options], check=True)
    subprocess.run(["cmake", "--build", folder], check=True)
    for extension in folder.glob("_core*.so"):
        shutil.copy(extension, tree / "python" / "gyaku")


def passes(tree: Path, tests: Path, number: int, arguments: Sequence[str]) -> bool:
    """Return whether tests pass though mistake `number` is made; 0 is none."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(tree / "python"), "GYAKU_MUTANT": str(number)}
    for argument in arguments:
        try:
            done = subprocess.run(
                [*command, *argument.split()],
                cwd=tests,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        if done.returncode != 0:
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, help="only these mistakes")
    parser.add_argument("--isa", default="avx512", help="the instruction set that is built")
    parser.add_argument("--tests", type=Path, default=ROOT, help="the tree whose tests are run")
    parser.add_argument("--keep", type=Path, help="where the build is kept, and found again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        tree = options.keep or Path(temporary) / "tree"
        if not tree.exists():
            skipped = shutil.ignore_patterns(".*", "build", "dist", "*.so", "__pycache__")
            shutil.copytree(ROOT, tree, ignore=skipped)
            build(tree, tree / "build", options.isa)
        survivors = 0
        for number, mutant in enumerate(mutants(), 1):
            if options.numbers and number not in options.numbers:
                continue
            survived = passes(tree, options.tests, number, mutant.tests)
            survivors += survived
            print(f"{number:3} {'SURVIVED' if survived else 'killed  '} {mutant.name}", flush=True)
    print(f"{survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
