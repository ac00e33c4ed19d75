"""Arrays on disk: the results of the same arrays in memory, with the memory of a few batches."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk

RNG = np.random.default_rng(0)
COUNT = 203  # no multiple of a batch
X = RNG.normal(size=(COUNT, 4)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)
IMAGES = RNG.integers(0, 256, (COUNT, 6, 6, 1), dtype=np.uint8)
ENTROPY = "softmax_cross_entropy"
OPTIONS: dict[str, Any] = {"loss": ENTROPY, "metrics": "accuracy", "verbose": 0}


class Chunked:
    """An array of a file as h5py and zarr have it; it counts what is read."""

    chunks = (16,)

    def __init__(self, array: NDArray[Any]) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.most, self.in_order = 0, True

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        found: NDArray[Any] = self.array[rows]
        self.most = max(self.most, len(found))
        if isinstance(rows, np.ndarray):
            self.in_order &= bool((np.diff(rows) > 0).all())
        return found


@pytest.fixture
def on_disk(tmp_path: Path) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return what saves an array and maps the file."""

    def save(array: NDArray[Any]) -> NDArray[Any]:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, array)
        mapped: NDArray[Any] = np.load(path, mmap_mode="r")
        return mapped

    return save


@pytest.fixture(autouse=True)
def no_thread_left() -> Any:
    """Fail if a reader is still there."""
    yield
    assert [each.name for each in threading.enumerate() if "reader" in each.name] == []


def net() -> gk.Sequential:
    return gk.Sequential(gk.Dense(8, "relu"), gk.Dense(3), seed=1)


def of_images() -> gk.Sequential:
    return gk.Sequential(
        gk.Rescaling(1 / 255), gk.Conv2D(3, 3), gk.BatchNorm(), gk.Dropout(0.2), gk.Flatten(),
        gk.Dense(3), seed=1,
    )  # fmt: skip


def assert_same(one: gk.Sequential, other: gk.Sequential, *histories: gk.History) -> None:
    assert np.array_equal(one.flat_params, other.flat_params)
    assert np.array_equal(one.flat_buffers, other.flat_buffers)
    first, second = histories
    np.testing.assert_equal(dict(first), dict(second))
    assert first.samples == second.samples


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"shuffle": False},
        {"batch_size": None},
        {"batch_size": 1, "epochs": 1},
        {"validation_split": 0.2},
        {"validation_split": 0.2, "shuffle": False, "validation_freq": 2},
        {"optimizer": "lbfgs", "batch_size": None},
        {"steps_per_epoch": 5},  # less than a pass
        {"steps_per_epoch": 9, "shuffle": False},  # more than one
        {"accumulate": 3, "clip_value": 0.05},
        {"initial_epoch": 1, "accumulate": 2},
        {"optimizer": gk.optim.SGD(gk.schedules.Cosine(0.1)), "seed": 5},
        {"sample_weight": np.arange(COUNT) % 4, "validation_split": 0.1},
        {"class_weight": {0: 3.0, 2: 0.0}, "metrics": ["accuracy", "f1"]},
        {"class_weight": "balanced", "sample_weight": np.linspace(0, 1, COUNT), "accumulate": 2},
        {"overfit_batches": 2},
        {"overfit_batches": 1, "shuffle": False, "validation_split": 0.2},
    ],
    ids=str,
)
def test_a_memory_map_trains_to_the_bits_of_the_array(
    on_disk: Callable[..., Any], options: dict[str, Any]
) -> None:
    options = {"epochs": 3, **OPTIONS, **options}
    one, other = net(), net()
    first, second = one.fit(X, LABELS, **options), other.fit(on_disk(X), LABELS, **options)
    assert_same(one, other, first, second)
    first, second = (
        one.fit(X, LABELS, **{**options, "validation_data": (X, LABELS), "validation_split": 0}),
        other.fit(
            on_disk(X),
            on_disk(LABELS),
            **{**options, "validation_data": (on_disk(X), LABELS), "validation_split": 0},
        ),
    )
    assert_same(one, other, first, second)  # which goes on where the first one ended


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float64", ">f4", "int32"])
def test_any_dtype_is_taken_as_in_memory(on_disk: Callable[..., Any], dtype: str) -> None:
    images = IMAGES.astype(dtype)
    one, other = of_images(), of_images()
    first = one.fit(images, LABELS, epochs=2, **OPTIONS)
    second = other.fit(on_disk(images), LABELS, epochs=2, **OPTIONS)
    assert_same(one, other, first, second)
    mapped = on_disk(images)
    assert np.array_equal(one.predict(images), other.predict(mapped))
    assert np.array_equal(one.predict(images), other.predict(mapped, batch_size=64))
    assert one.evaluate(images, LABELS) == other.evaluate(mapped, LABELS)


