"""Losses of PyTorch's samples as those of gyaku: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gyaku import losses, ops

Array = NDArray[Any]
F = torch.nn.functional


class Refused(Exception):
    """A sample without a counterpart; the message is the reason."""


MODULES = {
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "CTCLoss": "ctc_loss",
    "CosineEmbeddingLoss": "cosine_embedding_loss",
    "CrossEntropyLoss": "cross_entropy",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "HingeEmbeddingLoss": "hinge_embedding_loss",
    "HuberLoss": "huber_loss",
    "KLDivLoss": "kl_div",
    "L1Loss": "l1_loss",
    "LinearCrossEntropyLoss": "linear_cross_entropy",
    "MSELoss": "mse_loss",
    "MarginRankingLoss": "margin_ranking_loss",
    "MultiLabelMarginLoss": "multilabel_margin_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "MultiMarginLoss": "multi_margin_loss",
    "NLLLoss": "nll_loss",
    "PoissonNLLLoss": "poisson_nll_loss",
    "SmoothL1Loss": "smooth_l1_loss",
    "SoftMarginLoss": "soft_margin_loss",
    "TripletMarginLoss": "triplet_margin_loss",
    "TripletMarginWithDistanceLoss": "triplet_margin_with_distance_loss",
}
"""The function of each module."""
Result = tuple[Array, list[Array]]
"""The losses, each for itself, and the gradients of their sum with respect to the inputs."""


def rows(array: Array) -> Array:
    """Return each element as a sample."""
    return array.reshape(-1, 1)


def by_element(kind: Callable[..., Any], y: Array, t: Array, **options: Any) -> Result:
    """Return the losses of all elements, in the shape of the outputs."""
    found, dy = kind(**options, reduction="none")(rows(y), rows(np.broadcast_to(t, y.shape)))
    return found.reshape(y.shape), [dy.reshape(y.shape)]


def plain(kind: Callable[..., Any], **names: str) -> Callable[..., Result]:
    """Return a loss of elements, whose options have other names."""

    def computed(y: Array, t: Array, options: dict[str, Any]) -> Result:
        given = {ours: options[theirs] for ours, theirs in names.items() if theirs in options}
        return by_element(kind, y, t, **given)

    return computed


def weighed(result: Result, weight: Any) -> Result:
    """Return losses of elements multiplied by weights."""
    if weight is None:
        return result
    found, slopes = result
    return found * weight, [dy * np.broadcast_to(weight, found.shape) for dy in slopes]


def binary(y: Array, t: Array, options: dict[str, Any]) -> Result:
    # PyTorch limits logarithms to -100; nothing else is added.
    result = by_element(losses.BinaryCrossEntropy, y, t, delta=1e-300)
    return weighed(result, options.get("weight"))


def binary_with_logits(y: Array, t: Array, options: dict[str, Any]) -> Result:
    positive = options.get("pos_weight")
    if positive is None:
        result = by_element(losses.SigmoidCrossEntropy, y, t)
    else:  # a weight for each element
        found, dy = np.empty(y.shape), np.empty(y.shape)
        of_each = np.broadcast_to(positive, y.shape)
        for weight in np.unique(of_each):
            here, kind = of_each == weight, losses.SigmoidCrossEntropy
            part = by_element(kind, y[here], t[here], positive_weight=float(weight))
            found[here], dy[here] = part[0], part[1][0]
        result = found, [dy]
    return weighed(result, options.get("weight"))


def soft_margin(y: Array, t: Array, options: dict[str, Any]) -> Result:
    if not np.isin(t, (-1, 1)).all():
        raise Refused("has targets other than 1 and -1")
    return by_element(losses.SigmoidCrossEntropy, y, (t + 1) / 2)


def multi_label_soft_margin(y: Array, t: Array, options: dict[str, Any]) -> Result:
    found, (dy,) = weighed(by_element(losses.SigmoidCrossEntropy, y, t), options.get("weight"))
    return found.mean(axis=-1), [dy / y.shape[-1]]


def gaussian(y: Array, t: Array, variance: Any, options: dict[str, Any]) -> Result:
    is_array = isinstance(variance, np.ndarray)
    v = np.asarray(variance, float)
    v = v[..., np.newaxis] if v.ndim == y.ndim - 1 and v.shape == y.shape[:-1] else v
    shape = np.broadcast_shapes(y.shape, t.shape, v.shape)
    pair = np.concatenate([rows(np.broadcast_to(each, shape)) for each in (y, v)], axis=1)
    loss = losses.Gaussian(
        False, full=options.get("full", False), epsilon=options.get("eps", 1e-6), reduction="none"
    )
    found, dy = loss(pair, rows(np.broadcast_to(t, shape)))
    parts = [summed(dy[:, n].reshape(shape), each.shape) for n, each in enumerate((y, v))]
    kept = [parts[0], None, *([parts[1].reshape(np.shape(variance))] if is_array else [])]
    return found.reshape(shape), kept


def summed(dy: Array, shape: tuple[int, ...]) -> Array:
    """Return a gradient, summed over copies of elements."""
    extra = dy.ndim - len(shape)
    axes = [n for n in range(dy.ndim) if n < extra or shape[n - extra] != dy.shape[n]]
    return dy.sum(axis=tuple(axes), keepdims=True).reshape(shape)


def distances(y: Array, t: Array, options: dict[str, Any]) -> Result:
    if not np.isin(t, (-1, 1)).all():
        raise Refused("has targets other than 1 and -1")
    return by_element(losses.HingeEmbedding, y, t, margin=options.get("margin", 1.0))


def divergence(y: Array, t: Array, options: dict[str, Any]) -> Result:
    return by_element(losses.KLDivergence, y, t, log_target=options.get("log_target", False))


def ranking(a: Array, b: Array, t: Array, options: dict[str, Any]) -> Result:
    margin, difference = options.get("margin", 0.0), a - b
    if not np.isin(t, (-1, 1)).all():
        raise Refused("has targets other than 1 and -1")
    found, (dy,) = by_element(losses.Hinge, difference, t, margin=margin)
    return found, [summed(dy, a.shape), summed(-dy, b.shape)]


def of_parts(loss: Any, parts: list[Array], t: Array) -> Result:
    """Return a loss whose outputs stand side by side on the last axis."""
    found, dy = loss(np.concatenate(parts, axis=-1), t)
    return found, np.split(dy, len(parts), axis=-1)


def cosine_embedding(a: Array, b: Array, t: Array, options: dict[str, Any]) -> Result:
    loss = losses.CosineEmbedding(options.get("margin", 0.0), reduction="none")
    return of_parts(loss, [a, b], t)


def triplet(a: Array, p: Array, n: Array, options: dict[str, Any]) -> Result:
    distance = options.get("distance_function")
    if distance is not None and not isinstance(distance, torch.nn.PairwiseDistance):
        raise Refused("has a distance of one's own")
    names = {"norm_type": "p", "epsilon": "eps", "swap": "swap", "margin": "margin"}
    given = {ours: options[theirs] for ours, theirs in names.items() if theirs in options}
    loss = losses.TripletMargin(**given, reduction="none")
    return of_parts(loss, [a, p, n], np.zeros(a.shape[:-1]))


def margins(y: Array, t: Array, options: dict[str, Any]) -> Result:
    weight = options.get("weight")
    loss = losses.MultiMargin(
        options.get("margin", 1.0),
        squared=options.get("p", 1) == 2,
        class_weight=None if weight is None else weight.tolist(),
        reduction="none",
    )
    found, dy = loss(np.atleast_2d(y), t.reshape(-1))
    return found.reshape(y.shape[:-1]), [dy.reshape(y.shape)]


def label_margins(y: Array, t: Array, options: dict[str, Any]) -> Result:
    labels = np.zeros((*np.atleast_2d(y).shape,))
    for row, listed in zip(labels, np.atleast_2d(t), strict=True):
        ends = np.flatnonzero(listed < 0)
        named = listed[: ends[0]] if len(ends) else listed
        if len({*named.tolist()}) < len(named):
            raise Refused("names a label twice")
        row[named] = 1
    found, dy = losses.MultiLabelMargin(reduction="none")(np.atleast_2d(y), labels)
    return found.reshape(y.shape[:-1]), [dy.reshape(y.shape)]


def classes(kind: Any) -> Callable[..., Result]:
    """Return a loss of classes, which the second axis of PyTorch's batches has; reduced."""

    def computed(y: Array, t: Array, options: dict[str, Any]) -> Result:
        axis, is_labels = min(y.ndim - 1, 1), t.dtype.kind in "iu"
        names = {"label_smoothing": "label_smoothing", "reduction": "reduction"}
        given = {name: options[name] for name in names if options.get(name)}
        if options.get("weight") is not None:
            given["class_weight"] = options["weight"].tolist()
        if is_labels:
            ignored = options.get("ignore_index")
            given["ignore_index"] = -100 if ignored is None else ignored
        scores = np.ascontiguousarray(np.moveaxis(y, axis, -1))
        targets = t if is_labels else np.moveaxis(t, axis, -1)
        shape = scores.shape[:-1]
        if not shape:  # a sample without a batch is a batch of one
            scores, targets = scores[np.newaxis], targets[np.newaxis]
        value, dy = kind(**given)(scores, targets)
        value = value.reshape(shape) if value.size > 1 or value.shape == (1,) else value
        return value, [np.moveaxis(dy.reshape(*shape, -1), -1, axis)]

    return computed


