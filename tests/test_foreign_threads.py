"""Life beside other people's threads: Python's, NumPy's, another OpenMP region, or none at all."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from child import TRAIN, output, run

TWO = {"GYAKU_NUM_THREADS": "2"}


@pytest.fixture(scope="module")
def expected() -> str:
    """Return what the training gives in a process that does nothing else."""
    return output(TRAIN + "print(train())", **TWO)


AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
import threading
stop = threading.Event()
def meanwhile(work):
    def forever():
        while not stop.is_set():
            work()
    thread = threading.Thread(target=forever)
    thread.start()
    return thread
def at_once(count):
    with ThreadPoolExecutor(count) as pool:
        results = [pool.submit(train) for _ in range(count)]
    return [result.result() for result in results]
"""


@pytest.mark.parametrize("threads", ["2", "3"])
def test_python_threads_that_train_at_once_get_the_same_bits(threads: str, expected: str) -> None:
    code = TRAIN + AT_ONCE + "print(*at_once(4), *at_once(2))"
    assert output(code, GYAKU_NUM_THREADS=threads).split() == [expected] * 6


def test_a_thread_may_change_the_number_of_threads_while_others_train(expected: str) -> None:
    code = """
counts = iter([1, 2, 3, 4] * 10**6)
changing = meanwhile(lambda: gk.set_num_threads(next(counts), exact=True))
print(*at_once(3))
stop.set()
changing.join()
"""
    assert output(TRAIN + AT_ONCE + code, **TWO).split() == [expected] * 3


def test_the_threads_of_numpy_disturb_nobody(expected: str) -> None:
    code = """
x = np.random.default_rng(1).random((300, 300))
first = (x @ x).tobytes()
def multiply():
    assert (x @ x).tobytes() == first
threads = [meanwhile(multiply) for _ in range(2)]
print(*at_once(2), all(thread.is_alive() for thread in threads))
stop.set()
for thread in threads:
    thread.join()
"""
    found = output(TRAIN + AT_ONCE + code, OPENBLAS_NUM_THREADS="2", **TWO)
    assert found.split() == [expected] * 2 + ["True"]


@pytest.mark.skipif(not importlib.util.find_spec("sklearn"), reason="no scikit-learn")
@pytest.mark.parametrize("order", ["gyaku first", "sklearn first"])
def test_the_openmp_of_scikit_learn_disturbs_nobody(order: str, expected: str) -> None:
    code = """
from sklearn.ensemble import HistGradientBoostingClassifier
x = np.random.default_rng(1).random((200, 5))
def boost():
    HistGradientBoostingClassifier(max_iter=3).fit(x, x[:, 0] > 0.5)
boost()
thread = meanwhile(boost)
print(*at_once(2), train(), thread.is_alive())
stop.set()
thread.join()
"""
    # Whose OpenMP is loaded first counts.
    before = "import gyaku._core\n" if order == "gyaku first" else "import sklearn.ensemble\n"
    environment = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    found = output(before + TRAIN + AT_ONCE + code, **environment)
    assert found.split() == [expected] * 3 + ["True"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this OpenMP is that of gcc")
def test_a_call_from_within_a_parallel_region_gives_the_same_bits(expected: str) -> None:
    # As a library does that hands its work to its own OpenMP threads and calls Python from there.
    code = """
import ctypes
try:
    openmp = ctypes.CDLL("libgomp.so.1")
except OSError:
    openmp = None
found = [train()]
@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def region(_):
    found.append(train())
if openmp is None:
    found *= 4
else:
    openmp.GOMP_parallel(region, None, ctypes.c_uint(3), ctypes.c_uint(0))
print(*found, train())
"""
    assert output(TRAIN + code, **TWO).split() == [expected] * 5


def test_threads_that_are_gone_leave_none_behind() -> None:
    # A thread that was joined may still be ending, and while one ends the folder may lack others.
    code = """
import os, threading, time
def one():
    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    while os.path.exists(f"/proc/self/task/{thread.native_id}"):
        time.sleep(0.001)
    return len(os.listdir("/proc/self/task"))
print(*[one() for _ in range(6)])
"""
    first, *later = output(TRAIN + code, GYAKU_NUM_THREADS="3").split()
    assert later == [first] * 5


def test_the_library_brings_no_openmp() -> None:
    code = TRAIN + "train(); print('libgomp' in open('/proc/self/maps').read())"
    assert output(code, **TWO) == "False"


# A limit on processes counts threads. It binds nobody who is root: so the process becomes another.
LIMITED = """
import os, resource
gk.set_num_threads(1)
train()  # imports what is imported late, which another user may not be allowed to read
gk.set_num_threads(4, exact=True)
if os.geteuid() == 0:
    os.setuid(54321)
resource.setrlimit(resource.RLIMIT_NPROC, (ALLOWED, ALLOWED))
import threading
def threads():
    return len(os.listdir("/proc/self/task"))
def check():
    try:
        threading.Thread(target=print).start()
        print("not limited")
    except RuntimeError:
        print("limited", flush=True)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this limit is that of Linux")
@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_where_threads_are_refused_a_smaller_team_gives_the_same_bits(
    allowed: int, expected: str
) -> None:
    code = LIMITED.replace("ALLOWED", str(allowed)) + "print(train(), threads())\ncheck()"
    done = run(TRAIN + code, OPENBLAS_NUM_THREADS="1")
    assert (done.returncode, done.stdout.split()) == (0, [expected, str(allowed), "limited"])
    count = f"{allowed} thread{'s' if allowed > 1 else ''}"
    text = f"limit on processes or memory may be reached; gyaku works on {count}"
    assert done.stderr.count("RuntimeWarning") == done.stderr.count(text) >= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="this limit is that of Linux")
def test_where_memory_for_threads_is_refused_the_work_is_done(expected: str) -> None:
    code = """
import resource, warnings
warnings.simplefilter("error")
gk.set_num_threads(1)
train()
gk.set_num_threads(16, exact=True)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**22, used + 2**22))
try:
    print(train())
except RuntimeWarning as warning:
    print(str(warning).split(", ")[0])
"""
    done = run(TRAIN + code, OPENBLAS_NUM_THREADS="1")
    assert (done.returncode, done.stdout) == (0, "the system refuses to create a thread\n")


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.05])
@pytest.mark.parametrize("between", ["gk.ReLU()", "Square()"], ids=["native", "own-layer"])
def test_the_exit_of_the_program_while_a_daemon_thread_trains(between: str, delay: float) -> None:
    code = f"""
import sys, threading, time
import numpy as np
import gyaku as gk

class Square(gk.Layer):
    def forward(self, x, training=False):
        self.x = x
        return x * x
    def backward(self, dy):
        return 2 * self.x * dy

x = np.random.default_rng(0).normal(size=(2000, 784)).astype("f4")
y = np.arange(2000) % 10
begun = threading.Event()
def train():
    model = gk.Sequential(gk.Dense(64), {between}, gk.Dense(10))
    model.fit(x, y, loss="softmax_cross_entropy", optimizer=gk.SGD(1e-9), epochs=100_000,
              batch_size=500, callbacks=lambda epoch, logs: begun.set(), verbose=0)
threading.Thread(target=train, daemon=True).start()
begun.wait()
time.sleep({delay})
sys.exit(3)
"""
    done = run(code)
    assert (done.returncode, done.stderr) == (3, "")
