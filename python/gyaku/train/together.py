"""The steps of a training by several processes, each with its part of every batch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.train.checkpoint import shapes_of
from gyaku.train.meters import count_of
from gyaku.train.ranks import agree
from gyaku.train.steps import Training

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim import Optimizer
    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.dataset import Given
    from gyaku.train.ranks import Ranks
    from gyaku.train.samples import Samples
    from gyaku.train.steps import Results
    from gyaku.train.trainee import Passes, Trainee

__all__ = ["TrainingTogether", "check_together", "mapped", "own_steps"]

_COMPARED = 1000  # elements of a sample


class TrainingTogether(Training):
    """Steps of a training by several processes, or in several blocks.

    Each block of a batch has a forward and a backward pass of its own; the update takes the sum of
    their gradients, each weighted by its share of the samples. The order of the samples is that of
    one process with the whole batch.

    Parameters
    ----------
    model, samples, criterion, optimizer, course : object
        Those of `Training`; the batch size is that of all processes together.
    ranks : Ranks
        The processes.
    """

    def __init__(
        self,
        model: Trainee,
        samples: Samples,
        criterion: Criterion,
        optimizer: Optimizer,
        course: Course,
        ranks: Ranks,
    ) -> None:
        super().__init__(model, samples, criterion, optimizer, course)
        self.ranks = ranks
        # The norm of the gradients needs all of them before any update.
        self._by_parts = optimizer.takes_parts and self.updates.clip_norm is None
        updated = [self.trained.flat_params, *optimizer.state.values()] if self._by_parts else []
        grads, buffers = self.trained.flat_grads, self.model.flat_buffers
        self.reduction = ranks.reduction(grads, buffers, updated)
        ranks.attach(self._instances)
        self._place_clock()
        self._share = 1.0  # of the block in the samples of the batch
        self._counts: list[NDArray[np.float64] | None] = []  # of the whole batch, by output
        self._totals: dict[str, Any] | None = None
        self._of_blocks: dict[tuple[int, int], list[Results]] = {}  # by the shape of the batch

    def _place_clock(self) -> None:
        """Let each block of a step draw its own random numbers, whichever process it is on."""
        self.model.clock[0] += self.ranks.shares(self.batch_size)[0][0]

    @property
    def _instances(self) -> Iterable[Any]:
        return self.model.passes(self.model.input_shapes or ()).instances

    def close(self) -> None:
        """Leave the model as one process would."""
        for layer in self._instances:
            vars(layer).pop("across", None)
        super().close()
        self.reduction.close()
        self.model.clock[0] -= self.ranks.shares(self.batch_size)[0][0]

    once = "the processes train together"

    @property
    def is_repeatable(self) -> bool:
        """Whether a process could repeat earlier steps by itself."""
        return False

    def _train(self, size: int, steps: int) -> None:
        for results in self._blocks(size, steps):
            self.meters.add(*results)
        if self._by_parts:
            self.optimizer.step(self.trained, self._parts(size))
            self.reduction.updated()
        else:
            self.reduction.finish()
            self._update(size)
        self._go_on(size)

    def _parts(self, samples: int) -> Iterator[slice]:
        """Yield the ranges of the parameters, each as soon as the sum of its gradients is there."""
        for part in self.reduction.parts():
            self.updates.finish(self.trained.flat_grads[part], self._weight(samples))
            yield part

    def _blocks(self, size: int, steps: int) -> list[Results]:
        """Run all blocks of this process; return the results of each."""
        shares, found = self.ranks.shares(size), []
        self._counts = self._counted(size, steps)
        self.reduction.begin()
        for block, self.offset, count in shares:
            self._share = count / self.ranks.of_all(size)
            if count:
                found.append(self._gradients(count, steps))
            else:  # the batch has fewer samples than blocks
                grads = self.trained.flat_grads
                memory.host(partial(grads.fill, 0), [], [grads])
                ops.advance(self.model.clock, 1)
            self.reduction.add(block)
        self.offset = 0
        return found

    def _go_on(self, size: int) -> None:
        ops.advance(self.cursor, size)
        others = self.ranks.blocks - len(self.ranks.shares(size))
        if others:
            ops.advance(self.model.clock, others)

    def _run_backward(
        self,
        dy: Sequence[NDArray[Any]],
        lengths: Sequence[Any],
        weights: Sequence[Any],
    ) -> None:
        if self.criterion.reduction == "mean":
            nothing = [None] * len(dy)
            given = zip(dy, self._counts, lengths or nothing, weights or nothing, strict=True)
            dy = [self._scaled(*each) for each in given]
        self.model.run_backward(dy, self.reduction.seen)

    def _scaled(
        self,
        dy: NDArray[Any],
        whole: NDArray[np.float64] | None,
        lengths: NDArray[np.int64] | None,
        weights: NDArray[np.float64] | None,
    ) -> NDArray[Any]:
        """Return the gradient of a block's mean loss times its share of the batch."""
        if whole is None:
            return dy if self._share == 1 else ops.rescale(dy, scale=self._share)
        own = count_of(dy, lengths, weights)
        assert own is not None
        scaled = memory.empty(dy.shape, dy.dtype)

        def call() -> None:
            np.multiply(dy, own / whole if whole else 0.0, out=scaled)

        memory.host(call, [dy, own, whole], [scaled])
        return scaled

    def _counted(self, size: int, steps: int) -> list[NDArray[np.float64] | None]:
        """Return the number of real steps, or the sum of the weights, in the whole batch."""
        model, outputs = self.model, self.model.output_shapes
        lengths: list[NDArray[np.int64] | None] = [None] * len(outputs)
        if any(each is not None for each in self.samples.lengths) or any(model.input_dtypes):
            passes = model.passes(model.input_shapes or ())
            known = passes.lengths(self.batch(size, steps)[0], self.input_lengths(size))
            lengths = [known.get(value) for value in passes.outputs]
        weights = self.weights(size, steps) or [None] * len(outputs)
        rows = [np.empty((size, steps or shape[0], *shape[1:]), np.void) for shape in outputs]
        return [count_of(*each) for each in zip(rows, lengths, weights, strict=True)]

    def _keep_gradients(self, size: int, steps: int) -> list[NDArray[Any]]:
        self._of_blocks[size, steps] = results = self._blocks(size, steps)
        self.reduction.finish()
        return [
            array for block in results for arrays in block for array in arrays if array is not None
        ]

    def _measure_results(self, size: int, steps: int) -> None:
        for results in self._of_blocks[size, steps]:
            self.meters.add(*results)
        self._go_on(size)

    def _loss(self, shape: tuple[int, int]) -> float:
        shares = [count for _, _, count in self.ranks.shares(shape[0]) if count]
        weights = self.criterion.weights
        total: float = 0.0
        for count, (losses, *_) in zip(shares, self._of_blocks[shape], strict=True):
            value = sum(float(loss) * w for loss, w in zip(losses, weights, strict=True))
            samples = self.ranks.of_all(shape[0])
            total += value * (count / samples if self.criterion.reduction == "mean" else 1)
        return float(self.ranks.sum(np.array([total]))[0])

    def advance(self, steps: int) -> None:
        """Run steps, the same number in all processes.

        Parameters
        ----------
        steps : int
            Number of steps.
        """
        super().advance(steps)
        self.ranks.check()
        self._totals = None

    def values(self, epochs: range) -> dict[str, NDArray[np.float64]]:
        """Return loss and metrics of finished epochs over the samples of all processes.

        Parameters
        ----------
        epochs : range
            The epochs.

        Returns
        -------
        dict of str to ndarray of float64
            Means of each epoch.
        """
        self.reduction.settle()
        slots = slice(epochs.start - self.first, epochs.stop - self.first)
        return self.meters.values(slots, self.ranks.of_all(self.count), ranks=self.ranks)

    def so_far(self) -> dict[str, float]:
        """Return loss and metrics of the present epoch over the samples of this process.

        Returns
        -------
        dict of str to float
            Means over the samples so far, without metrics that keep all outputs.
        """
        epoch, position = divmod(self.step, self.per_epoch)
        if position == 0:
            epoch, position = epoch - 1, self.per_epoch
        sizes = [self.batch_size] * min(position, self.full)
        sizes += [self.tail] * (position - len(sizes))
        own = {size: sum(count for _, _, count in self.ranks.shares(size)) for size in {*sizes}}
        seen = max(1, sum(own[size] for size in sizes))
        slot = epoch - self.first
        found = self.meters.values(slice(slot, slot + 1), seen, finished=False)
        return {name: float(value[0]) for name, value in found.items()}

    def merge(self, epoch: int) -> None:
        """Add up the sums of all processes, for the checkpoints of the first one.

        Parameters
        ----------
        epoch : int
            The first epoch that the history does not have.
        """
        own = super().sums(epoch)
        self._totals = self.meters.merged(self.ranks.gather(own))

    def sums(self, epoch: int) -> dict[str, list[Any]]:
        """Return the sums over all processes; see `Training.sums`.

        Parameters
        ----------
        epoch : int
            The first epoch that the history does not have.

        Returns
        -------
        dict of str to list
            The sums of each epoch.
        """
        return super().sums(epoch) if self._totals is None else self._totals

    def resume(self, epoch: int, sums: dict[str, list[Any]]) -> None:
        """Go on with the sums of an earlier training, which the first process keeps.

        Parameters
        ----------
        epoch, sums : object
            See `Training.resume`.
        """
        super().resume(epoch, sums if self.ranks.is_first else self.meters.none_of(sums))


