"""Windows over time series cross no gap and look into no future; the benchmark's files."""

from __future__ import annotations

import gzip
import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyaku.data import nab, windows
from gyaku.files import FileError

HOURS = np.datetime64("2026-01-01T00") + np.arange(12)
VALUES = np.arange(12.0)


def test_targets_follow_their_windows() -> None:
    x, y, index = windows(HOURS, VALUES, 3, horizon=2)
    assert (x.shape, y.shape) == ((8, 3, 1), (8, 2, 1))
    assert x[0, :, 0].tolist() == [0, 1, 2]
    assert y[0, :, 0].tolist() == [3, 4]
    assert index.tolist() == list(range(3, 11))


def test_windows_begin_every_step_samples() -> None:
    assert windows(HOURS, VALUES, 3, step=4)[2].tolist() == [3, 7, 11]


def test_several_features_and_the_dtype_are_kept() -> None:
    x, y, _ = windows(HOURS, np.ones((12, 2), np.float32), 3)
    assert (x.shape, y.shape, x.dtype) == ((9, 3, 2), (9, 1, 2), np.float32)
    assert x.flags.c_contiguous
    assert y.flags.c_contiguous


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([1, 1, 1, 1, 1, 2, -3]), min_size=8, max_size=60),
    st.lists(st.booleans() | st.just(True), min_size=61, max_size=61),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_no_window_crosses_a_gap_or_holds_an_excluded_sample(
    differences: list[int], allowed: list[bool], length: int, horizon: int
) -> None:
    time = np.cumsum([0, *differences])
    where = np.array(allowed[: len(time)])
    span = length + horizon
    possible = [
        first + length
        for first in range(len(time) - span + 1)
        if where[first : first + span].all() and (np.diff(time[first : first + span]) == 1).all()
    ]
    values = np.arange(len(time), dtype=float)
    if not possible:
        with pytest.raises(ValueError, match="no run of"):
            windows(time, values, length, horizon=horizon, interval=1, where=where)
        return
    x, y, index = windows(time, values, length, horizon=horizon, interval=1, where=where)
    assert index.tolist() == possible
    np.testing.assert_array_equal(x[..., 0], index[:, None] + np.arange(-length, 0))
    np.testing.assert_array_equal(y[..., 0], index[:, None] + np.arange(horizon))


def test_training_windows_never_look_into_the_test() -> None:
    test = HOURS[8]
    x, y, _ = windows(HOURS, VALUES, 3, horizon=2, where=test > HOURS)
    assert max(x.max(), y.max()) == 7


def test_a_clock_that_was_set_back_is_a_gap() -> None:
    time = np.concatenate([HOURS[:6], HOURS[4:10]])
    assert windows(time, VALUES, 3)[2].tolist() == [3, 4, 5, 9, 10, 11]


@pytest.mark.parametrize("interval", [np.timedelta64(2, "h"), timedelta(hours=2), None])
def test_the_interval_is_given_or_the_median(interval: object) -> None:
    time = HOURS[0] + np.array([0, 1, 2, 4, 6, 8, 10, 12]) * np.timedelta64(60, "m")
    assert windows(time, VALUES[:8], 3, interval=interval)[2].tolist() == [5, 6, 7]


def test_missing_values_can_be_left_out() -> None:
    values = np.where(VALUES == 4, np.nan, VALUES)
    assert windows(HOURS, values, 3, where=np.isfinite(values))[2].tolist() == [3, *range(8, 12)]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: windows(HOURS, VALUES[:5], 3),
            "windows: values must have shape (12,) or (12, features), like the times, got (5,)",
        ),
        (
            lambda: windows([["a"]], VALUES, 3),
            (
                "windows: time must be datetime64 or numbers of shape (samples,), got <U1 of shape"
                " (1, 1)"
            ),
        ),
        (
            lambda: windows(HOURS, VALUES, 3, where=np.arange(12)),
            "windows: where must be bool of shape (12,), got int64 of shape (12,)",
        ),
        (
            lambda: windows(HOURS, np.full(12, np.nan), 3),
            (
                "windows: values must be finite, but sample 0 is not; leave it out by"
                " where=np.isfinite(values)"
            ),
        ),
        (
            lambda: windows(HOURS, VALUES, 10, where=VALUES != 4),
            (
                "windows: no run of 11 samples, 10 and a horizon of 1, is without a gap: the"
                " longest has 7"
            ),
        ),
        (
            lambda: windows(HOURS[::-1], VALUES, 3),
            (
                "windows: times must increase, but most are not later than those before; sort the"
                " samples by np.argsort(time)"
            ),
        ),
        (
            lambda: windows(np.zeros(12), VALUES, 3),
            "windows: times must increase, but most are not later than those before",
        ),
        (
            lambda: windows(np.arange(12), VALUES, 3, interval=0),
            "windows: interval must be positive, got 0",
        ),
        (lambda: windows([], [], 3), "windows: no run of 4 samples, 3 and a horizon of 1, is"),
        (lambda: windows(HOURS, VALUES, 0), "windows: length must be at least 1, got 0"),
    ],
)
def test_invalid_arguments_are_refused(call, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}"):
        call()


