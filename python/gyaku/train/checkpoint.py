"""Checkpoints: all that a training needs to go on with the same bits in another process.

Order, dropout and augmentation are functions of a seed and of counters, so that the counters are
all there is to keep of them.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import whole
from gyaku.history import History

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.callbacks import Callbacks
    from gyaku.optim import Optimizer
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.source import Source
    from gyaku.train.trainee import Trainee

    Arrays = dict[str, NDArray[Any]]

__all__ = ["Resumption", "resumption", "save"]

# A loop is a `Loop`, which cannot be imported here.

_ARRAY = "gyaku.array"
"""Key of an object that stands for an array in JSON."""


def save(loop: Any, path: str | os.PathLike[str]) -> None:
    """Write a checkpoint.

    Parameters
    ----------
    loop : Loop
        The training, between two steps.
    path : str or path-like
        The file.
    """
    training, model = loop.training, loop.training.model
    optimizer = training.optimizer
    arrays: Arrays = {}
    rate = optimizer.learning_rate
    place = {
        "optimizer": type(optimizer).__name__,
        "samples": training.data_count or None,
        "shapes": shapes_of(training.samples.x),
        "metrics": training.criterion.columns,
        "validation": loop.validation is not None,
        "by_length": training.by_length is not None,
        "batch_size": training.batch_size,
        "seed": training.seed,
        "shuffle": training.shuffle,
        "precision": training.precision,
        "first_epoch": training.first_epoch,
        "step": training.step,
        "updates_done": training.updates_done,
        "clock": int(model.clock[0]),
        "optimizer_clock": optimizer.clock.tolist(),
        "schedule_begun": optimizer.schedule_begun,
        "learning_rate": None if callable(rate) else float(rate),
        "history": loop.history.to_dict(),
        "seconds": loop.epoch_seconds,
        "sums": training.sums(training.initial_epoch + loop.history.epochs),
        "steps_per_epoch": None if training.per_epoch == sys.maxsize else training.per_epoch,
        "initial_epoch": training.initial_epoch,
        "accumulate": training.updates.batches,
        "gradients": training.updates.state,
        "stopped": loop.callbacks.stopped,
        "callbacks": loop.callbacks.states(),
    }
    model.checkpoints.write(path, packed(place, arrays, "a checkpoint"), arrays, optimizer.state)


def resumption(
    model: Trainee, resume: bool | str | os.PathLike[str], callbacks: Callbacks
) -> Resumption | None:
    """Return the checkpoint that a training is to resume.

    Parameters
    ----------
    model : Trainee
        The model.
    resume : bool or str or path-like
        The file; True for that of the callbacks, if it is there.
    callbacks : Callbacks
        The callbacks.

    Returns
    -------
    Resumption or None
        The checkpoint, validated; None for a training from the start.

    Raises
    ------
    ValueError
        If the file is none of this model, or no callback writes one.
    OSError
        If it cannot be read.
    """
    if resume is False:
        return None
    if resume is not True:
        if not isinstance(resume, (str, os.PathLike)):
            raise TypeError(f"fit: resume must be a path, True or False, got {resume!r}")
        path = os.fspath(resume)
        if not os.path.isfile(path):
            found = "a folder" if os.path.isdir(path) else "no file"
            raise FileNotFoundError(
                f"fit: resume={path!r} is {found}; give the file of a checkpoint, or resume=True,"
                " which begins a new training while there is none"
            )
        return Resumption(model, path, callbacks)
    path = callbacks.checkpoint
    if not path:
        raise ValueError(
            "fit: resume=True needs a callback that keeps the last state in one file, such as"
            " ModelCheckpoint('last.safetensors'); or give the file, resume='last.safetensors'"
        )
    return Resumption(model, path, callbacks) if os.path.exists(path) else None


class Resumption:
    """A checkpoint to go on from.

    Parameters
    ----------
    model : Trainee
        The model.
    path : str
        The file.
    callbacks : Callbacks
        The callbacks that are to go on, too.

    Attributes
    ----------
    seed, first_epoch, step, updates_done : int
        Seed, number of epochs of earlier trainings, and numbers of steps and updates done.
    """

    def __init__(self, model: Trainee, path: str, callbacks: Callbacks) -> None:
        self.path = path
        self._model = model
        self._saved = model.checkpoints.read(path)
        # Older checkpoints have no precision.
        self._place: dict[str, Any] = {"precision": "float32"} | self._saved.place
        names = "seed", "first_epoch", "step", "updates_done"
        self.seed, self.first_epoch, self.step, self.updates_done = (
            whole("fit", f"the checkpoint's {name}", self._place[name], least=0) for name in names
        )
        callbacks.check_states(self._place["callbacks"])

    def put_weights(self, learner: Optimizer) -> None:
        """Give the model, which is built, and its optimizer their state.

        Parameters
        ----------
        learner : Optimizer
            The optimizer.
        """
        place = self._place
        self._saved.put()
        self._model.clock[0] = place["clock"]
        known = self._saved.optimizer
        rate = known.learning_rate if known is not None else place["learning_rate"]
        if rate is not None:  # otherwise a schedule of the user's own, which must be given
            learner.learning_rate = rate
        learner.resume(
            self._model, self._saved.state, place["optimizer_clock"], place["schedule_begun"]
        )

    def put_gradients(self, training: Any) -> None:
        """Give the training what batches have added up since its last update.

        Parameters
        ----------
        training : Training
            The training.
        """
        for sums, kept in zip(training.updates.state, self._place["gradients"], strict=True):
            sums[...] = kept

    def check(
        self,
        data: Source,
        course: Course,
        optimizer: Optimizer,
        criterion: Criterion,
        has_validation: bool,
    ) -> None:
        """Raise if the training is another one.

        Parameters
        ----------
        data : Source
            The training data.
        course : Course
            Extent of the training, and order of its samples.
        optimizer : Optimizer
            The optimizer.
        criterion : Criterion
            Losses and metrics.
        has_validation : bool
            Whether there are validation data.

        Raises
        ------
        ValueError
            If an argument differs, or the training is shorter than what was done.
        """
        size = min(course.batch_size, data.count or course.batch_size)
        given: dict[str, Any] = {
            "samples": data.count,
            "shapes": shapes_of(data.samples.x),
            "metrics": criterion.columns,
            "validation": has_validation,
            "batch_size": size,
            "seed": course.seed,
            "shuffle": course.shuffle,
            "precision": course.precision,
            "by_length": course.by_length is not None,
            "optimizer": type(optimizer).__name__,
            "steps_per_epoch": data.steps_of(size, course.steps_per_epoch),
            "initial_epoch": course.initial_epoch,
            "accumulate": 1 if course.updates is None else course.updates.batches,
        }
        for name, value in given.items():
            if value != self._place[name]:
                raise self._error(name, self._place[name], value)
        done: float = course.initial_epoch + len(self._place["history"]["seconds"])
        if steps := given["steps_per_epoch"]:
            done = self.step / steps
        if done > course.epochs:
            raise ValueError(
                f"fit: {self.path} was written after {done:.4g} epochs, more than"
                f" epochs={course.epochs}"
            )

    def put(self, loop: Any) -> float:
        """Give the training its history and sums, and the callbacks their states.

        Parameters
        ----------
        loop : Loop
            The training.

        Returns
        -------
        float
            Seconds that the present epoch has taken.
        """
        place, settings = self._place, loop.history.settings
        loop.history = History.from_dict(place["history"])
        loop.history.settings = {**settings, **loop.history.settings, "epochs": settings["epochs"]}
        loop.history.stopped = None
        epochs = loop.training.initial_epoch + loop.history.epochs
        loop.training.resume(epochs, place["sums"])
        loop.callbacks.stopped = place["stopped"]
        loop.callbacks.load_states(place["callbacks"])
        return float(place["seconds"])

    def _error(self, name: str, saved: object, given: object) -> ValueError:
        return ValueError(
            f"fit: {self.path} was written with {name}={saved!r}, got {given!r}; resume with the"
            " same data and arguments"
        )


def shapes_of(arrays: Iterable[NDArray[Any]]) -> list[list[int]]:
    """Return the shapes of samples as JSON.

    Parameters
    ----------
    arrays : iterable of ndarray
        Arrays of samples.

    Returns
    -------
    list of list of int
        A shape for each array.
    """
    return [[*each.shape[1:]] for each in arrays]


def packed(value: Any, arrays: Arrays, owner: str) -> Any:
    """Return a value as JSON, with numbers in place of its arrays.

    Parameters
    ----------
    value : object
        Arrays, numbers, strings, None, and lists and mappings of these.
    arrays : dict of str to ndarray
        The arrays so far, to which those of the value are added.
    owner : str
        What the value belongs to, for the error.

    Returns
    -------
    object
        The value for `unpacked`.

    Raises
    ------
    TypeError
        If it holds anything else.
    """
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        arrays[str(len(arrays))] = value
        return {_ARRAY: str(len(arrays) - 1)}
    if isinstance(value, (tuple, list)):
        return [packed(each, arrays, owner) for each in value]
    if hasattr(value, "items") and all(isinstance(name, str) for name in value):
        return {name: packed(each, arrays, f"{name} of {owner}") for name, each in value.items()}
    raise TypeError(f"{owner} cannot be saved: {value!r} is no number, text, array, list or dict")


def unpacked(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Return the value of `packed`, with lists for tuples.

    Parameters
    ----------
    value : object
        The value as JSON.
    arrays : mapping of str to ndarray
        The arrays.

    Returns
    -------
    object
        The value.
    """
    if isinstance(value, list):
        return [unpacked(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {_ARRAY}:
        return arrays[value[_ARRAY]].copy()
    return {name: unpacked(each, arrays) for name, each in value.items()}
