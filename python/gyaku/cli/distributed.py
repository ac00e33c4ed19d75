"""``gyaku train --distributed``: several processes, of which the first one reports."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from gyaku.cli.parser import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from gyaku.distributed import MPI

__all__ = ["add_distributed", "in_turn", "processes"]


def add_distributed(group: Any) -> None:
    """Add the arguments on several processes.

    Parameters
    ----------
    group : argparse argument group
        Arguments on how to train.
    """
    group.add_argument(
        "--distributed",
        action="store_true",
        help="train by the processes that mpiexec starts, each with its part of every batch",
    )
    group.add_argument(
        "--reproducible",
        action="store_true",
        help="with --distributed: the same bits by 1, 2, 4 or 8 processes",
    )


@contextmanager
def processes(arguments: argparse.Namespace) -> Iterator[MPI | None]:
    """Return a context with the processes, which an error of one of them ends together.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``distributed`` and ``reproducible``.

    Yields
    ------
    MPI or None
        The processes; None without ``--distributed``.

    Raises
    ------
    UsageError
        If nothing has started several processes.
    """
    if not arguments.distributed:
        if arguments.reproducible:
            raise UsageError("--reproducible is for --distributed; one process always is")
        yield None
        return
    from gyaku.distributed import MPI

    ranks = MPI(reproducible=arguments.reproducible)
    if ranks.size == 1 and not arguments.reproducible:
        raise UsageError(
            "--distributed needs several processes: mpiexec -n 2 gyaku train --distributed ..."
        )
    ranks.say = _say
    if not ranks.is_first:
        arguments.quiet = True
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        try:
            with redirect_stdout(sys.stdout if ranks.is_first else nowhere):
                yield ranks
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            ranks.fail(error)
            raise


@contextmanager
def in_turn(ranks: MPI | None) -> Iterator[None]:
    """Return a context that the first process leaves before the others enter it.

    Parameters
    ----------
    ranks : MPI or None
        The processes.

    Yields
    ------
    None
        Nothing.
    """
    if ranks is not None and not ranks.is_first:
        ranks.gather(None)
    yield
    if ranks is not None and ranks.is_first:
        ranks.gather(None)


def _say(error: BaseException) -> None:
    from gyaku.cli import sentence

    if os.environ.get("GYAKU_DEBUG"):
        sys.excepthook(type(error), error, error.__traceback__)
    print(f"gyaku train: {sentence(error)}", file=sys.stderr)
