"""The socket of the playground: one training for each page, over real HTTP on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from socket import SHUT_RDWR
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from gyaku.lab.playground import MOST_PAGES, routes
from gyaku.lab.server import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(routes()) as found:
        yield found


def opened(lab: Lab) -> Any:
    """Open the socket as the page does."""
    place = f"127.0.0.1:{lab.port}"
    return connect(
        f"ws://{place}/api/playground/socket",
        subprotocols=[Subprotocol("gyaku.lab"), Subprotocol(lab.token)],
        origin=Origin(f"http://{place}"),
        proxy=None,
    )


def tell(socket: Any, do: str, **settings: Any) -> None:
    socket.send(json.dumps({"do": do, "settings": settings} if settings else {"do": do}))


def heard(socket: Any, kind: str) -> Any:
    """Return the next message of a kind; pictures are seen on the way."""
    while True:
        message = socket.recv(timeout=5)
        if isinstance(message, bytes):
            tell(socket, "seen")
            if kind == "picture":
                return message
        elif (found := json.loads(message))["kind"] == kind:
            return found


def trainings() -> int:
    return sum(thread.name == "playground" for thread in threading.enumerate())


def until_trainings(count: int) -> float:
    """Return the seconds until there are so many threads that train."""
    start = time.perf_counter()
    while trainings() != count:
        assert time.perf_counter() - start < 5
        time.sleep(0.005)
    return time.perf_counter() - start


def test_a_page_is_welcomed_and_gets_pictures(lab: Lab) -> None:
    with opened(lab) as socket:
        welcome = heard(socket, "welcome")
        assert welcome["settings"]["hidden"] == [4, 4]
        assert "Adam" in welcome["choices"]["optimizer"]
        assert heard(socket, "state")["running"] is False
        heard(socket, "picture")
        tell(socket, "run")
        assert heard(socket, "state")["running"] is True
        for _ in range(5):
            assert heard(socket, "picture")[:4] == b"gyk1"


@pytest.mark.parametrize(
    "message",
    ["", "{", "[1]", '{"do": "set", "settings": {"rate": NaN}}', "[" * 10000, b"\x00\x01", b"{}"],
    ids=range(7),
)
def test_a_malformed_message_is_answered_and_the_training_goes_on(lab: Lab, message: Any) -> None:
    with opened(lab) as socket:
        tell(socket, "run")
        heard(socket, "picture")
        socket.send(message)
        answer = heard(socket, "error")["text"]
        assert answer
        assert "\n" not in answer
        for _ in range(3):
            heard(socket, "picture")


def test_a_closed_page_ends_its_training_within_a_second(lab: Lab) -> None:
    until_trainings(0)
    with opened(lab) as socket:
        tell(socket, "run")
        heard(socket, "picture")
        assert trainings() == 1
    assert until_trainings(0) < 1


def test_a_page_whose_machine_goes_away_ends_its_training(lab: Lab) -> None:
    until_trainings(0)
    with opened(lab) as socket:
        tell(socket, "run")
        heard(socket, "picture")
        socket.socket.shutdown(SHUT_RDWR)  # without a word
        assert until_trainings(0) < 1


def test_there_are_at_most_some_pages(lab: Lab) -> None:
    until_trainings(0)
    with ExitStack() as stack:
        sockets = [stack.enter_context(opened(lab)) for _ in range(MOST_PAGES)]
        for each in sockets:
            heard(each, "welcome")
        with opened(lab) as refused:
            assert heard(refused, "full")["most"] == MOST_PAGES
        assert trainings() == MOST_PAGES
        tell(sockets[0], "step")
        heard(sockets[0], "picture")
    until_trainings(0)
    with opened(lab) as again:
        heard(again, "welcome")


def test_the_end_of_the_lab_ends_its_trainings() -> None:
    until_trainings(0)
    lab = Lab(routes())
    with opened(lab) as socket:
        tell(socket, "run")
        heard(socket, "picture")
        lab.close()
        assert until_trainings(0) < 1
