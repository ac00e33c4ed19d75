"""Functions and methods of PyTorch in a traced module: the same outputs, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from gyaku.interop import from_torch

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

Function = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


class Of(nn.Module):
    """A module that is one function of its input."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


# Of images (channels, height, width), of vectors, and of matrices.
ROWS: dict[str, Function] = {
    "clamp": lambda x: x.clamp(-0.5, 0.25),
    "clamp from below": lambda x: torch.clamp(x, min=0.1),
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 2.0),
    "maximum": lambda x: torch.maximum(x, torch.exp(x) - 1),
    "minus": lambda x: -x,
    "numbers": lambda x: 3 * (2 + x) / 4 - 1,
    "tensors": lambda x: (x * x - torch.tanh(x)) / torch.exp(x),
    "sum": lambda x: x.sum(1, keepdim=True) + x,
    "norms": lambda x: torch.logsumexp(x, dim=-1, keepdim=True) - x,
    "largest": lambda x: x - x.amax(dim=1, keepdim=True),
    "columns": lambda x: x[:, [2, 0, 0]],
    "part": lambda x: x[:, 1:4],
    "every other": lambda x: x[:, ::2],
    "joined": lambda x: torch.cat([x, x * x], 1),
    "no dropout": lambda x: F.dropout(x, 0.5, training=False) + 1,
    "softmin": lambda x: F.softmin(x, dim=1),
    "in place": lambda x: F.relu_(x + 1),
}
IMAGES: dict[str, Function] = {
    "mean": lambda x: x.mean((2, 3)),
    "mean with axes": lambda x: x * x.mean((2, 3), keepdim=True),
    "mean of rows": lambda x: x.mean(2),
    "view": lambda x: x.view(x.size(0), -1),
    "reshape": lambda x: x.reshape((x.size(0), -1)),
    "permute": lambda x: x.permute(0, 2, 3, 1).contiguous().flatten(1),
    "movedim": lambda x: x.movedim(1, -1).flatten(1),
    "transpose": lambda x: x.transpose(2, 3).flatten(1),
    "pad": lambda x: F.pad(x, (1, 0, 2, 1), value=0.5),
    "pad by reflection": lambda x: F.pad(x, (1, 1, 0, 2), mode="reflect"),
    "crop": lambda x: x[:, :, 1:3, ::2],
    "channels": lambda x: torch.cat((x, x + 1), dim=1),
    "flatten": lambda x: torch.flatten(x, 1),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
}
MATRICES: dict[str, Function] = {
    "matmul": lambda x: torch.matmul(x, torch.tanh(x)),
    "bmm": lambda x: torch.bmm(x, x),
}
REFUSED: dict[str, tuple[Function, str]] = {
    "clamp by tensors": (
        lambda x: torch.clamp(x, min=torch.tanh(x)),
        "limits elements by something other than numbers",
    ),
    "sum of all": (lambda x: x.sum(), "reduces the samples as well, or in another dtype"),
    "alpha": (lambda x: torch.add(x, x, alpha=2), "has options, such as alpha or rounding_mode"),
    "another rank": (
        lambda x: x + x.sum(1),
        "combines something other than tensors of the same axes",
    ),
    "samples first": (lambda x: x.transpose(0, 1), "moves the axis of the samples"),
    "joined samples": (lambda x: torch.cat([x, x], 0), "joins the samples"),
    "another shape": (lambda x: x.view(-1, 2, 3), "gives samples another shape than a row"),
    "flat samples": (lambda x: torch.flatten(x), "flattens the samples as well"),
    "matrix of rows": (
        lambda x: torch.matmul(x, x),
        "multiplies something other than a matrix for each sample",
    ),
    "padded edges": (
        lambda x: F.pad(x, (1, 1)),
        "pads other axes than those of an image or a sequence",
    ),
    "maximum of a number": (
        lambda x: torch.maximum(x, other=x),
        "takes something other than tensors",
    ),
}


def check(function: Function, x: Any) -> None:
    """Hold the outputs of the model against those of PyTorch, channels moved where it has them."""
    is_image = x.ndim == 4
    here = np.ascontiguousarray(np.moveaxis(x.numpy(), 1, -1)) if is_image else x.numpy()
    module = Of(function).double().eval()
    expected = module(x.clone()).numpy()
    found = from_torch(module, here.shape[1:]).forward(here)
    if expected.ndim == 4 or (expected.ndim == 3 and is_image):
        expected = np.moveaxis(expected, 1, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def drawn(*shape: int) -> Any:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("name", ROWS)
def test_functions_of_rows(name: str) -> None:
    check(ROWS[name], drawn(3, 6))


@pytest.mark.parametrize("name", IMAGES)
def test_functions_of_images(name: str) -> None:
    check(IMAGES[name], drawn(2, 3, 4, 5))


@pytest.mark.parametrize("name", MATRICES)
def test_functions_of_matrices(name: str) -> None:
    check(MATRICES[name], drawn(2, 4, 4))


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_counterpart_is_named(name: str) -> None:
    function, reason = REFUSED[name]
    with pytest.raises(ValueError, match=reason):
        from_torch(Of(function), (2,) if "rows" in name or "rank" in name else (6,))
