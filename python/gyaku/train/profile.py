"""Steps to profile: whole batches on the data of a call."""

from __future__ import annotations

import copy
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import whole
from gyaku.optim import optimizer as as_optimizer
from gyaku.train.course import Course
from gyaku.train.criterion import last_criterion
from gyaku.train.dataset import checked_inputs, checked_lengths, checked_samples
from gyaku.train.meters import Pace
from gyaku.train.samples import Samples
from gyaku.train.slices import training_of
from gyaku.train.steps import Training

if TYPE_CHECKING:
    from typing import Any

    from gyaku.optim import Optimizer
    from gyaku.train.trainee import Trainee

__all__ = ["settle", "steps_to_profile"]

_EPOCHS = 1 << 10
"""More than `settle` needs."""
_SECONDS = 0.15
"""Time of steps after which their number of threads is chosen."""


def steps_to_profile(
    model: Trainee,
    x: object,
    y: object,
    *,
    lengths: object,
    loss: Any,
    optimizer: str | Optimizer | None,
    batch_size: int,
    steps: int,
    in_slices: bool = True,
) -> Training:
    """Prepare steps to profile.

    Parameters
    ----------
    model : Trainee
        The model.
    x, y, lengths, loss, optimizer, batch_size, steps : object
        See `Model.profile`.
    in_slices : bool
        Whether large batches go in slices, as in a training by one process.

    Returns
    -------
    Training
        At least this number of steps of whole batches, none of them done.
    """
    steps = whole("profile", "steps", steps)
    size = whole("profile", "batch_size", batch_size)
    criterion = last_criterion("profile", model, loss, ())
    learner = as_optimizer(optimizer or model.optimizer or "adam")
    given = checked_inputs("profile", model, x)
    passes = model.passes([each.shape[1:] for each in given])
    known = checked_lengths("profile", model, passes, lengths, given)
    samples = checked_samples("profile", model, passes, (x, given), y, criterion, known)
    model.adopt(passes)
    size = min(size, samples.count)
    rows = np.arange((steps + 1) * size) % samples.count
    return (training_of if in_slices else Training)(
        model,
        Samples(samples.x, samples.y, rows, samples.lengths),
        criterion,
        copy.copy(learner),
        Course(size, _EPOCHS, seed=0, shuffle=False, precision=model.precision),
    )


def settle(training: Training) -> None:
    """Capture the step, run it until its number of threads is chosen, and return to the first.

    Parameters
    ----------
    training : Training
        The steps, none of them done.
    """
    training.advance(1)
    teams = [part.program.team() for part in training.parts if part.program is not None]
    if any(team["shared"] and team["limit"] > 1 and not team["exact"] for team in teams):
        start, pace = perf_counter(), Pace()
        while (elapsed := perf_counter() - start) < _SECONDS and training.step < training.total:
            pace.took(max(1, training.step - 1), max(elapsed, 0.01))
            training.advance(min(pace.steps // 4 + 1, training.total - training.step))
    training.step = 0
    training.seek()
