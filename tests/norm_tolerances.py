"""What pooling and normalisation add up to one number, see `tolerances`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gyaku import reference

Array = NDArray[Any]
Scales = tuple[Array, ...]
Scale = Callable[[list[Array], dict[str, Any], Scales], Scales]


def of_magnitudes(equation: Callable[..., Array]) -> Scale:
    """Return the scale of an operation that adds up: itself, of magnitudes."""

    def scale(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
        return (equation(*map(np.abs, arguments), **keywords),)

    return scale


def add(arguments: list[Array], _: dict[str, Any], __: Scales) -> Scales:
    a, b = (np.abs(x) for x in arguments)
    return (a + b,)


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
    m = x.size / gamma.size
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


def update_running(arguments: list[Array], keywords: dict[str, Any], _: Scales) -> Scales:
    return reference.update_running(*map(np.abs, arguments), **keywords)


SCALES: dict[str, Scale] = {
    function.__name__: function
    for function in (
        *(add, batch_norm, batch_norm_inference, batch_norm_backward),
        *(layer_norm, layer_norm_backward, update_running),
    )
} | {
    "avg_pool2d": of_magnitudes(reference.avg_pool2d),
    "avg_pool2d_backward": of_magnitudes(reference.avg_pool2d_backward),
    "global_avg_pool2d": of_magnitudes(reference.global_avg_pool2d),
    "global_avg_pool2d_backward": of_magnitudes(reference.global_avg_pool2d_backward),
    "max_pool2d_backward": of_magnitudes(reference.max_pool2d_backward),
}
