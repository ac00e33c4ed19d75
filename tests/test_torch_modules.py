"""Modules of PyTorch and models, both ways: outputs, gradients, and what has no counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from layer_cases import LAYER_CASES
from test_array_operations import SELECTORS, arguments, options

import gyaku as gk
from gyaku.interop import from_torch, to_torch
from gyaku.interop.torch.layout import to_gyaku
from gyaku.interop.torch.state import places, state_dict
from gyaku.reference.arrays import ARRAY_OPERATIONS

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
Array = np.ndarray


def last(array: Any) -> Array:
    return np.ascontiguousarray(np.moveaxis(array, 1, -1)) if array.ndim > 3 else array


def first(array: Array) -> Any:
    given = np.moveaxis(array, -1, 1) if array.ndim > 3 else array
    return torch.from_numpy(np.ascontiguousarray(given))


# Layers and options that PyTorch does not have.
WITHOUT = {
    *("TimeDistributed", "TimeDistributed recurrent", "TimeDistributed random"),
    *("TimeDistributed with statistics", "Product", "Scale", "Sum"),
    *("Embedding with padding", "Masking", "Masking by a value", "Dropout of the paper"),
    *("LSTM with all it takes", "LSTM with peepholes", "GRU with all it takes"),
    *("Bidirectional sum", "Bidirectional product", "Bidirectional mean"),
}


def test_every_layer_class_is_written() -> None:
    exported = [getattr(gk.layers, name) for name in gk.layers.__all__]
    classes = {
        each.__name__
        for each in exported
        if isinstance(each, type) and issubclass(each, gk.Layer) and each not in BASES
    }
    written = {name.split()[0] for name in LAYER_CASES.keys() - WITHOUT}
    assert classes - written == {"Masking", "TimeDistributed"}  # PyTorch has no such modules


BASES = {gk.Layer, gk.layers.Activation}  # of other layers


@pytest.fixture
def double() -> Iterator[None]:
    """Give modules without parameters double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", LAYER_CASES)
@pytest.mark.usefixtures("double")
def test_every_layer_goes_to_pytorch_and_back(name: str) -> None:
    case, rng = LAYER_CASES[name], np.random.default_rng(0)
    model = case.model(dtype="float64", seed=0)
    model.build(case.shapes if len(case.shapes) > 1 else case.shapes[0])
    if name in WITHOUT:
        with pytest.raises(ValueError, match="PyTorch|padding|axis|initial"):
            to_torch(model)
        return
    module = to_torch(model).eval()
    arrays = case.inputs(rng, lambda shape: rng.normal(size=shape))
    given = [first(each) if not case.vocabulary else torch.from_numpy(each) for each in arrays]
    for each in given:
        each.requires_grad_(each.is_floating_point())
    outputs = module(*given)
    x: Any = arrays[0] if len(arrays) == 1 else tuple(arrays)
    y = model.forward(x)
    np.testing.assert_allclose(y, last(outputs.detach().numpy()), atol=1e-12)
    dy = rng.normal(size=y.shape)
    outputs.backward(first(dy))
    dx = model.backward(dy, input_gradient=not case.vocabulary)
    for ours, theirs in zip((dx,) if len(arrays) == 1 else dx, given, strict=True):
        if ours is not None:
            gradient = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad
            np.testing.assert_allclose(ours, last(gradient.numpy()), atol=1e-12)
    same_gradients(model, module)
    if name != "Identity":
        back = from_torch(module, case.shape)
        np.testing.assert_allclose(back.forward(x), y, rtol=1e-12, atol=1e-12)
        again = back.backward(dy, input_gradient=not case.vocabulary)
        pairs = [(again, dx)] if len(arrays) == 1 else zip(again, dx, strict=True)
        for theirs, ours in pairs:
            if ours is not None and not case.vocabulary:
                np.testing.assert_allclose(theirs, ours, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ARRAY_OPERATIONS)
@pytest.mark.usefixtures("double")
def test_operations_on_arrays_go_to_pytorch_and_back(name: str) -> None:
    x = arguments(name)
    shapes: list[Any] = [
        each.shape if n in SELECTORS.get(name, ()) else None for n, each in enumerate(x)
    ]
    if name == "where":
        shapes[0] = (1, *x[0].shape[1:])
    layer = gk.layers.ArrayOperation(name, options(name), shapes if any(shapes) else None)
    given = [each for each, shape in zip(x, shapes, strict=True) if shape is None]
    inputs = [gk.Input(each.shape[1:]) for each in given]
    model = gk.Model(inputs, layer(*inputs), dtype="float64")
    model.build()
    for place, shape in enumerate(shapes):
        if shape:
            layer.buffers[f"constant_{place}"] = x[place][: shape[0]]
    module = to_torch(model)
    tensors = [first(each).requires_grad_() for each in given]
    outputs = module(*tensors)
    y = model.forward(tuple(given) if len(given) > 1 else given[0])
    np.testing.assert_allclose(last(outputs.detach().numpy()), y, rtol=1e-12, atol=1e-12)
    dx = model.backward(np.ones_like(y), input_gradient=True)
    if outputs.requires_grad:
        outputs.sum().backward()
    for ours, theirs in zip(dx if len(given) > 1 else (dx,), tensors, strict=True):
        gradient = torch.zeros_like(theirs) if theirs.grad is None else theirs.grad
        np.testing.assert_allclose(ours, last(gradient.numpy()), rtol=1e-9, atol=1e-9)
    given_shapes = [each.shape[1:] for each in given]
    back = from_torch(module, given_shapes if len(given) > 1 else given_shapes[0])
    found = back.forward(tuple(given) if len(given) > 1 else given[0])
    np.testing.assert_array_equal(found, y)


