"""``gyaku export``: a model for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.cli.model_file import read_model
from gyaku.cli.parser import name_of
from gyaku.interop import to_c, to_keras, to_numpy, to_onnx

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from gyaku.cli.parser import Parser
    from gyaku.model import Model

__all__ = ["add", "run"]

_PAGE = """\
Write a trained model for other programs.

MODEL is a file from 'gyaku train', or one of Keras or ONNX. The formats are
  c99          one file of C without dependencies, with a self-test
  keras        for Keras 3: .keras, or with --output NAME.weights.h5 the weights alone; needs the
               package h5py: pip install 'gyaku[keras]'
  numpy        one file of Python that needs NumPy alone
  onnx         for ONNX Runtime and others; needs the package onnx: pip install 'gyaku[onnx]'
  safetensors  the model without the state of its training
"""

_EXAMPLES = """\
examples:
  gyaku export --to onnx gyaku-digits-mlp.safetensors
  gyaku export --to c99 gyaku-digits-mlp.safetensors --output digits.c
"""


def _to_safetensors(model: Model, path: Path) -> None:
    model.save(path, optimizer=False)


# The function that writes each format, and the ending of its files.
_FORMATS: dict[str, tuple[Callable[[Model, Path], None], str]] = {
    "c99": (to_c, ".c"),
    "keras": (to_keras, ".keras"),
    "numpy": (to_numpy, ".py"),
    "onnx": (to_onnx, ".onnx"),
    "safetensors": (_to_safetensors, ".weights.safetensors"),
}


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("export", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="a file from 'gyaku train'")
    parser.add_argument(
        "--to",
        type=name_of("format", _FORMATS),
        metavar="FORMAT",
        required=True,
        help=" or ".join(_FORMATS),
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the file to write (default: beside the model)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the file.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    write, ending = _FORMATS[arguments.to]
    output = arguments.output or Path(arguments.model).with_suffix(ending)
    write(read_model(arguments.model), output)
    print(f"wrote {output}")
    return 0