def test_an_array_of_chunks_is_read_in_order_and_batch_by_batch() -> None:
    one, other, chunked = of_images(), of_images(), Chunked(np.tile(IMAGES, (40, 1, 1, 1)))
    labels, options = np.tile(LABELS, 40), {**OPTIONS, "epochs": 2}
    assert_same(
        one, other, one.fit(chunked.array, labels, **options), other.fit(chunked, labels, **options)
    )
    assert chunked.in_order
    assert chunked.most < len(labels) // 3


def test_targets_may_be_on_disk_too(on_disk: Callable[..., Any]) -> None:
    wide = RNG.normal(size=(COUNT, 7))
    one, other = (gk.Sequential(gk.Dense(7), seed=1) for _ in range(2))
    first = one.fit(wide, wide, loss="mse", verbose=0)
    mapped = on_disk(wide)
    assert_same(one, other, first, other.fit(mapped, mapped, loss="mse", verbose=0))


def test_several_inputs_may_be_on_disk_or_not(on_disk: Callable[..., Any]) -> None:
    def model() -> gk.Model:
        a, b = gk.Input((4,), name="a"), gk.Input((4,), name="b")
        return gk.Model([a, b], gk.Dense(3)(gk.Concatenate()(a, b)), seed=1)

    one, other = model(), model()
    one.fit({"a": X, "b": 2 * X}, LABELS, **OPTIONS)
    other.fit({"b": on_disk(2 * X), "a": X}, LABELS, **OPTIONS)
    assert np.array_equal(one.flat_params, other.flat_params)


def test_lengths_go_with_the_rows(on_disk: Callable[..., Any]) -> None:
    steps = RNG.normal(size=(COUNT, 5, 2)).astype(np.float32)
    lengths = RNG.integers(1, 6, COUNT)
    one, other = (gk.Sequential(gk.LSTM(4), gk.Dense(3), seed=1) for _ in range(2))
    first = one.fit(steps, LABELS, lengths=lengths, epochs=2, **OPTIONS)
    second = other.fit(on_disk(steps), LABELS, lengths=lengths, epochs=2, **OPTIONS)
    assert_same(one, other, first, second)
    assert one.evaluate(steps, LABELS, lengths=lengths) == other.evaluate(
        on_disk(steps), LABELS, lengths=lengths
    )


@pytest.mark.parametrize("kind", ["images", "autoencoder"])
def test_images_are_augmented_as_in_memory(on_disk: Callable[..., Any], kind: str) -> None:
    options: dict[str, Any] = {"augment": gk.data.Augment(2, flip=True), "epochs": 3, "verbose": 0}
    options |= {"validation_split": 0.2, "batch_size": 16}
    mapped = on_disk(IMAGES)
    if kind == "images":
        one, other = of_images(), of_images()
        given, on = (IMAGES, LABELS), (mapped, LABELS)
        options |= {"loss": ENTROPY, "sample_weight": np.arange(COUNT) % 3}
    else:
        layers = [gk.Conv2D(2, 3), gk.Flatten(), gk.Dense(36)]
        one, other = (
            gk.Sequential(*copy.deepcopy(layers), gk.Reshape((6, 6, 1)), seed=1) for _ in range(2)
        )
        images = IMAGES.astype(np.float32) / 255
        mapped = on_disk(images)
        given, on = (images, images), (mapped, mapped)
        options["loss"] = "mse"
    first, second = one.fit(*given, **options), other.fit(*on, **options)
    assert_same(one, other, first, second)
    plain = one.fit(*given, **options | {"augment": None, "seed": 3})
    assert plain["loss"] != first["loss"]


def words() -> gk.Sequential:
    return gk.Sequential(gk.Embedding(9, 3, mask_zero=True), gk.GRU(4), gk.Dense(3), seed=1)


