"""What all tests share: the state of the process is restored, and arrays can be guarded."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from gyaku import _core
from gyaku.backend import active_backend, use_backend

PROT_NONE = 0
PAGE = mmap.PAGESIZE
MPROTECT = ctypes.CDLL(None, use_errno=True).mprotect


def pytest_report_header() -> str:
    """Say what a failure would depend on; GYAKU_ISA forces an instruction set of the process."""
    return f"gyaku: {_core.isa()}, {_core.num_threads()} threads"


@pytest.fixture(autouse=True)
def unchanged_settings() -> Iterator[None]:
    """Restore the number of threads and the backend after each test."""
    threads, backend = _core.num_threads(), active_backend()
    yield
    _core.set_num_threads(threads)
    use_backend("native" if backend == "native" else "reference")
    if _core.recording():
        pytest.fail("a test left a recording open")


@pytest.fixture
def set_threads() -> Callable[[int], None]:
    """Return what sets the number of threads until the end of the test."""
    return _core.set_num_threads


def guarded_empty(shape: tuple[int, ...], dtype: DTypeLike, operation: str = "") -> NDArray[Any]:
    """Return an array whose last byte is the last one before memory that nobody may touch."""
    del operation
    dtype = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    pages = -(-size // PAGE) + 1
    memory = mmap.mmap(-1, pages * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if MPROTECT(ctypes.c_void_p(address + (pages - 1) * PAGE), ctypes.c_size_t(PAGE), PROT_NONE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    start = (pages - 1) * PAGE - size
    flat = np.frombuffer(memory, np.uint8, size, start) if size else np.empty(0, np.uint8)
    return flat.view(dtype).reshape(shape)


def guarded_copy(x: NDArray[Any]) -> NDArray[Any]:
    """Return a copy that ends at a guarded page."""
    copy = guarded_empty(x.shape, x.dtype)
    copy[...] = x
    return copy
