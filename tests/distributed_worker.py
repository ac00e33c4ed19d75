"""Trainings for `test_distributed`: one process of several, whose first one prints JSON.

`mpiexec -n N python distributed_worker.py FOLDER [NAME ...]`; without names, all of `TRAININGS`.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from distributed_models import (
    GLOBAL,
    TRAININGS,
    Answer,
    fitted,
    images,
    large,
    mlp,
    network,
    rows,
    training,
)

import gyaku as gk
from gyaku.distributed import MPI


class End(gk.Callback):
    """End a training behind some steps."""

    def __init__(self, steps: int) -> None:
        self.every_steps = steps

    def on_steps_end(self, step: int) -> str | None:
        return "enough" if step >= self.every_steps else None


@training
def reproducible(folder: Path) -> Answer:
    model = gk.Sequential(
        *(gk.Rescaling(1 / 255), gk.Conv2D(4, 3, activation="relu"), gk.MaxPool2D(2)),
        *(gk.BatchNorm(), gk.Flatten(), gk.Dense(16, activation="relu"), gk.Dropout(0.4)),
        gk.Dense(4),
    )
    return fitted(
        model,
        *images(),
        ranks=MPI(reproducible=True),
        loss="softmax_cross_entropy",
        augment=gk.data.Augment(1, flip=True),
        epochs=3,
    )


@training
def alike(folder: Path) -> Answer:
    # A last batch of four samples, of which each of four processes has one.
    ranks, data = MPI(bucket_bytes=1024), rows()
    measures = {"metrics": ["mae", "r2"], "validation_split": 0.2}
    return fitted(mlp(), *data, ranks=ranks, loss="mse", epochs=3, **measures)


@training
def fewer_samples_than_processes(folder: Path) -> Answer:
    data = rows(2 * GLOBAL + 1)
    return fitted(mlp(), *data, ranks=MPI(), loss="mse", epochs=2)


@training
def fewer_samples_than_processes_in_all(folder: Path) -> Answer:
    """Also in validation, where a process without samples counts no weights."""
    weights = np.arange(1.0, 4.0)
    given = {"loss": "mse", "metrics": ["mae", "r2"], "sample_weight": weights, "epochs": 2}
    one = [each[:1] for each in rows(4)]
    return fitted(mlp(), *rows(3), ranks=MPI(), validation_data=(*one, weights[:1]), **given)


@training
def full_batch(folder: Path) -> Answer:
    return fitted(mlp(), *rows(), ranks=MPI(), loss="mse", epochs=3, batch_size=None)


@training
def weights(folder: Path) -> Answer:
    x, y = rows()
    weights = np.linspace(0, 3, len(x))
    return fitted(
        mlp(), x, y, sample_weight=weights, ranks=MPI(), loss="mse", metrics="mae", epochs=3
    )


@training
def lengths(folder: Path) -> Answer:
    generator = np.random.default_rng(3)
    lengths = generator.integers(1, 9, 90)
    ids = generator.integers(1, 20, (90, 8)) * (np.arange(8) < lengths[:, np.newaxis])
    model = network(gk.Embedding(20, 5, mask_zero=True), gk.LSTM(6, return_sequences=True))
    model = network(*model.layers, gk.Dense(3))
    given = {"loss": "softmax_cross_entropy", "metrics": "accuracy", "epochs": 2}
    return fitted(model, ids, ids % 3, ranks=MPI(), **given)


@training
def sum_of_squares(folder: Path) -> Answer:
    optimizer = gk.SGD(1e-3)
    return fitted(
        mlp(), *rows(), ranks=MPI(), loss="sum_squared_error", optimizer=optimizer, epochs=2
    )


@training
def quasi_newton(folder: Path) -> Answer:
    given = {"loss": "mse", "optimizer": gk.LBFGS(), "epochs": 5, "batch_size": None}
    return fitted(mlp(), *rows(), ranks=MPI(), **given)


@training
def shared_layer(folder: Path) -> Answer:
    inputs = gk.Input((6,))
    dense = gk.Dense(6, activation="tanh")
    model = gk.Model(inputs, gk.Dense(1)(dense(dense(inputs))), dtype="float64")
    return fitted(model, *rows(), ranks=MPI(bucket_bytes=1024), loss="mse", epochs=2)


@training
def common_parameters(folder: Path) -> Answer:
    return large(clip_value=0.05)


@training
def common_momentum(folder: Path) -> Answer:
    return large(optimizer=gk.Momentum(0.01))


@training
def several_sums(folder: Path) -> Answer:
    return large(ranks=MPI(shared_memory=False, bucket_bytes=1 << 16))


@training
def sums_within_tasks(folder: Path) -> Answer:
    """Convolutions of a millisecond, in pieces between which the sums of later layers go on."""
    layers = gk.Conv2D(48, 3, activation="relu"), gk.Conv2D(48, 3, activation="relu")
    model = network(gk.Rescaling(1 / 255), *layers, gk.Flatten(), gk.Dense(16), gk.Dense(4))
    ranks = MPI(shared_memory=False, bucket_bytes=1 << 16)
    data = [each[:72] for each in images()]
    return fitted(
        model, *data, ranks=ranks, loss="softmax_cross_entropy", batch_size=72 // ranks.size
    )


@training
def two_machines(folder: Path) -> Answer:
    """Half of the processes are taken to be on another machine."""
    ranks = MPI(bucket_bytes=1 << 16)
    half = f"machine {2 * ranks.rank // ranks.size}"
    with mock.patch("gyaku.distributed.local._machine", return_value=half):
        large(ranks=ranks)
        return large(ranks=ranks)  # with the groups of the earlier training


@training
def norm_of_all(folder: Path) -> Answer:
    return large(clip_norm=0.1)


@training
def own_update(folder: Path) -> Answer:
    class Own(gk.optim.Optimizer):
        def update(self, params: np.ndarray, grads: np.ndarray) -> None:
            params -= 0.01 * grads

    return large(optimizer=Own(0.01))


@training
def frozen(folder: Path) -> Answer:
    ranks, (x, y) = MPI(), rows()
    model = network(gk.Dense(256, activation="tanh"), gk.Dense(256, activation="relu"), gk.Dense(1))
    model.build((6,))
    model.layers[0].trainable = False
    before = model.layers[0].params["weight"].copy()
    answer = fitted(model, x, y, ranks=ranks, loss="mse", epochs=2)
    assert np.array_equal(model.layers[0].params["weight"], before)
    names = [task["name"] for task in model.captured["tasks"]]
    return answer | {"tasks": names, "params": model.flat_params[::97].tolist()}


@training
def stopped_at_the_best(folder: Path) -> Answer:
    """Weights that a callback of the first process restores, while they are common."""
    best = gk.EarlyStopping("loss", patience=1, min_delta=10.0, restore_best=True)
    return large(epochs=6, callbacks=best)


@training
def global_statistics(folder: Path) -> Answer:
    x, y = images()
    model = network(gk.Rescaling(1 / 255), gk.Conv2D(3, 3, use_bias=False), gk.BatchNorm())
    model = network(*model.layers, gk.ReLU(), gk.Flatten(), gk.Dense(8, use_bias=False))
    model = network(*model.layers, gk.BatchNorm(momentum=0.3), gk.Dense(4))
    ranks = MPI(global_statistics=True)
    given = {"loss": "softmax_cross_entropy", "validation_split": 0.2, "epochs": 2}
    answer = fitted(model, x, y, ranks=ranks, **given)
    assert len(model.flat_buffers) > 0
    return answer | {"params": model.flat_params.tolist() + model.flat_buffers.tolist()}


@training
def callbacks(folder: Path) -> Answer:
    ranks, seen = MPI(), []
    stopping = gk.EarlyStopping("loss", patience=2, min_delta=10.0)
    plateau = gk.ReduceLROnPlateau("loss", patience=1, min_delta=10.0)

    def note(epoch: int, logs: dict[str, float]) -> None:
        seen.append(epoch)

    model = mlp()
    given = [note, stopping, plateau]
    answer = fitted(model, *rows(), ranks=ranks, loss="mse", epochs=9, callbacks=given)
    late = mlp().fit(*rows(), loss="mse", epochs=10**7, max_time=0.1, verbose=0, distributed=ranks)
    assert late.stopped == "max_time of 0.1 s is over", late.stopped
    rates = ranks.gather(float(model.optimizer.rate))
    everywhere = ranks.gather((answer["hash"], answer["columns"], answer["stopped"]))
    return answer | {"seen": ranks.gather(seen), "rates": rates, "everywhere": everywhere}


@training
def checkpointed(folder: Path) -> Answer:
    """Train to the middle of the second epoch, for a job of another size to go on."""
    ranks = MPI(reproducible=True)
    path = folder / f"from-{ranks.size}.safetensors"
    kept = gk.ModelCheckpoint(path, steps=7, keep="last")
    given = {"loss": "mse", "epochs": 3, "metrics": "mae"}
    answer = fitted(mlp(), *rows(), ranks=ranks, callbacks=[kept, End(7)], **given)
    return answer | {"path": str(path)}


def resumed(folder: Path) -> dict[str, Answer]:
    ranks, answers = MPI(reproducible=True), {}
    own = folder / f"to-{ranks.size}"
    if ranks.is_first:
        shutil.copytree(folder, own, ignore=shutil.ignore_patterns("to-*"))
    ranks.gather(None)
    for path in sorted(own.glob("from-*.safetensors")):
        given = {"loss": "mse", "epochs": 3, "metrics": "mae", "resume": path}
        kept = gk.ModelCheckpoint(path, steps=7, keep="last")
        answers[path.name] = fitted(mlp(), *rows(), ranks=ranks, callbacks=kept, **given)
    return answers


@training
def unbroken(folder: Path) -> Answer:
    given = {"loss": "mse", "epochs": 3, "metrics": "mae"}
    return fitted(mlp(), *rows(), ranks=MPI(reproducible=True), **given)


@training
def memory_map(folder: Path) -> Answer:
    ranks, (x, y) = MPI(), rows()
    path = folder / "x.npy"
    if ranks.is_first:
        np.save(path, x)
    ranks.gather(None)
    x = np.load(path, mmap_mode="r")
    return fitted(mlp(), x, y, ranks=ranks, validation_data=(x, y), loss="mse", epochs=2)


@training
def own_batches(folder: Path) -> Answer:
    """Iterables, of which the first process's ends first, and a training that is resumed."""
    ranks = MPI(own_data=True)
    own = GLOBAL // ranks.size
    path = folder / f"batches-{ranks.size}.safetensors"
    x, y = rows(5 * GLOBAL)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(ranks.rank * own, 4 * GLOBAL + min(ranks.rank, 1), GLOBAL):
            yield x[start : start + own], y[start : start + own]

    given: dict[str, Any] = {
        "ranks": ranks,
        "loss": "mse",
        "metrics": "mae",
        "epochs": 3,
        "batch_size": 32,
    }
    given["callbacks"] = gk.ModelCheckpoint(path, steps=6, keep="last")
    end = End(6)
    fitted(mlp(), batches, **given | {"callbacks": [given["callbacks"], end]})
    resumed = fitted(mlp(), batches, resume=path, **given)
    answer = fitted(mlp(), batches, **given)
    assert resumed["hash"] == answer["hash"]
    for name, column in answer["columns"].items():
        np.testing.assert_allclose(resumed["columns"][name], column, rtol=1e-12)
    return answer


