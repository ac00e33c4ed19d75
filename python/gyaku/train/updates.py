"""Updates of a training: the mean gradient of several batches, clipped, for the optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim import Optimizer
    from gyaku.train.samples import Samples
    from gyaku.train.trainee import Passes

__all__ = ["Updates", "check_accumulates", "updates_of"]


class Updates:
    """What happens to gradients between the backward pass and the optimizer.

    Parameters
    ----------
    batches : int
        Number of batches whose gradients an update takes together.
    clip_norm, clip_value : float or None
        Largest norm of all gradients together, or largest magnitude of each element.

    Attributes
    ----------
    state : list of ndarray
        If there are several batches, the sum of their gradients so far, and that of their weights.
    has_counts : bool
        Whether batches have weights that change from one to the next, of samples or real steps.
    """

    def __init__(
        self,
        batches: int = 1,
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
    ) -> None:
        self.batches, self.clip_norm, self.clip_value = batches, clip_norm, clip_value
        self.state: list[NDArray[Any]] = []
        self.has_counts = False
        self._slot = memory.zeros((1,), np.int64)

    def begin(self, grads: NDArray[Any], has_counts: bool = False) -> None:
        """Prepare for the gradients of a training.

        Parameters
        ----------
        grads : ndarray
            The flat gradients.
        has_counts : bool
            Whether batches have weights that change from one to the next.
        """
        self.has_counts, self.state = has_counts, []
        if self.batches > 1:
            self.state = [memory.zeros(grads.shape, grads.dtype), memory.zeros((1,), np.float64)]

    def add(
        self, grads: NDArray[Any], weight: int, count: NDArray[np.float64] | None = None
    ) -> None:
        """Add the gradients of a batch.

        Parameters
        ----------
        grads : ndarray
            Gradients of the loss of the batch.
        weight : int
            Number of its samples; 1 if the loss is a sum, or there is a count.
        count : ndarray of float64, of shape (1,), or None
            Its sum of weights, or number of real steps.
        """
        total, total_count = self.state
        ops.add_gradients(total, grads, weight=weight, count=count)
        if count is not None:
            ops.accumulate(count, total_count, self._slot, weight=1.0)

    def finish(self, grads: NDArray[Any], weight: int) -> None:
        """Write the gradient of the update.

        Parameters
        ----------
        grads : ndarray
            The gradients, of the last batch so far.
        weight : int
            Number of samples of all batches of the update; 1 if the loss is a sum, or there are
            counts.
        """
        if self.batches > 1:
            total, count = self.state
            known = count if self.has_counts else None
            ops.mean_gradients(grads, total, weight=weight, count=known)
            if self.has_counts:  # begin again: x - x = 0
                ops.accumulate(count, count, self._slot, weight=-1.0)
        self.limit(grads)

    def limit(self, grads: NDArray[Any]) -> None:
        """Limit gradients in norm or value.

        Parameters
        ----------
        grads : ndarray
            The gradients, which are overwritten.
        """
        if self.clip_value is not None:
            ops.clip_by_value(grads, limit=self.clip_value)
        if self.clip_norm is not None:
            ops.clip_by_norm(grads, norm=self.clip_norm)

    def ends(self, position: int, per_epoch: int) -> bool:
        """Return whether an update follows a batch.

        Parameters
        ----------
        position : int
            Index of the batch in its epoch.
        per_epoch : int
            Number of batches in an epoch.

        Returns
        -------
        bool
            Whether one does: after `batches` of them, and at the end of the epoch.
        """
        return (position + 1) % self.batches == 0 or position + 1 == per_epoch

    def before(self, step: int, per_epoch: int) -> int:
        """Return the number of updates before a step.

        Parameters
        ----------
        step : int
            Index of the step, that of its batch.
        per_epoch : int
            Number of batches in an epoch.

        Returns
        -------
        int
            The number.
        """
        epochs, position = divmod(step, per_epoch)
        return epochs * -(-per_epoch // self.batches) + position // self.batches


def updates_of(
    owner: str, learner: Optimizer, clip_norm: object, clip_value: object, accumulate: object
) -> Updates:
    """Return the updates from the arguments of `fit`.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    learner : Optimizer
        The optimizer.
    clip_norm, clip_value, accumulate : object
        See `Model.fit`.

    Returns
    -------
    Updates
        The updates.

    Raises
    ------
    ValueError
        If a value is out of range, both limits are given, or the optimizer's step is not one
        gradient and one update.
    TypeError
        If one is no number.
    """
    batches = whole(owner, "accumulate", accumulate)
    limits: dict[str, float] = {}
    for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
        if value is not None:
            limits[name] = number(owner, name, value, above=0)
    if len(limits) > 1:
        raise ValueError(f"{owner}: give clip_norm or clip_value, not both")
    if learner.acts_between and (limits or batches > 1):
        name = next(iter(limits), "accumulate")
        raise ValueError(
            f"{owner}: {name} needs an optimizer whose step is one gradient and one update, but"
            f" {type(learner).__name__} has a run_step of its own; use Adam, or leave {name} out"
        )
    return Updates(batches, **limits)


def check_accumulates(
    owner: str, outputs: Sequence[str], passes: Passes, samples: Samples, updates: Updates
) -> None:
    """Raise if batches that an update takes together have a divisor for each output.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    outputs : sequence of str
        Names of the outputs.
    passes : Passes
        The passes of the model.
    samples : Samples
        The data, or the first of them.
    updates : Updates
        The updates.

    Raises
    ------
    ValueError
        If outputs differ in weights or lengths, so that one gradient is the sum of parts with
        different divisors.
    """
    if updates.batches == 1 or len(outputs) == 1:
        return
    found = passes.lengths(samples.x, samples.lengths)
    lengths = [found.get(value) for value in passes.outputs]
    for of_each, kind in ((samples.weights, "weights"), (lengths, "lengths")):
        for name, each in zip(outputs[1:], of_each[1:], strict=False):
            first = of_each[0]
            if first is not each and not np.array_equal(first, each):  # type: ignore[arg-type]
                raise ValueError(
                    f"{owner}: accumulate divides the gradient of all batches by one sum of"
                    f" {kind}, but the outputs {outputs[0]} and {name} have different ones; leave"
                    " accumulate out, and take a larger batch_size"
                )