def same_gradients(model: gk.Model, module: Any) -> None:
    grads = {name: each.grad.numpy() for name, each in module.named_parameters()}
    names = iter(state_dict(model))
    for place in places(model):
        for entry in place.entries:
            given = [next(names).replace(".", "_", place.path.count(".")) for _ in entry.tensors]
            if entry.param in place.layer.params:
                expected = to_gyaku(
                    entry._replace(tensors=("one",)), {"one": grads[given[0]]}, place.order
                )
                np.testing.assert_allclose(place.layer.grads[entry.param], expected, atol=1e-12)


class Network(nn.Module):
    """Functions and methods as people write them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.other = nn.Conv2d(3, 4, 1)
        self.linear, self.head = nn.Linear(4 * 2 * 3, 5), nn.Linear(5, 2)

    def forward(self, x: Any) -> Any:
        x = x / 2 + 1
        y = F.relu(self.norm(self.conv(x))) + self.other(x)
        y = F.max_pool2d(y, 2)
        y = torch.tanh(self.linear(y.view(y.size(0), -1)))
        return F.log_softmax(self.head(F.dropout(y, 0.5, self.training)), dim=1)


class Sentences(nn.Module):
    """The last state of a recurrent module, in one of the ways to write it."""

    def __init__(self, kind: str, way: str, bidirectional: bool) -> None:
        super().__init__()
        self.embedding, self.way = nn.Embedding(9, 3), way
        options = {"batch_first": True, "bidirectional": bidirectional}
        self.recurrent = getattr(nn, kind)(3, 4, 2, dropout=0.1, **options)
        self.linear = nn.Linear(8 if bidirectional else 4, 2)

    def forward(self, x: Any) -> Any:
        y, states = self.recurrent(self.embedding(x))
        if self.way == "output":
            return self.linear(y)
        if self.way == "last step":
            return self.linear(y[:, -1])
        h = states[0] if isinstance(self.recurrent, nn.LSTM) else states
        return self.linear(torch.cat([h[-2], h[-1]], 1) if self.way == "both" else h[-1])


def test_a_network_of_functions_trains_on() -> None:
    module = Network().double().eval()
    module.norm.running_mean.uniform_(-1, 1)
    model = from_torch(module, (4, 6, 3))
    x = np.random.default_rng(0).normal(size=(5, 4, 6, 3))
    y = module(first(x)).detach().numpy()
    np.testing.assert_allclose(model.forward(x), y, atol=1e-12)
    labels = y.argmin(axis=1)
    options = {"optimizer": gk.Adam(0.01), "epochs": 20, "verbose": 0}
    history = model.fit(x, labels, loss="softmax_cross_entropy", **options)
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("way", ["output", "last step", "state", "output of both", "both"])
def test_recurrent_modules(kind: str, way: str) -> None:
    both = way.endswith("both")
    module = Sentences(kind, way.removesuffix(" of both"), both).double().eval()
    x = np.random.default_rng(0).integers(0, 9, (4, 5))
    np.testing.assert_allclose(
        from_torch(module).forward(x), module(torch.from_numpy(x)).detach().numpy(), atol=1e-12
    )


def test_convolutions_along_time() -> None:
    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.conv = nn.Embedding(9, 3), nn.Conv1d(3, 4, 3, padding=1)
            self.linear = nn.Linear(12, 2)

        def forward(self, x: Any) -> Any:
            y = F.relu(self.conv(self.embedding(x).transpose(1, 2)))
            return self.linear(F.max_pool1d(y, 2).flatten(1))

    module = Text().double()
    x = np.random.default_rng(0).integers(0, 9, (4, 6))
    np.testing.assert_allclose(
        from_torch(module, (6,)).forward(x),
        module(torch.from_numpy(x)).detach().numpy(),
        atol=1e-12,
    )


def test_normalisations_of_images_go_both_ways() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 6, 1),
        nn.BatchNorm2d(6, affine=False),
        nn.GroupNorm(2, 6),
        nn.InstanceNorm2d(6, affine=True),
        nn.InstanceNorm2d(6),
        nn.LocalResponseNorm(4, alpha=0.5),
        nn.BatchNorm2d(6, momentum=None, track_running_stats=False),
        nn.GroupNorm(3, 6, affine=False),
    ).double()
    x = np.random.default_rng(0).normal(size=(5, 4, 2, 3))
    wanted = last(module.eval()(first(x)).detach().numpy())
    model = from_torch(module, (4, 2, 3))
    np.testing.assert_allclose(model.forward(x), wanted, atol=1e-12)
    back = to_torch(model).eval()(first(x)).detach().numpy()
    np.testing.assert_allclose(last(back), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.GroupNorm(2, 6), (5, 6)),
        (nn.InstanceNorm1d(6, affine=True), (5, 6)),
        (nn.BatchNorm2d(6, affine=False), (4, 2, 6)),
    ],
)
def test_a_normalisation_alone(module: Any, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(3, *shape))
    given = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))
    wanted = np.moveaxis(module.double().eval()(given).detach().numpy(), 1, -1)
    np.testing.assert_allclose(from_torch(module, shape).forward(x), wanted, atol=1e-12)


def test_frozen_modules_and_the_dtype_stay() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    model = from_torch(module)
    assert [each.trainable for each in model] == [False, True, True]
    assert model.dtype == np.float32
    back = to_torch(model)
    assert isinstance(back, nn.Sequential)
    assert [each.requires_grad for each in back.parameters()] == [False, False, True, True]


class Of(nn.Module):
    def __init__(self, function: Any, *modules: Any) -> None:
        super().__init__()
        self.function, self.part = function, nn.Sequential(*modules)

    def forward(self, x: Any) -> Any:
        return self.function(self.part(x))


class Branches(nn.Module):
    def forward(self, x: Any) -> Any:
        return x if x.sum() > 0 else -x


def one_direction_of_two() -> Any:
    module = Sentences("GRU", "state", True)
    module.linear = nn.Linear(4, 2)
    return module


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (nn.Conv2d(1, 2, 3), None, "needs input_shape, .*; Conv2d does not know it"),
        (nn.Sequential(nn.RReLU()), (3,), r"0 \(RReLU\(.*\)\) has no counterpart"),
        (
            nn.Sequential(nn.MaxPool1d(2, return_indices=True)),
            (4, 3),
            "has return_indices=True, the counterpart has False",
        ),
        (nn.Sequential(nn.GRU(3, 2)), (4, 3), "batch_first=False, the counterpart has True"),
        (nn.Sequential(nn.Softmax(0)), (3,), "is along the samples"),
        (Of(torch.sinc, nn.Linear(3, 3)), (3,), r"torch.sinc.* has no counterpart"),
        (Of(lambda x: x[:, 0], nn.Linear(3, 3)), (3,), "takes a part of a tensor"),
        (nn.Sequential(nn.Linear(3, 2)), (4,), r"does not take samples of shape \(4,\)"),
        (Sentences("LSTM", "last step", True), None, "in both directions, and only the last step"),
        (one_direction_of_two(), None, "other states than those of both directions"),
        (Branches(), (3,), "cannot be traced, .*control flow"),
        (nn.InstanceNorm2d(3, track_running_stats=True), (4, 4, 3), "track_running_stats=True"),
        (nn.Sequential(nn.LayerNorm(3)), (2, 3, 4), "along the other axis than its input"),
        (nn.Sequential(nn.Linear(3, 2)), (2, 3, 4), "along the other axis than its input"),
        (nn.Sequential(nn.Conv1d(3, 2, 1), nn.LSTM(4, 2, batch_first=True)), (4, 3), "other axis"),
    ],
)
def test_what_has_no_counterpart_is_named(module: Any, shape: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_torch(module, shape)


NORMS_OF_CHANNELS = {
    "BatchNorm1d": nn.BatchNorm1d(4, affine=False, track_running_stats=False),
    "GroupNorm": nn.GroupNorm(2, 4),
    "InstanceNorm1d": nn.InstanceNorm1d(4),
    "LocalResponseNorm": nn.LocalResponseNorm(3, 0.5),
}


@pytest.mark.parametrize("name", NORMS_OF_CHANNELS)
def test_a_normalisation_takes_its_features_along_the_first_axis(name: str) -> None:
    norm = NORMS_OF_CHANNELS[name]
    module = nn.Sequential(nn.Conv1d(3, 4, 2), norm).eval()
    x = np.random.default_rng(0).standard_normal((2, 5, 3)).astype(np.float32)
    expected = module(torch.from_numpy(x.transpose(0, 2, 1))).detach().numpy()
    found = from_torch(module, (5, 3)).predict(x)
    np.testing.assert_allclose(found, expected.transpose(0, 2, 1), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="takes its features along the other axis"):
        from_torch(nn.Sequential(nn.Linear(3, 4), norm), (4, 3))


def test_reading_keeps_the_modes_of_modules() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    module[1].eval()
    from_torch(module, (3,))
    assert [each.training for each in module.modules()] == [True, True, False]


@pytest.mark.parametrize("limits", [(), (-0.5, 0.25), (0.5, 0.5)], ids=str)
def test_hardtanh_as_a_function_is_read_with_its_limits(limits: tuple[float, ...]) -> None:
    class Limited(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.nn.functional.hardtanh(x, *limits)

    x = np.linspace(-2, 2, 15, dtype=np.float32).reshape(3, 5)
    expected = Limited()(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(from_torch(Limited(), (5,)).predict(x), expected)
