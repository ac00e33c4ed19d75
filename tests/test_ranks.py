"""The parts of training by several processes that one process can test by itself."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from mmap import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import memory
from gyaku.backend import _core
from gyaku.distributed.local import Block, Layout, shared
from gyaku.distributed.places import Place, share_of, words_of
from gyaku.distributed.reductions import Ranges
from gyaku.train.ranks import Ranks, agree


def test_pages_are_common_while_they_are_shared() -> None:
    file = os.memfd_create("test")
    try:
        os.ftruncate(file, 1 << 20)
        own = memory.zeros((1 << 16,), np.float64)
        own[:] = np.arange(own.size)
        common = np.frombuffer(mmap(file, 1 << 20), np.float64)
        pages: Any = _core.SharedPages(file)
        pages.place(own[5:], 1 << 19, keeps=True)
        offset, size = _core.block_of(own[5:])
        assert (offset, size) == (5 * 8, own.nbytes)
        assert np.array_equal(common[1 << 16 :], own)
        common[1 << 16] = -1
        assert own[0] == -1
        other = memory.zeros(own.shape, own.dtype)
        pages.place(other, 1 << 19, keeps=False)
        assert np.array_equal(other, own)
        del pages
        common[1 << 16] = 7
        assert own[0] == other[0] == -1
        other[1] = 5
        assert own[1] == 1
    finally:
        os.close(file)


def test_what_fits_huge_pages_begins_on_one() -> None:
    huge, small = 2 << 20, 300 * 4096
    blocks = [Block(0, 4 * huge), Block(64, small), Block(0, 3 * huge)]
    layout = Layout(blocks, processes=100)
    begins = [*layout.common, *layout.grads]
    sizes = [4 * huge, small, *[3 * huge] * 100]
    assert begins[0] == huge  # behind the counters
    assert begins[1] % 4096 == 0
    assert {begin % huge for begin in begins[2:]} == {0}
    ends = [begin + size for begin, size in zip(begins, sizes, strict=True)]
    assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))
    assert layout.size == ends[-1]


def test_ranges_end_with_layers() -> None:
    # Three layers, of which the last one is written first; each array begins on a cache line.
    ranges = Ranges(1136, least=100, gap=16)
    assert ranges.wrote(1104, 32) == []
    assert ranges.wrote(1008, 96) == [slice(1008, 1136)]
    assert ranges.wrote(496, 496) == []  # the bias of four elements behind it is missing
    cut = ranges.wrote(992, 4)
    assert [cut[0].stop, cut[-1].start] == [1008, 496]
    assert all(100 - 16 < each.stop - each.start < 200 for each in cut)
    assert [each.start for each in cut[:-1]] == [each.stop for each in cut[1:]]
    assert all(each.start % 16 == 0 for each in cut)
    rest = ranges.rest()
    assert (rest[0].stop, rest[-1].start) == (496, 0)
    assert ranges.rest() == []


def test_small_arrays_have_no_pages_of_their_own() -> None:
    assert _core.block_of(memory.zeros((100,), np.float32)) == (0, 0)


class Fake(Ranks):
    """Two processes, of which the other one says the same as this one, or something else."""

    size = 2

    def __init__(self, other: Callable[[Any], Any]) -> None:
        self.other = other

    def gather(self, value: Any) -> list[Any]:
        return [value, self.other(value)]


def groups(machines: Sequence[str]) -> tuple[Ranks, Any]:
    raise AssertionError(f"there are no groups of {machines}")


@pytest.mark.parametrize("which", ["another machine", "no file", "small arrays"])
def test_memory_is_common_on_one_machine_only(which: str) -> None:
    def other(value: Any) -> Any:
        if which == "another machine":
            return ("of another boot", value[1])
        return value if isinstance(value[0], str) else None

    large = [memory.zeros((1 << 16,), np.float64) for _ in range(2)]
    small = memory.zeros((8,), np.float64)
    updated = [small if which == "small arrays" else large[0]]
    assert shared(Fake(other), large[1], small, updated, groups, 1 << 20) is None


def test_mpi4py_that_is_missing_or_finds_no_library_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(ImportError, match=r"needs mpi4py and an MPI library.*gyaku\[mpi\]"):
        gk.distributed.MPI()
    package = tmp_path / "mpi4py"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "MPI.py").write_text("raise RuntimeError('cannot load MPI library')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mpi4py")
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    found = r"mpi4py finds no MPI library \(cannot load MPI library\); load the cluster's module"
    with pytest.raises(ImportError, match=found):
        gk.distributed.MPI()


def test_processes_of_another_version_are_refused() -> None:
    others = Fake(lambda facts: facts | {"version": "0.0.1"})
    with pytest.raises(ValueError, match=r"the processes differ in version: .* 0\.0\.1 on rank 1"):
        agree("fit", others, version="1.0")


PLACES = {
    "free": [Place("a", (0, 1, 2, 3), 4, False)] * 2,
    "bound": [Place("a", (0, 1), 2, False), Place("a", (2, 3), 2, False)],
    "single": [Place("a", (0,), 1, False), Place("a", (1,), 1, False)],
    "crowded": [Place("a", (0, 1), 2, False)] * 4,
    "machines": [Place("a", (0, 1), 2, False), Place("b", (0, 1), 2, False)],
}


@pytest.mark.parametrize(
    ("name", "threads"), [("free", 2), ("bound", 2), ("single", 1), ("crowded", 1), ("machines", 2)]
)
def test_threads_of_a_process_are_its_share_of_its_cpus(name: str, threads: int) -> None:
    places = PLACES[name]
    assert [share_of(places, rank) for rank in range(len(places))] == [threads] * len(places)


def test_processes_bound_to_single_cpus_get_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert "--map-by slot:pe=4" in words_of(PLACES["single"])[-1]
    assert words_of(PLACES["bound"])[-1].startswith("rank 1 of 2")
