"""Modules of PyTorch made elsewhere: volumes, layouts, and the order of features."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from test_torch_modules import first, last

import gyaku as gk
from gyaku.interop import from_torch, to_torch
from gyaku.interop.torch.state import state_dict

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

OTHERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "volumes": (
        nn.Sequential(
            *(nn.Conv3d(2, 4, (1, 2, 3), padding=(0, 1, 1), groups=2), nn.BatchNorm3d(4)),
            *(nn.PReLU(4), nn.MaxPool3d(2, 1, dilation=(1, 1, 2)), nn.ReplicationPad3d(1)),
            *(nn.ConvTranspose3d(4, 3, 2, 2), nn.AvgPool3d(2, divisor_override=3)),
            *(nn.AdaptiveAvgPool3d((2, None, 3)), nn.Flatten(), nn.Linear(108, 2)),
        ),
        (3, 4, 5, 2),
    ),
    "images": (
        nn.Sequential(
            *(nn.ReflectionPad2d((1, 0, 2, 1)), nn.PReLU(), nn.LayerNorm((3, 7, 6))),
            *(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), nn.Softmax(1)),
            *(nn.Upsample(size=(5, 4)), nn.ConstantPad2d((1, 2, 0, 1), 0.5), nn.LogSoftmax(3)),
            *(nn.AdaptiveMaxPool2d((4, 3)), nn.ZeroPad2d(1), nn.MaxPool2d(2)),
        ),
        (4, 5, 3),
    ),
    "sequences": (
        nn.Sequential(
            *(nn.CircularPad1d((1, 2)), nn.Conv1d(3, 4, 2), nn.PReLU(4), nn.AdaptiveMaxPool1d(5)),
            *(nn.Upsample(scale_factor=1.5, mode="linear"), nn.AvgPool1d(2), nn.Flatten()),
            *(nn.PReLU(12), nn.Linear(12, 2)),
        ),
        (6, 3),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_modules_that_were_made_elsewhere(name: str) -> None:
    module, shape = OTHERS[name]
    module = module.double().eval()
    x = np.random.default_rng(0).normal(size=(3, *shape))
    given = torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1))).requires_grad_()
    outputs = module(given)
    model = from_torch(module, shape)
    y = model.forward(x)
    np.testing.assert_allclose(y, last(outputs.detach().numpy()), atol=1e-6)
    outputs.sum().backward()
    dx = model.backward(np.ones_like(y), input_gradient=True)
    np.testing.assert_allclose(dx, np.moveaxis(given.grad.numpy(), 1, -1), atol=1e-6)


class Blocks(nn.Module):
    """Layouts and arithmetic as people write them, as in ConvNeXt and in attention."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.wide = nn.Conv2d(3, 4, 1), nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        y = self.conv(F.pad(x, (1, 0, 0, 2), value=0.5))
        z = self.wide(self.norm(y.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        y = (y - z) * torch.sigmoid(y)
        y = F.interpolate(y, scale_factor=2)[:, :, 1:, ::2] / 2
        y = F.avg_pool2d(y, (1, 3)).mean((2, 3), keepdim=True) + y
        rows = y[:, :, 0:1, :].permute(0, 2, 3, 1).flatten(1)
        steps = F.adaptive_avg_pool2d(y, (1, 7)).flatten(1)
        return rows[:, :3] + F.softmax(steps, -1)[:, 2:5]


def test_layouts_and_arithmetic_between_modules() -> None:
    module = Blocks().double().eval()
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 3))
    expected = module(first(x)).detach().numpy()
    np.testing.assert_allclose(from_torch(module, (4, 5, 3)).forward(x), expected, atol=1e-12)


def test_features_keep_their_order_behind_a_flatten() -> None:
    class Turned(nn.Module):
        def __init__(self, turns: bool) -> None:
            super().__init__()
            self.turns = turns
            self.conv, self.head = nn.Conv1d(3, 4, 2), nn.Linear(20, 2)

        def forward(self, x: Any) -> Any:
            y = self.conv(x.transpose(1, 2)).transpose(1, 2)
            y = y.transpose(1, 2) if self.turns else y
            return self.head(y.flatten(1))

    x = np.random.default_rng(0).normal(size=(3, 6, 3))
    for turn in (False, True):
        module = Turned(turn).double()
        expected = module(torch.from_numpy(x)).detach().numpy()
        np.testing.assert_allclose(from_torch(module, (6, 3)).forward(x), expected, atol=1e-12)


def test_layers_behind_a_flatten_of_images_keep_the_order_of_features() -> None:
    x = gk.Input((2, 3, 4))
    rows = gk.Flatten()(gk.Conv2D(2, 1)(x))
    taken = gk.Slice(2, 9)(rows)
    model = gk.Model(x, [gk.Dense(2)(gk.PReLU()(rows)), gk.Dense(3)(taken)], dtype="float64")
    model.build((2, 3, 4))
    for each in model.params.values():
        each[...] = np.random.default_rng(each.size).normal(size=each.shape)
    given = np.random.default_rng(0).normal(size=(5, 2, 3, 4))
    for ours, theirs in zip(model.forward(given), to_torch(model)(first(given)), strict=True):
        np.testing.assert_allclose(theirs.detach().numpy(), ours, atol=1e-12)


def test_flattened_images_have_the_order_of_their_own_program() -> None:
    module, x = (
        nn.Sequential(nn.Flatten(), nn.ReLU()),
        np.random.default_rng(0).normal(size=(3, 2, 4, 5)),
    )
    expected = module(first(x)).numpy()
    np.testing.assert_allclose(from_torch(module, (2, 4, 5)).forward(x), expected, rtol=1e-6)
    model = gk.Sequential(gk.Flatten(), gk.ReLU(), dtype="float64")
    model.build((2, 4, 5))
    back = to_torch(model)
    np.testing.assert_array_equal(back(first(x)).numpy(), model.forward(x))
    again = from_torch(back, (2, 4, 5)).forward(x)
    np.testing.assert_allclose(again, model.forward(x), rtol=1e-6)


def test_a_cumulative_mean_keeps_its_count_of_batches() -> None:
    module = nn.Sequential(nn.BatchNorm1d(3, momentum=None)).double()
    for _ in range(4):
        module(torch.randn(5, 3, dtype=torch.float64))
    model = from_torch(module, (3,))
    assert model.layers[0].buffers["batches"].item() == 4
    assert int(to_torch(model)[0].num_batches_tracked) == 4
    (count,) = (each for name, each in state_dict(model).items() if "num_batches" in name)
    assert count == 4


def test_copies_of_a_module_compute_the_same() -> None:
    model = gk.Sequential(gk.LayerNorm(), gk.Slice(1, -1), gk.PReLU((1,)), gk.Upsample(1.4))
    model.build((5, 4, 3))
    module, x = to_torch(model), torch.randn(2, 3, 5, 4)
    np.testing.assert_array_equal(
        copy.deepcopy(module)(x).detach().numpy(), module(x).detach().numpy()
    )
