"""Start of the lab, with all its pages; Starlette and uvicorn are imported here first."""

from __future__ import annotations

from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING

from gyaku.checks import whole
from gyaku.lab.runs import OF_PROCESS

if TYPE_CHECKING:
    from typing import Literal

    from gyaku.lab.joined import Joined
    from gyaku.lab.runs import Runs
    from gyaku.lab.server import Lab
    from gyaku.model import Model

__all__ = ["opened", "serve", "shared"]

_LAST_PORT = 65535
_NEEDED = ("starlette", "uvicorn", "websockets")
_MISSING = "the lab needs Starlette, uvicorn and websockets: pip install 'gyaku[lab]'"
_labs: list[Lab | Joined] = []  # of this process, or joined by it
_lock = Lock()


def serve(
    *models: Model,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = True,
    lang: Literal["en", "ja"] | None = None,
    runs: Runs | None = None,
) -> Lab:
    """Start the lab in a thread of this process, and open it in the browser.

    Parameters
    ----------
    *models : Model
        Models that read digits, beside those that come with gyaku: their inputs are pictures of
        28 × 28 or 8 × 8 pixels.
    host : str, default "127.0.0.1"
        Address to listen at. Any but a loopback address lets other machines in, which need the
        token of the URL; a warning says so.
    port : int, optional
        The port; by default the first free one from 8765 up.
    open_browser : bool, default True
        Whether to open the page in the browser of this machine, if there is a screen.
    lang : {"en", "ja"}, optional
        Language of the pages; by default that of the browser.
    runs : Runs, optional
        Trainings to watch; by default those of `Live` in this process.

    Returns
    -------
    Lab
        The server: its ``url`` opens the pages, its ``close()`` ends it. It ends with the process.

    Raises
    ------
    ImportError
        Without Starlette, uvicorn and websockets, which ``pip install 'gyaku[lab]'`` installs.
    OSError
        If the port is in use, or there is no such address.
    ValueError
        If a model takes no pictures of digits, the language is unknown, or the host is empty.

    Examples
    --------
    >>> import gyaku as gk
    >>> with gk.lab.serve(open_browser=False) as lab:
    ...     lab.url  # doctest: +ELLIPSIS
    'http://127.0.0.1:.../?token=...'
    """
    if lang not in (None, "en", "ja"):
        raise ValueError(f"serve: lang must be 'en' or 'ja', got {lang!r}")
    if not host:  # which would be every address of this machine
        raise ValueError("serve: host must be an address, such as '127.0.0.1', got ''")
    if port is not None and whole("serve", "port", port) > _LAST_PORT:
        raise ValueError(f"serve: port must be at most {_LAST_PORT}, got {port}")
    try:
        from gyaku.lab import draw, playground, watch
        from gyaku.lab.models import Models
        from gyaku.lab.server import Lab
    except ImportError as error:
        if (error.name or "").startswith("gyaku"):
            raise
        raise ImportError(_MISSING) from None
    shown = Models(models)
    runs = OF_PROCESS if runs is None else runs
    routes = [*draw.routes(shown), *playground.routes(), *watch.routes(runs)]
    lab = Lab(routes, host=host, port=port, lang=lang, runs=runs)
    _labs.append(lab)
    if open_browser:
        lab.open()
    return lab


def opened() -> Lab | Joined | None:
    """Return the lab that trainings of this process are shown in.

    Returns
    -------
    Lab or Joined or None
        The one that was started last; None if none is open.

    Raises
    ------
    ImportError
        Without Starlette, uvicorn and websockets.
    """
    for name in _NEEDED:
        if find_spec(name) is None:
            raise ImportError(_MISSING)
    _labs[:] = [lab for lab in _labs if lab.is_open]
    return _labs[-1] if _labs else None


def shared() -> Lab | Joined:
    """Return the lab that trainings of this process are shown in.

    Returns
    -------
    Lab or Joined
        That of `opened`, else one of this user in another process, else a new one.

    Raises
    ------
    ImportError
        Without Starlette, uvicorn and websockets.
    OSError
        If no port is free.
    """
    from gyaku.lab.joined import join

    with _lock:
        lab = opened()
        if lab is None and (lab := join(OF_PROCESS)) is not None:
            _labs.append(lab)
        return lab or serve(open_browser=False)
