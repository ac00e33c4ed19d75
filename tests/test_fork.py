"""Life with fork."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from child import TRAIN, output

needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="the system cannot fork"
)
TWO = {"GYAKU_NUM_THREADS": "2"}


@pytest.fixture(scope="module")
def expected() -> str:
    """Return what the training gives in a process that does nothing else."""
    return output(TRAIN + "print(train())", **TWO)


@needs_fork
def test_a_forked_child_trains_to_the_same_bits(expected: str) -> None:
    code = """
import os, sys
first = train()
sys.stdout.flush()
child = os.fork()
if child == 0:
    print(train(), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(first, train())
"""
    assert output(TRAIN + code, timeout=20, **TWO).split() == [expected] * 3


@needs_fork
def test_a_child_forked_while_another_thread_trains_does_too(expected: str) -> None:
    code = """
import os, threading
train()  # what Python itself imports late must not be half imported when it forks
stop = threading.Event()
def forever():
    while not stop.is_set():
        train()
thread = threading.Thread(target=forever)
thread.start()
for _ in range(5):
    child = os.fork()
    if child == 0:
        os._exit(0 if train() == EXPECTED else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
thread.join()
print("done")
""".replace("EXPECTED", repr(expected))
    assert output(TRAIN + code, timeout=40, **TWO, PYTHONWARNINGS="ignore") == "done"


@needs_fork
def test_a_child_forked_in_the_middle_of_training_goes_on_to_the_same_bits(expected: str) -> None:
    code = """
import os
class Fork(gk.Callback):
    child = None
    def on_epoch_end(self, epoch, logs):
        if self.child is None:
            self.child = os.fork()
fork = Fork()
result = train(fork)
if fork.child == 0:
    print(result, flush=True)
    os._exit(0)
assert os.waitpid(fork.child, 0)[1] == 0
print(result)
"""
    found = output(TRAIN + code, timeout=40, **TWO, PYTHONWARNINGS="ignore")
    assert found.split() == [expected] * 2


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_multiprocessing_trains_in_its_workers(method: str, expected: str, tmp_path: Path) -> None:
    script = tmp_path / "workers.py"  # a file, because workers import the main module by its path
    main = f"""
if __name__ == "__main__":
    import multiprocessing
    train()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(*[pool.apply(train) for _ in range(2)])
"""
    script.write_text(TRAIN + main)
    code = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, {str(script)!r}]))"
    assert output(code, timeout=20, **TWO).split() == [expected] * 2


# Another OpenMP in the process, in the place of that of gcc: LLVM's, wherever there is one.
RUNTIMES = [*map(str, sorted(Path("/usr/lib").glob("llvm-*/lib/libomp.so*")))]


@needs_fork
@pytest.mark.parametrize("preloaded", ["", *RUNTIMES])
def test_a_child_trains_whichever_openmp_is_loaded(preloaded: str, expected: str) -> None:
    code = """
import os
train()
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if train() == EXPECTED else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print(train())
""".replace("EXPECTED", repr(expected))
    found = output(TRAIN + code, timeout=40, LD_PRELOAD=preloaded, **TWO)
    assert found.split() == [expected] * 3


@needs_fork
def test_threads_live_on_in_the_parent_and_not_in_the_child() -> None:
    code = """
import os
def threads():
    return set(os.listdir("/proc/self/task"))
train()
before = threads()
child = os.fork()
if child == 0:
    alone = len(threads())
    train()
    os._exit(10 * alone + len(threads()))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 12
train()
print(len(before), before == threads())
"""
    assert output(TRAIN + code, timeout=40, OPENBLAS_NUM_THREADS="1", **TWO) == "2 True"


@needs_fork
def test_a_child_has_a_team_though_another_thread_had_it() -> None:
    code = """
import os, threading, time
import numpy as np
from gyaku import _core, ops
_core.set_num_threads(2)
x = np.ones((600, 600), np.float32)
program = _core.Program()
program.begin()
ops.matmul(x, x)
program.end()
thread = threading.Thread(target=_core.replay, args=([(program, 200)],))
thread.start()
time.sleep(0.1)
child = os.fork()
if child == 0:
    ops.matmul(x, x)
    os._exit(len(os.listdir("/proc/self/task")))
print(thread.is_alive(), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
thread.join()
"""
    assert output(code, timeout=40, **TWO, PYTHONWARNINGS="ignore") == "True 2"


def test_loky_trains_in_its_workers_beside_scikit_learn(expected: str, tmp_path: Path) -> None:
    script = tmp_path / "workers.py"
    main = """
def beside(seed):
    from sklearn.ensemble import HistGradientBoostingClassifier
    x = np.random.default_rng(seed).random((200, 5))
    HistGradientBoostingClassifier(max_iter=3).fit(x, x[:, 0] > 0.5)
    return train()

if __name__ == "__main__":
    from joblib import Parallel, delayed
    beside(0)
    print(*Parallel(n_jobs=2, backend="loky")(delayed(beside)(seed) for seed in range(2)))
"""
    script.write_text(TRAIN + main)
    code = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, {str(script)!r}]))"
    assert output(code, timeout=60, **TWO).split() == [expected] * 2
