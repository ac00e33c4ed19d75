"""``gyaku evaluate``: how good a trained model is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyaku.cli import model_file
from gyaku.cli.dataset import samples_with_targets
from gyaku.cli.parser import UsageError
from gyaku.cli.report import report
from gyaku.cli.table import read_table

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from gyaku.cli.parser import Parser
    from gyaku.model import Model

__all__ = ["add", "run"]

_PAGE = """\
Measure how good a trained model is: on the test images of its data set, which it has not seen, or
on data of your own: a table with a column of targets, a folder of pictures, or arrays x and y.

The table shows in each row the samples of one class, and in which column the model put them.
"""

_EXAMPLES = """\
examples:
  gyaku evaluate gyaku-digits-mlp.safetensors
  gyaku evaluate gyaku-digits-mlp.safetensors --split train
        on the images that it was trained on: better, but that proves nothing
  gyaku evaluate gyaku-houses-mlp.safetensors new-houses.csv
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("evaluate", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    model_file.add_arguments(parser)
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="a table, a folder of pictures, or .npz"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print measures, the confusion matrix and the worst cases.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    model = model_file.read_model(arguments.model)
    if arguments.data:
        measures, text, count = _on_own_data(model, arguments)
        title = f"{arguments.model} on the {count:,} samples of {arguments.data}:"
    else:
        measures, text, count, name = _on_images(model, arguments)
        title = f"{arguments.model} on the {count:,} {name}:"
    if arguments.json:
        import json

        print(json.dumps({"model": arguments.model, **measures}))
    else:
        print(f"{title}\n{text}")
    return 0


def _on_images(model: Model, arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int, str]:
    """Evaluate on images of a data set by name; return measures, text, number and name."""
    name, x, y = model_file.images_for(model, arguments)
    classes = model_file.classes_of(model)
    if classes is None or y.max() >= len(classes):
        known = 0 if classes is None else len(classes)
        raise UsageError(f"the model knows {known} classes, the {name} have {y.max() + 1}")
    places = [f"number {row}" for row in range(len(y))]
    measures, text = report(model, x, y, classes, places)
    return {"images": len(y), **measures}, text, len(y), name


def _on_own_data(model: Model, arguments: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Evaluate on data of the user's own; return measures, text and number."""
    path, classes = Path(arguments.data), model_file.classes_of(model)
    path.stat()
    if (columns := model_file.columns_of(model)) is not None:
        table = read_table(path)
        columns.check_names(table)
        table.check_complete([*(column.name for column in columns.inputs), columns.target])
        x, y = columns.encode(table), columns.targets(table)
        places = [f"line {line}" for line in table.lines]
    else:
        x, y, places = samples_with_targets(path, model.input_shape, classes)
    if classes is None:
        y = y[:, np.newaxis]
    measures, text = report(model, x, y, classes, places)
    return {"samples": len(y), **measures}, text, len(y)
