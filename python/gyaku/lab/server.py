"""Server of the lab: a port of this machine, a thread with uvicorn, and the files of the pages."""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import warnings
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from time import sleep
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gyaku.lab.browser import open_page
from gyaku.lab.connection import MOST_CONNECTIONS, Connection
from gyaku.lab.guard import LARGEST_MESSAGE, Guard
from gyaku.lab.messages import HANDLERS
from gyaku.lab.registry import Entry, Registration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Self

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gyaku.lab.runs import Runs

__all__ = ["ASSETS", "Lab"]

ASSETS = Path(__file__).parent / "assets"
"""Folder of the pages' files."""

_FIRST_PORT, _PORTS = 8765, 100  # that are tried
_PATIENCE = 0.5  # seconds for requests to end before they are cut off


class Lab:
    """The lab's server, in a thread of this process.

    Parameters
    ----------
    routes : sequence of BaseRoute
        Routes of the pages, below ``/api/``.
    host : str
        Address to listen at.
    port : int, optional
        The port; by default the first free one from 8765 up.
    lang : str, optional
        Language of the pages; by default that of the browser.
    runs : Runs, optional
        Trainings that its routes show, which those of other processes of this user may join.

    Attributes
    ----------
    port : int
        The port.
    token : str
        The secret that each request needs.
    url : str
        Address of the page, with the token.
    runs : Runs or None
        Trainings that it shows.

    Raises
    ------
    OSError
        If the port is in use, or there is no such address.
    """

    def __init__(
        self,
        routes: Sequence[BaseRoute],
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        lang: str | None = None,
        runs: Runs | None = None,
    ) -> None:
        if not _is_loopback(host):
            warnings.warn(
                f"lab: at {host} other machines of the network reach it, too; it lets in who has"
                " the token of the URL, which travels unencrypted",
                stacklevel=3,
            )
        self.runs = runs
        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.token = secrets.token_urlsafe(32)
        shown = f"[{host}]" if ":" in host else host
        if host in ("0.0.0.0", "::"):  # every address of this machine
            shown = socket.gethostname()
        chosen = f"&lang={lang}" if lang else ""
        self.url = f"http://{shown}:{self.port}/?token={self.token}{chosen}"
        guard = Middleware(Guard, token=self.token, host=host, port=self.port)
        files = [
            Route("/", _page),
            Mount("/assets", StaticFiles(directory=ASSETS)),
        ]
        application = Starlette(
            routes=[*files, *routes], middleware=[guard], exception_handlers=HANDLERS
        )
        config = uvicorn.Config(
            application,
            loop="asyncio",
            http=Connection,
            ws=WebSocketsSansIOProtocol,
            ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS + 1,  # if none of them waits
        )
        self._server = _Server(config)
        self._thread = Thread(
            target=self._server.run, args=([self._socket],), name="gyaku lab", daemon=True
        )
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            sleep(0.005)
        self._registration = None if runs is None else self._registered(host)

    def _registered(self, host: str) -> Registration:
        every = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}
        return Registration(Entry(every.get(host, host), self.port, self.token))

    def __repr__(self) -> str:
        return f"<lab at {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the server runs."""
        return self._thread.is_alive() and not self._server.should_exit

    def open(self, page: str = "draw") -> bool:
        """Open a page in the browser of this machine, if there is a screen.

        Parameters
        ----------
        page : {"draw", "playground", "watch"}
            The page.

        Returns
        -------
        bool
            Whether there is a screen.
        """
        return open_page(self.url, page)

    def wait(self) -> None:
        """Return when the server has ended; Ctrl-C raises KeyboardInterrupt meanwhile."""
        while self._thread.is_alive():
            self._thread.join(0.2)

    def close(self) -> None:
        """End the server within a second, whatever is open, and free the port."""
        if self._registration is not None:
            self._registration.leave()
        self._server.should_exit = True
        self._thread.join(_PATIENCE)
        self._server.force_exit = True
        self._thread.join()
        self._socket.close()


class _Server(uvicorn.Server):
    """A server that ends without a word of what was about to begin."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        asyncio.get_running_loop().set_exception_handler(self._report)

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # A connection that is accepted when its socket has just been closed.
        if not (self.should_exit and isinstance(context.get("exception"), OSError)):
            loop.default_exception_handler(context)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens at a port, by default the first free one."""
    ports = range(_FIRST_PORT, _FIRST_PORT + _PORTS) if port is None else [port]
    for each in ports:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Of the protocol by name: asyncio sends without delay through such sockets alone, while the
        # others hold an answer's body back for 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            # Connections that have just been closed do not keep the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, each))
            listener.listen()
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                reason = error.strerror or str(error)
                raise OSError(
                    f"the lab cannot listen at {host}, port {each}: {reason.lower()}"
                ) from None
        else:
            return listener
    named = f"port {ports[0]} is" if port else f"the ports {ports[0]} to {ports[-1]} are"
    raise OSError(f"{named} in use, give the lab another one with --port")


async def _page(_: Request) -> Response:
    return FileResponse(ASSETS / "index.html")
