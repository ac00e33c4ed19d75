"""How many threads there are, and that their number changes the time and nothing else."""

from __future__ import annotations

import os
import shutil

import pytest

import gyaku as gk
from child import TRAIN, output, run
from gyaku import _core

THREADS = "import gyaku._core as core; print(core.num_threads())"


def granted() -> int:
    """Return the cores that the affinity grants to this process."""
    return len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("max 100000", None),
        ("200000 100000\n", 2),
        ("200000 100000", 2),
        ("150000 100000\n", 2),  # a part of a core is a core
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("1 100000", 1),
        ("-1 100000", None),  # how the older files say that there is no quota
        ("0 100000", None),
        ("100000 0", None),
        ("100000", None),
        ("", None),
        ("garbage", None),
        ("12garbage 100000", None),
        ("99999999999999999999 100000", None),
    ],
)
def test_a_quota_is_read_from_cpu_max(text: str, cores: int | None) -> None:
    assert _core.parse_cpu_max(text) == cores


def test_the_default_does_not_exceed_the_affinity() -> None:
    assert 1 <= int(output(THREADS, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="")) <= granted()


@pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset is not installed")
def test_affinity_limits_the_threads() -> None:
    core = str(min(os.sched_getaffinity(0)))
    prefix = ("taskset", "-c", core)
    assert output(THREADS, prefix=prefix, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="") == "1"


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_the_variable_sets_the_threads(threads: str) -> None:
    assert output(THREADS, GYAKU_NUM_THREADS=threads) == threads


def test_gyaku_num_threads_goes_before_omp_num_threads() -> None:
    assert output(THREADS, GYAKU_NUM_THREADS="3", OMP_NUM_THREADS="1") == "3"
    assert output(THREADS, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="3") == "3"


@pytest.mark.parametrize("text", ["zero", "0", "-2", "1.5", "99999999999999999999"])
def test_a_variable_that_is_no_count_is_one_sentence_at_import(text: str) -> None:
    done = run("import gyaku", GYAKU_NUM_THREADS=text)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "GYAKU_NUM_THREADS" in last
    assert text in last


def test_set_num_threads_sets_the_threads() -> None:
    before = gk.num_threads()
    try:
        gk.set_num_threads(3)
        assert gk.num_threads() == 3
    finally:
        gk.set_num_threads(before)


@pytest.mark.parametrize("count", [0, -1, 10**6])
def test_set_num_threads_refuses_a_count_out_of_range(count: int) -> None:
    with pytest.raises(ValueError, match=str(count)):
        gk.set_num_threads(count)


@pytest.mark.parametrize("count", ["2", 1.5, True])
def test_set_num_threads_refuses_what_is_no_integer(count: object) -> None:
    with pytest.raises(TypeError):
        gk.set_num_threads(count)


@pytest.mark.parametrize("threads", ["2", "3", "8"])
def test_the_number_of_threads_changes_no_bit(threads: str) -> None:
    code = TRAIN + "print(train())"
    one = output(code, GYAKU_NUM_THREADS="1")
    assert output(code, timeout=60, GYAKU_NUM_THREADS=threads) == one


def test_more_threads_than_cores_do_not_collapse() -> None:
    code = TRAIN + "\nimport time\ntrain(); s = time.perf_counter()\nfor _ in range(5): train()\n"
    code += "print(time.perf_counter() - s)"
    # The best of several, because other processes may use the cores as well.
    times = [
        [float(output(code, GYAKU_NUM_THREADS=n)) for n in (str(granted()), str(4 * granted()))]
        for _ in range(3)
    ]
    fitting, crowded = (min(column) for column in zip(*times, strict=True))
    assert crowded < 3 * fitting


def test_idle_threads_sleep() -> None:
    used = output(
        TRAIN
        + """
import time
train()
start = time.process_time()
time.sleep(1)
print(time.process_time() - start)
"""
    )
    assert float(used) < 0.1


@pytest.mark.skipif(granted() < 2, reason="needs a second core to move to")
def test_a_caller_that_stepped_aside_may_go_back() -> None:
    # A member on the caller's core cannot begin while the caller waits for it in libgomp's barrier:
    # then the caller moves to another one.
    printed = output(
        """
        import os, time
        from pathlib import Path
        import numpy as np
        from gyaku import _core, ops

        _core.set_num_threads(2)
        a = np.ones((256, 256), np.float32)
        ops.matmul(a, a)
        everywhere, here = os.sched_getaffinity(0), {min(os.sched_getaffinity(0))}
        for thread in Path("/proc/self/task").iterdir():
            if int(thread.name) != os.getpid():
                os.sched_setaffinity(int(thread.name), here)
        for _ in range(20):
            time.sleep(0.02)
            os.sched_setaffinity(0, here)  # moves there
            os.sched_setaffinity(0, everywhere)  # and stays, but might go
            ops.matmul(a, a)
            if os.sched_getaffinity(0) != everywhere:
                print("not restored")
        """
    )
    assert not printed
