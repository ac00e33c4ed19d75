"""Columns of tables as inputs and targets: numbers, categories and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.cli.table import Table, as_number, listed
from gyaku.files import FileError
from gyaku.names import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Column", "Columns", "class_names", "classes_of", "learn"]

_MOST_CLASSES = 20
"""Largest number of different whole numbers that are taken for classes."""
_MOST_CATEGORIES = 256
_FEW = 20
"""Number of different texts that may be categories, however few rows there are."""


class Column(NamedTuple):
    """Column of inputs.

    Parameters
    ----------
    name : str
        Its name.
    categories : sequence of str or None
        The texts, each of which becomes an input of 0 or 1; None for a column of numbers, which is
        one input.
    """

    name: str
    categories: Sequence[str] | None

    @property
    def width(self) -> int:
        """Number of inputs."""
        return 1 if self.categories is None else len(self.categories)


class Columns:
    """Rule from tables to arrays, which is kept with a model.

    Parameters
    ----------
    inputs : sequence of Column
        The columns of the inputs, in the model's order.
    target : str
        Name of the column of the targets.
    classes : sequence of str or None
        Names of the classes; None if the targets are numbers.
    ignored : sequence of str
        Columns that are neither.
    """

    def __init__(
        self,
        inputs: Sequence[Column],
        target: str,
        classes: Sequence[str] | None,
        ignored: Sequence[str],
    ) -> None:
        self.inputs, self.target, self.classes, self.ignored = inputs, target, classes, ignored

    def described(self) -> dict[str, Any]:
        """Return the rule as JSON values.

        Returns
        -------
        dict
            The arguments of the constructor.
        """
        return {
            "inputs": [list(column) for column in self.inputs],
            "target": self.target,
            "classes": self.classes,
            "ignored": list(self.ignored),
        }

    @classmethod
    def restored(cls, description: Mapping[str, Any]) -> Columns:
        """Return the rule of a description.

        Parameters
        ----------
        description : mapping
            Result of `described`.

        Returns
        -------
        Columns
            The rule.
        """
        inputs = [Column(*each) for each in description["inputs"]]
        return cls(inputs, *(description[key] for key in ("target", "classes", "ignored")))

    @property
    def is_number(self) -> NDArray[np.bool_]:
        """Whether each input is a number, rather than a category."""
        kinds = [column.categories is None for column in self.inputs]
        return np.repeat(kinds, [column.width for column in self.inputs])

    def check_names(self, table: Table) -> list[str]:
        """Return columns that the model does not use; raise if one that it needs is missing.

        Parameters
        ----------
        table : Table
            A table with its columns in any order.

        Returns
        -------
        list of str
            Names that are neither inputs nor target, and were no columns of the training data.

        Raises
        ------
        FileError
            If a column of the inputs is missing.
        """
        needed = [column.name for column in self.inputs]
        known = {*needed, self.target, *self.ignored}
        more = [name for name in table.cells if name not in known]
        lacking = [name for name in needed if name not in table.cells]
        if lacking:
            hint = suggestion(lacking[0], more).replace("did you mean", "is it")
            raise FileError(
                f"{table.path} lacks the column{'s' * (len(lacking) > 1)}"
                f" {listed([*map(repr, lacking)])}{hint or ', which the model takes'}"
            )
        return more

    def encode(self, table: Table) -> NDArray[np.float64]:
        """Return the inputs of a table.

        Parameters
        ----------
        table : Table
            The table, without missing values.

        Returns
        -------
        ndarray
            The inputs, (rows, inputs).

        Raises
        ------
        FileError
            If a text stands for no number, or is none of the categories.
        """
        parts = [_encoded(table, column) for column in self.inputs]
        return np.concatenate(parts, axis=1)

    def targets(self, table: Table) -> NDArray[Any]:
        """Return the targets of a table.

        Parameters
        ----------
        table : Table
            The table, without missing values.

        Returns
        -------
        ndarray
            Class numbers, int64, or numbers, float64, both (rows,).

        Raises
        ------
        FileError
            If a text stands for no number, or is none of the classes.
        """
        if self.classes is None:
            return _encoded(table, Column(self.target, None))[:, 0]
        texts = class_names(table.column(self.target), table.numbers(self.target))
        return _places(table, self.target, texts, self.classes)


def _encoded(table: Table, column: Column) -> NDArray[np.float64]:
    if column.categories is not None:
        texts = table.column(column.name)
        places = _places(table, column.name, texts, column.categories)
        encoded: NDArray[np.float64] = np.eye(column.width)[places]
        return encoded
    numbers = table.numbers(column.name)
    if None in numbers:
        row = numbers.index(None)
        raise FileError(
            f"{table.path} holds {table.column(column.name)[row]!r} in column {column.name!r} in"
            f" line {table.lines[row]}, which must be a finite number"
        )
    return np.array(numbers, np.float64)[:, np.newaxis]


def _places(
    table: Table, name: str, texts: Sequence[str], known: Sequence[str]
) -> NDArray[np.int64]:
    """Return the index of each text among the known ones."""
    index = {text: place for place, text in enumerate(known)}
    for row, text in enumerate(texts):
        if text not in index:
            raise FileError(
                f"{table.path} holds {text!r} in column {name!r}, line {table.lines[row]}, known"
                f" there are {listed(known)}"
            )
    return np.array([index[text] for text in texts], np.int64)


def class_names(texts: Sequence[str], numbers: Sequence[float | None]) -> list[str]:
    """Return the class of each row as a text, in which 3, 3.0 and 03 are the same.

    Parameters
    ----------
    texts : sequence of str
        The cells.
    numbers : sequence of float or None
        Their numbers.

    Returns
    -------
    list of str
        The names; whole numbers are written without a point.
    """
    truth = {text.lower() for text in texts} <= {"true", "false"}
    if truth or not all(number is not None and number.is_integer() for number in numbers):
        return list(texts)
    return [str(int(number)) for number in numbers if number is not None]


def learn(
    table: Table, target: str, ignored: Sequence[str] = (), task: str | None = None
) -> Columns:
    """Find out what the columns of a table are.

    Parameters
    ----------
    table : Table
        All rows, without missing values.
    target : str
        Name of the column of the targets.
    ignored : sequence of str
        Columns to leave out.
    task : {None, "classification", "regression"}
        Kind of the targets; by default classes if they are texts, or at most 20 different whole
        numbers.

    Returns
    -------
    Columns
        The rule: a column in which every text is a number is an input; of any other column, each
        text is an input of 0 or 1.

    Raises
    ------
    FileError
        If a column does not exist, holds too many different texts, or numbers and texts mixed.
    """
    for name in (target, *ignored):
        table.column(name)
    inputs = [
        Column(name, _categories(table, name))
        for name in table.cells
        if name != target and name not in ignored
    ]
    if not inputs:
        raise FileError(f"{table.path} has no columns but {target!r} and those to ignore")
    return Columns(inputs, target, classes_of(table, target, task), ignored)


def classes_of(table: Table, target: str, task: str | None = None) -> list[str] | None:
    """Find out whether targets are classes or numbers.

    Parameters
    ----------
    table : Table
        All rows, without missing values.
    target : str
        Name of the column of the targets.
    task : {None, "classification", "regression"}
        Kind of the targets, if it is given; see `learn`.

    Returns
    -------
    list of str or None
        Names of the classes, numbers in their order and then texts in theirs; None for numbers.

    Raises
    ------
    FileError
        If there is one class only, or far too many.
    """
    numbers = table.numbers(target)
    found = set(class_names(table.column(target), numbers))
    all_numbers = None not in numbers
    whole = all(number is not None and number.is_integer() for number in numbers)
    if task == "regression" or (
        task is None and all_numbers and not (whole and len(found) <= _MOST_CLASSES)
    ):
        return None
    if len(found) < 2:
        raise FileError(
            f"{table.path} holds {found.pop()!r} alone in column {target!r}, nothing to tell apart"
        )
    if len(found) > max(_FEW, len(table) // 2):
        raise FileError(
            f"{table.path} holds {len(found):,} different texts in {len(table):,} rows of column"
            f" {target!r}, too many for classes"
        )
    return sorted(found, key=_order)


def _order(name: str) -> tuple[bool, float, str]:
    number = as_number(name)
    return number is None, number or 0.0, name


def _categories(table: Table, name: str) -> list[str] | None:
    """Return the categories of a column, None for numbers."""
    numbers = table.numbers(name)
    texts = table.column(name)
    others = [row for row, number in enumerate(numbers) if number is None]
    if not others:
        return None
    found = sorted(set(texts))
    if len(found) > _FEW and len(others) < len(table) / 2:
        raise FileError(
            f"{table.path} holds numbers in column {name!r}, but {texts[others[0]]!r} in line"
            f" {table.lines[others[0]]}; correct it, or leave the column out: --ignore {name!r}"
        )
    if len(found) > max(_FEW, min(_MOST_CATEGORIES, len(table) // 2)):
        raise FileError(
            f"{table.path} holds {len(found):,} different texts in {len(table):,} rows of column"
            f" {name!r}, too many for categories; leave the column out: --ignore {name!r}"
        )
    return found
