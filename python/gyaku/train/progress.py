"""Progress display of a training: a bar, or a line an epoch."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from gyaku.components import Documented
from gyaku.terminal import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

__all__ = ["Bar", "Lines", "Progress", "progress"]

_LINES = 200
"""Largest number of epochs with a line each; of more, about half as many lines are shown."""
_BAR = 8
"""Least width of the bar, in a line that is shared with metrics."""
_LEFT, _RATE = len(" 1:00:00 left,"), len(" 99.9k samples/s,")
_VALIDATED = "val_"


class Progress(Documented):
    """No display; base of the others.

    Parameters
    ----------
    epochs : int
        Number of epochs.
    samples : int
        Number of samples in an epoch, 0 if it is unknown yet.
    """

    def __init__(self, epochs: int, samples: int) -> None:
        self.epochs = epochs
        self.samples = samples

    def start(self, seen: int) -> None:
        """Begin behind the steps of an earlier training.

        Parameters
        ----------
        seen : int
            Number of samples in these steps.
        """

    def update(self, seen: int, epoch: int, logs: Callable[[], Mapping[str, float]]) -> None:
        """Show the progress within an epoch.

        Parameters
        ----------
        seen : int
            Number of samples in all steps so far.
        epoch : int
            Number of the present epoch, from 1.
        logs : callable
            Function that returns loss and metrics of the current epoch so far.
        """

    def finish(self, epochs: range, columns: Mapping[str, Sequence[float]], seconds: float) -> None:
        """Show finished epochs.

        Parameters
        ----------
        epochs : range
            Their indices, from 0.
        columns : mapping of str to sequence of float
            Loss and metrics of each.
        seconds : float
            Time of each.
        """

    def note(self, text: str) -> None:
        """Show a remark about the training.

        Parameters
        ----------
        text : str
            The remark; nothing is shown if it is empty.
        """

    def close(self) -> None:
        """Close the display."""


class Lines(Progress):
    """A line an epoch, or every n-th epoch of very many.

    Parameters
    ----------
    epochs : int
        Number of epochs.
    samples : int
        Number of samples in an epoch.
    """

    def finish(self, epochs: range, columns: Mapping[str, Sequence[float]], seconds: float) -> None:
        """Print the lines; see `Progress.finish`."""
        every = 1 if self.epochs <= _LINES else 2 * self.epochs // _LINES
        rate = f"{self.samples / max(seconds, 1e-9):,.0f} samples/s"
        for index, epoch in enumerate(epochs):
            if (epoch + 1) % every == 0 or epoch + 1 == self.epochs:
                logs = {name: values[index] for name, values in columns.items()}
                print(
                    f"epoch {epoch + 1}/{self.epochs}  {_numbers(logs, '  ')}  {rate}", flush=True
                )

    def note(self, text: str) -> None:
        """Print the remark; see `Progress.note`."""
        if text:
            print(text, flush=True)


class Bar(Progress):
    """A bar over the whole training, with loss, metrics, samples per second and remaining time.

    Parameters
    ----------
    epochs : int
        Number of epochs.
    samples : int
        Number of samples in an epoch.
    """

    def __init__(self, epochs: int, samples: int) -> None:
        super().__init__(epochs, samples)
        self._last: dict[str, float] = {}
        self._is_whole = True  # all metrics are in the line
        self._bar = _tqdm()(
            total=epochs * samples or None, unit=" samples", unit_scale=True, bar_format=_line(2)
        )
        self._lay_out(1)

    def _lay_out(self, epoch: int) -> None:
        """Fit bar, metrics, time and rate into the terminal, in descending order of importance."""
        width = 0 if _in_notebook() else columns(sys.stderr)
        count = f"{epoch}/{self.epochs}"
        room = width - len(count) - len(": 100%||") - _BAR
        long, short = _numbers(self._last, ", "), _paired(self._last)
        for text, label, more in (
            *((long, "epoch ", 2), (long, "epoch ", 1), (short, "", 1), (short, "", 0)),
        ):
            needed = len(label) + len(text) + (0, _LEFT, _LEFT + _RATE)[more] + 2
            if not width or needed <= room:
                break
        else:
            text = _fitting(self._last, room - 2)
        self._is_whole = text in (long, short)
        self._bar.ncols = width or None
        self._bar.bar_format = _line(more)
        self._bar.set_description_str(label + count, refresh=False)
        self._bar.set_postfix_str(text, refresh=False)

    def start(self, seen: int) -> None:
        """Begin in the middle; see `Progress.start`."""
        self._bar.initial = self._bar.n = seen

    def update(self, seen: int, epoch: int, logs: Callable[[], Mapping[str, float]]) -> None:
        """Move the bar; see `Progress.update`."""
        self._last.update(logs())
        self._lay_out(max(1, epoch))
        self._bar.update(seen - self._bar.n)

    def finish(self, epochs: range, columns: Mapping[str, Sequence[float]], seconds: float) -> None:
        """Show loss and metrics of the last one; see `Progress.finish`."""
        self._bar.total = self.epochs * self.samples
        self._last = {name: values[-1] for name, values in columns.items()}
        self._lay_out(epochs[-1] + 1)

    def close(self) -> None:
        """Keep the bar on the screen, and all metrics below it if they do not fit beside it."""
        self._bar.refresh()
        self._bar.close()
        if not self._is_whole:
            from textwrap import fill

            text = _numbers(self._last, ", ")
            print(fill(text, max(20, columns(sys.stderr) - 1)), file=sys.stderr)


def _line(more: int) -> str:
    """Return tqdm's format of a line, with time left and rate behind the bar."""
    behind = ("", " {remaining} left", " {remaining} left, {rate_fmt}")[more]
    # tqdm's counts are left out, so that loss and metrics fit into a terminal.
    return "{desc}: {percentage:3.0f}%|{bar}|" + behind + "{postfix}"


