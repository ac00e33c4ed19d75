"""Operations on whole arrays with their gradients, as graphs of other programs have them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gyaku.reference.activation import softplus
from gyaku.reference.gaussian import normal_cdf, normal_pdf
from gyaku.reference.sums import sum_over

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Arrays = Sequence[NDArray[Any]]

__all__ = ["ARRAY_OPERATIONS", "ArrayFunction"]


class ArrayFunction(NamedTuple):
    """Operation on arrays.

    Parameters
    ----------
    forward : callable
        Function of the arrays, and of options by keyword.
    backward : callable
        Function of dy, y and the arrays, and of the options; it returns the gradients with respect
        to the arrays, None where there is none.
    by_element : bool
        Whether an element depends on those at its own place alone, which are broadcast.
    """

    forward: Callable[..., NDArray[Any]]
    backward: Callable[..., Arrays]
    by_element: bool = False


def _unbroadcast(dy: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the sum of a gradient over all copies of an element."""
    extra = dy.ndim - len(shape)
    axes = (*range(extra), *(extra + n for n, length in enumerate(shape) if length == 1))
    return sum_over(dy, axes).reshape(shape) if axes else dy


def _unary(f: Callable[..., Any], slope: Callable[..., Any]) -> ArrayFunction:
    """Return an operation on elements, from its derivative in terms of x and y."""

    def forward(x: NDArray[Any], **options: Any) -> NDArray[Any]:
        return np.asarray(f(x, **options), x.dtype)

    def backward(dy: Any, y: Any, x: Any, **options: Any) -> Arrays:
        return (np.asarray(dy * slope(x, y, **options), x.dtype),)

    return ArrayFunction(forward, backward, by_element=True)


def _binary(f: Callable[..., Any], slopes: Callable[..., tuple[Any, Any]]) -> ArrayFunction:
    """Return an operation on elements of broadcast arrays, from both derivatives."""

    def forward(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(f(a, b), a.dtype)

    def backward(dy: Any, y: Any, a: Any, b: Any) -> Arrays:
        of_a, of_b = slopes(a, b, y)
        return _unbroadcast(dy * of_a, a.shape), _unbroadcast(dy * of_b, b.shape)

    return ArrayFunction(forward, backward, by_element=True)


def _extremum(f: Callable[..., Any]) -> ArrayFunction:
    """Return the largest or smallest of several arrays, whose gradient equal ones share."""

    def forward(*x: NDArray[Any]) -> NDArray[Any]:
        y = x[0]
        for each in x[1:]:
            y = f(y, each)
        return np.asarray(y, x[0].dtype)

    def backward(dy: Any, y: Any, *x: Any) -> Arrays:
        equal = [each == y for each in x]
        each = dy / np.maximum(sum(equal[1:], start=equal[0].astype(dy.dtype)), 1)
        return [_unbroadcast(each * one, a.shape) for one, a in zip(equal, x, strict=True)]

    return ArrayFunction(forward, backward, by_element=True)


def _flat(f: Callable[..., Any]) -> ArrayFunction:
    """Return an operation whose derivative is zero."""
    return _unary(f, lambda x, y: np.zeros_like(x))


def _comparison(f: Callable[..., Any]) -> ArrayFunction:
    return _binary(f, lambda a, b, y: (np.zeros_like(y), np.zeros_like(y)))


def _reduction(f: Callable[..., Any], slope: Callable[..., Any]) -> ArrayFunction:
    """Return a reduction over axes, from its derivative in terms of x and of y with all axes."""

    def forward(x: Any, *, axes: Sequence[int], keepdims: bool) -> NDArray[Any]:
        return np.asarray(f(x, axis=tuple(axes), keepdims=keepdims), x.dtype)

    def backward(dy: Any, y: Any, x: Any, *, axes: Sequence[int], keepdims: bool) -> Arrays:
        if not keepdims:
            dy, y = (np.expand_dims(each, tuple(axes)) for each in (dy, y))
        count = np.prod([x.shape[axis] for axis in axes], dtype=int)
        return (np.asarray(dy * slope(x, y, count, tuple(axes)), x.dtype),)

    return ArrayFunction(forward, backward)


def _extreme(x: Any, y: Any, count: int, axes: tuple[int, ...]) -> Any:
    equal = x == y
    return equal / equal.sum(axis=axes, keepdims=True)


def _log_sum_exp(x: Any, axis: Any, keepdims: bool) -> Any:
    largest = x.max(axis=axis, keepdims=True)
    y = np.log(sum_over(np.exp(x - largest), axis)) + largest
    return y if keepdims else y.squeeze(axis)


def _mean(x: Any, axis: Any, keepdims: bool) -> Any:
    count = math.prod(x.shape[each] for each in axis)
    return sum_over(x, axis, keepdims) / count


def _product_slope(x: Any, y: Any, count: int, axes: tuple[int, ...]) -> Any:
    """Return the product of all other elements, also beside zeros."""
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    rows = moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)
    ones = np.ones_like(rows[..., :1])
    before = np.cumprod(np.concatenate([ones, rows[..., :-1]], -1), -1)
    behind = np.cumprod(np.concatenate([ones, rows[..., :0:-1]], -1), -1)[..., ::-1]
    return np.moveaxis((before * behind).reshape(moved.shape), range(-len(axes), 0), axes)


