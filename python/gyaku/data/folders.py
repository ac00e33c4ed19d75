"""Folders of data sets: the user's and the cache."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cache_folder", "data_folders"]


def data_folders(name: str) -> list[Path]:
    """Return the user's folders for a data set.

    Parameters
    ----------
    name : str
        The data set, for example ``"mnist"``.

    Returns
    -------
    list of Path
        ``$GYAKU_DATA`` and its folder of that name; nothing if the variable is not set.
    """
    from pathlib import Path

    root = os.environ.get("GYAKU_DATA")
    if not root:
        return []
    folder = Path(root).expanduser()
    return [folder / name, folder]


def cache_folder(name: str) -> Path:
    """Return the cache folder of a data set, which may not exist.

    Parameters
    ----------
    name : str
        The data set, for example ``"mnist"``.

    Returns
    -------
    Path
        ``$GYAKU_CACHE/<name>``, or that folder in the user's cache (``~/.cache/gyaku``).
    """
    from pathlib import Path

    root = os.environ.get("GYAKU_CACHE")
    if root:
        return Path(root).expanduser() / name
    from platformdirs import user_cache_path

    return user_cache_path("gyaku", appauthor=False) / name
