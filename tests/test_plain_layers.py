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


ACTIVATIONS: dict[str, tuple[Callable[[], gk.Layer], Callable[[Any], Any]]] = {
    "gelu_tanh": (gk.GELUTanh, lambda x: functional().gelu(x, approximate="tanh")),
    "leaky": (lambda: gk.LeakyReLU(-0.3), lambda x: functional().leaky_relu(x, -0.3)),
    "softplus": (lambda: gk.Softplus(2.0, 0.5), lambda x: functional().softplus(x, 2.0, 0.5)),
    "softmax": (lambda: gk.Softmax(2), lambda x: functional().softmax(x, 3)),
    "log_softmax": (lambda: gk.LogSoftmax(1), lambda x: functional().log_softmax(x, 2)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_parameters_of_activations_are_those_of_pytorch(name: str) -> None:
    layer, function = ACTIVATIONS[name]
    as_pytorch(layer(), function, (3, 4, 2))


def test_a_divisor_is_that_of_pytorch() -> None:
    for ceil in (False, True):
        as_pytorch(
            gk.AvgPool2D(3, 2, padding=1, ceil_mode=ceil, divisor_override=4),
            lambda x, ceil=ceil: functional().avg_pool2d(x, 3, 2, 1, ceil, divisor_override=4),
            (4, 6, 2),
        )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_adaptive_pooling_is_that_of_pytorch(kind: str, axes: int, size: int) -> None:
    name = f"adaptive_{kind.lower()}_pool{axes}d"
    as_pytorch(
        getattr(gk, f"Adaptive{kind}Pool{axes}D")(size),
        lambda x: getattr(functional(), name)(x, size),
        (*(5, 4, 3)[:axes], 2),
    )


@pytest.mark.parametrize("ceil", [False, True])
def test_volumes_are_pooled_as_in_pytorch(ceil: bool) -> None:
    where: dict[str, Any] = {"stride": (2, 1, 2), "padding": 1, "ceil_mode": ceil}
    shape = (5, 4, 6, 2)
    as_pytorch(
        gk.MaxPool3D(3, dilation=(1, 2, 1), **where),
        lambda x: functional().max_pool3d(x, 3, dilation=(1, 2, 1), **where),
        shape,
    )
    for count in (False, True):
        as_pytorch(
            gk.AvgPool3D(3, **where, count_include_pad=count),
            lambda x, count=count: functional().avg_pool3d(x, 3, **where, count_include_pad=count),
            shape,
        )
    as_pytorch(
        gk.AvgPool3D(3, **where, divisor_override=-7),
        lambda x: functional().avg_pool3d(x, 3, **where, divisor_override=-7),
        shape,
    )


def test_unpooling_is_that_of_pytorch() -> None:
    rng = np.random.default_rng(0)
    x, images = rng.normal(size=(2, 3, 3, 2)), rng.normal(size=(2, 6, 6, 2))
    given = gk.Input((3, 3, 2)), gk.Input((6, 6, 2))
    model = gk.Model(given, gk.MaxUnpool2D(2)(*given), dtype="float64")
    y = model.forward((x, images), training=True)
    dx, none = model.backward(2 * y, input_gradient=True)
    _, at = functional().max_pool2d(
        pytest.importorskip("torch").from_numpy(images.transpose(0, 3, 1, 2).copy()),
        2,
        return_indices=True,
    )
    expected = of_torch(lambda x: functional().max_unpool2d(x, at, 2), x, dy=2 * y)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_array_equal(dx, expected[1])
    assert not none.any()


@pytest.mark.parametrize(("shared", "count"), [(None, 3), ((1, 2), 1)])
def test_learnt_slopes_are_those_of_pytorch(shared: Any, count: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(2, 4, 2, 3))
    model = gk.Sequential(gk.PReLU(shared), dtype="float64")
    y = model.forward(x, training=True)
    dx = model.backward(dy, input_gradient=True)
    slopes = torch.full((count,), 0.25, dtype=torch.float64, requires_grad=True)
    expected = of_torch(lambda x: functional().prelu(x, slopes), x, dy=dy)
    np.testing.assert_allclose([y, dx], expected, atol=100 * EPS)
    found = model.grads["pre_lu.alpha"].ravel()
    np.testing.assert_allclose(found, slopes.grad.numpy(), atol=100 * EPS)


def test_a_window_of_padding_alone_has_no_value() -> None:
    x = np.ones((1, 1, 1, 1, 1))
    for layer, empty in ((gk.MaxPool3D, -np.inf), (gk.AvgPool3D, 0)):
        model = gk.Sequential(layer(2, 1, padding=3, dilation=3), dtype="float64")
        y = model.forward(x, training=True)
        assert set(np.unique(y)) == {empty, 1}
        assert (model.backward(np.ones_like(y), input_gradient=True) >= 1).all()


@pytest.mark.parametrize("transposed", [False, True])
def test_volumes_are_convolved_as_in_pytorch(transposed: bool) -> None:
    torch = pytest.importorskip("torch")
    where: dict[str, Any] = {"stride": (2, 1, 2), "padding": (1, 0, 2), "dilation": (1, 2, 1)}
    if transposed:
        where["output_padding"] = (1, 1, 0)
    layer = (gk.Conv3DTranspose if transposed else gk.Conv3D)(6, (3, 2, 4), groups=2, **where)
    model = gk.Sequential(layer, dtype="float64", seed=0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 4, 5, 6, 4))
    y = model.forward(x, training=True)
    dy = rng.normal(size=y.shape)
    dx = model.backward(dy, input_gradient=True)
    # (filters, channels, d, h, w), or with the first two exchanged
    order = (4, 3, 0, 1, 2)
    weight = torch.from_numpy(layer.params["weight"].transpose(order).copy()).requires_grad_()
    name = "conv_transpose3d" if transposed else "conv3d"
    expected = of_torch(
        lambda x: getattr(functional(), name)(x, weight, groups=2, **where), x, dy=dy
    )
    for ours, theirs in zip((y, dx), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1000 * EPS)
    found = layer.grads["weight"].transpose(order)
    np.testing.assert_allclose(found, weight.grad.numpy(), rtol=0, atol=1000 * EPS)


@pytest.mark.parametrize("cls", [gk.Add, gk.Subtract, gk.Multiply, gk.Divide])
def test_arithmetic_is_broadcast(cls: type[gk.Layer]) -> None:
    operators = {"Add": np.add, "Subtract": np.subtract, "Multiply": np.multiply}
    operator = operators.get(cls.__name__, np.divide)
    a, b = np.random.default_rng(0).uniform(0.5, 1, (2, 5, 3, 4))
    given = gk.Input((3, 4)), gk.Input((4,))
    model = gk.Model(given, cls()(*given), dtype="float64")
    y = model.forward((a, b[:, 0]), training=True)
    np.testing.assert_array_equal(y, operator(a, b[:, :1]))
    assert [dx.shape for dx in model.backward(y, input_gradient=True)] == [(5, 3, 4), (5, 4)]


def test_attention_is_made_of_products() -> None:
    q, k, v = (gk.Input((5, 4), name=name) for name in "qkv")
    scores = gk.Softmax()(gk.MatMul(transpose_b=True, scale=0.5)(q, k))
    model = gk.Model((q, k, v), gk.MatMul()(scores, v), dtype="float64")
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 4))
    weights = np.exp(x[0] @ x[1].swapaxes(1, 2) / 2)
    expected = weights / weights.sum(axis=-1, keepdims=True) @ x[2]
    np.testing.assert_allclose(model.forward(tuple(x)), expected, rtol=1e-12)


