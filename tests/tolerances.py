"""How much is added up to one number of each output: the scale of its rounding error.

A number is off by at most ``roundings * eps * sqrt(terms) * scale``; roundings and terms stand in
the operation's row. Where no function here says otherwise, the scale is the number's magnitude.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from norm_tolerances import SCALES
from numpy.typing import NDArray

from gyaku import reference
from gyaku.ops import TABLE

Array = NDArray[Any]
Scales = tuple[Array, ...]
Scale = Callable[[list[Array], dict[str, Any], Scales], Scales]

SELU_SLOPE = reference.activation.SELU_SCALE * reference.activation.SELU_ALPHA
STEEPEST = {"selu": SELU_SLOPE, "gelu": 1.13, "silu": 1.1}


def magnitude(_arguments: list[Array], _keywords: dict[str, Any], outputs: Scales) -> Scales:
    return tuple(np.abs(output) for output in outputs)


def activated(op: str, z: Array, keywords: dict[str, Any], outputs: Scales) -> Scales:
    """Return the scale of an activation of sums whose magnitudes add up to z."""
    name = keywords.get("activation") or "identity"
    # The activation's own error comes on top of what it makes of the sum's.
    own = of(name)([z], {}, outputs)[0] * TABLE[name].roundings / TABLE[op].roundings
    slope = max(STEEPEST.get(name, 1), keywords.get("alpha") or 0)
    return (slope * z + own,)


def matmul(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    a, b = (np.abs(x) for x in arguments)
    z = (a.T if keywords.get("transpose_a") else a) @ (b.T if keywords.get("transpose_b") else b)
    if keywords.get("bias") is not None:
        z = z + np.abs(keywords["bias"])
    return activated("matmul", z, keywords, outputs)


def of_magnitudes(op: str) -> Scale:
    """Return the scale of an operation that adds up products: itself, of magnitudes."""

    def scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
        options = {key: x for key, x in keywords.items() if key not in {"activation", "alpha"}}
        sums = TABLE[op].equation(*map(np.abs, arguments), **options)
        return sums if isinstance(sums, tuple) else activated(op, sums, keywords, outputs)

    return scale


def distance(x: Array) -> Array:
    """Return how far each number is below the largest of its row; 0 where that is infinite."""
    with np.errstate(invalid="ignore"):
        gap = x.max(axis=-1, keepdims=True, initial=-np.inf) - x
    return np.where(np.isfinite(gap), gap, 0)


def softmax(arguments: list[Array], _: dict[str, Any], outputs: Scales) -> Scales:
    # An error in x - max(x) is an error in the exponent.
    return (outputs[0] * (1 + distance(arguments[0])),)


def log_softmax(arguments: list[Array], _: dict[str, Any], outputs: Scales) -> Scales:
    return (1 + distance(arguments[0]) + np.abs(outputs[0]),)


def softmax_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, y = (np.abs(x) for x in arguments)
    return (y * (dy + (dy * y).sum(axis=-1, keepdims=True)),)


def log_softmax_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, y = np.abs(arguments[0]), arguments[1]
    return (dy + np.exp(y) * dy.sum(axis=-1, keepdims=True),)


def one_hot(target: Array, like: Array) -> Array:
    if target.ndim == 2:
        return target
    return np.asarray(target[:, np.newaxis] == np.arange(like.shape[1])).astype(like.dtype)


def softmax_cross_entropy(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    logits, target = arguments
    smoothing = keywords.get("label_smoothing", 0.0)
    factor = 1 if keywords.get("reduction") == "sum" else 1 / len(logits)
    t = (1 - smoothing) * one_hot(target, logits) + smoothing / logits.shape[1]
    gap = distance(logits)
    e = np.exp(-gap)
    total = e.sum(axis=1, keepdims=True)
    loss = factor * (t * (1 + gap + np.log(total))).sum().reshape(1)
    return loss, factor * (e / total * (1 + gap) * t.sum(axis=1, keepdims=True) + t)


def cross_entropy(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    p, target = arguments
    factor = 1 if keywords.get("reduction") == "sum" else 1 / len(p)
    logarithm = np.abs(np.log(p + keywords.get("delta", 1e-7)))
    loss = factor * (one_hot(target, p) * (1 + logarithm)).sum().reshape(1)
    return loss, np.abs(outputs[1])


def sgd(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    params, grads, clock = (np.abs(x) for x in arguments)
    return (params + clock[1] * (grads + keywords.get("weight_decay", 0.0) * params),)


def momentum(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    params, grads, velocity, clock = (np.abs(x) for x in arguments)
    change = clock[1] * (grads + keywords.get("weight_decay", 0.0) * params)
    velocity = keywords.get("momentum", 0.9) * velocity + change
    return params + velocity + change, velocity


def adam(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    params, grads, m, v, clock = (np.abs(x) for x in arguments)
    beta1, beta2 = keywords.get("beta1", 0.9), keywords.get("beta2", 0.999)
    grads = grads + keywords.get("weight_decay", 0.0) * params
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * grads * grads
    root = np.sqrt(outputs[2] / (1 - clock[3])) + keywords.get("epsilon", 1e-8)
    return params + clock[1] * m / (1 - clock[2]) / root * v / outputs[2], m, v


def accumulate(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    value, totals, _slot = arguments
    return (np.abs(totals) + abs(keywords["weight"] * value[0]),)


def rescale(arguments: list[Array], keywords: dict[str, Any], __: Scales) -> Scales:
    product = np.abs(arguments[0] * keywords["scale"])
    return (product + abs(keywords.get("offset", 0.0)),)


def hard_sigmoid(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    return (np.minimum(np.abs(arguments[0]) / 6, 1) + 0.5,)


def tanh_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, y = arguments
    return (np.abs(dy) * (1 + y * y),)


def elu_backward(arguments: list[Array], keywords: dict[str, Any], __: Scales) -> Scales:
    dy, y = (np.abs(x) for x in arguments)
    return (dy * (y + max(keywords.get("alpha", 1.0), 1)),)


def selu_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, y = (np.abs(x) for x in arguments)
    return (dy * (y + SELU_SLOPE),)


def gelu_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, x = arguments
    near = np.clip(x, -100, 100)  # both terms are 0 or 1 beyond
    return (np.abs(dy) * (reference.normal_cdf(near) + np.abs(near) * reference.normal_pdf(near)),)


def silu_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    # As dy s (1 + x (1 - s)): the rounding error of s comes back multiplied by x.
    dy, x = arguments
    finite = np.where(np.isinf(x), 0, x)
    return (np.abs(dy) * reference.sigmoid(finite) * (1 + np.abs(finite)),)


def sum_rows(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    return (np.abs(arguments[0]).sum(axis=0),)


OWN: dict[str, Scale] = SCALES | {op: of_magnitudes(op) for op in TABLE if op.startswith("conv2d")}
OWN |= {
    function.__name__: function
    for function in (
        *(matmul, sum_rows, softmax, log_softmax, softmax_backward, log_softmax_backward),
        *(softmax_cross_entropy, cross_entropy, sgd, momentum, adam, accumulate, rescale),
        *(hard_sigmoid, tanh_backward, elu_backward, selu_backward, gelu_backward, silu_backward),
    )
}


def lost(op: str, arguments: list[Array]) -> Array:
    """Return how many times the smallest normal number underflow may take from a number.

    Subnormal numbers count as zero, and what underflows on the way may be multiplied later on: by
    dy, and by x where the function is x times one that goes to zero.
    """
    factor = np.ones(())
    if op.removesuffix("_backward") in {*reference.FORWARD, "softmax", "log_softmax"} - {op}:
        factor = factor + np.abs(arguments[0])
    if op.removesuffix("_backward") in {"gelu", "silu"}:
        factor = factor * (1 + np.abs(arguments[-1]))
    return factor


def of(op: str) -> Scale:
    """Return the operation's scale."""
    return OWN.get(op, magnitude)
