"""Updates of a training: the mean gradient of several batches, clipped, for the optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku import memory, ops
from gyaku.checks import number, whole

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim import Optimizer

__all__ = ["Updates", "updates_of"]


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
        The sum of the gradients so far, if there are several batches.
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

    def begin(self, grads: NDArray[Any]) -> None:
        """Prepare for the gradients of a training.

        Parameters
        ----------
        grads : ndarray
            The flat gradients.
        """
        self.state = [memory.zeros(grads.shape, grads.dtype)] if self.batches > 1 else []

    def add(self, grads: NDArray[Any], weight: int) -> None:
        """Add the gradients of a batch.

        Parameters
        ----------
        grads : ndarray
            Gradients of the loss of the batch.
        weight : int
            Number of its samples; 1 if the loss is a sum.
        """
        ops.add_gradients(self.state[0], grads, weight=weight)

    def finish(self, grads: NDArray[Any], weight: int) -> None:
        """Write the gradient of the update.

        Parameters
        ----------
        grads : ndarray
            The gradients, of the last batch so far.
        weight : int
            Number of samples of all batches of the update; 1 if the loss is a sum.
        """
        if self.batches > 1:
            ops.mean_gradients(grads, self.state[0], count=weight)
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
