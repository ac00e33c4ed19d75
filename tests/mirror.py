"""A web server on this machine that stands for a mirror on the network."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler as Handler
from typing import Self


class Mirror:
    """A web server on this machine that answers as it is told."""

    def __init__(self, answer: Callable[[Handler, str], None]) -> None:
        self.asked: list[str] = []
        self.answer = answer
        mirror = self

        class Answering(Handler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                mirror.asked.append(name)
                mirror.answer(self, name)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server.server_port}/mnist/"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def reply(handler: Handler, body: bytes, status: int = 200, length: int = -1) -> None:
    """Send a body, with its length or a lie about it."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length < 0 else length))
    handler.end_headers()
    handler.wfile.write(body)