@training
def own_files(folder: Path) -> Answer:
    """Files of three samples, of which any number of processes has the first eight in a step."""
    ranks = MPI(own_data=True)
    x, y = rows(96)
    shards = folder / "shards"
    if ranks.is_first:
        shards.mkdir(exist_ok=True)
        for at in range(0, 96, 3):
            np.save(shards / f"{at:02}.npy", np.concatenate([x, y], axis=1)[at : at + 3])
    ranks.gather(None)
    own = np.concatenate([np.load(path) for path in ranks.files(shards)])
    assert len(own) == 96 // ranks.size
    given = {"loss": "mse", "metrics": "mae", "epochs": 2, "shuffle": False}
    return fitted(mlp(), own[:, :6], own[:, 6:], ranks=ranks, validation_data=(x, y), **given)


@training
def uneven_files(folder: Path) -> Answer:
    """The processes have different numbers of samples, and the same number of steps."""
    ranks = MPI(own_data=True)
    x, y = rows(60 + 7 * ranks.rank)
    answer = fitted(mlp(), x, y, ranks=ranks, loss="mse", epochs=3)
    hashes = ranks.gather(answer["hash"])
    return answer | {"alike": len({*hashes}) == 1}


@training
def mistakes(folder: Path) -> Answer:
    """The sentences of errors on which all processes agree."""
    ranks, (x, y), said = MPI(), rows(), {}

    def message(**named: Any) -> str:
        given: dict[str, Any] = {"loss": "mse", "verbose": 0, "distributed": ranks} | named
        try:
            model = given.pop("model", None) or mlp()
            model.fit(given.pop("x", x), given.pop("y", y), **given)
        except (ValueError, TypeError, FloatingPointError) as error:
            return str(error)
        return ""

    said["accumulate"] = message(accumulate=2)
    said["other data"] = message(x=x[ranks.rank :], y=y[ranks.rank :])
    said["other batch"] = message(batch_size=8 + ranks.rank)
    said["other samples"] = message(x=x + ranks.rank)
    said["other epochs"] = message(epochs=2 + ranks.rank)
    said["other optimizer"] = message(optimizer=gk.SGD(0.5 + ranks.rank))
    said["other validation"] = message(validation_data=(x[ranks.rank :], y[ranks.rank :]))
    said["other layer"] = message(model=network(gk.Dense(4), gk.Dense(1, use_bias=not ranks.rank)))
    said["generator"] = message(x=iter([(x, y)]), y=None)
    path = folder / "early.safetensors"  # which the first one alone finds
    kept = [gk.ModelCheckpoint(path, steps=2, keep="last"), End(2)]
    message(callbacks=kept, batch_size=GLOBAL // ranks.size)
    resume = ranks.is_first and path
    said["other place"] = message(callbacks=kept, resume=resume, batch_size=GLOBAL // ranks.size)
    try:
        MPI(shared_memory=ranks.is_first)
    except ValueError as error:
        said["other processes"] = str(error)
    own = MPI(own_data=True)
    said["weights of own"] = message(distributed=own, sample_weight=np.ones(len(x)))
    said["split of own"] = message(distributed=own, validation_split=0.2)
    said["kind"] = message(distributed="mpi")
    try:
        ranks.files(["only.npy"])
    except ValueError as error:
        said["few files"] = str(error)
    bad = np.where(np.arange(len(x)) == 99, 1e200, y[:, 0].astype(float))[:, np.newaxis]
    said["not finite"] = message(y=bad, shuffle=False)
    answers = ranks.gather(said)
    return {
        "said": said,
        "alike": all(each.keys() == said.keys() for each in answers),
        "all": answers,
    }


@training
def schedule(folder: Path) -> Answer:
    ranks = MPI()
    rates = ranks.scaled_rate(0.1, warmup=2)(np.arange(4)).tolist()
    return {"rates": rates, "size": ranks.size, "threads": gk.num_threads()}


def overlap() -> Answer:
    """The names of the tasks of a step, in the order of replay."""
    ranks = MPI(bucket_bytes=4096)
    model = gk.Sequential(
        gk.Dense(64, activation="relu"), gk.Dense(64, activation="relu"), gk.Dense(1)
    )
    model.fit(*rows(), loss="mse", batch_size=10, verbose=0, distributed=ranks)
    return {"tasks": [task["name"] for task in model.captured["tasks"]]}


def main() -> None:
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    warnings.simplefilter("ignore")
    if names == ["resumed"]:
        answers: dict[str, Any] = resumed(folder)
    else:
        answers = {name: TRAININGS[name](folder) for name in names or TRAININGS}
        if not names:
            answers["overlap"] = overlap()
    if MPI().is_first:
        print("\nANSWERS" + json.dumps(answers))


if __name__ == "__main__":
    main()
