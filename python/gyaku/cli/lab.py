"""``gyaku lab``: pages in the browser to draw digits and watch networks learn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.cli.parser import UsageError, whole

if TYPE_CHECKING:
    import argparse

    from gyaku.cli.parser import Parser

__all__ = ["add", "run"]

_PAGE = """\
Open the lab in the browser: draw a digit and see what a network makes of it, turn the settings of
a small network and watch it learn, watch a training.

The lab runs on this machine alone and needs no network. It ends with Ctrl-C. The models of the
drawing page come with gyaku; a MODEL of your own that takes pictures of digits is added to them.
"""

_EXAMPLES = """\
examples:
  gyaku lab
  gyaku lab gyaku-mnist-lenet.safetensors
        a model of your own, from 'gyaku train --dataset mnist --model lenet'
  gyaku lab --no-browser
        print the link alone
"""


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    usage = "gyaku lab [MODEL ...] [OPTIONS]"
    parser = commands.add_parser("lab", usage=usage, description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    parser.add_argument("models", metavar="MODEL", nargs="*", help="a file from 'gyaku train'")
    parser.add_argument(
        "--port",
        type=whole(1, 65535),
        metavar="N",
        help="the port (default: the first free one from 8765 up)",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="the address to listen at (default: 127.0.0.1, this machine alone)",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    parser.add_argument("--lang", choices=("en", "ja"), help="language; by default the browser's")


def run(arguments: argparse.Namespace) -> int:
    """Serve the lab until Ctrl-C.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code: 130, since Ctrl-C ends it.
    """
    from gyaku.cli.model_file import read_model
    from gyaku.lab import serve

    models = []
    for file in arguments.models:
        model = read_model(file)
        model.metadata["title"] = Path(file).name
        models.append(model)
    try:
        lab = serve(
            *models,
            host=arguments.host,
            port=arguments.port,
            open_browser=not arguments.no_browser,
            lang=arguments.lang,
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
    try:
        print(f"{lab.url}\nCtrl-C ends the lab", flush=True)
        lab.wait()
    except KeyboardInterrupt:
        print()
    finally:
        lab.close()
    return 130
