"""Do the tests find mistakes? Makes those of `mutants.toml`, one at a time, and runs tests on them.

All mistakes are compiled into one copy of the package, each behind a condition that an environment
variable makes true. No part of the suite, since it builds the extension: `nox -s mutants`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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
        path, found = self.find(tree)
        text, (begin, end) = path.read_text(), found.span("old")
        choice = PYTHON if path.suffix == ".py" else CPP
        wrong = choice.format(number=number, new=self.new, old=text[begin:end])
        path.write_text(text[:begin] + wrong + text[end:])

    def find(self, tree: Path) -> tuple[Path, re.Match[str]]:
        """Return the one place that looks like `at`, in the file or, if it was renamed, another."""
        before, old, behind = (
            r"\s+".join(map(re.escape, part.split()))
            for part in re.split("[«»]", re.sub(r"\s*([«»])\s*", r"\1", self.at))
        )
        place = re.compile(rf"{before}\s*(?P<old>{old})\s*{behind}")
        named = tree / self.file
        folder = tree / Path(self.file).parts[0]
        kinds = {".py"} if named.suffix == ".py" else {".h", ".cpp"}
        for paths in ([named], (path for path in folder.rglob("*") if path.suffix in kinds)):
            texts = [(path, path.read_text()) for path in paths if path.exists()]
            found = [(path, match) for path, text in texts for match in place.finditer(text)]
            if len(found) == 1:
                return found[0]
        raise SystemExit(f"{self.name}: {self.file} has not, or more than once: {self.at}")


def mutants() -> list[Mutant]:
    table = tomllib.loads((Path(__file__).parent / "mutants.toml").read_text())
    return [Mutant(**row) for row in table["mutant"]]


def build(tree: Path, folder: Path, isa: str) -> None:
    """Make all mistakes in the tree, and compile it for one instruction set."""
    import pybind11  # only a build needs it

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
    parser.add_argument("--isa", default="avx2", help="the instruction set that is built")
    parser.add_argument("--tests", type=Path, default=ROOT, help="the tree whose tests are run")
    parser.add_argument("--keep", type=Path, help="where the build is kept, and found again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        tree = options.keep or Path(temporary) / "tree"
        if not tree.exists():
            skipped = shutil.ignore_patterns(".*", "build", "dist", "*.so", "__pycache__")
            shutil.copytree(ROOT, tree, ignore=skipped)
            build(tree, tree / "build", options.isa)
        chosen = {
            number: mutant
            for number, mutant in enumerate(mutants(), 1)
            if not options.numbers or number in options.numbers
        }
        for argument in sorted({test for mutant in chosen.values() for test in mutant.tests}):
            if not passes(tree, options.tests, 0, [argument]):
                raise SystemExit(f"{argument} fails without any mistake")
        survivors = 0
        for number, mutant in chosen.items():
            survived = passes(tree, options.tests, number, mutant.tests)
            survivors += survived
            print(f"{number:3} {'SURVIVED' if survived else 'killed  '} {mutant.name}", flush=True)
    print(f"{survivors} of {len(chosen)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
