"""Functions of PyTorch's samples as modules with weights, and as operations on arrays of gyaku."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch_sample_losses import Refused

import gyaku as gk
from gyaku.interop.torch.array_functions import REDUCTIONS, SAME

nn = torch.nn
TRUTHS = {
    "eq": "equal",
    "ge": "greater_equal",
    "gt": "greater",
    "isinf": "is_inf",
    "isnan": "is_nan",
    "le": "less_equal",
    "logical_and": "logical_and",
    "logical_not": "invert",
    "logical_or": "logical_or",
    "logical_xor": "logical_xor",
    "lt": "less",
}
OPERATIONS = {theirs: ours for ours, theirs in SAME.items()} | TRUTHS
OPERATIONS |= {"maximum": "maximum", "minimum": "minimum", "neg": "negative", "where": "where"}
OPERATIONS |= {"add": "add", "div": "divide", "mul": "multiply", "sub": "subtract"}
ELEMENTS = {
    *("celu", "elu", "gelu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu"),
    *("logsigmoid", "mish", "relu", "relu6", "selu", "silu", "softplus", "softshrink"),
    *("softsign", "tanhshrink", "threshold", "sigmoid", "tanh"),
}
"""Functions of each element, whose samples may have any axes."""
ARGUMENTS = {
    "adaptive_avg_pool": ("output_size",),
    "adaptive_max_pool": ("output_size",),
    "avg_pool": (
        *("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"),
        "divisor_override",
    ),
    "lp_pool": ("norm_type", "kernel_size", "stride", "ceil_mode"),
    "max_pool": ("kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "batch_norm": ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "conv": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "conv_transpose": (
        *("weight", "bias", "stride", "padding", "output_padding", "groups", "dilation"),
    ),
    "embedding": ("index", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse"),
    "group_norm": ("num_groups", "weight", "bias", "eps"),
    "instance_norm": (
        *("running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps"),
    ),
    "layer_norm": ("normalized_shape", "weight", "bias", "eps"),
    "linear": ("weight", "bias"),
    "local_response_norm": ("size", "alpha", "beta", "k"),
    "prelu": ("weight",),
    "rms_norm": ("normalized_shape", "weight", "eps"),
}
"""The arguments of functions with weights, behind the first."""


def named(kind: str, args: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a function by name."""
    return dict(zip(ARGUMENTS[kind], args, strict=False)) | options


def with_weights(module: Any, given: dict[str, Any]) -> Any:
    """Return a module with the weights of a sample."""
    for name in ("weight", "bias"):
        if given.get(name) is not None:
            setattr(module, name, nn.Parameter(given[name].detach().clone()))
    for name in ("running_mean", "running_var"):
        if given.get(name) is not None and getattr(module, name, None) is not None:
            getattr(module, name).copy_(given[name].detach())
    return module.eval()


