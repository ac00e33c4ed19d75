"""Route of the playground: a socket, with a training of its own for each page."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from gyaku.lab.messages import parsed
from gyaku.lab.player import Player
from gyaku.lab.toy_settings import Settings, choices

if TYPE_CHECKING:
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

__all__ = ["MOST_PAGES", "routes"]

MOST_PAGES = 8
"""Number of pages that train at the same time."""

_TRY_LATER = 1013  # code of a closed socket, as the registry of WebSocket has it


def routes() -> list[BaseRoute]:
    """Return the routes of the playground.

    Returns
    -------
    list of BaseRoute
        The socket ``/api/playground/socket``.
    """
    return [WebSocketRoute("/api/playground/socket", _Pages().serve)]


class _Pages:
    """The pages that are open."""

    def __init__(self) -> None:
        self._open = 0

    async def serve(self, socket: WebSocket) -> None:
        """Serve a page until it is closed."""
        await socket.accept()
        if self._open >= MOST_PAGES:
            text = f"{MOST_PAGES} playgrounds are open already; close one, then reload this page"
            await socket.send_json({"kind": "full", "text": text, "most": MOST_PAGES})
            await socket.close(_TRY_LATER)
            return
        self._open += 1
        try:
            await _serve(socket)
        finally:
            self._open -= 1


async def _serve(socket: WebSocket) -> None:
    """Let a page and its training talk to each other."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop has ended before the thread
            loop.call_soon_threadsafe(news.set)

    await socket.send_json(
        {"kind": "welcome", "choices": choices(), "settings": Settings()._asdict()}
    )
    player = Player(tell)
    sending = asyncio.create_task(_send(socket, player, news))
    try:
        while True:
            await _hear(socket, player)
    except WebSocketDisconnect:
        pass
    finally:
        sending.cancel()
        player.close()  # within a hundredth of a second


async def _hear(socket: WebSocket, player: Player) -> None:
    """Obey the next message, or say why not."""
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    try:
        player.hear(parsed(message.get("text") or ""))
    except HTTPException as error:
        player.refuse(error.detail)
    except (TypeError, ValueError) as error:
        player.refuse(str(error))


async def _send(socket: WebSocket, player: Player, news: asyncio.Event) -> None:
    """Send what the training has to tell, when it has."""
    with suppress(WebSocketDisconnect, RuntimeError):  # the page is gone
        while True:
            await news.wait()
            news.clear()
            texts, frame = player.take()
            for each in texts:
                await socket.send_text(json.dumps(each))
            if frame is not None:
                await socket.send_bytes(frame)
