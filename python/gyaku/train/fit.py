"""Training: validation of all arguments, then one build of the model, then the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.callbacks import Callbacks
from gyaku.checks import number, truth, whole
from gyaku.optim import optimizer as as_optimizer
from gyaku.train import loop
from gyaku.train.advice import advise, doubts, of_new_inputs, of_targets
from gyaku.train.by_length import ByLength
from gyaku.train.capture import description
from gyaku.train.criterion import Criterion, criterion_of, metrics_of
from gyaku.train.dataset import checked_inputs, checked_lengths, checked_samples
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


@verb
def fit(
    self: Trainee,
    x: object,
    y: object,
    *,
    lengths: object = None,
    loss: str | Loss | Callable[..., Any] | Sequence[Any] | Mapping[str, Any] | None = None,
    loss_weights: Sequence[float] | Mapping[str, float] | None = None,
    optimizer: str | Optimizer | None = "adam",
    epochs: int = 1,
    batch_size: int | None = 32,
    validation_data: tuple[object, ...] | None = None,
    validation_split: float = 0.0,
    validation_freq: int = 1,
    validation_batch_size: int | None = None,
    metrics: str | Metric | Iterable[Any] | None = (),
    seed: int | None = 0,
    shuffle: bool = True,
    by_length: bool = False,
    augment: Augment | None = None,
    callbacks: Callback | Callable[..., object] | Iterable[Any] | None = (),
    verbose: int | str = "auto",
) -> History:
    """Train the model.

    Parameters
    ----------
    x : array_like
        Inputs, (samples, ...), at their value. float32, float64 and uint8 are not copied; a model
        that begins with `Rescaling` scales bytes while a batch is gathered. A tuple, or a dict by
        name, for several inputs.
    y : array_like
        Targets: rows like the outputs, or class numbers for a cross-entropy, one for each position
        if the outputs have a time axis or are images. A tuple or a dict for several outputs.
    lengths : array_like of int, optional
        Lengths of sequences that are padded behind their ends, (samples,), for inputs (samples,
        steps, ...); a tuple or a dict for several inputs, None for one that is not padded. They
        travel through layers whose outputs have as many steps as their inputs, to recurrent layers,
        the loss and the metrics, which count real steps only. `Embedding` with ``mask_zero=True``
        finds them itself.
    loss : str or Loss or callable
        Loss to minimise: name, instance, or function of outputs and targets that returns the mean
        loss and its gradient with respect to the outputs. Required. A tuple or a dict for several
        outputs.
    loss_weights : sequence or mapping of float, optional
        Factors of the losses of several outputs in their sum, by default 1.
    optimizer : str or Optimizer
        Optimizer; an instance keeps its state and its schedule if it trained this model before. A
        name stands for the model's own one if the training goes on.
    epochs : int
        Number of passes over the data.
    batch_size : int or None
        Samples per gradient step; 1 is online, None full batch.
    validation_data : tuple of array_like, optional
        Inputs and targets for validation, and lengths if sequences are padded.
    validation_split : float
        Fraction of the samples to hold out for validation instead, the same of each class.
    validation_freq : int
        Number of epochs between validations; the last epoch is always validated.
    validation_batch_size : int, optional
        Samples per step of a validation, by default `batch_size`; only speed and memory depend on
        it.
    metrics : sequence of str or Metric or callable
        Metrics: names, instances, or functions of outputs and targets.
    seed : int or None
        Seed; two fits of two new models with the same seed (default 0) are identical, so an
        ensemble needs different seeds. Initial weights, order, dropout and augmentation depend on
        it; None draws a new one for each fit. Another fit of the same model with the same seed goes
        on where the last one ended: ten fits of one epoch are one of ten epochs. A new seed begins
        a new order.
    shuffle : bool
        Whether to shuffle the samples before each epoch.
    by_length : bool
        Whether to make batches of padded sequences of similar lengths, each cut behind its longest
        one, in training and validation; see the notes.
    augment : Augment, optional
        Random shifts and flips of images, (samples, height, width, channels), while a batch is
        gathered; a `gyaku.data.Augment`.
    callbacks : sequence of Callback or callable
        Callbacks; a function is called with epoch and logs after each epoch. Returning True, or a
        reason as text, ends the training.
    verbose : {0, 1, 2, "auto"}
        Progress bar (1), a line an epoch and one on the number of threads (2), or nothing (0);
        "auto" is a bar in terminals and notebooks, and lines elsewhere.

    Returns
    -------
    History
        Loss and metrics of each epoch. Ctrl-C ends the training, not the program: the model
        keeps the weights of the last finished step.

    Raises
    ------
    ValueError
        If data or arguments are invalid.
    TypeError
        If one of them is of the wrong kind.
    NonFiniteError
        If loss or weights become NaN or infinite; the model keeps the last good weights.
    RuntimeError
        If another thread uses the model.

    Notes
    -----
    With `by_length`, the shuffled samples are sorted by length within windows of 64 batches, and
    the batches of a window shuffled. Each batch is cut behind its longest sequence, to 4, 6, 8, 12,
    16, 24 ... steps. Loss, metrics and gradients are those of the same batches with all steps, but
    for the order of sums, the random numbers of dropout, and the statistics of `BatchNorm`, which
    counts padded steps. All layers must treat steps alike (`Layer.any_steps`), up to one whose
    output has no time axis. Each number of steps has a program of its own, with memory of its own.
    """
    if self.in_training:
        raise RuntimeError("fit: the model is in training already, by the fit that called this one")
    epochs = whole("fit", "epochs", epochs)
    validation_freq = whole("fit", "validation_freq", validation_freq)
    fraction = number("fit", "validation_split", validation_split, least=0, below=1)
    if fraction and validation_data is not None:
        raise ValueError("fit: give validation_data or validation_split, not both")
    shuffle = truth("fit", "shuffle", shuffle)
    by_length = truth("fit", "by_length", by_length)
    seed, show = _seed(seed), progress(verbose)
    learner, measures = _learner(self, optimizer, seed), metrics_of(metrics)
    criterion = criterion_of("fit", self.output_names, loss, loss_weights, measures)
    given = checked_inputs("fit", self, x)
    passes = self.passes([each.shape[1:] for each in given])
    known = checked_lengths("fit", self, passes, lengths, given)
    samples = checked_samples("fit", self, passes, (x, given), y, criterion, known)
    _check_augment(augment, samples)
    size = samples.count if batch_size is None else whole("fit", "batch_size", batch_size)
    of_validation = size
    if validation_batch_size is not None:
        of_validation = whole("fit", "validation_batch_size", validation_batch_size)
    held_out = _validation_data(self, passes, validation_data, criterion)
    if fraction:
        samples, held_out = samples.split(fraction, seed, shuffle)
    _check_batches(passes, samples.count, min(size, samples.count))
    _check_trains(self, passes)
    batches = ByLength("fit", passes, samples) if by_length else None
    of_held_out = ByLength("fit", passes, held_out) if by_length and held_out else None
    hooks = Callbacks(callbacks, self)
    # Everything is valid: from here on the model changes.
    advise("fit", [*doubts(passes, criterion, shuffle)])
    advise("fit", of_new_inputs(self, passes, samples.x))
    advise("fit", [*of_targets(passes, samples.x, samples.y)])
    self.adopt(passes, seed)
    if self.last_seed != seed:
        self.last_seed, self.epochs_begun = seed, 0
    _keep_defaults(self, criterion, learner, measures)
    self.reseed(seed)
    training = Training(
        self,
        samples,
        criterion,
        learner,
        batch_size=size,
        epochs=epochs,
        seed=seed,
        first_epoch=self.epochs_begun,
        shuffle=shuffle,
        augment=augment,
        by_length=batches,
    )
    validation = None
    if held_out is not None:
        validation = Evaluation(self, held_out, criterion, of_validation, of_held_out)
    self.in_training = True
    try:
        history = loop.run(
            training,
            validation=validation,
            validation_freq=validation_freq,
            callbacks=hooks,
            progress=lambda: show(epochs, samples.count),
        )
    finally:
        self.in_training = False
    self.captured = description(training.parts)
    return history


def _learner(model: Trainee, given: str | Optimizer | None, seed: int) -> Optimizer:
    """Return the optimizer; a name stands for the model's own one if the training goes on."""
    learner, own = as_optimizer(given), model.optimizer
    if own is None or learner is given or model.last_seed != seed:
        return learner
    alike = type(own) is type(learner) and own.config() == learner.config()
    return own if alike else learner


