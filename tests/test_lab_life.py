"""The life of the lab: its port, its end, its command, and wrong arguments."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

import gyaku as gk
from child import Command, interruptible, output
from gyaku.lab.server import Lab
from lab_client import ROUTES, ask, talk


def test_a_second_lab_takes_the_next_port_and_a_third_the_first_when_it_is_free() -> None:
    first = Lab([])
    with Lab([]) as second:
        assert first.port < second.port
        with pytest.raises(
            OSError, match=f"port {second.port} is in use, give the lab another one"
        ):
            Lab([], port=second.port)
        first.close()
        with Lab([]) as third:
            assert third.port == first.port
    assert not first.is_open


def test_it_ends_within_a_second_whatever_is_open(capfd: pytest.CaptureFixture[str]) -> None:
    lab = Lab(ROUTES)
    thread = threading.Thread(target=_ask_in_vain, args=(lab,))
    with talk(lab) as talking:
        thread.start()
        time.sleep(0.2)
        begin = time.monotonic()
        lab.close()
        assert time.monotonic() - begin < 1
        lab.close()  # a second time is no error
        thread.join()
        with pytest.raises(ConnectionClosed):
            talking.recv(timeout=5)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", lab.port))
    assert capfd.readouterr().err == ""


def _ask_in_vain(lab: Lab) -> None:
    try:
        ask(lab, "/api/test/stuck")
    except OSError:  # cut off
        return


def test_other_machines_are_let_in_with_a_warning_alone() -> None:
    with pytest.warns(UserWarning, match="other machines of the network reach it, too"):
        lab = Lab(ROUTES, host="0.0.0.0")
    with lab:
        for host, status in (
            ("192.0.2.7", 200),
            (socket.gethostname(), 200),
            ("evil.example", 403),
        ):
            assert ask(lab, "/api/test/count", b"x", Host=f"{host}:{lab.port}")[0] == status


def test_an_address_that_is_not_this_machines_is_a_sentence() -> None:
    with (
        pytest.warns(UserWarning, match="other machines"),
        pytest.raises(OSError, match=r"^the lab cannot listen at 192\.0\.2\.7, port 8765: "),
    ):
        Lab([], host="192.0.2.7")


@pytest.mark.parametrize("names", ["abc", 5])
def test_names_of_classes_are_a_list(names: Any) -> None:
    with pytest.raises(TypeError, match=f"^Live: names must be a list of texts, got {names!r}"):
        gk.lab.Live(names=names)


def test_without_the_extra_it_says_what_to_install() -> None:
    printed = output(
        """
        import sys
        sys.modules["starlette"] = None
        import gyaku as gk
        try:
            gk.lab.serve(open_browser=False)
        except ImportError as error:
            print(error)
        """
    )
    assert printed == "the lab needs Starlette, uvicorn and websockets: pip install 'gyaku[lab]'"


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: gk.lab.serve(port=70000), "port must be at most 65535, got 70000"),
        (lambda: gk.lab.serve(host=""), "host must be an address, such as '127.0.0.1', got ''"),
        (lambda: gk.lab.serve(port=0), "port must be at least 1, got 0"),
        (lambda: gk.lab.serve(lang="fr"), "lang must be 'en' or 'ja', got 'fr'"),
    ],
)
def test_wrong_arguments_are_sentences(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^serve: {sentence}"):
        call()


def test_the_command_prints_its_link_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gyaku", "lab", "--no-browser", "--lang", "ja"]
    environment = os.environ | {"BROWSER": "false"}
    errors = tmp_path / "errors"
    with errors.open("w") as stream, interruptible(command, stderr=stream, env=environment) as run:
        assert run.stdout is not None
        url = run.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("&lang=ja")
        port = int(url.split(":")[2].split("/")[0])
        opened = socket.create_connection(("127.0.0.1", port))
        begin = time.monotonic()
        run.send_signal(signal.SIGINT)
        code = run.wait(timeout=10)
        assert time.monotonic() - begin < 1
        opened.close()
    assert code == 130
    assert errors.read_text() == ""
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.mark.filterwarnings("default:lab. at 0.0.0.0")
def test_the_command_warns_of_other_machines(
    here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Lab) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lab, "wait", interrupted)
    done = here("lab", "--no-browser", "--host", "0.0.0.0")
    assert done.returncode == 130
    assert done.stdout.startswith(f"http://{socket.gethostname()}:")
    assert done.stderr.startswith("gyaku lab: at 0.0.0.0 other machines of the network reach it")


def test_the_command_refuses_a_model_of_other_inputs(here: Command, tmp_path: Path) -> None:
    model = gk.Sequential(gk.Dense(3))
    model.build((4,))
    model.save(tmp_path / "small.safetensors")
    done = here("lab", "small.safetensors", "--no-browser")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gyaku lab: the model takes inputs of shape (4,), the lab draws")
    assert here("lab", "--port", "70000").returncode == 2
    assert here("lab", "absent.safetensors").returncode == 1
