"""Integers stay integers on their way to layers that take indices."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk

ENTROPY = "softmax_cross_entropy"
RNG = np.random.default_rng(0)
ROWS = 11
IDS = RNG.integers(0, ROWS, (70, 6))
LABELS = IDS[:, 0] % 3


class Table(gk.Layer):
    """Rows of a table by their numbers, and a record of what it was shown."""

    takes_indices = True

    def __init__(self, rows: int, columns: int, *, name: str = "") -> None:
        super().__init__(name=name)
        self.rows, self.columns = rows, columns
        self.seen: list[np.dtype[Any]] = []

    def build(self, input_shape):
        self.add_param("table", (self.rows, self.columns), "normal")
        return (*input_shape, self.columns)

    def forward(self, x, training=False):
        self.ids = np.array(x)
        self.seen.append(x.dtype)
        return self.params["table"][x]

    def backward(self, dy):
        self.grads["table"][...] = 0
        np.add.at(self.grads["table"], self.ids, dy)


def in_a_row(dtype: Any = np.float32) -> gk.Sequential:
    return gk.Sequential(Table(ROWS, 4), gk.Flatten(), gk.Dense(3), dtype=dtype)


def in_a_graph(kind: Any) -> gk.Model:
    x = gk.Input((6,), dtype=kind)
    return gk.Model(x, gk.Dense(3)(gk.Flatten()(Table(ROWS, 4)(x))))


def train(model: gk.Model, x: Any, **options: Any) -> tuple[bytes, list[float]]:
    history = model.fit(x, LABELS, loss=ENTROPY, epochs=8, batch_size=16, verbose=0, **options)
    return model.flat_params.tobytes(), history["loss"]


def step_by_step(model: gk.Sequential, x: NDArray[Any]) -> bytes:
    """Train by the passes themselves, one batch of all samples an epoch."""
    loss, optimizer = gk.losses.SoftmaxCrossEntropy(), gk.SGD(0.1)
    for _ in range(8):
        _, dy = loss(model.forward(x, training=True), LABELS)
        model.backward(dy)
        optimizer.step(model)
    return model.flat_params.tobytes()


@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_a_table_learns_and_replay_is_the_passes_themselves(kind: Any) -> None:
    x = IDS.astype(kind)
    model, other = in_a_row(), in_a_row()
    other.build((6,), seed=0)
    history = model.fit(
        *(x, LABELS),
        loss=ENTROPY,
        optimizer=gk.SGD(0.1),
        epochs=8,
        batch_size=None,
        shuffle=False,
        seed=0,
        verbose=0,
    )
    assert history["loss"][-1] < history["loss"][0]
    assert model.flat_params.tobytes() == step_by_step(other, x)
    table: Any = model.layers[0]
    assert set(table.seen) == {np.dtype(kind)}


@pytest.mark.parametrize(
    ("given", "arrives"),
    [
        (np.int32, np.int32),
        (np.int64, np.int64),
        (np.uint8, np.int32),
        (np.int16, np.int32),
        (np.uint16, np.int32),
        (np.uint32, np.int64),
        (np.uint64, np.int64),
        (np.float64, np.int64),
        (list, np.int64),
    ],
)
def test_indices_may_come_as_any_integers(given: Any, arrives: Any) -> None:
    x = IDS.tolist() if given is list else IDS.astype(given)
    model, wanted = in_a_row(), in_a_row()
    assert train(model, x, metrics="accuracy", validation_split=0.2) == train(
        wanted, IDS, metrics="accuracy", validation_split=0.2
    )
    np.testing.assert_array_equal(model.predict(x), wanted.predict(IDS))
    np.testing.assert_array_equal(model.forward(x), wanted.forward(IDS))
    assert model.evaluate(x, LABELS) == wanted.evaluate(IDS, LABELS)
    table: Any = model.layers[0]
    assert set(table.seen) == {np.dtype(arrives)}


@pytest.mark.parametrize("given", [np.int32, np.int64, np.uint8, np.float32])
@pytest.mark.parametrize("kind", ["int32", np.int64])
def test_an_input_says_what_integers_arrive_as(given: Any, kind: Any) -> None:
    model = in_a_graph(kind)
    assert train(model, IDS.astype(given)) == train(in_a_row(), IDS)
    model.predict(IDS.astype(given))
    table: Any = model.layers[0]
    assert set(table.seen) == {np.dtype(kind)}


def test_large_indices_are_not_rounded() -> None:
    class Last(gk.Layer):
        """The last digit, which float32 would not have."""

        takes_indices = True

        def forward(self, x, training=False):
            return (x % 10).astype(self.dtype)

    x = 2**53 + np.arange(9).reshape(9, 1)
    model = gk.Sequential(Last())
    np.testing.assert_array_equal(model.predict(x), x % 10)
    np.testing.assert_array_equal(model.forward(x), x % 10)


def test_indices_and_numbers_are_inputs_side_by_side() -> None:
    ids, size = gk.Input((6,), dtype="int32", name="ids"), gk.Input((2,), name="size")
    both = gk.Concatenate()(gk.Flatten()(Table(ROWS, 4)(ids)), size)
    model = gk.Model([ids, size], gk.Dense(3)(both))
    sizes = RNG.standard_normal((70, 2)).astype(np.float32)
    train(model, {"ids": IDS, "size": sizes})
    y = model.predict((IDS, sizes))
    dx, dsize = model.backward(np.ones_like(model.forward((IDS, sizes))), input_gradient=True)
    assert y.shape == (70, 3)
    assert dx is None
    assert dsize.shape == (70, 2)


def test_a_profile_takes_indices() -> None:
    model = in_a_row()
    train(model, IDS)
    assert "gather" in str(model.profile(IDS, LABELS, batch_size=16, steps=2))


def test_the_reference_takes_indices() -> None:
    _, native = train(in_a_row(np.float64), IDS)
    gk.use_backend("reference")
    _, equations = train(in_a_row(np.float64), IDS)
    np.testing.assert_allclose(native, equations, rtol=1e-12)


def test_a_file_and_a_copy_keep_the_dtype(tmp_path: Path) -> None:
    model = in_a_graph("int32")
    train(model, IDS)
    model.save(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors", layers={"Table": Table})
    for again in (loaded, copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict(IDS), model.predict(IDS))
        table: Any = again.layers[0]
        assert set(table.seen) == {np.dtype("int32")}


def test_numbers_for_other_layers_are_taken_at_their_value() -> None:
    x = RNG.integers(-300, 300, (20, 4))
    model = gk.Sequential(gk.Dense(2))
    np.testing.assert_array_equal(model.predict(x), model.predict(x.astype(np.float32)))


def test_an_input_shows_its_dtype() -> None:
    assert repr(gk.Input((20,), dtype=np.int64)) == "Input((20,), dtype='int64')"
    assert repr(gk.Input((2,), name="a")) == "Input((2,), name='a')"


HALVES = IDS + np.where(np.arange(70) == 3, 0.5, 0)[:, np.newaxis]
GAPS = np.where(np.arange(70)[:, np.newaxis] == 5, np.nan, IDS)


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (
            lambda: in_a_row().fit(HALVES, LABELS, loss=ENTROPY, verbose=0),
            ValueError,
            (
                "fit: x must hold indices that are whole numbers of int64, but row 3 holds"
                f" {HALVES[3, 0]}"
            ),
        ),
        (
            lambda: in_a_row().predict(GAPS),
            ValueError,
            "predict: x must hold indices that are whole numbers of int64, but row 5 holds nan",
        ),
        (
            lambda: in_a_graph("int32").forward(IDS + 2**31),
            ValueError,
            (
                "forward: x must hold indices that are whole numbers of int32, but row 0 holds"
                f" {IDS[0, 0] + 2**31}"
            ),
        ),
        (
            lambda: in_a_row().predict(np.full((1, 6), 2**63, np.uint64)),
            ValueError,
            (
                "predict: x must hold indices that are whole numbers of int64, but row 0 holds"
                " 9223372036854775808"
            ),
        ),
        (
            lambda: in_a_row().forward([["a"] * 6]),
            TypeError,
            (
                "forward: x must hold integers, got dtype <U1; words become ids by a"
                " gyaku.data.Vocabulary"
            ),
        ),
        (
            lambda: gk.Input((6,), dtype="float32"),
            ValueError,
            (
                "Input: dtype must be 'int32' or 'int64' for indices, or None for the model's own,"
                " got 'float32'"
            ),
        ),
        (
            lambda: gk.Model(x := gk.Input((6,), dtype="int32"), gk.Dense(2, name="d")(x)),
            ValueError,
            (
                "Dense 'd': takes no indices, but its input holds indices; set takes_indices ="
                " True in a layer of your own"
            ),
        ),
        (
            lambda: gk.Model(
                x := gk.Input((6,)),
                gk.Concatenate()(gk.Flatten()(Table(2, 2)(x)), gk.Dense(2, name="d")(x)),
            ),
            ValueError,
            (
                "Dense 'd': takes no indices, but its input holds indices; set takes_indices ="
                " True in a layer of your own"
            ),
        ),
    ],
)
def test_mistakes_are_one_sentence(make: Any, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as caught:
        make()
    assert str(caught.value) == sentence