def _take(x: Any, *, indices: Sequence[int], axis: int) -> NDArray[Any]:
    return np.take(x, np.asarray(indices, int), axis=axis)


def _take_backward(dy: Any, y: Any, x: Any, *, indices: Sequence[int], axis: int) -> Arrays:
    dx = np.zeros_like(x)
    np.add.at(np.moveaxis(dx, axis, 0), np.asarray(indices, int), np.moveaxis(dy, axis, 0))
    return (dx,)


def _pad(x: Any, *, widths: Sequence[Sequence[int]], fill: float) -> NDArray[Any]:
    return np.pad(x, [(0, 0), *map(tuple, widths)], constant_values=fill)


def _pad_backward(dy: Any, y: Any, x: Any, *, widths: Any, fill: float) -> Arrays:
    inside = [slice(a, n - b) for (a, b), n in zip(widths, dy.shape[1:], strict=True)]
    return (np.ascontiguousarray(dy[(slice(None), *inside)]),)


def _mix(x: Any, matrix: Any, *, axis: int) -> NDArray[Any]:
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix, -1, axis)


def _mix_backward(dy: Any, y: Any, x: Any, matrix: Any, *, axis: int) -> Arrays:
    return _mix(dy, matrix.T, axis=axis), np.zeros_like(matrix)


def _transpose_backward(dy: Any, y: Any, x: Any, *, axes: Sequence[int]) -> Arrays:
    return (np.ascontiguousarray(dy.transpose(np.argsort(axes))),)


def _matmul_backward(dy: Any, y: Any, a: Any, b: Any) -> Arrays:
    of_a, of_b = dy @ np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2) @ dy
    return _unbroadcast(of_a, a.shape), _unbroadcast(of_b, b.shape)


def _where(condition: Any, a: Any, b: Any) -> NDArray[Any]:
    return np.asarray(np.where(condition != 0, a, b))


def _where_backward(dy: Any, y: Any, condition: Any, a: Any, b: Any) -> Arrays:
    chosen = condition != 0
    of_a, of_b = np.where(chosen, dy, 0), np.where(chosen, 0, dy)
    return np.zeros_like(condition), _unbroadcast(of_a, a.shape), _unbroadcast(of_b, b.shape)


def _power_slopes(a: Any, b: Any, y: Any) -> tuple[Any, Any]:
    of_b = np.where(a > 0, y * np.log(np.where(a > 0, a, 1)), 0)
    return b * np.power(a, b - 1, where=(b != 0) | (a != 0), out=np.zeros_like(y)), of_b


def _limit(given: float | None, sign: int) -> float:
    return sign * np.inf if given is None else given


def _erf(x: Any) -> Any:
    return 2 * normal_cdf(x * np.sqrt(2)) - 1