@pytest.mark.parametrize(
    ("arguments", "options", "missing"),
    [([VALUES, 3], {}, "length"), ([VALUES], {"length": 3}, "values"), ([], {}, "time and values")],
)
def test_a_series_without_times_is_refused(
    arguments: list[object], options: dict[str, object], missing: str
) -> None:
    with pytest.raises(TypeError, match=rf"^windows needs {missing}.*np.arange\(len\(values\)\)$"):
        windows(*arguments, **options)


LINES = ["timestamp,value", "2014-07-01 00:00:00,10.5", "2014-07-01 00:30:00,8"]
LABELS = {"real/pump.csv": [["2014-07-01 00:10:00.000000", "2014-07-01 00:30:00.000000"]]}


def written(folder: Path, lines: list[str], labels: object = LABELS) -> Path:
    (folder / "pump.csv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    (folder / "combined_windows.json").write_text(json.dumps(labels))
    return folder


def test_a_series_is_read_with_its_labels(tmp_path: Path) -> None:
    series = nab("pump", folder=written(tmp_path, LINES))
    assert (
        series.time.tolist() == np.array(["2014-07-01T00:00", "2014-07-01T00:30"], "M8[s]").tolist()
    )
    assert series.values.tolist() == [10.5, 8]
    assert series.labelled.tolist() == [False, True]


def test_a_series_without_anomalies_has_no_labelled_sample(tmp_path: Path) -> None:
    series = nab("pump", folder=written(tmp_path, LINES, {"pump.csv": []}))
    assert series.anomalies.shape == (0, 2)
    assert series.labelled.tolist() == [False, False]


def test_a_series_is_found_in_the_folder_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nab").mkdir()
    written(tmp_path / "nab", LINES)
    monkeypatch.setenv("GYAKU_DATA", str(tmp_path))
    assert len(nab("pump").values) == 2
    with pytest.raises(FileNotFoundError, match=r"no valve\.csv or valve\.csv\.gz in "):
        nab("valve")
    monkeypatch.delenv("GYAKU_DATA")
    with pytest.raises(FileNotFoundError, match="nab in the folder that GYAKU_DATA names"):
        nab("pump")


@pytest.mark.parametrize(
    ("lines", "labels", "sentence"),
    [
        (["time,value"], LABELS, "must begin with the line timestamp,value"),
        ([], LABELS, "must begin with the line timestamp,value"),
        ([*LINES, "2014-07-01 01:00:00,"], LABELS, "line 4 must be a time and a value, got '2014"),
        ([*LINES, "noon,1"], LABELS, "line 4 must be a time and a value, got 'noon,1'"),
        ([*LINES, "", LINES[1]], LABELS, "line 4 must be a time and a value, got ''"),
        ([LINES[0], ",10.5"], LABELS, "line 2 must be a time and a value, got ',10.5'"),
        (LINES, {}, "has no labels of pump.csv"),
        (LINES, [], "must hold pairs of times for each series"),
        (LINES, {"pump.csv": [["noon"]]}, "must hold pairs of times for each series"),
    ],
)
def test_an_invalid_file_is_refused(
    lines: list[str], labels: object, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=re.escape(sentence)):
        nab("pump", folder=written(tmp_path, lines, labels))
