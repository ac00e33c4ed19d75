"""Names of the columns of data frames: those of the training, in its order."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import gyaku as gk
from gyaku import safetensors

VALUES = {name: np.random.default_rng(i).normal(size=12) for i, name in enumerate("abc")}
Y = np.arange(12.0)


def frame(names: str, kind: Any = pd.DataFrame) -> Any:
    return kind({new: VALUES.get(new, VALUES["a"]) for new in names})


@pytest.fixture
def model() -> gk.Model:
    made = gk.Sequential(gk.Dense(1))
    made.fit(frame("abc"), Y, loss="mse", verbose=0)
    return made


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_columns_in_another_order_are_refused(model: gk.Model, kind: Any) -> None:
    assert model.columns == (("a", "b", "c"),)
    moved = frame("bac", kind)
    text = r"x must have the columns of the training, but has them in another order"
    with pytest.raises(ValueError, match=f"^predict: {text}"):
        model.predict(moved)
    with pytest.raises(ValueError, match=f"^evaluate: {text}"):
        model.evaluate(moved, Y)
    with pytest.raises(ValueError, match=f"^fit: validation_data's {text}"):
        model.fit(frame("abc"), Y, validation_data=(moved, Y), verbose=0)
    found = model.predict(moved[[*model.columns[0]]])
    np.testing.assert_array_equal(found, model.predict(frame("abc")))


@pytest.mark.parametrize(
    ("names", "what"), [("abz", "lacks 'c' and has 'z'"), ("ab", "lacks 'c'"), ("abcz", "has 'z'")]
)
def test_other_columns_are_named(model: gk.Model, names: str, what: str) -> None:
    with pytest.raises(ValueError, match=f"columns of the training, but {what}$"):
        model.predict(frame(names))


def test_what_has_no_names_is_taken_by_position(model: gk.Model) -> None:
    expected = model.predict(frame("abc"))
    numbers = frame("abc").to_numpy()
    np.testing.assert_array_equal(model.predict(numbers), expected)
    np.testing.assert_array_equal(model.predict(pd.DataFrame(numbers)), expected)


def test_the_last_fit_tells_the_names(model: gk.Model) -> None:
    model.fit(frame("bca"), Y, verbose=0)
    assert [*model.columns] == [("b", "c", "a")]
    model.fit(frame("abc").to_numpy(), Y, verbose=0)
    assert not model.columns
    model.predict(frame("cab"))


def test_copies_and_files_keep_the_names(model: gk.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    for each in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), gk.load(path)):
        assert each.columns == model.columns


@pytest.mark.parametrize("columns", [[[1, 2, 3]], [["a"], ["b"]], 3])
def test_files_with_wrong_names_are_refused(
    model: gk.Model, tmp_path: Path, columns: object
) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    tensors, metadata = safetensors.read(path)
    described = json.loads(metadata["gyaku.architecture"]) | {"columns": columns}
    metadata = {"gyaku.architecture": json.dumps(described)} | {
        key: value
        for key, value in metadata.items()
        if key not in ("gyaku.architecture", "gyaku.checksum")
    }
    safetensors.write(path, tensors, metadata)
    with pytest.raises(ValueError, match="invalid model description"):
        gk.load(path)


def test_each_input_has_its_names() -> None:
    one, other = gk.Input((2,), name="one"), gk.Input((1,), name="other")
    model = gk.Model((one, other), gk.Dense(1)(gk.Concatenate()(one, other)))
    model.fit((frame("ab"), VALUES["c"][:, None]), Y, loss="mse", verbose=0)
    assert model.columns == (("a", "b"), ())
    with pytest.raises(ValueError, match=r"^predict: x\['one'\] must have the columns"):
        model.predict({"one": frame("ba"), "other": frame("c")})