def _gelu(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def _gelu_slope(x: Any, y: Any) -> Any:
    t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
    inner = np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner


ARRAY_OPERATIONS: dict[str, ArrayFunction] = {
    # Elements.
    "abs": _unary(np.abs, lambda x, y: np.sign(x)),
    "acos": _unary(np.arccos, lambda x, y: -1 / np.sqrt(1 - x * x)),
    "acosh": _unary(np.arccosh, lambda x, y: 1 / np.sqrt(x * x - 1)),
    "asin": _unary(np.arcsin, lambda x, y: 1 / np.sqrt(1 - x * x)),
    "asinh": _unary(np.arcsinh, lambda x, y: 1 / np.sqrt(x * x + 1)),
    "atan": _unary(np.arctan, lambda x, y: 1 / (1 + x * x)),
    "atanh": _unary(np.arctanh, lambda x, y: 1 / (1 - x * x)),
    "ceil": _flat(np.ceil),
    "clip": _unary(
        lambda x, least, most: np.minimum(np.maximum(x, _limit(least, -1)), _limit(most, 1)),
        lambda x, y, least, most: (x >= _limit(least, -1)) & (x <= _limit(most, 1)),
    ),
    "cos": _unary(np.cos, lambda x, y: -np.sin(x)),
    "cosh": _unary(np.cosh, lambda x, y: np.sinh(x)),
    "elu": _unary(
        lambda x, alpha, gamma: gamma * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
        lambda x, y, alpha, gamma: gamma * np.where(x > 0, 1, alpha * np.exp(np.minimum(x, 0))),
    ),
    "erf": _unary(_erf, lambda x, y: 2 * np.sqrt(2) * normal_pdf(x * np.sqrt(2))),
    "exp": _unary(np.exp, lambda x, y: y),
    "floor": _flat(np.floor),
    "gelu_tanh": _unary(_gelu, _gelu_slope),
    "hard_sigmoid": _unary(
        lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1),
        lambda x, y, alpha, beta: alpha * ((y > 0) & (y < 1)),
    ),
    "invert": _flat(lambda x: x == 0),
    "is_inf": _flat(np.isinf),
    "is_nan": _flat(np.isnan),
    "log": _unary(np.log, lambda x, y: 1 / x),
    "negative": _unary(np.negative, lambda x, y: -np.ones_like(x)),
    "reciprocal": _unary(np.reciprocal, lambda x, y: -y * y),
    "round": _flat(np.round),
    "shrink": _unary(
        lambda x, bias, limit: np.where(x < -limit, x + bias, np.where(x > limit, x - bias, 0)),
        lambda x, y, bias, limit: np.abs(x) > limit,
    ),
    "sign": _flat(np.sign),
    "sin": _unary(np.sin, lambda x, y: np.cos(x)),
    "sinh": _unary(np.sinh, lambda x, y: np.cosh(x)),
    "softplus": _unary(softplus, lambda x, y: 1 / (1 + np.exp(-x))),
    "sqrt": _unary(np.sqrt, lambda x, y: 0.5 / y),
    "swish": _unary(
        lambda x, alpha: x / (1 + np.exp(-alpha * x)),
        lambda x, y, alpha: (1 + alpha * (x - y)) / (1 + np.exp(-alpha * x)),
    ),
    "tan": _unary(np.tan, lambda x, y: 1 + y * y),
    "threshold": _unary(lambda x, limit: np.where(x > limit, x, 0), lambda x, y, limit: x > limit),
    "truncate": _flat(np.trunc),
    # Elements of two arrays.
    "add": _binary(np.add, lambda a, b, y: (np.ones_like(y), np.ones_like(y))),
    "subtract": _binary(np.subtract, lambda a, b, y: (np.ones_like(y), -np.ones_like(y))),
    "multiply": _binary(np.multiply, lambda a, b, y: (b, a)),
    "divide": _binary(np.divide, lambda a, b, y: (1 / b, -y / b)),
    "maximum": _extremum(np.maximum),
    "minimum": _extremum(np.minimum),
    "modulo": _binary(np.mod, lambda a, b, y: (np.ones_like(y), -np.floor(a / b))),
    "remainder": _binary(np.fmod, lambda a, b, y: (np.ones_like(y), -np.trunc(a / b))),
    "power": _binary(np.power, _power_slopes),
    "slope": _binary(
        lambda x, b: np.where(x < 0, b * x, x),
        lambda x, b, y: (np.where(x < 0, b, 1), np.where(x < 0, x, 0)),
    ),
    "equal": _comparison(np.equal),
    "greater": _comparison(np.greater),
    "greater_equal": _comparison(np.greater_equal),
    "less": _comparison(np.less),
    "less_equal": _comparison(np.less_equal),
    "logical_and": _comparison(np.logical_and),
    "logical_or": _comparison(np.logical_or),
    "logical_xor": _comparison(np.logical_xor),
    "where": ArrayFunction(_where, _where_backward),
    # Axes.
    "l1": _reduction(lambda x, **kw: sum_over(np.abs(x), **kw), lambda x, y, n, axes: np.sign(x)),
    "l2": _reduction(
        lambda x, **kw: np.sqrt(sum_over(x * x, **kw)), lambda x, y, n, axes: x / np.where(y, y, 1)
    ),
    "log_sum": _reduction(
        lambda x, **kw: np.log(sum_over(x, **kw)), lambda x, y, n, axes: np.exp(-y) + 0 * x
    ),
    "log_sum_exp": _reduction(_log_sum_exp, lambda x, y, n, axes: np.exp(x - y)),
    "max": _reduction(np.max, _extreme),
    "mean": _reduction(_mean, lambda x, y, n, axes: np.ones_like(x) / n),
    "min": _reduction(np.min, _extreme),
    "prod": _reduction(np.prod, _product_slope),
    "sum": _reduction(sum_over, lambda x, y, n, axes: np.ones_like(x)),
    "sum_square": _reduction(lambda x, **kw: sum_over(x * x, **kw), lambda x, y, n, axes: 2 * x),
    "matmul": ArrayFunction(np.matmul, _matmul_backward),
    "mix": ArrayFunction(_mix, _mix_backward),
    "pad": ArrayFunction(_pad, _pad_backward),
    "take": ArrayFunction(_take, _take_backward),
    "transpose": ArrayFunction(
        lambda x, axes: np.ascontiguousarray(x.transpose(axes)), _transpose_backward
    ),
    "expand": ArrayFunction(
        lambda x, shape: np.ascontiguousarray(np.broadcast_to(x, (len(x), *shape))),
        lambda dy, y, x, shape: (_unbroadcast(dy, x.shape),),
    ),
}
"""The operations by name; arrays have the samples first."""
