"""``gyaku evaluate``: how good a trained model is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.cli import model_file
from gyaku.cli.parser import UsageError
from gyaku.model import load

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from gyaku.cli.parser import Parser

__all__ = ["add", "run"]

_PAGE = """\
Measure how good a trained model is: on the test images of its data set, which it has not seen.

The table shows in each row the images of one digit, and in which column the model put them.
"""

_EXAMPLES = """\
examples:
  gyaku evaluate gyaku-digits-mlp.safetensors
  gyaku evaluate gyaku-digits-mlp.safetensors --split train
        on the images that it was trained on: better, but that proves nothing
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
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print accuracy, cross-entropy and the confusion matrix.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    model = load(arguments.model)
    name, x, y = model_file.images_for(model, arguments)
    sure = model_file.probabilities(model, x)
    classes = sure.shape[1]
    if y.max() >= classes:
        raise UsageError(f"the model knows {classes} classes, the {name} have {y.max() + 1}")
    confusions = np.zeros((classes, classes), int)
    np.add.at(confusions, (y, sure.argmax(axis=1)), 1)
    right = int(confusions.trace())
    cross_entropy = float(-np.log(sure[np.arange(len(y)), y] + 1e-30).mean())
    if arguments.json:
        import json

        result = {
            "model": arguments.model,
            "images": len(y),
            "right": right,
            "accuracy": right / len(y),
            "cross_entropy": cross_entropy,
            "confusions": confusions.tolist(),
        }
        print(json.dumps(result))
        return 0
    print(f"{arguments.model} on the {len(y):,} {name}:")
    print(
        f"accuracy {100 * right / len(y):.2f} % ({right:,} right, {len(y) - right:,} wrong),"
        f" cross-entropy {cross_entropy:.4f}\n"
    )
    print(_table(confusions))
    return 0


def _table(confusions: NDArray[np.int64]) -> str:
    """Return the confusion matrix as text, with dots for zeros."""
    width = max(3, len(str(confusions.max()))) + 1
    classes = range(len(confusions))
    lines = ["    taken for", "is  " + "".join(f"{each:{width}}" for each in classes)]
    for digit, row in enumerate(confusions):
        cells = "".join(f"{count or '.':>{width}}" for count in row)
        lines.append(f"{digit:<4}{cells}")
    return "\n".join(lines)
