"""Prediction: outputs of any number of samples."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from gyaku import memory
from gyaku.backend import _core, active
from gyaku.checks import truth, whole
from gyaku.precision import checked_precision, use_precision
from gyaku.train.advice import advise, of_new_inputs
from gyaku.train.by_length import ByLength, batches
from gyaku.train.capture import MOST, Steps, repeat
from gyaku.train.course import Course
from gyaku.train.dataset import Given, checked_inputs, checked_lengths
from gyaku.train.recognition import read_ahead_of
from gyaku.train.samples import gather, gather_lengths
from gyaku.train.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.precision import Precision
    from gyaku.train.read_ahead import ReadAhead
    from gyaku.train.trainee import Passes, Trainee

    Lengths = Sequence[NDArray[np.int64] | None]

__all__ = ["Prediction", "predict"]

LARGEST = 1 << 23
"""Bytes of a program that is kept for a batch shape; larger ones gain nothing by it."""


def predict(
    self: Trainee,
    x: object,
    *,
    lengths: object = None,
    batch_size: int = 512,
    by_length: bool = False,
    precision: Precision = "float32",
) -> Any:
    """Return the outputs of any number of samples.

    Parameters
    ----------
    x : array_like
        The inputs, (samples, ...); or arrays on disk, or an iterable of batches as in `fit`, of
        which targets are ignored: each batch is the inputs alone, or arrays of which the first is.
    lengths : array_like of int, optional
        Lengths of padded sequences, as in `fit`.
    batch_size : int
        Samples per batch; the outputs do not depend on it.
    by_length : bool
        Whether to sort sequences by length and to cut each batch behind its longest one, as in
        `fit`; the outputs are in the order of the samples all the same.
    precision : {"float32", "bfloat16"}
        Precision of the operands of products, as in `fit`.

    Returns
    -------
    ndarray or tuple of ndarray
        The outputs, (samples, ...). Those at padded steps have no meaning.

    Raises
    ------
    ValueError
        If the data are invalid.
    TypeError
        If they do not hold real numbers.
    RuntimeError
        If another thread trains or evaluates the model.

    Notes
    -----
    Several threads may predict with one model; they take turns. From the third batch of the same
    shape on, a recorded program gives the same bits in less time.
    """
    size = whole("predict", "batch_size", batch_size)
    by_length = truth("predict", "by_length", by_length)
    precision = checked_precision("predict", precision, self.dtype)
    source = read_ahead_of("predict", self, Given(x, lengths=lengths))
    if source is not None:
        source.refuse(batch_size=batch_size != 512, by_length=by_length)
        passes, given = source.validate(self, None, size), source.samples.x
    else:
        given = checked_inputs("predict", self, x)
        passes = self.passes([each.shape[1:] for each in given])
    advise("predict", of_new_inputs(self, passes, given))
    if source is not None:
        self.adopt(passes)
        source.begin(Course(size, 1, seed=0, shuffle=False))
        found = StreamedPrediction(self, source, precision).run()
    else:
        known = checked_lengths("predict", self, passes, lengths, given)
        found = _in_memory(self, passes, given, known, size, by_length, precision)
    return found[0] if len(found) == 1 else tuple(found)


def _in_memory(
    model: Trainee,
    passes: Passes,
    x: Sequence[NDArray[Any]],
    lengths: Lengths,
    size: int,
    by_length: bool,
    precision: Precision,
) -> list[NDArray[Any]]:
    """Predict arrays in memory."""
    sorting = None
    if by_length:
        sorting = ByLength("predict", passes, x[0].shape[1], passes.lengths(x, lengths))
    model.adopt(passes)
    if len(x[0]) <= size and sorting is None:
        return _at_once(model, x, lengths, precision)
    return Prediction(model, x, size, lengths, sorting, precision).run()


def _at_once(
    model: Trainee, x: Sequence[NDArray[Any]], lengths: Lengths, precision: Precision
) -> list[NDArray[Any]]:
    """Predict one batch, by the program of its shape if there is one."""
    passes = model.passes(())
    settings = passes.settings
    if lengths or settings is None or not active.native:
        return [y.copy() for y in _forward(model, x, lengths, precision)]
    shapes = _shapes.setdefault(model, {})
    key = (precision, *[(each.shape, each.dtype) for each in x])
    # Out of reach meanwhile: the handler of a signal might fill the same buffers.
    shape = shapes.pop(key, None) or _Shape(precision)
    found = shape.predict(model, x, [passes, model.flat_params, *settings])
    shapes[key] = shape
    if len(shapes) > MOST:
        del shapes[next(iter(shapes))]
    return found


def _forward(
    model: Trainee, x: Sequence[NDArray[Any]], lengths: Lengths, precision: Precision
) -> list[NDArray[Any]]:
    """Return the outputs of one batch, which layers may keep."""
    dtype = model.dtype
    for each in x:
        if each.dtype is not dtype and each.dtype.kind != "i":  # indices stay
            count = len(x[0])
            x = gather(x, np.arange(count), memory.zeros((1,), np.int64), count, dtype)
            break
    with use_precision(precision):
        return model.run_forward(x, lengths=lengths)


class _Shape:
    """A batch shape: the second prediction captures a program, further ones replay it."""

    __slots__ = ("basis", "inputs", "is_large", "outputs", "precision", "program")

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self.basis: Sequence[object] = ()
        self.program: Any = None
        self.inputs: list[NDArray[Any]] = []
        self.outputs: list[NDArray[Any]] = []
        self.is_large = False

    def predict(
        self, model: Trainee, x: Sequence[NDArray[Any]], basis: Sequence[object]
    ) -> list[NDArray[Any]]:
        """Predict a batch; the program depends on the objects in `basis`."""
        is_known = len(basis) == len(self.basis) and all(map(is_, basis, self.basis))
        if not is_known or self.is_large:
            self.basis, self.program, self.is_large = basis, None, is_known
            return [y.copy() for y in _forward(model, x, (), self.precision)]
        if self.program is None:
            return self._capture(model, x)
        found: list[NDArray[Any]] = self.program.answer([*x], self.inputs, self.outputs)
        return found

    def _capture(self, model: Trainee, x: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        self.inputs = [memory.empty(each.shape, each.dtype) for each in x]
        for buffer, each in zip(self.inputs, x, strict=True):
            buffer[...] = each
        program = _core.Program()

        def run() -> Sequence[NDArray[Any]]:
            self.outputs = _forward(model, self.inputs, (), self.precision)
            return self.outputs

        program.record(run)
        found = [y.copy() for y in self.outputs]
        kept = sum(each.nbytes for each in (*self.inputs, *found))
        self.is_large = program.arena_bytes + kept > LARGEST
        if self.is_large:
            self.inputs, self.outputs = [], []
        else:
            self.program = program
        return found


_shapes: WeakKeyDictionary[Trainee, dict[tuple[Any, ...], _Shape]] = WeakKeyDictionary()


class Prediction:
    """Steps of a prediction in several batches.

    Parameters
    ----------
    model : Trainee
        The model.
    x : sequence of ndarray
        The inputs.
    batch_size : int
        Samples per step.
    lengths : sequence of ndarray of int64 or None
        Lengths of the inputs that are padded sequences; () if none is.
    by_length : ByLength or None
        Batches of sequences of similar lengths, if there are to be any.
    precision : str
        Precision of the products.
    """

    def __init__(
        self,
        model: Trainee,
        x: Sequence[NDArray[Any]],
        batch_size: int,
        lengths: Lengths = (),
        by_length: ByLength | None = None,
        precision: Precision = "float32",
    ) -> None:
        self.model, self.x, self.lengths = model, x, lengths
        self.precision = precision
        self.count, self.is_sorted = len(x[0]), by_length is not None
        self.order = np.arange(self.count)
        self.batches = batches(self.order, min(batch_size, self.count), by_length)
        self.cursor = memory.zeros((1,), np.int64)
        self.steps = Steps(self._predict, MOST if by_length is None else 2 * len(by_length.counts))
        self.outputs: dict[tuple[int, int], list[NDArray[Any]]] = {}

    def _predict(self, size: int, steps: int) -> list[NDArray[Any]]:
        """Predict one batch; replay fills the same outputs again."""
        place = self.order, self.cursor, size, self.model.dtype, ()
        x = gather(self.x, *place, [steps] * len(self.x))
        lengths = gather_lengths(self.lengths, self.order, self.cursor, size)
        with use_precision(self.precision):
            self.outputs[size, steps] = y = self.model.run_forward(x, lengths=lengths)
        return y

    def run(self) -> list[NDArray[Any]]:
        """Predict all samples.

        Returns
        -------
        list of ndarray
            The outputs, (samples, ...).
        """
        dtype = self.model.dtype
        shapes = self.model.passes(()).output_shapes_of(self.x[0].shape[1:])
        results = [np.zeros((self.count, *shape), dtype) for shape in shapes]
        start = 0
        for shape, count in self.batches:
            for _ in range(count):
                self.cursor[0] = start
                repeat([(self.steps.of(*shape), 1)])
                rows: Any = slice(start, start := start + shape[0])
                if self.is_sorted:
                    rows = self.order[rows]
                for result, output in zip(results, self.outputs[shape], strict=True):
                    if output.shape[1:] == result.shape[1:]:
                        result[rows] = output
                    else:  # steps behind those of the batch stay zero
                        result[rows, : output.shape[1]] = output
        return results


class StreamedPrediction:
    """Steps of a prediction on data that are not in memory.

    Parameters
    ----------
    model : Trainee
        The model.
    source : ReadAhead
        The data.
    precision : str
        Precision of the products.
    """

    def __init__(self, model: Trainee, source: ReadAhead, precision: Precision) -> None:
        self.model, self.precision = model, precision
        self.cursor = memory.zeros((1,), np.int64)
        self.steps = Steps(self._predict)
        self._stream = Stream(source)
        self._outputs: dict[tuple[int, int], list[NDArray[Any]]] = {}

    def _predict(self, size: int, slab: int) -> list[NDArray[Any]]:
        """Predict one batch; replay fills the same outputs again."""
        x = gather(self.samples.x, self.order, self.cursor, size, self.model.dtype)
        lengths = gather_lengths(self.samples.lengths, self.order, self.cursor, size)
        with use_precision(self.precision):
            y = self.model.run_forward(x, lengths=lengths)
        self._outputs.pop((size, slab), None)
        self._outputs[size, slab] = y
        return y

    def run(self) -> list[NDArray[Any]]:
        """Predict all samples.

        Returns
        -------
        list of ndarray
            The outputs, (samples, ...).
        """
        found: list[list[NDArray[Any]]] = []
        stream = self._stream
        try:
            while not stream.ended:
                if not stream.ready(0):
                    continue
                assert stream.portion is not None
                portion = stream.portion
                self.samples, self.order = portion.slab.samples, portion.slab.order
                shape = portion.size, portion.slab.number
                for _ in range(portion.batches):
                    self.cursor[0] = stream.place
                    repeat([(self.steps.of(*shape), 1)])
                    found.append([each.copy() for each in self._outputs[shape]])
                    stream.used += 1
        finally:
            stream.close()
        shapes = {tuple(each.shape[1:] for each in outputs) for outputs in found}
        if len(shapes) > 1:
            listed = " and ".join(map(str, sorted(shapes)[:2]))
            raise ValueError(
                f"predict: the outputs of the batches differ in shape, {listed}; predict them one"
                " by one"
            )
        return [np.concatenate(outputs) for outputs in zip(*found, strict=True)]
