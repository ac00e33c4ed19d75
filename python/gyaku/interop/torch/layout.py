"""Layouts of PyTorch's tensors: transposed weights, two biases, features behind `Flatten`.

PyTorch keeps channels first and weights as (outputs, inputs), gyaku channels last and weights as
(inputs, outputs). Gates have the same order in both, i, f, g, o and r, z, n.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    ArrayOperation,
    BatchNorm,
    Bidirectional,
    Concatenate,
    Conv1D,
    Dense,
    Divide,
    Dropout,
    Embedding,
    Flatten,
    LayerNorm,
    Multiply,
    PReLU,
    Rescaling,
    RMSNorm,
    SimpleRNN,
    Subtract,
)
from gyaku.layers.conv import Convolution
from gyaku.layers.norm import Scaled
from gyaku.layers.pool import AvgPool1D, MaxPool1D
from gyaku.layers.recurrence import Recurrent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers import Layer
    from gyaku.model import Model

__all__ = ["COUNTER", "Entry", "entries", "feature_orders", "to_gyaku", "to_torch", "value_orders"]

COUNTER = "num_batches_tracked"
"""The tensor that counts the batches of a running mean."""


class Entry(NamedTuple):
    """Correspondence of a parameter with tensors of PyTorch.

    Parameters
    ----------
    param : str
        The parameter or buffer of a layer.
    tensors : tuple of str
        Tensors of a module, whose sum it is.
    axes : tuple of int
        Axes of a tensor in the order of the parameter; () if they are the same.
    by_feature : bool
        Whether the first axis of the parameter are the features of the inputs.
    shape : tuple of int
        Shape of the parameter, if a tensor has the same elements in another.
    """

    param: str
    tensors: tuple[str, ...]
    axes: tuple[int, ...] = ()
    by_feature: bool = False
    shape: tuple[int, ...] = ()


def entries(layer: Layer) -> list[Entry] | None:
    """Return the correspondences of a layer.

    Parameters
    ----------
    layer : Layer
        The layer, built.

    Returns
    -------
    list of Entry or None
        A correspondence for each parameter and buffer, or None if PyTorch has no such module.
    """
    if isinstance(layer, Bidirectional):
        if layer.merge != "concat":
            return None
        return [
            Entry(f"{side}.{each.param}", tuple(t + suffix for t in each.tensors), each.axes)
            for side, suffix in (("forward", ""), ("backward", "_reverse"))
            for each in _recurrent(layer.layer)
        ]
    if isinstance(layer, Recurrent):
        return None if layer.go_backwards or not _known(layer) else _recurrent(layer)
    if isinstance(layer, Dense):
        return _present(layer, Entry("weight", ("weight",), (1, 0), True), _plain("bias"))
    if isinstance(layer, Convolution):  # depthwise and transposed ones as well
        axes = (*range(2, layer.dimensions + 2), 1, 0)
        return _present(layer, Entry("weight", ("weight",), axes), _plain("bias"))
    if isinstance(layer, Embedding):
        return [_plain("weight")]
    if isinstance(layer, PReLU):
        return [Entry("alpha", ("weight",), (), True, layer.params["alpha"].shape)]
    if isinstance(layer, ArrayOperation):
        return [_plain(name) for name in layer.buffers]
    if isinstance(layer, Scaled):
        names = {"gamma": "weight", "beta": "bias"}
        names |= {"mean": "running_mean", "variance": "running_var"}
        rank = len(layer.input_shape)
        is_image = rank > 2 and getattr(layer, "axes", 1) == rank
        axes = (*range(1, rank), 0) if is_image else ()
        found = [Entry(ours, (it,), axes, True) for ours, it in names.items()]
        return _present(layer, *found, Entry("batches", (COUNTER,), (), False, (1,)))
    return None


def _plain(name: str) -> Entry:
    return Entry(name, (name,))


def _present(layer: Layer, *found: Entry) -> list[Entry]:
    return [each for each in found if each.param in layer.params or each.param in layer.buffers]


def _known(layer: Recurrent) -> bool:
    if isinstance(layer, LSTM):
        return not layer.peepholes
    return isinstance(layer, SimpleRNN) or (isinstance(layer, GRU) and layer.reset_after)


def _recurrent(layer: Recurrent) -> list[Entry]:
    found = [
        Entry("weight", ("weight_ih",), (1, 0)),
        Entry("recurrent_weight", ("weight_hh",), (1, 0)),
    ]
    if layer.use_bias and isinstance(layer, GRU):
        found += [Entry("bias", ("bias_ih",)), Entry("recurrent_bias", ("bias_hh",))]
    elif layer.use_bias:
        found.append(Entry("bias", ("bias_ih", "bias_hh")))
    if isinstance(layer, LSTM) and layer.projection:
        found.append(Entry("projection", ("weight_hr",), (1, 0)))
    return found


def to_gyaku(
    entry: Entry, tensors: Mapping[str, NDArray[Any]], order: NDArray[np.intp] | None = None
) -> NDArray[Any]:
    """Return a parameter from the tensors of a module.

    Parameters
    ----------
    entry : Entry
        The correspondence.
    tensors : mapping of str to ndarray
        Tensors of the module by name.
    order : ndarray of int, optional
        Features of PyTorch in the order of gyaku's.

    Returns
    -------
    ndarray
        The parameter.
    """
    array = sum((tensors[name] for name in entry.tensors[1:]), tensors[entry.tensors[0]])
    if entry.axes and array.ndim == len(entry.axes):
        array = array.transpose(entry.axes)
    if entry.by_feature and order is not None and len(array) == len(order):
        array = array[order]
    return array.reshape(entry.shape) if entry.shape else array


def to_torch(
    entry: Entry, array: NDArray[Any], order: NDArray[np.intp] | None = None
) -> dict[str, NDArray[Any]]:
    """Return the tensors of a module from a parameter, the inverse of `to_gyaku`.

    Parameters
    ----------
    entry : Entry
        The correspondence.
    array : ndarray
        The parameter.
    order : ndarray of int, optional
        Features of PyTorch in the order of gyaku's.

    Returns
    -------
    dict of str to ndarray
        The tensors by name; of two biases that are added, the second is zero.
    """
    array = array.reshape(-1) if entry.shape else array
    if entry.by_feature and order is not None and len(array) == len(order):
        array = array[np.argsort(order)]
    if entry.axes:
        array = array.transpose(np.argsort(entry.axes))
    first, *more = entry.tensors
    return {first: np.array(array, order="C"), **{name: np.zeros_like(array) for name in more}}


def feature_orders(model: Model) -> dict[int, NDArray[np.intp]]:
    """Return the orders of features of the layers behind a `Flatten` of images.

    Parameters
    ----------
    model : Model
        The model, built.

    Returns
    -------
    dict of int to ndarray of int
        By the id of the layer, PyTorch's index of each of gyaku's features; only where they differ.
    """
    orders, found = value_orders(model), {}
    for use in model.plan.applications:
        layer, value = use.layer, use.inputs[0]
        keeps = use.output in orders or isinstance(layer, _BY_ROWS)
        if value in orders and keeps and (layer.params or layer.buffers):
            found[id(layer)] = orders[value]
    return found


_BY_ROWS = (Dense, Recurrent, Bidirectional)
"""Layers whose weights have the order of their inputs, and whose outputs have their own."""
_IN_PLACE = (
    *(Activation, Dropout, Rescaling, PReLU, BatchNorm, LayerNorm, RMSNorm),
    *(Add, Subtract, Multiply, Divide),
)
"""Layers that treat features alike, in whichever order."""


def value_orders(model: Model) -> dict[int, NDArray[np.intp]]:
    """Return the orders of features behind a `Flatten` of images.

    Parameters
    ----------
    model : Model
        The model, built.

    Returns
    -------
    dict of int to ndarray of int
        By the value of the plan, PyTorch's index of each of gyaku's features; only where they
        differ.
    """
    plan = model.plan
    first = {value: len(shape) > 2 for value, shape in enumerate(plan.input_shapes)}
    orders: dict[int, NDArray[np.intp]] = {}
    for use in plan.applications:
        layer, shape, value = use.layer, plan.shapes[use.inputs[0]], use.inputs[0]
        along = isinstance(layer, (Conv1D, MaxPool1D, AvgPool1D))
        first_here = len(shape) > 2 or along or first.get(value, False)
        if isinstance(layer, (Dense, Recurrent, Bidirectional, Embedding)):
            first_here = False
        elif isinstance(layer, Flatten):
            if first_here and len(shape) > 1:
                orders[use.output] = _moved(shape)
            elif value in orders:
                orders[use.output] = orders[value]
        elif isinstance(layer, Concatenate):
            order = _joined([plan.shapes[each] for each in use.inputs], orders, use.inputs)
            orders |= {} if order is None else {use.output: order}
        elif _keeps(layer, [plan.shapes[each] for each in use.inputs], use.inputs, orders):
            orders[use.output] = orders[value]
        first |= dict.fromkeys(use.outputs, first_here)
    return orders


def _keeps(
    layer: Layer,
    shapes: list[tuple[int, ...]],
    values: tuple[int, ...],
    orders: Mapping[int, NDArray[np.intp]],
) -> bool:
    """Return whether a layer leaves features where they are in PyTorch."""
    if not isinstance(layer, _IN_PLACE) or len({*shapes}) > 1 or len(shapes[0]) != 1:
        return False
    first, *others = (orders.get(value) for value in values)
    return first is not None and all(
        each is not None and np.array_equal(each, first) for each in others
    )


def _moved(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the index in (channels, ...) of each element of (..., channels)."""
    channels_first = np.arange(np.prod(shape)).reshape(shape[-1], *shape[:-1])
    return np.moveaxis(channels_first, 0, -1).ravel()


def _joined(
    shapes: list[tuple[int, ...]], orders: dict[int, NDArray[np.intp]], values: tuple[int, ...]
) -> NDArray[np.intp] | None:
    """Return the order of features that are rows side by side."""
    if not any(value in orders for value in values):
        return None
    starts = pairwise(accumulate((shape[0] for shape in shapes), initial=0))
    parts = [
        start + orders.get(value, np.arange(end - start))
        for (start, end), value in zip(starts, values, strict=True)
    ]
    return np.concatenate(parts)
