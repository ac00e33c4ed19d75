"""The argument parser: help pages with their own layout, errors in one sentence."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from gyaku.names import suggestion, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

__all__ = ["Parser", "UsageError", "fraction", "name_of", "no_argument", "positive", "whole"]


# Options of other commands, libraries and people, by meaning.
_MEANT = {
    "bs": "batch-size",
    "classes": "task",
    "csv": "output",
    "device": "threads",
    "fast": "model",
    "hidden-layers": "hidden",
    "iterations": "epochs",
    "jobs": "threads",
    "label": "target",
    "layers": "hidden",
    "lr": "learning-rate",
    "n-epochs": "epochs",
    "num-epochs": "epochs",
    "num-threads": "threads",
    "out": "output",
    "rate": "learning-rate",
    "save": "output",
    "units": "hidden",
    "val-split": "test-size",
    "validation-split": "test-size",
    "workers": "threads",
    "y": "target",
}


def no_argument(given: str, known: Iterable[str]) -> str:
    """Return the sentence about an argument that does not exist.

    Parameters
    ----------
    given : str
        The argument.
    known : iterable of str
        The options of the command.

    Returns
    -------
    str
        The sentence, with the option that is probably meant.
    """
    name, names = given.split("=")[0].lstrip("-").replace("_", "-").lower(), sorted(known)
    for meant in (name, _MEANT.get(name, "")):
        if f"--{meant}" in names:
            return f"there is no argument {given!r}, did you mean '--{meant}'?"
    hint = suggestion(f"--{name}", names) if given.startswith("-") else ""
    return f"there is no argument {given!r}{hint}"


class UsageError(Exception):
    """Wrong usage of a command, found after its arguments were parsed."""


class Parser(argparse.ArgumentParser):
    """Argument parser that keeps the layout of its texts, with errors in one sentence.

    Parameters
    ----------
    *args, **options
        Those of `argparse.ArgumentParser`.
    """

    def __init__(self, *args: object, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def long_options(self, *, flags: bool | None = None) -> list[str]:
        """Return the options of two hyphens.

        Parameters
        ----------
        flags : bool, optional
            Whether those without a value alone, or those with one; by default both.

        Returns
        -------
        list of str
            Such as ``--epochs``.
        """
        actions = [each for each in self._actions if flags in (None, each.nargs == 0)]
        names = (name for action in actions for name in action.option_strings)
        return [name for name in names if name.startswith("--")]

    def error(self, message: str) -> NoReturn:
        """Exit with code 2.

        Parameters
        ----------
        message : str
            The error.
        """
        sentence = message.removeprefix("argument ")
        self.exit(2, f"{self.prog}: {sentence} (see '{self.prog} --help')\n")


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return the converter of an integer argument.

    Parameters
    ----------
    least : int
        Smallest valid value.
    most : int, optional
        Largest valid value.

    Returns
    -------
    callable
        Converter from text to integer.
    """

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least or (most is not None and value > most):
            limits = f"of at least {least}" if most is None else f"from {least} to {most}"
            if "," in text:
                apart = " ".join(text.split(","))
                limits += f", and further ones behind spaces, as in {apart}"
            raise argparse.ArgumentTypeError(f"must be a whole number {limits}, got {text!r}")
        return value

    return read


def positive(text: str) -> float:
    """Convert text to a positive number.

    Parameters
    ----------
    text : str
        The argument.

    Returns
    -------
    float
        The number.
    """
    return _real(text, lambda value: value > 0, "a positive number")


def fraction(text: str) -> float:
    """Convert text to a number from 0 to below 1.

    Parameters
    ----------
    text : str
        The argument.

    Returns
    -------
    float
        The number.
    """
    return _real(text, lambda value: 0 <= value < 1, "a number from 0 to below 1")


def _real(text: str, fits: Callable[[float], bool], wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and fits(value)):
        raise argparse.ArgumentTypeError(f"must be {wanted}, got {text!r}")
    return value


def name_of(kind: str, names: Iterable[str]) -> Callable[[str], str]:
    """Return the converter of an argument that is one of several names.

    Parameters
    ----------
    kind : str
        Kind of the named things, for the error.
    names : iterable of str
        Known names.

    Returns
    -------
    callable
        Converter from text to name; ``leaky-relu`` is taken for ``leaky_relu``.
    """
    known = sorted(names)

    def read(text: str) -> str:
        name = text.lower().replace("-", "_")
        if name not in known:
            raise argparse.ArgumentTypeError(unknown(kind, text, known))
        return name

    return read
