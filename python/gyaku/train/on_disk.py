"""Arrays on disk, such as memory maps: the rows of the next batches, read in the order of the file.

Only the batches that are in use or come next are in memory. Their order, and with it every result,
is that of the same arrays in memory.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import ops
from gyaku.train.conversion import real
from gyaku.train.samples import Samples, targets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Self

    from numpy.typing import NDArray

    from gyaku.train.check import Check

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
    """

    __slots__ = ("_array", "in_memory", "shape")

    def __init__(self, array: Any) -> None:
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


class OnDisk:
    """Inputs and targets of which some are on disk, in batches.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    x, y : sequence of array_like
        Inputs and targets.
    lengths : sequence of array_like or None, optional
        Lengths of the inputs that are padded sequences.
    names : pair of tuple of str
        Names of the model's inputs and outputs.
    part : str
        Prefix of the arguments' names, for errors.

    Attributes
    ----------
    size, epoch_count : int
        Samples per batch and per epoch; set by `begin`.
    check : Check
        Validation of batches; set by `begin`.
    """

    repeatable = True
    kind = "arrays on disk"
    refused: ClassVar = {
        "by_length": "it needs all lengths, as of arrays in memory",
        "sample_weight": "give an iterable of batches (x, y, sample_weight)",
        "class_weight": "give an iterable of batches (x, y, sample_weight)",
        "overfit_batches": "give some of the rows",
        "augment": "give arrays in memory, or an iterable that augments its batches itself",
    }
    check: Check

    def __init__(
        self,
        owner: str,
        x: Sequence[Any],
        y: Sequence[Any],
        lengths: Sequence[Any] | None,
        *,
        names: tuple[tuple[str, ...], tuple[str, ...]],
        part: str = "",
    ) -> None:
        self.owner, self.part, self.names = owner, part, names
        self._x = [self._rowwise("x", each) for each in x]
        self._y = [self._rowwise("y", each) for each in y]
        self._lengths = None
        if lengths is not None:
            self._lengths = [
                None if each is None else self._rowwise("lengths", each) for each in lengths
            ]
        self._rows: Rows | None = None
        self.count = len(self._x[0])
        for each in (*self._x, *self._y, *(self._lengths or ())):
            if each is not None and len(each) != self.count:
                raise ValueError(
                    f"{owner}: {part}x has {self.count} samples, but another array {len(each)}"
                )
        if not self.count:
            raise ValueError(f"{owner}: {part}x is empty, its shape is {self._x[0].shape}")

    def _rowwise(self, name: str, array: Any) -> Rowwise:
        """Return an array by rows; one with a number a sample is read at once."""
        if not is_on_disk(array):
            array = real(self.owner, self.part + name, array)
        elif math.prod(array.shape[1:]) == 1:
            array = real(self.owner, self.part + name, np.array(array[:]))
        return Rowwise(array)

    def first(self, size: int) -> tuple[object, object, object, object]:
        """Return the first rows, of which the first batch may not have any.

        Parameters
        ----------
        size : int
            Largest number of rows.

        Returns
        -------
        x : object
            The rows of the inputs, in the form of the arguments of `fit`.
        y : object
            Those of the targets.
        lengths : object
            Those of the lengths, None without.
        weights : object
            None; weights are not supported.
        """
        return self.read(np.arange(min(size, self.count)))

    def _check_targets(self, check: Check, first: Samples) -> None:
        """Raise if a target in memory is invalid, before anything is trained."""
        assert check.criterion is not None
        like, dtype = first.x[0], check.model.dtype
        x = np.broadcast_to(like[:1], (self.count, *like.shape[1:]))
        shapes = check.passes.output_shapes_of(like.shape[1:])
        each = zip(self._y, shapes, check.criterion.losses, self.names[1], strict=True)
        for place, (y, shape, loss, name) in enumerate(each):
            if y.in_memory is not None and math.prod(y.shape[1:]) == 1:
                name = f"{self.part}y" + (f"[{name!r}]" if len(self._y) > 1 else "")
                found = targets(self.owner, name, y.in_memory, x, shape, loss, dtype)
                self._y[place] = Rowwise(found)

    def read(self, rows: Rows, to: Samples | None = None) -> tuple[object, object, object, object]:
        """Read rows.

        Parameters
        ----------
        rows : ndarray of int64
            Indices, in ascending order, each once.
        to : Samples, optional
            Arrays that may be used.

        Returns
        -------
        x : object
            The rows of the inputs, in the form of the arguments of `fit`.
        y : object
            Those of the targets.
        lengths : object
            Those of the lengths, None without.
        weights : object
            None; weights are not supported.
        """
        outs = iter(() if to is None else to.arrays)
        x = [each.take(rows, next(outs, None)) for each in self._x]
        y = [each.take(rows, next(outs, None)) for each in self._y]
        lengths = None
        if self._lengths is not None:
            lengths = [each and each.take(rows, next(outs, None)) for each in self._lengths]
        return _form(x), _form(y), lengths and _form(lengths), None

    def prepare(self, check: Check, first: Samples) -> None:
        """Prepare for passes over the data, and validate what is in memory.

        Parameters
        ----------
        check : Check
            Validation of batches.
        first : Samples
            The result for the first rows.
        """
        self.check, self.like = check, first
        if check.criterion is not None:
            self._check_targets(check, first)

    def begin(
        self,
        size: int,
        *,
        shuffle: bool = False,
        seed: int = 0,
        first_epoch: int = 0,
        steps: int | None = None,
    ) -> None:
        """Begin a training or an evaluation.

        Parameters
        ----------
        size : int
            Samples per batch.
        shuffle : bool
            Whether to shuffle the samples before each epoch.
        seed : int
            Seed of the order.
        first_epoch : int
            Number of epochs that earlier trainings ran with this seed.
        steps : int, optional
            Number of batches in an epoch, by default those of all samples.
        """
        self.size, self.shuffle = min(size, self.count), shuffle
        self._seed, self._first_epoch = seed, first_epoch
        self.epoch_count = steps * self.size if steps else self.count
        bytes_of_batch = sum(each[0].nbytes for each in self.like.arrays) * self.size
        self._together = min(_BATCHES, max(1, _BYTES // max(1, bytes_of_batch)))

    @property
    def steps(self) -> int:
        """Number of batches in an epoch."""
        return -(-self.epoch_count // self.size)

    expected = steps

    def split(self, fraction: float, seed: int, shuffle: bool) -> tuple[Self, Self]:
        """Split the samples as `Samples.split` does.

        Parameters
        ----------
        fraction, seed, shuffle : object
            See there.

        Returns
        -------
        training : OnDisk
            The training samples.
        validation : OnDisk
            The validation samples.
        """
        y = [each.in_memory for each in self._y if each.in_memory is not None]
        parts = Samples(self._x, y, self._rows).split(fraction, seed, shuffle)  # type: ignore[arg-type]
        found = copy.copy(self), copy.copy(self)
        for source, part in zip(found, parts, strict=True):
            source._rows, source.count = part.rows, part.count
        return found

    def epoch(self, index: int, position: int = 0) -> Iterator[_Chunk]:
        """Return the batches of an epoch.

        Parameters
        ----------
        index : int
            Index of the epoch.
        position : int
            Index of the first batch to read.

        Yields
        ------
        Chunk
            Some of the batches, which are read when they are written.
        """
        order, size = self._order(index), self.size
        full = self.epoch_count // size
        while position < self.steps:
            batches = max(1, min(self._together, full - position))
            rows = order[position * size : (position + batches) * size]
            yield _Chunk(self, rows, index, position)
            position += batches

    def _order(self, epoch: int) -> Rows:
        """Return the rows of an epoch: a pass, or else a piece of the sequence of all passes."""
        count, length = self.count, self.epoch_count
        first, skipped = divmod((self._first_epoch + epoch) * length, count)
        passes = -(-(skipped + length) // count)
        order: Rows = np.tile(np.arange(count), passes)
        if self.shuffle:
            ops.permutation(order, count, seed=self._seed, first_epoch=first)
        order = order[skipped : skipped + length]
        return order if self._rows is None else self._rows[order]

    def batch_of(self, epoch: int, batch: int) -> str:
        """Return the function that was called and a batch, for errors.

        Parameters
        ----------
        epoch, batch : int
            Indices from 0.

        Returns
        -------
        str
            The beginning of a sentence.
        """
        of = f"epoch {epoch + 1}, " if epoch else ""
        return f"{self.owner}: {of}{'validation ' if self.part else ''}batch {batch + 1}"


class _Chunk:
    """Batches of rows, as a chunk of the reader."""

    def __init__(self, source: OnDisk, rows: Rows, epoch: int, position: int) -> None:
        self._source, self._rows = source, rows
        self._epoch, self._position = epoch, position
        self.like = source.like
        self.size = min(source.size, len(rows))
        self.batches = len(rows) // self.size

    def write(self, to: Samples, order: Rows) -> None:
        """Write the rows in the order of the file, and that of the batches beside them."""
        rows, order[:] = np.unique(self._rows, return_inverse=True)
        source, to = self._source, to.each(lambda each: each[: len(rows)])
        try:
            found = source.check(source.owner, *source.read(rows, to))
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
                source.check(owner, *source.read(np.unique(rows)))
            except (TypeError, ValueError) as error:
                self._name_the_row(error, np.unique(rows))
                raise

    def _name_the_row(self, error: Exception, rows: Rows) -> None:
        for row in rows:
            try:
                self._source.check("", *self._source.read(np.array([row])))
            except (TypeError, ValueError):
                error.add_note(f"the first such sample of this batch is row {row} of the arrays")
                return


def _form(arrays: Sequence[Any]) -> Any:
    """Return arrays in the form of the arguments of `fit`."""
    return arrays[0] if len(arrays) == 1 else tuple(arrays)
