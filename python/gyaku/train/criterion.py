"""Criterion of a training: a loss for each output, their weighted sum, and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.checks import each_of, number
from gyaku.losses import LOSSES
from gyaku.losses import loss as as_loss
from gyaku.metrics import Overall
from gyaku.metrics import metric as as_metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.train.trainee import Trainee

    Arrays = Sequence[NDArray[Any]]
    Lengths = Sequence[NDArray[np.int64] | None]
    Weights = Sequence[NDArray[np.float64] | None]

__all__ = ["Criterion", "criterion_of", "last_criterion", "metrics_of"]


class Criterion:
    """Losses of all outputs, their weights, and metrics.

    Parameters
    ----------
    losses : sequence of Loss
        One for each output.
    weights : sequence of float
        Factors of the losses in their sum.
    metrics : sequence of (str, int, Metric)
        Name in the history, index of the output, and the metric itself.
    names : sequence of str
        Names of the losses in the history, if there are several.

    Attributes
    ----------
    reduction : {"mean", "sum"}
        Whether the losses are means over a batch or sums.
    """

    def __init__(
        self,
        losses: Sequence[Loss],
        weights: Sequence[float],
        metrics: Sequence[tuple[str, int, Metric]],
        names: Sequence[str],
    ) -> None:
        self.losses = losses
        self.weights = weights
        self.metrics = metrics
        self.names = names
        self.reduction = losses[0].reduction

    @property
    def by_sample(self) -> bool:
        """Whether losses and metrics are known to be means or sums over the samples of a batch."""
        metrics = [each for _, _, each in self.metrics]
        is_overall = any(isinstance(each, Overall) for each in metrics)
        return not is_overall and all(each._builtin for each in (*self.losses, *metrics))

    @property
    def columns(self) -> str:
        """Names of losses and metrics in the history, in alphabetical order."""
        return ", ".join(sorted(["loss", *self.names, *(name for name, _, _ in self.metrics)]))

    def check_takes_weights(self, owner: str) -> None:
        """Raise if a loss or metric is a function without the argument `sample_weight`.

        Parameters
        ----------
        owner : str
            The function that was called, for the error.

        Raises
        ------
        TypeError
            If one is.
        """
        names = [f"the loss {loss!r}" for loss in self.losses if not loss.takes_weights]
        names += [f"the metric {name}" for name, _, each in self.metrics if not each.takes_weights]
        if names:
            raise TypeError(
                f"{owner}: samples have weights, but {names[0]} takes none; give its function the"
                " argument sample_weight"
            )

    def __call__(
        self, y: Arrays, t: Arrays, lengths: Lengths = (), weights: Weights = ()
    ) -> tuple[list[NDArray[np.float64]], Arrays]:
        """Return the loss of each output and the gradients of the weighted sum.

        Parameters
        ----------
        y, t : sequence of ndarray
            Outputs and targets.
        lengths : sequence of ndarray of int64 or None
            Lengths of the outputs that are padded sequences; () if none is.
        weights : sequence of ndarray of float64 or None
            Weights of samples or positions for each output; () if all are one.

        Returns
        -------
        values : list of ndarray of float64, of shape ()
            The losses.
        dy : sequence of ndarray
            The gradients with respect to the outputs.
        """
        values, gradients = [], []
        nothing = [None] * len(y)
        each = zip(
            *(self.losses, self.weights, y, t, lengths or nothing, weights or nothing), strict=True
        )
        for loss, weight, outputs, targets, known, of_samples in each:
            value, gradient = loss(outputs, targets, known, of_samples)
            values.append(value)
            gradients.append(gradient if weight == 1 else _scaled(gradient, weight))
        return values, gradients


def _scaled(gradient: NDArray[Any], weight: float) -> NDArray[Any]:
    scaled = memory.empty(gradient.shape, gradient.dtype)
    memory.host(lambda: np.multiply(gradient, weight, out=scaled), [gradient], [scaled])
    return scaled


def criterion_of(
    owner: str,
    outputs: Sequence[str],
    loss: Any,
    weights: Any,
    metrics: Any,
) -> Criterion:
    """Return the criterion from the arguments of `fit` or `evaluate`.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    outputs : sequence of str
        The names of the model's outputs.
    loss, weights, metrics : object
        See `Model.fit`.

    Returns
    -------
    Criterion
        The losses and metrics.

    Raises
    ------
    ValueError
        If there is no such loss or metric, or two columns of the history share a name.
    TypeError
        If something is of the wrong kind.
    """
    if loss is None:
        raise TypeError(_needed(owner))
    several = len(outputs) > 1
    if several and isinstance(loss, (tuple, list, dict)):
        losses = [as_loss(each) for each in each_of(owner, "loss", loss, outputs)]
    else:
        losses = [as_loss(loss)] * len(outputs)
    if any(each.reduction == "none" for each in losses):
        raise ValueError(
            f"{owner}: reduction='none' leaves a loss for each sample; give 'mean' or 'sum'"
        )
    if len({each.reduction for each in losses}) > 1:
        raise ValueError(f"{owner}: the losses must all be means or all be sums")
    factors = [1.0] * len(outputs)
    if weights is not None:
        given = each_of(owner, "loss_weights", weights, outputs) if several else ()
        if not several:
            raise ValueError(f"{owner}: loss_weights are for several outputs, the model has one")
        factors = [number(owner, "a weight in loss_weights", each) for each in given]
    found = []
    if isinstance(metrics, dict):
        for name in metrics:
            if name not in outputs:
                raise ValueError(
                    f"{owner}: metrics has the key {name!r}, the outputs are {', '.join(outputs)}"
                )
        of_each = [_listed(metrics.get(name, ())) for name in outputs]
    else:
        of_each = [_listed(metrics)] * len(outputs)
    for place, listed in enumerate(of_each):
        for each in listed:
            one = as_metric(each)
            found.append((f"{outputs[place]}_{one.name}" if several else one.name, place, one))
    losses_names = [f"{name}_loss" for name in outputs] if several else []
    names = ["loss", *losses_names, *(name for name, _, _ in found)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{owner}: two columns of the history would be named {name!r}")
    return Criterion(losses, factors, found, losses_names)


def _listed(given: Any) -> Iterable[Any]:
    one = isinstance(given, str) or callable(given) or not hasattr(given, "__iter__")
    return [given] if one else list(given)


def _needed(owner: str) -> str:
    return (
        f'{owner}: a loss is needed, as in loss="softmax_cross_entropy"; known are'
        f" {', '.join(sorted(LOSSES))}"
    )


def last_criterion(owner: str, model: Trainee, loss: Any, metrics: Any) -> Criterion:
    """Return the criterion from the given loss, by default from that of the last `fit`.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    model : Trainee
        The model.
    loss, metrics : object
        See `Model.evaluate`.

    Returns
    -------
    Criterion
        The losses and metrics.

    Raises
    ------
    ValueError
        If there was no `fit`, or no such loss or metric.
    TypeError
        If something is of the wrong kind.
    """
    weights = None
    if loss is None:
        if model.loss is None:
            raise ValueError(_needed(owner))
        loss, weights = model.loss, model.loss_weights
    return criterion_of(owner, model.output_names, loss, weights, metrics)


def metrics_of(given: Any) -> Any:
    """Return metrics as instances, in the form in which they were given.

    Parameters
    ----------
    given : str or Metric or callable or sequence or dict
        See `Model.fit`.

    Returns
    -------
    tuple of Metric or dict of str to tuple of Metric
        The metrics; a dict of those of each output if they were given as a dict.
    """
    if given is None:
        return ()
    if isinstance(given, dict):
        return {name: metrics_of(each) for name, each in given.items()}
    return tuple(as_metric(each) for each in _listed(given))
