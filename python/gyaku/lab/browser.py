"""The browser of this machine."""

from __future__ import annotations

import os
import sys
import webbrowser
from threading import Thread

__all__ = ["open_page"]

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


def open_page(url: str, page: str) -> bool:
    """Open a page in the browser of this machine, if there is a screen.

    Parameters
    ----------
    url : str
        Address of the lab, with the token.
    page : {"draw", "playground", "watch"}
        The page.

    Returns
    -------
    bool
        Whether there is a screen.
    """
    if sys.platform.startswith("linux") and not any(map(os.environ.get, _SCREENS)):
        return False  # a browser in the terminal would take it over
    Thread(target=webbrowser.open, args=(f"{url}#{page}",), daemon=True).start()
    return True
