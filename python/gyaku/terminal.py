"""Width of the terminal, for bars and tables."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

__all__ = ["columns"]


def columns(stream: TextIO | None) -> int:
    """Return the width of a terminal.

    Parameters
    ----------
    stream : text file or None
        An output stream, such as ``sys.stdout``; None without a console.

    Returns
    -------
    int
        Its number of columns; 0 if it is no terminal, and any width will do.
    """
    return shutil.get_terminal_size().columns if stream is not None and stream.isatty() else 0