def linear(x: Array, w: Array, t: Array, options: dict[str, Any]) -> Result:
    """Return the cross-entropy behind a dense layer, reduced."""
    samples, weight = np.atleast_2d(x), w.reshape(-1, w.shape[-1])
    bias = options.get("linear_bias")
    scores = ops.matmul(samples, weight, transpose_b=True)
    scores = scores if bias is None else scores + bias.reshape(-1)
    shaped = scores.reshape(*x.shape[:-1], *w.shape[:-1])
    value, (dy,) = classes(losses.SoftmaxCrossEntropy)(shaped, t, options)
    flat = np.ascontiguousarray(dy).reshape(len(samples), -1)
    dx, dw = ops.matmul(flat, weight), ops.matmul(flat, samples, transpose_a=True)
    return value, [dx.reshape(x.shape), dw.reshape(w.shape)]


def temporal(y: Array, t: Array, lengths: Any, counts: Any, options: dict[str, Any]) -> Result:
    is_batch = y.ndim == 3
    scores = np.ascontiguousarray((y if is_batch else y[:, np.newaxis]).swapaxes(0, 1))
    ends, counts = (np.atleast_1d(np.asarray(each)) for each in (lengths, counts))
    labels = np.full((len(scores), max(int(counts.max()), 1)), -1)
    starts = np.cumsum(counts) - counts
    for n, count in enumerate(counts.tolist()):
        listed = t.reshape(-1)[starts[n] :] if t.ndim == 1 else t[n]
        labels[n, :count] = listed[:count]
    loss = losses.CTC(
        options.get("blank", 0),
        zero_infinity=options.get("zero_infinity", False),
        reduction="none",
    )
    found, dy = loss(scores, labels, lengths=ends)
    if options.get("reduction", "mean") == "mean":  # of the losses by labels
        found, dy = found / np.maximum(counts, 1), dy / np.maximum(counts, 1)[:, None, None]
    return found.reshape(-1 if is_batch else ()), [dy.swapaxes(0, 1).reshape(y.shape)]


