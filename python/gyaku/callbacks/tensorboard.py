"""Event files for TensorBoard, without TensorFlow."""

from __future__ import annotations

import math
import os
from time import time_ns
from typing import TYPE_CHECKING

import numpy as np

from gyaku.callbacks.base import Callback
from gyaku.checks import truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["TensorBoard"]

_LARGEST = float(np.finfo(np.float32).max)
_LARGEST_IN_HISTOGRAM = 9.9e19  # TensorBoard's last bin ends at 9.92e19


class TensorBoard(Callback):
    """Write loss, metrics and learning rate for TensorBoard, epoch by epoch.

    Parameters
    ----------
    folder : str or path-like
        Folder of the event files; ``tensorboard --logdir folder`` shows them. Those of the
        validation are in a run of their own, with the same names, so that both curves share a
        chart.
    histograms : bool
        Whether to write a histogram of each parameter, too.

    Raises
    ------
    ImportError
        At the start of the training, if tensorboardX is not installed.

    Notes
    -----
    NaN is left out. Values beyond the range of float32, or of the bins of a histogram, 9.9e19, are
    written as the largest ones. A resumed training goes on in the same folder, and TensorBoard
    drops the epochs that are trained once more.

    Examples
    --------
    >>> TensorBoard("logs")
    TensorBoard('logs')
    """

    def __init__(self, folder: str | os.PathLike[str], *, histograms: bool = False) -> None:
        self.folder = os.fspath(folder)
        self.histograms = truth("TensorBoard", "histograms", histograms)
        self._writers: dict[str, Any] = {}
        self._first = 0  # the first epoch of this process

    def on_train_begin(self) -> None:
        """Raise without tensorboardX; see `Callback`."""
        from importlib.util import find_spec

        if find_spec("tensorboardX") is None:
            raise ImportError("TensorBoard needs tensorboardX: pip install 'gyaku[tensorboard]'")
        self._close()
        self._first = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the number of epochs so far; see `Callback`."""
        return {"epochs": self._first}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Replace the epochs behind the checkpoint; see `Callback`."""
        self._first = state["epochs"]

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Write the values; see `Callback.on_epoch_end`."""
        for name, value in {**logs, "learning_rate": self.model.optimizer.rate}.items():
            run = "validation" if name.startswith("val_") else "train"
            if not math.isnan(value):
                shown = min(max(float(value), -_LARGEST), _LARGEST)
                self._writer(run).add_scalar(name.removeprefix("val_"), shown, epoch + 1)
        for name, values in self.model.params.items() if self.histograms else ():
            clipped = _clipped(values)
            if clipped.size:
                self._writer("train").add_histogram(name, clipped, epoch + 1)
        for writer in self._writers.values():
            writer.flush()
        self._first = epoch + 1

    def on_train_end(self) -> None:
        """Close the files; see `Callback`."""
        self._close()

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            from tensorboardX import SummaryWriter

            options: dict[str, Any] = {"purge_step": self._first + 1} if self.resumed else {}
            # By default a second writer within a second replaces the file of the first.
            options["filename_suffix"] = f".{time_ns()}"
            self._writers[run] = SummaryWriter(os.path.join(self.folder, run), **options)
        return self._writers[run]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers = {}


def _clipped(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the values that are not NaN, those beyond the bins at their edges."""
    known: NDArray[np.float64] = values[~np.isnan(values)].astype(np.float64)
    return known.clip(-_LARGEST_IN_HISTOGRAM, _LARGEST_IN_HISTOGRAM)
