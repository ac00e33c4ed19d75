"""Modules of PyTorch from models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.torch.layer_modules import is_turned, modules_of
from gyaku.interop.torch.layout import value_orders
from gyaku.interop.torch.state import places, state_dict
from gyaku.layers import LSTM, Add, Bidirectional, Dense, Flatten
from gyaku.layers.recurrence import Recurrent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

    from gyaku.model import Model
    from gyaku.model.application import Application

__all__ = ["to_torch"]


def to_torch(model: Model) -> Any:
    """Return a PyTorch module with the layers and weights of a model.

    Parameters
    ----------
    model : Model
        The model, built.

    Returns
    -------
    torch.nn.Module
        The module, on the CPU: a ``torch.nn.Sequential`` if the graph is a chain of modules of one
        output, otherwise a module that follows the graph. It takes images with channels first.

    Raises
    ------
    ValueError
        If the model is not built, or a layer or one of its options has no counterpart.
    ImportError
        If PyTorch is not installed.

    Notes
    -----
    Names of layers become those of modules, with "_" for "."; an activation within a layer is a
    module behind it. Outputs and gradients are those of the model up to rounding.
    """
    from collections import OrderedDict

    import torch

    known, orders = places(model), value_orders(model)
    modules: dict[str, Any] = {}
    chain = True
    for place, use in enumerate(model.plan.applications):
        chain &= use.inputs == (place,) and not isinstance(use.layer, (Recurrent, Bidirectional))
        chain &= not (is_turned(use.instance) or _is_along(use, orders) or _mixes(use, orders))
        name = _name(use.path)
        if name not in modules:
            modules |= modules_of(torch.nn, name, use.layer, use.instance.input_shapes)
    chain &= not any(value in orders for value in model.plan.outputs)
    module: Any = (
        torch.nn.Sequential(OrderedDict(modules))
        if chain
        else _graph(torch, model, modules, orders)
    )
    module.to(torch.float64 if model.dtype == "float64" else torch.float32)
    names = [_name(each.path) for each in known]
    tensors = {name: torch.from_numpy(each) for name, each in state_dict(model, names).items()}
    module.load_state_dict(tensors)
    for each in known:
        if not each.layer.trainable:
            modules[_name(each.path)].requires_grad_(False)
    return module


def _is_along(use: Application, orders: Mapping[int, Any]) -> bool:
    """Return whether a layer flattens sequences with the features before the steps."""
    is_flat = isinstance(use.layer, Flatten) and len(use.instance.input_shape) == 2
    return is_flat and use.output in orders


def _mixes(use: Application, orders: Mapping[int, Any]) -> bool:
    """Return whether a layer behind a `Flatten` of images needs the features in their order."""
    if use.output in orders or isinstance(use.layer, (Dense, Recurrent, Bidirectional)):
        return False
    return any(value in orders for value in use.inputs)


def _name(path: str) -> str:
    return path.replace(".", "_")


def _graph(
    torch: Any, model: Model, modules: dict[str, Any], orders: Mapping[int, NDArray[np.intp]]
) -> Any:
    """Return a module that follows the applications of a model."""
    plan = model.plan

    def natural(values: dict[int, Any], value: int) -> Any:
        """Return a value with its features in the order of gyaku."""
        return values[value][:, orders[value].tolist()] if value in orders else values[value]

    class Graph(torch.nn.Module):  # type: ignore[misc]
        input_count = plan.inputs

        def __init__(self) -> None:
            super().__init__()
            for name, each in modules.items():
                self.add_module(name, each)

        def forward(self, *inputs: Any) -> Any:
            values = {place: inputs[place] for place in range(plan.inputs)}
            for use in plan.applications:
                given = [values[each] for each in use.inputs]
                if _mixes(use, orders):
                    given = [natural(values, each) for each in use.inputs]
                if _is_along(use, orders):
                    given = [each.transpose(1, 2) for each in given]
                values[use.output] = _applied(torch, use, modules, given)
            outputs = tuple(natural(values, each) for each in plan.outputs)
            return outputs[0] if len(outputs) == 1 else outputs

    class Chain(Graph):
        def forward(self, x: Any) -> Any:  # a name for the only input, which a trace needs
            return super().forward(x)

    return Chain() if plan.inputs == 1 else Graph()


def _initial(torch: Any, states: list[Any], count: int) -> list[Any]:
    """Return initial states as a recurrent module takes them: stacked by direction, if any."""
    stacked = [torch.stack(states[n::count]) for n in range(count)] if states else []
    return [tuple(stacked)] if len(stacked) > 1 else stacked


def _applied(torch: Any, use: Application, modules: dict[str, Any], given: list[Any]) -> Any:
    """Return the output of a layer for tensors of PyTorch."""
    layer, name = use.layer, _name(use.path)
    if name not in modules:
        if isinstance(layer, Add):
            return sum(given[1:], given[0])
        return torch.cat(given, 1 if len(use.instance.input_shape) > 2 else -1)
    around, behind = f"{name}_padding", f"{name}_activation"
    turns = is_turned(use.instance)
    if turns:
        given = [each.transpose(1, 2) for each in given]
    if isinstance(layer, (Recurrent, Bidirectional)):
        part = layer if isinstance(layer, Recurrent) else layer.layer
        y = modules[name](given[0], *_initial(torch, given[1:], part.states))
        states = y[1][0] if isinstance(part, LSTM) else y[1]
        if part.return_sequences:
            return y[0]
        return states[-1] if part is layer else torch.cat([states[-2], states[-1]], -1)
    y = modules[name](*([modules[around](given[0])] if around in modules else given))
    y = modules[behind](y) if behind in modules else y
    return y.transpose(1, 2) if turns else y
