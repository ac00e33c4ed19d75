"""The learning curve shows what the history holds, needs no screen and changes nothing global."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from child import output
from gyaku.history import History
from gyaku.plots import learning_curve

CURVES = {
    "loss": [0.9, 0.4, 0.2],
    "accuracy": [0.7, 0.9, 0.95],
    "val_loss": [0.8, 0.5, 0.4],
    "val_accuracy": [0.75, 0.85, 0.875],
}


def png(axes: Axes) -> bytes:
    picture = axes._repr_png_()
    assert isinstance(picture, bytes)
    return picture


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for panel in axes.figure.axes for text in panel.texts]


def test_each_quantity_has_a_panel_with_both_curves() -> None:
    panels = learning_curve(CURVES).figure.axes[1:]
    assert [panel.get_title(loc="left") for panel in panels] == ["Loss", "Accuracy"]
    for panel, quantity in zip(panels, ["loss", "accuracy"], strict=True):
        training, validation = panel.lines
        np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
        np.testing.assert_array_equal(training.get_ydata(), CURVES[quantity])
        np.testing.assert_array_equal(validation.get_ydata(), CURVES[f"val_{quantity}"])


def test_the_curves_are_labelled_at_their_ends_with_the_last_value() -> None:
    assert texts(learning_curve(CURVES)) == [
        *["training 0.2", "validation 0.4"],
        *["validation 87.5 %", "training 95.0 %"],
    ]
    assert "test 0.4" in texts(learning_curve(CURVES, names=("train", "test")))


@pytest.mark.parametrize("gap", [0.0, 1e-9, 0.01])
def test_labels_of_curves_that_end_together_do_not_touch(gap: float) -> None:
    axes = learning_curve({"loss": [1.0, 0.5], "val_loss": [1.0, 0.5 + gap]})
    png(axes)
    lower, upper = (text.get_window_extent() for text in axes.texts)
    assert not lower.overlaps(upper)


def test_the_history_of_a_training_is_drawn() -> None:
    history = History(samples=10)
    history.extend({"loss": [0.5, 0.25], "val_loss": [float("nan"), 0.3]}, seconds=0.1)
    axes = learning_curve(history)
    np.testing.assert_array_equal(axes.lines[1].get_xdata(), [2])
    assert texts(axes) == ["training 0.25", "validation 0.3"]


@pytest.mark.parametrize(
    "history",
    [
        {"loss": [0.5]},
        {"loss": [0.0, 0.0]},
        {"loss": [float("nan")]},
        {"loss": [1.0, float("inf")]},
        {"loss": [1000.0, 1e-6]},
        {"loss": list(np.geomspace(5, 1e-3, 500))},
        {"loss": [-1.0, -2.0]},
        {"accuracy": [0.0, 1.0]},
        {"loss": [1.0, 0.5], "mean_squared_error": [0.2, 0.1]},
    ],
    ids=["one epoch", "zeros", "NaN", "infinite", "steep", "long", "negative", "bare", "metric"],
)
def test_any_history_can_be_drawn(history: dict[str, list[float]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert png(learning_curve(history)).startswith(b"\x89PNG")


def test_it_draws_into_given_axes() -> None:
    upper, lower = Figure().subplots(2, 1)
    assert learning_curve({"loss": [0.5, 0.4]}, upper) is upper
    assert learning_curve(CURVES, lower) is lower
    assert [len(axes.lines) for axes in upper.figure.axes] == [1, 0, 2, 2]
    box = lower.get_position()
    for panel in lower.figure.axes[2:]:
        assert box.contains(*panel.get_position().get_points().mean(axis=0))
    placed = Figure().add_axes((0.5, 0.1, 0.4, 0.8))
    left = learning_curve(CURVES, placed).figure.axes[1]
    assert left.get_position().x0 == pytest.approx(0.5)


def test_a_logarithmic_scale_says_so() -> None:
    assert learning_curve({"loss": [1.0, 0.1]}).get_title(loc="left") == "Loss"
    steep = learning_curve({"loss": [1.0, 0.01]})
    assert (steep.get_yscale(), steep.get_title(loc="left")) == ("log", "Loss (log scale)")


@pytest.mark.parametrize("history", [{}, {"loss": []}, History()])
def test_an_empty_history_is_refused(history) -> None:
    with pytest.raises(ValueError, match="no finished epoch to draw"):
        learning_curve(history)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="lang must be 'en' or 'ja', got 'fr'"):
        learning_curve(CURVES, lang="fr")  # type: ignore[arg-type]


def test_japanese_labels_use_a_japanese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.font_manager import fontManager

    monkeypatch.setattr(fontManager, "get_font_names", lambda: ["Noto Sans CJK JP"])
    _, loss, accuracy = learning_curve(CURVES, lang="ja").figure.axes
    assert loss.get_title(loc="left") == "損失"
    assert accuracy.texts[0].get_fontfamily() == ["Noto Sans CJK JP"]


def test_without_a_japanese_font_the_labels_are_english(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.font_manager import fontManager

    monkeypatch.setattr(fontManager, "get_font_names", lambda: ["DejaVu Sans"])
    with pytest.warns(UserWarning, match="no Japanese font was found"):
        axes = learning_curve(CURVES, lang="ja")
    assert axes.figure.axes[1].get_title(loc="left") == "Loss"


def test_no_screen_and_no_global_state_are_needed() -> None:
    printed = output(
        f"""
        import io, sys
        import matplotlib
        before = dict(matplotlib.rcParams)
        from gyaku.plots import learning_curve
        learning_curve({CURVES!r}).figure.savefig(io.BytesIO(), format="png")
        print("matplotlib.pyplot" in sys.modules, dict(matplotlib.rcParams) == before)
        """,
        DISPLAY="",
        MPLBACKEND="TkAgg",
    )
    assert printed == "False True"
