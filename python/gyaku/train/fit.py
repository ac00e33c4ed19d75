"""Training: validation of all arguments, then one build of the model, then the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.callbacks import Callbacks
from gyaku.checks import whole
from gyaku.optim import optimizer as as_optimizer
from gyaku.train import loop
from gyaku.train.advice import advise, doubts, of_new_inputs, of_new_scales, of_targets
from gyaku.train.arrays import Arrays
from gyaku.train.batches import yields_batches
from gyaku.train.capture import description
from gyaku.train.checkpoint import resumption
from gyaku.train.columns import check_columns, columns_of
from gyaku.train.course import Course
from gyaku.train.criterion import criterion_of, metrics_of
from gyaku.train.dataset import Given
from gyaku.train.options import options_of
from gyaku.train.progress import progress
from gyaku.train.ranks import ranks_of
from gyaku.train.recognition import source_of
from gyaku.train.settings import settings_of
from gyaku.train.together import check_together, mapped, own_steps
from gyaku.train.updates import check_accumulates, updates_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from gyaku.callbacks import Callback
    from gyaku.data.augment import Augment
    from gyaku.history import History
    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.optim import Optimizer
    from gyaku.precision import Precision
    from gyaku.train.checkpoint import Resumption
    from gyaku.train.criterion import Criterion
    from gyaku.train.options import Options
    from gyaku.train.ranks import Ranks
    from gyaku.train.source import Source
    from gyaku.train.trainee import Passes, Trainee

__all__ = ["fit"]


def fit(
    self: Trainee,
    x: object,
    y: object = None,
    *,
    lengths: object = None,
    sample_weight: object = None,
    class_weight: str | Mapping[Any, Any] | None = None,
    loss: str | Loss | Callable[..., Any] | Sequence[Any] | Mapping[str, Any] | None = None,
    loss_weights: Sequence[float] | Mapping[str, float] | None = None,
    optimizer: str | Optimizer | None = "adam",
    clip_norm: float | None = None,
    clip_value: float | None = None,
    accumulate: int = 1,
    epochs: int = 1,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    overfit_batches: int | None = None,
    max_time: float | str | None = None,
    batch_size: int | None = 32,
    validation_data: tuple[object, ...] | Iterable[Any] | Callable[[], Any] | None = None,
    validation_split: float = 0.0,
    validation_freq: int = 1,
    validation_batch_size: int | None = None,
    metrics: str | Metric | Iterable[Any] | None = (),
    seed: int | None = 0,
    shuffle: bool = True,
    by_length: bool = False,
    augment: Augment | None = None,
    callbacks: Callback | Callable[..., object] | Iterable[Any] | None = (),
    resume: bool | str | os.PathLike[str] = False,
    distributed: Ranks | None = None,
    precision: Precision = "float32",
    verbose: int | str = "auto",
) -> History:
    """Train the model.

    Parameters
    ----------
    x : array_like
        Inputs, (samples, ...), at their value. float32, float64 and uint8 are not copied; a model
        that begins with `Rescaling` scales bytes while a batch is gathered. A tuple, or a dict by
        name, for several inputs. Or, for data that are not in memory, an array on disk or an
        iterable of batches; see the notes.
    y : array_like, optional
        Targets; left out if `x` is an iterable, whose batches hold them. Rows like the outputs, or
        class numbers for a cross-entropy, one for each position if the outputs have a time axis or
        are images. A tuple or a dict for several outputs.
    lengths : array_like of int, optional
        Lengths of sequences that are padded behind their ends, (samples,), for inputs (samples,
        steps, ...); a tuple or a dict for several inputs, None for one that is not padded. They
        travel through layers whose outputs have as many steps as their inputs, to recurrent layers,
        the loss and the metrics, which count real steps only. `Embedding` with ``mask_zero=True``
        finds them itself.
    sample_weight : array_like, optional
        Weights of the samples, (samples,), or of time steps or pixels, of the shape of the first
        axes of the outputs: loss and metrics are weighted means, ``Σ w L / Σ w`` for each batch. A
        sample of weight zero is not there. A tuple or a dict for several outputs, None for one
        without weights.
    class_weight : "balanced" or dict, optional
        Weights of classes by class number, by default 1, which multiply those of the samples, in
        training only; "balanced" gives all classes the same total weight and the samples the mean
        weight 1. A dict by output for several outputs.
    loss : str or Loss or callable
        Loss to minimise: name, instance, or function of outputs and targets that returns the mean
        loss and its gradient with respect to the outputs. A tuple or a dict for several outputs.
        Required for the first training; by default that of the last one, which model files hold.
    loss_weights : sequence or mapping of float, optional
        Factors of the losses of several outputs in their sum, by default 1.
    optimizer : str or Optimizer
        Optimizer; an instance keeps its state and its schedule if it trained this model before. A
        name stands for the model's own one if the training goes on.
    clip_norm : float, optional
        Largest Euclidean norm of the gradients of all parameters together, which are scaled down to
        it before an update.
    clip_value : float, optional
        Largest magnitude of each element of the gradients.
    accumulate : int
        Number of batches whose mean gradient an update takes, fewer at the end of an epoch: that of
        one batch of all their samples, in less memory. With sample weights or lengths it is
        ``Σ w L / Σ w`` over all of them. If the loss is a sum, so is the gradient.
    epochs : int
        Number of passes over the data; the index at which the training ends, with `initial_epoch`.
    initial_epoch : int
        Index of the first epoch, for a training that goes on: order and augmentation are those of
        this epoch, and callbacks and lines count from it.
    steps_per_epoch : int, optional
        Number of batches that make an epoch, whatever the size of the data; the next epoch goes on
        behind them. By default an epoch is a pass over the data.
    overfit_batches : int, optional
        Number of batches to train on alone, as a test: a model that learns must fit them.
    max_time : float or str, optional
        Time after which the training ends, behind the present step: seconds, or text such as
        "1h30m" or "45s".
    batch_size : int or None
        Samples per gradient step; 1 is online, None full batch. The batches of an iterable are
        taken as they are.
    validation_data : tuple of array_like or iterable, optional
        Inputs and targets for validation, (x, y); also with weights, (x, y, sample_weight); with
        lengths if `lengths` are given, (x, y, lengths); or with both, (x, y, lengths,
        sample_weight). Or an iterable of batches that has an end.
    validation_split : float
        Fraction of the samples to hold out for validation instead, the same of each class.
    validation_freq : int
        Number of epochs between validations; the last epoch is always validated.
    validation_batch_size : int, optional
        Samples per step of a validation, by default `batch_size`; only speed and memory depend on
        it.
    metrics : sequence of str or Metric or callable
        Metrics: names, also of scikit-learn's scorers; instances; scorers; functions ``(y_true,
        y_pred)`` of the whole data set; or functions of outputs and targets.
    seed : int or None
        Seed; two fits of two new models with the same seed (default 0) are identical, so an
        ensemble needs different seeds. Initial weights, order, dropout and augmentation depend on
        it; None draws a new one for each fit. Another fit of the same model with the same seed goes
        on where the last one ended: ten fits of one epoch are one of ten epochs. A new seed begins
        a new order.
    shuffle : bool
        Whether to shuffle the samples before each epoch; a full batch keeps their order.
    by_length : bool
        Whether to make batches of padded sequences of similar lengths, each cut behind its longest
        one, in training and validation; see the notes.
    augment : Augment, optional
        Random shifts and flips of images, (samples, height, width, channels), while a batch is
        gathered; a `gyaku.data.Augment`.
    callbacks : sequence of Callback or callable
        Callbacks; a function is called with epoch and logs after each epoch. Returning True, or a
        reason as text, ends the training.
    resume : bool or str or path-like
        Checkpoint of a training that was ended or killed, to go on from with the same bits, given
        the same data and arguments; `epochs` may be larger. True stands for the file of a
        `ModelCheckpoint` among the callbacks, and for a new training while there is none. An
        iterable is read again to the place of the checkpoint.
    distributed : gyaku.distributed.MPI, optional
        Processes that train the model together, each of which calls this function alike;
        `batch_size` is that of each of them. The first one runs the callbacks and reports.
    precision : {"float32", "bfloat16"}
        Precision of the operands of products: in bfloat16 those of dense layers, convolutions and
        recurrent layers are rounded to 8 significant bits, in the passes of training and
        validation. Sums, weights, losses, statistics and the optimizer stay in float32.
    verbose : {0, 1, 2, "auto"}
        Progress bar (1), a line an epoch and one on the number of threads (2), or nothing (0);
        "auto" is a bar in terminals and notebooks, and lines elsewhere.

    Returns
    -------
    History
        Loss and metrics of each epoch. Ctrl-C ends the training, not the program: the model
        keeps the weights of the last finished step, and `History.stopped` is "interrupted". A
        second Ctrl-C raises KeyboardInterrupt.

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
    An iterable yields batches: (x, y), (x, y, sample_weight), (x, y, lengths, sample_weight), dicts
    with these keys, or dicts with the names of the model's inputs and outputs. It may be a PyTorch
    ``DataLoader`` with tensors on the CPU, an iterator, or a function without arguments that makes
    one, which each epoch calls again. Batches may differ in size, and have the order in which they
    come. A thread reads the next ones while one is trained on.

    The rows of a memory map (``np.load(path, mmap_mode="r")``), of an array of h5py or zarr, or of
    any object with ``shape``, ``dtype`` and rows by ``[...]`` that is no array in memory, are read
    by such a thread too, in the order of the same data in memory: with the same results, and the
    memory of a few batches.

    Batches of 2,048 samples and more may go through the model in slices, whose values stay in a
    cache; the gradient, the loss and the metrics of a batch are those of the sum over its slices.
    They do if no layer, loss or metric may compare the samples of a batch, as `BatchNorm` or
    functions of one's own.

    With `by_length`, the shuffled samples are sorted by length within windows of 64 batches, and
    the batches of a window shuffled. Each batch is cut behind its longest sequence, to 4, 6, 8, 12,
    16, 24 ... steps. Loss, metrics and gradients are those of the same batches with all steps, but
    for the order of sums, the random numbers of dropout, and the statistics of `BatchNorm`, which
    counts padded steps. All layers must treat steps alike (`Layer.any_steps`), up to one whose
    output has no time axis. Each number of steps has a program of its own, with memory of its own.
    """
    if self.in_training:
        raise RuntimeError("fit: the model is in training already, by the fit that called this one")
    options = options_of(
        epochs=epochs,
        initial_epoch=initial_epoch,
        steps_per_epoch=steps_per_epoch,
        overfit_batches=overfit_batches,
        max_time=max_time,
        batch_size=batch_size,
        validation_split=validation_split,
        validation_freq=validation_freq,
        validation_batch_size=validation_batch_size,
        shuffle=shuffle,
        by_length=by_length,
        augment=augment,
        precision=precision,
        dtype=self.dtype,
    )
    if options.validation_split and validation_data is not None:
        raise ValueError("fit: give validation_data or validation_split, not both")
    ranks = ranks_of("fit", distributed)
    if ranks.own_data and options.validation_split:
        raise ValueError("fit: with own_data, give all processes the same validation_data")
    hooks = Callbacks(callbacks if ranks.is_first else (), self)
    hooks.share(ranks.of_first)
    show = progress(verbose if ranks.is_first else 0)
    resumed = resumption(self, resume, hooks)
    seed = ranks.of_first(resumed.seed if resumed and seed is None else _seed(seed))
    learner, measures = _learner(self, optimizer, seed), metrics_of(metrics)
    updates = updates_of("fit", learner, clip_norm, clip_value, accumulate)
    if loss is None and self.loss is not None:
        loss, loss_weights = self.loss, loss_weights or self.loss_weights
    criterion = criterion_of("fit", self.output_names, loss, loss_weights, measures)
    given = Given(x, y, lengths, sample_weight)
    if ranks.blocks > 1:
        given = mapped(given)
    data = _data(self, given, criterion, options, class_weight, ranks)
    batches = 1 if ranks.own_data else ranks.size
    size = data.size(options.batch_size and options.batch_size * batches)
    held_out = _validation_data(data, validation_data)
    columns = columns_of("fit", x, self.input_names) if isinstance(data, Arrays) else ()
    if isinstance(held_out, Arrays):
        theirs = validation_data[0]  # type: ignore[index]
        check_columns("fit", "validation_data's ", theirs, self.input_names, columns)
    if held_out is not None:
        held_out.check_passes(options.validations)
    data.check_schedule(learner)
    if options.validation_split:
        data, held_out = data.split(options.validation_split, seed, options.shuffle)
    if class_weight is not None:
        data = data.by_class(class_weight)
    if options.overfit_batches:
        data = data.chosen(options.overfit_batches * size, seed if options.shuffle else None)
    count = data.count or data.samples.count
    steps_per_epoch = options.steps_per_epoch
    if ranks.own_data and steps_per_epoch is None and data.count:
        steps_per_epoch = own_steps(ranks, count, size)
    _check_batches(data.passes, count, min(size, count), steps_per_epoch)
    _check_trains(self, data.passes)
    check_accumulates("fit", self.output_names, data.passes, data.samples, updates)
    course = Course(
        size,
        options.epochs,
        seed,
        options.shuffle,
        initial_epoch=options.initial_epoch,
        steps_per_epoch=steps_per_epoch,
        by_length=data.by_length() if options.by_length else None,
        augment=options.augment,
        updates=updates,
        precision=options.precision,
    )
    if resumed:
        resumed.check(data, course, learner, criterion, held_out is not None)
    validation = None
    if held_out is not None:
        held_out.ranks = ranks
        batch = options.validation_batch_size or options.batch_size or size
        validation = held_out.evaluation(batch, options.by_length)
        validation.precision = options.precision
    if ranks.blocks > 1:
        check_together(
            *(ranks, data.samples, criterion, learner, course, data.passes),
            **options._asdict() | {"batch_size": min(size, count)},
            validation_samples=held_out and held_out.count,
            step_of_the_checkpoint=resumed and resumed.step,
            epochs_before=self.epochs_begun,
        )
    # Everything is valid: from here on the model changes.
    if ranks.is_first:
        advise("fit", [*doubts(data.passes, criterion, options.shuffle)])
        advise("fit", of_new_inputs(self, data.passes, data.samples.x))
        advise("fit", of_new_scales(self, data.passes, data.samples))
        advise("fit", [*of_targets(data.passes, data.samples.x, data.samples.y)])
    course = _begun(self, data.passes, course, resumed, learner)
    ranks.spread([self.flat_params, self.flat_buffers])
    _keep_defaults(self, criterion, learner, measures)
    self.precision, self.columns = options.precision, columns
    training = data.training(learner, course)
    if resumed:
        resumed.put_gradients(training)
    self.epochs_begun = training.epochs_begun
    self.in_training = True
    try:
        history = loop.run(
            training,
            validation=validation,
            validation_freq=options.validation_freq,
            callbacks=hooks,
            progress=lambda: show(options.epochs, training.count),
            settings=settings_of(options, course, criterion, learner, data, held_out, ranks),
            max_time=options.max_time,
            resumption=resumed,
        )
    finally:
        self.in_training = False
    self.captured = description(training.parts, training.runs, options.precision)
    return history


def _data(
    model: Trainee,
    given: Given,
    criterion: Criterion,
    options: Options,
    class_weight: object,
    ranks: Ranks,
) -> Source:
    """Return the validated training data."""
    data = source_of("fit", model, given, steps=options.steps_per_epoch)
    data.ranks = ranks
    data.refuse(
        batch_size=options.batch_size not in (32, None),
        by_length=options.by_length,
        augment=options.augment is not None,
        validation_split=options.validation_split > 0,
        sample_weight=given.weights is not None,
        class_weight=class_weight is not None,
        overfit_batches=options.overfit_batches is not None,
        distributed=ranks.blocks > 1 and (data.is_repeatable or not ranks.own_data),
    )
    data.check_passes(options.passes)
    data.validate(model, criterion, options.batch_size or 1)
    options.check_augment(data.samples)
    return data


def _begun(
    model: Trainee, passes: Passes, course: Course, resumed: Resumption | None, learner: Optimizer
) -> Course:
    """Build the model for its first training, and return the course from where it stands."""
    seed = course.seed
    model.adopt(passes, seed)
    if model.last_seed != seed:
        model.last_seed, model.epochs_begun = seed, 0
    model.reseed(seed)
    if resumed is None:
        first = max(model.epochs_begun - course.initial_epoch, 0)
        return course._replace(first_epoch=first)
    resumed.put_weights(learner)
    return course._replace(
        first_epoch=resumed.first_epoch,
        steps_done=resumed.step,
        updates_done=resumed.updates_done,
    )


def _learner(model: Trainee, given: str | Optimizer | None, seed: int) -> Optimizer:
    """Return the optimizer; a name stands for the model's own one if the training goes on."""
    learner, own = as_optimizer(given), model.optimizer
    if own is None or learner is given or model.last_seed != seed:
        return learner
    alike = type(own) is type(learner) and own.config() == learner.config()
    return own if alike else learner


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


def _validation_data(data: Source, given: Any) -> Source | None:
    """Return the validated validation data, if there are any."""
    if given is None:
        return None
    if yields_batches(given):
        given = given, None
    elif not isinstance(given, (tuple, list)) or len(given) not in (2, 3, 4):
        raise TypeError(
            "fit: validation_data must be (x, y), (x, y, sample_weight), (x, y, lengths) if lengths"
            " are given, (x, y, lengths, sample_weight), or an iterable of batches"
        )
    x, y, *more = given
    has_lengths = bool(data.samples.lengths) or len(more) == 2
    lengths, weights = ([*more, None, None] if has_lengths else [None, *more, None])[:2]
    part, each = "validation_data's ", Given(x, y, lengths, weights)
    if data.ranks.blocks > 1:
        each = mapped(each)
    found = source_of("fit", data.model, each, part=part)
    found.refuse(sample_weight=weights is not None)
    found.validate(data.model, data.criterion, passes=data.passes)
    return found


def _check_batches(passes: Passes, samples: int, size: int, per_epoch: int | None) -> None:
    smallest = size if per_epoch else samples % size or size
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
