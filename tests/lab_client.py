"""Requests to the lab's server, and routes to try them on."""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gyaku.lab.messages import fields_of, json_of
from gyaku.lab.server import Lab


async def _echo(request: Request) -> Response:
    return JSONResponse(fields_of(await json_of(request), {"name": str, "rate": float}))


async def _count(request: Request) -> Response:
    return JSONResponse(len(await request.body()))


async def _talk(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


async def _stuck(_: Request) -> Response:
    await asyncio.sleep(60)
    return Response()


ROUTES = [
    Route("/api/test/echo", _echo, methods=["POST"]),
    Route("/api/test/count", _count, methods=["POST"]),
    Route("/api/test/upload", _count, methods=["POST"]),
    Route("/api/test/stuck", _stuck),
    WebSocketRoute("/api/test/socket", _talk),
]


def ask(
    lab: Lab,
    path: str,
    body: Any = None,
    *,
    token: str | None = None,
    method: str | None = None,
    **headers: str,
) -> tuple[int, str, HTTPResponse]:
    """Return status, text and response of a request, by default with the token."""
    connection = HTTPConnection("127.0.0.1", lab.port, timeout=20)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    given |= {"Authorization": f"Bearer {lab.token if token is None else token}"}
    connection.request(method or ("GET" if body is None else "POST"), path, body, given)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text, response


def talk(lab: Lab, token: str | None = None, **options: Any) -> ClientConnection:
    """Open the socket, by default with the token."""
    protocols = [Subprotocol("gyaku.lab"), Subprotocol(lab.token if token is None else token)]
    url = f"ws://127.0.0.1:{lab.port}/api/test/socket"
    return connect(url, subprotocols=protocols, proxy=None, **options)
