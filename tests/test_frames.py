"""Data frames and series of pandas, polars and narwhals, by the rule of their dtypes."""

from __future__ import annotations

import sys
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest

import gyaku as gk
from gyaku.train.frames import from_frame

COLUMNS: dict[str, Any] = {
    "size": [0.5, 1.5, -2.0, 3.0],
    "count": [1, 2, 3, 4],
    "new": [True, False, False, True],
}
COLOURS = ["red", "blue", "green", "blue"]
# Categories in alphabetical order: blue, green, red.
ROWS = np.array(
    [[0.5, 1, 1, 0, 0, 1], [1.5, 2, 0, 1, 0, 0], [-2, 3, 0, 0, 1, 0], [3, 4, 1, 1, 0, 0]]
)
LABELS = [2, 0, 1, 0]


def in_pandas() -> Any:
    frame = pd.DataFrame(COLUMNS)
    frame["colour"] = pd.Categorical(COLOURS)
    return frame


def in_polars() -> Any:
    return pl.DataFrame(COLUMNS | {"colour": pl.Series(COLOURS, dtype=pl.Categorical)})


FRAMES = [in_pandas, in_polars, lambda: nw.from_native(in_polars())]


@pytest.mark.parametrize("make", FRAMES, ids=["pandas", "polars", "narwhals"])
def test_a_frame_trains_like_its_numbers(make: Any) -> None:
    frame = make()
    options: dict[str, Any] = {"loss": "softmax_cross_entropy", "epochs": 2, "verbose": 0}
    one, other = (gk.Sequential(gk.Dense(3)) for _ in range(2))
    history = one.fit(frame, frame["colour"], sample_weight=frame["count"], **options)
    expected = other.fit(ROWS, LABELS, sample_weight=[1, 2, 3, 4], **options)
    assert dict(history) == dict(expected)
    np.testing.assert_array_equal(one.predict(frame), other.predict(ROWS))
    np.testing.assert_array_equal(from_frame("fit", "x", frame), ROWS)


def test_columns_of_one_dtype_keep_it() -> None:
    for dtype in (np.float32, np.uint8, np.int64, np.bool_):
        values = np.ones((3, 2), dtype)
        for frame in (pd.DataFrame(values), pl.DataFrame(values)):
            found: Any = from_frame("fit", "x", frame)
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, values)


def test_categories_have_their_own_order() -> None:
    order = ["red", "green", "blue"]
    for series in (
        pd.Series(pd.Categorical(COLOURS, categories=order)),
        pd.Series(pd.Categorical(COLOURS, categories=order, ordered=True)),
        pl.Series(COLOURS, dtype=pl.Enum(order)),
    ):
        np.testing.assert_array_equal(from_frame("fit", "y", series), [0, 2, 1, 2])
    # That of polars' other categories depends on the strings seen before: it is alphabetical here.
    pl.Series(["red", "zinc"], dtype=pl.Categorical)
    series = pl.Series(COLOURS, dtype=pl.Categorical)
    np.testing.assert_array_equal(from_frame("fit", "y", series), LABELS)


def test_nullable_columns_are_numbers() -> None:
    frame = pd.DataFrame(
        {
            "a": pd.array([1, 2, 3], "Int64"),
            "b": pd.array([True, False, True], "boolean"),
            "c": pd.array([0.5, 1.5, 2.5], "Float64"),
        }
    )
    expected = [[1, 1, 0.5], [2, 0, 1.5], [3, 1, 2.5]]
    np.testing.assert_array_equal(from_frame("fit", "x", frame), expected)
    objects = pd.DataFrame({"a": np.array([True, False], object), "b": [1.5, 2.5]})
    np.testing.assert_array_equal(from_frame("fit", "x", objects), [[1, 1.5], [0, 2.5]])


def fit(x: Any, y: Any = (0, 1, 0, 1)) -> None:
    gk.Sequential(gk.Dense(2)).fit(x, y, loss="softmax_cross_entropy", verbose=0)


BAD: list[tuple[Any, Any, str]] = [
    (
        lambda: pl.DataFrame({"a": [1.0, 2.0], "colour": ["red", "blue"]}),
        TypeError,
        (
            "fit: x must hold real numbers, but column 'colour' holds 'red' in row 0; a column of"
            " names must be categories, which are taken as 0 and 1"
        ),
    ),
    (
        lambda: pl.DataFrame({"a": [1, None, 3], "b": [1, 2, 3]}),
        ValueError,
        "fit: column 'a' of x has no value in row 1; fill or drop what is missing",
    ),
    (
        lambda: pd.DataFrame({"a": pd.array([1, None], "Int64")}),
        ValueError,
        "fit: column 'a' of x has no value in row 1; fill or drop what is missing",
    ),
    (
        lambda: pd.DataFrame({"a": pd.Categorical(["u", None])}),
        ValueError,
        "fit: column 'a' of x has no value in row 1; fill or drop what is missing",
    ),
    (
        lambda: pl.DataFrame({"a": [1.0, None], "b": [1, 2]}),
        ValueError,
        "fit: x must be finite, but column 'a' holds nan in row 1; fill or drop what is missing",
    ),
    (
        lambda: pd.DataFrame({"day": pd.to_datetime(["2026-01-01", "2026-01-02"])}),
        TypeError,
        "fit: x must hold real numbers, but column 'day' holds ",
    ),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD, ids=range(len(BAD)))
def test_what_holds_no_numbers_is_one_sentence(make: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind) as caught:
        fit(make())
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("series", [pd.Series(["a", "b"] * 2), pl.Series(["a", "b"] * 2)])
def test_names_of_classes_are_one_sentence(series: Any) -> None:
    with pytest.raises(TypeError, match=r"y must hold real numbers, .*np\.unique\(y, return_inv"):
        fit(np.ones((4, 2)), series)


def test_without_narwhals_a_frame_is_what_numpy_makes_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "narwhals", None)
    frame = pd.DataFrame(COLUMNS)
    assert from_frame("fit", "x", frame) is frame
    fit(frame)


def test_arrays_do_not_import_narwhals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "narwhals", None)
    for given in (np.ones(3), [1.0, 2.0], memoryview(b"abc"), range(3)):
        assert from_frame("fit", "x", given) is given
