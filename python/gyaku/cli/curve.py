"""The picture of the learning curve."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from gyaku.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from gyaku.history import History

__all__ = ["draw"]


def draw(history: History, path: Path, title: str) -> bool:
    """Draw the learning curve, if matplotlib is installed.

    Parameters
    ----------
    history : History
        The history.
    path : Path
        The file.
    title : str
        The title.

    Returns
    -------
    bool
        Whether there is a picture.
    """
    import logging

    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # no messages about its caches
    try:
        from gyaku.plots import learning_curve
        from gyaku.plots.canvas import save

        axes = learning_curve(history, title=title, names=("training", "test"))
    except ImportError:
        print("gyaku train: no learning curve without matplotlib", file=sys.stderr)
        return False
    write_atomically(path, lambda stream: save(axes, stream))
    return True
