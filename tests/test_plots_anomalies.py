"""The picture of anomalies shows series, score, threshold, alarms and labelled windows."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from matplotlib.dates import date2num

from gyaku.plots import anomalies

TIME = np.datetime64("2026-01-01T00") + np.array([0, 1, 2, 3, 9, 10])
VALUES = [1.0, 2.0, 9.0, 2.0, 1.0, 2.0]
SCORE = [np.nan, 0.1, 5.0, 1.0, 0.2, 1.1]
LABELLED = [[TIME[1], TIME[2]], [TIME[4], TIME[5]]]


def test_alarms_are_the_scores_above_the_threshold() -> None:
    above, below = anomalies(TIME, VALUES, SCORE, 1.0).figure.axes[1:]
    _, alarms, threshold = below.lines
    np.testing.assert_array_equal(alarms.get_ydata(), [np.nan, np.nan, 5, np.nan, np.nan, 1.1])
    assert set(threshold.get_ydata()) == {1.0}
    assert above.lines[0].get_ydata()[2] == 9


def test_no_line_is_drawn_over_a_gap() -> None:
    for panel in anomalies(TIME, VALUES, SCORE, 1.0).figure.axes[1:]:
        drawn = panel.lines[0].get_ydata()
        assert np.isnan(drawn[4])
        assert len(drawn) == 7


def test_labelled_windows_and_the_end_of_the_training_are_in_both_panels() -> None:
    axes = anomalies(TIME, VALUES, SCORE, 1.0, labelled=LABELLED, training=TIME[3])
    for panel in axes.figure.axes[1:]:
        assert [patch.get_x() for patch in panel.patches] == [date2num(w[0]) for w in LABELLED]
        assert [patch.get_width() for patch in panel.patches] == pytest.approx([1 / 24, 1 / 24])
        assert date2num(panel.lines[-1].get_xdata()[0]) == date2num(TIME[3])
    legend = axes.figure.axes[1].get_legend()
    words = [text.get_text() for text in legend.get_texts()]
    assert words == ["threshold", "alarm", "labelled", "end of training"]


@pytest.mark.parametrize("length", [1, 2, 6])
def test_a_series_without_alarms_is_drawn(length: int) -> None:
    stream = io.BytesIO()
    axes = anomalies(TIME[:length], VALUES[:length], SCORE[:length], 10.0, title="quiet")
    axes.figure.savefig(stream, format="png")
    assert stream.getvalue().startswith(b"\x89PNG")


def test_japanese_labels_use_a_japanese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.font_manager import fontManager

    monkeypatch.setattr(fontManager, "get_font_names", lambda: ["IPAexGothic"])
    axes = anomalies(TIME, VALUES, SCORE, 1.0, lang="ja")
    assert [panel.get_title(loc="left") for panel in axes.figure.axes[1:]] == ["時系列", "スコア"]
    assert axes.figure.axes[1].get_legend().get_texts()[0].get_fontfamily() == ["IPAexGothic"]


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="lang must be 'en' or 'ja', got 'fr'"):
        anomalies(TIME, VALUES, SCORE, 1.0, lang="fr")  # type: ignore[arg-type]
    shapes = re.escape("must have one shape (samples,), got (6,), (5,) and (6,)")
    with pytest.raises(ValueError, match=shapes):
        anomalies(TIME, VALUES[:5], SCORE, 1.0)
