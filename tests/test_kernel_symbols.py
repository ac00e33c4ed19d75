"""The objects of one instruction set share no code with another, or an old CPU could meet it.

An inline function that two objects instantiate is one weak symbol, and the linker keeps whichever
copy it meets first: an AVX-512 copy of it would kill the program on a machine without AVX-512.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gyaku import _core

ROOT = Path(__file__).parent.parent
SOURCES = {path.name for path in (ROOT / "csrc" / "kernels").glob("*.cpp")} - {"table.cpp"}
TESTED = {"elementary.cpp"}  # compiled with GYAKU_TESTING alone
PRODUCTS = {"activation.cpp", "precision.cpp", "precision_matmul.cpp", "precision_pairs.cpp"}
PRODUCTS |= {"precision_conv.cpp", "precision_conv_weights.cpp", "precision_pack.cpp"}
PRODUCTS |= {"precision_tile.cpp", "precision_recurrent.cpp", "precision_recurrent_backward.cpp"}
PRODUCTS |= {"precision_recurrent_product.cpp"}
OVERLAYS = {  # its base, and what it compiles
    "overlay": ("scalar", {"isa.cpp", "softmax.cpp"}),
    "avx512_bf16": ("avx512", {"isa.cpp", *PRODUCTS}),
}
SHARED_KINDS = {"W", "w", "V", "v", "u"}  # weak, weak object, unique global


def symbols(path: Path, *options: str) -> list[tuple[str, str]]:
    """Return kind and demangled name of each symbol of a file."""
    command = ["nm", "-C", *options, str(path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [re.match(r"[0-9a-f]* +(\w) (.+)", line) for line in lines]
    return [(match[1], match[2]) for match in found if match]


def objects_below(folder: Path) -> dict[str, list[Path]]:
    """Return the object files of each instruction set, but those whose source is gone."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("kernels_*.dir/**/*.o")):
        if path.stem not in SOURCES:
            continue
        isa = next(part for part in path.parts if part.startswith("kernels_"))
        found.setdefault(isa.removeprefix("kernels_").removesuffix(".dir"), []).append(path)
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the last build, or that of a build made for this."""
    folder = Path(os.environ.get("GYAKU_BUILD_DIR", ROOT / "build"))
    if objects_below(folder):
        return folder
    folder = tmp_path_factory.mktemp("build")
    options = ["--no-deps", "--quiet", "-C", f"build-dir={folder}/tree", "-w", f"{folder}/wheel"]
    options += ["-C", "cmake.define.GYAKU_TESTING=ON"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", str(ROOT), *options], check=True)
    return folder


@pytest.fixture(scope="module")
def kernels(built: Path) -> dict[str, list[Path]]:
    return objects_below(built)


def test_each_isa_compiles_every_kernel(kernels: dict[str, list[Path]]) -> None:
    compiled = {isa: {path.stem for path in paths} for isa, paths in kernels.items()}
    for isa, files in compiled.items():
        assert files | TESTED == OVERLAYS.get(isa, ("", SOURCES))[1] | TESTED
    assert {isa.replace("_", "-") for isa in compiled} >= set(_core.isas())


def test_no_kernel_has_a_weak_symbol(kernels: dict[str, list[Path]]) -> None:
    shared = {
        f"{isa}/{path.name}": [name for kind, name in symbols(path) if kind in SHARED_KINDS]
        for isa, paths in kernels.items()
        for path in paths
    }
    assert {path: names for path, names in shared.items() if names} == {}


def test_a_kernel_shows_nothing_but_what_its_set_shares(kernels: dict[str, list[Path]]) -> None:
    # Between the files of one instruction set, too, every name carries that set's namespace.
    for isa, paths in kernels.items():
        for path in paths:
            shown = [name for kind, name in symbols(path, "--extern-only", "--defined-only")]
            assert [name for name in shown if not name.startswith(f"gyaku::{isa}::")] == []


def test_a_kernel_needs_nothing_but_arithmetic(kernels: dict[str, list[Path]]) -> None:
    # What the compiler may call for a copy or a fill, and what its own set defines. A set upon
    # another begins with the table of its base.
    compiler = {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}
    for isa, paths in kernels.items():
        defined = {name for path in paths for _, name in symbols(path, "--defined-only")}
        if isa in OVERLAYS:
            defined.add(f"gyaku::{OVERLAYS[isa][0]}::fill(gyaku::KernelTable&)")
        for path in paths:
            needed = {name for _, name in symbols(path, "--undefined-only")}
            assert needed - compiler - defined == set()


def test_no_kernel_runs_before_main(kernels: dict[str, list[Path]]) -> None:
    for paths in kernels.values():
        for path in paths:
            command = ["readelf", "--sections", "--wide", str(path)]
            sections = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert ".init_array" not in sections
            assert ".ctors" not in sections


# Of AVX, BMI or MOVBE, all of them beyond x86-64-v2. Not `tzcnt`, which is `bsf` to an older CPU.
NEWER = r"\t(v\w+|kmov\w|andn|bextr|bls\w+|bzhi|mulx|pdep|pext|rorx|sarx|sh[lr]x|lzcnt|movbe)\s"


def newer_instructions(paths: list[Path]) -> set[str]:
    """Return the kinds of instructions in objects that a CPU with x86-64-v2 does not know."""
    command = f"objdump -d --no-show-raw-insn -- \"$@\" | grep -oP '{NEWER}' | sort -u"
    arguments = ["bash", "-c", command, "objdump", *map(str, paths)]
    found = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert not found.stderr
    return set(found.stdout.split())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="AVX is that of x86-64")
def test_nothing_outside_its_sets_is_compiled_for_avx(built: Path) -> None:
    avx = {"kernels_avx2.dir", "kernels_avx512.dir", "kernels_avx512_bf16.dir"}
    outside, softmax = [], []
    for path in built.rglob("*.dir/**/*.o"):
        if avx.isdisjoint(path.parts):
            outside.append(path)
        elif path.stem == "softmax.cpp":
            softmax.append(path)
    assert outside
    assert newer_instructions(outside) == set()
    if softmax:
        assert {"vmovups", "vmulps"} <= newer_instructions(softmax)


def test_the_library_exports_only_its_door() -> None:
    exported = symbols(Path(_core.__file__), "--dynamic", "--defined-only")
    assert [name for _, name in exported] == ["PyInit__core"]


def test_the_module_holds_no_large_initial_values() -> None:
    # Memory that begins as zeros takes no room in the file; any other value would fill it.
    command = ["size", "-A", str(_core.__file__)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    data = next(int(line.split()[1]) for line in lines if line.startswith(".data "))
    assert data < 16 * 1024
