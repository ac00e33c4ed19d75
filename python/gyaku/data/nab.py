"""Series of the Numenta Anomaly Benchmark, from a folder of this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from gyaku.data.folders import data_folders
from gyaku.data.lines import read_lines
from gyaku.data.series import Series
from gyaku.files import FileError

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["nab"]

_LABELS = "combined_windows.json"


def nab(name: str, *, folder: str | os.PathLike[str] | None = None) -> Series:
    """Read a series of the Numenta Anomaly Benchmark with its labelled anomalies.

    Parameters
    ----------
    name : str
        The series, such as ``"machine_temperature_system_failure"``,
        ``"ambient_temperature_system_failure"`` or ``"nyc_taxi"``.
    folder : str or path-like, optional
        Folder with ``<name>.csv``, gzipped or not, and the labels, ``combined_windows.json``; by
        default ``$GYAKU_DATA/nab``.

    Returns
    -------
    Series
        Times to the second, values, and the first and last time of each labelled window. Times are
        as in the file, gaps and repetitions included (`windows` finds them).

    Raises
    ------
    FileNotFoundError
        If a file is not on this machine: https://github.com/numenta/NAB has them.
    FileError
        If one is not of the benchmark's format, with the line.

    References
    ----------
    .. [1] S. Ahmad, A. Lavin, S. Purdy, Z. Agha, *Unsupervised Real-Time Anomaly Detection for
       Streaming Data*, Neurocomputing 262, 2017.

    Examples
    --------
    >>> taxi = nab("nyc_taxi")  # doctest: +SKIP
    >>> len(taxi.values), taxi.anomalies.shape  # doctest: +SKIP
    (10320, (5, 2))
    """
    time, values = _samples(_found(folder, name, ".csv"))
    return Series(time, values, _anomalies(_found(folder, name, _LABELS), name))


def _found(folder: str | os.PathLike[str] | None, name: str, file: str) -> Path:
    """Return the path of a file of the benchmark, gzipped or not."""
    from pathlib import Path

    folders = data_folders("nab") if folder is None else [Path(folder)]
    file = name + file if file.startswith(".") else file
    for each in folders:
        for path in (each / file, each / f"{file}.gz"):
            if path.is_file():
                return path
    where = folders[0] if folders else "nab in the folder that GYAKU_DATA names"
    raise FileNotFoundError(
        f"nab: there is no {file} or {file}.gz in {where}; https://github.com/numenta/NAB has it"
    )


def _samples(path: Path) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Return times and values of a file of lines ``timestamp,value``."""
    lines, name = read_lines(path)
    if not lines or lines[0].split(",") != ["timestamp", "value"]:
        raise FileError(f"{name} must begin with the line timestamp,value")
    time: list[np.datetime64] = []
    values: list[float] = []
    for number, line in enumerate(lines[1:], start=2):
        first, _, second = line.partition(",")
        try:
            time.append(np.datetime64(first or "none", "s"))
            values.append(float(second))
        except ValueError:
            raise FileError(
                f"{name}, line {number} must be a time and a value, got {line!r}"
            ) from None
    return np.array(time, "datetime64[s]"), np.array(values, np.float64)


def _anomalies(path: Path, name: str) -> NDArray[np.datetime64]:
    """Return first and last times of the labelled windows of a series."""
    lines, file = read_lines(path)
    try:
        labels = json.loads("\n".join(lines))
        found = next(each for key, each in labels.items() if key.endswith(f"{name}.csv"))
        return np.array(found, "datetime64[s]").reshape(-1, 2)
    except StopIteration:
        raise FileError(f"{file} has no labels of {name}.csv") from None
    except (ValueError, AttributeError) as error:
        raise FileError(f"{file} must hold pairs of times for each series: {error}") from None
