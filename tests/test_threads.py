"""How many threads there are, and that their number changes the time and nothing else."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from child import TRAIN, output, run
from gyaku import _core
from gyaku.threads import explained

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


V1 = "4:memory:/\n3:cpu,cpuacct:/outer/inner\n"
V2 = "0::/outer/inner\n"
CPU = "sys/fs/cgroup/cpu/"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"proc/self/cgroup": "garbage\n"}, None),
        ({"proc/self/cgroup": V2}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/outer/inner/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/outer/inner/cpu.max": "150000 100000\n"}, 2),
        (  # the least of the groups around it
            {
                "proc/self/cgroup": V2,
                "sys/fs/cgroup/outer/inner/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/outer/cpu.max": "300000 100000\n",
            },
            3,
        ),
        # A container may see itself as the root of the groups, under the path that its host sees.
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": V1,
                f"{CPU}outer/inner/cpu.cfs_quota_us": "250000\n",
                f"{CPU}outer/inner/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
        (
            {
                "proc/self/cgroup": V1,
                f"{CPU}outer/inner/cpu.cfs_quota_us": "-1\n",
                f"{CPU}outer/inner/cpu.cfs_period_us": "100000\n",
                f"{CPU}outer/cpu.cfs_quota_us": "50000\n",
                f"{CPU}outer/cpu.cfs_period_us": "50000\n",
            },
            1,
        ),
        (  # another controller's
            {"proc/self/cgroup": "2:cpuset:/\n", f"{CPU}cpu.cfs_quota_us": "50000\n"},
            None,
        ),
    ],
)
def test_the_quota_is_the_least_of_all_groups(
    files: dict[str, str], cores: int | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert _core.cgroup_quota(str(tmp_path)) == cores


def test_a_quota_that_changes_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    limit = tmp_path / "sys/fs/cgroup/cpu.max"
    limit.parent.mkdir(parents=True)
    for text, cores in (("max 100000", None), ("200000 100000", 2), ("100000 100000", 1)):
        limit.write_text(text)
        assert _core.cgroup_quota(str(tmp_path)) == cores


@pytest.mark.skipif(granted() < 2, reason="needs two CPUs to lose one")
def test_an_affinity_that_changes_is_read_again() -> None:
    printed = output(
        """
        import os, time
        import gyaku as gk
        print(gk.num_threads())
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        time.sleep(1.1)
        print(gk.num_threads())
        """,
        GYAKU_NUM_THREADS="2",
    )
    assert printed.split() == ["2", "1"]


@pytest.mark.parametrize(
    "variables", [{"OMP_PROC_BIND": "true"}, {"OMP_PLACES": "cores"}, {"OMP_PROC_BIND": "spread"}]
)
def test_a_binding_of_threads_does_not_reduce_them(variables: dict[str, str]) -> None:
    free = output(THREADS, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="")
    assert output(THREADS, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="", **variables) == free


def test_the_default_does_not_exceed_the_affinity() -> None:
    assert 1 <= int(output(THREADS, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="")) <= granted()


@pytest.mark.skipif(shutil.which("taskset") is None, reason="taskset is not installed")
def test_affinity_limits_the_threads() -> None:
    core = str(min(os.sched_getaffinity(0)))
    prefix = ("taskset", "-c", core)
    assert output(THREADS, prefix=prefix, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="") == "1"


def test_runnable_threads_are_counted() -> None:
    assert _core.cpu_info()["runnable_threads"] >= 1  # this one


@pytest.mark.parametrize("threads", ["1", "2", "5", "1024"])
def test_the_variable_sets_the_threads_up_to_the_cpus(threads: str) -> None:
    assert int(output(THREADS, GYAKU_NUM_THREADS=threads)) == min(int(threads), granted())


def test_gyaku_num_threads_goes_before_omp_num_threads() -> None:
    assert output(THREADS, GYAKU_NUM_THREADS="1", OMP_NUM_THREADS="2") == "1"
    assert output(THREADS, GYAKU_NUM_THREADS="", OMP_NUM_THREADS="1") == "1"


@pytest.mark.parametrize("text", ["zero", "0", "-2", "1.5", "99999999999999999999"])
def test_a_variable_that_is_no_count_is_one_sentence_at_import(text: str) -> None:
    done = run("import gyaku", GYAKU_NUM_THREADS=text)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "GYAKU_NUM_THREADS" in last
    assert text in last


def test_set_num_threads_sets_the_threads() -> None:
    gk.set_num_threads(1)
    assert gk.num_threads() == 1
    gk.set_num_threads(None)
    assert gk.num_threads() == _core.cpu_info()["default_threads"]


def test_more_threads_than_can_run_are_reduced_with_a_warning() -> None:
    most = _core.cpu_info()["most_threads"]
    with pytest.warns(UserWarning, match=f"{most + 1} threads are more .* {most} are used"):
        gk.set_num_threads(most + 1)
    assert gk.num_threads() == most


def test_an_exact_number_is_an_order() -> None:
    gk.set_num_threads(granted() + 1, exact=True)
    assert gk.num_threads() == granted() + 1
    with pytest.raises(ValueError, match="exact=True needs a number"):
        gk.set_num_threads(None, exact=True)
    with pytest.raises(
        TypeError, match="^set_num_threads: exact must be True or False, got 'yes'$"
    ):
        gk.set_num_threads(2, exact="yes")  # type: ignore[arg-type]


def test_an_order_of_far_too_many_threads_is_reduced_with_a_warning() -> None:
    most = max(16, 4 * _core.cpu_info()["most_threads"])
    gk.set_num_threads(most, exact=True)
    assert gk.num_threads() == most
    with pytest.warns(UserWarning, match=f"^set_num_threads: 1024 .* {most} are used$"):
        gk.set_num_threads(1024, exact=True)
    assert gk.num_threads() == most


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


def network() -> tuple[gk.Sequential, dict[str, Any]]:
    rng = np.random.default_rng(0)
    x = rng.random((512, 256), dtype=np.float32)
    data = {"x": x, "y": (10 * x[:, 0]).astype(np.int64), "loss": "softmax_cross_entropy"}
    return gk.Sequential(gk.Dense(256, "relu"), gk.Dense(10)), {**data, "batch_size": 100}


def test_a_team_that_changes_between_steps_changes_no_bit() -> None:
    class Changes(gk.Callback):
        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            gk.set_num_threads(1 + batch % 3, exact=True)

    weights = []
    for callbacks in ([], [Changes()]):
        gk.set_num_threads(1)
        model, data = network()
        model.fit(**data, epochs=3, callbacks=callbacks, verbose=0)
        weights.append(model.flat_params.tobytes())
    assert weights[0] == weights[1]


def test_a_training_that_chooses_its_team_gives_the_same_bits() -> None:
    weights = []
    for threads in (1, granted()):
        gk.set_num_threads(threads)
        model, data = network()
        model.fit(**data, epochs=60, verbose=0)
        weights.append(model.flat_params.tobytes())
    assert weights[0] == weights[1]


def team(**changes: Any) -> dict[str, Any]:
    found = {"threads": 2, "limit": 4, "exact": False, "shared": True, "seconds": {}}
    return {**found, **changes}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (team(threads=1, shared=False), "1 thread, since a step is too small for more"),
        (team(exact=True), "2 threads, by set_num_threads"),
        (team(threads=1, limit=1), "1 thread, the largest number allowed"),
        (team(), "2 threads; other numbers were not tried yet"),
        (
            team(seconds={1: 96e-6, 2: 51.26e-6, 4: 1.5e-3}),
            "2 threads, 51.3 µs a step; in trials 96 µs on 1 and 1.5 ms on 4",
        ),
    ],
)
def test_the_number_of_threads_is_explained(found: dict[str, Any], sentence: str) -> None:
    assert explained(found) == sentence


def test_fit_and_profile_say_how_many_threads_they_use(capsys: pytest.CaptureFixture[str]) -> None:
    model, data = network()
    gk.set_num_threads(1)
    model.fit(**data, verbose=2)
    assert capsys.readouterr().out.splitlines()[-1] == "1 thread, the largest number allowed"
    gk.set_num_threads(2, exact=True)
    model.fit(**data, verbose=2)
    assert capsys.readouterr().out.splitlines()[-1] == "2 threads, by set_num_threads"
    assert "2 threads, by set_num_threads" in str(model.profile(data["x"], data["y"], steps=2))


@pytest.mark.skipif(granted() < 2, reason="needs a second thread to compare")
def test_a_profile_tells_of_the_choice() -> None:
    model, data = network()
    text = str(model.profile(data["x"], data["y"], loss=data["loss"], steps=2))
    # On a busy machine, losses of the tests before may forbid another trial.
    compared = r", [\d.]+ [µm]s a step; in trials [\d.]+ [µm]s on [12]"
    assert re.search(rf"[12] threads?({compared}|; other numbers were not tried yet)", text)


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
    # A member on the caller's core cannot end while the caller waits for it: then the caller moves
    # to another one.
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
