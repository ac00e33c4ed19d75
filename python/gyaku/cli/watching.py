"""What shows a training of ``gyaku train``: the lab while it runs, a report behind it."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gyaku.callbacks import Callback
from gyaku.cli.parser import name_of

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from gyaku.cli.dataset import Data
    from gyaku.cli.recipe import Targets
    from gyaku.history import History
    from gyaku.model import Sequential

__all__ = ["add_watching", "live", "stay", "write_report"]


def add_watching(group: Any) -> None:
    """Add the arguments of lab and report.

    Parameters
    ----------
    group : argparse argument group
        Arguments on what to show.
    """
    group.add_argument(
        "--lab",
        action="store_true",
        help="show the training in the browser, where it can be paused and stopped: in a lab of"
        " yours that runs already, else in one that stays until Ctrl-C",
    )
    group.add_argument("--no-browser", action="store_true", help="with --lab: print its URL alone")
    group.add_argument(
        "--report",
        metavar="FILE",
        help="write a report to keep and to print (.html): settings, curves, results, findings",
    )
    group.add_argument(
        "--lang",
        type=name_of("language", ("en", "ja")),
        default="en",
        metavar="NAME",
        help="the language of the report: en or ja (default: en)",
    )


def live(arguments: argparse.Namespace, data: Data) -> list[Callback]:
    """Return the callback that shows the training.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``lab``, ``no_browser`` and ``model``.
    data : Data
        The data.

    Returns
    -------
    list of Callback
        The callback, and one that closes the lab behind Ctrl-C; none without ``--lab``.
    """
    if not arguments.lab:
        return []
    from gyaku.lab import Live

    title = f"{data.name}, {arguments.model}"
    return [Live(title, names=data.classes, open_browser=not arguments.no_browser), _Leaves()]


class _Leaves(Callback):
    """Close the lab at once if Ctrl-C ends the training, before files are written."""

    def on_train_end(self) -> None:
        """Close it; see `Callback`."""
        from gyaku.lab.serve import opened

        if self.training.history.stopped == "interrupted" and (lab := opened()) is not None:
            lab.close()


def stay(arguments: argparse.Namespace, history: History) -> None:
    """Keep the page until Ctrl-C, unless that has ended the training already.

    That of another process stays without this one.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``lab``.
    history : History
        The history.
    """
    if not arguments.lab or history.stopped == "interrupted":
        return
    from gyaku.lab.joined import Joined
    from gyaku.lab.serve import shared

    lab = shared()
    sys.stdout.flush()
    if isinstance(lab, Joined):
        return
    with suppress(KeyboardInterrupt):
        print("the lab stays until Ctrl-C", file=sys.stderr, flush=True)
        lab.wait()
    lab.close()


def write_report(
    arguments: argparse.Namespace,
    history: History,
    models: tuple[Sequential, Sequential],
    data: Data,
    targets: Targets,
) -> dict[str, Path]:
    """Write the report.

    Parameters
    ----------
    arguments : argparse.Namespace
        With ``report`` and ``lang``.
    history : History
        The history.
    models : tuple of Sequential
        The model as it was trained, and that with outputs in the units of the targets.
    data : Data
        The data.
    targets : Targets
        The targets in the form in which they are learnt.

    Returns
    -------
    dict of str to Path
        The file; none without ``--report``.
    """
    if not arguments.report:
        return {}
    from gyaku.diagnosis import diagnose

    trained, model = models
    x, y = data.test
    learnt = targets.learnt(y)
    history.report(
        arguments.report,
        model=model,
        data=(x, y if data.classes is None else learnt),
        diagnosis=diagnose(trained, x, learnt, history=history, lang=arguments.lang),
        names=data.classes,
        title=f"{data.name}, {arguments.model}",
        lang=arguments.lang,
    )
    return {"report": Path(arguments.report)}
