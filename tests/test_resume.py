"""A training that is killed and resumed has the bits of one that was not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resume_cases import RNG, Kill, Killed, X, Y, bits, network, train

import gyaku as gk
from child import output
from gyaku.schedules import InverseTime, OneCycle


class Steps(gk.Callback):
    """The steps of a training."""

    def on_train_begin(self):
        self.begin = self.training.step

    def on_train_end(self):
        self.end = self.training.step


class Own(gk.Optimizer):
    state_names = ("past",)

    def update(self, params: Any, grads: Any) -> None:
        self.state["past"] *= 0.9
        self.state["past"] += grads
        params -= self.rate * self.state["past"]


class Cycle(gk.Callback):
    """A schedule of the rest of the training, set in its middle."""

    def on_epoch_end(self, epoch, logs):
        if epoch == 0:
            self.model.optimizer.learning_rate = OneCycle(0.3)


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "adam": dict,
    "one cycle": lambda: {"optimizer": gk.SGD(OneCycle(0.3))},
    "momentum": lambda: {"optimizer": gk.Momentum(InverseTime(0.1, 3))},
    "an optimizer of one's own": lambda: {"optimizer": Own(0.01)},
    "a schedule of one's own": lambda: {"optimizer": gk.SGD(lambda steps: 0.1 / (1 + steps))},
    "lbfgs": lambda: {"optimizer": gk.LBFGS(), "batch_size": None},
    "a cycle set in between": lambda: {"optimizer": gk.SGD(0.5), "callbacks": [Cycle()]},
    "accumulated": lambda: {"accumulate": 2, "clip_norm": 0.5, "batch_size": 4},
    "accumulated in a cycle": lambda: {"accumulate": 3, "optimizer": gk.SGD(OneCycle(0.3))},
    "a later epoch": lambda: {"initial_epoch": 2, "epochs": 6, "metrics": "accuracy"},
    "epochs of some steps": lambda: {"steps_per_epoch": 3, "metrics": ["accuracy", "auc"]},
    "all of these": lambda: {
        "accumulate": 2,
        "initial_epoch": 1,
        "steps_per_epoch": 7,
        "optimizer": gk.SGD(OneCycle(0.3)),
        "validation_split": 0.3,
        "callbacks": [gk.EarlyStopping(patience=1), gk.EMA(0.8)],
    },
    "weights": lambda: {
        "class_weight": {0: 2, 2: 0.5},
        "sample_weight": np.arange(22) % 4,
        "batch_size": 6,
        "metrics": ["accuracy", "auc"],
        "accumulate": 2,
    },
    "a sum": lambda: {"loss": gk.losses.SoftmaxCrossEntropy(reduction="sum")},
    "metrics": lambda: {"metrics": ["accuracy", "auc", "f1"]},
    "validation": lambda: {"validation_split": 0.3, "validation_freq": 2},
    "averages": lambda: {"callbacks": [gk.EMA(0.8), gk.SWA(start=1)]},
    "the best": lambda: {"callbacks": [gk.EarlyStopping("loss", patience=1, min_delta=0.02)]},
    "the best of single steps": lambda: {
        "optimizer": gk.SGD(3.0),
        "batch_size": None,
        "callbacks": [gk.EarlyStopping("loss", patience=3)],
    },
    "plateau": lambda: {
        "optimizer": gk.SGD(0.1),
        "callbacks": [gk.ReduceLROnPlateau("loss", patience=1, min_delta=1.0)],
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 1])
def test_a_training_resumes_at_any_step(case: str, share: float, tmp_path: Path) -> None:
    def run(*more: Any, **extra: Any) -> Any:
        options = CASES[case]()
        callbacks = [*options.pop("callbacks", ()), *more]
        model, history = train(callbacks=callbacks, **options, **extra)
        return bits(model, history)

    steps, path = Steps(), tmp_path / "checkpoint.safetensors"
    expected = run(steps)
    with pytest.raises(Killed):
        run(Kill(path, steps.begin + max(1, int(share * (steps.end - steps.begin)))))
    assert run(resume=path) == expected


def frozen() -> gk.Sequential:
    model = network(dtype="float64")
    model.layers[0].trainable = False
    return model


def graph() -> gk.Model:
    x = gk.Input((4,))
    first, second = gk.Dense(3, name="a")(x), gk.Dense(3, name="b")(gk.Dropout(0.2)(x))
    return gk.Model(x, (first, second))


@pytest.mark.parametrize("kind", ["images", "frozen", "graph", "reference"])
def test_any_network_resumes(kind: str, tmp_path: Path) -> None:
    x: Any = X
    y: Any = (Y, Y) if kind == "graph" else Y
    options: dict[str, Any] = {"metrics": "accuracy"}
    if kind == "images":
        x = RNG.integers(0, 256, (22, 6, 6, 1), np.uint8)
        options["augment"] = gk.data.Augment(1, flip=True)
    if kind == "reference":
        gk.use_backend("reference")

    def run(*callbacks: Any, **more: Any) -> Any:
        model: Any = {"frozen": frozen, "graph": graph}.get(kind, network)()
        if kind == "images":
            model = gk.Sequential(gk.Rescaling(1 / 255), gk.Conv2D(2, 3), gk.Flatten(), *model)
        history = model.fit(
            *(x, y), loss="softmax_cross_entropy", epochs=3, batch_size=5, callbacks=callbacks,
            verbose=0, **options, **more,
        )  # fmt: skip
        return bits(model, history)

    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        run(Kill(path, 7))
    assert run(resume=path) == run()


def test_a_training_resumes_behind_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    model, _ = train(epochs=3)
    expected = bits(*train(model))
    model, _ = train(epochs=3)
    with pytest.raises(Killed):
        train(model, Kill(path, 10))
    assert bits(*train(resume=path)) == expected


def test_the_model_of_a_checkpoint_may_resume_it(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        train(callbacks=Kill(path, 7), seed=3)
    expected = bits(*train(seed=3))
    assert bits(*train(gk.load(path), resume=path, seed=3)) == expected
    assert bits(*train(resume=path, seed=None)) == expected  # the seed of the checkpoint


def test_a_resumed_training_shows_its_progress(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        train(callbacks=Kill(path, 7))
    train(resume=path, verbose=2)
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[:3]] == [
        "2/4", "3/4", "4/4"
    ]  # fmt: skip
    train(resume=path, verbose=1)
    assert "epoch 4/4: 100%" in capsys.readouterr().err


def test_sequences_resume_with_lengths_and_carried_states(tmp_path: Path) -> None:
    x, y = RNG.normal(size=(16, 6, 2)), np.arange(16 * 6).reshape(16, 6) % 2
    lengths = np.arange(16) % 6 + 1

    def run(stateful: bool, *callbacks: Any, **options: Any) -> Any:
        model = gk.Sequential(
            gk.LSTM(3, return_sequences=True, stateful=stateful), gk.Dense(2), name="net"
        )
        given = {"shuffle": False} if stateful else {"lengths": lengths, "by_length": True}
        history = model.fit(
            *(x, y), loss="softmax_cross_entropy", metrics="accuracy", epochs=3, batch_size=4,
            callbacks=callbacks, verbose=0, **given, **options,
        )  # fmt: skip
        return bits(model, history)

    for stateful in (True, False):
        path = tmp_path / f"{stateful}.safetensors"
        with pytest.raises(Killed):
            run(stateful, Kill(path, 6))
        assert run(stateful, resume=path) == run(stateful)


class Count(gk.Callback):
    """A callback of a user with a state of its own."""

    def __init__(self):
        self.seen = np.zeros(2)

    def on_epoch_end(self, epoch, logs):
        self.seen += [1, epoch]

    def state_dict(self):
        return {"seen": self.seen, "more": [1, None, {"a": "b"}]}

    def load_state_dict(self, state):
        assert state["more"] == [1, None, {"a": "b"}]
        self.seen = state["seen"]


def test_callbacks_of_users_have_states(tmp_path: Path) -> None:
    path, count = tmp_path / "checkpoint.safetensors", Count()
    with pytest.raises(Killed):
        train(callbacks=[Count(), Kill(path, 12)])
    train(callbacks=count, resume=path)
    assert count.seen.tolist() == [4, 6]
    with pytest.raises(ValueError, match="callbacks lack the Count of the checkpoint"):
        train(resume=path)


def test_a_file_that_is_not_there_yet_and_a_training_that_is_finished(tmp_path: Path) -> None:
    def run(**options: Any) -> Any:
        keep = gk.ModelCheckpoint(tmp_path / "last.safetensors")
        return bits(*train(callbacks=[keep, gk.EMA(0.5)], resume=True, **options))

    first = run()
    assert run() == first
    model = gk.load(tmp_path / "last.safetensors")
    assert model.epochs_begun == 4
    longer = run(epochs=6)
    assert longer == bits(*train(callbacks=gk.EMA(0.5), epochs=6))


def test_a_reason_to_stop_is_kept(tmp_path: Path) -> None:
    def run() -> Any:
        def stop(epoch: int, logs: Any) -> str:
            return "enough" if epoch == 1 else ""

        return bits(*train(callbacks=[gk.ModelCheckpoint(tmp_path / "a"), stop], resume=True))

    assert run() == run()


class Late(gk.Callback):
    """Let the time of a training be over behind a step."""

    def __init__(self, after: int):
        self.every_steps = self.after = after

    def on_steps_end(self, step):
        if step == self.after:
            self.training.end = 0.0


def test_a_training_that_ends_within_an_epoch_loses_no_step(tmp_path: Path) -> None:
    keep = gk.ModelCheckpoint(tmp_path / "last.safetensors")
    _, history = train(callbacks=[keep, Late(3)], max_time=1000)
    assert (history.epochs, history.stopped) == (0, "max_time of 1000 s is over")
    _, history = train(callbacks=[keep, Late(7)], max_time=1000, resume=True)
    assert (history.epochs, history.stopped) == (1, "max_time of 1000 s is over")
    assert gk.load(keep.path).clock[0] == 7
    assert bits(*train(callbacks=keep, resume=True)) == bits(*train())


def test_an_error_before_a_training_goes_on_keeps_its_checkpoint(tmp_path: Path) -> None:
    class Failing(gk.Callback):
        def on_train_begin(self):
            raise LookupError("the user's own")

    keep = gk.ModelCheckpoint(tmp_path / "last.safetensors", at_exception=True)
    with pytest.raises(Killed):
        train(callbacks=[keep, Kill(tmp_path / "other", 7)])
    content = Path(keep.path).read_bytes()
    with pytest.raises(LookupError):
        train(callbacks=[keep, Failing()], resume=True)
    assert Path(keep.path).read_bytes() == content
    assert bits(*train(callbacks=keep, resume=True)) == bits(*train())


@pytest.mark.parametrize("name", ["best.safetensors", "{epoch}.safetensors"])
def test_files_may_be_moved(name: str, tmp_path: Path) -> None:
    def run(folder: str, epochs: int, **options: Any) -> list[str]:
        count: Any = 2 if "{" in name else "best"
        last = gk.ModelCheckpoint(tmp_path / folder / "last.safetensors")
        best = gk.ModelCheckpoint(tmp_path / folder / name, "loss", keep=count)
        train(callbacks=[last, best], epochs=epochs, resume=True)
        assert sorted(best.files) == sorted(str(each) for each in (tmp_path / folder).iterdir()
            if each.name != "last.safetensors")  # fmt: skip
        return sorted(Path(path).name for path in best.files)

    for folder in ("here", "whole"):
        (tmp_path / folder).mkdir()
    run("here", 2)
    (tmp_path / "here").rename(tmp_path / "there")
    assert run("there", 6) == run("whole", 6)


def test_files_of_epochs_hold_whole_epochs(tmp_path: Path) -> None:
    keep = gk.ModelCheckpoint(tmp_path / "{epoch}-{loss:.1f}")
    train(callbacks=[keep, Late(3)], max_time=1000)
    assert keep.files == []
    train(callbacks=[keep, Late(7)], max_time=1000)
    assert [gk.load(path).epochs_begun for path in keep.files] == [1]


def test_a_path_may_name_values_that_are_not_known_yet(tmp_path: Path) -> None:
    class Failing(gk.Callback):
        def on_train_batch_end(self, batch, logs):
            raise LookupError("the user's own")

    keep = gk.ModelCheckpoint(tmp_path / "{step}-{val_loss:.1f}", at_exception=True)
    with pytest.raises(LookupError):
        train(callbacks=[Failing(), keep])
    assert [Path(path).name for path in keep.files] == ["1-nan"]


def test_a_checkpoint_of_somebody_else_removes_no_file(tmp_path: Path) -> None:
    keep = gk.ModelCheckpoint(tmp_path / "{epoch}.safetensors", "loss", keep=2)
    train(callbacks=keep)
    state = dict(keep.state_dict())
    keep.load_state_dict(state)
    victim, other = tmp_path / "precious", tmp_path / "a" / "9.safetensors"
    other.parent.mkdir()
    for each in (victim, other):
        each.write_text("")
    with pytest.raises(ValueError, match="which does not fit the path"):
        keep.load_state_dict({**state, "_obsolete": [str(victim)]})
    keep.load_state_dict({**state, "_obsolete": [str(other)]})
    assert victim.exists()
    assert other.exists()


def test_a_dozen_kills_change_no_bit() -> None:
    # In memory where there is such a folder: a disk takes its time to be flushed.
    folder = next((each for each in ["/dev/shm"] if os.access(each, os.W_OK)), None)
    code = f"import kills, json; print(json.dumps(kills.main(12, folder={folder!r})))"
    found = json.loads(output(code, PYTHONPATH=":".join(sys.path), GYAKU_NUM_THREADS="1"))
    assert (found["kills"], found["differing"]) == (12, [])