@pytest.mark.parametrize(
    ("make", "given"),
    [
        (lambda: gk.Sequential(gk.LSTM(4), gk.Dense(3), seed=1), True),
        (lambda: gk.Sequential(gk.LSTM(4), gk.Dense(3), seed=1), False),
        (words, None),
    ],
    ids=["lengths", "steps", "found"],
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_by_length_are_those_in_memory(
    on_disk: Callable[..., Any], make: Callable[[], Any], given: bool | None, shuffle: bool
) -> None:
    lengths = RNG.integers(1, 40, COUNT)
    steps = RNG.normal(size=(COUNT, 40, 2)).astype(np.float32)
    y, options = LABELS, {**OPTIONS, "by_length": True, "shuffle": shuffle, "batch_size": 8}
    if given is None:
        steps = RNG.integers(1, 9, (COUNT, 40)) * (np.arange(40) < lengths[:, np.newaxis])
    else:
        options["lengths"] = lengths
    if given is False:  # a target and a weight for each step
        steps[..., 0] = RNG.integers(0, 2, (COUNT, 40))
        y = (steps[..., 0] > 0).astype(np.int64)
        options |= {"sample_weight": RNG.integers(1, 4, (COUNT, 40))}
        one, other = (
            gk.Sequential(gk.GRU(3, return_sequences=True), gk.Dense(2), seed=1) for _ in range(2)
        )
    else:
        one, other = make(), make()
    first = one.fit(steps, y, epochs=2, validation_split=0.2, **options)
    second = other.fit(on_disk(steps), y, epochs=2, validation_split=0.2, **options)
    assert_same(one, other, first, second)
    known = {"lengths": options.get("lengths"), "by_length": True}
    assert one.evaluate(steps, y, **known) == other.evaluate(on_disk(steps), y, **known)


@pytest.mark.filterwarnings("ignore:fit. x is not scaled")
def test_loss_that_overflows_is_traced_to_its_step(on_disk: Callable[..., Any]) -> None:
    large = np.where(np.arange(COUNT)[:, np.newaxis] == 150, 1e30, X).astype(np.float32)
    errors = []
    for x in (large, on_disk(large)):
        model = gk.Sequential(gk.Dense(8), gk.Dense(3), seed=1)
        with pytest.raises(gk.NonFiniteError) as caught:
            model.fit(x, X[:, :3], loss="mse", batch_size=8, verbose=0, epochs=2)
        errors.append((str(caught.value), caught.value.step, model.flat_params.tobytes()))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("stop", [5, 7, 10])  # in an epoch, at its end, in the second one
def test_a_training_on_disk_is_resumed(
    on_disk: Callable[..., Any], tmp_path: Path, stop: int
) -> None:
    class Stop(gk.callbacks.Callback):
        """A callback that keeps a checkpoint of one step."""

        def on_train_batch_end(self, batch: int, logs: Any) -> None:
            if self.training.step == stop:
                self.training.save(tmp_path / "part")

    mapped, options = on_disk(X), {**OPTIONS, "epochs": 3, "validation_data": (X, LABELS)}
    one, other = net(), net()
    first = one.fit(mapped, LABELS, callbacks=Stop(), **options)
    second = other.fit(mapped, LABELS, resume=tmp_path / "part", **options)
    assert_same(one, other, first, second)


def broken(row: int, value: float) -> NDArray[Any]:
    x = X.copy()
    x[row] = value
    return x


@pytest.mark.parametrize(
    ("x", "y", "options", "sentence"),
    [
        (
            broken(70, np.nan),
            LABELS,
            {},
            "fit: batch 3: x must be finite, but column 0 holds nan in row 6",
        ),
        (X, np.where(LABELS == 1, 7, 0), {}, "fit: the label 7 in row"),
        (X, LABELS[1:], {}, "fit: x has 203 samples, but another array 202"),
        (X[:0], LABELS[:0], {}, "fit: x is empty, its shape is (0, 4)"),
        (X, None, {}, "fit: y must be an array of samples, got None"),
        (X, LABELS, {"by_length": True}, "fit: by_length cuts each batch behind its longest"),
        (X, X[:, :3], {"class_weight": "balanced"}, "fit: class_weight is for targets of one"),
        (X, Chunked(X[:, :3]), {"class_weight": "balanced"}, "fit: class_weight needs all targets"),
        (X, LABELS, {"sample_weight": -X[:, 0]}, "fit: sample_weight must not be negative, but"),
        (X[:, 0], LABELS, {}, "fit: x must have a sample axis and at least one feature axis"),
    ],
    ids=[
        *("nan", "label", "count", "empty", "no y", "by length"),
        *("no classes", "classes on disk", "weight", "one axis"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    x: NDArray[Any], y: Any, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{re.escape(sentence)}") as caught:
        net().fit(Chunked(x), y, shuffle=False, **options, **OPTIONS)
    if "nan" in sentence:
        assert caught.value.__notes__ == [
            "the first such sample of this batch is row 70 of the arrays"
        ]


def test_error_of_the_file_reaches_the_user() -> None:
    class Failing(Chunked):
        def __getitem__(self, rows: Any) -> NDArray[Any]:
            if len(self.array[rows]) > 64:
                raise OSError("the disk is gone")
            return super().__getitem__(rows)

    with pytest.raises(OSError, match="^the disk is gone$"):
        net().fit(Failing(X), LABELS, **OPTIONS)
