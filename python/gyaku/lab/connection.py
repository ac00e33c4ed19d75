"""Connections of the lab: slow ones end, or give way to new ones, so that the pages go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from asyncio import TimerHandle
    from typing import Any

__all__ = ["MOST_CONNECTIONS", "Connection"]

MOST_CONNECTIONS = 200
"""Connections of which the one that has waited longest for a request gives way to a new one."""

_SECONDS: dict[Any, float] = {h11.IDLE: 2.0, h11.SEND_BODY: 60.0}
"""Time for the head of a request, and for its body, from their beginning."""


class Connection(H11Protocol):
    """A connection whose requests must be whole in time, however slowly their bytes come.

    Parameters
    ----------
    config, server_state, app_state, _loop : object
        Those of uvicorn's protocol.
    """

    _timer: TimerHandle | None = None
    _awaits: Any = None  # the part of a request that the timer is for
    _since = 0.0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request.

        Parameters
        ----------
        transport : asyncio.Transport
            The connection's bytes.
        """
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._displace()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request.

        Parameters
        ----------
        data : bytes
            The piece.
        """
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting.

        Parameters
        ----------
        exc : Exception or None
            The reason of the end.
        """
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        """Start a timer where another part of a request begins."""
        upgraded = self.transport.get_protocol() is not self  # to a socket
        part = None if upgraded else self.conn.their_state
        if part is self._awaits:
            return
        self._stop()
        self._awaits, self._since = part, self.loop.time()
        if part in _SECONDS:
            self._timer = self.loop.call_later(_SECONDS[part], self.transport.abort)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _displace(self) -> None:
        """End the connection that has waited longest for the head of a request."""
        others = (each for each in self.connections if isinstance(each, Connection))
        waiting = [
            each for each in others if each is not self and each.conn.their_state is h11.IDLE
        ]
        if waiting:
            oldest = min(waiting, key=lambda each: each._since)
            self.connections.discard(oldest)  # at once: many may come at the same time
            oldest.transport.abort()