def mapped(given: Given) -> Given:
    """Return data with memory maps as arrays, of which each process reads the rows of its samples.

    Parameters
    ----------
    given : Given
        The data.

    Returns
    -------
    Given
        The same data.
    """
    return given._replace(x=_mapped(given.x), y=_mapped(given.y))


def _mapped(given: Any) -> Any:
    if isinstance(given, tuple):
        return tuple(map(_mapped, given))
    if isinstance(given, dict):
        return {name: _mapped(each) for name, each in given.items()}
    return given.view(np.ndarray) if isinstance(given, np.memmap) else given


def check_together(
    ranks: Ranks,
    samples: Samples,
    criterion: Criterion,
    optimizer: Optimizer,
    course: Course,
    passes: Passes,
    **facts: object,
) -> None:
    """Raise if the processes cannot train together, or differ.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    samples, criterion, optimizer, course, passes : object
        What `Training` takes.
    **facts : object
        What else they must agree on.

    Raises
    ------
    ValueError
        If they cannot.
    """
    batches = course.updates.batches if course.updates else 1
    if batches > 1:
        raise ValueError(
            "fit: accumulate is for one process, whose batch does not fit its memory; with"
            f" distributed, choose a batch_size that is {batches} times as large"
        )
    if optimizer.acts_between and any(each is not None for each in samples.weights):
        raise ValueError(
            f"fit: {type(optimizer).__name__} takes no sample weights with distributed; leave them"
            " out, or use Adam"
        )
    tail = samples.count % course.batch_size
    if tail and tail < ranks.blocks and ranks.attaches:
        raise ValueError(
            f"fit: global_statistics needs a sample of each process in each step, but"
            f" {samples.count} samples in batches of {course.batch_size} leave {tail}; choose"
            " another batch_size"
        )
    if passes.stateful:
        raise ValueError(
            f"fit: {passes.stateful} carries states from batch to batch, of which each process has"
            " another part with distributed; set stateful=False"
        )
    if ranks.own_data:
        _check_own_data(samples, passes)
    own = {} if ranks.own_data else {"number_of_samples": samples.count}
    agree(
        "fit",
        ranks,
        **own,
        steps_of_an_epoch=course.steps_per_epoch,
        shapes_of_samples=[shapes_of(samples.x), shapes_of(samples.y)],
        columns_of_the_history=criterion.columns,
        loss=[*zip(criterion.losses, criterion.weights, strict=True)],
        optimizer=repr(optimizer),
        updates_before=int(optimizer.clock[0]) if optimizer.params.size else 0,
        limit_of_gradients=course.updates and (course.updates.clip_norm, course.updates.clip_value),
        **{f"layer_{place}": repr(layer) for place, layer in enumerate(passes.instances)},
        **facts,
    )
    if not ranks.own_data:
        _check_alike(ranks, samples)