def test_a_skip_connection_is_not_broadcast() -> None:
    with pytest.raises(ValueError, match=r"Add .*: inputs must have the same shape, got \(1,\)"):
        gk.Sequential(gk.Residual(gk.Dense(1))).build((3,))


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
        (lambda: gk.Softmax(3), (4, 2), r"samples of shape \(4, 2\) have no axis 3"),
        (lambda: gk.PReLU(0), (4, 2), "axis 0 is that of the samples, 1 the first of a sample"),
        (lambda: gk.PReLU(1.5), (4, 2), "an axis of shared_axes must be an integer, got 1.5"),
        (lambda: gk.PReLU(alpha_init="zeroes"), (4, 2), "'zeroes', did you mean 'zeros'"),
        (lambda: gk.Conv3D(2, 3), (4, 4, 1), r"must have the shape \(depth, height, width, chan"),
        (lambda: gk.Conv3D(2, 3), (2, 4, 4, 1), "a window of 3 x 3 x 3 is larger than the padded"),
        (lambda: gk.Conv3D(2, 3, stride=(1, 1)), (4, 4, 4, 1), "stride must be an integer or 3"),
        (lambda: gk.Conv3DTranspose(3, 2, groups=2), (4, 4, 4, 2), r"filters \(3\) must be divi"),
        (lambda: gk.MaxPool3D(2), (4, 4, 2), r"must have the shape \(depth, height, width, chann"),
        (lambda: gk.MaxPool3D((2, 2)), (4, 4, 4, 2), "must be an integer or 3 integers, got"),
        (lambda: gk.MaxPool3D(5), (4, 4, 4, 2), "a window of 5 x 5 x 5 is larger than the padded"),
        (lambda: gk.AvgPool3D(2, padding=((1, 1), 1)), (4, 4, 4, 2), "3 integers or 3 pairs, got"),
        (
            lambda: gk.AvgPool3D(2, divisor_override=0),
            (4, 4, 4, 2),
            "divisor_override must not be 0",
        ),
        (lambda: gk.AdaptiveAvgPool2D(0), (4, 4, 2), "output_size must be at least 1, got 0"),
        (lambda: gk.AdaptiveMaxPool2D((2, 2, 2)), (4, 4, 2), "must be an integer or 2 of them"),
        (lambda: gk.AdaptiveMaxPool1D(2.5), (4, 2), "output_size must be an integer, got 2.5"),
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


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        (
            gk.Multiply,
            ((2, 3), (2,)),
            r"Multiply .*up to axes of length 1, got \(2, 3\)",
        ),
        (
            gk.MatMul,
            ((2, 3), (2, 3)),
            r"inputs of shape \(2, 3\) and \(2, 3\) have no product",
        ),
        (gk.MatMul, ((3,), (3, 2)), r"MatMul .*inputs must be matrices, got \(3,\) and \(3, 2\)"),
        (gk.MatMul, ((2, 2, 3), (3, 3, 2)), "have no product"),
        (gk.MaxUnpool2D, ((2, 2, 1), (6, 6, 1)), r"values must have the shape \(3, 3, 1\) of the"),
    ],
)
def test_shapes_that_do_not_match_are_refused(
    layer: Any, shapes: tuple[tuple[int, ...], ...], message: str
) -> None:
    given = [gk.Input(shape) for shape in shapes]
    with pytest.raises(ValueError, match=message):
        gk.Model(given, layer()(*given)).build()


@pytest.mark.parametrize("make", [gk.Softmax, gk.LogSoftmax])
def test_an_activation_within_a_layer_is_along_the_features(make: Any) -> None:
    within: list[Callable[[Any], gk.Layer]] = [
        lambda activation: gk.Dense(3, activation),
        lambda activation: gk.Conv1D(3, 2, activation=activation),
        lambda activation: gk.Conv3D(3, 2, activation=activation),
    ]
    for layer in within:
        layer(make(-1))
        with pytest.raises(ValueError, match=r"must be along the features, got .*axis=1"):
            layer(make(1))
