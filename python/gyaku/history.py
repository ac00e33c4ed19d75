"""History of a training: loss and metrics, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from typing import Any

    from matplotlib.axes import Axes

__all__ = ["History"]


class History(Mapping[str, list[float]]):
    """Loss and metrics of a training, by name, one value an epoch.

    Parameters
    ----------
    samples : int
        Number of samples in an epoch.

    Attributes
    ----------
    epochs : int
        Number of finished epochs.
    seconds : list of float
        Time of each epoch, with its validation.
    samples : int
        Number of samples in an epoch.
    stopped : str or None
        Reason of an end before the last epoch; None without.

    Notes
    -----
    Names that begin with ``val_`` belong to the validation data, with NaN for epochs without
    validation. ``pandas.DataFrame(history)`` is a table with one row an epoch.

    Examples
    --------
    >>> history = History(samples=4)
    >>> history.extend({"loss": [0.5, 0.25]}, seconds=0.1)
    >>> history["loss"], history.epochs
    ([0.5, 0.25], 2)
    """

    def __init__(self, samples: int = 0) -> None:
        self._columns: dict[str, list[float]] = {}
        self.samples = samples
        self.seconds: list[float] = []
        self.stopped: str | None = None

    def extend(self, columns: Mapping[str, list[float]], seconds: float) -> None:
        """Add epochs.

        Parameters
        ----------
        columns : mapping of str to list of float
            Values of the epochs, with the same names each time.
        seconds : float
            Total time of the epochs.
        """
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        added = self.epochs - len(self.seconds)
        self.seconds.extend([seconds / max(1, added)] * added)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return max(map(len, self._columns.values()), default=0)

    def last(self) -> dict[str, float]:
        """Return loss and metrics of the last epoch.

        Returns
        -------
        dict of str to float
            The values by name.
        """
        return {name: values[-1] for name, values in self._columns.items()}

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write a table with one row an epoch.

        Parameters
        ----------
        path : str or path-like
            The file.
        """
        from gyaku.files import write_atomically

        rows = [["epoch", *self._columns, "seconds"]]
        for epoch, numbers in enumerate(zip(*self._columns.values(), self.seconds, strict=True)):
            rows.append([str(epoch + 1), *(repr(float(number)) for number in numbers)])
        text = "".join(",".join(row) + "\n" for row in rows)
        write_atomically(path, lambda stream: stream.write(text.encode()))

    def to_pandas(self) -> Any:
        """Return a pandas table with one row an epoch.

        Returns
        -------
        pandas.DataFrame
            Loss, metrics and seconds; the index counts the epochs from 1.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        from importlib import import_module  # pandas is optional, also for types

        try:
            pd = import_module("pandas")
        except ImportError:
            raise ImportError("to_pandas needs pandas: pip install pandas") from None
        epochs = pd.RangeIndex(1, self.epochs + 1, name="epoch")
        return pd.DataFrame({**self._columns, "seconds": self.seconds}, index=epochs)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Axes:
        """Draw the learning curve; `gyaku.plots.learning_curve` has more options.

        Parameters
        ----------
        path : str or path-like, optional
            File of the picture, in the format of its suffix, by default PNG.

        Returns
        -------
        matplotlib.axes.Axes
            The axes, which a notebook shows.

        Raises
        ------
        ImportError
            If Matplotlib is not installed.
        ValueError
            If no epoch was finished, or the suffix is unknown.
        """
        from pathlib import Path

        from gyaku.files import write_atomically
        from gyaku.plots import learning_curve
        from gyaku.plots.canvas import save

        axes = learning_curve(self)
        if path is not None:
            kind = Path(path).suffix.removeprefix(".") or "png"
            write_atomically(path, lambda stream: save(axes, stream, kind))
        return axes

    def __getitem__(self, name: str) -> list[float]:
        if name not in self._columns:
            raise KeyError(f"the history has no {name!r}, only {', '.join(self._columns)}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        last = ", ".join(f"{name} {value:.4g}" for name, value in self.last().items())
        stopped = f", stopped: {self.stopped}" if self.stopped else ""
        return f"History({self.epochs} epochs; {last or 'empty'}{stopped})"
