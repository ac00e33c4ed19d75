"""Arrays on disk, such as memory maps: the rows of the next batches, read in the order of the file.

Only the batches that are in use or come next are in memory. Their order, and with it every result,
is that of the same arrays in memory.
"""

from __future__ import annotations

import copy
import math
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import ops
from gyaku.train.by_length import ByLength
from gyaku.train.conversion import real
from gyaku.train.dataset import Given, checked_lengths
from gyaku.train.read_ahead import ReadAhead
from gyaku.train.samples import Samples, same_memory, targets
from gyaku.train.weights import by_class, weighted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Self

    from numpy.typing import NDArray

    from gyaku.train.course import Course
    from gyaku.train.criterion import Criterion
    from gyaku.train.trainee import Passes, Trainee

    Rows = NDArray[np.int64]

__all__ = ["OnDisk", "is_on_disk"]

_BYTES, _BATCHES = 1 << 20, 64
"""Size and number of the batches that are read together, unless one is larger."""


def is_on_disk(given: object) -> bool:
    """Return whether something is an array whose rows are to be read when they are needed.

    Parameters
    ----------
    given : object
        Anything.

    Returns
    -------
    bool
        Whether it is a memory map, or an object with `shape`, `dtype` and ``__getitem__`` that
        has chunks, as those of h5py and zarr, or is no array at all.
    """
    if isinstance(given, np.ndarray):
        return isinstance(given, np.memmap)
    if isinstance(given, type) or not all(
        hasattr(given, name) for name in ("shape", "dtype", "__getitem__")
    ):
        return False
    return hasattr(given, "chunks") or not hasattr(given, "__array__")


