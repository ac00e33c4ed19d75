"""``gyaku compare``: the tensors in which two model files differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import safetensors

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.cli.parser import Parser

__all__ = ["add", "run"]

_PAGE = """\
Compare the tensors of two model files, or of other safetensors files.

Each tensor that differs is listed with the largest absolute difference. The exit code is 0 if all
are equal, otherwise 1.
"""

_EXAMPLES = """\
examples:
  gyaku compare before.safetensors after.safetensors
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("compare", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("first", metavar="A", help="a file")
    parser.add_argument("second", metavar="B", help="another file")


def run(arguments: argparse.Namespace) -> int:
    """Print the tensors that differ.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    first, _ = safetensors.read(arguments.first)
    second, _ = safetensors.read(arguments.second)
    names = sorted(first.keys() | second.keys())
    found = {name: _difference(first.get(name), second.get(name)) for name in names}
    differing = {name: text for name, text in found.items() if text}
    width = max(map(len, differing), default=0)
    for name, text in differing.items():
        print(f"{name:<{width}}  {text}")
    print(f"{len(differing)} of {len(names)} tensors differ")
    return 1 if differing else 0


def _difference(a: NDArray[Any] | None, b: NDArray[Any] | None) -> str:
    """Return the difference of two tensors in words, "" if there is none."""
    if a is None or b is None:
        return "in B alone" if a is None else "in A alone"
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype} {a.shape} and {b.dtype} {b.shape}"
    if a.tobytes() == b.tobytes():
        return ""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return f"{np.count_nonzero(a != b)} of {a.size} elements, by up to {np.max(apart):.3g}"
