"""Modules of PyTorch with inputs of their own: initial states, and places of maxima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from test_torch_modules import same_gradients

import gyaku as gk
from gyaku.interop import from_torch

nn = torch.nn
rng = np.random.default_rng(0)


class FromStates(nn.Module):
    """A recurrent module that starts from inputs."""

    def __init__(self, rnn: Any) -> None:
        super().__init__()
        self.rnn, self.input_count = rnn, 3 if isinstance(rnn, nn.LSTM) else 2

    def forward(self, x: Any, *states: Any) -> Any:
        """Return the outputs of all steps."""
        return self.rnn(x, states if len(states) > 1 else states[0])[0]


def compared(module: Any, model: gk.Model, given: list[Any], arrays: list[np.ndarray]) -> Any:
    """Check the outputs; return the gradients here with respect to the inputs."""
    y = module(*given)
    found = model.forward(tuple(arrays))
    is_last = found.shape != tuple(y.shape)
    dy = rng.normal(size=y.shape)
    y.backward(torch.from_numpy(dy))
    y, dy = (np.moveaxis(each, 1, -1) if is_last else each for each in (y.detach().numpy(), dy))
    np.testing.assert_allclose(found, y, rtol=1e-10, atol=1e-12)
    return model.backward(np.ascontiguousarray(dy), input_gradient=True)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cls", [nn.RNN, nn.GRU, nn.LSTM])
def test_states_of_each_layer_and_direction_are_inputs(
    cls: Any, layers: int, directions: int
) -> None:
    options = {"num_layers": layers, "bidirectional": directions == 2, "dtype": torch.float64}
    module = FromStates(cls(2, 4, batch_first=True, **options)).eval()
    rows, states = layers * directions, module.input_count - 1
    arrays = [rng.normal(size=(3, 5, 2)), *(rng.normal(size=(3, rows, 4)) for _ in range(states))]
    model = from_torch(module, [each.shape[1:] for each in arrays])
    x, *others = (torch.from_numpy(each) for each in arrays)
    given = [x, *(each.swapaxes(0, 1).clone() for each in others)]
    dx = compared(module, model, [each.requires_grad_() for each in given], arrays)
    for ours, theirs, is_state in zip(dx, given, (False, True, True), strict=False):
        gradient = theirs.grad.swapaxes(0, 1) if is_state else theirs.grad
        np.testing.assert_allclose(ours, gradient.numpy(), rtol=1e-9, atol=1e-12)
    same_gradients_of(model, module)


def same_gradients_of(model: gk.Model, module: Any) -> None:
    """Compare the gradients of parameters, whose layers have names of their own here."""
    if module.rnn.num_layers == 1:
        same_gradients(model, module)
        return
    total = sum(float((each.grad**2).sum()) for each in module.parameters())
    ours = {id(each): each for layer in model.layers for each in layer.grads.values()}
    # A GRU or an RNN here has one bias where PyTorch has two with the same gradient.
    assert 0 < sum(float((each**2).sum()) for each in ours.values()) <= total * (1 + 1e-9)


def test_a_state_that_is_computed_is_refused() -> None:
    class Doubled(FromStates):
        def forward(self, x: Any, *states: Any) -> Any:
            return self.rnn(x, states[0] * 2)[0]

    module = Doubled(nn.GRU(2, 4, num_layers=2, batch_first=True))
    with pytest.raises(ValueError, match="has an initial state that is neither an input nor a st"):
        from_torch(module, [(5, 2), (2, 4)])


def test_states_of_both_directions_come_together() -> None:
    layer = gk.Bidirectional(gk.LSTM(3))
    message = r"takes no initial states, or those of both directions \(4\), got 2"
    with pytest.raises(ValueError, match=message):
        layer.build((5, 2), (3,), (3,))


class Unpooled(nn.Module):
    """An unpooling to a given size, as a module or a function."""

    input_count = 2

    def __init__(self, axes: int, size: tuple[int, ...] | None, as_function: bool) -> None:
        super().__init__()
        self.size, self.unpool = size, getattr(nn, f"MaxUnpool{axes}d")(2)
        self.function = getattr(nn.functional, f"max_unpool{axes}d") if as_function else None

    def forward(self, x: Any, places: Any) -> Any:
        """Put elements at their places."""
        if self.function:
            return self.function(x, places, 2, output_size=self.size)
        return self.unpool(x, places, self.size)


@pytest.mark.parametrize(
    ("axes", "as_function"), [(1, False), (2, False), (2, True), (3, False), (3, True)]
)
def test_elements_go_to_the_places_of_maxima(axes: int, as_function: bool) -> None:
    images = torch.from_numpy(rng.normal(size=(2, 3, *(5, 7, 4)[:axes])))
    pool = getattr(nn.functional, f"max_pool{axes}d")
    x, places = pool(images, 2, return_indices=True)
    module = Unpooled(axes, images.shape[2:], as_function).double()
    torch.set_default_dtype(torch.float64)
    try:
        arrays = [np.moveaxis(each.numpy(), 1, -1).copy() for each in (x, places)]
        model = from_torch(module, [each.shape[1:] for each in arrays])
    finally:
        torch.set_default_dtype(torch.float32)
    x = x.clone().requires_grad_()
    dx = compared(module, model, [x, places], arrays)
    np.testing.assert_allclose(dx[0], np.moveaxis(x.grad.numpy(), 1, -1), rtol=1e-12)
