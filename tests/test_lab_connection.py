"""Connections of the lab that are idle or slow: the pages go on beside them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from itertools import chain, repeat

import h11
import pytest

from gyaku.lab import connection
from gyaku.lab.server import Lab
from lab_client import ROUTES, ask, talk

HEAD, BODY = 0.3, 0.6


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(connection, "_SECONDS", {h11.IDLE: HEAD, h11.SEND_BODY: BODY})
    with Lab(ROUTES) as started:
        yield started


def post(lab: Lab, length: int = 1) -> bytes:
    """Return the head of a request with the token."""
    lines = [
        "POST /api/test/count HTTP/1.1",
        f"Host: 127.0.0.1:{lab.port}",
        f"Authorization: Bearer {lab.token}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def seconds_until_cut(raw: socket.socket, pieces: Iterator[bytes]) -> float:
    """Return the time until a connection ends on which a piece is sent every 20 ms."""
    raw.settimeout(0.02)
    began = time.monotonic()
    for piece in pieces:
        assert time.monotonic() < began + 20
        try:
            raw.sendall(piece)
            if not raw.recv(1000):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began


def test_idle_connections_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_SECONDS", {})
    with Lab(ROUTES) as crowded, ExitStack() as idle, talk(crowded) as talking:
        for _ in range(3 * connection.MOST_CONNECTIONS):
            idle.enter_context(socket.create_connection(("127.0.0.1", crowded.port)))
        for _ in range(20):
            assert ask(crowded, "/api/test/count", b"x")[0] == 200
        talking.send("still here")
        assert talking.recv(timeout=5) == "still here"


def test_a_head_that_comes_slowly_is_cut_off(lab: Lab) -> None:
    with socket.create_connection(("127.0.0.1", lab.port)) as raw:
        pieces = chain([b"GET / HTTP/1.1\r\nX: "], repeat(b"x"))
        assert HEAD - 0.1 < seconds_until_cut(raw, pieces) < 10 * HEAD


def test_a_second_head_is_no_slower(lab: Lab) -> None:
    with socket.create_connection(("127.0.0.1", lab.port)) as raw:
        raw.sendall(post(lab) + b"x")
        assert raw.recv(1000).startswith(b"HTTP/1.1 200")
        time.sleep(1.5 * HEAD)  # a connection that is kept may wait longer for its next request
        pieces = chain([b"GET / HTTP/1.1\r\nX: "], repeat(b"x"))
        assert HEAD - 0.1 < seconds_until_cut(raw, pieces) < 10 * HEAD


def test_a_body_that_comes_slowly_is_cut_off(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", lab.port)) as raw:
        pieces = chain([post(lab, 1000)], repeat(b"x"))
        assert BODY - 0.1 < seconds_until_cut(raw, pieces) < 10 * BODY
    assert ask(lab, "/api/test/count", b"x")[0] == 200
    assert capfd.readouterr().err == ""


def test_slow_clients_do_not_keep_others_out(lab: Lab) -> None:
    with ExitStack() as opened:
        slow = []
        for _ in range(connection.MOST_CONNECTIONS):
            raw = opened.enter_context(socket.create_connection(("127.0.0.1", lab.port)))
            raw.sendall(b"GET / HTTP/1.1\r\nX: ")
            slow.append(raw)
        seconds = []
        for raw in slow[-20:]:
            raw.sendall(b"x")
            began = time.monotonic()
            assert ask(lab, "/api/test/count", b"x")[0] == 200
            seconds.append(time.monotonic() - began)
    assert sorted(seconds)[10] < 0.1


def test_what_is_asked_in_time_may_take_long(lab: Lab) -> None:
    kept = HTTPConnection("127.0.0.1", lab.port, timeout=20)
    with talk(lab) as talking:
        for _ in range(2):
            kept.request("POST", "/api/test/count", b"x", {"Authorization": f"Bearer {lab.token}"})
            assert kept.getresponse().read() == b"1"
            talking.send("still here")
            assert talking.recv(timeout=5) == "still here"
            time.sleep(2 * BODY)
    kept.close()
