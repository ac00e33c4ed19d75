"""Are the kernels right on arm64? Cross-compiles the package, and runs tests of it in an emulator.

Takes Debian with its packages `g++-aarch64-linux-gnu` and `qemu-user`. Python for arm64
is Debian's, its packages are those of PyPI; both are unpacked into a folder, nothing is installed.
``nox -s arm64 -- tests/test_conv.py`` runs other tests, of which none may start another process.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pybind11

ROOT = Path(__file__).parent.parent
TRIPLET = "aarch64-linux-gnu"
TESTS = ["test_lanes", "test_math", "test_products", "test_winograd", "test_ops"]


def debian(folder: Path) -> Path:
    """Unpack Python for arm64, and what it needs, and return its program."""
    states = folder / "apt"
    for name in ("lists/partial", "archives/partial"):
        (states / name).mkdir(parents=True)
    (states / "status").touch()  # nothing is installed, so that all of it is fetched
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::State::status": states / "status",
        "Dir::State::lists": states / "lists",
        "Dir::Cache": states,
        "Dir::Cache::archives": states / "archives",
    }
    apt = ["apt-get", "--quiet", *(f"-o{name}={value}" for name, value in options.items())]
    subprocess.run([*apt, "update"], check=True)
    wanted = ["python3", "libpython3-dev", "libstdc++6"]
    fetch = ["install", "--yes", "--download-only", "--no-install-recommends"]
    subprocess.run([*apt, *fetch, *wanted], check=True)
    root = folder / "root"
    for package in sorted((states / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    return (root / "usr/bin/python3").resolve()


def packages(folder: Path, version: str) -> None:
    """Unpack what gyaku and its tests import, for arm64."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], "hypothesis", "pytest"]
    kind = ["--only-binary=:all:", "--python-version", version, "--target", folder]
    for glibc in ("2_17", "2_27", "2_28"):
        kind += ["--platform", f"manylinux_{glibc}_aarch64"]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *kind, *wanted], check=True)


def build(folder: Path, root: Path, version: str) -> None:
    """Compile the extension, with the kernels for tests, and put it beside the Python layer."""
    include = root / "usr/include"
    definitions = {
        "CMAKE_SYSTEM_NAME": "Linux",
        "CMAKE_SYSTEM_PROCESSOR": "aarch64",
        "CMAKE_CXX_COMPILER": f"{TRIPLET}-g++",
        "CMAKE_CXX_FLAGS": f"-idirafter {include}",
        "CMAKE_STRIP": f"{TRIPLET}-strip",
        "GYAKU_TESTING": "ON",
        "GYAKU_ISAS": "neon",
        "GYAKU_WERROR": "ON",
        "PYTHON_IS_DEBUG": "OFF",
        "PYTHON_MODULE_DEBUG_POSTFIX": "",
        "PYTHON_MODULE_EXTENSION": f".cpython-{version.replace('.', '')}-{TRIPLET}.so",
        "Python_INCLUDE_DIR": include / f"python{version}",
        "SKBUILD_PROJECT_NAME": "gyaku",
        "SKBUILD_PROJECT_VERSION": "0",
        "pybind11_DIR": pybind11.get_cmake_dir(),
    }
    options = [f"-D{name}={value}" for name, value in definitions.items()]
    subprocess.run(["cmake", "-S", ROOT, "-B", folder, "-G", "Ninja", *options], check=True)
    subprocess.run(["cmake", "--build", folder], check=True)
    skipped = shutil.ignore_patterns("*.so", "__pycache__")
    package = folder / "python" / "gyaku"
    shutil.copytree(ROOT / "python" / "gyaku", package, ignore=skipped, dirs_exist_ok=True)
    for extension in folder.glob("_core*.so"):
        shutil.copy(extension, package)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tests", nargs="*", default=[f"tests/{name}.py" for name in TESTS])
    parser.add_argument("--keep", type=Path, help="where Python and the build are kept, and found")
    options, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        root, site = folder / "root", folder / "site"
        python = (root / "usr/bin/python3").resolve() if root.exists() else debian(folder)
        version = python.name.removeprefix("python")
        if not site.exists():
            packages(site, version)
        build(folder / "build", root, version)
        paths = os.pathsep.join(map(str, [folder / "build" / "python", site]))
        # Others of OpenBLAS's kernels, emulated, divide by zero where NumPy multiplies.
        given = ["-E", f"PYTHONPATH={paths}", "-E", "OPENBLAS_CORETYPE=ARMV8"]
        emulator = ["qemu-aarch64", "-L", root, *given, python]
        command = [*emulator, "-m", "pytest", "-p", "no:cacheprovider", *arguments, *options.tests]
        return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