REDUCED = {"cross_entropy", "linear_cross_entropy", "nll_loss"}
"""Losses whose own mean or sum is compared; that of the others is over what each has."""
LOSSES: dict[str, Callable[..., Result]] = {
    "binary_cross_entropy": binary,
    "binary_cross_entropy_with_logits": binary_with_logits,
    "cosine_embedding_loss": cosine_embedding,
    "cross_entropy": classes(losses.SoftmaxCrossEntropy),
    "ctc_loss": temporal,
    "gaussian_nll_loss": gaussian,
    "hinge_embedding_loss": distances,
    "huber_loss": plain(losses.Huber, delta="delta"),
    "kl_div": divergence,
    "l1_loss": plain(losses.MeanAbsoluteError),
    "linear_cross_entropy": linear,
    "margin_ranking_loss": ranking,
    "mse_loss": plain(losses.MeanSquaredError),
    "multi_margin_loss": margins,
    "multilabel_margin_loss": label_margins,
    "multilabel_soft_margin_loss": multi_label_soft_margin,
    "nll_loss": classes(losses.NegativeLogLikelihood),
    "poisson_nll_loss": plain(losses.Poisson, log_outputs="log_input", full="full", epsilon="eps"),
    "smooth_l1_loss": plain(losses.SmoothL1, beta="beta"),
    "soft_margin_loss": soft_margin,
    "triplet_margin_loss": triplet,
    "triplet_margin_with_distance_loss": triplet,
}