def _paired(logs: Mapping[str, float]) -> str:
    """Return each metric with that of the validation data behind it, whose name is left out."""
    parts = []
    for name, value in logs.items():
        if name.startswith(_VALIDATED) and name.removeprefix(_VALIDATED) in logs:
            continue
        pair = {name: value, "val": logs.get(_VALIDATED + name, math.nan)}
        parts.append(_numbers(pair, " "))
    return ", ".join(filter(None, parts))


def _fitting(logs: Mapping[str, float], room: int) -> str:
    """Return as many metrics as fit, none of them cut."""
    text = ""
    for name, value in logs.items():
        longer = ", ".join(filter(None, [text, _numbers({name: value}, "")]))
        if len(longer) > room:
            break
        text = longer
    return text


def _numbers(logs: Mapping[str, float], between: str) -> str:
    shown = {name: value for name, value in logs.items() if not math.isnan(value)}
    return between.join(f"{name} {value:.4g}" for name, value in shown.items())


def _in_notebook() -> bool:
    """Return whether this is a notebook, whose output is neither a terminal nor redirected."""
    shell = sys.modules.get("IPython")
    shell = shell.get_ipython() if shell else None
    return type(shell).__name__ == "ZMQInteractiveShell"


def _tqdm() -> Any:
    """Return the class of the bar: that of notebooks only if ipywidgets is installed."""
    from importlib.util import find_spec

    if _in_notebook() and find_spec("ipywidgets"):
        from tqdm.notebook import tqdm_notebook

        return tqdm_notebook
    from tqdm import tqdm

    return tqdm


def progress(verbose: int | str) -> type[Progress]:
    """Return the progress display of `fit`.

    Parameters
    ----------
    verbose : {0, 1, 2, "auto"}
        Nothing, a bar, or a line an epoch; "auto" is a bar in a terminal or a notebook, and lines
        where the output is redirected.

    Returns
    -------
    type
        The class; its arguments are the numbers of epochs and of samples in each.

    Raises
    ------
    ValueError
        If `verbose` is none of these.
    """
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f"fit: verbose must be 0, 1, 2 or 'auto', got {verbose!r}")
    if verbose == "auto":
        terminal = sys.stderr.isatty() and sys.stdout.isatty()
        verbose = 1 if terminal or _in_notebook() else 2
    return (Progress, Bar, Lines)[int(verbose)]
