"""What fit, evaluate, predict and profile check before they start; nothing is checked later."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gyaku.arguments import number, whole
from gyaku.callbacks import Callbacks
from gyaku.losses import SoftmaxCrossEntropy
from gyaku.losses import loss as as_loss
from gyaku.metrics import metric as as_metric
from gyaku.optim import optimizer as as_optimizer
from gyaku.train import loop
from gyaku.train.capture import description
from gyaku.train.evaluation import Evaluation, Prediction
from gyaku.train.progress import progress
from gyaku.train.samples import Samples, inputs, targets
from gyaku.train.steps import Training

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
    loss: str | Loss | Callable[..., Any],
    optimizer: str | Optimizer,
    epochs: int,
    batch_size: int | None,
    validation_data: object,
    validation_split: float,
    validation_freq: int,
    metrics: str | Metric | Iterable[Any],
    seed: int | None,
    shuffle: bool,
    callbacks: Callback | Callable[..., object] | Iterable[Any],
    verbose: int | str,
) -> History:
    """Train a model; `Model.fit` says how.

    Parameters
    ----------
    model : Model
        What is trained.
    x, y, loss, optimizer, epochs, batch_size, validation_data, validation_split : object
        See `Model.fit`.
    validation_freq, metrics, seed, shuffle, callbacks, verbose : object
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
    criterion, measures = as_loss(loss), _metrics("fit", metrics)
    samples = _samples("fit", model, x, y, criterion, seed=seed)
    if not model.flat_params.size:
        raise ValueError("fit: the model has no parameters to train, add a Dense layer")
    size = samples.count if batch_size is None else whole("fit", "batch_size", batch_size)
    told = Callbacks(callbacks, model)
    aside = _aside(model, validation_data, criterion)
    if share:
        samples, aside = samples.split(share, seed, shuffle)
    _warn_of_two_softmaxes(model, criterion)
    model.loss, model.optimizer, model.metrics = criterion, learner, measures
    for layer in model.layers:
        layer.seed = seed
    steps = Training(
        model,
        samples,
        criterion,
        learner,
        measures,
        batch_size=size,
        epochs=epochs,
        seed=seed,
        shuffle=shuffle,
    )
    validation = None
    if aside is not None:
        validation = Evaluation(model, aside, criterion, measures, max(size, BATCH))
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
    criterion = known_loss("evaluate", model, loss)
    measures = model.metrics if metrics is None else _metrics("evaluate", metrics)
    samples = _samples("evaluate", model, x, y, criterion)
    return Evaluation(model, samples, criterion, measures, size).run()


def predict(model: Model, x: object, *, batch_size: int) -> NDArray[Any]:
    """Return a model's outputs; `Model.predict` says how.

    Parameters
    ----------
    model : Model
        The model.
    x, batch_size : object
        See `Model.predict`.

    Returns
    -------
    ndarray
        The outputs.
    """
    size = whole("predict", "batch_size", batch_size)
    source = inputs("predict", "x", x, model.input_shape, model.dtype)
    if not model.built:
        model.build(source.shape[1:])
    return Prediction(model, source, size).run()


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
    criterion = known_loss("profile", model, loss)
    learner = as_optimizer(optimizer or model.optimizer or "adam")
    samples = _samples("profile", model, x, y, criterion)
    size = min(size, samples.count)
    rows = np.arange((steps + 1) * size) % samples.count
    return Training(
        model,
        Samples(samples.x, samples.y, rows),
        criterion,
        copy.copy(learner),
        (),
        batch_size=size,
        epochs=1,
        seed=0,
        shuffle=False,
    )


def known_loss(owner: str, model: Model, given: str | Loss | Callable[..., Any] | None) -> Loss:
    """Return the loss that was given, or that of the last fit.

    Parameters
    ----------
    owner : str
        Who asks, for the error.
    model : Model
        The model.
    given : str or Loss or callable or None
        The loss.

    Returns
    -------
    Loss
        The loss.

    Raises
    ------
    ValueError
        If there is none.
    """
    if given is not None:
        return as_loss(given)
    if model.loss is None:
        raise ValueError(
            f"{owner}: this model was not trained yet; name a loss, as in"
            " loss='softmax_cross_entropy'"
        )
    return model.loss


def _samples(
    owner: str,
    model: Model,
    x: object,
    y: object,
    loss: Loss,
    *,
    seed: int = 0,
    part: str = "",
) -> Samples:
    """Check inputs and targets, and build the model for them if nobody did."""
    checked = inputs(owner, part + "x", x, model.input_shape, model.dtype)
    fresh = not model.built
    if fresh:
        model.build(checked.shape[1:], seed=seed)
    try:
        wanted = targets(owner, part + "y", y, checked, model.output_shape, loss, model.dtype)
    except (TypeError, ValueError):
        if fresh:  # the inputs may have been meant otherwise too
            model.built, model.input_shape = False, None
        raise
    return Samples(checked, wanted)


def _aside(model: Model, given: object, loss: Loss) -> Samples | None:
    """Check the validation data, if there are any."""
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError("fit: validation_data must be a pair (x, y)")
    x, y = given
    return _samples("fit", model, x, y, loss, part="validation_data's ")


def _warn_of_two_softmaxes(model: Model, loss: Loss) -> None:
    last = model.layers[-1]
    last = getattr(last, "activation", None) or last
    if isinstance(loss, SoftmaxCrossEntropy) and "softmax" in (last, getattr(last, "op", "")):
        warnings.warn(
            "fit: the model ends with a softmax and SoftmaxCrossEntropy adds another, so it will"
            " learn slowly; leave the model's out, or use CrossEntropy",
            stacklevel=4,
        )


def _metrics(owner: str, given: str | Metric | Iterable[Any]) -> tuple[Metric, ...]:
    listed = [given] if isinstance(given, str) or callable(given) else list(given)
    found = tuple(map(as_metric, listed))
    names = ["loss", *(each.name for each in found)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{owner}: two numbers would be called {name!r} in the history")
    return found


def _seed(given: object) -> int:
    if given is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    seed = whole("fit", "seed", given, least=0)
    if seed >= 2**64:
        raise ValueError(f"fit: seed must be below 2^64, got {seed}")
    return seed
