"""The commands ``gyaku train``, ``evaluate``, ``predict``, ``summary``, ``compare`` and others."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gyaku.cli.parser import Parser

__all__ = ["main", "stop_command"]

_VERBS = (
    *("train", "evaluate", "predict", "summary", "compare", "export", "info", "scaling"),
    *("lesson", "lab"),
)

_PAGE = """\
Train neural networks on CPUs.

commands:
  train       train a model, on data of your own or on the digits that come with gyaku
  evaluate    measure how good a trained model is
  predict     let a trained model read digits, or predict the rows of a table
  summary     show the layers of a model
  compare     show the tensors in which two model files differ
  export      write a model for other programs
  info        show processor, threads and measured speed of this machine
  scaling     show how training by many processes would pay
  lesson      run a lesson of the course
  lab         open pages in the browser to draw digits and watch networks learn

'gyaku train --help' and so on explain each of them.
"""

_EXAMPLES = """\
the first three things to try:
  gyaku train
  gyaku evaluate gyaku-digits-mlp.safetensors
  gyaku predict gyaku-digits-mlp.safetensors --index 3
"""

# Errors that users can cause; anything else is a bug of gyaku and shows its traceback.
_FAILURES = (
    OSError,
    ValueError,
    TypeError,
    ArithmeticError,
    RuntimeError,
    ImportError,
    MemoryError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments behind ``gyaku``; by default those of this process.

    Returns
    -------
    int
        The exit code: 0 for success, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    verb = given[0] if given and given[0] in _VERBS else ""
    try:
        code = _run(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _say(verb, "interrupted", 130)
    except BrokenPipeError:  # the reader of a pipe, for example head, has closed it
        _close_output()
        return 141
    except _FAILURES as error:
        if os.environ.get("GYAKU_DEBUG"):
            raise
        _close_output()
        return _say(verb, sentence(error), 1)
    return code


def _close_output() -> None:
    """Redirect output that can no longer be printed, so that Python's exit does not retry it."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def stop_command(error: ImportError) -> None:
    """End the process with one sentence if it is the command ``gyaku``.

    Parameters
    ----------
    error : ImportError
        Error of the import of gyaku, for example a ``GYAKU_ISA`` that the processor lacks.

    Raises
    ------
    SystemExit
        In the command; elsewhere the function returns, and the caller raises the error.
    """
    program = os.path.basename(sys.argv[0]) if sys.argv else ""
    if program in ("gyaku", "gyaku.exe") or (program == "-m" and "gyaku" in sys.orig_argv):
        raise SystemExit(_say("", sentence(error), 1)) from None


def _run(given: list[str]) -> int:
    from gyaku.cli.parser import UsageError, no_argument
    from gyaku.cli.settings import with_settings
    from gyaku.names import unknown

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal without Unicode shows a question mark
            stream.reconfigure(errors="replace")
    parser, commands = _parser()
    try:
        if given and given[0] not in _VERBS and not given[0].startswith("-"):
            raise UsageError(unknown("command", given[0], _VERBS))
        command = commands.get(given[0]) if given else None
        if command is not None and given[0] == "train":
            given = [given[0], *with_settings(given[1:], command)]
        arguments, unexpected = parser.parse_known_args(given)
        if unexpected:
            known = (command or parser).long_options()
            raise UsageError(no_argument(unexpected[0], known))
        if "run" not in arguments:
            parser.print_help()
            return 2
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: _advise(given[0], message)
            code: int = arguments.run(arguments)
    except UsageError as error:
        verb = given[0] if given[0] in _VERBS else ""
        page = f"gyaku {verb} --help".replace("  ", " ")
        return _say(verb, f"{error} (see '{page}')", 2)
    except SystemExit as leaving:  # argparse has printed its message
        return leaving.code if isinstance(leaving.code, int) else 0
    return code


def _parser() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser, and those of the commands."""
    import argparse

    from gyaku import _core
    from gyaku.cli.parser import Parser

    parser = Parser(prog="gyaku", usage="gyaku COMMAND ...", description=_PAGE, epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"gyaku {_core.__version__}")
    commands = parser.add_subparsers(prog="gyaku", help=argparse.SUPPRESS, metavar="COMMAND")
    for verb in _VERBS:
        import_module(f"gyaku.cli.{verb}").add(commands)
    return parser, commands.choices


def _say(verb: str, sentence: str, code: int) -> int:
    """Write a sentence to standard error, and return the exit code."""
    print(f"gyaku {verb}".strip() + f": {sentence}", file=sys.stderr)
    return code


def _advise(verb: str, message: Warning | str) -> None:
    """Write a warning as one sentence, without its source location."""
    _say(verb, str(message).removeprefix(f"{verb}: "), 0)


def sentence(error: BaseException) -> str:
    """Return the message of an error, on one line.

    Parameters
    ----------
    error : Exception
        The error.

    Returns
    -------
    str
        The message.
    """
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"cannot read {error.filename}: {error.strerror.lower()}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"not enough memory ({text})" if text else "not enough memory"
    return text or type(error).__name__
