"""The search for hyperparameters: what is best is kept, what is bad is pruned, Ctrl-C ends it."""

from __future__ import annotations

import signal
import sys
import textwrap
import time
from typing import Any

import numpy as np
import optuna
import pytest

import gyaku as gk
from child import interruptible

optuna.logging.set_verbosity(optuna.logging.WARNING)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = (X @ [1, -2, 0.5, 0])[:, None].astype(np.float32)


def network(trial: Any) -> Any:
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    return gk.Sequential(gk.Dense(1)), {"optimizer": gk.SGD(rate)}


def tune(model_fn: Any = network, **options: Any) -> gk.Tuning:
    options = {"trials": 8, "loss": "mse", "epochs": 6, "batch_size": 16, **options}
    return gk.tune(model_fn, X, Y, **options)


def test_the_best_trial_is_found_again_by_its_parameters() -> None:
    found = tune(prune=False)
    values = [trial.value for trial in found.study.trials]
    assert len(values) == 8
    assert found.value == min(values) == min(found.history["val_loss"])
    assert found.params == found.study.best_params
    assert found.study.direction.name == "MINIMIZE"
    again = gk.Sequential(gk.Dense(1))
    again.fit(
        *(X, Y), loss="mse", optimizer=gk.SGD(found.params["rate"]), epochs=6, batch_size=16,
        validation_split=0.2, verbose=0,
    )  # fmt: skip
    assert again.flat_params.tobytes() == found.model.flat_params.tobytes()
    assert repr(found).startswith("Tuning(")
    assert found.study.user_attrs == {
        "optuna": optuna.__version__, "sampler": "TPESampler(seed=0)"
    }  # fmt: skip


def test_the_same_seed_gives_the_same_trials() -> None:
    def rates(seed: int) -> list[float]:
        return [trial.params["rate"] for trial in tune(trials=3, seed=seed).study.trials]

    assert rates(1) == rates(1) != rates(2)


def test_more_of_an_accuracy_is_better() -> None:
    def classifier(trial: Any) -> Any:
        rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
        return gk.Sequential(gk.Dense(2)), {"optimizer": gk.SGD(rate)}

    options: Any = {"loss": "softmax_cross_entropy", "metrics": "accuracy", "epochs": 3}
    found = gk.tune(
        classifier, X, (Y[:, 0] > 0).astype(int), trials=4, monitor="val_accuracy", **options
    )
    assert found.study.direction.name == "MAXIMIZE"
    assert found.value == max(found.history["val_accuracy"])


def test_bad_trials_are_pruned_and_diverging_ones_too() -> None:
    seen: list[int] = []

    def worse_and_worse(trial: Any) -> Any:
        rate = [0.1, 0.1, 0.1, 0.1, 0.1, 1e-9, 1e30][trial.number]
        return gk.Sequential(gk.Dense(1)), {
            "optimizer": gk.SGD(rate), "callbacks": lambda epoch, logs: seen.append(trial.number)
        }  # fmt: skip

    found = tune(worse_and_worse, trials=7)
    states = [trial.state.name for trial in found.study.trials]
    assert states == ["COMPLETE"] * 5 + ["PRUNED"] * 2
    assert seen.count(4) == 6 > seen.count(5) > 0
    with pytest.raises(ValueError, match="tune: none of 2 trials has finished an epoch"):
        tune(lambda trial: (gk.Sequential(gk.Dense(1)), {"optimizer": gk.SGD(1e30)}), trials=2)


def test_a_study_of_ones_own_goes_on() -> None:
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=3))
    tune(study=study, trials=2)
    assert len(tune(study=study, trials=2).study.trials) == 4
    with pytest.raises(ValueError, match="is to be maximised, but the study's direction is mini"):
        tune(study=study, mode="max")


def test_a_function_without_a_model_is_refused() -> None:
    with pytest.raises(TypeError, match="tune: model_fn must return a model, .* got NoneType"):
        tune(lambda trial: None)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"tune needs Optuna: pip install 'gyaku\[tune\]'"):
        tune()
    with pytest.raises(ValueError, match="tune: trials must be at least 1, got 0"):
        tune(trials=0)


def test_ctrl_c_ends_the_search_with_what_was_found() -> None:
    code = """
    import warnings
    import numpy as np
    import gyaku as gk

    warnings.simplefilter("ignore")
    x = np.ones((8, 2))

    def network(trial):
        print("trial", trial.number, flush=True)
        epochs = 2 if trial.number < 2 else 10**9
        return gk.Sequential(gk.Dense(1)), {"epochs": epochs}

    found = gk.tune(network, x, x[:, :1], trials=100, loss="mse", prune=False)
    print(len(found.study.trials), found.history.epochs)
    """
    with interruptible([sys.executable, "-c", textwrap.dedent(code)]) as process:
        assert process.stdout
        for number in range(3):
            assert process.stdout.readline() == f"trial {number}\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        trials, epochs = process.stdout.readline().split()
    assert trials == "3"
    assert int(epochs) > 2
