"""Model, loss and optimizer of a training, from the arguments of ``gyaku train``."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers, losses, models, optim, schedules
from gyaku.cli.parser import UsageError
from gyaku.model import Sequential

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

    from gyaku.cli.dataset import Data

__all__ = ["SCHEDULES", "Targets", "batch_size_for", "check_options", "epochs_for", "in_words"]
__all__ += ["loss_for", "model_for", "optimizer_for", "parameters_of"]

SCHEDULES: dict[str, Callable[[float], schedules.Schedule]] = {
    "constant": schedules.Constant,
    "one_cycle": schedules.OneCycle,
}
"""Learning-rate schedules by name."""

_SMALL = 16  # pixels of a side
_OF_ROWS = ("linear", "mlp")  # models that take tables
_STEPS = 16  # least number of steps in an epoch, by smaller batches
_LEARNING_RATES = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02}
# Final layers for losses that do not take the outputs of a dense layer directly.
_LAST_LAYERS = {
    "cross_entropy": layers.Softmax,
    "mean_squared_error": layers.Sigmoid,
    "sum_squared_error": layers.Sigmoid,
}
_OF_NUMBERS = ("huber", "mean_absolute_error", "mean_squared_error", "sum_squared_error")


def check_options(arguments: argparse.Namespace) -> None:
    """Raise if options do not go with each other.

    Parameters
    ----------
    arguments : argparse.Namespace
        Those of ``gyaku train``.

    Raises
    ------
    UsageError
        With the option.
    """
    for name in ("hidden", "activation", "dropout"):
        if getattr(arguments, name) is not None and arguments.model != "mlp":
            raise UsageError(f"--{name} goes with --model mlp, not {arguments.model}")
    if arguments.precision == "bfloat16" and arguments.dtype != "float32":
        raise UsageError(f"--precision bfloat16 goes with --dtype float32, not {arguments.dtype}")


def loss_for(arguments: argparse.Namespace, data: Data) -> losses.Loss:
    """Return the requested loss.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``loss``.
    data : Data
        The data.

    Returns
    -------
    Loss
        By default softmax cross-entropy for classes and the mean squared error for numbers.

    Raises
    ------
    UsageError
        If the targets are numbers and the loss is one of classes.
    """
    if data.classes is not None:
        return losses.loss(arguments.loss or "softmax_cross_entropy")
    name = arguments.loss or "mean_squared_error"
    if name not in _OF_NUMBERS:
        raise UsageError(
            f"--loss {name} is for classes, but the targets are numbers; {', '.join(_OF_NUMBERS)}"
            " are for these"
        )
    return losses.loss(name)


def model_for(arguments: argparse.Namespace, data: Data) -> Sequential:
    """Return the requested model, built for the data, with the layers that data and loss need.

    Parameters
    ----------
    arguments : argparse.Namespace
        Those of ``gyaku train``.
    data : Data
        The data.

    Returns
    -------
    Sequential
        The model.

    Raises
    ------
    UsageError
        If the model does not take such data.
    """
    recipe = models.MODELS[arguments.model]
    shape = data.train[0].shape[1:]
    _check_shape(arguments, shape)
    names = ("hidden", "activation", "dropout")
    given = {name: getattr(arguments, name) for name in names}
    options: dict[str, Any] = {name: each for name, each in given.items() if each is not None}
    if len(shape) == 3 and min(shape[:2]) < _SMALL:
        options |= recipe.small
    made = recipe.build(classes=1 if data.classes is None else len(data.classes), **options)
    parts = list(made.layers)
    if data.first is not None:
        parts[0] = data.first
    if len(shape) == 1:
        parts = [part for part in parts if not isinstance(part, layers.Flatten)]
    last = _LAST_LAYERS.get(arguments.loss) if data.classes is not None else None
    parts += [last()] if last else []
    model = Sequential(*parts, name=made.name)
    model.build(shape, dtype=arguments.dtype, seed=arguments.seed)
    return model


def _check_shape(arguments: argparse.Namespace, shape: tuple[int, ...]) -> None:
    """Raise if the samples are no images, but something of images is asked for."""
    if len(shape) == 3:
        if arguments.shift >= min(shape[:2]):
            raise UsageError(
                f"--shift must be less than the {min(shape[:2])} pixels of a side of the images,"
                f" got {arguments.shift}"
            )
        return
    if arguments.model not in _OF_ROWS:
        raise UsageError(
            f"--model {arguments.model} takes images; {' and '.join(_OF_ROWS)} take samples of"
            f" shape {shape}"
        )
    for name in ("shift", "flip"):
        if getattr(arguments, name):
            raise UsageError(f"--{name} is for images, the samples have the shape {shape}")


def epochs_for(arguments: argparse.Namespace, samples: int) -> int:
    """Return the default number of epochs.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``model``.
    samples : int
        Number of training samples.

    Returns
    -------
    int
        As many as the recipe of the model needs.
    """
    return models.MODELS[arguments.model].epochs(samples)


def batch_size_for(arguments: argparse.Namespace, data: Data) -> int | None:
    """Return the samples per step.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``model`` and ``batch_size``.
    data : Data
        The data.

    Returns
    -------
    int or None
        By default that of the recipe, halved for few samples of one's own; None is the full batch.
    """
    size = models.MODELS[arguments.model].batch_size
    if arguments.batch_size is not None:
        return arguments.batch_size or None
    while data.places and size > 8 and size * _STEPS > len(data.train[0]):
        size //= 2
    return size


def optimizer_for(arguments: argparse.Namespace) -> optim.Optimizer:
    """Return the requested optimizer.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``model``, ``optimizer``, ``learning_rate`` and ``schedule``.

    Returns
    -------
    Optimizer
        By default that of the model's recipe.
    """
    recipe = models.MODELS[arguments.model]
    chosen = arguments.optimizer or arguments.learning_rate
    name = arguments.optimizer or "adam"
    kind: Callable[..., optim.Optimizer] = optim.OPTIMIZERS[name]
    usual = {"adam": recipe.learning_rate}.get(name) or _LEARNING_RATES.get(name)
    rate: Any = arguments.learning_rate or usual or kind().learning_rate
    schedule = SCHEDULES[arguments.schedule or ("constant" if chosen else "one_cycle")](rate)
    return recipe.adam(schedule) if name == "adam" else kind(learning_rate=schedule)


class Targets:
    """Targets in the form in which they are learnt.

    Parameters
    ----------
    data : Data
        The data.
    loss : Loss
        The loss.
    dtype : dtype
        That of the model.

    Notes
    -----
    Numbers are learnt as distances from the mean of the training data, in units of their standard
    deviation; `restored` gives the model a last layer that takes them back. Classes are rows where
    the loss takes rows.
    """

    def __init__(self, data: Data, loss: losses.Loss, dtype: DTypeLike) -> None:
        self.center, self.spread = 0.0, 1.0
        self.rows: NDArray[Any] | None = None
        self.are_numbers = data.classes is None
        if data.classes is None:
            y = data.train[1]
            self.center, self.spread = float(y.mean()), float(y.std()) or 1.0
        elif loss.takes == "rows":
            self.rows = np.eye(len(data.classes), dtype=dtype)

    def learnt(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return targets as they are learnt.

        Parameters
        ----------
        y : ndarray
            Class numbers, or numbers (samples, 1).

        Returns
        -------
        ndarray
            The targets of `fit`.
        """
        if self.are_numbers:
            return (y - self.center) / self.spread
        return y if self.rows is None else self.rows[y]

    def restored(self, model: Sequential) -> Sequential:
        """Return a model whose outputs are in the units of the targets.

        Parameters
        ----------
        model : Sequential
            The trained model.

        Returns
        -------
        Sequential
            The same model, or one with its weights and another layer.
        """
        if not self.are_numbers:
            return model
        last = layers.Rescaling(self.spread, self.center)
        parts = [copy.deepcopy(part) for part in model.layers]
        whole = Sequential(*parts, last, name=model.name)
        whole.build(model.input_shape, dtype=model.dtype)
        for mine, others in ((whole.params, model.params), (whole.buffers, model.buffers)):
            for name, values in others.items():
                mine[name] = values
        whole.loss = model.loss
        return whole


def in_words(model: Sequential) -> str:
    """Return layers and parameters in a few words.

    Parameters
    ----------
    model : Sequential
        The model.

    Returns
    -------
    str
        Such as "64 inputs, 256 relu, 10 outputs; 19,210 parameters".
    """
    words = [f"{math.prod(model.input_shape or ())} inputs"]
    silent = (layers.Flatten, layers.Normalization, layers.Rescaling)
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            words.append(f"{layer.filters} filters of {layer.kernel_size} x {layer.kernel_size}")
        elif isinstance(layer, layers.Dense):
            words.append(f"{layer.units} {layer.activation or 'outputs'}")
        elif not isinstance(layer, silent):
            words.append(type(layer).__name__.lower())
    return f"{', '.join(words)}; {parameters_of(model):,} parameters"


def parameters_of(model: Sequential) -> int:
    """Return the number of parameters.

    Parameters
    ----------
    model : Sequential
        The model.

    Returns
    -------
    int
        The sum of the sizes.
    """
    return sum(array.size for array in model.params.values())