def of_module(module: Any, args: list[Any]) -> tuple[str, list[Any], dict[str, Any]]:
    """Return the function of a module, its arguments and options."""
    name = MODULES[type(module).__name__]
    keys = ("weight", "pos_weight", "ignore_index", "reduction", "label_smoothing", "margin")
    keys += ("p", "eps", "swap", "delta", "beta", "log_input", "full", "log_target", "blank")
    keys += ("zero_infinity",)
    options = {key: getattr(module, key) for key in keys if hasattr(module, key)}
    if name == "linear_cross_entropy":
        weight = module.linear.weight.detach()
        shape = (module.num_classes, *module.out_features)
        args = [args[0], weight.reshape(*shape, -1), *args[1:]]
        bias = module.linear.bias
        options["linear_bias"] = None if bias is None else bias.detach().reshape(shape)
    if name == "triplet_margin_with_distance_loss":
        options["distance_function"] = module.distance_function
    return name, args, options


def check_loss(name: str, args: list[Any], options: dict[str, Any]) -> None:
    """Raise if a loss is refused, or has other values or gradients."""
    constant = (1,) if name == "soft_margin_loss" else ()
    tensors = [
        each.detach().clone().requires_grad_(each.is_floating_point() and n not in constant)
        if isinstance(each, torch.Tensor)
        else each
        for n, each in enumerate(args)
    ]
    options = {key: each for key, each in options.items() if key not in ("reduce", "size_average")}
    theirs = getattr(F, name)(*tensors, **options)
    if name in ("cross_entropy", "nll_loss") and theirs.isnan().all():
        raise Refused("is NaN in PyTorch, where no target counts, and 0 here")
    theirs.sum().backward()
    given = [each.detach().numpy() if isinstance(each, torch.Tensor) else each for each in tensors]
    constants = {
        key: each.detach().numpy() if isinstance(each, torch.Tensor) else each
        for key, each in options.items()
    }
    if not all(each.size for each in given if isinstance(each, np.ndarray)):
        raise Refused("is empty, and a loss needs a sample")
    try:
        value, slopes = LOSSES[name](*given, constants)
    except (ValueError, TypeError) as error:
        raise Refused(str(error)) from None
    reduction = options.get("reduction", "mean")
    factor = 1.0
    if name not in REDUCED and reduction != "none":
        count = given[0].shape[0] if reduction == "batchmean" and given[0].ndim else 1
        factor = 1 / value.size if reduction == "mean" else 1 / count
        value = value.sum() * factor
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)
    for slope, each in zip(slopes, tensors, strict=False):
        if slope is not None and isinstance(each, torch.Tensor):
            wanted = each.grad.numpy()
            np.testing.assert_allclose(slope * factor, wanted, rtol=1e-9, atol=1e-9)
