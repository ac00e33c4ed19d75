"""Translation of the functions of PyTorch between the modules of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.torch.array_functions import REDUCTIONS, SAME
from gyaku.interop.torch.translation import Translation, takes_last
from gyaku.layers import (
    Add,
    ArrayOperation,
    Concatenate,
    Divide,
    GlobalAvgPool2D,
    MatMul,
    Multiply,
    Permute,
    Rescaling,
    Reshape,
    Slice,
    Subtract,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.layers import Layer

__all__ = ["Functions"]

_FUNCTIONS = {
    "relu": "ReLU", "relu_": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "selu": "SELU",
    "gelu": "GELU", "silu": "SiLU", "mish": "Mish", "softplus": "Softplus", "elu": "ELU",
    "leaky_relu": "LeakyReLU", "celu": "CELU", "hardsigmoid": "Hardsigmoid",
    "hardswish": "Hardswish", "softsign": "Softsign", "softmax": "Softmax",
    "log_softmax": "LogSoftmax", "max_pool2d": "MaxPool2d", "max_pool1d": "MaxPool1d",
    "avg_pool2d": "AvgPool2d", "avg_pool1d": "AvgPool1d", "dropout": "Dropout",
    "max_pool3d": "MaxPool3d", "avg_pool3d": "AvgPool3d", "flatten": "Flatten",
    "adaptive_avg_pool1d": "AdaptiveAvgPool1d", "adaptive_max_pool1d": "AdaptiveMaxPool1d",
    "adaptive_avg_pool2d": "AdaptiveAvgPool2d", "adaptive_max_pool2d": "AdaptiveMaxPool2d",
    "adaptive_avg_pool3d": "AdaptiveAvgPool3d", "adaptive_max_pool3d": "AdaptiveMaxPool3d",
    "interpolate": "Upsample", "relu6": "ReLU6", "logsigmoid": "LogSigmoid",
    "softmin": "Softmin", "softshrink": "Softshrink", "hardshrink": "Hardshrink",
}  # fmt: skip
# What a torch function does to the elements of tensors.
_OPERATIONS = {theirs: ours for ours, theirs in SAME.items()}
_OPERATIONS |= {"maximum": "maximum", "minimum": "minimum", "neg": "negative"}


class Functions(Translation):
    """Translation of modules and functions: a method for each function, by its name.

    Parameters
    ----------
    graph : torch.fx.GraphModule
        The traced module.
    """

    def _call(self, node: Any) -> None:
        name = node.target if node.op == "call_method" else node.target.__name__
        method = getattr(self, f"_of_{name}", None)
        if method is not None:
            method(node)
        elif name in _FUNCTIONS:
            self._function(node, _FUNCTIONS[name])
        elif name in _OPERATIONS:
            self._elements(node, _OPERATIONS[name])
        elif name in REDUCTIONS:
            self._reduction(node, REDUCTIONS[name])
        else:
            self._refuse(node)

    def _kind(self, node: Any) -> str:
        name = getattr(node.target, "__name__", node.target)
        is_module = node.op == "call_module"
        return super()._kind(node) if is_module else _FUNCTIONS.get(name, name)

    def _function(self, node: Any, kind: str) -> None:
        """Translate a function by the module of the same arguments."""
        import inspect

        import torch

        cls = getattr(torch.nn, kind)
        names = [*inspect.signature(cls).parameters]
        ordered = dict(zip(names, node.args[1:], strict=False))
        more = {key: each for key, each in node.kwargs.items() if key in names}
        if kind == "Flatten" and ordered.get("start_dim", more.get("start_dim", 0)) != 1:
            self._refuse(node, "flattens the samples as well")
        if kind == "Dropout" and not node.kwargs.get("training", True):
            self._apply(node, [], node.args[0])
            return
        self._module(node, cls(**(ordered | more)), f"{node.name}")

    def _elements(self, node: Any, operation: str) -> None:
        """Translate an operation on the elements of one tensor, or of two of one layout."""
        if node.kwargs or not all(isinstance(each, type(node)) for each in node.args):
            self._refuse(node, "takes something other than tensors")
        self._check_alike(node, *node.args)
        self._apply(node, [ArrayOperation(operation)], *node.args)

    def _of_clamp(self, node: Any) -> None:
        source, *more = node.args
        given = dict(zip(("min", "max"), more, strict=False)) | node.kwargs
        if not all(each is None or _is_number(each) for each in given.values()):
            self._refuse(node, "limits elements by something other than numbers")
        limits = {ours: given.get(theirs) for ours, theirs in (("least", "min"), ("most", "max"))}
        self._apply(node, [ArrayOperation("clip", limits)], source)

    def _of_hardtanh(self, node: Any) -> None:
        source, *more = node.args
        given = dict(zip(("min_val", "max_val"), more, strict=False)) | node.kwargs
        limits = {"least": float(given.get("min_val", -1)), "most": float(given.get("max_val", 1))}
        self._apply(node, [ArrayOperation("clip", limits)], source)

    def _reduction(self, node: Any, operation: str) -> None:
        """Translate a reduction over axes of the samples."""
        source, *more = node.args
        given = dict(zip(("dim", "keepdim"), more, strict=False)) | node.kwargs
        dims, rank = given.pop("dim", None), self._rank(source)
        keeps = bool(given.pop("keepdim", False))
        listed = [dims] if isinstance(dims, int) else list(dims or ())
        axes = sorted(self._axis(source, dim) for dim in listed)
        if not axes or 0 in axes or given:
            self._refuse(node, "reduces the samples as well, or in another dtype")
        options = {"axes": axes, "keepdims": keeps}
        self._apply(node, [ArrayOperation(operation, options)], source)
        left = rank if keeps else rank - len(axes)
        is_first = self._is_first(source) and (keeps or 1 not in {dim % rank for dim in listed})
        turned = self.turned.add if left > 2 and is_first == (left == 3) else self.turned.discard
        turned(node)

    def _of_getitem(self, node: Any) -> None:
        source, index = node.args
        of_outputs = source.op == "call_module" and index == 0
        if node in self.states or of_outputs or not node.users or takes_last(node):
            self.values[node] = self.values[source]
        elif isinstance(index, tuple) and all(isinstance(each, slice) for each in index):
            self._apply(node, self._slices(node, index), source)
        elif self._rank(source) == 2 and _are_columns(index):
            options = {"indices": [*index[1]], "axis": 1}
            self._apply(node, [ArrayOperation("take", options)], source)
        else:
            self._refuse(node, "takes a part of a tensor")

    def _slices(self, node: Any, index: tuple[slice, ...]) -> list[Layer]:
        found: list[Layer] = []
        for dim, each in enumerate(index):
            if each == slice(None):
                continue
            bounds = each.start, each.stop, 1 if each.step is None else each.step
            axis = self._axis(node.args[0], dim)
            if not axis or not all(isinstance(n, int) or n is None for n in bounds):
                self._refuse(node, "takes a part of a tensor")
            found.append(Slice(*bounds, axis=axis))
        return found

    def _of_size(self, node: Any) -> None:
        self.values[node] = None

    def _of_view(self, node: Any) -> None:
        source, *shape = node.args
        shape = [*shape[0]] if shape and isinstance(shape[0], (tuple, list)) else shape
        if len(shape) != 2:
            self._refuse(node, "gives samples another shape than a row")
        self._apply(node, self._flattened(node, source), source)

    _of_reshape = _of_view

    def _of_contiguous(self, node: Any) -> None:
        self._apply(node, [], node.args[0])

    def _of_transpose(self, node: Any) -> None:
        source, first, second = node.args
        order = [*range(self._rank(source))]
        order[first], order[second] = order[second], order[first]
        self._arranged(node, source, order)

    def _of_permute(self, node: Any) -> None:
        source, *axes = node.args
        axes = [*axes[0]] if axes and isinstance(axes[0], (tuple, list)) else axes
        self._arranged(node, source, [axis % self._rank(source) for axis in axes])

    def _of_movedim(self, node: Any) -> None:
        source, start, end = node.args
        order = [*range(self._rank(source))]
        order.insert(end % len(order), order.pop(start))
        self._arranged(node, source, order)

    def _arranged(self, node: Any, source: Any, order: list[int]) -> None:
        """Note that axes have another order in PyTorch, or permute them in gyaku as well."""
        rank, axes = len(order), [self._axis(source, axis) for axis in order]
        if axes[0] != 0 or sorted(axes) != [*range(rank)]:
            self._refuse(node, "moves the axis of the samples")
        natural, first = [*range(rank)], [0, rank - 1, *range(1, rank - 1)]
        layers = [] if axes in (natural, first) else [Permute(axes[1:])]
        self._apply(node, layers, source)
        is_first = rank > 2 and axes == first
        turned = self.turned.add if rank > 2 and is_first == (rank == 3) else self.turned.discard
        turned(node)

    def _of_stack(self, node: Any) -> None:
        if not all(self._kind(each) in ("RNN", "LSTM", "GRU") for each in node.users):
            self._refuse(node)
        self.values[node] = None  # initial states, which the module takes row by row

    def _of_max_unpool2d(self, node: Any) -> None:
        source, places = node.args[:2]
        if not self._is_first(source):
            self._refuse(node, "takes something other than images with channels first")
        self._apply(node, [self._unpooling(node)], source, places)

    _of_max_unpool1d = _of_max_unpool2d
    _of_max_unpool3d = _of_max_unpool2d

    def _of_add(self, node: Any) -> None:
        self._combined(node, Add, lambda number: Rescaling(1.0, number))

    def _of_sub(self, node: Any) -> None:
        self._combined(node, Subtract, lambda number: Rescaling(1.0, -number))

    def _of_mul(self, node: Any) -> None:
        self._combined(node, Multiply, Rescaling)

    def _of_truediv(self, node: Any) -> None:
        self._combined(node, Divide, lambda number: Rescaling(1 / number))

    def _combined(
        self, node: Any, kind: Callable[[], Layer], scaled: Callable[[float], Layer]
    ) -> None:
        """Combine two tensors of one layout, or a tensor and a number."""
        if len(node.args) != 2 or any(each not in (None, 1) for each in node.kwargs.values()):
            self._refuse(node, "has options, such as alpha or rounding_mode")
        first, second = node.args
        if _is_number(second):
            self._apply(node, [scaled(float(second))], first)
        elif _is_number(first) and kind in (Add, Multiply):
            self._apply(node, [scaled(float(first))], second)
        else:
            self._check_alike(node, first, second)
            self._apply(node, [kind()], first, second)

    def _check_alike(self, node: Any, *sources: Any) -> None:
        """Raise if tensors have different axes."""
        known = {
            (self._rank(each), each in self.turned) if each in self.values else None
            for each in sources
        }
        if len(known) > 1 or None in known:
            self._refuse(node, "combines something other than tensors of the same axes")

    def _of_matmul(self, node: Any) -> None:
        first, second = node.args
        self._check_alike(node, first, second)
        if self._rank(first) != 3 or first in self.turned:
            self._refuse(node, "multiplies something other than a matrix for each sample")
        self._apply(node, [MatMul()], first, second)

    _of_bmm = _of_matmul
    _of_iadd = _of_add

    def _of_cat(self, node: Any) -> None:
        tensors = node.args[0] if node.args else node.kwargs["tensors"]
        axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if node in self.states:
            self.values[node] = self.values[tensors[0]]
            return
        self._check_alike(node, *tensors)
        own = self._axis(tensors[0], axis)
        if not own:
            self._refuse(node, "joins the samples")
        is_last = own == self._rank(tensors[0]) - 1
        self._apply(node, [Concatenate(-1 if is_last else own)], *tensors)

    def _of_pad(self, node: Any) -> None:
        """Translate a padding by the module of its mode."""
        import torch

        source, pads, *more = node.args
        given = dict(zip(("mode", "value"), more, strict=False)) | node.kwargs
        mode, axes = given.get("mode", "constant"), len(pads) // 2
        kinds = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication"}
        kind = getattr(torch.nn, f"{(kinds | {'circular': 'Circular'})[mode]}Pad{axes}d", None)
        if kind is None or self._rank(source) != axes + 2:
            self._refuse(node, "pads other axes than those of an image or a sequence")
        values = [given.get("value") or 0.0] if mode == "constant" else []
        self._module(node, kind(tuple(pads), *values), node.name)

    def _of_mean(self, node: Any) -> None:
        axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        is_image = self._rank(node.args[0]) == 4 and self._is_first(node.args[0])
        if not is_image or isinstance(axes, int) or {a % 4 for a in axes or ()} != {2, 3}:
            self._reduction(node, "mean")
            return
        keeps = node.kwargs.get("keepdim", False)
        layers: list[Layer] = [GlobalAvgPool2D(), *([Reshape((1, 1, -1))] if keeps else [])]
        self._apply(node, layers, node.args[0])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _are_columns(index: Any) -> bool:
    """Return whether an index is ``[:, columns]``."""
    is_pair = isinstance(index, tuple) and len(index) == 2 and index[0] == slice(None)
    return is_pair and isinstance(index[1], (tuple, list)) and all(map(_is_number, index[1]))
