"""Evaluation: loss and metrics of a model on a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import truth, whole
from gyaku.precision import checked_precision
from gyaku.train.advice import advise, of_new_inputs
from gyaku.train.criterion import last_criterion
from gyaku.train.dataset import Given
from gyaku.train.recognition import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.precision import Precision
    from gyaku.train.trainee import Trainee

__all__ = ["evaluate"]


def evaluate(
    self: Trainee,
    x: object,
    y: object = None,
    *,
    lengths: object = None,
    sample_weight: object = None,
    loss: str | Loss | Callable[..., Any] | None = None,
    metrics: str | Metric | Iterable[Any] | None = None,
    batch_size: int = 512,
    by_length: bool = False,
    precision: Precision = "float32",
) -> dict[str, float]:
    """Measure loss and metrics.

    Parameters
    ----------
    x, y, lengths : array_like
        Inputs, targets and lengths of padded sequences, as in `fit`; or arrays on disk, or an
        iterable of batches alone.
    sample_weight : array_like, optional
        Weights of the samples, as in `fit`.
    loss : str or Loss or callable, optional
        The loss; by default that of `fit`.
    metrics : sequence of str or Metric or callable, optional
        The metrics; by default those of `fit`.
    batch_size : int
        Samples per batch.
    by_length : bool
        Whether to sort sequences by length and to cut each batch behind its longest one, as in
        `fit`.
    precision : {"float32", "bfloat16"}
        Precision of the operands of products, as in `fit`.

    Returns
    -------
    dict of str to float
        "loss" and each metric.

    Raises
    ------
    ValueError
        If data or arguments are invalid.
    TypeError
        If one of them is of the wrong kind.
    """
    size = whole("evaluate", "batch_size", batch_size)
    by_length = truth("evaluate", "by_length", by_length)
    precision = checked_precision("evaluate", precision, self.dtype)
    criterion = last_criterion("evaluate", self, loss, self.metrics if metrics is None else metrics)
    data = source_of("evaluate", self, Given(x, y, lengths, sample_weight))
    data.refuse(
        by_length=by_length,
        batch_size=batch_size != 512,
        sample_weight=sample_weight is not None,
    )
    passes = data.validate(self, criterion, size)
    advise("evaluate", of_new_inputs(self, passes, data.samples.x))
    evaluation = data.evaluation(size, by_length)
    evaluation.precision = precision
    self.adopt(passes)
    return evaluation.run()
