"""Findings on one pass: outputs, units and gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.findings import Finding
from gyaku.losses import BinaryCrossEntropy, CrossEntropy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gyaku.diagnosis.measure import Measures, Weights
    from gyaku.losses import Loss
    from gyaku.train.criterion import Criterion

__all__ = ["of_pass"]

# "As much as 40 % of a network can be dead if the learning rate is too high": A. Karpathy, notes
# of the course CS231n, Neural networks 1. In the worst of many layers, 40 % may be chance.
_DEAD = 0.5
# Most outputs have hardly any slope, so that most of the gradient is lost in this layer alone;
# figure 2 of X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward
# neural networks (2010), shows such a layer.
_SATURATED = 0.5
# A layer that needs ten thousand times as many steps as another does not learn.
_VANISHING = 1e-4
# A step at the usual rate of 0.01 would change the weights by as much as they are.
_EXPLODING = 100
# Sums of float32 may leave a probability outside 0 to 1 by some roundings.
_ROUNDING = 1e-5

_ENDINGS: dict[type[Loss], dict[str, str]] = {
    CrossEntropy: {"ending": "Softmax", "instead": "SoftmaxCrossEntropy"},
    BinaryCrossEntropy: {"ending": "Sigmoid", "instead": "SigmoidCrossEntropy"},
}


def of_pass(measures: Measures, criterion: Criterion) -> Iterator[Finding]:
    """Yield findings on a pass.

    Parameters
    ----------
    measures : Measures
        The measures of the pass.
    criterion : Criterion
        The losses of the outputs.

    Yields
    ------
    Finding
        The findings, for each kind the worst layer.
    """
    yield from _of_outputs(measures, criterion)
    if measures.bad is None:
        yield from _of_units(measures)
        yield from _of_gradients([each for each in measures.weights if each.size])
    elif measures.bad:
        yield Finding("not_finite", measures.bad)
    else:
        yield Finding("loss_not_finite")


def _of_outputs(measures: Measures, criterion: Criterion) -> Iterator[Finding]:
    for y, loss in zip(measures.outputs, criterion.losses, strict=True):
        words = [words for kind, words in _ENDINGS.items() if isinstance(loss, kind)]
        low, high = float(y.min()), float(y.max())
        if words and (low < -_ROUNDING or high > 1 + _ROUNDING):
            value = low if low < -_ROUNDING else high
            facts = {"loss": type(loss).__name__, **words[0]}
            yield Finding("not_probabilities", value=value, facts=facts)


def _of_units(measures: Measures) -> Iterator[Finding]:
    if not measures.activities:
        return
    worst = max(measures.activities, key=lambda each: each.dead / each.units)
    if (fraction := worst.dead / worst.units) > _DEAD:
        facts = {"dead": worst.dead, "units": worst.units, "samples": measures.samples}
        yield Finding("dead_units", worst.layer, fraction, facts)
    worst = max(measures.activities, key=lambda each: each.saturated)
    if worst.saturated > _SATURATED:
        yield Finding("saturated_units", worst.layer, worst.saturated, {"op": worst.op})


def _of_gradients(weights: list[Weights]) -> Iterator[Finding]:
    if not weights:
        return
    relative = {each.layer: each.gradient / each.size for each in weights}
    largest = max(relative, key=relative.__getitem__)
    if not relative[largest] < _EXPLODING:
        yield Finding("exploding_gradients", largest, relative[largest])
    smallest = min(relative, key=relative.__getitem__)
    if relative[smallest] < _VANISHING * relative[largest]:
        value = relative[smallest] / relative[largest]
        yield Finding("vanishing_gradients", smallest, value, {"largest": largest})