class Rowwise:
    """An array of which some rows are read at a time.

    Parameters
    ----------
    array : object
        The array, on disk or in memory.

    Attributes
    ----------
    in_memory : ndarray or None
        The array if it is in memory.
    given : object
        The array, on disk or in memory.
    """

    __slots__ = ("_array", "given", "in_memory", "shape")

    def __init__(self, array: Any) -> None:
        self.given = array
        is_array = isinstance(array, np.ndarray) and not isinstance(array, np.memmap)
        self.in_memory: NDArray[Any] | None = array if is_array else None
        self._array: Any = np.asarray(array) if isinstance(array, np.ndarray) else array
        self.shape = tuple(array.shape)

    def __len__(self) -> int:
        return int(self.shape[0]) if self.shape else 0

    def take(self, rows: Rows, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Read rows.

        Parameters
        ----------
        rows : ndarray of int64
            Indices, in ascending order, each once.
        out : ndarray, optional
            Array for them, which may be used if it has their dtype and shape.

        Returns
        -------
        ndarray
            The rows.
        """
        first, count = int(rows[0]), len(rows)
        if int(rows[-1]) - first == count - 1:
            return np.asarray(self._array[first : first + count])
        if not isinstance(self._array, np.ndarray):
            return np.asarray(self._array[rows])
        if out is not None and (out.dtype, out.shape[1:]) != (self._array.dtype, self.shape[1:]):
            out = None
        # Other modes of `take` would copy through another buffer.
        return np.take(self._array, rows, axis=0, out=out, mode="clip")


class OnDisk(ReadAhead):
    """Inputs and targets of which some are on disk, in batches.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    x, y : sequence of array_like
        Inputs and targets.
    lengths : sequence of array_like or None
        Lengths of the inputs that are padded sequences.
    weights : object
        Weights of samples or positions, which are held in memory.
    names : pair of tuple of str
        Names of the model's inputs and outputs.
    part : str
        Prefix of the arguments' names, for errors.

    Attributes
    ----------
    batch_size, epoch_count : int
        Samples per batch and per epoch; set by `begin`.
    index : Samples
        What is in memory: number, lengths and weights of the samples, and their classes; all else
        is a view of the first sample.
    """

    kind = "arrays on disk"
    refused: ClassVar = {
        "distributed": "give memory maps, of which each process reads its part",
    }

    def __init__(
        self,
        owner: str,
        x: Sequence[Any],
        y: Sequence[Any],
        lengths: Sequence[Any] | None,
        weights: object,
        *,
        names: tuple[tuple[str, ...], tuple[str, ...]],
        part: str = "",
    ) -> None:
        super().__init__(owner, part)
        self.names, self._weights = names, weights
        self._x = [self._rowwise("x", each) for each in x]
        self._y = [self._rowwise("y", each) for each in y]
        self._lengths = None
        if lengths is not None:
            self._lengths = [each if each is None else np.asarray(each[:]) for each in lengths]
        # The input that a target of an autoencoder is.
        self._same = [
            next((at for at, x in enumerate(self._x) if _is_same(x.given, y.given)), None)
            for y in self._y
        ]
        count = len(self._x[0])
        for each in (*self._x, *self._y, *(self._lengths or ())):
            if each is not None and len(each) != count:
                raise ValueError(
                    f"{owner}: {part}x has {count} samples, but another array {len(each)}"
                )
        if not count:
            raise ValueError(f"{owner}: {part}x is empty, its shape is {self._x[0].shape}")
        self.index = Samples([np.empty((count, 0))], [])  # until they are validated

    def _rowwise(self, name: str, array: Any) -> Rowwise:
        """Return an array by rows; one with a number a sample is read at once."""
        if not is_on_disk(array):
            array = real(self.owner, self.part + name, array)
        elif math.prod(array.shape[1:]) == 1:
            array = real(self.owner, self.part + name, np.array(array[:]))
        return Rowwise(array)

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.index.count

    def first(self, size: int) -> Given:
        """Return the first rows, which the first batch may not have; see `Source`."""
        return self.read(np.arange(min(size, self.count)))

    def read(self, rows: Rows, to: Samples | None = None) -> Given:
        """Read rows.

        Parameters
        ----------
        rows : ndarray of int64
            Indices, in ascending order, each once.
        to : Samples, optional
            Arrays that may be used.

        Returns
        -------
        Given
            The rows, in the form of the arguments of `fit`, without weights.
        """
        outs = iter(() if to is None else to.arrays)
        x = [each.take(rows, next(outs, None)) for each in self._x]
        y = []
        for each, same in zip(self._y, self._same, strict=True):
            out = next(outs, None)
            y.append(each.take(rows, out) if same is None else x[same])
        lengths = self._lengths
        if lengths is not None:
            lengths = [each if each is None else each[rows] for each in lengths]
        return Given(_form(x), _form(y), lengths and _form(lengths))

    def validate(
        self,
        model: Trainee,
        criterion: Criterion | None,
        size: int = 1,
        passes: Passes | None = None,
    ) -> Passes:
        """Validate the first samples, and what is in memory; see `Source`."""
        found = super().validate(model, criterion, size, passes)
        self.index = self._indexed()
        self.samples = self._with_weights(self.samples, np.arange(self.samples.count))
        return found

    def _indexed(self) -> Samples:
        """Return all samples, with a view of the first one in place of what is on disk."""
        first, passes, part = self.samples, self.passes, self.part
        whole = [np.broadcast_to(x[:1], (self.count, *x.shape[1:])) for x in first.x]
        lengths = self._lengths and _form(self._lengths)
        known = checked_lengths(self.owner, self.model, passes, lengths, whole, part)
        if self.criterion is None:
            return Samples(whole, [], lengths=known)
        self._check_targets(whole, known)
        y = [
            np.broadcast_to(like[:1], (self.count, *like.shape[1:]))
            if each.in_memory is None
            else each.in_memory
            for each, like in zip(self._y, first.y, strict=True)
        ]
        index = Samples(whole, y, lengths=known)
        outputs = self.model.output_names
        return weighted(self.owner, index, self._weights, outputs, passes, self.criterion, part)

    def _check_targets(self, x: list[NDArray[Any]], lengths: Any) -> None:
        """Validate the targets in memory, before anything is trained."""
        assert self.criterion is not None
        passes = self.passes
        finds = passes.lengths(self.samples.x)  # those that depend on data on disk
        known = {} if finds else passes.lengths(x, lengths)
        shapes = passes.output_shapes_of(x[0].shape[1:])
        each = zip(self._y, shapes, self.criterion.losses, self.names[1], strict=True)
        for place, (y, shape, loss, name) in enumerate(each):
            if y.in_memory is None or (finds and math.prod(y.shape[1:]) > 1):
                continue
            name = f"{self.part}y" + (f"[{name!r}]" if len(self._y) > 1 else "")
            of_output = known.get(passes.outputs[place])
            dtype = self.model.dtype
            found = targets(self.owner, name, y.in_memory, x[0], shape, loss, dtype, of_output)
            self._y[place] = Rowwise(found)

    def _with_weights(self, samples: Samples, rows: Rows) -> Samples:
        """Return validated rows with their weights."""
        weights = [each if each is None else each[rows] for each in self.index.weights]
        return Samples(samples.x, samples.y, lengths=samples.lengths, weights=weights)

    def _of(self, index: Samples) -> Self:
        found = copy.copy(self)
        found.index = index
        found.samples = found._with_weights(self.samples, np.arange(self.samples.count))
        return found

    def split(self, fraction: float, seed: int, shuffle: bool) -> tuple[Self, Self]:
        """Split the samples; see `Source`."""
        training, validation = self.index.split(fraction, seed, shuffle)
        return self._of(training), self._of(validation)

    def by_class(self, weights: str | Mapping[Any, Any]) -> Self:
        """Return samples with weights of classes; see `Source`."""
        assert self.criterion is not None
        if any(each.in_memory is None for each in self._y):
            raise ValueError(
                f"{self.owner}: class_weight needs all targets in memory, but y is on disk; give"
                " np.asarray(y), or sample_weight"
            )
        outputs = self.model.output_names
        return self._of(
            by_class(self.owner, self.index, weights, outputs, self.passes, self.criterion)
        )

    def chosen(self, count: int, seed: int | None) -> Self:
        """Return some of the samples; see `Source`."""
        return self._of(self.index.chosen(count, seed))

    def by_length(self) -> ByLength:
        """Return the batches of similar lengths; see `Source`."""
        passes, found = self.passes, self.passes.lengths(self.index.x, self.index.lengths)
        if passes.lengths(self.samples.x):  # which a layer finds in the data
            found = self._lengths_read()
        return ByLength(self.owner, passes, self.samples.x[0].shape[1], found)

    def _lengths_read(self) -> dict[int, NDArray[np.int64]]:
        """Read all inputs for the lengths of the values that are padded sequences."""
        found: list[dict[int, NDArray[np.int64]]] = []
        row_bytes = sum(each[0].nbytes for each in self.samples.x)
        size, count = max(1, _BYTES // row_bytes), len(self._x[0])
        for start in range(0, count, size):
            rows = np.arange(start, min(start + size, count))
            samples = self.check(self.owner, self.read(rows))
            found.append({**self.passes.lengths(samples.x, samples.lengths)})
        return {value: np.concatenate([each[value] for each in found]) for value in found[0]}

    def begin(self, course: Course) -> None:
        """Begin a training or an evaluation; see `ReadAhead`."""
        self.batch_size = min(course.batch_size, self.count)
        self._course, steps = course, course.steps_per_epoch
        self.epoch_count = steps * self.batch_size if steps else self.count
        self.steps = self.expected = -(-self.epoch_count // self.batch_size)
        bytes_of_batch = sum(each[0].nbytes for each in self.samples.arrays) * self.batch_size
        self._together = min(_BATCHES, max(1, _BYTES // max(1, bytes_of_batch)))

    def epoch(self, index: int, position: int = 0) -> Iterator[_Chunk]:
        """Return the batches of an epoch, some of them together; see `ReadAhead`.

        Parameters
        ----------
        index, position : int
            See there.

        Yields
        ------
        Chunk
            Some of the batches, which are read when they are written.
        """
        order, size = self._order(index), self.batch_size
        full, at = self.epoch_count // size, 0
        steps = [0] * (self.steps or 0)
        if self._course.by_length is not None:
            steps = self._sort(self._course.by_length, order, index)
        for count, alike in groupby(steps):
            end = at + len(list(alike))
            while at < end:
                batches = max(1, min(self._together, min(full, end) - at))
                if at + batches > position:
                    first = max(at, position)
                    rows = order[first * size : (at + batches) * size]
                    yield _Chunk(self, rows, count, index, first)
                at += batches

    def _order(self, epoch: int) -> Rows:
        """Return the rows of an epoch: a pass, or else a piece of the sequence of all passes."""
        count, length, course = self.count, self.epoch_count, self._course
        first, skipped = divmod((course.first_epoch + epoch) * length, count)
        passes = -(-(skipped + length) // count)
        order: Rows = np.tile(np.arange(count), passes)
        is_whole = self.batch_size == length == count  # see Training
        if course.shuffle and not is_whole:
            ops.permutation(order, count, seed=course.seed, first_epoch=first)
        order = order[skipped : skipped + length]
        rows = self.index.rows
        return order if rows is None else rows[order]

    def _sort(self, by_length: ByLength, order: Rows, epoch: int) -> list[int]:
        """Sort an order into batches of similar lengths, and return their numbers of steps."""
        course = self._course
        key = (course.seed, course.first_epoch + epoch) if course.shuffle else None
        steps: list[int] = by_length.arrange(order, self.batch_size, key).tolist()
        return steps

    def cut(self, samples: Samples, steps: int) -> Samples:
        """Return samples with the first steps of their sequences.

        Parameters
        ----------
        samples : Samples
            The samples.
        steps : int
            Number of steps, 0 for all.

        Returns
        -------
        Samples
            Views of them.
        """
        by_length = self._course.by_length
        if not steps or by_length is None:
            return samples
        y = zip(samples.y, by_length.timed, strict=True)
        return Samples(
            [each[:, :steps] for each in samples.x],
            [each[:, :steps] if is_timed else each for each, is_timed in y],
            lengths=samples.lengths,
            weights=[
                each if each is None or each.ndim == 1 else each[:, :steps]
                for each in samples.weights
            ],
        )

    def checked(self, owner: str, rows: Rows, to: Samples | None = None) -> Samples:
        """Read rows and validate them.

        Parameters
        ----------
        owner : str
            The function that was called and the number of the batch, for errors.
        rows : ndarray of int64
            Indices, in ascending order, each once.
        to : Samples, optional
            Arrays that may be used.

        Returns
        -------
        Samples
            The samples.
        """
        return self._with_weights(self.check(owner, self.read(rows, to)), rows)


class _Chunk:
    """Batches of rows, as a chunk of the reader."""

    def __init__(self, source: OnDisk, rows: Rows, steps: int, epoch: int, position: int) -> None:
        self._source, self._rows, self._steps = source, rows, steps
        self._epoch, self._position = epoch, position
        self.like = source.cut(source.samples, steps)
        self.size = min(source.batch_size, len(rows))
        self.batches = len(rows) // self.size

    def write(self, to: Samples, order: Rows, rows: Rows) -> None:
        """Write the rows in the order of the file, and that of the batches beside them."""
        read, order[:] = np.unique(self._rows, return_inverse=True)
        source, to = self._source, to.each(lambda each: each[: len(read)])
        rows[: len(read)] = read
        try:
            found = source.cut(source.checked(source.owner, read, to), self._steps)
        except (TypeError, ValueError):
            self._name_the_batch()
            raise
        for array, each in zip(to.arrays, found.arrays, strict=True):
            if each is not array:
                array[...] = each

    def _name_the_batch(self) -> None:
        """Check batch by batch, so that the message has the number of the first with a fault."""
        source = self._source
        for index, rows in enumerate(self._rows.reshape(self.batches, self.size)):
            owner = source.batch_of(self._epoch, self._position + index)
            try:
                source.checked(owner, np.unique(rows))
            except (TypeError, ValueError) as error:
                self._name_the_row(error, np.unique(rows))
                raise

    def _name_the_row(self, error: Exception, rows: Rows) -> None:
        for row in rows:
            try:
                self._source.checked("", np.array([row]))
            except (TypeError, ValueError):
                error.add_note(f"the first such sample of this batch is row {row} of the arrays")
                return


def _is_same(x: Any, y: Any) -> bool:
    """Return whether a target is an input, as of an autoencoder."""
    if x is y:
        return True
    both = isinstance(x, np.ndarray) and isinstance(y, np.ndarray)
    return both and x.shape == y.shape and x.strides == y.strides and same_memory(x, y)


def _form(arrays: Sequence[Any]) -> Any:
    """Return arrays in the form of the arguments of `fit`."""
    return arrays[0] if len(arrays) == 1 else tuple(arrays)
