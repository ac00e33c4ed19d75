"""Batches that an iterable yields: a generator, a function that makes one, a data loader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from operator import length_hint
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku.train.dataset import Given
from gyaku.train.read_ahead import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.course import Course
    from gyaku.train.samples import Samples

__all__ = ["Batches", "yields_batches"]

_ARRAYS = ("shape", "dtype", "__array__", "toarray", "columns")
_END = object()


def yields_batches(given: object) -> bool:
    """Return whether something is an iterable of batches, or a function that makes one.

    Parameters
    ----------
    given : object
        Anything; lists, tuples, dicts, tables and arrays are data themselves.

    Returns
    -------
    bool
        Whether it is.
    """
    if isinstance(given, (np.ndarray, Sequence, AbstractSet, Mapping, type)):
        return False
    if any(hasattr(given, name) for name in _ARRAYS):
        return False
    return hasattr(given, "__iter__") or callable(given)


class Batch:
    """A batch of an iterable, as a chunk of the reader.

    Parameters
    ----------
    samples : Samples
        The validated arrays.
    """

    batches = 1

    def __init__(self, samples: Samples) -> None:
        self.like, self.size = samples, samples.count
        rows = samples.rows
        if rows is not None:  # without those of weight zero
            self.like = samples.each(lambda each: each[rows])

    def write(self, to: Samples, order: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        """Write the samples in their order; see `Chunk`.

        Parameters
        ----------
        to, order, rows : object
            See there; the samples have no numbers.
        """
        order[:] = np.arange(self.size)
        for array, each in zip(to.arrays, self.like.arrays, strict=True):
            array[...] = each


class Batches(ReadAhead):
    """Batches of an iterable, epoch by epoch, each of them validated.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    given : object
        The iterable, or a function that makes one.
    inputs, outputs : tuple of str
        Names of the model's inputs and outputs; without outputs, no targets are needed.
    steps : int, optional
        Number of batches in an epoch; by default it ends with the iterable.
    part : str
        Prefix of the argument's name, for errors.

    Attributes
    ----------
    once : bool
        Whether it is an iterator, which can be passed over once.
    """

    is_repeatable = False
    count = None
    kind = "an iterable"
    refused: ClassVar = {
        "batch_size": "its batches are taken as they are",
        "by_length": "its batches are taken as they are",
        "augment": "it may augment its batches itself",
        "validation_split": "give validation_data",
        "sample_weight": "its batches hold their own, (x, y, sample_weight)",
        "class_weight": "its batches hold their own weights, (x, y, sample_weight)",
        "distributed": "give arrays in memory, or memory maps; or each process an iterable of its"
        " own, with MPI(own_data=True)",
        "overfit_batches": "give some batches as a list of arrays, or a function that yields them",
    }

    def __init__(
        self,
        owner: str,
        given: Any,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        *,
        steps: int | None = None,
        part: str = "",
    ) -> None:
        super().__init__(owner, part)
        self._given, self.inputs, self.outputs = given, inputs, outputs
        self.name = "x" if not part else "validation_data"
        self.once = hasattr(given, "__next__")
        self.steps, self.expected = steps, steps or length_hint(given, 0) or None
        self._iterator: Iterator[Any] | None = None
        self._next_epoch = 0

    def check_passes(self, passes: int) -> None:
        """Raise if an iterator would have to be passed over again; see `Source`."""
        if self.once and self.steps is None and passes > 1:
            hint = "" if self.part else ", or steps_per_epoch if it has no end"
            raise ValueError(
                f"{self.owner}: {self.name} is an iterator, which is passed over once, but"
                f" {passes} passes are needed; give a function that makes one{hint}"
            )

    def first(self, size: int) -> Given:
        """Return the first batch, which the first epoch yields again; see `Source`."""
        self._iterator = self._pass()
        batch = self._next(self._iterator, self.batch_of(0, 0))
        if batch is _END:
            raise ValueError(f"{self.owner}: {self.name} yields no batch")
        self._iterator = chain([batch], self._iterator)
        return self._parts(self.batch_of(0, 0), batch)

    def size(self, given: int | None) -> int:
        """Return the number of samples in the first batch; see `Source`."""
        return self.samples.count

    def steps_of(self, size: int, given: int | None) -> int | None:
        """Return the number of batches in an epoch; see `Source`."""
        return given

    def begin(self, course: Course) -> None:
        """Begin a training or an evaluation; see `ReadAhead`."""
        if self._knows_epochs and course.initial_epoch:
            self._iterator = None
        self._next_epoch = course.initial_epoch

    def epoch(self, index: int, position: int = 0) -> Iterator[Batch]:
        """Return the batches of an epoch; see `ReadAhead`.

        Parameters
        ----------
        index : int
            Index of the epoch. Earlier ones that were not read, since the training goes on, are
            read first.
        position : int
            Number of batches that are used already: they are read, and left out.

        Returns
        -------
        iterator of Batch
            The batches.
        """
        if self._knows_epochs and index != self._next_epoch:
            self._iterator, self._next_epoch = None, index
        if self._iterator is None:
            self._iterator = self._pass()
        return self._run(index, position)

    def leave(self) -> None:
        """Leave the rest of a pass out; see `ReadAhead`."""
        if self.steps is None:
            self._iterator = None

    @property
    def _knows_epochs(self) -> bool:
        """Whether any epoch can be asked for, as of data whose order depends on its index."""
        return self.steps is None and hasattr(self._given, "set_epoch")

    def _run(self, index: int, position: int) -> Iterator[Batch]:
        while self._next_epoch < index:
            for _ in self._batches(self._next_epoch):
                pass
            self._next_epoch += 1
        self._next_epoch = index + 1
        count = 0
        for count, batch in enumerate(self._batches(index), 1):
            if count > position:
                owner = self.batch_of(index, count - 1)
                samples = self.check(owner, self._parts(owner, batch))
                self.check.check_size(owner, samples.count)
                yield Batch(samples)
        if count < position:
            raise ValueError(
                f"{self.owner}: {position} batches of epoch {index + 1} were trained on before, but"
                f" {self.name} yields {count} now; resume with the same data"
            )

    def _batches(self, epoch: int) -> Iterator[Any]:
        """Yield the batches of an epoch, as the iterable yields them."""
        count, fresh = 0, False
        if self._iterator is None:
            self._iterator = self._pass()
        while self.steps is None or count < self.steps:
            owner = self.batch_of(epoch, count)
            batch = self._next(self._iterator, owner)
            if batch is _END:
                if self.steps is None and count:
                    break
                self._check_goes_on(owner, fresh)
                self._iterator, fresh = self._pass(), True
                continue
            yield batch
            count, fresh = count + 1, False
        if self.steps is None:
            self._iterator = None

    def _check_goes_on(self, owner: str, fresh: bool) -> None:
        """Raise if there is no further batch: an iterator has ended, or a new one has none."""
        if self.once:
            raise ValueError(
                f"{owner} is missing, {self.name} has ended; an iterator is passed over once, give"
                " a function that makes one"
            )
        if fresh or self.steps is None:
            raise ValueError(
                f"{owner} is missing, {self.name} yields none in a further pass; a function must"
                " make a new iterator each time"
            )

    def _pass(self) -> Iterator[Any]:
        """Begin a pass over the iterable."""
        if self._knows_epochs:
            self._given.set_epoch(self._next_epoch)
        made = self._given if hasattr(self._given, "__iter__") else self._given()
        if not hasattr(made, "__iter__"):
            raise TypeError(
                f"{self.owner}: {self.name} is a function, which must return an iterator of"
                f" batches, got {type(made).__name__}"
            )
        return iter(made)

    def _next(self, iterator: Iterator[Any], owner: str) -> Any:
        """Return the next batch, or the end; an error gets the batch's number."""
        try:
            return next(iterator, _END)
        except Exception as error:
            error.add_note(f"{owner} is where {self.name} raised this")
            raise

    def _parts(self, owner: str, batch: object) -> Given:
        """Return inputs, targets, lengths and weights of a batch."""
        if not self.outputs:
            return self._inputs(batch)
        if isinstance(batch, Mapping):
            return self._of_mapping(owner, batch)
        if isinstance(batch, (tuple, list)) and len(batch) in (2, 3, 4):
            x, y, *more = batch
            if hasattr(x, "shape") and isinstance(y, (int, float, np.generic)):
                raise ValueError(
                    f"{owner} is a single sample, x of shape {x.shape} and y={y}; put samples into"
                    " batches, as a DataLoader with a batch_size does"
                )
            lengths, weights = more if len(more) == 2 else (None, more[0] if more else None)
            return Given(x, y, lengths, weights)
        kind = type(batch).__name__
        if isinstance(batch, (tuple, list)):
            kind += f" of {len(batch)}"
        raise TypeError(
            f"{owner} must be (x, y), (x, y, sample_weight), (x, y, lengths, sample_weight) or a"
            f" dict, got {kind}"
        )

    def _inputs(self, batch: object) -> Given:
        """Return the inputs of a batch, which may be all of it, and the lengths."""
        if isinstance(batch, Mapping):
            if "x" in batch and "x" not in self.inputs:
                return Given(batch["x"], lengths=batch.get("lengths"))
            x = {name: batch[name] for name in self.inputs if name in batch}
            return Given(x)
        several = len(self.inputs) > 1
        if isinstance(batch, (tuple, list)) and len(batch) in (1, 2, 3, 4):
            one = batch[0]
            is_whole = isinstance(one, (tuple, list, Mapping)) if several else hasattr(one, "shape")
            if is_whole:
                return Given(one, lengths=batch[2] if len(batch) == 4 else None)
        return Given(batch)

    def _of_mapping(self, owner: str, batch: Mapping[Any, object]) -> Given:
        keys, known = set(batch), {*self.inputs, *self.outputs}
        if {"x", "y"} <= keys <= {"x", "y", "lengths", "sample_weight"}:
            extras = batch.get("lengths"), batch.get("sample_weight")
            return Given(batch["x"], batch["y"], *extras)
        if keys != known:
            raise ValueError(
                f"{owner} must have the keys x and y, or the names of the model's inputs and"
                f" outputs, {', '.join(sorted(known))}; got {', '.join(map(str, batch))}"
            )
        x, y = ({name: batch[name] for name in names} for names in (self.inputs, self.outputs))
        return Given(x, y)
