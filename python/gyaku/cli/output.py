"""Files that a training leaves: the model, its history, and a picture of its learning curve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.files import write_atomically

if TYPE_CHECKING:
    import argparse

    from gyaku.history import History
    from gyaku.model import Model

__all__ = ["lines_on", "paths_of", "write"]

_SUFFIX = ".safetensors"
_KINDS = {"model": "the model", "history": "its history", "curve": "its learning curve"}
_KINDS["report"] = "its report"
_KINDS["checkpoint"] = "its training, which goes on with --resume"


def paths_of(arguments: argparse.Namespace, name: str) -> dict[str, Path]:
    """Return the paths of the files.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``output``, ``model``, ``no_curve`` and ``report``.
    name : str
        Name of the data.

    Returns
    -------
    dict of str to Path
        Those of model, history, curve and report.

    Raises
    ------
    OSError
        If the given path exists and is neither a file nor a folder.
    """
    model = Path(f"gyaku-{name}-{arguments.model}{_SUFFIX}")
    if arguments.output:
        given = Path(arguments.output)
        if given.is_dir() or arguments.output.endswith("/"):
            model = given / model
        elif given.exists() and not given.is_file():
            raise OSError(f"cannot write {given}: it is not a regular file")
        else:
            model = given if given.suffix == _SUFFIX else given.with_name(given.name + _SUFFIX)
    stem = model.name.removesuffix(_SUFFIX)
    files = {"model": model, "history": model.with_name(f"{stem}-history.csv")}
    if not arguments.no_curve:
        files["curve"] = model.with_name(f"{stem}-curve.png")
    if arguments.report:
        files["report"] = Path(arguments.report)
    return files


def write(model: Model, history: History, paths: dict[str, Path], title: str) -> dict[str, Path]:
    """Write all files, the model first.

    Parameters
    ----------
    model : Model
        The model.
    history : History
        Its history; without a finished epoch, nothing is written of it.
    paths : dict of str to Path
        Result of `paths_of`.
    title : str
        Title of the curve.

    Returns
    -------
    dict of str to Path
        The files that were written.
    """
    model.save(paths["model"])
    written = {"model": paths["model"]}
    if history.epochs:
        history.to_csv(paths["history"])
        written["history"] = paths["history"]
        if "curve" in paths and _draw(history, paths["curve"], title):
            written["curve"] = paths["curve"]
    return written


def _draw(history: History, path: Path, title: str) -> bool:
    """Draw the learning curve, if matplotlib is installed."""
    import logging

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no messages about its caches
    try:
        from gyaku.plots import learning_curve
        from gyaku.plots.canvas import save

        axes = learning_curve(history, title=title, names=("training", "test"))
    except ImportError:
        print("gyaku train: no learning curve without matplotlib", file=sys.stderr)
        return False
    write_atomically(path, lambda stream: save(axes, stream))
    return True


def lines_on(written: dict[str, Path]) -> list[str]:
    """Return lines that list the files.

    Parameters
    ----------
    written : dict of str to Path
        Result of `write`.

    Returns
    -------
    list of str
        A heading, and a line for each file.
    """
    width = max(len(str(path)) for path in written.values())
    return ["written:", *(f"  {path!s:{width}}  {_KINDS[kind]}" for kind, path in written.items())]
