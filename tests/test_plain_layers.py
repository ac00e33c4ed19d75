"""Layers in plain NumPy: equal to PyTorch's, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk

EPS = np.finfo(np.float64).eps


def of_torch(function: Callable[..., Any], *inputs: np.ndarray, dy: np.ndarray) -> list[Any]:
    """Return the outputs of a function with the channels first, and the gradients."""
    torch = pytest.importorskip("torch")
    first = [torch.from_numpy(np.moveaxis(x, -1, 1).copy()).requires_grad_() for x in inputs]
    y = function(*first)
    y.backward(torch.from_numpy(np.moveaxis(dy, -1, 1).copy()))
    return [np.moveaxis(x.detach().numpy(), 1, -1) for x in (y, *(each.grad for each in first))]


def as_pytorch(layer: gk.Layer, function: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    """Hold a layer's outputs and gradients against a function of PyTorch."""
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(2, *shape)) for shape in shapes]
    given = [gk.Input(shape) for shape in shapes]
    model = gk.Model(given, layer(*given), dtype="float64")
    x = tuple(inputs) if len(inputs) > 1 else inputs[0]
    y = model.forward(x, training=True)
    dy = rng.normal(size=y.shape)
    dx = model.backward(dy, input_gradient=True)
    found = [y, *(dx if len(inputs) > 1 else [dx])]
    for ours, theirs in zip(found, of_torch(function, *inputs, dy=dy), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=100 * EPS)


def functional() -> Any:
    return pytest.importorskip("torch").nn.functional


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_is_that_of_pytorch(mode: str) -> None:
    as_pytorch(
        gk.Pad(((1, 2), (3, 0)), mode),
        lambda x: functional().pad(x, (3, 0, 1, 2), mode=mode),
        (4, 5, 3),
    )


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("options", [{"scale": 2}, {"scale": (1.5, 0.7)}, {"size": (7, 3)}])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_upsampling_is_that_of_pytorch(mode: str, options: dict[str, Any], align: bool) -> None:
    if align and mode.startswith("nearest"):
        return
    more = {"align_corners": align} if mode.startswith("bi") else {}
    theirs = {"size": options.get("size"), "scale_factor": options.get("scale")}
    as_pytorch(
        gk.Upsample(**options, mode=mode, align_corners=align),
        lambda x: functional().interpolate(x, **theirs, mode=mode, **more),
        (4, 5, 3),
    )


def test_volumes_are_upsampled_as_in_pytorch() -> None:
    as_pytorch(
        gk.Upsample((2, 1, 3), mode="trilinear"),
        lambda x: functional().interpolate(x, scale_factor=(2.0, 1.0, 3.0), mode="trilinear"),
        (2, 3, 2, 1),
    )


def test_selected_elements_are_those_of_numpy() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3))
    for layer, expected in (
        (gk.Crop(((1, 0), (2, 1))), x[:, 1:, 2:-1]),
        (gk.Slice(1, -1, 2, axis=2), x[:, :, 1:-1:2]),
        (gk.Slice(step=-1, axis=-1), x[..., ::-1]),
        (gk.Permute((3, 1, 2)), x.transpose(0, 3, 1, 2)),
        (
            gk.Pad(((0, 0), (2, 0)), "symmetric"),
            np.pad(x, ((0,) * 2,) * 2 + ((2, 0), (0, 0)), "symmetric"),
        ),
    ):
        found = gk.Sequential(layer, dtype="float64").forward(x)
        np.testing.assert_array_equal(found, expected)


def test_infinity_stays_where_it_is() -> None:
    x = np.array([1.0, np.inf, 2.0]).reshape(1, 3, 1)
    padded = gk.Sequential(gk.Pad(1)).forward(x)
    np.testing.assert_array_equal(padded.ravel(), [0, 1, np.inf, 2, 0])


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (lambda: gk.Pad(1, "mirror"), (3, 2), 'Pad: mode must be one of "constant", "reflect", '),
        (lambda: gk.Pad("same"), (3, 2), "padding must be an integer or a pair, got 'same'"),
        (lambda: gk.Pad(-1), (3, 2), "Pad 'pad': padding must be at least 0, got -1"),
        (lambda: gk.Pad((1, 2, 3)), (3, 3, 2), r"must be an integer, a pair or .*\(1, 2, 3\)"),
        (lambda: gk.Pad(1, "reflect"), (1, 2), 'mode "reflect" needs at least 2 elements along'),
        (lambda: gk.Pad(1), (), "needs samples of at least one axis, got shape"),
        (lambda: gk.Crop(2), (4, 5), r"cropping 2 leaves nothing of samples of shape \(4, 5\)"),
        (lambda: gk.Crop("all"), (4, 5), "cropping must be an integer or a pair, got 'all'"),
        (lambda: gk.Slice(5), (4, 2), "the slice 5:None:1 of axis 1 leaves nothing of samples"),
        (lambda: gk.Slice(axis=3), (4, 2), r"samples of shape \(4, 2\) have no axis 3"),
        (lambda: gk.Slice(axis=0), (4, 2), "axis 0 is that of the samples, 1 the first of a"),
        (lambda: gk.Slice(step=0), (4, 2), "Slice: step must not be 0"),
        (lambda: gk.Permute((0, 1)), (4, 2), "an axis must be at least 1, got 0"),
        (lambda: gk.Permute((2, 2)), (4, 2), r"must be a permutation of 1 to 2, got \(2, 2\)"),
        (lambda: gk.Permute((2, 1)), (4,), r"axes \(2, 1\) are 2, samples of shape \(4,\) have 1"),
        (lambda: gk.Upsample(0), (4, 2), "scale must be positive, got 0"),
        (lambda: gk.Upsample((2, 2)), (4, 2), r"scale must be a number or 1 of them, got \(2, 2\)"),
        (lambda: gk.Upsample(size=2.5), (4, 2), "size must be an integer, got 2.5"),
        (lambda: gk.Upsample(2, size=3), (4, 2), "Upsample: takes scale or size, got both"),
        (lambda: gk.Upsample(0.1), (4, 2), "scale 0.1 leaves nothing of 4 elements"),
        (lambda: gk.Upsample(2, mode="area"), (4, 2), "mode must be one of \"nearest\", .* 'area'"),
        (lambda: gk.Upsample(align_corners=True), (4, 2), "align_corners is for interpolation"),
        (lambda: gk.Upsample(), (4,), r"must have axes before the channels, got shape \(4,\)"),
    ],
)
def test_a_senseless_argument_is_refused(layer: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        gk.Sequential(layer()).build(shape)
