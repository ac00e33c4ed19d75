"""Histories of trainings: loss and metrics, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gyaku.table import Table

if TYPE_CHECKING:
    import os
    from typing import Any, Literal, NoReturn

    from matplotlib.axes import Axes

__all__ = ["Comparison", "History"]

_SHOWN = 10  # most epochs in a printed table; of more, the first and the last ones


class History(Mapping[str, list[float]]):
    """Loss and metrics of a training, by name, one value an epoch.

    Parameters
    ----------
    samples : int
        Number of samples in an epoch.
    initial_epoch : int
        Index of the first epoch, from which tables and pictures count.

    Attributes
    ----------
    epochs : int
        Number of finished epochs.
    seconds : list of float
        Time of each epoch, with its validation.
    samples : int
        Number of samples in an epoch.
    initial_epoch : int
        Index of the first epoch.
    stopped : str or None
        Reason of an end before the last epoch; None without.
    settings : dict of str to object
        Settings of the training, texts and numbers by name: ``"optimizer"``, ``"loss"``,
        ``"epochs"``, ``"batch_size"``, ``"seed"``, the time when it was ``"begun"``, and others
        that differ from the defaults; empty for a history that no `fit` made.

    Notes
    -----
    Names that begin with ``val_`` belong to the validation data, with NaN for epochs without
    validation. A history prints as a table, in notebooks too; ``pandas.DataFrame(history)`` has one
    row an epoch.

    Examples
    --------
    >>> history = History(samples=4)
    >>> history.extend({"loss": [0.5, 0.25]}, seconds=0.1)
    >>> history["loss"], history.epochs
    ([0.5, 0.25], 2)
    >>> history
    2 epochs of 4 samples
    epoch  loss  seconds  samples/s
    -----  ----  -------  ---------
    1       0.5     0.05         80
    2      0.25     0.05         80
    >>> History.from_json(history.to_json()) == history
    True
    """

    def __init__(self, samples: int = 0, initial_epoch: int = 0) -> None:
        self._columns: dict[str, list[float]] = {}
        self.samples, self.initial_epoch = samples, initial_epoch
        self.seconds: list[float] = []
        self.stopped: str | None = None
        self.settings: dict[str, Any] = {}

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

    @property
    def _numbers(self) -> range:
        """Numbers of the epochs, from 1."""
        return range(self.initial_epoch + 1, self.initial_epoch + self.epochs + 1)

    @property
    def samples_per_second(self) -> list[float]:
        """Number of samples a second in each epoch, with its validation."""
        return [self.samples / max(each, 1e-9) for each in self.seconds]

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
        for epoch, *values in zip(
            self._numbers, *self._columns.values(), self.seconds, strict=True
        ):
            rows.append([str(epoch), *(repr(float(value)) for value in values)])
        text = "".join(",".join(row) + "\n" for row in rows)
        write_atomically(path, lambda stream: stream.write(text.encode()))

    def to_dict(self) -> dict[str, Any]:
        """Return all there is, as JSON values but for NaN and infinity.

        Returns
        -------
        dict
            ``columns``, ``seconds``, ``samples``, ``initial_epoch``, ``stopped`` and ``settings``.
        """
        return {
            "columns": {name: list(values) for name, values in self._columns.items()},
            "seconds": list(self.seconds),
            "samples": self.samples,
            "initial_epoch": self.initial_epoch,
            "stopped": self.stopped,
            "settings": dict(self.settings),
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> History:
        """Return the history of a result of `to_dict`.

        Parameters
        ----------
        given : mapping of str to object
            The result.

        Returns
        -------
        History
            The history.
        """
        history = cls(given["samples"], given.get("initial_epoch", 0))
        history._columns = {name: list(values) for name, values in given["columns"].items()}
        history.seconds, history.stopped = list(given["seconds"]), given["stopped"]
        history.settings = dict(given.get("settings", {}))
        return history

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the history as JSON, with NaN as null and infinity as text.

        Parameters
        ----------
        path : str or path-like, optional
            A file to write, too.

        Returns
        -------
        str
            The JSON text.
        """
        import json

        from gyaku.files import write_atomically

        known = self.to_dict()
        known["columns"] = {
            name: [_to_json(value) for value in values] for name, values in known["columns"].items()
        }
        text = json.dumps(known, allow_nan=False)
        if path is not None:
            write_atomically(path, lambda stream: stream.write(text.encode()))
        return text

    @classmethod
    def from_json(cls, text: str | os.PathLike[str]) -> History:
        """Return the history of a result of `to_json`.

        Parameters
        ----------
        text : str or path-like
            The JSON text, or its file.

        Returns
        -------
        History
            The history.

        Raises
        ------
        ValueError
            If it is no history.
        """
        import json
        from pathlib import Path

        if not isinstance(text, str) or not text.lstrip().startswith("{"):
            text = Path(text).read_text(encoding="utf-8")
        try:
            known = json.loads(text)
            known["columns"] = {
                name: [math.nan if value is None else float(value) for value in values]
                for name, values in known["columns"].items()
            }
            return cls.from_dict(known)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"from_json: this is no history ({error!r})") from None

    @staticmethod
    def compare(histories: Mapping[str, History]) -> Comparison:
        """Return a comparison of several trainings.

        Parameters
        ----------
        histories : mapping of str to History
            The histories by name.

        Returns
        -------
        Comparison
            A table with a row for each, the best training marked; its `plot` draws them.
        """
        return Comparison(histories)

    def to_pandas(self) -> Any:
        """Return a pandas table with one row an epoch.

        Returns
        -------
        pandas.DataFrame
            Loss, metrics and seconds; the index counts the epochs.

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
        epochs = pd.RangeIndex(self._numbers.start, self._numbers.stop, name="epoch")
        return pd.DataFrame({**self._columns, "seconds": self.seconds}, index=epochs)

    def plot(self, path: str | os.PathLike[str] | None = None, **options: Any) -> Axes:
        """Draw the learning curve.

        Parameters
        ----------
        path : str or path-like, optional
            File of the picture, in the format of its suffix, by default PNG.
        **options : object
            Further arguments of `gyaku.plots.learning_curve`, such as ``lang="ja"``.

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

        axes = learning_curve(self, **options)
        if path is not None:
            kind = Path(path).suffix.removeprefix(".") or "png"
            write_atomically(path, lambda stream: save(axes, stream, kind))
        return axes

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        model: Any = None,
        data: tuple[object, object] | None = None,
        diagnosis: Any = None,
        names: Sequence[str] | None = None,
        title: str | None = None,
        count: int = 40,
        lang: Literal["en", "ja"] = "en",
    ) -> None:
        """Write a report of the training: one HTML file that needs nothing else.

        Parameters
        ----------
        path : str or path-like
            The file, such as ``"run.html"``; an old one is replaced whole or not at all.
        model : Model, optional
            The model, whose layers are listed.
        data : tuple of array_like, optional
            Inputs and targets to test it on, (x, y): for a classifier, the confusion matrix and the
            samples that are wrong; for numbers, predictions against targets, and residuals.
        diagnosis : Diagnosis, optional
            Findings of the doctor; by default those of `gyaku.diagnose` on `data`, with this
            history.
        names : sequence of str, optional
            Names of the classes; by default their numbers.
        title : str, optional
            Title of the page; by default the name of the model.
        count : int
            Largest number of wrong samples to show.
        lang : {"en", "ja"}
            Language of the page.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If data or arguments are invalid.
        TypeError
            If one of them is of the wrong kind.

        Notes
        -----
        The page holds settings, curves and values of the epochs, layers, results on the data,
        findings, and versions and processor of this machine. It runs no script, asks for no other
        file, and prints on A4.

        Examples
        --------
        >>> history = History(samples=4)
        >>> history.extend({"loss": [0.5, 0.25]}, seconds=0.1)
        >>> history.report("run.html", title="A small training")
        >>> with open("run.html", encoding="utf-8") as page:
        ...     page.read().count("<polyline")
        1
        """
        from importlib import import_module  # a report stands on the doctor, and on histories

        import_module("gyaku.report").write(
            *(self, path),
            model=model,
            data=data,
            diagnosis=diagnosis,
            names=names,
            title=title,
            count=count,
            lang=lang,
        )

    def __getitem__(self, name: str) -> list[float]:
        if name not in self._columns:
            raise KeyError(f"the history has no {name!r}, only {', '.join(self._columns)}")
        return self._columns[name]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            from gyaku.names import hint

            close = hint(name, [each for each in dir(type(self)) if not each.startswith("_")])
            if name in vars(self).get("_columns", ()):
                close = f"; its values are history[{name!r}]"
            raise AttributeError(f"History has no attribute {name!r}{close}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> Table:
        columns = [*self._columns.values(), self.seconds, self.samples_per_second]
        rows = [
            [str(epoch), *map(_short, values)]
            for epoch, *values in zip(self._numbers, *columns, strict=True)
        ]
        if len(rows) > _SHOWN:
            half = _SHOWN // 2
            rows = [*rows[:half], ["..."] + ["..."] * len(columns), *rows[-half:]]
        count = f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"
        return Table(
            f"{count} of {self.samples:,} samples",
            ["epoch", *self._columns, "seconds", "samples/s"],
            rows,
            f"stopped: {self.stopped}" if self.stopped else "",
        )


class Comparison:
    """Several trainings side by side; the result of `History.compare`.

    Parameters
    ----------
    histories : mapping of str to History
        The histories by name.

    Raises
    ------
    ValueError
        If there are none.
    TypeError
        If one is no history.

    Notes
    -----
    Each training has the values of its best epoch, that of the smallest validation loss, or loss if
    one has no validation. The best training is marked ``*``.

    Examples
    --------
    >>> fast, slow = History(samples=4), History(samples=4)
    >>> fast.extend({"loss": [0.5, 0.25]}, seconds=0.1)
    >>> slow.extend({"loss": [0.9, 0.6]}, seconds=0.4)
    >>> Comparison({"Adam": fast, "SGD": slow})
    training  best epoch  loss  epochs  seconds  samples/s
    --------  ----------  ----  ------  -------  ---------
    Adam *             2  0.25       2      0.1         80
    SGD                2   0.6       2      0.4         20
    """

    def __init__(self, histories: Mapping[str, History]) -> None:
        if not isinstance(histories, Mapping):
            raise TypeError(
                "compare: histories must be a dict of names to histories, got"
                f" {type(histories).__name__}"
            )
        if not histories:
            raise ValueError("compare: give one history or more, by name")
        for name, each in histories.items():
            if not isinstance(each, History):
                raise TypeError(f"compare: {name!r} is no History, but {type(each).__name__}")
        self.histories = dict(histories)

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()

    def _table(self) -> Table:
        names = list(dict.fromkeys(name for each in self.histories.values() for name in each))
        loss = self._loss
        best = {name: _best_epoch(each, loss) for name, each in self.histories.items()}
        known = {
            name: self.histories[name][loss][at]
            for name, at in best.items()
            if at >= 0 and loss in self.histories[name]
        }
        winner = min(known, key=lambda name: known[name]) if known else ""
        rows = []
        for name, each in self.histories.items():
            at = best[name]
            values = [_short(each[n][at]) if at >= 0 and n in each else "" for n in names]
            rate = each.samples * each.epochs / max(sum(each.seconds), 1e-9)
            mark = " *" if name == winner and len(known) > 1 else ""
            place = str(each._numbers[at]) if at >= 0 else ""
            total = [str(each.epochs), _short(sum(each.seconds)), _short(rate)]
            rows.append([name + mark, place, *values, *total])
        heading = ["training", "best epoch", *names, "epochs", "seconds", "samples/s"]
        return Table("", heading, rows)

    @property
    def _loss(self) -> str:
        """Name of the loss that decides: that of the validation if all with epochs have one."""
        trained = [each for each in self.histories.values() if each.epochs]
        return "val_loss" if trained and all("val_loss" in each for each in trained) else "loss"

    def plot(self, name: str = "", **options: Any) -> Axes:
        """Draw a quantity of all trainings over the epochs.

        Parameters
        ----------
        name : str
            The loss or metric, by default the validation loss, or the loss without a validation.
        **options : object
            Further arguments of `gyaku.plots.curves`.

        Returns
        -------
        matplotlib.axes.Axes
            The axes, which a notebook shows.

        Raises
        ------
        KeyError
            If a training has no such quantity.
        """
        from gyaku.plots import curves

        name = name or self._loss
        values = {}
        for run, each in self.histories.items():
            points = zip(each._numbers, each[name], strict=True)
            known = [(n, v) for n, v in points if math.isfinite(v)]
            values[run] = tuple(zip(*known, strict=True)) if known else ((), ())
        return curves(values, **{"xlabel": "Epoch", "ylabel": name, **options})


def _best_epoch(history: History, loss: str) -> int:
    """Return the index of the best epoch, -1 if there is none."""
    if loss not in history:  # that of a perceptron
        return history.epochs - 1
    known = [(value, n) for n, value in enumerate(history[loss]) if math.isfinite(value)]
    return min(known, default=(0.0, -1))[1]


def _short(value: float) -> str:
    """Return a number with four digits, those of up to ten digits as whole ones."""
    if math.isnan(value):
        return ""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e10 else f"{value:.4g}"


def _to_json(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else repr(value)
