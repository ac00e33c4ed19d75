"""Examination of a model with its data: all findings at one state of its training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.diagnosis.data import of_data, spread
from gyaku.diagnosis.diagnosis import LANGUAGES, Diagnosis
from gyaku.diagnosis.measure import measure
from gyaku.diagnosis.passes import of_pass
from gyaku.diagnosis.training import of_training
from gyaku.symbolic import label
from gyaku.train.advice import doubts, of_inputs, of_scales, of_targets
from gyaku.train.criterion import last_criterion
from gyaku.train.updates import Updates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gyaku.callbacks import Callback
    from gyaku.diagnosis.measure import Measures
    from gyaku.model import Model
    from gyaku.optim import Optimizer
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples

__all__ = ["Examination", "checked_language", "consequences"]

_OF_ALL = "unbalanced_labels"
"""The finding that the first samples cannot show."""

_UNITS = ("dead_units", "saturated_units")
_GRADIENTS = ("vanishing_gradients", "exploding_gradients")
_UPDATES = ("large_updates", "small_updates")
_SCALE = (*_UNITS, *_GRADIENTS, *_UPDATES)
# What follows from a finding, and needs no remedy of its own.
_CONSEQUENCES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("byte_inputs", "unscaled_inputs"), _SCALE),
    "unscaled_targets": _SCALE,
    "byte_targets": (*_SCALE, "unscaled_targets", "unreachable_targets"),
    **dict.fromkeys(_UNITS, (*_GRADIENTS, *_UPDATES)),
    "not_probabilities": ("loss_not_finite",),
    "exploding_gradients": ("vanishing_gradients", "large_updates"),
    "large_updates": _UNITS,
    "small_updates": ("rate_too_low",),
    "rate_too_high": (*_UNITS, "large_updates"),
}


def consequences(kind: str) -> tuple[str, ...]:
    """Return the kinds of findings that may follow from one.

    Parameters
    ----------
    kind : str
        The kind.

    Returns
    -------
    tuple of str
        Kinds that need no remedy of their own.
    """
    return _CONSEQUENCES.get(kind, ())


class Examination:
    """Examination of a model with its data, for any number of looks.

    Parameters
    ----------
    model : Model
        The model, built.
    samples : Samples
        The data set.
    criterion : Criterion
        The losses of the outputs.
    updates : Updates or None
        Limits of the gradients, by default none.

    Attributes
    ----------
    advice, data : list of Finding
        Findings that do not depend on the training: those that `fit` warns of, and others.
    measures : Measures
        Those of the last look.
    """

    measures: Measures

    def __init__(
        self,
        model: Model,
        samples: Samples,
        criterion: Criterion,
        updates: Updates | None = None,
    ) -> None:
        self.model, self.samples, self.criterion = model, samples, criterion
        self.updates = updates or Updates()
        passes = model.passes(())
        self.advice = [*doubts(passes, criterion, shuffle=False), *of_inputs(passes, samples.x)]
        self.advice += of_targets(passes, samples.x, samples.y)
        self.advice += of_scales(model.input_names, passes, samples)
        advised = {each.kind for each in self.advice}
        found = of_data(model, passes, samples, criterion)
        self.data = [each for each in found if each.kind not in advised]

    @classmethod
    def during(cls, owner: str, callback: Callback) -> Examination:
        """Return the examination of the training of a callback.

        Parameters
        ----------
        owner : str
            The callback, for errors.
        callback : Callback
            A callback in training.

        Returns
        -------
        Examination
            The examination. Of data that are not in memory, it sees the first samples read, which
            say nothing on the balance of labels.
        """
        criterion = last_criterion(owner, callback.model, None, ())
        steps = callback.training.training
        samples = steps.samples if callback.samples is None else callback.samples
        found = cls(callback.model, samples, criterion, steps.updates)
        if callback.samples is None:  # files are often sorted by class
            found.data = [each for each in found.data if each.kind != _OF_ALL]
        return found

    def look(
        self, optimizer: Optimizer | None, columns: Mapping[str, Sequence[float]], lang: str
    ) -> Diagnosis:
        """Return the findings at the present state.

        Parameters
        ----------
        optimizer : Optimizer or None
            The optimizer.
        columns : mapping of str to sequence of float
            Loss and metrics of the epochs so far.
        lang : {"en", "ja"}
            The language.

        Returns
        -------
        Diagnosis
            The findings but those that follow from others.
        """
        self.measures = measures = measure(
            self.model, self.samples, self.criterion, optimizer, self.updates
        )
        found = [*self.advice, *self.data, *of_pass(measures, self.criterion)]
        if measures.bad is None:
            found += of_training(columns, measures)
        hidden = {kind for each in found for kind in consequences(each.kind)}
        causes = [each for each in found if each.kind not in hidden]
        return Diagnosis(label(self.model), len(spread(self.samples)), causes, lang)


def checked_language(owner: str, lang: str) -> str:
    """Return a language, or raise if it is unknown.

    Parameters
    ----------
    owner : str
        The function or class, for the error.
    lang : {"en", "ja"}
        The language.

    Returns
    -------
    str
        The language.

    Raises
    ------
    ValueError
        If it is unknown.
    """
    if lang not in LANGUAGES:
        raise ValueError(f"{owner}: lang must be 'en' or 'ja', got {lang!r}")
    return lang
