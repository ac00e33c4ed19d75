"""Data to train on: a data set by name, or a table, a folder of pictures or arrays of one's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.cli.columns import Columns, classes_of, learn
from gyaku.cli.parser import UsageError
from gyaku.cli.samples import numpy_arrays
from gyaku.cli.table import TABLES, Table, listed, read_table
from gyaku.data import DATASETS, image_folder
from gyaku.files import FileError
from gyaku.layers import Normalization
from gyaku.names import unknown
from gyaku.train.samples import Samples

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers import Layer

    Set = tuple[NDArray[Any], NDArray[Any]]

__all__ = ["DIGITS", "Data", "read_data"]

DIGITS = tuple(map(str, range(10)))
"""Classes of the data sets by name."""

_FEWEST = 5
_COUNTED = 10  # rows from which on a column that counts them is mentioned


class Data(NamedTuple):
    """Training and test data.

    Parameters
    ----------
    name : str
        Name of the data, the stem of the written files.
    train, test : tuple of ndarray
        Inputs and targets: class numbers, or numbers (samples, 1).
    classes : sequence of str or None
        Names of the classes; None if the targets are numbers.
    first : Layer or None
        The layer that scales the inputs; None for bytes, which models scale themselves.
    places : sequence of str
        Where each test sample comes from; () for data sets by name.
    metadata : dict
        The rule from files to inputs, which is kept with the model.
    told : str
        Description of the data, one line or more.
    """

    name: str
    train: Set
    test: Set
    classes: Sequence[str] | None
    first: Layer | None
    places: Sequence[str]
    metadata: dict[str, Any]
    told: str


def read_data(arguments: argparse.Namespace) -> Data:
    """Return the data that a command asks for.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``data``, ``dataset``, ``target``, ``ignore``, ``task``, ``drop_missing``, ``size``,
        ``test_size`` and ``seed``.

    Returns
    -------
    Data
        The data.
    """
    if not arguments.data:
        for name in ("target", "ignore", "task", "size"):
            if getattr(arguments, name):
                raise UsageError(f"--{name} goes with data of your own: gyaku train DATA --{name}")
        return _by_name(arguments.dataset)
    path = Path(arguments.data)
    if not path.exists() and arguments.data in DATASETS:
        raise UsageError(f"there is no file {path}; the data set of that name is --dataset {path}")
    path.stat()  # raise for a missing file before its suffix is judged
    if path.suffix.lower() in TABLES:
        return _of_table(path, arguments)
    for name in ("target", "ignore", "drop_missing"):
        if getattr(arguments, name):
            raise UsageError(f"--{name.replace('_', '-')} goes with tables, not with {path}")
    if path.is_dir():
        return _of_folder(path, arguments)
    if path.suffix.lower() == ".npz":
        return _of_arrays(path, arguments)
    raise FileError(
        f"{path} must be a table with a header (.csv, .tsv, .txt), a folder that holds a folder of"
        " pictures for each class, arrays x and y (.npz), or settings (.toml)"
    )


def _by_name(name: str) -> Data:
    train, test = DATASETS[name]()
    size = " x ".join(map(str, train[0].shape[1:3]))
    told = f"{name}: {len(train[0]):,} images of {size} to train on, {len(test[0]):,} to test on"
    return Data(name, train, test, DIGITS, None, (), {}, told)


def _split(path: Path, x: NDArray[Any], y: NDArray[Any], arguments: argparse.Namespace) -> Any:
    """Return the rows to train on and those to test on, with the same fraction of each class."""
    if len(x) < _FEWEST:
        raise FileError(f"{path} holds {len(x)} samples, {_FEWEST} at least are needed")
    if not 0 < arguments.test_size < 1:
        raise UsageError(f"--test-size must be between 0 and 1, got {arguments.test_size:g}")
    parts = Samples([x], [y]).split(arguments.test_size, arguments.seed, shuffle=True)
    return [part.rows for part in parts]


def _of_table(path: Path, arguments: argparse.Namespace) -> Data:
    table = read_table(path)
    headless = table.header_hint()
    if not arguments.target:
        names = listed([*table.cells])
        raise UsageError(f"--target is needed, a column of {path}: {names}{headless}")
    ignored = arguments.ignore or []
    for name in (arguments.target, *ignored):
        if name not in table.cells:
            raise UsageError(f"{path}: {unknown('column', name, table.cells)}{headless}")
    if arguments.target in ignored:
        raise UsageError(f"--ignore must not name the target, {arguments.target!r}")
    used = [name for name in table.cells if name not in ignored]
    dropped = {row for row, _ in table.missing(used)} if arguments.drop_missing else set()
    if dropped:
        table = table.only([row for row in range(len(table)) if row not in dropped])
    if not len(table):
        raise FileError(f"{path} has no row without missing values")
    table.check_complete(used, "; --drop-missing leaves such rows out")
    columns = learn(table, arguments.target, ignored, arguments.task)
    _advise_on_counter(table, columns)
    x, y = columns.encode(table), columns.targets(table)
    train, test = _split(path, x, y, arguments)
    told = [f"{path}: {len(train):,} rows to train on, {len(test):,} to test on"]
    if dropped:
        told[0] += f"; {len(dropped):,} left out, which lack a value"
    told += [_told_inputs(columns), _told_targets(arguments.target, columns.classes, y)]
    y = y if columns.classes is not None else y[:, np.newaxis]
    return Data(
        *(path.stem, (x[train], y[train]), (x[test], y[test]), columns.classes),
        first=_standard(x[train], columns.is_number),
        places=[f"line {table.lines[row]}" for row in test],
        metadata={"kind": "table", **columns.described()},
        told="\n".join(told),
    )


def _told_inputs(columns: Columns) -> str:
    numbers = [column.name for column in columns.inputs if column.categories is None]
    others = [
        f"{column.name} ({column.width})"
        for column in columns.inputs
        if column.categories is not None
    ]
    parts = [f"numbers {listed(numbers)}"] if numbers else []
    parts += [f"categories {listed(others)}"] if others else []
    return f"inputs: {'; '.join(parts)}"


def _told_targets(name: str, classes: Sequence[str] | None, y: NDArray[Any]) -> str:
    """Say what was recognised, and how to choose otherwise."""
    if classes is None:
        return (
            f"target {name}: numbers from {y.min():g} to {y.max():g}"
            " (--task classification for classes)"
        )
    return (
        f"target {name}: {len(classes)} classes, {listed(classes)} (--task regression for numbers)"
    )


def _advise_on_counter(table: Table, columns: Columns) -> None:
    """Print advice on a column that counts the rows, from which nothing can be learnt."""
    for column in columns.inputs:
        if column.categories is None and len(table) >= _COUNTED:
            numbers = np.array(table.numbers(column.name), np.float64)
            if (np.diff(numbers) == 1).all():
                print(
                    f"gyaku train: column {column.name!r} counts the rows, from {numbers[0]:g} to"
                    f" {numbers[-1]:g}; leave it out: --ignore {column.name!r}",
                    file=sys.stderr,
                )


def _standard(x: NDArray[Any], is_number: Any = True) -> Normalization:
    """Return the layer that standardises inputs, by training data; categories stay 0 and 1."""
    layer = Normalization()
    layer.adapt(x)
    mean, std = np.array(layer.mean), np.array(layer.std)
    return Normalization(
        np.where(is_number, mean, 0.0).tolist(), np.where(is_number, std, 1.0).tolist()
    )


def _of_folder(path: Path, arguments: argparse.Namespace) -> Data:
    shape = None
    if arguments.size:
        shape = (arguments.size, arguments.size, 3)
    parts = {each.name: each for each in path.iterdir() if each.is_dir()}
    if {"train", "test"} <= parts.keys():
        (x, y), classes, _ = image_folder(parts["train"], shape)
        (x_test, y_test), others, files = image_folder(parts["test"], x.shape[1:])
        if others != classes:
            raise FileError(
                f"{path} has the classes {listed(classes)} in train, but {listed(others)} in test"
            )
    else:
        (x, y), classes, files = image_folder(path, shape)
        train, test = _split(path, x, y, arguments)
        x, y, x_test, y_test = x[train], y[train], x[test], y[test]
        files = [files[row] for row in test]
    size = " x ".join(map(str, x.shape[1:3]))
    colour = "grey" if x.shape[3] == 1 else "colour"
    told = (
        f"{path}: {len(x):,} {colour} images of {size} to train on, {len(x_test):,} to test on\n"
        f"classes: {listed(classes)}"
    )
    return Data(
        *(path.resolve().name, (x, y), (x_test, y_test), classes, None),
        places=[str(file.relative_to(path)) for file in files],
        metadata={"kind": "images", "classes": classes},
        told=told,
    )


def _of_arrays(path: Path, arguments: argparse.Namespace) -> Data:
    arrays = numpy_arrays(path)
    parts: list[NDArray[Any]] = []
    names = ("x_train", "y_train", "x_test", "y_test")
    if all(name in arrays for name in names):
        x, y, x_test, y_test = (arrays[name] for name in names)
        x, y = np.concatenate([x, x_test]), np.concatenate([y, y_test])
        parts = np.split(np.arange(len(x)), [len(x) - len(x_test)])
    elif "x" in arrays and "y" in arrays:
        x, y = arrays["x"], arrays["y"]
    else:
        raise FileError(
            f"{path} holds {listed([*arrays]) or 'nothing'}; the arrays must be called x and y, or"
            f" {', '.join(names)}"
        )
    if x.dtype.kind not in "biuf" or x.ndim < 2 or len(x) != len(y):
        raise FileError(
            f"{path} must hold samples as x, (samples, ...), and as many targets as y; it has"
            f" {x.dtype} of shape {x.shape} and {y.dtype} of shape {y.shape}"
        )
    if not np.isfinite(x).all():
        raise FileError(f"{path} holds values in x that are not finite")
    x = x[..., np.newaxis] if x.ndim == 3 and x.dtype == np.uint8 else x
    y, classes = _array_targets(path, y, arguments.task)
    train, test = parts or _split(path, x, y, arguments)
    images = x.dtype == np.uint8 and x.ndim == 4
    told = (
        f"{path}: {len(train):,} samples of shape {x.shape[1:]} to train on, {len(test):,} to test"
        f" on\n{_told_targets('y', classes, y)}"
    )
    y = y if classes is not None else y[:, np.newaxis]
    return Data(
        *(path.stem, (x[train], y[train]), (x[test], y[test]), classes),
        first=None if images else _standard(x[train]),
        places=[f"row {row}" for row in test],
        metadata={"kind": "arrays", "classes": classes},
        told=told,
    )


def _array_targets(
    path: Path, y: NDArray[Any], task: str | None
) -> tuple[NDArray[Any], list[str] | None]:
    """Return class numbers and class names, or numbers and None, by the rule of tables."""
    table = _column(path, y)
    classes = classes_of(table, "y", task)
    return Columns([], "y", classes, []).targets(table), classes


def _column(path: Path, y: NDArray[Any]) -> Table:
    """Return targets as the column y of a table."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1 or y.dtype.kind not in "biufU":
        raise FileError(
            f"{path} must hold a class or a number for each sample as y, got {y.dtype} of shape"
            f" {y.shape}"
        )
    return Table(path, {"y": [str(value) for value in y.tolist()]}, list(range(len(y))))


