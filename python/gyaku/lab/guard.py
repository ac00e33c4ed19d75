"""Guard of the lab: who may ask, from which page, how much and how often."""

from __future__ import annotations

import socket
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LARGEST_BODY", "LARGEST_MESSAGE", "LARGEST_UPLOAD", "PROTOCOL", "Bucket", "Guard"]

LARGEST_BODY = 1 << 20
"""Bytes of a request."""
LARGEST_UPLOAD = 64 << 20
"""Bytes of a request whose path ends in ``/upload``, which its route reads piece by piece."""
LARGEST_MESSAGE = 1 << 18
"""Bytes of a message of a socket."""
PROTOCOL = "gyaku.lab"
"""Subprotocol of sockets; the browser offers the token beside it."""

_REQUESTS, _STRANGERS, _MESSAGES = 400.0, 50.0, 400.0  # a second, and twice as many at once
_MOST_SOCKETS = 32
_PAGE = (Path(__file__).parent / "assets" / "refused.html").read_text(encoding="utf-8")
_CLOSED_FOR_POLICY = 1008  # code of RFC 6455
_HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",  # the token is in the URL
    "x-content-type-options": "nosniff",
}
_POLICY = (
    "default-src 'self'; connect-src 'self' ws://{host}; img-src 'self' blob: data:;"
    " object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Refusal(NamedTuple):
    status: int
    sentence: str


class Bucket:
    """Token bucket: a number of events a second, and twice as many at once.

    Parameters
    ----------
    rate : float
        Events a second.
    clock : callable
        Function that returns the time in seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left, self._time = 2 * rate, clock()

    def take(self) -> bool:
        """Return whether another event is within the rate.

        Returns
        -------
        bool
            Whether it is; if so, it counts.
        """
        now = self._clock()
        self._left = min(2 * self._rate, self._left + (now - self._time) * self._rate)
        self._time = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Guard:
    """ASGI middleware that lets in who knows the token.

    Parameters
    ----------
    app : ASGI application
        The application behind it.
    token : str
        The token: in the query of ``/``, as bearer token of other requests, and beside the
        subprotocol of sockets. The files of the pages, which everybody has, need none.
    host : str
        Address of the server.
    port : int
        Port of the server.

    Notes
    -----
    A name that is not the server's in the header ``Host`` is refused, so that no page of another
    site reaches the lab by a name that leads to this machine (DNS rebinding); and so is every
    request that a page of another origin makes.
    """

    def __init__(self, app: ASGIApp, *, token: str, host: str, port: int) -> None:
        self._app, self._token = app, token.encode()
        self._host, self._port = host.lower(), port
        self._known, self._strangers = Bucket(_REQUESTS), Bucket(_STRANGERS)
        self._sockets = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_socket = scope["type"] == "websocket"
        send = _with_headers(send, headers.get("host", "")) if not is_socket else send
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(scope, send, refusal)
        elif is_socket:
            self._sockets += 1
            try:
                await self._app(scope, _slow(receive, send), _accepting(send))
            finally:
                self._sockets -= 1
        else:
            await self._app(scope, _bounded(receive, _limit(scope)), send)

    def _refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        """Return why a request is refused, None if it is let in."""
        host = headers.get("host", "")
        if not self._is_own(host):
            return _Refusal(403, f"the lab is not at {host[:80]!r}")
        if _is_foreign(scope, headers, host):
            return _Refusal(403, "the lab answers its own pages alone, not those of other sites")
        is_known = compare_digest(_given(scope, headers).encode(errors="replace"), self._token)
        if not (self._known if is_known else self._strangers).take():
            return _Refusal(429, "too many requests, wait a second")
        if not is_known and not scope["path"].startswith("/assets/"):
            return _Refusal(
                403, "the token is missing or wrong: open the link that the lab has printed"
            )
        if scope["type"] == "websocket":
            full = self._sockets >= _MOST_SOCKETS
            return _Refusal(429, f"there are {_MOST_SOCKETS} sockets already") if full else None
        length = headers.get("content-length", "0")[:20]
        if length.isascii() and length.isdecimal() and int(length) > _limit(scope):
            return _Refusal(413, _too_large(_limit(scope)))
        return None

    def _is_own(self, host: str) -> bool:
        """Return whether a Host header names this server."""
        name, port = host, "80"  # which browsers leave out
        if host[-1:].isdigit() and ":" in host:
            name, _, port = host.rpartition(":")
        name = name.removeprefix("[").removesuffix("]").lower()
        if port != str(self._port):
            return False
        if name in (self._host, "127.0.0.1", "localhost", "::1"):
            return True
        if self._host not in ("0.0.0.0", "::"):
            return False
        return name == socket.gethostname().lower() or _is_address(name)


def _given(scope: Scope, headers: Headers) -> str:
    """Return the token of a request, "" without."""
    if scope["type"] == "websocket":
        return headers.get("sec-websocket-protocol", "").rpartition(",")[2].strip()
    if scope["path"] == "/":
        query = parse_qs(str(scope["query_string"], "latin-1"))
        return query.get("token", [""])[0]
    return headers.get("authorization", "").removeprefix("Bearer ")


def _is_foreign(scope: Scope, headers: Headers, host: str) -> bool:
    """Return whether a page of another origin asks; people may follow its links to the page."""
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return True
    is_link = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not is_link


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _limit(scope: Scope) -> int:
    """Return how many bytes a request may have."""
    return LARGEST_UPLOAD if scope["path"].endswith("/upload") else LARGEST_BODY


def _too_large(limit: int) -> str:
    return f"the request has more than {limit >> 20} MB"


def _with_headers(send: Send, host: str) -> Send:
    """Return a function that adds the headers for safety to each response."""
    safe_host = host if all(c.isalnum() or c in ".:-[]" for c in host) else ""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers["content-security-policy"] = _POLICY.format(host=safe_host)
        await send(message)

    return sending


def _bounded(receive: Receive, limit: int) -> Receive:
    """Return a function that receives a body, and raises where it goes beyond a limit."""
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return receiving


def _slow(receive: Receive, send: Send) -> Receive:
    """Return a function that receives messages of a socket, and closes it if they are too many."""
    bucket = Bucket(_MESSAGES)

    async def receiving() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and not bucket.take():
            reason = "too many messages"
            await send({"type": "websocket.close", "code": _CLOSED_FOR_POLICY, "reason": reason})
            return {"type": "websocket.disconnect", "code": _CLOSED_FOR_POLICY}
        return message

    return receiving


def _accepting(send: Send) -> Send:
    """Return a function that names the subprotocol where a socket is accepted."""

    async def sending(message: Message) -> None:
        if message["type"] == "websocket.accept":
            message["subprotocol"] = PROTOCOL
        await send(message)

    return sending


async def _refuse(scope: Scope, send: Send, refusal: _Refusal) -> None:
    """Answer by a sentence, or by a page where a person asks for one."""
    text = f"{refusal.status} {HTTPStatus(refusal.status).phrase}: {refusal.sentence}\n"
    if scope["type"] == "websocket":  # before it is accepted: the answer has the status 403
        await send({"type": "websocket.close", "code": _CLOSED_FOR_POLICY, "reason": text})
        return
    is_page = scope["path"] == "/"
    body = (_PAGE.replace("{text}", escape(text)) if is_page else text).encode()
    kind = "text/html" if is_page else "text/plain"
    headers = [
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    start = {"type": "http.response.start", "status": refusal.status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
