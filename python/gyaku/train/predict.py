"""Prediction: outputs of any number of samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.checks import whole
from gyaku.train.advice import advise_on_bytes
from gyaku.train.capture import Steps, repeat
from gyaku.train.dataset import checked_inputs, checked_lengths
from gyaku.train.samples import gather, gather_lengths
from gyaku.train.verb import verb

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.train.trainee import Trainee

    Lengths = Sequence[NDArray[np.int64] | None]

__all__ = ["Prediction", "predict"]


@verb
def predict(self: Trainee, x: object, *, lengths: object = None, batch_size: int = 512) -> Any:
    """Return the outputs of any number of samples.

    Parameters
    ----------
    x : array_like
        The inputs, (samples, ...).
    lengths : array_like of int, optional
        Lengths of padded sequences, as in `fit`.
    batch_size : int
        Samples per batch; the outputs do not depend on it.

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
    """
    size = whole("predict", "batch_size", batch_size)
    given = checked_inputs("predict", self, x)
    passes = self.passes([each.shape[1:] for each in given])
    advise_on_bytes("predict", self, passes, given)
    self.adopt(passes)
    known = checked_lengths("predict", self, passes, lengths, given)
    if len(given[0]) <= size:
        found = _at_once(self, given, known)
    else:
        found = Prediction(self, given, size, known).run()
    return found[0] if len(found) == 1 else tuple(found)


def _at_once(model: Trainee, x: Sequence[NDArray[Any]], lengths: Lengths) -> list[NDArray[Any]]:
    """Predict one batch without capture, since its program would run once."""
    dtype = model.dtype
    for each in x:
        if each.dtype is not dtype and each.dtype.kind != "i":  # indices stay
            count = len(x[0])
            x = gather(x, np.arange(count), memory.zeros((1,), np.int64), count, dtype)
            break
    # Layers may keep their outputs.
    return [y.copy() for y in model.run_forward(x, lengths=lengths)]


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
    """

    def __init__(
        self, model: Trainee, x: Sequence[NDArray[Any]], batch_size: int, lengths: Lengths = ()
    ) -> None:
        self.model, self.x, self.lengths = model, x, lengths
        self.count = len(x[0])
        self.batch_size = min(batch_size, self.count)
        self.order = np.arange(self.count)
        self.cursor = memory.zeros((1,), np.int64)
        self.steps = Steps(self._predict)
        self.outputs: dict[int, list[NDArray[Any]]] = {}

    def _predict(self, size: int) -> list[NDArray[Any]]:
        """Predict one batch; replay fills the same outputs again."""
        x = gather(self.x, self.order, self.cursor, size, self.model.dtype)
        lengths = gather_lengths(self.lengths, self.order, self.cursor, size)
        self.outputs[size] = y = self.model.run_forward(x, lengths=lengths)
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
        results = [np.empty((self.count, *shape), dtype) for shape in shapes]
        for start in range(0, self.count, self.batch_size):
            self.cursor[0] = start
            size = min(self.batch_size, self.count - start)
            repeat([(self.steps.of(size), 1)])
            for result, output in zip(results, self.outputs[size], strict=True):
                result[start : start + size] = output
        return results
