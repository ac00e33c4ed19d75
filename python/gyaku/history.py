"""What a training did: loss and metrics, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os

__all__ = ["History"]


class History(Mapping[str, list[float]]):
    """Loss and metrics of a training, by name, one number an epoch.

    Parameters
    ----------
    samples : int
        The number of samples of an epoch.

    Attributes
    ----------
    epochs : int
        The number of epochs that were finished.
    seconds : list of float
        How long each epoch took, validation included.
    samples : int
        The number of samples of an epoch.
    stopped : str or None
        Why the training ended before its last epoch; None if it did not.

    Notes
    -----
    Names that begin with ``val_`` belong to the validation data; where these were not looked at
    the number is NaN. ``pandas.DataFrame(history)`` is a table with one row an epoch.

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
            A number for each of the epochs, the same names each time.
        seconds : float
            How long they took together.
        """
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        added = self.epochs - len(self.seconds)
        self.seconds.extend([seconds / max(1, added)] * added)

    @property
    def epochs(self) -> int:
        """The number of epochs that were finished."""
        return max(map(len, self._columns.values()), default=0)

    def last(self) -> dict[str, float]:
        """Return the numbers of the last epoch.

        Returns
        -------
        dict of str to float
            A number for each name.
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
