"""Operations on arrays as functions of PyTorch's tensors."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["REDUCTIONS", "SAME", "array_operation"]

SAME = {
    name: name
    for name in (
        *("abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh"),
        *("divide", "erf", "exp", "floor", "log", "matmul", "multiply"),
        *("negative", "reciprocal", "round", "sign", "sin", "sinh", "sqrt", "subtract", "tan"),
    )
} | {"modulo": "remainder", "power": "pow", "remainder": "fmod", "truncate": "trunc"}
"""The function of torch that computes each operation on elements."""
_TRUTHS = {
    "equal": "eq", "greater": "gt", "greater_equal": "ge", "is_inf": "isinf", "is_nan": "isnan",
    "less": "lt", "less_equal": "le", "invert": "logical_not", "logical_and": "logical_and",
    "logical_or": "logical_or", "logical_xor": "logical_xor",
}  # fmt: skip
"""The function whose result is true or false."""
_REDUCTIONS: dict[str, Callable[..., Any]] = {
    "l1": lambda x, **kw: x.abs().sum(**kw),
    "l2": lambda x, **kw: (x * x).sum(**kw).sqrt(),
    "log_sum": lambda x, **kw: x.sum(**kw).log(),
    "log_sum_exp": lambda x, **kw: x.logsumexp(**kw),
    "max": lambda x, **kw: x.amax(**kw),
    "mean": lambda x, **kw: x.mean(**kw),
    "min": lambda x, **kw: x.amin(**kw),
    "sum": lambda x, **kw: x.sum(**kw),
    "sum_square": lambda x, **kw: (x * x).sum(**kw),
}


REDUCTIONS = {
    "amax": "max", "amin": "min", "logsumexp": "log_sum_exp", "mean": "mean", "prod": "prod",
    "sum": "sum",
}  # fmt: skip
"""The operation of each reduction of torch."""


def array_operation(layer: Any, *x: Any, **constants: Any) -> Any:
    """Return the result of an operation.

    Parameters
    ----------
    layer : ArrayOperation
        The layer.
    *x : torch.Tensor
        Its inputs, channels last.
    **constants : torch.Tensor
        Its constants by name.

    Returns
    -------
    torch.Tensor
        The result.
    """
    import torch

    given, name, options = iter(x), layer.operation, dict(layer.options)
    arguments = [
        next(given) if shape is None else constants[f"constant_{place}"]
        for place, shape in enumerate(layer.constants or (None,) * len(x))
    ]
    if name in ("maximum", "minimum"):  # of any number
        return functools.reduce(getattr(torch, name), arguments)
    if name in SAME:
        return getattr(torch, SAME[name])(*arguments, **options)
    if name in _TRUTHS:
        return getattr(torch, _TRUTHS[name])(*arguments).to(x[0].dtype)
    if name in _REDUCTIONS:
        axes = tuple(options["axes"])
        return _REDUCTIONS[name](*arguments, dim=axes, keepdim=options["keepdims"])
    return _COMPOSED[name](*arguments, **options)


def _prod(x: Any, *, axes: Any, keepdims: bool) -> Any:
    for axis in sorted(axes, reverse=True):
        x = x.prod(dim=axis, keepdim=keepdims)
    return x


def _elu(x: Any, *, alpha: float, gamma: float) -> Any:
    return gamma * (x.clamp(min=0) + alpha * x.clamp(max=0).expm1())


def _gelu_tanh(x: Any) -> Any:
    return x / 2 * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())


def _pad(x: Any, *, widths: Any, fill: float) -> Any:
    import torch

    pads = [n for pair in reversed(widths) for n in pair]
    return torch.nn.functional.pad(x, pads, value=fill)


def _shrink(x: Any, *, bias: float, limit: float) -> Any:
    return ((x + bias) * (x < -limit)) + ((x - bias) * (x > limit))


def _take(x: Any, *, indices: Any, axis: int) -> Any:
    import torch

    places = torch.tensor(indices, device=x.device) % x.shape[axis]
    return x.index_select(axis, places)


def _where(condition: Any, a: Any, b: Any) -> Any:
    import torch

    return torch.where(condition != 0, a, b)


def _softplus(x: Any) -> Any:
    return x.clamp(min=0) + (-x.abs()).exp().log1p()


_COMPOSED: dict[str, Callable[..., Any]] = {
    "clip": lambda x, least, most: x.clamp(least, most),
    "elu": _elu,
    "expand": lambda x, shape: x.expand(len(x), *shape),
    "gelu_tanh": _gelu_tanh,
    "hard_sigmoid": lambda x, alpha, beta: (alpha * x + beta).clamp(0, 1),
    "mix": lambda x, matrix, axis: (x.movedim(axis, -1) @ matrix).movedim(-1, axis),
    "pad": _pad,
    "prod": _prod,
    "shrink": _shrink,
    "slope": lambda x, b: x.clamp(min=0) + b * x.clamp(max=0),
    "softplus": _softplus,
    "swish": lambda x, alpha: x * (alpha * x).sigmoid(),
    "take": _take,
    "threshold": lambda x, limit: x * (x > limit),
    "transpose": lambda x, axes: x.permute(*axes),
    "where": _where,
}
