"""Plots of models and data show the values that they are given, in given or new axes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.text import Text
from PIL import Image

import gyaku as gk
from gyaku import plots

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(6, 8, 8))
ONE_HOT = np.eye(3)
SEQUENCE = RNG.normal(size=(5, 2))


def bowl(a: Any, b: Any) -> Any:
    return a**2 + 4 * b**2


def convolutional() -> gk.Sequential:
    model = gk.Sequential(
        *[gk.Conv2D(4, 3, name="first"), gk.ReLU(), gk.Conv2D(10, 3, name="second")],
        *[gk.Flatten(), gk.Dense(3)],
        seed=0,
    )
    model.build((8, 8, 1))
    return model


def recurrent(kind: Any = gk.LSTM) -> gk.Sequential:
    return gk.Sequential(kind(4), gk.Dense(1), seed=0)


def deep(activation: Any) -> gk.Sequential:
    hidden = [part for _ in range(4) for part in (gk.Dense(8), activation())]
    return gk.Sequential(*hidden, gk.Dense(3), seed=0)


def always_one(x: Any) -> Any:
    return ONE_HOT[np.ones(len(x), int)]


CASES: dict[str, Callable[..., Axes]] = {
    "activation_histograms": lambda **to: plots.activation_histograms(
        deep(gk.Tanh), IMAGES[0], **to
    ),
    "activations": lambda **to: plots.activations(**to),
    "confusion_matrix": lambda **to: plots.confusion_matrix(np.eye(3), **to),
    "curves": lambda **to: plots.curves({"loss": [3, 2, 1]}, **to),
    "decision_boundary": lambda **to: plots.decision_boundary(
        lambda x: x[:, 0], [[0.0, 1.0], [1.0, 0.0]], [0, 1], **to
    ),
    "error_surface": lambda **to: plots.error_surface(bowl, (-2, 2), (-1, 1), **to),
    "feature_maps": lambda **to: plots.feature_maps(convolutional(), IMAGES[0][..., None], **to),
    "filters": lambda **to: plots.filters(convolutional(), **to),
    "gates": lambda **to: plots.gates(recurrent(), SEQUENCE, **to),
    "gradient_sizes": lambda **to: plots.gradient_sizes(
        deep(gk.ReLU), IMAGES[0], [0] * 8, "softmax_cross_entropy", **to
    ),
    "graph": lambda **to: plots.graph(convolutional(), **to),
    "hidden_codes": lambda **to: plots.hidden_codes(np.eye(3), **to),
    "images": lambda **to: plots.images(IMAGES, **to),
    "lr_finder": lambda **to: plots.lr_finder([0.1, 1.0, 10.0], [2.0, 1.0, 3.0], **to),
    "misclassified": lambda **to: plots.misclassified(always_one, IMAGES, [0, 1, 2] * 2, **to),
    "reconstructions": lambda **to: plots.reconstructions(lambda x: x / 2, IMAGES, **to),
}
ANIMATED = {"animate_paths", "sliding_filter"}
ELSEWHERE = {"learning_curve", "anomalies"}


def outputs_of(layers: Any, x: Any) -> Any:
    y = x.astype(np.float32)
    for layer in layers:
        y = layer.forward(y)
    return y


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def data(axes: Axes, place: int) -> Any:
    return np.asarray(axes.images[place].get_array())


def test_every_plot_has_a_case() -> None:
    assert {*CASES, *ANIMATED, *ELSEWHERE} == {*plots.__all__}


@pytest.mark.parametrize("name", CASES)
def test_a_notebook_shows_new_axes(name: str) -> None:
    axes = CASES[name]()
    axes.figure.set_dpi(50)
    picture = axes._repr_png_()  # type: ignore[attr-defined]
    assert np.ptp(np.asarray(Image.open(io.BytesIO(picture)).convert("L"))) > 100


@pytest.mark.parametrize("name", CASES)
def test_given_axes_are_drawn_into_and_returned(name: str) -> None:
    figure = Figure()
    other, given = figure.subplots(1, 2)
    assert CASES[name](ax=given) is given
    assert not other.has_data()
    assert any(axes.has_data() for axes in figure.axes)


@pytest.mark.parametrize("name", CASES)
def test_japanese_labels_use_a_japanese_font(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.font_manager import fontManager

    monkeypatch.setattr(fontManager, "get_font_names", lambda: ["IPAexGothic"])
    axes = CASES[name](lang="ja")
    texts = [each for panel in axes.figure.axes for each in panel.findobj(Text)]
    japanese = [each for each in texts if re.search("[\u3040-\u9fff]", each.get_text())]
    assert {tuple(each.get_fontfamily()) for each in japanese} <= {("IPAexGothic",)}
    assert japanese or name in {"curves", "error_surface", "images"}


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_language_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: lang must be 'en' or 'ja', got 'fr'$"):
        CASES[name](lang="fr")


def test_a_confusion_matrix_counts_targets_by_row() -> None:
    axes = plots.confusion_matrix(always_one, np.zeros((5, 2)), [0, 0, 1, 1, 2])
    cells = {text.get_position()[::-1]: text.get_text() for text in axes.texts}
    assert cells == {(0, 1): "2", (1, 1): "2", (2, 1): "1"}
    assert axes.get_title(loc="left") == "Accuracy 40.0 % of 5"
    shares = plots.confusion_matrix([[3, 1], [0, 2]], names=["no", "yes"], normalize=True)
    assert words(shares) == ["75", "25", "100"]
    assert [label.get_text() for label in shares.get_yticklabels()] == ["no", "yes"]


def test_filters_are_the_weights_of_the_layer() -> None:
    model = convolutional()
    axes = plots.filters(model)
    assert len(axes.images) == 4
    np.testing.assert_array_equal(data(axes, 2), model["first"].params["weight"][:, :, 0, 2])
    second = plots.filters(model, "second")  # one row for each of four channels
    assert len(second.images) == 4 * 8
    np.testing.assert_array_equal(data(second, 9), model["second"].params["weight"][:, :, 1, 1])
    assert len(plots.filters(model["first"]).images) == 4
    assert plots.filters(model, -3).get_title(loc="left").startswith("second: 8 of 10 filters")


def test_feature_maps_are_the_outputs_of_the_layer() -> None:
    model = convolutional()
    axes = plots.feature_maps(model, IMAGES[0][..., None], "relu")
    expected = outputs_of(model[:2], IMAGES[:1, ..., None])
    assert len(axes.images) == 4
    np.testing.assert_array_equal(data(axes, 3), expected[0, :, :, 3])


def test_misclassified_images_have_target_and_prediction() -> None:
    axes = plots.misclassified(always_one, IMAGES, [0, 1, 2, 1, 1, 0], names=["a", "b", "c"])
    assert words(axes) == ["a → b", "c → b", "a → b"]
    np.testing.assert_array_equal(data(axes, 1), IMAGES[2])
    assert axes.get_title(loc="left") == "3 of 6 wrong: target → prediction"
    assert len(plots.misclassified(always_one, IMAGES, [0] * 6, count=2).images) == 2
    assert not plots.misclassified(always_one, IMAGES, [1] * 6).images


def test_reconstructions_have_a_row_each() -> None:
    axes = plots.reconstructions(lambda x: x**2, IMAGES / IMAGES.max(), target=IMAGES, count=4)
    assert len(axes.images) == 12
    assert words(axes) == ["input", "output", "target"]
    first, output = data(axes, 0), data(axes, 4)
    np.testing.assert_allclose(output / output.max(), (first / first.max()) ** 2)
    flat = plots.reconstructions(lambda x: x, IMAGES.reshape(6, 64))
    assert data(flat, 0).shape == (8, 8)


def test_images_of_three_channels_keep_their_colours() -> None:
    colours = RNG.integers(0, 256, (2, 4, 4, 3)).astype(np.uint8)
    np.testing.assert_allclose(data(plots.images(colours), 1), colours[1] / 255)


def test_a_graph_has_the_nodes_and_edges_of_the_diagram() -> None:
    x = gk.Input((8,))
    hidden = gk.Residual(gk.Dense(8), gk.ReLU())(gk.Dense(8, "relu")(x))
    model = gk.Model(x, gk.Dense(2)(hidden))
    axes = plots.graph(model)
    diagram = model.graph()
    diagram.place()
    shown = words(axes)
    for node in diagram.nodes:
        assert all(line in shown for line in node.lines)
    named = next(text for text in axes.texts if text.get_text() == "dense_2")
    node = next(node for node in diagram.nodes if node.lines[0] == "dense_2")
    assert named.get_position()[0] == node.x
    group = next(node for node in diagram.nodes if node.inner is not None)
    assert group.inner is not None
    boxes = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    inner = [node for node in group.inner.nodes if node.kind != "port"]
    assert len(boxes) == len(diagram.nodes) + len(inner)
    assert len(arrows) == len(diagram.edges) + len(group.inner.edges)


def test_the_graph_of_an_expression_has_values_gradients_and_a_legend() -> None:
    price = gk.Variable(100, "apple") * gk.Variable(2, "count")
    axes = plots.graph(price)
    assert {"apple", "200", "2", "forward: value", "backward: gradient"} <= set(words(axes))
    small = plots.graph(price, ax=Figure(figsize=(2, 1)).subplots())
    sizes = [text.get_fontsize() for text in (axes.texts[0], small.texts[0])]
    assert sizes[1] < sizes[0] / 2


def test_axes_of_whole_numbers_have_whole_ticks() -> None:
    axes = plots.curves({"wrong": (np.arange(3), [3.0, 1.0, 0.0])})
    assert all(float(tick).is_integer() for tick in [*axes.get_xticks(), *axes.get_yticks()])
    ticks = plots.curves({"loss": (np.arange(3), [0.3, 0.1, 0.0])}).get_yticks()
    assert not all(float(tick).is_integer() for tick in ticks)


def test_hidden_codes_are_written_and_placed_on_a_cube() -> None:
    _, table, cube = plots.hidden_codes(np.array([[0.0, 1.0, 0.25], [1.0, 0.0, 0.0]])).figure.axes
    assert words(table) == ["0.00", "1.00", "0.25", "1.00", "0.00", "0.00"]
    assert words(cube)[:2] == ["1", "2"]
    np.testing.assert_allclose(cube.collections[0].get_offsets()[1], [1, 0])
    assert cube.get_title(loc="left") == "2 of 2 distinct once rounded"
    model = gk.Sequential(gk.Dense(3), gk.Sigmoid(), gk.Dense(8), gk.Sigmoid(), seed=0)
    drawn = plots.hidden_codes(model, np.eye(8), names=list("abcdefgh")).figure.axes[1]
    np.testing.assert_allclose(data(drawn, 0), outputs_of(model[:2], np.eye(8)), rtol=1e-6)


def test_a_decision_boundary_shows_the_regions() -> None:
    gate = gk.Perceptron([1.0, 1.0], bias=-1.5)
    corners = np.array([*np.ndindex(2, 2)])
    axes = plots.decision_boundary(gate, corners, gate(corners))
    region = data(axes, 0)
    assert region[-1, -1] == 1
    assert region[0].max() == region[:, 0].max() == 0
    assert [len(each.get_offsets()) for each in axes.collections] == [3, 1]
    logits = plots.decision_boundary(lambda x: x[:, :1] - 0.25, corners, [0, 0, 1, 1], threshold=0)
    assert data(logits, 0).mean() == pytest.approx((1.15 - 0.25) / 1.3, abs=0.01)


def test_an_error_surface_shows_paths_by_name() -> None:
    paths = {"a": [[1, 1], [0, 0.5]], "b": [[1, 1], [0, 0]]}
    axes = plots.error_surface(bowl, (-2, 2), (-1, 1), paths=paths)
    for line, points in zip(axes.lines, paths.values(), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), points)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "start"]
    assert (axes.get_xlim(), axes.get_ylim()) == ((-2, 2), (-1, 1))


def frames(path: Path) -> int:
    with Image.open(path) as picture:
        return int(getattr(picture, "n_frames", 1))


def test_an_animation_is_saved_and_shown(tmp_path: Path) -> None:
    film = plots.animate_paths(bowl, (-2, 2), (-1, 1), {"a": [[1, 1], [0.5, 0.5], [0, 0]]})
    film.save(tmp_path / "paths.gif")
    assert frames(tmp_path / "paths.gif") == 3
    slide = plots.sliding_filter(np.arange(9).reshape(3, 3), [[1, 0], [0, -1]], lang="en")
    html = slide._repr_html_()  # type: ignore[attr-defined, no-untyped-call]
    assert html.startswith('<img alt="animation" src="data:image/gif;base64,')


def test_a_sliding_filter_leaves_the_sums_of_a_convolution() -> None:
    image = RNG.integers(0, 5, (5, 5))
    kernel = RNG.integers(-2, 3, (3, 3))
    film: Any = plots.sliding_filter(image, kernel, stride=2)
    film._func(3)
    output = film._fig.axes[3]
    expected = gk.ops.conv2d(
        image[None, :, :, None].astype(float), kernel[:, :, None, None].astype(float), stride=2
    )
    np.testing.assert_array_equal(data(output, 0), expected[0, :, :, 0])
    assert words(output) == [f"{value:.3g}" for value in expected.ravel()]
    film._func(1)
    assert [text.get_visible() for text in output.texts] == [True, True, False, False]


def test_gradient_sizes_are_those_of_the_weights_and_of_the_update() -> None:
    model, x, y = deep(gk.Tanh), IMAGES[0], np.arange(8) % 3
    model.build((8,))
    before = model.flat_params.copy()
    optimizer = gk.SGD(0.1)
    axes = plots.gradient_sizes(model, x, y, "softmax_cross_entropy", optimizer=optimizer)
    np.testing.assert_array_equal(model.flat_params, before)
    _, dy = gk.losses.SoftmaxCrossEntropy()(model.forward(x, training=True), y)
    model.backward(dy)
    sizes = [np.sqrt((g**2).mean()) for name, g in model.grads.items() if "weight" in name]
    gradient, update = axes.lines
    np.testing.assert_allclose(gradient.get_ydata(), sizes, rtol=1e-5)
    np.testing.assert_allclose(update.get_ydata(), 0.1 * np.array(sizes), rtol=1e-3)
    assert axes.get_yscale() == "log"


def test_gradient_sizes_compare_models_by_name() -> None:
    models = {"sigmoid": deep(gk.Sigmoid), "relu": deep(gk.ReLU)}
    axes = plots.gradient_sizes(models, IMAGES[0], [0] * 8, "softmax_cross_entropy")
    sigmoid, relu = axes.lines
    assert [sigmoid.get_label(), relu.get_label()] == ["sigmoid", "relu"]
    assert sigmoid.get_ydata()[0] < 0.01 * sigmoid.get_ydata()[-1]


def test_histograms_count_every_output() -> None:
    model = deep(gk.ReLU)
    panels = plots.activation_histograms(model, IMAGES[0]).figure.axes[1:]
    assert [panel.get_title(loc="left") for panel in panels] == [
        "relu",
        "relu_2",
        "relu_3",
        "relu_4",
    ]
    outputs = outputs_of(model[:2], IMAGES[0])
    heights = [bar.get_height() for bar in panels[0].patches]
    assert sum(heights) == pytest.approx(1)
    assert heights[0] >= (outputs == 0).mean()
    chosen = plots.activation_histograms(model, IMAGES[0], layers=["dense_2", -1]).figure.axes
    assert [panel.get_title(loc="left") for panel in chosen[1:]] == ["dense_2", "dense_5"]


@pytest.mark.parametrize(("kind", "count"), [(gk.LSTM, 3), (gk.GRU, 2)])
def test_gates_are_those_of_the_equations(kind: Any, count: int) -> None:
    model = recurrent(kind)
    axes = plots.gates(model, SEQUENCE)
    layer = model[0]
    split = np.split(layer.params["weight"], layer.gates, axis=1)
    place = {gk.LSTM: 1, gk.GRU: 1}[kind]  # forget gate, update gate
    bias = np.split(layer.params["bias"], layer.gates)[place]
    first = 1 / (1 + np.exp(-(SEQUENCE[0] @ split[place] + bias)))
    panels = [panel for panel in axes.figure.axes if panel.images][:count]
    assert data(panels[1], 0).shape == (4, 5)
    np.testing.assert_allclose(data(panels[1], 0)[:, 0], first, rtol=1e-5)


def test_activations_have_their_derivatives_beside_them() -> None:
    _, functions, derivatives = plots.activations(["tanh", gk.Softmax()]).figure.axes
    x = functions.lines[0].get_xdata()
    np.testing.assert_allclose(functions.lines[0].get_ydata(), np.tanh(x), atol=1e-6)
    np.testing.assert_allclose(derivatives.lines[0].get_ydata(), 1 - np.tanh(x) ** 2, atol=1e-6)
    softmax = np.exp(x) / (np.exp(x) + 2)
    np.testing.assert_allclose(derivatives.lines[1].get_ydata(), softmax * (1 - softmax), atol=1e-6)


def test_the_rate_of_the_steepest_loss_is_marked() -> None:
    axes = plots.lr_finder([0.001, 0.01, 0.1, 1.0], [2.3, 2.2, 0.9, 50.0])
    assert axes.lines[1].get_xdata()[0] == pytest.approx(10**-1.5)
    assert axes.get_ylim()[1] < 5
    assert axes.get_xscale() == "log"
