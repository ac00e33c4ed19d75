"""`import gyaku` is cheap and changes nothing in the process."""

from __future__ import annotations

import ast
import importlib
import json
import re
from pathlib import Path

import pytest

import gyaku
import gyaku as gk
from child import output
from gyaku.layers.base import LAYERS


def seconds_to_import(names: str) -> float:
    # Of the processor, because other processes may use it as well, and of this thread alone: while
    # modules load, those of NumPy's BLAS wait for work and use it, too.
    code = "import time; start = time.thread_time(); import {}; print(time.thread_time() - start)"
    return float(output(code.format(names), PYTHONDONTWRITEBYTECODE=""))


def test_import_costs_under_20_ms_beyond_numpy() -> None:
    seconds_to_import("numpy, gyaku")  # compiles the byte code, fills the page cache
    # Alternating, so that a machine that grows slower is slower for both; the least of several,
    # because what others do to caches and clock only adds to it.
    pairs = [(seconds_to_import("numpy"), seconds_to_import("numpy, gyaku")) for _ in range(9)]
    without, with_gyaku = (min(times) for times in zip(*pairs, strict=True))
    assert with_gyaku - without < 0.020


def test_parts_are_imported_when_they_are_asked_for() -> None:
    printed = output(
        """
        import sys
        import gyaku as gk
        print(sorted(name for name in sys.modules if name.startswith("gyaku")))
        print(gk.Dense is gk.layers.Dense, "Dense" in vars(gk), gk.optim.Adam is gk.Adam)
        """
    )
    assert printed.splitlines() == ["['gyaku', 'gyaku._core']", "True True True"]


def test_a_model_on_kernels_imports_no_equation() -> None:
    printed = output(
        """
        import sys
        import gyaku as gk
        import numpy as np
        layers = gk.Conv2D(4, 3, activation="relu"), gk.MaxPool2D(2), gk.Flatten(), gk.Dense(3)
        model = gk.Sequential(*layers)
        model.forward(np.ones((2, 8, 8, 1), np.float32))
        print([name for name in sys.modules if name.startswith("gyaku.reference")])
        """
    )
    assert printed.strip() == "[]"


def test_a_model_is_made_without_what_trains_it_and_trained_without_data_sets() -> None:
    printed = output(
        """
        import sys
        import gyaku as gk
        import numpy as np

        def loaded(*names):
            return [name for name in names if name in sys.modules]

        model = gk.Sequential(gk.Dense(3))
        print(loaded("gyaku.train.fit", "gyaku.losses", "gyaku.optim", "dataclasses"))
        model.fit(np.ones((4, 2)), np.zeros(4, int), loss="softmax_cross_entropy", verbose=0)
        print(loaded("gyaku.data", "numpy.ma", "dataclasses"))
        """
    )
    assert printed.splitlines() == ["[]", "[]"]


@pytest.mark.parametrize("name", ["fit", "evaluate", "predict"])
def test_help_shows_verbs_that_are_imported_late(name: str) -> None:
    printed = output(f"import gyaku as gk; help(gk.Sequential.{name}); help(gk.Model)")
    # From Python 3.13 on a parameter a line, from 3.14 on annotations without quotation marks.
    shown = rf"{name}\(\W*self: '?Trainee'?,\W*x: '?object'?"
    assert len(re.findall(shown, printed)) == 2
    assert printed.count("Raises") >= 4


