"""The lab's server: who is let in, and what is refused."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.typing import Origin

import gyaku as gk
from gyaku.lab.guard import LARGEST_BODY, LARGEST_MESSAGE, LARGEST_UPLOAD, Bucket
from gyaku.lab.server import Lab
from lab_client import ROUTES, ask, talk


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(ROUTES) as started:
        yield started


def test_the_link_opens_the_page(lab: Lab) -> None:
    status, text, response = ask(
        lab, lab.url.removeprefix(f"http://127.0.0.1:{lab.port}"), token=""
    )
    assert (status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "gyaku" in text
    assert ask(lab, "/assets/lab.js", token="")[0] == 200  # of the package: no secret


@pytest.mark.parametrize("token", ["", "wrong", "é"])
@pytest.mark.parametrize("path", ["/", "/api/test/count", "/nothing"])
def test_who_has_no_token_gets_a_sentence(lab: Lab, path: str, token: str) -> None:
    asked = f"{path}?token={token.encode().hex()}"
    status, text, _ = ask(lab, asked, token=token.encode().decode("latin-1"))
    assert status == 403
    assert "the token is missing or wrong: open the link that the lab has printed" in text
    assert (path == "/") == ("ラボが端末に表示したリンクを開いてください" in text)
    assert lab.token not in text


def test_the_token_is_long_and_another_one_each_time(lab: Lab) -> None:
    with Lab([]) as other:
        assert len(lab.token) >= 40
        assert other.token != lab.token


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("127.0.0.1:1", 403),
        ("127.0.0.1", 403),
        ("evil.example:{port}", 403),
        ("", 403),
    ],
)
def test_other_names_of_this_machine_are_refused(lab: Lab, host: str, status: int) -> None:
    given = host.format(port=lab.port)
    assert ask(lab, "/api/test/count", b"x", Host=given)[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://127.0.0.1:{port}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(lab: Lab, headers: dict[str, str], status: int) -> None:
    given = {name: value.format(port=lab.port) for name, value in headers.items()}
    found, text, _ = ask(lab, "/api/test/count", b"x", **given)
    assert found == status
    assert status == 200 or "not those of other sites" in text


def test_sockets_need_token_and_origin(lab: Lab) -> None:
    own = Origin(f"http://127.0.0.1:{lab.port}")
    with talk(lab, origin=own) as socket_:
        assert socket_.subprotocol == "gyaku.lab"
        socket_.send("hello")
        assert socket_.recv() == "hello"
    for options in ({"token": "wrong"}, {"origin": Origin("http://evil.example")}):
        with pytest.raises(InvalidStatus) as caught, talk(lab, **options):
            pass
        assert caught.value.response.status_code == 403


def test_every_answer_has_the_headers_for_safety(lab: Lab) -> None:
    for path, token in (("/", ""), ("/assets/lab.css", ""), ("/nothing", None), ("/api", "")):
        headers = ask(lab, path, token=token)[2].headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_an_answer_is_not_held_back_until_it_is_acknowledged(lab: Lab) -> None:
    connection = HTTPConnection("127.0.0.1", lab.port, timeout=20)  # kept, as browsers do
    seconds = []
    for _ in range(40):
        begin = time.monotonic()
        connection.request(
            "POST", "/api/test/count", b"x", {"Authorization": f"Bearer {lab.token}"}
        )
        assert connection.getresponse().read() == b"1"
        seconds.append(time.monotonic() - begin)
    connection.close()
    assert sorted(seconds)[10] < 0.03  # of 40 ms, the least delay of an acknowledgement


def test_a_body_that_is_too_large_is_refused_before_it_is_read(lab: Lab) -> None:
    assert ask(lab, "/api/test/count", bytes(LARGEST_BODY))[:2] == (200, str(LARGEST_BODY))
    with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as raw:
        head = f"Host: 127.0.0.1:{lab.port}\r\nAuthorization: Bearer {lab.token}"
        length = LARGEST_BODY + 1
        raw.sendall(
            f"POST /api/test/count HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")  # without a byte of it
    upload = bytes(LARGEST_BODY + 1)
    assert ask(lab, "/api/test/upload", upload)[:2] == (200, str(len(upload)))
    assert LARGEST_UPLOAD > 10 * LARGEST_BODY


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(lab: Lab) -> None:
    pieces = (bytes(1 << 16) for _ in range(1 + (LARGEST_BODY >> 16)))
    status, text, _ = ask(lab, "/api/test/count", pieces)
    assert (status, text) == (413, "the request has more than 1 MB")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "the request is no JSON"),
        (b"{", "the request is no JSON"),
        (b"\xff\xfe\x00", "the request is no JSON"),
        (b'{"name": "x", "rate": NaN}', "the request is no JSON"),
        (b"[" * 100_000, "the request is no JSON"),
        (b"[]", "the request must be a JSON object"),
        (b'{"name": "x"}', "the field 'rate' is missing"),
        (b'{"name": "x", "rate": 1, "more": 2}', "the field 'more' is unexpected"),
        (b'{"name": 3, "rate": 1}', "the field 'name' must be a text"),
        (b'{"name": "x", "rate": true}', "the field 'rate' must be a number"),
    ],
)
def test_a_malformed_message_is_refused_in_a_sentence(lab: Lab, body: bytes, sentence: str) -> None:
    assert ask(lab, "/api/test/echo", body)[:2] == (400, sentence)
    good = {"name": "x", "rate": 1}
    status, text, _ = ask(lab, "/api/test/echo", json.dumps(good))
    assert (status, json.loads(text)) == (200, good)


def test_unknown_paths_and_methods_are_named(lab: Lab) -> None:
    assert ask(lab, "/nothing")[:2] == (404, "there is no /nothing here")
    assert ask(lab, "/api/test/count")[:2] == (405, "/api/test/count does not take GET")
    for path in ("/assets/../server.py", "/assets/..%2fserver.py", "/assets/%2e%2e/server.py"):
        assert ask(lab, path)[0] == 404


def test_messages_of_a_socket_have_a_largest_size(lab: Lab) -> None:
    with talk(lab, max_size=None) as socket_:
        socket_.send("x" * LARGEST_MESSAGE)
        assert len(socket_.recv()) == LARGEST_MESSAGE
        socket_.send("x" * (LARGEST_MESSAGE + 1))
        with pytest.raises(ConnectionClosed) as caught:
            socket_.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009


def test_too_many_requests_are_refused_until_later() -> None:
    now = 0.0
    bucket = Bucket(10, clock=lambda: now)
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]
    now = 0.5
    assert [bucket.take() for _ in range(6)] == [True] * 5 + [False]
    with Lab(ROUTES) as flooded:
        found = [ask(flooded, "/api/test/echo", token="wrong")[0] for _ in range(300)]
        assert set(found) == {403, 429}
        # Those who guess do not lock out those who know.
        assert ask(flooded, "/api/test/count", b"x")[0] == 200


def test_too_many_messages_close_their_socket(lab: Lab) -> None:

    def flood(socket_: ClientConnection) -> None:
        for _ in range(5000):
            socket_.send("x")
            socket_.recv()

    with talk(lab) as socket_, pytest.raises(ConnectionClosed) as caught:
        flood(socket_)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "too many messages")


def test_there_is_a_largest_number_of_sockets() -> None:
    with Lab(ROUTES) as crowded, ExitStack() as opened:
        last = [opened.enter_context(talk(crowded)) for _ in range(32)][-1]
        with pytest.raises(InvalidStatus) as caught, talk(crowded):
            pass
        assert caught.value.response.status_code == 403
        last.close()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            try:
                with talk(crowded):
                    return
            except InvalidStatus:
                time.sleep(0.02)
        raise AssertionError("a socket that is closed leaves no room for another")


def _weights() -> bytes:
    rng = np.random.default_rng(0)
    x = rng.random((256, 64), dtype=np.float32)
    model = gk.Sequential(gk.Dense(64, "relu"), gk.Dropout(0.2), gk.Dense(10))
    model.fit(x, np.arange(256) % 10, loss="softmax_cross_entropy", epochs=60, seed=0, verbose=0)
    return model.flat_params.tobytes()


def test_a_training_goes_on_whatever_is_asked(lab: Lab) -> None:
    alone, ended = _weights(), threading.Event()
    answers: set[int] = set()

    def bother() -> None:
        while not ended.is_set():
            answers.add(ask(lab, "/api/test/echo", b"{")[0])
            answers.add(ask(lab, "/", token="wrong")[0])
            answers.add(ask(lab, "/api/test/count", b"x", Host="evil.example")[0])

    thread = threading.Thread(target=bother)
    thread.start()
    try:
        assert _weights() == alone
    finally:
        ended.set()
        thread.join()
    assert {400, 403} <= answers <= {400, 403, 429}
