"""What fit, evaluate, predict and profile check before they start; nothing is checked later."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gyaku.callbacks import Callbacks
from gyaku.checks import each_of, number, whole
from gyaku.data.augment import Augment
from gyaku.losses import SoftmaxCrossEntropy
from gyaku.metrics import metric as as_metric
from gyaku.optim import optimizer as as_optimizer
from gyaku.train import loop
from gyaku.train.advice import advise_on_bytes, advise_on_targets
from gyaku.train.capture import description
from gyaku.train.conversion import scaled
from gyaku.train.criterion import Criterion, criterion
from gyaku.train.evaluation import Evaluation, Prediction
from gyaku.train.progress import progress
from gyaku.train.samples import Samples, inputs, same_memory, targets
from gyaku.train.steps import Training
from gyaku.windows import channels_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.callbacks import Callback
    from gyaku.history import History
    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.model import Model
    from gyaku.optim import Optimizer

__all__ = ["evaluate", "fit", "predict", "training"]

BATCH = 512
"""Samples of a batch where only speed depends on their number."""


def fit(
    model: Model,
    x: object,
    y: object,
    *,
    loss: Any,
    loss_weights: Any,
    optimizer: str | Optimizer | None,
    epochs: int,
    batch_size: int | None,
    validation_data: object,
    validation_split: float,
    validation_freq: int,
    metrics: str | Metric | Iterable[Any] | None,
    seed: int | None,
    shuffle: bool,
    augment: Augment | None,
    callbacks: Callback | Callable[..., object] | Iterable[Any] | None,
    verbose: int | str,
) -> History:
    """Train a model; `Model.fit` says how.

    Parameters
    ----------
    model : Model
        What is trained.
    x, y, loss, loss_weights, optimizer, epochs, batch_size, validation_data : object
        See `Model.fit`.
    validation_split, validation_freq, metrics, seed, shuffle, augment, callbacks : object
        See `Model.fit`.
    verbose : object
        See `Model.fit`.

    Returns
    -------
    History
        What happened.
    """
    epochs = whole("fit", "epochs", epochs)
    validation_freq = whole("fit", "validation_freq", validation_freq)
    share = number("fit", "validation_split", validation_split, least=0, below=1)
    if share and validation_data is not None:
        raise ValueError("fit: give validation_data or validation_split, not both")
    seed = _seed(seed)
    show = progress(verbose)
    learner = as_optimizer(optimizer)
    measures = _kept(metrics)
    measured = criterion("fit", model.output_names, loss, loss_weights, measures)
    samples = _samples("fit", model, x, y, measured, seed=seed)
    _check_augment(augment, samples)
    if model.params and not model.flat_params.size:
        raise ValueError(f"fit: the layers of {model} do not lie together, fit what it is part of")
    if not model.flat_params.size:
        raise ValueError("fit: the model has no parameters to train, add a Dense layer")
    size = samples.count if batch_size is None else whole("fit", "batch_size", batch_size)
    told = Callbacks(callbacks, model)
    aside = _aside(model, validation_data, measured)
    if share:
        samples, aside = samples.split(share, seed, shuffle)
    _check_batches(model, samples.count, min(size, samples.count))
    _warn_of_two_softmaxes(model, measured)
    _warn_of_channels_first(model)
    advise_on_bytes("fit", model, samples.x)
    advise_on_targets(model, samples.x, samples.y)
    several = len(measured.losses) > 1
    model.loss = tuple(measured.losses) if several else measured.losses[0]
    model.loss_weights = tuple(measured.weights) if several else None
    model.optimizer, model.metrics = learner, measures
    model.reseed(seed)
    steps = Training(
        model,
        samples,
        measured,
        learner,
        batch_size=size,
        epochs=epochs,
        seed=seed,
        shuffle=shuffle,
        augment=augment,
    )
    validation = None
    if aside is not None:
        validation = Evaluation(model, aside, measured, max(size, BATCH))
    history = loop.run(
        steps,
        validation=validation,
        validation_freq=validation_freq,
        callbacks=told,
        progress=lambda: show(epochs, samples.count),
    )
    model.captured = description(steps.full_step)
    return history


def evaluate(
    model: Model,
    x: object,
    y: object,
    *,
    loss: str | Loss | Callable[..., Any] | None,
    metrics: str | Metric | Iterable[Any] | None,
    batch_size: int,
) -> dict[str, float]:
    """Measure a model; `Model.evaluate` says how.

    Parameters
    ----------
    model : Model
        What is measured.
    x, y, loss, metrics, batch_size : object
        See `Model.evaluate`.

    Returns
    -------
    dict of str to float
        Loss and metrics.
    """
    size = whole("evaluate", "batch_size", batch_size)
    measures = model.metrics if metrics is None else metrics
    measured = _known("evaluate", model, loss, measures)
    samples = _samples("evaluate", model, x, y, measured)
    advise_on_bytes("evaluate", model, samples.x)
    return Evaluation(model, samples, measured, size).run()


def predict(model: Model, x: object, *, batch_size: int) -> Any:
    """Return a model's outputs; `Model.predict` says how.

    Parameters
    ----------
    model : Model
        The model.
    x, batch_size : object
        See `Model.predict`.

    Returns
    -------
    ndarray or tuple of ndarray
        The outputs.
    """
    size = whole("predict", "batch_size", batch_size)
    checked = _inputs("predict", model, x)
    advise_on_bytes("predict", model, checked)
    found = Prediction(model, checked, size).run()
    return found[0] if len(found) == 1 else tuple(found)


def training(
    model: Model,
    x: object,
    y: object,
    *,
    loss: str | Loss | Callable[..., Any] | None,
    optimizer: str | Optimizer | None,
    batch_size: int,
    steps: int,
) -> Training:
    """Prepare steps that are to be profiled.

    Parameters
    ----------
    model : Model
        The model.
    x, y, loss, optimizer, batch_size, steps : object
        See `Model.profile`.

    Returns
    -------
    Training
        At least so many steps of whole batches, none of them done.
    """
    import copy

    steps = whole("profile", "steps", steps)
    size = whole("profile", "batch_size", batch_size)
    measured = _known("profile", model, loss, ())
    learner = as_optimizer(optimizer or model.optimizer or "adam")
    samples = _samples("profile", model, x, y, measured)
    size = min(size, samples.count)
    rows = np.arange((steps + 1) * size) % samples.count
    return Training(
        model,
        Samples(samples.x, samples.y, rows),
        measured,
        copy.copy(learner),
        batch_size=size,
        epochs=1,
        seed=0,
        shuffle=False,
    )


def _known(owner: str, model: Model, loss: Any, metrics: Any) -> Criterion:
    """Return the loss that was given, or that of the last fit."""
    weights = None
    if loss is None:
        if model.loss is None:
            raise ValueError(
                f"{owner}: this model was not trained yet; name a loss, as in"
                " loss='softmax_cross_entropy'"
            )
        loss, weights = model.loss, model.loss_weights
    return criterion(owner, model.output_names, loss, weights, metrics)


def _inputs(
    owner: str, model: Model, x: object, *, seed: int = 0, part: str = ""
) -> list[NDArray[Any]]:
    """Check inputs, and build the model for them if nobody did."""
    names = model.wiring.inputs
    given = each_of(owner, part + "x", x, names)
    shapes = model.input_shapes or [None] * len(names)
    several = len(names) > 1
    found = []
    for name, each, shape, kind in zip(names, given, shapes, model.input_dtypes, strict=True):
        shown = f"{part}x[{name!r}]" if several else f"{part}x"
        found.append(inputs(owner, shown, each, shape, model.dtype, kind))
        if model.scales_bytes and found[-1].dtype == np.uint8:
            found[-1] = scaled(found[-1], model.dtype)
        if len(found[-1]) != len(found[0]):
            raise ValueError(
                f"{owner}: {shown} has {len(found[-1])} samples, the first input {len(found[0])}"
            )
    if not model.built:
        of_samples = tuple(each.shape[1:] for each in found)
        model.build(of_samples if several else of_samples[0], seed=seed)
    return found


def _samples(
    owner: str,
    model: Model,
    x: object,
    y: object,
    measured: Criterion,
    *,
    seed: int = 0,
    part: str = "",
) -> Samples:
    """Check inputs and targets, and build the model for them if nobody did."""
    fresh = not model.built
    checked = _inputs(owner, model, x, seed=seed, part=part)
    names = model.output_names
    try:
        wanted = []
        for name, each, outputs, loss in zip(
            *(names, each_of(owner, part + "y", y, names), model.output_shapes, measured.losses),
            strict=True,
        ):
            shown = f"{part}y[{name!r}]" if len(names) > 1 else f"{part}y"
            if loss.takes != "classes":
                each = _as_input(each, x, model, checked)
            wanted.append(targets(owner, shown, each, checked[0], outputs, loss, model.dtype))
    except (TypeError, ValueError):
        if fresh:  # the inputs may have been meant otherwise too
            model.forget()
        raise
    return Samples(checked, wanted)


def _as_input(y: object, x: object, model: Model, checked: list[NDArray[Any]]) -> object:
    """Return the input that an autoencoder is to return, in the form that it has as an input."""
    for each, found in zip(each_of("fit", "x", x, model.wiring.inputs), checked, strict=True):
        if isinstance(each, np.ndarray) and isinstance(y, np.ndarray):
            both = each.flags.c_contiguous and y.flags.c_contiguous
            if both and same_memory(each, y):
                return found.reshape(y.shape)
    return y


def _check_augment(augment: Augment | None, samples: Samples) -> None:
    """Refuse what is no augmentation, or none for these inputs."""
    if augment is None:
        return
    if not isinstance(augment, Augment):
        raise TypeError(
            f"fit: augment must be a gyaku.data.Augment or None, got {type(augment).__name__}"
        )
    images = [x for x in samples.x if x.ndim == 4]
    if not images:
        shapes = " and ".join(str(x.shape[1:]) for x in samples.x)
        raise ValueError(
            "fit: augment is for images of shape (height, width, channels), got samples of shape"
            f" {shapes}"
        )
    shortest = min(side for x in images for side in x.shape[1:3])
    if augment.shift >= shortest:
        raise ValueError(
            f"fit: augment's shift must be less than the {shortest} pixels of an image's shorter"
            f" side, got {augment.shift}"
        )


def _aside(model: Model, given: object, measured: Criterion) -> Samples | None:
    """Check the validation data, if there are any."""
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError("fit: validation_data must be a pair (x, y)")
    x, y = given
    return _samples("fit", model, x, y, measured, part="validation_data's ")


def _check_batches(model: Model, samples: int, size: int) -> None:
    smallest = samples % size or size
    for use in model.plan.applications:
        least = use.worker.least_batch
        if smallest < least:
            raise ValueError(
                f"fit: {use.layer} needs at least {least} samples a step, but {samples} samples in"
                f" batches of {size} leave {smallest}; choose another batch_size"
            )


def _warn_of_two_softmaxes(model: Model, measured: Criterion) -> None:
    for value, loss in zip(model.plan.outputs, measured.losses, strict=True):
        uses = (use.layer for use in model.plan.applications if use.output == value)
        last: Any = next(uses, None)
        last = getattr(last, "activation", None) or last
        if isinstance(loss, SoftmaxCrossEntropy) and "softmax" in (last, getattr(last, "op", "")):
            warnings.warn(
                "fit: the model ends with a softmax and SoftmaxCrossEntropy adds another, so it"
                " will learn slowly; leave the model's out, or use CrossEntropy",
                stacklevel=4,
            )


def _warn_of_channels_first(model: Model) -> None:
    for use in model.plan.applications:
        is_first = use.source in range(model.plan.inputs) or model.plan.is_rescaled(use.source)
        shapes = [use.worker.input_shape] if is_first else []
        for shape in filter(channels_first, shapes):
            if getattr(use.layer, "dimensions", None) == 2:
                height, width, channels = shape
                warnings.warn(
                    f"fit: {use.layer} takes samples of shape {shape} for {height} x {width} pixels"
                    f" of {channels} channels; if their channels come first,"
                    " x.transpose(0, 2, 3, 1) puts them last",
                    stacklevel=4,
                )


def _kept(metrics: Any) -> Any:
    """Return metrics so that they can be looked at again."""
    if metrics is None:
        return ()
    if isinstance(metrics, dict):
        return {name: _kept(each) for name, each in metrics.items()}
    listed = [metrics] if isinstance(metrics, str) or callable(metrics) else metrics
    return tuple(as_metric(each) for each in listed)


def _seed(given: object) -> int:
    if given is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    seed = whole("fit", "seed", given, least=0)
    if seed >= 2**64:
        raise ValueError(f"fit: seed must be below 2^64, got {seed}")
    return seed
