"""How much is added up to one number of each output: the scale of its rounding error.

A number is off by at most ``roundings * eps * sqrt(terms) * scale``; roundings and terms stand in
the operation's row. Where no function here says otherwise, the scale is the number's magnitude.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from activation_facts import FACTS
from numpy.typing import NDArray
from optimizer_facts import UPDATES
from recurrent_scales import SCALES

from gyaku import reference
from gyaku.ops import TABLE

Array = NDArray[Any]
Scales = tuple[Array, ...]
Scale = Callable[[list[Array], dict[str, Any], Scales], Scales]


def magnitude(_arguments: list[Array], _keywords: dict[str, Any], outputs: Scales) -> Scales:
    return tuple(np.abs(output) for output in outputs)


def activated(op: str, z: Array, keywords: dict[str, Any], outputs: Scales) -> Scales:
    """Return the scale of an activation of sums whose magnitudes add up to z."""
    name = keywords.get("activation") or "identity"
    # The activation's own error comes on top of what it makes of the sum's.
    own = of(name)([z], {}, outputs)[0] * TABLE[name].roundings / TABLE[op].roundings
    slope = max(FACTS[name].steepest, keywords.get("alpha") or 0)
    return (slope * z + own,)


def matmul(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    a, b = (np.abs(x) for x in arguments)
    a = a.swapaxes(-1, -2) if keywords.get("transpose_a") else a
    b = b.swapaxes(-1, -2) if keywords.get("transpose_b") else b
    z = a @ b
    if keywords.get("bias") is not None:
        z = z + np.abs(keywords["bias"])
    return activated("matmul", z, keywords, outputs)


def of_magnitudes(op: str) -> Scale:
    """Return the scale of an operation whose terms may cancel: itself, of magnitudes."""

    def scale(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
        options = {key: x for key, x in keywords.items() if key not in {"activation", "alpha"}}
        sums = TABLE[op].equation(*map(np.abs, arguments), **options)
        return sums if isinstance(sums, tuple) else activated(op, np.abs(sums), keywords, outputs)

    return scale


def distance(x: Array, axis: int = -1) -> Array:
    """Return how far each number is below the largest of its row; 0 where that is infinite."""
    with np.errstate(invalid="ignore"):
        gap = x.max(axis=axis, keepdims=True, initial=-np.inf) - x
    return np.where(np.isfinite(gap), gap, 0)


def softmax(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    # An error in x - max(x) is an error in the exponent.
    return (outputs[0] * (1 + distance(arguments[0], **keywords)),)


def log_softmax(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    return (1 + distance(arguments[0], **keywords) + np.abs(outputs[0]),)


def softmax_backward(arguments: list[Array], keywords: dict[str, Any], __: Scales) -> Scales:
    dy, y = (np.abs(x) for x in arguments)
    return (y * (dy + (dy * y).sum(axis=keywords.get("axis", -1), keepdims=True)),)


def log_softmax_backward(arguments: list[Array], keywords: dict[str, Any], __: Scales) -> Scales:
    dy, y = np.abs(arguments[0]), arguments[1]
    return (dy + np.exp(y) * dy.sum(axis=keywords.get("axis", -1), keepdims=True),)


def of_positions(scale: Scale) -> Scale:
    """Return the scale of a loss over positions, from that of a loss over rows."""

    def scales(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
        (y, t), (loss, dy) = arguments, outputs
        real = np.ones(y.shape[:-1], bool)
        options = dict(keywords)
        if "sample_weight" in options:
            return of_weighted_rows(scale, arguments, options, outputs)
        if (lengths := options.pop("lengths", None)) is not None:
            real[np.arange(y.shape[1]) >= lengths[:, np.newaxis]] = False
        found = np.zeros(dy.shape, dy.dtype)
        total, found[real] = scale([y[real], t[real]], options, (loss, dy[real]))
        return total, found

    return scales


def of_weighted_rows(
    scale: Scale, arguments: list[Array], options: dict[str, Any], outputs: Scales
) -> Scales:
    """Return the scale of a weighted loss over positions, from that of the sum over one row."""
    (y, t), (loss, dy) = arguments, outputs
    weights = weights_of(options, y.shape[:-1])
    factor = 1 if options.pop("reduction", "mean") == "sum" else 1 / weights.sum()
    options = {name: options[name] for name in options.keys() - {"lengths", "sample_weight"}}
    total, found = np.zeros(1, loss.dtype), np.zeros(dy.shape, dy.dtype)
    for place in map(tuple, np.argwhere(weights)):
        own = factor * weights[place]
        row = [y[place][np.newaxis], t[place][np.newaxis]]
        of_row = scale(row, options | {"reduction": "sum"}, (loss, dy[place][np.newaxis] / own))
        total += own * of_row[0]
        found[place] = own * of_row[1]
    return total, found


def weights_of(keywords: dict[str, Any], positions: tuple[int, ...]) -> Array:
    """Return the weight of each position, zero behind the ends of sequences."""
    given = keywords.get("sample_weight", np.ones(positions[:1]))
    weights = np.zeros(positions)
    weights += given.reshape(*given.shape, *(1,) * (len(positions) - given.ndim))
    if (lengths := keywords.get("lengths")) is not None:
        weights[np.arange(positions[1]) >= lengths[:, np.newaxis]] = 0
    return weights


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


def labels_scale(
    arguments: list[Array], keywords: dict[str, Any], terms: Scales, slopes: Array
) -> Scales:
    """Return the scale of a binary cross-entropy from those of its elements."""
    shape = arguments[0].shape
    counted = max(2 if "lengths" in keywords else 1, np.ndim(keywords.get("sample_weight", 0)))
    features = max(int(np.prod(shape[counted:])), 1)
    weights = weights_of(keywords, shape)
    samples = weights.sum() / features
    factor = 1 / features / (1 if keywords.get("reduction") == "sum" else samples)
    loss = factor * sum((term * weights)[weights > 0].sum() for term in terms)
    return np.reshape(loss, 1), factor * np.where(weights > 0, weights * slopes, 0)


def binary_cross_entropy(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    p, t = arguments
    delta = keywords.get("delta", 1e-7)
    yes, no = p + delta, 1 - p + delta
    # A rounding of 1 - p is one of 1.
    terms = abs(t) * (1 + abs(np.log(yes))), abs(1 - t) * (1 / no + abs(np.log(no)))
    return labels_scale(arguments, keywords, terms, abs(t) / yes + (1 + abs(t)) / no**2)


def sigmoid_cross_entropy(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    x, t = arguments
    return labels_scale(arguments, keywords, (1 + abs(x) + abs(x * t),), 1 + abs(t))


def accumulate(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    value, totals, _slot = arguments
    count = keywords.get("count", [1])[0]
    return (np.abs(totals) + abs(keywords["weight"] * value[0] * count),)


def rescale(arguments: list[Array], keywords: dict[str, Any], __: Scales) -> Scales:
    product = np.abs(arguments[0] * keywords["scale"])
    return (product + abs(keywords.get("offset", 0.0)),)


def of_activation(name: str) -> Scale:
    """Return the scale of an activation, or of its gradient."""
    facts = FACTS[name.removesuffix("_backward")]
    scale = facts.scale_backward if name.endswith("_backward") else facts.scale

    def scales(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
        return (scale(*arguments, outputs[0], **keywords),)

    return scales


def embedding_backward(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    dy, ids = arguments
    return (reference.embedding_backward(np.abs(dy), ids, **keywords),)


def normalised(x: Array, gamma: Array, beta: Array, mean: Array, inverse: Array) -> Array:
    return np.abs(gamma) * (np.abs(x) + np.abs(mean)) * inverse + np.abs(beta)


def batch_norm(arguments: list[Array], _: dict[str, Any], outputs: Scales) -> Scales:
    x, gamma, beta = arguments
    _y, _mean, inverse, variance = outputs
    magnitude = np.abs(x).mean(axis=tuple(range(x.ndim - 1)))
    y = normalised(x, gamma, beta, magnitude, inverse)
    return y, magnitude, inverse, variance


def batch_norm_inference(arguments: list[Array], _: dict[str, Any], outputs: Scales) -> Scales:
    x, gamma, beta, mean, _variance = arguments
    return normalised(x, gamma, beta, mean, outputs[1]), outputs[1]


def batch_norm_backward(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    dy, x, gamma, mean, inverse = (np.abs(each) for each in arguments)
    samples = tuple(range(x.ndim - 1))
    z = (x + mean) * inverse
    dgamma, dbeta = (dy * z).sum(axis=samples), dy.sum(axis=samples)
    m = np.prod(x.shape[:-1])
    rest = (dbeta + z * dgamma) / m if keywords.get("training", True) else 0
    return gamma * inverse * (dy + rest), dgamma, dbeta


def layer_norm(arguments: list[Array], _: dict[str, Any], outputs: Scales) -> Scales:
    x, gamma, beta = arguments
    features = tuple(range(-gamma.ndim, 0))
    magnitude = np.abs(x).mean(axis=features)
    inverse = outputs[2]
    wide = [np.expand_dims(each, features) for each in (magnitude, inverse)]
    return normalised(x, gamma, beta, *wide), magnitude, inverse


def layer_norm_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, x, gamma, mean, inverse = (np.abs(each) for each in arguments)
    features = tuple(range(-gamma.ndim, 0))
    mean, inverse = np.expand_dims(mean, features), np.expand_dims(inverse, features)
    z, g = (x + mean) * inverse, gamma * dy
    shift = g.mean(axis=features, keepdims=True)
    slope = (g * z).mean(axis=features, keepdims=True)
    samples = tuple(range(x.ndim - gamma.ndim))
    return inverse * (g + shift + z * slope), (dy * z).sum(axis=samples), dy.sum(axis=samples)


def in_channels(values: Array, like: Array) -> Array:
    """Repeat the value of each sample's group for its channels."""
    spread = np.repeat(values, like.shape[-1] // values.shape[1], axis=1)
    return spread.reshape(len(like), *(1,) * (like.ndim - 2), like.shape[-1])


def group_norm(arguments: list[Array], keywords: dict[str, Any], outputs: Scales) -> Scales:
    x, gamma, beta = arguments
    _, magnitude, _ = reference.group_norm(np.abs(x), gamma, beta, groups=keywords["groups"])
    wide = [in_channels(each, x) for each in (magnitude, outputs[2])]
    return normalised(x, gamma, beta, *wide), magnitude, outputs[2]


def group_norm_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, x, gamma, mean, inverse = (np.abs(each) for each in arguments)
    groups = mean.shape[1]
    r = in_channels(inverse, x)
    z, g = (x + in_channels(mean, x)) * r, gamma * dy
    ones, zeros = np.ones_like(gamma), np.zeros_like(gamma)
    shift, slope = (
        in_channels(reference.group_norm(each, ones, zeros, groups=groups)[1], x)
        for each in (g, g * z)
    )
    samples = tuple(range(x.ndim - 1))
    return r * (g + shift + z * slope), (dy * z).sum(axis=samples), dy.sum(axis=samples)


def rms_norm_backward(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    dy, x, gamma, inverse = (np.abs(each) for each in arguments)
    features = tuple(range(-gamma.ndim, 0))
    r = np.expand_dims(inverse, features)
    z, g = x * r, gamma * dy
    slope = (g * z).mean(axis=features, keepdims=True)
    return r * (g + z * slope), (dy * z).sum(axis=tuple(range(x.ndim - gamma.ndim)))


def local_response_norm_backward(
    arguments: list[Array], keywords: dict[str, Any], _: Scales
) -> Scales:
    dy, x = (np.abs(each) for each in arguments)
    other = reference.local_response_norm_backward(-dy, x, **keywords)
    once = dy * reference.local_response_norm(np.ones_like(x), **keywords)
    return (np.abs(other) + 2 * once,)


OWN: dict[str, Scale] = {op: of_magnitudes(op) for op, row in TABLE.items() if row.cancels}
OWN |= {op: of_activation(op) for name in FACTS for op in (name, name + "_backward")}
OWN["subtract"] = of_magnitudes("add")
OWN |= {name: update.scale for name, update in UPDATES.items()}
OWN |= SCALES
OWN |= {
    function.__name__: function
    for function in (
        *(matmul, softmax, log_softmax, softmax_backward, log_softmax_backward),
        *(accumulate, rescale, binary_cross_entropy, sigmoid_cross_entropy),
        *(embedding_backward, batch_norm, batch_norm_inference, batch_norm_backward),
        *(layer_norm, layer_norm_backward, group_norm, group_norm_backward),
        *(rms_norm_backward, local_response_norm_backward),
    )
}


OWN |= {loss.__name__: of_positions(loss) for loss in (softmax_cross_entropy, cross_entropy)}


def lost(op: str, arguments: list[Array]) -> Array:
    """Return how many times the smallest normal number underflow may take from a number.

    Subnormal numbers count as zero, and what underflows on the way may be multiplied later on: by
    dy, and by x where the function is x times one that goes to zero.
    """
    factor = np.ones(())
    if op.removesuffix("_backward") in {*reference.FORWARD, "softmax", "log_softmax"} - {op}:
        factor = factor + np.abs(arguments[0])
    facts = FACTS.get(op.removesuffix("_backward"))
    if facts is not None and facts.loses_x:
        factor = factor * (1 + np.abs(arguments[-1])) ** facts.loses_x
    return factor


def of(op: str) -> Scale:
    """Return the operation's scale."""
    return OWN.get(op, magnitude)
