"""``gyaku summary``: the layers of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.cli.model_file import read_model
from gyaku.models import MODELS

if TYPE_CHECKING:
    import argparse

    from gyaku.cli.parser import Parser
    from gyaku.model import Model

__all__ = ["add", "run"]

_PAGE = """\
Show the layers of a model, with their output shapes, parameters and work.

MODEL is a file from 'gyaku train', one of Keras or ONNX, or the name of a model.
"""

_EXAMPLES = """\
examples:
  gyaku summary gyaku-digits-mlp.safetensors
  gyaku summary mlp
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("summary", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help=f"a file, or {' or '.join(MODELS)}")


def run(arguments: argparse.Namespace) -> int:
    """Print the summary.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    model: Model
    if arguments.model in MODELS:
        model = MODELS[arguments.model].build()
        model.build((28, 28, 1))
    else:
        model = read_model(arguments.model)
    model.summary()
    return 0
