"""Findings on the course of a training: learning rate and over-fitting."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gyaku.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gyaku.diagnosis.measure import Measures

__all__ = ["of_training"]

# "This ratio should be somewhere around 1e-3": A. Karpathy, notes of the course CS231n, Neural
# networks 3. Half of the weights and a hundredth of it are beyond what optimizers make of it; a
# tenth of it is too little if the loss confirms it.
_LARGE_UPDATE = 0.5
_SMALL_UPDATE = 1e-5
_SLOW_UPDATE = 1e-4
# Fewer epochs show no course.
_EPOCHS = 4
# A rise of the loss beyond the noise of mini-batches, and its least level as a fraction of the
# first epoch's: below it the model has learnt, and the relative noise grows.
_RISE, _LEVEL = 1.05, 0.5
# Fraction of the epochs that may rise.
_RISES = 0.25
# A training that has learnt gained more than a tenth of its loss.
_GAIN = 0.1
# Generalisation loss of L. Prechelt, Early stopping - but when? (1998), who stops at 1 to 5 %; a
# doctor may be less strict than a stopping rule. The least of the last epochs is no outlier, and a
# twentieth of what was gained is no noise near zero.
_OVER_FITTING, _LAST, _LOST = 0.2, 3, 0.05


def of_training(columns: Mapping[str, Sequence[float]], measures: Measures) -> Iterator[Finding]:
    """Yield findings on a training.

    Parameters
    ----------
    columns : mapping of str to sequence of float
        Loss and metrics of the epochs, as in a `History`; empty without one.
    measures : Measures
        The measures of the present state.

    Yields
    ------
    Finding
        The findings.
    """
    losses = np.array(columns.get("loss", ()))
    known = len(losses) >= _EPOCHS and bool((losses > 0).all())
    if known:
        yield from _of_rises(losses)
        yield from _of_validation(losses, np.array(columns.get("val_loss", ())))
    updates = measures.updates
    if not updates:
        return
    largest, layer = max(updates)
    if largest > _LARGE_UPDATE:
        yield Finding("large_updates", layer, largest, {"rate": measures.rate})
    if measures.constant:
        gain = float(1 - losses[-1] / losses[0]) if known else 0.0
        if known and gain < _GAIN and largest < _SLOW_UPDATE and (np.diff(losses) < 0).all():
            facts = {"epochs": len(losses), "update": largest}
            yield Finding("rate_too_low", value=gain, facts=facts)
        elif largest < _SMALL_UPDATE and not measures.begun:
            yield Finding("small_updates", value=largest, facts={"rate": measures.rate})


def _of_rises(losses: np.ndarray) -> Iterator[Finding]:
    level = _LEVEL * losses[0]
    rises = sum(b > _RISE * a and b > level for a, b in pairwise(losses))
    if rises > _RISES * (len(losses) - 1) or losses[-1] > _RISE * losses[0]:
        facts = {"epochs": len(losses), "loss": float(losses[-1])}
        yield Finding("rate_too_high", value=float(rises), facts=facts)


def _of_validation(losses: np.ndarray, validated: np.ndarray) -> Iterator[Finding]:
    epochs = np.flatnonzero(np.isfinite(validated))
    if len(epochs) < _EPOCHS or not (validated[epochs] > 0).all():
        return
    best = epochs[np.argmin(validated[epochs])]
    last = epochs[-_LAST:]
    excess = float(validated[last].min() - validated[best])
    lost = excess > _LOST * (validated[epochs[0]] - validated[best])
    relative = excess / float(validated[best])
    if relative > _OVER_FITTING and lost and losses[last].mean() < losses[best]:
        yield Finding("over_fitting", value=relative, facts={"epoch": int(best) + 1})
