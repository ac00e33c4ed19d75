"""Settings of a training, as its history keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.threads import num_threads

if TYPE_CHECKING:
    from typing import Any

    from gyaku.optim import Optimizer
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.options import Options
    from gyaku.train.ranks import Ranks
    from gyaku.train.source import Source

__all__ = ["settings_of"]

_LONGEST = 300  # characters of a setting


def settings_of(
    options: Options,
    course: Course,
    criterion: Criterion,
    optimizer: Optimizer,
    data: Source,
    held_out: Source | None,
    ranks: Ranks,
) -> dict[str, Any]:
    """Return the settings of a training that begins now.

    Parameters
    ----------
    options : Options
        Numbers and switches among the arguments of `fit`.
    course : Course
        Extent of the training, and order of its samples.
    criterion : Criterion
        Losses and metrics.
    optimizer : Optimizer
        The optimizer.
    data, held_out : Source
        The data, and those for validation, if any.
    ranks : Ranks
        The processes.

    Returns
    -------
    dict of str to object
        Texts and numbers by name; what was left at its default has no entry, but for the first
        ones.
    """
    from datetime import datetime

    updates, rate = course.updates, optimizer.learning_rate
    known = {
        "begun": datetime.now().astimezone().isoformat(timespec="seconds"),
        "optimizer": repr(optimizer),
        "learning_rate": repr(rate) if callable(rate) else float(rate),
        "loss": ", ".join(map(repr, criterion.losses)),
        "epochs": options.epochs,
        "batch_size": course.batch_size,
        "seed": course.seed,
        "shuffle": options.shuffle,
        "dtype": str(data.model.dtype),
        "threads": num_threads(),
    }
    extra = {
        "loss_weights": _listed(criterion.weights) if len(criterion.weights) > 1 else None,
        "steps_per_epoch": options.steps_per_epoch,
        "overfit_batches": options.overfit_batches,
        "max_time": options.max_time,
        "by_length": options.by_length or None,
        "augment": None if options.augment is None else repr(options.augment),
        "clip_norm": None if updates is None else updates.clip_norm,
        "clip_value": None if updates is None else updates.clip_value,
        "accumulate": None if updates is None or updates.batches == 1 else updates.batches,
        "validation_samples": None if held_out is None else held_out.count or None,
        "processes": ranks.size if ranks.size > 1 else None,
    }
    known |= {name: value for name, value in extra.items() if value is not None}
    return {name: _short(value) for name, value in known.items()}


def _listed(values: Any) -> str:
    return ", ".join(f"{each:g}" for each in values)


def _short(value: Any) -> Any:
    """Return a setting, a long text cut off."""
    long = isinstance(value, str) and len(value) > _LONGEST
    return f"{value[: _LONGEST - 1]}…" if long else value
