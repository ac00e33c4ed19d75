"""``gyaku lesson``: list the lessons, or run one in the terminal."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from gyaku.cli.parser import Parser

__all__ = ["add", "run"]

_PAGE = """\
Run a lesson in the terminal: text, equations, code, its results, and pictures as files.

Without a name, list the lessons.
"""

_EXAMPLES = """\
examples:
  gyaku lesson
  gyaku lesson xor
  gyaku lesson xor --lang ja --out pictures
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("lesson", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("name", nargs="?", metavar="NAME", help="name or number of the lesson")
    parser.add_argument(
        "--lang", choices=("en", "ja"), help="language; by default that of the environment"
    )
    parser.add_argument("--out", default=".", metavar="FOLDER", help="folder of the pictures")


def run(arguments: argparse.Namespace) -> int:
    """List the lessons, or run one.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    from gyaku.cli.parser import UsageError
    from gyaku.lessons import find_lesson, lessons, run_lesson

    lang = arguments.lang or _language()
    if arguments.name is None:
        known = lessons(lang)
        width = max(len(lesson.name) for lesson in known)
        for lesson in known:
            print(f"{lesson.number:2}  {lesson.name:{width}}  {lesson.title}")
        return 0
    try:
        lesson = find_lesson(arguments.name, lang)
    except ValueError as error:
        raise UsageError(str(error)) from None
    run_lesson(lesson, arguments.out, write=partial(print, flush=True))
    return 0


def _language() -> str:
    """Return the language of the environment: Japanese, or else English."""
    chosen = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "ja" if next(filter(None, chosen), "").startswith("ja") else "en"
