"""Validation of inputs and targets of fit, evaluate and predict, and the gather of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.backend import _core
from gyaku.checks import first_element
from gyaku.train.conversion import beyond, floating, indices, real

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.losses import Loss

    Lengths = Sequence[NDArray[np.int64] | None]

__all__ = [
    "Samples",
    "gather",
    "gather_lengths",
    "inputs",
    "is_misfit",
    "misfit",
    "same_memory",
    "targets",
]

# Elements that are searched at once.
_CHUNK = 1 << 18


class Samples:
    """Validated inputs and targets of a data set, for `gather`.

    Parameters
    ----------
    x : sequence of ndarray
        The inputs, each (samples, ...), of dtype uint8, float32 or float64, or int32 or int64 if
        they are indices.
    y : sequence of ndarray
        The targets, each (samples, ...), of dtype uint8, float32 or float64, or int64 class
        numbers, (samples,) or one for each position of a sample.
    rows : ndarray of int64
        Indices of the samples, by default all.
    lengths : sequence of ndarray of int64 or None
        Lengths of the inputs that are padded sequences; () if none is.
    weights : sequence of ndarray of float64 or None
        Weights of samples or positions, for each output; () if all are one.

    Attributes
    ----------
    count : int
        Number of the samples.
    """

    __slots__ = ("count", "lengths", "rows", "weights", "x", "y")

    def __init__(
        self,
        x: Sequence[NDArray[Any]],
        y: Sequence[NDArray[Any]],
        rows: NDArray[np.int64] | None = None,
        lengths: Lengths = (),
        weights: Sequence[NDArray[np.float64] | None] = (),
    ) -> None:
        self.x = x
        self.y = y
        self.rows = rows
        self.lengths = lengths
        self.weights = weights
        self.count = len(x[0]) if rows is None else len(rows)

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """All arrays."""
        given = (*self.x, *self.y, *self.lengths, *self.weights)
        return [each for each in given if each is not None]

    def each(self, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Samples:
        """Return samples of changed arrays.

        Parameters
        ----------
        change : callable
            Function of an array that returns another.

        Returns
        -------
        Samples
            The samples, without `rows`.
        """
        return Samples(
            [*map(change, self.x)],
            [*map(change, self.y)],
            lengths=[None if each is None else change(each) for each in self.lengths],
            weights=[None if each is None else change(each) for each in self.weights],
        )

    def split(self, fraction: float, seed: int, shuffle: bool) -> tuple[Samples, Samples]:
        """Split the samples into training and validation samples, without a copy.

        Parameters
        ----------
        fraction : float
            Fraction of the validation samples.
        seed : int
            Seed of the choice.
        shuffle : bool
            Whether the choice is random, with the same fraction of each class if there are
            classes; otherwise it is the last samples.

        Returns
        -------
        training : Samples
            The training samples.
        validation : Samples
            The validation samples.
        """
        count = max(1, round(self.count * fraction))
        if count >= self.count:
            raise ValueError(
                f"fit: validation_split={fraction} of {self.count} samples leaves none to train on"
            )
        rows = np.arange(self.count)
        own = rows if self.rows is None else self.rows
        chosen = np.zeros(self.count, bool)
        if shuffle:
            random = np.random.Generator(
                np.random.Philox(key=np.array([seed, 2**64 - 1], np.uint64))
            )
            rows = random.permutation(self.count)
            classes = next((y for y in self.y if y.dtype == np.int64 and y.ndim == 1), None)
            if classes is not None:  # evenly spaced in their order
                rows = rows[np.argsort(classes[own[rows]], kind="stable")]
            spaced = ((np.arange(count) + 0.5) * (self.count / count)).astype(np.int64)
            chosen[rows[spaced]] = True
        else:
            chosen[-count:] = True
        return self.of(own[~chosen]), self.of(own[chosen])

    def chosen(self, count: int, seed: int | None) -> Samples:
        """Return the first of the samples, in a random order if there is a seed.

        Parameters
        ----------
        count : int
            Number of samples, all if there are fewer.
        seed : int or None
            Seed of the order.

        Returns
        -------
        Samples
            The samples.
        """
        own = np.arange(self.count) if self.rows is None else self.rows
        if seed is not None:
            order = np.empty(self.count, np.int64)
            ops.permutation(order, self.count, seed=seed, first_epoch=0)
            own = own[order]
        return self.of(np.sort(own[:count]))

    def write_order(self, order: NDArray[np.int64], start: int, seed: int | None) -> None:
        """Write the indices of samples in the order of passes over the data.

        Parameters
        ----------
        order : ndarray of int64
            Array for the indices.
        start : int
            Number of samples of all passes before them.
        seed : int or None
            Seed of the order of each pass, None for that of the data.
        """
        first, skipped = divmod(start, self.count)
        passes = -(-(skipped + len(order)) // self.count)
        are_whole = passes * self.count == len(order)
        whole = order if are_whole else memory.empty((passes * self.count,), np.int64)
        if seed is None:
            whole.reshape(passes, self.count)[:] = np.arange(self.count)
        else:
            ops.permutation(whole, self.count, seed=seed, first_epoch=first)
        if not are_whole:
            order[:] = whole[skipped : skipped + len(order)]
        if self.rows is not None:
            order[:] = self.rows[order]

    def of(self, rows: NDArray[np.int64]) -> Samples:
        """Return some of the samples, without a copy.

        Parameters
        ----------
        rows : ndarray of int64
            Their indices in the data.

        Returns
        -------
        Samples
            The samples.
        """
        return Samples(self.x, self.y, rows, self.lengths, self.weights)


def gather(
    sources: Sequence[NDArray[Any]],
    order: NDArray[np.int64],
    cursor: NDArray[np.int64],
    size: int,
    dtype: np.dtype[Any],
    augmented: Sequence[bool] = (),
    steps: Sequence[int] = (),
    in_place: bool = False,
    **augmentation: Any,
) -> list[NDArray[Any]]:
    """Gather the next batch.

    Parameters
    ----------
    sources : sequence of ndarray
        The data, each (samples, ...): class numbers and indices stay integers, bytes and floats
        become `dtype`, at their value.
    order : ndarray of int64
        Order of the samples.
    cursor : ndarray of int64, of shape (1,)
        Position of the batch in the order.
    size : int
        Number of samples in the batch.
    dtype : numpy.dtype
        The model's dtype.
    augmented : sequence of bool
        Whether each source holds images to augment; () if none does.
    steps : sequence of int
        Number of steps to gather of each source, 0 for all; () for all of all sources.
    in_place : bool
        Whether the batch is all samples in their order: those that are neither converted nor
        augmented are read where they are.
    **augmentation : object
        Further arguments of `ops.gather_images`.

    Returns
    -------
    list of ndarray
        The batch, each (size, ...).
    """
    batches = []
    nothing = (0,) * len(sources)
    each = zip(sources, steps or nothing, augmented or nothing, strict=True)
    for source, count, is_augmented in each:
        kept = source.dtype if source.dtype.kind == "i" else dtype
        if in_place and kept == source.dtype and not is_augmented:
            batches.append(source.view())
            batches[-1].flags.writeable = False
            continue
        shape = (count, *source.shape[2:]) if count else source.shape[1:]
        batch = memory.empty((size, *shape), kept)
        if is_augmented:
            ops.gather_images(source, order, cursor, out=batch, **augmentation)
        else:
            ops.gather(source, order, cursor, batch)
        batches.append(batch)
    return batches


def gather_lengths(
    sources: Lengths, order: NDArray[np.int64], cursor: NDArray[np.int64], size: int
) -> Lengths:
    """Gather the lengths of the next batch.

    Parameters
    ----------
    sources : sequence of ndarray of int64 or None
        Lengths of the inputs that are padded sequences.
    order, cursor, size : object
        See `gather`.

    Returns
    -------
    sequence of ndarray of int64 or None
        Those of the batch.
    """
    return [
        None if each is None else gather([each], order, cursor, size, each.dtype)[0]
        for each in sources
    ]


def inputs(
    owner: str,
    name: str,
    x: object,
    shape: tuple[int, ...] | None,
    dtype: np.dtype[Any],
    kind: str = "",
    any_steps: bool = False,
) -> NDArray[Any]:
    """Validate inputs and return them in the form of `gather`, the same array if possible.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    x : array_like
        The inputs.
    shape : tuple of int or None
        Shape of a sample that the model expects, if it is built.
    dtype : numpy.dtype
        Dtype to which integers other than uint8 are converted.
    kind : {"", "int32", "int64", "integer"}
        Dtype of indices, "integer" for either; "" if the inputs are no indices.
    any_steps : bool
        Whether the samples are sequences of any number of steps.

    Returns
    -------
    ndarray
        C-contiguous uint8, float32 or float64, or int32 or int64 if they are indices.

    Raises
    ------
    TypeError
        If `x` does not hold real numbers.
    ValueError
        If it is empty, has the wrong shape or holds a value that is not finite, or an index that is
        not whole.
    """
    if (  # nearly always
        type(x) is np.ndarray
        and (x.dtype is dtype and x.shape[1:] == shape and not kind)
        and (len(x) and x.flags.carray and _core.is_finite(x))
    ):
        return x
    array = real(owner, name, x, whole=bool(kind))
    if array.ndim < 2:
        hint = "" if shape is None else misfit(name, array.shape, shape)
        column = "to_frame()" if hasattr(x, "to_frame") else "[:, None]"  # of pandas and polars
        dot = "." * (column[0] != "[")
        hint = hint or (f": write {name}{dot}{column} for one feature" if array.ndim else "")
        raise ValueError(
            f"{owner}: {name} must have a sample axis and at least one feature axis,"
            f" got shape {array.shape}{hint}"
        )
    if not array.size:
        raise ValueError(f"{owner}: {name} is empty, its shape is {array.shape}")
    if shape is not None and is_misfit(array.shape[1:], shape, any_steps):
        raise ValueError(
            f"{owner}: {name} has samples of shape {array.shape[1:]}, the model expects"
            f" {shape}{misfit(name, array.shape, shape)}"
        )
    if kind:
        return indices(owner, name, array, kind)
    return _at_value(owner, name, array, dtype, getattr(x, "columns", ()))


def _at_value(
    owner: str,
    name: str,
    array: NDArray[Any],
    dtype: np.dtype[Any],
    columns: Iterable[object] = (),
) -> NDArray[Any]:
    """Return an array in the form of `gather`: bytes unchanged, everything else as floats."""
    given = array
    if array.dtype != np.uint8:
        array = floating(array, dtype)
    if not array.flags.carray:  # a cheaper test than `require`
        array = np.require(array, requirements=["C", "A"])
    check_finite(owner, name, array, given, dtype, columns)
    return array


def is_misfit(given: tuple[int, ...], shape: tuple[int, ...], any_steps: bool) -> bool:
    """Return whether samples do not have the shape that the model expects.

    Parameters
    ----------
    given, shape : tuple of int
        The shape of the samples, and the expected one.
    any_steps : bool
        Whether the first axis, the steps of a sequence, may have any length.

    Returns
    -------
    bool
        Whether they do not.
    """
    if any_steps and given and shape:
        given, shape = given[1:], shape[1:]
    return given != shape


def misfit(name: str, given: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """Return a hint for inputs of an unexpected shape, if their layout can be guessed.

    Parameters
    ----------
    name : str
        The argument.
    given : tuple of int
        The shape of the inputs.
    shape : tuple of int
        The shape of a sample that the model expects.

    Returns
    -------
    str
        The end of a sentence, or nothing.

    Examples
    --------
    >>> misfit("x", (100, 28, 28), (28, 28, 1))
    '; x[..., None] has one channel'
    >>> misfit("x", (100, 3, 32, 32), (32, 32, 3))
    '; channels come last, x.transpose(0, 2, 3, 1) puts them there'
    """
    sample = given[1:]
    if given == shape:
        return f"; write {name}[None] for one sample"
    if (*sample, 1) == shape:
        return f"; {name}[..., None] has one channel"
    if len(shape) == 3 and (*sample[1:], *sample[:1]) == shape:
        return f"; channels come last, {name}.transpose(0, 2, 3, 1) puts them there"
    return ""


def targets(
    owner: str,
    name: str,
    y: object,
    x: NDArray[Any],
    outputs: tuple[int, ...],
    loss: Loss,
    dtype: np.dtype[Any],
    lengths: NDArray[np.int64] | None = None,
) -> NDArray[Any]:
    """Validate targets and return them in the form of `gather`, the same array if possible.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    y : array_like
        Targets: class numbers where the loss takes them, or rows like the outputs.
    x : ndarray
        Inputs of the same samples.
    outputs : tuple of int
        The shape of an output sample.
    loss : Loss
        The loss.
    dtype : numpy.dtype
        Dtype to which integers other than class numbers are converted.
    lengths : ndarray of int64, optional
        Lengths of the outputs if they are padded sequences; class numbers behind them may be any
        integers.

    Returns
    -------
    ndarray
        Class numbers, int64 of shape (samples,) or with one for each position of a sample, or rows
        of uint8, float32 or float64.

    Raises
    ------
    TypeError
        If `y` does not hold real numbers.
    ValueError
        If it does not fit inputs, outputs and loss, or holds a value that is not finite.
    """
    array = real(
        *(owner, name, y),
        names=f"; class names become numbers by np.unique({name}, return_inverse=True)[1]",
    )
    if array.ndim == 0 or len(array) != len(x):
        count = len(array) if array.ndim else "no"
        raise ValueError(f"{owner}: there are {len(x)} samples but {count} targets in {name}")
    if array.shape[1:] == (*outputs[:-1], 1) and outputs[-1:] != (1,):
        array = array.reshape(array.shape[:-1])
    if loss.takes == "classes" and outputs[-1:] == (1,):
        raise ValueError(
            f"{owner}: {loss!r} needs an output for each class, but the model has one output; two"
            " classes take Dense(2)"
        )
    integer = array.dtype.kind in "iub"
    by_position = array.shape[1:] == outputs[:-1]
    if loss.takes == "classes" and (array.ndim == 1 or (integer and by_position)) and outputs != ():
        if not integer:
            raise ValueError(
                f"{owner}: {name} must hold class numbers as integers or rows of {outputs[-1]}"
                f" probabilities, got one {array.dtype} a sample; class numbers can be converted"
                f" by {name}.astype(int)"
            )
        return _labels(owner, name, array, x, outputs, lengths, loss.ignore_index)
    has_classes = outputs != (1,) if array.ndim == 1 else by_position and outputs[-1] != 1
    if loss.takes == "anything" and integer and has_classes:
        return np.require(array, np.int64, ["C", "A"])
    if array.ndim == 1 and outputs == (1,):
        array = array.reshape(-1, 1)
    if loss.takes != "anything" and array.shape[1:] != outputs:
        hint = ""
        if array.ndim == 1 and integer and len(outputs) == 1:
            hint = f"; one row for each class number is np.eye({outputs[0]})[{name}]"
        if array.ndim in (1, 2) and len(outputs) > 1:
            hint = _one_output(outputs, x)
        if _is_by_step(array, x) and len(outputs) == 1:
            hint = "; outputs for each time step take return_sequences=True in recurrent layers"
        if loss.takes == "classes" and by_position:
            hint = f"; class numbers can be converted by {name}.astype(int)"
        raise ValueError(
            f"{owner}: {name} has targets of shape {array.shape[1:]}, the model's outputs have"
            f" {outputs}{hint}"
        )
    return _at_value(owner, name, array, dtype)


def _one_output(outputs: tuple[int, ...], x: NDArray[Any]) -> str:
    """Return the hint for models of several outputs whose targets are one for each sample."""
    if len(outputs) == 3 and outputs[:-1] == x.shape[1:-1]:
        return "; put Flatten in front of the first Dense layer, which takes rows"
    if len(outputs) == 2:
        return "; end it with a recurrent layer without return_sequences, or with Flatten and Dense"
    return "; end it with Flatten and Dense"


def _is_by_step(targets: NDArray[Any], x: NDArray[Any]) -> bool:
    """Return whether there is a target for each step of sequences."""
    return x.ndim == 3 and targets.ndim in (2, 3) and targets.shape[1] == x.shape[1]


def check_finite(
    owner: str,
    name: str,
    array: NDArray[Any],
    given: NDArray[Any],
    dtype: np.dtype[Any],
    columns: Iterable[object] = (),
) -> None:
    """Raise if a value is NaN, infinite or beyond the model's dtype, with the place of the first.

    Parameters
    ----------
    owner, name : str
        Function and argument, for the error.
    array : ndarray
        C-contiguous data, (samples, ...).
    given : ndarray
        The same data before they were converted.
    dtype : numpy.dtype
        The model's dtype.
    columns : iterable of object
        Names of the columns of a table, for the error; by default their numbers.

    Raises
    ------
    ValueError
        If a value is not finite in the model's dtype.
    """
    is_fine = _core.fits_float32 if dtype == np.float32 else _core.is_finite
    if array.dtype.kind != "f" or is_fine(array):
        return
    flat = array.reshape(-1)
    for start in range(0, len(flat), _CHUNK):
        with np.errstate(over="ignore"):
            bad = np.flatnonzero(~np.isfinite(flat[start : start + _CHUNK].astype(dtype)))
        if len(bad):
            place = np.unravel_index(start + int(bad[0]), given.shape)
            value, where = given[place], f"row {place[0]}"
            if np.isfinite(value):
                raise ValueError(f"{owner}: {name}{beyond(value, dtype, f' in {where}')}")
            found = f"{where} holds {value}"
            if len(place) == 2:
                names = [*columns]  # categories make more columns than a table has names
                column = repr(names[place[1]]) if len(names) == given.shape[1] else place[1]
                found = f"column {column} holds {value} in {where}"
            missing = "; fill or drop what is missing" if np.isnan(value) else ""
            raise ValueError(f"{owner}: {name} must be finite, but {found}{missing}")


def _labels(
    owner: str,
    name: str,
    array: NDArray[Any],
    x: NDArray[Any],
    outputs: tuple[int, ...],
    lengths: NDArray[np.int64] | None,
    ignored: int | None,
) -> NDArray[np.int64]:
    """Return class numbers as int64; raise if one is out of range, and not the ignored one."""
    classes = outputs[-1]
    if array.ndim != len(outputs):
        raise ValueError(
            f"{owner}: {name} holds one class number a sample, but the model's outputs have shape"
            f" {outputs}{_one_output(outputs, x)}"
        )
    if int(array.min()) < 0 or int(array.max()) >= classes:
        outside = ((array < 0) | (array >= classes)) & (array != ignored)
        if lengths is not None:
            outside[np.arange(array.shape[1]) >= lengths[:, np.newaxis]] = False
        if outside.any():
            label, where = first_element(array, outside)
            from_one = (array.min(), array.max()) == (1, classes)
            shift = f"; {name} - 1 has such labels" if from_one else ""
            raise ValueError(
                f"{owner}: the label {label} in {where} of {name} is out of range: the model has"
                f" {classes} outputs, so labels go from 0 to {classes - 1}{shift}"
            )
    return np.require(array, np.int64, ["C", "A"])


def same_memory(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Return whether two arrays share all memory, as inputs and targets of an autoencoder.

    Parameters
    ----------
    a, b : ndarray
        C-contiguous arrays.

    Returns
    -------
    bool
        Whether they do; their shapes may differ.
    """
    where = "__array_interface__"
    if a.dtype != b.dtype or a.size != b.size:
        return False
    return bool(getattr(a, where)["data"] == getattr(b, where)["data"])
