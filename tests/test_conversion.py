"""Whatever holds numbers is taken, and what does not is named in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gyaku as gk

ENTROPY = "softmax_cross_entropy"
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.standard_normal((40, 2)), RNG.integers(0, 2, (40, 2))], 1)
LABELS = np.arange(40) % 2


class Columns:
    """A table as pandas has it: names, and an object array if columns differ in dtype."""

    columns = ("size", "weight", "is_red", "is_blue")

    def __init__(self, *values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(list(zip(*self.values, strict=True)), dtype=object)


class Sparse:
    """A sparse matrix as SciPy has it: no array for NumPy."""

    shape = (40, 4)

    def toarray(self) -> Any:
        return X


class Loader:
    """A loader of batches."""

    def __iter__(self) -> Iterator[Any]:
        return iter([X])


def losses(x: Any, y: Any = LABELS) -> list[float]:
    history = gk.Sequential(gk.Dense(2)).fit(x, y, loss=ENTROPY, epochs=2, verbose=0)
    return history["loss"]


@pytest.mark.parametrize(
    "x",
    [
        Columns(X[:, 0], X[:, 1], X[:, 2].astype(bool), X[:, 3].astype(bool)),
        X.astype(object),
        [[Fraction(each) for each in row] for row in X],
        [[*row[:2].tolist(), bool(row[2]), np.float32(row[3])] for row in X],
    ],
    ids=["frame", "objects", "fractions", "mixed lists"],
)
def test_objects_that_are_numbers_are_numbers(x: Any) -> None:
    assert losses(x) == losses(X)


@pytest.mark.parametrize("kind", [int, np.uint8, bool, np.bool_], ids=repr)
def test_class_numbers_may_be_objects(kind: Any) -> None:
    y = np.array([kind(label) for label in LABELS], object)
    assert losses(X, y) == losses(X)


def test_a_frame_of_floats_and_dummies_trains() -> None:
    frame = pd.DataFrame({"size": X[:, 0], "colour": np.array(["red", "blue"])[LABELS]})
    dummies = pd.get_dummies(frame)
    assert losses(dummies) == losses(dummies.astype(float).to_numpy())
    with pytest.raises(TypeError) as caught:
        losses(frame)
    assert str(caught.value) == (
        "fit: x must hold real numbers, but column 'colour' holds 'red' in row 0;"
        " pandas.get_dummies makes numbers of a column of names"
    )


def words() -> Any:
    return Columns(X[:, 0], X[:, 1], X[:, 2], ["no"] * 40)


@pytest.mark.parametrize(
    ("x", "sentence"),
    [
        (
            words(),
            (
                "fit: x must hold real numbers, but column 'is_blue' holds 'no' in row 0;"
                " pandas.get_dummies makes numbers of a column of names"
            ),
        ),
        (
            np.array(words()),
            (
                "fit: x must hold real numbers, but column 3 holds 'no' in row 0;"
                " pandas.get_dummies makes numbers of a column of names"
            ),
        ),
        (
            Columns(X[:, 0], X[:, 1], X[:, 2], [1] * 7 + [None] * 33),
            "fit: x must hold real numbers, but column 'is_blue' holds None in row 7",
        ),
        (
            [[Decimal(1), 2.0]] * 40,
            "fit: x must hold real numbers, but column 0 holds Decimal('1') in row 0",
        ),
        (None, "fit: x must be an array of samples, got None"),
        (
            Sparse(),
            "fit: x must be an array of samples, got a sparse Sparse; x.toarray() makes it one",
        ),
        (
            (row for row in X),
            (
                "fit: x is a generator, whose batches hold their own y; leave y out, or give"
                " np.array(list(x)) if it yields single samples"
            ),
        ),
        (
            map(list, X),
            (
                "fit: x is a map, whose batches hold their own y; leave y out, or give"
                " np.array(list(x)) if it yields single samples"
            ),
        ),
        ({1, 2}, "fit: x must be an array of samples, got a set, which has no order; a list has"),
        (
            Loader(),
            (
                "fit: x is a Loader, whose batches hold their own y; leave y out, or give"
                " np.array(list(x)) if it yields single samples"
            ),
        ),
        (X.astype(complex), "fit: x must hold real numbers, got dtype complex128"),
    ],
    ids=[
        *("frame of words", "words", "gaps", "decimals", "none", "sparse", "generator", "map"),
        *("set", "loader", "complex"),
    ],
)
def test_what_holds_no_numbers_is_one_sentence(x: Any, sentence: str) -> None:
    with pytest.raises(TypeError) as caught:
        losses(x)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("y", [np.array(["a", "b"] * 20), np.array(["a", "b"] * 20, object)])
def test_names_of_classes_are_one_sentence(y: Any) -> None:
    with pytest.raises(TypeError, match=r"y must hold real numbers, .*np\.unique\(y, return_inv"):
        losses(X, y)
