"""``gyaku scaling``: how training by many processes would pay, calculated from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.cli.parser import name_of, positive, whole
from gyaku.model import Model, load
from gyaku.models import MODELS

if TYPE_CHECKING:
    import argparse

    from gyaku.cli.parser import Parser

__all__ = ["add", "run"]

_PAGE = """\
Show how training by many processes would pay, from the measured times of a step of one.

The time of a step is that of the computation on this machine, with as many threads as it chooses,
and of the sums of the gradients that do not fit behind it.
"""

_EXAMPLES = """\
examples:
  gyaku scaling --model lenet --network 25G
  gyaku scaling gyaku-mnist-lenet.safetensors --network 10G --batch-size 512
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("scaling", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("file", metavar="FILE", nargs="?", help="a model from 'gyaku train'")
    parser.add_argument(
        "--model",
        type=name_of("model", MODELS),
        default="lenet",
        metavar="NAME",
        help=f"without a file: {' or '.join(MODELS)}, on images of 28 x 28 (default: lenet)",
    )
    parser.add_argument(
        "--network",
        default="25G",
        metavar="RATE",
        help="bits a second between two machines, such as 10G or 100G (default: 25G)",
    )
    parser.add_argument(
        "--latency",
        type=positive,
        default=20,
        metavar="MICROSECONDS",
        help="the time of an empty message (default: 20)",
    )
    parser.add_argument(
        "--batch-size",
        type=whole(1),
        default=128,
        metavar="N",
        help="samples in a step of each process (default: 128)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the table.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    from gyaku.distributed.scaling import Network, scaling

    network = Network.of(arguments.network, 1e-6 * arguments.latency)
    model: Model
    if arguments.file:
        model = load(arguments.file)
    else:
        model = MODELS[arguments.model].build()
        model.build((28, 28, 1))
    name = arguments.file or arguments.model
    print(scaling(model, network, batch_size=arguments.batch_size, name=name))
    return 0