def convolution(name: str, x: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    weight, groups, axes = given["weight"], given.get("groups", 1), name[-2:]
    is_transposed = "transpose" in name
    options = {
        key: given[key]
        for key in ("stride", "padding", "dilation", "output_padding", "groups")
        if key in given
    }
    ends = weight.shape[1] * groups, weight.shape[0]
    ends = ends[::-1] if is_transposed else ends
    cls = getattr(nn, f"Conv{'Transpose' if is_transposed else ''}{axes}")
    options["bias"] = given.get("bias") is not None
    return with_weights(cls(*ends, tuple(weight.shape[2:]), **options), given), x


def batch_norm(_: str, x: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    cls = getattr(nn, f"BatchNorm{max(x.ndim - 2, 1)}d")
    tracks, trains = given.get("running_mean") is not None, bool(given.get("training", False))
    options = {key: given[key] for key in ("eps", "momentum") if key in given}
    affine = given.get("weight") is not None
    module = cls(x.shape[1], affine=affine, track_running_stats=tracks, **options)
    return with_weights(module, given).train(trains), x


def instance_norm(_: str, x: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    if not given.get("use_input_stats", True):
        raise Refused("normalises by running statistics of instances")
    cls = getattr(nn, f"InstanceNorm{x.ndim - 2}d", None)
    if cls is None:
        raise Refused("has other axes than those of images")
    options = {"eps": given["eps"]} if "eps" in given else {}
    return with_weights(
        cls(x.shape[1], affine=given.get("weight") is not None, **options), given
    ), x


def _norm(cls: Any, size: str) -> Callable[..., tuple[Any, Any]]:
    def made(_: str, x: Any, given: dict[str, Any]) -> tuple[Any, Any]:
        options = {"eps": given["eps"]} if given.get("eps") is not None else {}
        ends = (given[size], x.shape[1]) if cls is nn.GroupNorm else (given[size],)
        module = cls(*ends, **options)
        for name in ("weight", "bias"):
            if given.get(name) is None and hasattr(module, name):
                module.register_parameter(name, None)
        return with_weights(module, given), x

    return made


def embedding(_: str, weight: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    options = {key: each for key, each in given.items() if key != "index"}
    return nn.Embedding(*weight.shape, **options, _weight=weight.detach()), given["index"]


POOLS = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "count_include_pad")
POOLS += ("divisor_override", "output_size", "norm_type")


def pooling(name: str, x: Any, given: dict[str, Any]) -> tuple[Any, Any]:
    """Return the module of a pooling; of its results, the values are compared."""
    words = [part.capitalize() for part in name.split("_")]
    cls = getattr(nn, "".join(words).replace("Lp", "LP"))
    options = {key: given[key] for key in POOLS if key in given}
    for key in ("kernel_size", "stride", "padding", "dilation"):
        if isinstance(options.get(key), tuple) and len(options[key]) == 1 != int(name[-2]):
            options[key] *= int(name[-2])  # one for all axes
    return cls(**options), x


MODULES: dict[str, Callable[..., tuple[Any, Any]]] = {
    "batch_norm": batch_norm,
    "conv": convolution,
    "conv_transpose": convolution,
    "embedding": embedding,
    "group_norm": _norm(nn.GroupNorm, "num_groups"),
    "instance_norm": instance_norm,
    "layer_norm": _norm(nn.LayerNorm, "normalized_shape"),
    "linear": lambda _, x, given: (
        with_weights(
            nn.Linear(*reversed(given["weight"].shape), given.get("bias") is not None), given
        ),
        x,
    ),
    "local_response_norm": lambda _, x, given: (nn.LocalResponseNorm(**given), x),
    "prelu": lambda _, x, given: (  # of a number or of channels
        with_weights(nn.PReLU(given["weight"].numel()), {"weight": given["weight"].reshape(-1)}),
        x,
    ),
    **dict.fromkeys(
        ("adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "lp_pool", "max_pool"), pooling
    ),
    "rms_norm": _norm(nn.RMSNorm, "normalized_shape"),
}
"""The module of each function with weights, and its input."""


def kind_of(name: str) -> str:
    """Return the name of a function without its number of axes."""
    short = name.removeprefix("nn.functional.")
    return short[:-2] if short[-2:] in ("1d", "2d", "3d") else short


def as_array(given: Any) -> Any:
    """Return a tensor or a number as an array of floats."""
    array = given.detach().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    return array.astype(np.float64)


def layer_of(name: str, x: list[Any], args: Any, options: dict[str, Any]) -> Any:
    """Return the layer that computes a function of arrays, which are a batch of one."""
    rank = x[0].ndim - 1
    given = [each for each in args if not isinstance(each, torch.Tensor)]
    if name in OPERATIONS:
        if any(each not in (None, 1) for key, each in options.items() if key != "out"):
            raise Refused(f"has options: {options}")
        return gk.ArrayOperation(OPERATIONS[name])
    if name in REDUCTIONS:
        found = dict(zip(("dim", "keepdim"), given, strict=False)) | options
        dims = found.get("dim")
        dims = range(rank) if dims is None or dims == () else dims
        axes = {1 + dim % rank for dim in ([dims] if isinstance(dims, int) else dims) if rank}
        if not axes:
            raise Refused("reduces a number")
        keeps = bool(found.get("keepdim", False))
        return gk.ArrayOperation(REDUCTIONS[name], {"axes": sorted(axes), "keepdims": keeps})
    if name in ("softmax", "log_softmax"):
        dim = given[0] if given else options["dim"]
        kind = gk.Softmax if name == "softmax" else gk.LogSoftmax
        if not rank:
            raise Refused("is the softmax of a number")
        return kind(axis=1 + dim % rank)
    if name in ("reshape", "view", "flatten"):
        if options.get("dtype") or (given and isinstance(given[0], torch.dtype)):
            raise Refused("is another view of the bits")
        return gk.Reshape(tuple(torch_result(name, x[0][0], args, options).shape))
    if name in ("permute", "transpose", "movedim"):
        places = np.arange(math.prod(x[0].shape)).reshape(x[0].shape)[0]
        # The order of the axes, from what becomes of axes of different lengths.
        labelled = torch.empty(tuple(range(2, 2 + rank)))
        order = [n - 2 for n in getattr(torch, name)(labelled, *args, **options).shape]
        assert places.ndim == rank
        return gk.ArrayOperation("transpose", {"axes": [0, *(1 + n for n in order)]})
    raise Refused("has no counterpart")


def torch_result(name: str, x: Any, args: Any, options: dict[str, Any]) -> Any:
    """Return the result of a method of tensors."""
    return getattr(torch.from_numpy(np.asarray(x)), name)(*args, **options)


def is_of_arrays(name: str) -> bool:
    """Return whether a function is an operation on arrays."""
    others = {"softmax", "log_softmax", "reshape", "view", "flatten", "permute", "transpose"}
    return name in {*OPERATIONS, *REDUCTIONS, *others, "movedim", "bmm", "cat"}


def check_arrays(info: Any, sample: Any) -> None:
    """Raise if an operation on arrays is refused, or gives other results or gradients."""
    name, args = info.name, sample.args
    tensors = [sample.input, *(each for each in args if isinstance(each, torch.Tensor))]
    if name == "where":  # the condition is the second argument of the sample
        tensors = [args[0], sample.input, *args[1:]]
    if name == "cat":
        tensors = [*sample.input]
    numbers = [each for each in args if isinstance(each, (int, float)) and name in OPERATIONS]
    x = [as_array(each) for each in (*tensors, *numbers)]
    if not all(each.size for each in x):
        raise Refused("is empty")
    rank = max(each.ndim for each in x)
    if name in ("matmul", "bmm") and min(each.ndim for each in x) < 2:
        raise Refused("multiplies a vector")
    x = [each.reshape(1, *(1,) * (rank - each.ndim), *each.shape) for each in x]
    if name == "cat":
        dim = args[0] if args else sample.kwargs.get("dim", 0)
        layer: Any = gk.Concatenate(axis=1 + dim % rank)
    elif name == "bmm":
        layer = gk.ArrayOperation("matmul")
    else:
        layer = layer_of(name, x, args, sample.kwargs)
    try:
        inputs = [gk.Input(each.shape[1:]) for each in x]
        model = gk.Model(inputs if len(x) > 1 else inputs[0], layer(*inputs), dtype="float64")
        ours = model.forward(tuple(x) if len(x) > 1 else x[0])
    except (ValueError, TypeError) as error:
        raise Refused(str(error)) from None
    compare_arrays(info, sample, model, ours, tensors)


def compare_arrays(info: Any, sample: Any, model: Any, ours: Any, tensors: list[Any]) -> None:
    """Raise if results or gradients differ."""
    leaves = {
        id(each): each.detach().clone().requires_grad_(each.is_floating_point()) for each in tensors
    }
    exchange = lambda each: leaves.get(id(each), each)  # noqa: E731
    first = [*map(exchange, sample.input)] if info.name == "cat" else exchange(sample.input)
    y = info.op(first, *map(exchange, sample.args), **sample.kwargs)
    wanted = y.detach().numpy() * 1.0
    np.testing.assert_allclose(ours.reshape(wanted.shape), wanted, rtol=1e-9, atol=1e-9)
    if not y.requires_grad:
        return
    dy = np.random.default_rng(0).normal(size=wanted.shape)
    y.backward(torch.from_numpy(dy))
    dx = model.backward(dy.reshape(ours.shape), input_gradient=True)
    for one, each in zip(dx if isinstance(dx, tuple) else (dx,), tensors, strict=False):
        gradient = leaves[id(each)].grad
        if gradient is not None:
            found = one.reshape(gradient.shape)
            np.testing.assert_allclose(found, gradient.numpy(), rtol=1e-9, atol=1e-9)
