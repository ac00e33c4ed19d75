"""What all tests share: marks, the state of the process is restored, arrays can be guarded."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from child import FEW_THREADS, Command

os.environ |= FEW_THREADS | os.environ  # before NumPy and the extension are loaded

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from gyaku import _core
from gyaku.backend import active_backend, use_backend
from gyaku.cli import main

PROT_NONE = 0
PAGE = mmap.PAGESIZE
MPROTECT = ctypes.CDLL(None, use_errno=True).mprotect

# A shell lets jobs in the background ignore Ctrl-C, which tests send to themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Files that give the same under each instruction set; every other one is marked `isa`.
ANY_ISA = {
    *(
        "test_advice",
        "test_architecture",
        "test_backend",
        "test_bench",
        "test_bench_runs",
        "test_bench_tables",
    ),
    "test_callbacks",
    *(
        "test_bench_team",
        "test_choice",
        "test_columns",
        "test_cli",
        "test_cli_errors",
        "test_cli_lesson",
        "test_components",
        "test_digits",
        "test_dispatch",
        "test_docstrings",
        "test_doctor",
        "test_doctor_silence",
    ),
    *("test_errors_buffers", "test_errors_conv", "test_errors_images", "test_errors_ops"),
    *("test_errors_recurrent", "test_layer_refusals"),
    *("test_files", "test_fit_errors", "test_foreign_threads", "test_fork", "test_history"),
    *("test_idx", "test_import", "test_interrupt", "test_kernel_symbols"),
    *("test_mnist", "test_models", "test_plots", "test_plots_anomalies", "test_plots_models"),
    *("test_plots_refusals", "test_mnist_cache", "test_progress"),
    *("test_onnx_arrays", "test_onnx_export", "test_onnx_import", "test_onnx_refusals"),
    *("test_source_export", "test_onnx_whole", "test_selections", "test_torch_inputs"),
    "test_array_operations",
    *("test_guides", "test_lessons", "test_picture", "test_readme", "test_reference"),
    *(
        "test_newcomer",
        "test_plain_layers",
        "test_normalization",
        "test_own_data",
        "test_own_samples",
        "test_stopped_work",
    ),
    *("test_build_again", "test_callbacks_ready", "test_continuation", "test_damaged_files"),
    *("test_fuzz_readers", "test_leaks", "test_long_sums", "test_mutants"),
    *("test_metrics", "test_frames", "test_fit_options", "test_scorers", "test_bench_contest"),
    *("test_tuning", "test_tensorboard", "test_learning_rate", "test_resume"),
    *("test_batches", "test_on_disk", "test_resume_batches", "test_distributed", "test_ranks"),
    *("test_scaling",),
    *("test_ctc", "test_hostile_models", "test_loss_options"),
    *("test_sklearn", "test_sklearn_net", "test_sklearn_shaped", "test_sklearn_mlp_weights"),
    "test_sklearn_surroundings",
    *("test_lab_server", "test_lab_assets", "test_lab_draw", "test_lab_life"),
    *("test_lab_playground", "test_lab_playground_socket", "test_lab_playground_page"),
    *("test_lab_player", "test_lab_connection", "test_lab_joined", "test_lab_chart"),
    *("test_lab_watch", "test_live", "test_report"),
    *("test_reference_conv", "test_reference_norm", "test_reference_pool"),
    *("test_perceptron", "test_reference_recurrent", "test_registry"),
    *("test_conllu", "test_safetensors", "test_schedules", "test_data_sequences", "test_series"),
    *(
        "test_stub",
        "test_dlpack",
        "test_keras_files",
        "test_keras_harm",
        "test_keras_layers",
        "test_keras_refusals",
        "test_keras_weights",
        "test_torch_functions",
        "test_torch_layouts",
        "test_torch_modules",
        "test_torch_weights",
        "test_vocabulary",
        "test_windows",
    ),
}
# A cross-section of the suite, marked `quick`: files, and of how many of their tests one is taken.
QUICK = {
    "test_architecture": 1,
    "test_conv": 10,
    "test_conv_maxima": 20,
    "test_errors_ops": 4,
    "test_fuse": 2,
    "test_layers": 3,
    "test_leading_dimension": 20,
    "test_losses": 4,
    "test_model": 2,
    "test_norm": 4,
    "test_ops": 30,
    "test_optim": 4,
    "test_pool": 8,
    "test_product_specials": 30,
    "test_products": 17,
    "test_program": 3,
    "test_reference": 10,
    "test_registry": 20,
    "test_replay": 10,
    "test_skipped_zeros": 35,
    "test_train": 4,
}


def pytest_configure() -> None:
    missing = (ANY_ISA | QUICK.keys()) - {path.stem for path in Path(__file__).parent.glob("*.py")}
    if missing:
        raise pytest.UsageError(f"conftest.py marks files that are gone: {sorted(missing)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests; a file that is named nowhere depends on the instruction set."""
    seen: Counter[str] = Counter()
    for item in items:
        stem = item.path.stem
        if stem not in ANY_ISA:
            item.add_marker(pytest.mark.isa)
        if stem in QUICK and seen[stem] % QUICK[stem] == 0:
            item.add_marker(pytest.mark.quick)
        seen[stem] += 1


def pytest_report_header() -> str:
    """Say what a failure would depend on; GYAKU_ISA forces an instruction set of the process."""
    return f"gyaku: {_core.isa()}, {_core.num_threads()} threads"


@pytest.fixture(autouse=True)
def unchanged_settings() -> Iterator[None]:
    """Restore the number of threads and the backend after each test."""
    backend = active_backend()
    yield
    _core.set_num_threads(0)
    use_backend("native" if backend == "native" else "reference")
    if _core.recording():
        pytest.fail("a test left a recording open")


@pytest.fixture
def set_threads() -> Callable[[int], None]:
    """Return what sets the exact number of threads until the end of the test."""
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


@pytest.fixture(scope="session", autouse=True)
def _labs_apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the labs of the tests from those of the user, who may be watching a training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Return Chromium, for the pages of the lab."""
    from lab_browser import chromium

    with chromium() as started:
        yield started


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return what runs a command in `tmp_path`, without a process of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run