def _check_alike(ranks: Ranks, samples: Samples) -> None:
    """Raise if the first or the last samples differ, as of processes that deal out data of one."""
    rows = [each[at].reshape(-1)[:_COMPARED] for each in samples.arrays for at in (0, -1)]
    values = np.concatenate(rows).astype(np.float64)
    first, *others = ranks.gather(values)
    for rank, found in enumerate(others, 1):
        if found.shape != first.shape or not np.allclose(found, first, rtol=1e-3, equal_nan=True):
            raise ValueError(
                f"fit: rank {rank} has other samples than rank 0; give all processes the same data,"
                " or each its own, with MPI(own_data=True)"
            )


def _check_own_data(samples: Samples, passes: Passes) -> None:
    """Raise if the means of the processes have not the same weight."""
    lengths = [each if each is None else each[:1] for each in samples.lengths]
    found = passes.lengths([each[:1] for each in samples.x], lengths)
    if any(each is not None for each in samples.weights) or found:
        raise ValueError(
            "fit: with own_data each process has the same weight in a step, which weights and"
            " lengths of samples would change; give all processes all data"
        )


def own_steps(ranks: Ranks, samples: int, batch_size: int) -> int:
    """Return the number of steps in an epoch of processes that have samples of their own.

    Parameters
    ----------
    ranks : Ranks
        The processes.
    samples, batch_size : int
        Number of samples of this process, and in its batches.

    Returns
    -------
    int
        Whole batches of the one that has the fewest.
    """
    return int(min(ranks.gather(max(1, samples // batch_size))))