def test_type_checkers_are_told_of_the_modules_that_there_are() -> None:
    tree = ast.parse(Path(gyaku.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules = {a.name for node in imports if node.module == "gyaku" for a in node.names}
    stars = {str(node.module) for node in imports if node.names[0].name == "*"}
    assert modules == set(gyaku._MODULES)
    assert stars == {f"gyaku.{name}" for name in gyaku._EXPORTED}


def test_a_name_is_exported_once() -> None:
    modules = [importlib.import_module(f"gyaku.{name}") for name in gyaku._EXPORTED]
    names = [name for module in modules for name in module.__all__]
    assert len(names) == len(set(names))
    assert set(gyaku.__all__) == {*names, *gyaku._MODULES, "__version__"} <= set(dir(gyaku))
    for path in Path(gyaku.layers.__path__[0]).glob("*.py"):
        stem = importlib.import_module(f"gyaku.layers.{path.stem}")
        layers = {n for n in stem.__all__ if n in LAYERS}
        assert layers <= set(gyaku.layers.__all__) <= set(gyaku.__all__)


def test_what_people_write_enters_no_table() -> None:
    class Dense(gk.Layer):
        pass

    class Adam(gk.Adam):
        pass

    Scale = type("Scale", (gk.Layer,), {"__module__": "gyaku.layers.dense"})
    assert LAYERS["Dense"] is gk.Dense is not Dense
    assert gk.optim.OPTIMIZERS["adam"] is gk.Adam is not Adam
    assert Scale not in LAYERS.values()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Dnse", ", did you mean 'Dense'?"),
        ("Conv2d", ", did you mean 'Conv2D'?"),
        ("Linear", ", did you mean 'Dense'?"),
        ("MaxPooling2D", ", did you mean 'MaxPool2D'?"),
        ("CrossEntropyLoss", ", did you mean 'losses.SoftmaxCrossEntropy'?"),
        ("CrossEntropy", "; there is gyaku.losses.CrossEntropy"),
        ("Constant", "; there is gyaku.init.Constant and gyaku.schedules.Constant"),
        ("nonsense", ""),
    ],
)
def test_a_name_that_there_is_not(name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(gk, name)
    assert str(caught.value) == f"module 'gyaku' has no attribute {name!r}{hint}"


@pytest.mark.parametrize(
    ("module", "name", "hint"),
    [
        ("layers", "Conv2d", ", did you mean 'Conv2D'?"),
        ("losses", "MSELoss", ", did you mean 'losses.MeanSquaredError'?"),
        ("losses", "CrossEntrpoy", ", did you mean 'CrossEntropy'?"),
        ("optim", "Adm", ", did you mean 'Adam'?"),
        ("metrics", "Acuracy", ", did you mean 'Accuracy'?"),
        ("init", "Xaver", ", did you mean 'Xavier'?"),
        ("schedules", "OneCylce", ", did you mean 'OneCycle'?"),
        ("callbacks", "EarlyStoping", ", did you mean 'EarlyStopping'?"),
        ("optim", "nonsense", ""),
    ],
)
def test_a_name_that_a_module_has_not(module: str, name: str, hint: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(getattr(gk, module), name)
    assert str(caught.value) == f"module 'gyaku.{module}' has no attribute {name!r}{hint}"


def test_import_loads_only_numpy() -> None:
    loaded = json.loads(
        output(
            """
            import gyaku, json, sys
            for name in gyaku.__all__:
                getattr(gyaku, name)
            print(json.dumps([module.split(".")[0] for module in sys.modules]))
            """
        )
    )
    late = {"tqdm", "matplotlib", "safetensors", "pooch", "argparse", "sklearn", "PIL", "requests"}
    late |= {"starlette", "uvicorn", "websockets"}
    assert late & set(loaded) == set()


def test_import_has_no_side_effects() -> None:
    before, after = json.loads(
        output(
            """
            import json, locale, os, signal, sys, threading, warnings
            import numpy as np

            def state():
                status = open("/proc/self/status").read().splitlines()
                return {
                    "environment": dict(os.environ),
                    "signals": [str(signal.getsignal(s)) for s in signal.valid_signals()],
                    "affinity": sorted(os.sched_getaffinity(0)),
                    "threads": [line for line in status if line.startswith("Threads")],
                    "warnings": [str(w) for w in warnings.filters],
                    "path": sys.path[:],
                    "locale": locale.setlocale(locale.LC_ALL),
                    "random": str(np.random.get_state()[1][:8]),
                    "errors": np.geterr(),
                    "folder": os.getcwd(),
                }

            before = state()
            import gyaku
            for name in gyaku.__all__:
                getattr(gyaku, name)
            print(json.dumps([before, state()]))
            """
        )
    )
    assert after == before


def test_subnormal_numbers_still_work_after_import_and_fit() -> None:
    printed = output(
        """
        import threading
        import numpy as np
        import gyaku as gk

        found = []
        def multiply():
            found.append(bool(np.float32(1e-40) * np.float32(1) != 0))

        multiply()
        model = gk.Sequential(gk.Dense(4), gk.Sigmoid(), gk.Dense(1))
        x = np.ones((64, 8), np.float32)
        model.fit(x, x[:, :1], loss="sum_squared_error", optimizer="sgd", verbose=False)
        gk.ops.relu(x)
        multiply()
        thread = threading.Thread(target=multiply)
        thread.start()
        thread.join()
        print(found)
        """
    )
    assert printed == "[True, True, True]"