def _check_augment(augment: Augment | None, samples: Samples) -> None:
    """Raise if augment is no `Augment`, or the inputs are no images."""
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
    if passes.cut_off:
        layer, behind = passes.cut_off
        step = "its own step function" if layer is behind else f"{behind}"
        raise ValueError(
            f"fit: {layer} cannot learn, because the gradient of {step} is zero everywhere; use"
            " Sigmoid instead of Step, or gyaku.Perceptron, whose learning rule needs no gradient,"
            " or set trainable = False"
        )
    if model.built and not model.trained.flat_params.size:
        raise ValueError(
            "fit: the parameters of this model are not contiguous in the one that it is a part of,"
            " fit that one"
        )


def _validation_data(
    model: Trainee, passes: Passes, given: object, criterion: Criterion
) -> Samples | None:
    """Return the validation data as samples, if there are any."""
    if given is None:
        return None
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise TypeError("fit: validation_data must be a pair (x, y), or (x, y, lengths)")
    part = "validation_data's "
    x = checked_inputs("fit", model, given[0], passes, part)
    lengths = checked_lengths("fit", model, passes, given[2] if given[2:] else None, x, part)
    return checked_samples("fit", model, passes, (given[0], x), given[1], criterion, lengths, part)


def _check_batches(passes: Passes, samples: int, size: int) -> None:
    smallest = samples % size or size
    least, layer = passes.least_batch
    if smallest < least:
        raise ValueError(
            f"fit: {layer} needs at least {least} samples a step, but {samples} samples in"
            f" batches of {size} leave {smallest}; choose another batch_size"
        )
    if passes.stateful and smallest != size:
        raise ValueError(
            f"fit: {passes.stateful} carries states from batch to batch, but {samples} samples in"
            f" batches of {size} leave {smallest}; choose another batch_size"
        )


def _keep_defaults(model: Trainee, criterion: Criterion, learner: Optimizer, measures: Any) -> None:
    """Keep loss, optimizer and metrics as the defaults of `evaluate` and `profile`."""
    several = len(criterion.losses) > 1
    model.loss = tuple(criterion.losses) if several else criterion.losses[0]
    model.loss_weights = tuple(criterion.weights) if several else None
    model.optimizer, model.metrics = learner, measures


def _seed(given: object) -> int:
    if given is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    seed = whole("fit", "seed", given, least=0)
    if seed >= 2**64:
        raise ValueError(f"fit: seed must be below 2^64, got {seed}")
    return seed