def samples_with_targets(
    path: Path, shape: tuple[int, ...], classes: Sequence[str] | None
) -> tuple[NDArray[Any], NDArray[Any], list[str]]:
    """Read pictures or arrays, with their targets, for a model.

    Parameters
    ----------
    path : Path
        A folder that holds a folder of pictures for each class, or arrays x and y (.npz).
    shape : tuple of int
        Shape of the model's input samples.
    classes : sequence of str or None
        Names of its classes, None for numbers.

    Returns
    -------
    x, y : ndarray
        Inputs and targets: class numbers, or numbers (samples,).
    places : list of str
        Where each sample comes from.

    Raises
    ------
    FileError
        If the samples do not fit the model, or a class is another.
    """
    if path.is_dir():
        (x, y), names, files = image_folder(path, shape)  # type: ignore[arg-type]
        table = _column(path, np.array(names)[y])
        places = [str(file.relative_to(path)) for file in files]
    else:
        arrays = numpy_arrays(path)
        if not {"x", "y"} <= arrays.keys():
            raise FileError(f"{path} must hold arrays x and y, or be a folder of pictures")
        x, table = arrays["x"], _column(path, arrays["y"])
        places = [f"row {row}" for row in range(len(x))]
        if x.shape[1:] != shape and (*x.shape[1:], 1) == shape:
            x = x[..., np.newaxis]
        if x.shape[1:] != shape or len(table) != len(x):
            raise FileError(
                f"{path} holds x of shape {x.shape} and {len(table)} targets, the model takes"
                f" samples of shape {shape}"
            )
    return x, Columns([], "y", classes, []).targets(table), places
