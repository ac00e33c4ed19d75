"""Training: everything is checked, then the model is built once, then it is trained."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from gyaku.callbacks import Callbacks
from gyaku.checks import number, truth, whole
from gyaku.losses import SoftmaxCrossEntropy
from gyaku.optim import optimizer as as_optimizer
from gyaku.train import loop
from gyaku.train.advice import advise_on_bytes, advise_on_targets
from gyaku.train.capture import description
from gyaku.train.criterion import Criterion, criterion, metrics_of
from gyaku.train.dataset import checked_inputs, checked_samples
from gyaku.train.evaluate import Evaluation
from gyaku.train.progress import progress
from gyaku.train.steps import Training
from gyaku.train.verb import verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gyaku.callbacks import Callback
    from gyaku.data.augment import Augment
    from gyaku.history import History
    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.optim import Optimizer
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Passes, Trainee

__all__ = ["fit"]

BATCH = 512
"""Samples of a batch where only speed depends on their number."""


@verb
def fit(
    self: Trainee,
    x: object,
    y: object,
    *,
    loss: str | Loss | Callable[..., Any] | Sequence[Any] | Mapping[str, Any] | None = None,
    loss_weights: Sequence[float] | Mapping[str, float] | None = None,
    optimizer: str | Optimizer | None = "adam",
    epochs: int = 1,
    batch_size: int | None = 32,
    validation_data: tuple[object, object] | None = None,
    validation_split: float = 0.0,
    validation_freq: int = 1,
    metrics: str | Metric | Iterable[Any] | None = (),
    seed: int | None = 0,
    shuffle: bool = True,
    augment: Augment | None = None,
    callbacks: Callback | Callable[..., object] | Iterable[Any] | None = (),
    verbose: int | str = "auto",
) -> History:
    """Train the model.

    Parameters
    ----------
    x : array_like
        The inputs, (samples, ...), at their value. float32, float64 and uint8 are used where
        they lie; a model that begins with `Rescaling` scales bytes while a batch is gathered.
        Several inputs are given as a tuple, or as a dict by their names.
    y : array_like
        The targets: rows like the outputs, or class numbers for a cross-entropy; of several
        outputs a tuple or a dict.
    loss : str or Loss or callable
        Loss to minimise, which has no default: a name, an object, or a function of outputs and
        targets that returns the mean loss and its gradient with respect to the outputs. Several
        outputs can have one each, in a tuple or a dict.
    loss_weights : sequence or mapping of float, optional
        What the losses of several outputs are multiplied by before they are added.
    optimizer : str or Optimizer
        Optimizer; an object keeps its state if it trained this model before.
    epochs : int
        Number of passes over the data.
    batch_size : int or None
        Samples of a gradient step: 1 is online, None the full batch.
    validation_data : pair of array_like, optional
        Inputs and targets to measure, not to train on.
    validation_split : float
        The fraction of the samples to set aside for that instead, of each class alike.
    validation_freq : int
        After how many epochs it is measured; and after the last.
    metrics : sequence of str or Metric or callable
        What else to measure: names, objects, or functions of outputs and targets.
    seed : int or None
        What initial weights, order, dropout and augmentation depend on; None is a new one
        each time.
    shuffle : bool
        Whether each epoch has an order of its own.
    augment : Augment, optional
        How images, (samples, height, width, channels), are moved and mirrored at random while a
        batch is collected; a `gyaku.data.Augment`.
    callbacks : sequence of Callback or callable
        Callbacks between epochs and steps; a function is called with epoch and logs after
        each epoch. Returning True, or a reason as text, ends the training.
    verbose : {0, 1, 2, "auto"}
        Nothing, a bar, a line an epoch; "auto" is a bar in terminals and notebooks.

    Returns
    -------
    History
        Loss and metrics of each epoch. Ctrl-C ends the training, not the program: the model
        keeps the weights of the last finished step.

    Raises
    ------
    ValueError
        If data or arguments do not make sense.
    TypeError
        If one of them is of the wrong kind.
    NonFiniteError
        If loss or weights become NaN or infinite; the model keeps the last good weights.
    RuntimeError
        If another thread uses the model.
    """
    epochs = whole("fit", "epochs", epochs)
    validation_freq = whole("fit", "validation_freq", validation_freq)
    fraction = number("fit", "validation_split", validation_split, least=0, below=1)
    if fraction and validation_data is not None:
        raise ValueError("fit: give validation_data or validation_split, not both")
    shuffle = truth("fit", "shuffle", shuffle)
    seed, show = _seed(seed), progress(verbose)
    learner, measures = as_optimizer(optimizer), metrics_of(metrics)
    measured = criterion("fit", self.output_names, loss, loss_weights, measures)
    given = checked_inputs("fit", self, x)
    passes = self.passes([each.shape[1:] for each in given])
    samples = checked_samples("fit", self, passes, (x, given), y, measured)
    _check_augment(augment, samples)
    size = samples.count if batch_size is None else whole("fit", "batch_size", batch_size)
    aside = _validation_data(self, passes, validation_data, measured)
    if fraction:
        samples, aside = samples.split(fraction, seed, shuffle)
    _check_batches(passes, samples.count, min(size, samples.count))
    _check_trains(self, passes)
    told = Callbacks(callbacks, self)
    # All is checked: what follows changes the model.
    _warn(passes, measured)
    advise_on_bytes("fit", self, passes, samples.x)
    advise_on_targets(passes, samples.x, samples.y)
    self.adopt(passes, seed)
    _remember(self, measured, learner, measures)
    self.reseed(seed)
    training = Training(
        self,
        samples,
        measured,
        learner,
        batch_size=size,
        epochs=epochs,
        seed=seed,
        shuffle=shuffle,
        augment=augment,
    )
    history = loop.run(
        training,
        validation=None if aside is None else Evaluation(self, aside, measured, max(size, BATCH)),
        validation_freq=validation_freq,
        callbacks=told,
        progress=lambda: show(epochs, samples.count),
    )
    self.captured = description(training.parts)
    return history


def _check_augment(augment: Augment | None, samples: Samples) -> None:
    """Refuse what is no augmentation, or none for these inputs."""
    if augment is None:
        return
    from gyaku.data.augment import Augment

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


def _check_trains(model: Trainee, passes: Passes) -> None:
    """Raise if there is nothing to train, or no single range of parameters."""
    if not passes.trains:
        if passes.frozen:
            raise ValueError("fit: all layers are frozen, set trainable = True for some of them")
        raise ValueError("fit: the model has no parameters to train, add a Dense layer")
    if model.built and not model.trained.flat_params.size:
        raise ValueError(
            "fit: the parameters of this model are not contiguous in the one that it is a part of,"
            " fit that one"
        )


def _validation_data(
    model: Trainee, passes: Passes, given: object, measured: Criterion
) -> Samples | None:
    """Return the validation data as samples, if there are any."""
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise TypeError("fit: validation_data must be a pair (x, y)")
    part = "validation_data's "
    x = checked_inputs("fit", model, given[0], passes.input_shapes, part)
    return checked_samples("fit", model, passes, (given[0], x), given[1], measured, part)


def _check_batches(passes: Passes, samples: int, size: int) -> None:
    smallest = samples % size or size
    least, layer = passes.least_batch
    if smallest < least:
        raise ValueError(
            f"fit: {layer} needs at least {least} samples a step, but {samples} samples in"
            f" batches of {size} leave {smallest}; choose another batch_size"
        )


def _warn(passes: Passes, measured: Criterion) -> None:
    """Warn of what is probably meant otherwise."""
    found = [f"fit: {doubt}" for doubt in passes.doubts]
    for operation, loss in zip(passes.final_operations, measured.losses, strict=True):
        if isinstance(loss, SoftmaxCrossEntropy) and operation == "softmax":
            found.append(
                "fit: the model ends with a softmax and SoftmaxCrossEntropy adds another, so it"
                " will learn slowly; leave the model's out, or use CrossEntropy"
            )
    for each in found:
        warnings.warn(each, stacklevel=4)


def _remember(model: Trainee, measured: Criterion, learner: Optimizer, measures: Any) -> None:
    """Keep what `evaluate` and `profile` take by default."""
    several = len(measured.losses) > 1
    model.loss = tuple(measured.losses) if several else measured.losses[0]
    model.loss_weights = tuple(measured.weights) if several else None
    model.optimizer, model.metrics = learner, measures


def _seed(given: object) -> int:
    if given is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    seed = whole("fit", "seed", given, least=0)
    if seed >= 2**64:
        raise ValueError(f"fit: seed must be below 2^64, got {seed}")
    return seed
