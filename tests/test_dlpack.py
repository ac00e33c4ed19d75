"""Tensors of other libraries where arrays are accepted, without a copy, by DLPack."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku.train.conversion import real


class Tensor:
    """A tensor that NumPy cannot read but by DLPack, as that of another library."""

    def __init__(self, array: np.ndarray, device: int = 1, requires_grad: bool = False) -> None:
        self.array, self.device, self.requires_grad = array, device, requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def detach(self) -> Tensor:
        return Tensor(self.array)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0

    def __dlpack__(self, **options: Any) -> Any:
        if self.requires_grad:
            raise BufferError("tensors that require gradient are not exported, use detach()")
        return self.array.__dlpack__(**options)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_the_memory_is_shared(requires_grad: bool) -> None:
    array = np.ones((3, 2), np.float32)
    found = real("fit", "x", Tensor(array, requires_grad=requires_grad))
    assert np.shares_memory(found, array)


def test_models_take_tensors() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)).astype(np.float32), rng.integers(0, 2, 20)
    models = [gk.Sequential(gk.Dense(2), seed=0) for _ in range(2)]
    given: list[Any] = [(x, y), (Tensor(x), Tensor(y))]
    for model, (inputs, targets) in zip(models, given, strict=True):
        model.fit(inputs, targets, loss="softmax_cross_entropy", epochs=2, seed=0, verbose=0)
    np.testing.assert_array_equal(models[1].predict(Tensor(x)), models[0].predict(x))
    np.testing.assert_array_equal(models[1].forward(Tensor(x)), models[0].forward(x))


@pytest.mark.parametrize(
    ("device", "named"), [(2, "a CUDA device"), (8, "a Metal device"), (99, "device type 99")]
)
def test_another_device_is_named(device: int, named: str) -> None:
    message = f"fit: x is a Tensor on {named}.*, gyaku computes on the CPU; move it there first$"
    model = gk.Sequential(gk.Dense(1))
    with pytest.raises(ValueError, match=message):
        model.fit(Tensor(np.ones((3, 2)), device), np.ones((3, 1)), loss="mse", verbose=0)


def test_parameters_are_seen_by_other_libraries_without_a_copy() -> None:
    model = gk.Sequential(gk.Dense(2))
    model.build((3,))
    weight = model.params["dense.weight"]
    assert np.shares_memory(np.from_dlpack(weight), weight)


def test_tensors_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, 2, requires_grad=True)
    found = real("fit", "x", tensor)
    assert found.ctypes.data == tensor.data_ptr()
    with pytest.raises(
        TypeError, match="^fit: x is a Tensor of dtype torch.bfloat16, which NumPy lacks$"
    ):
        real("fit", "x", torch.ones(3, 2, dtype=torch.bfloat16))
