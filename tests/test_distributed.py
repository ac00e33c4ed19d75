"""Training by several processes: the results of one, whatever happens to any of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from safetensors.numpy import load_file

import gyaku as gk

pytest.importorskip("mpi4py", reason="mpi4py is not installed")
# That of this environment, whose library mpi4py loads.
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent))
if MPIEXEC is None:
    pytest.skip("there is no mpiexec beside Python", allow_module_level=True)
WORKER = Path(__file__).parent / "distributed_worker.py"
FAILURES = WORKER.with_name("distributed_failures.py")
SECONDS = 120.0

Answers = dict[str, Any]


def environment() -> dict[str, str]:
    # A job of one MPI inside another's would be refused.
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("PMI", "OMPI"))}
    paths = [str(Path(gk.__file__).parent.parent), kept.get("PYTHONPATH", "")]
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def job(processes: int, *arguments: object) -> list[str]:
    assert MPIEXEC is not None
    start = [MPIEXEC, "-n", str(processes)] if processes > 1 else []
    return [*start, sys.executable, *map(str, arguments)]


def run(processes: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        job(processes, *arguments),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def answers(processes: int, *arguments: object) -> Answers:
    ended = run(processes, WORKER, *arguments)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: Answers = json.loads(ended.stdout.rpartition("ANSWERS")[2])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("distributed")


@pytest.fixture(scope="module")
def jobs(folder: Path) -> dict[int, Answers]:
    """What jobs of one, two and four processes give."""
    return {processes: answers(processes, folder) for processes in (1, 2, 4)}


@pytest.mark.parametrize("processes", [2, 4])
def test_in_reproducible_mode_processes_give_the_bits_of_one(
    jobs: dict[int, Answers], processes: int
) -> None:
    # Convolution, batch normalisation, dropout and augmentation.
    one, several = jobs[1]["reproducible"], jobs[processes]["reproducible"]
    assert several["hash"] == one["hash"]
    for name, values in one["columns"].items():
        assert_allclose(several["columns"][name], values, rtol=1e-6, err_msg=name)


ALIKE = ["alike", "fewer_samples_than_processes", "fewer_samples_than_processes_in_all"]
ALIKE += ["full_batch", "weights", "lengths", "sum_of_squares", "quasi_newton", "shared_layer"]
ALIKE += ["memory_map", "global_statistics", "own_batches", "two_machines"]
COMMON = ["common_parameters", "common_momentum", "frozen", "stopped_at_the_best"]
BY_SUMS = ["several_sums", "norm_of_all", "own_update"]
ALIKE += [*COMMON, *BY_SUMS, "own_files", "sums_within_tasks"]


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("name", ALIKE)
def test_processes_train_as_one_with_their_batches_together(
    jobs: dict[int, Answers], name: str, processes: int
) -> None:
    one, several = jobs[1][name], jobs[processes][name]
    assert len(one["params"]) > 10
    assert_allclose(several["params"], one["params"], rtol=1e-8, atol=1e-12)
    assert several["columns"].keys() == one["columns"].keys()
    for column, values in one["columns"].items():
        assert_allclose(several["columns"][column], values, rtol=1e-8, err_msg=column)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_of_a_machine_share_out_updates_by_element(
    jobs: dict[int, Answers], processes: int
) -> None:
    found = jobs[processes]
    for name in COMMON:
        assert found[name]["tasks"].count("meet_ranks") == 2, name
        assert "all_reduce" not in found[name]["tasks"], name
    for name in BY_SUMS:
        assert "meet_ranks" not in found[name]["tasks"], name
        assert "all_reduce" in found[name]["tasks"], name
    for name in {*COMMON, *BY_SUMS, "two_machines"} - {"frozen"}:
        assert found[name]["alike"], name


def test_processes_of_a_machine_meet_before_they_send(jobs: dict[int, Answers]) -> None:
    tasks = jobs[4]["two_machines"]["tasks"]
    last_product = max(i for i, name in enumerate(tasks) if "matmul" in name)
    sums = [i for i, name in enumerate(tasks) if name == "sum_ranks"]
    assert tasks.count("all_reduce") == len(sums) > 2
    assert tasks.count("meet_ranks") == len(sums) + 1
    assert sums[0] < last_product < tasks.index("all_reduce_wait")
    assert "meet_ranks" not in jobs[2]["two_machines"]["tasks"]  # one of each machine


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_with_more_samples_train_as_long(
    jobs: dict[int, Answers], processes: int
) -> None:
    found = jobs[processes]["uneven_files"]
    assert found["alike"]
    steps = 60 // (24 // processes)
    assert found["clock"] == processes * 3 * steps


@pytest.mark.parametrize("processes", [2, 4])
def test_ranges_are_updated_as_their_sums_arrive(jobs: dict[int, Answers], processes: int) -> None:
    tasks = [name for name in jobs[processes]["several_sums"]["tasks"] if name != "split"]
    waits = [i for i, name in enumerate(tasks) if name == "all_reduce_wait"]
    updates = [i for i, name in enumerate(tasks) if name == "adam"]
    assert len(waits) > 4
    assert waits[0] < updates[0] < waits[1] < waits[-1] < updates[-1]


def test_a_job_of_one_process_is_a_plain_training(jobs: dict[int, Answers]) -> None:
    sys.path.insert(0, str(WORKER.parent))
    try:
        from distributed_models import fitted, mlp, rows
    finally:
        sys.path.pop(0)
    given = {"loss": "mse", "epochs": 3, "metrics": ["mae", "r2"], "validation_split": 0.2}
    assert fitted(mlp(), *rows(), ranks=None, **given) == jobs[1]["alike"]


@pytest.mark.parametrize("processes", [2, 4])
def test_callbacks_run_on_the_first_process_and_act_on_all(
    jobs: dict[int, Answers], processes: int
) -> None:
    found = jobs[processes]["callbacks"]
    assert found["seen"] == [[0, 1, 2], *[[]] * (processes - 1)]  # EarlyStopping's patience
    assert found["stopped"] == jobs[1]["callbacks"]["stopped"] != None  # noqa: E711
    assert len({json.dumps(each) for each in found["everywhere"]}) == 1
    assert len({*found["rates"]}) == 1
    assert found["rates"][0] == jobs[1]["callbacks"]["rates"][0] < 1e-3


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_job_goes_on_from_a_checkpoint_of_another_size(
    jobs: dict[int, Answers], folder: Path, processes: int
) -> None:
    resumed = answers(processes, folder, "resumed")
    assert sorted(resumed) == [f"from-{size}.safetensors" for size in jobs]
    unbroken = jobs[1]["unbroken"]
    for name, each in resumed.items():
        assert each["hash"] == unbroken["hash"], name
        for column, values in unbroken["columns"].items():
            assert_allclose(each["columns"][column], values, rtol=1e-12, err_msg=column)


@pytest.mark.parametrize("processes", [2, 4])
def test_mistakes_are_answered_by_all_processes(jobs: dict[int, Answers], processes: int) -> None:
    found = jobs[processes]["mistakes"]
    said = found["said"]
    assert "batch_size that is 2 times as large" in said["accumulate"]
    assert (
        "the processes differ in number of samples: 100 on rank 0, 99 on rank 1"
        in said["other data"]
    )
    assert "the processes differ in batch size" in said["other batch"]
    assert "rank 1 has other samples than rank 0" in said["other samples"]
    assert "differ in epochs: 2 on rank 0, 3 on rank 1" in said["other epochs"]
    assert "differ in optimizer: SGD(learning_rate=0.5) on rank 0, SGD(" in said["other optimizer"]
    assert "differ in validation samples: 100 on rank 0, 99" in said["other validation"]
    assert "differ in layer 1: Dense(1, name='dense_2') on rank 0," in said["other layer"]
    assert "differ in step of the checkpoint: 2 on rank 0, None" in said["other place"]
    assert "differ in shared memory: True on rank 0, False" in said["other processes"]
    assert "distributed is not for" in said["generator"]
    assert "arrays in memory, or memory maps; or each process an iterable" in said["generator"]
    assert "which weights and lengths of samples would change" in said["weights of own"]
    assert "give all processes the same validation_data" in said["split of own"]
    assert f"each of the {processes} processes needs a file at least, got 1" in said["few files"]
    assert "distributed must be a gyaku.distributed.MPI() or None, got 'mpi'" in said["kind"]
    assert "not finite" in said["not finite"]
    assert "the processes train together" in said["not finite"]
    assert all(each == said for each in found["all"])


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_a_rate_is_scaled_with_a_warm_up(jobs: dict[int, Answers], processes: int) -> None:
    found = jobs[processes]["schedule"]
    first, last = 0.1, 0.1 * processes
    assert_allclose(found["rates"], [first, (first + last) / 2, last, last])


def test_processes_share_the_threads_of_a_machine(jobs: dict[int, Answers]) -> None:
    cpus = len(os.sched_getaffinity(0))
    for processes, found in jobs.items():
        assert found["schedule"]["threads"] <= max(1, cpus // processes)


@pytest.mark.parametrize("processes", [2, 4])
def test_sums_begin_before_the_backward_pass_ends(jobs: dict[int, Answers], processes: int) -> None:
    tasks = jobs[processes]["overlap"]["tasks"]
    last_product = max(i for i, name in enumerate(tasks) if "matmul" in name)
    assert tasks.count("all_reduce") == tasks.count("all_reduce_wait") > 4
    assert tasks.index("all_reduce") < last_product < tasks.index("all_reduce_wait")


def test_a_process_that_fails_ends_the_job_with_its_error(tmp_path: Path) -> None:
    start = time.monotonic()
    ended = run(2, FAILURES, tmp_path, "fails")
    assert ended.returncode != 0
    assert "the disk of rank 1 is gone" in ended.stderr
    assert "rank 1 of 2" in ended.stderr
    assert time.monotonic() - start < SECONDS / 2
    assert load_file(tmp_path / "last.safetensors")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fails_in_a_callback", "the callback of rank 0 divides by zero"),
        ("fails_before", "in red: the data of rank 1 are gone"),
        ("leaves", "rank 1 of 2 has ended, and the others wait for it"),
    ],
)
def test_an_error_ends_the_job_wherever_it_is_handled(tmp_path: Path, name: str, said: str) -> None:
    ended = run(2, FAILURES, tmp_path, name)
    assert ended.returncode != 0
    assert said in ended.stderr


def test_a_signal_for_one_process_is_one_for_all(tmp_path: Path) -> None:
    ended = run(2, FAILURES, tmp_path, "told_to_end")
    assert ended.returncode != 0
    assert gk.load(tmp_path / "told.safetensors").epochs_begun >= 3


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS / 2
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_job_of_which_a_process_is_killed_ends_within_five_seconds(tmp_path: Path) -> None:
    started = subprocess.Popen(
        job(2, FAILURES, tmp_path, "waits"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until((tmp_path / "last.safetensors").exists)
        victim = tmp_path / "pid-1"
        os.kill(int(victim.read_text()), signal.SIGKILL)
        output, _ = started.communicate(timeout=5)
    finally:
        started.kill()
    assert started.returncode != 0
    assert "BAD TERMINATION" in output
    assert gk.load(tmp_path / "last.safetensors").built


def test_the_command_line_trains_by_several(tmp_path: Path) -> None:
    given = ["-m", "gyaku", "train", "--distributed", "--reproducible", "--epochs", "2"]
    files = []
    for processes in (1, 2):
        path = tmp_path / f"{processes}.safetensors"
        each = ["--output", path, "--batch-size", 64 // processes, "--no-curve"]
        ended = run(processes, *given, *each)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.count("test accuracy") == 1
        files.append(gk.load(path).flat_params)
    assert np.array_equal(*files)


@pytest.mark.parametrize(
    ("processes", "given", "said"),
    [
        (1, ["--distributed"], "--distributed needs several processes: mpiexec -n 2 gyaku train"),
        (1, ["--reproducible"], "--reproducible is for --distributed"),
        (2, ["--distributed", "no.csv"], "cannot read no.csv: no such file or directory"),
    ],
)
def test_a_mistake_at_the_command_line_is_one_sentence(
    processes: int, given: list[str], said: str
) -> None:
    ended = run(processes, "-m", "gyaku", "train", *given)
    assert ended.returncode != 0
    assert ended.stderr.count(said) == 1
    assert "Traceback" not in ended.stderr


def test_info_tells_what_each_process_got() -> None:
    told = run(2, "-m", "gyaku", "info", "--no-measure").stdout
    assert told.count("instruction set") == 1
    assert "rank 0 of 2:" in told
    assert "rank 1 of 2:" in told


def test_the_launcher_of_another_mpi_is_named() -> None:
    script = "import gyaku as gk; gk.distributed.MPI()"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env=environment() | {"OMPI_COMM_WORLD_SIZE": "4"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert "the launcher, of Open MPI, started 4 processes" in ended.stderr
    assert "rank 0 of 1" in ended.stderr
