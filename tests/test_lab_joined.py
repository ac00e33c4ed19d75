"""Trainings of several processes in one lab: who joins which, what arrives, what is asked for."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

import gyaku as gk
from child import interruptible
from gyaku.lab import guests, joined
from gyaku.lab.joined import Joined, join
from gyaku.lab.registry import Entry, Registration, running
from gyaku.lab.runs import MOST_POINTS, MOST_RUNS, Run, Runs
from gyaku.lab.server import Lab
from lab_client import ask

TRAIN = """
import sys
import gyaku as gk

(x, y), test = gk.data.digits()
live = gk.lab.Live(sys.argv[1], open_browser=False)
history = gk.models.mlp([16]).fit(
    x, y, loss="softmax_cross_entropy", epochs=int(sys.argv[2]), validation_data=test,
    metrics=["accuracy"], callbacks=live, verbose=0,
)
print(history.stopped, history.epochs, live.url)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the labs of this test alone."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "gyaku"


@pytest.fixture
def lab(folder: Path) -> Iterator[Lab]:
    with gk.lab.serve(open_browser=False, runs=Runs()) as started:
        yield started


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    end = monotonic() + seconds
    while not (found := condition()):
        assert monotonic() < end, "it has not come about"
        sleep(0.02)
    return found


def runs_of(lab: Lab) -> list[Run]:
    assert lab.runs is not None
    return lab.runs.all()


def other(title: str, epochs: int) -> Any:
    """Start a training in another process."""
    return interruptible([sys.executable, "-c", TRAIN, title, str(epochs)])


def test_a_lab_is_registered_for_its_user_alone(folder: Path) -> None:
    assert running() == []
    lab = gk.lab.serve(open_browser=False, runs=Runs())
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert running() == [Entry("127.0.0.1", lab.port, lab.token)]
    with gk.lab.serve(open_browser=False, runs=Runs()) as second:
        assert [each.port for each in running()] == [second.port, lab.port]
    lab.close()
    assert [*folder.iterdir()] == []


def test_files_of_others_are_not_believed(folder: Path) -> None:
    entry = Entry("127.0.0.1", 8765, "secret")
    registration = Registration(entry)
    (file,) = folder.iterdir()
    file.chmod(0o640)
    assert running() == []
    file.chmod(0o600)
    assert running() == [entry]
    content = file.read_text()
    for wrong in ("{", "[]", "{}", content.replace('"version": "', '"version": "0')):
        file.write_text(wrong)
        assert running() == []
    file.write_text(content)
    link = folder / f"lab-{socket.gethostname()}-1.json"
    link.symlink_to(file)
    (folder / f"lab-{socket.gethostname()}-2.json").mkdir()
    (folder / "lab-another-machine-3.json").write_text(content)
    os.mkfifo(folder / f"lab-{socket.gethostname()}-4.json", 0o600)
    assert running() == [entry]
    registration.leave()
    registration.leave()
    assert not file.exists()


def test_the_file_of_a_lab_that_was_killed_is_removed(folder: Path) -> None:
    code = "import gyaku as gk, time; print(gk.lab.serve(open_browser=False).url, flush=True)"
    with interruptible([sys.executable, "-c", f"{code}; time.sleep(60)"]) as process:
        assert process.stdout
        assert process.stdout.readline().startswith("http://")
        assert len(running()) == 1
        process.kill()
        process.wait()
    assert len([*folder.iterdir()]) == 1
    assert running() == []
    assert [*folder.iterdir()] == []


def test_a_folder_that_cannot_be_written_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    Registration(Entry("127.0.0.1", 1, "")).leave()
    assert running() == []
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("GYAKU_CACHE", str(tmp_path / "cache"))
    registration = Registration(Entry("127.0.0.1", 1, ""))
    assert (tmp_path / "cache" / "labs").is_dir()
    registration.leave()


def test_a_training_of_another_process_joins_the_lab(lab: Lab) -> None:
    with other("theirs", 3) as process:
        assert process.stdout
        stopped, epochs, url = process.stdout.read().split()
    assert (stopped, epochs, url) == ("None", "3", lab.url)
    (run,) = runs_of(lab)
    news = run.news(0)
    assert news is not None
    assert news["facts"]["title"] == "theirs"
    assert news["state"] == {"name": "ended", "reason": ""}
    for name in ("loss", "val_loss", "accuracy"):
        assert [x for x, _ in news["series"][name]["points"]] == [1, 2, 3]
    assert news["wrong"]["of"] == "validation"
    assert len(news["layers"]) == 2


def test_a_training_of_another_process_is_paused_and_stopped(lab: Lab) -> None:
    def step() -> int:
        news = run.news(0)
        assert news is not None
        return int(news["numbers"]["step"])

    with other("theirs", 100_000) as process:
        run = until(lambda: [each for each in runs_of(lab) if "numbers" in (each.news(0) or {})])[0]
        path = f"/api/watch/run/{run.number}"
        assert ask(lab, f"{path}/pause", b"{}")[0] == 200
        until(lambda: run.state == "paused")
        sleep(1)
        paused = step()
        sleep(1)
        assert step() == paused
        assert ask(lab, f"{path}/go", b"{}")[0] == 200
        until(lambda: run.state == "running" and step() > paused)
        assert ask(lab, f"{path}/stop", b"{}")[0] == 200
        assert process.stdout
        assert process.stdout.read().startswith("stopped in the lab ")
    assert run.news(0)["state"] == {"name": "ended", "reason": "stopped in the lab"}


def test_a_training_goes_on_when_its_lab_ends(lab: Lab) -> None:
    epochs = 3000  # more than pass until it is paused
    with other("theirs", epochs) as process:
        run = until(lambda: runs_of(lab))[0]
        run.pause()
        until(lambda: run.state == "paused")
        lab.close()
        assert process.stdout
        assert process.stdout.read().startswith(f"None {epochs} ")


def test_a_process_that_is_killed_is_noticed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guests, "_SILENCE", 1.0)
    with other("theirs", 100_000) as process:
        run = until(lambda: runs_of(lab))[0]
        process.send_signal(signal.SIGSTOP)
        sleep(1.5)
        state = json.loads(ask(lab, "/api/watch/news?since=")[1])["runs"][0]["state"]
        assert state == {"name": "ended", "reason": "its process does not answer"}
        process.send_signal(signal.SIGCONT)  # one that was asleep comes back
        until(lambda: run.state == "running")
        process.kill()
        process.wait()
        sleep(1.5)
        ask(lab, "/api/watch/news?since=")
        assert run.state == "ended"


def test_the_command_joins_and_ends_without_waiting(lab: Lab, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gyaku", "train", "--lab", "--no-browser", "--epochs", "2"]
    with interruptible([*command, "--no-curve"], cwd=tmp_path, stderr=-1) as process:
        _, errors = process.communicate()
        assert process.returncode == 0
    assert lab.url in errors
    assert "Ctrl-C" not in errors
    (run,) = runs_of(lab)
    assert run.state == "ended"


@pytest.fixture
def mine(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[Joined]:
    """Return the lab as another process has joined it."""
    monkeypatch.setattr(joined, "_SECONDS", 0.02)
    found = join(Runs())
    assert found is not None
    yield found
    found.close()


def points(run: Run, name: str) -> list[tuple[float, float]]:
    news = run.news(0)
    return [] if news is None or name not in news["series"] else news["series"][name]["points"]


def test_every_point_arrives_once(lab: Lab, mine: Joined) -> None:
    run = mine.runs.begin({"title": "theirs"})
    for step in range(3 * MOST_POINTS):
        run.add(float(step), {"loss": float(step % 7)})
        if step % 500 == 0:
            sleep(0.03)
    run.put("numbers", {"left": float("inf")})
    run.end("")
    found = until(lambda: [each for each in runs_of(lab) if each.state == "ended"])[0]
    assert points(found, "loss") == points(run, "loss")
    assert found.news(0)["numbers"] == {"left": None}


def test_an_answer_that_is_lost_changes_nothing(
    lab: Lab, mine: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, lost = Joined._post, [True]

    def losing(self: Joined, message: dict[str, Any]) -> dict[str, Any] | None:
        answer = original(self, message)
        return None if message["runs"] and lost and lost.pop() else answer

    monkeypatch.setattr(Joined, "_post", losing)
    run = mine.runs.begin({"title": "theirs"})
    run.add(1.0, {"loss": 2.0})
    run.end("")
    found = until(lambda: [each for each in runs_of(lab) if each.state == "ended"])
    sleep(0.1)
    assert lost == []
    assert [points(each, "loss") for each in found] == [[(1.0, 2.0)]]


def test_a_page_that_is_open_is_not_opened_again(
    lab: Lab, mine: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(joined, "open_page", lambda url, page: opened.append(page) is None)
    mine.open("watch")
    assert opened == ["watch"]
    ask(lab, "/api/watch/news?since=")
    mine.runs.begin({})
    until(lambda: runs_of(lab))
    sleep(0.1)
    assert mine.open("watch")
    assert opened == ["watch"]


def test_what_is_no_lab_is_not_joined(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "_PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registration = Registration(Entry("127.0.0.1", silent.getsockname()[1], "x"))
        assert join(Runs()) is None
        registration.leave()
    with gk.lab.serve(open_browser=False, runs=Runs()) as lab:
        registration = Registration(Entry("127.0.0.1", lab.port, "wrong"))
        assert join(Runs()) is None
        registration.leave()


@pytest.mark.parametrize(
    "runs",
    [
        [5],
        [{}],
        [{"run": 1, "series": {}}],
        [{"run": 1, "facts": 5, "series": {}}],
        [{"run": 1, "facts": {}, "numbers": [], "series": {}}],
        [{"run": 1, "facts": {}, "series": {"loss": {"points": [["x", 1]], "replace": False}}}],
        [{"run": 1, "facts": {}, "series": {"loss": [1]}}],
        [{"run": 1, "facts": {}, "state": "ended", "series": {}}],
    ],
)
def test_news_that_are_none_are_refused_in_a_sentence(lab: Lab, runs: list[Any]) -> None:
    message = {"session": "theirs", "since": 0, "change": 7, "kept": [], "runs": runs}
    status, text, _ = ask(lab, "/api/watch/join", json.dumps(message))
    assert (status, text) == (400, "the news are not those of trainings")
    del message["runs"]
    status, text, _ = ask(lab, "/api/watch/join", json.dumps(message))
    assert (status, text) == (400, "the field 'runs' is missing")
    assert ask(lab, "/api/watch/join", json.dumps(message), token="wrong")[0] == 403


def test_there_is_a_largest_number_of_trainings(lab: Lab) -> None:
    def join_with(number: int) -> tuple[int, str]:
        run = {"run": number, "facts": {}, "series": {}}
        message = {"session": f"{number}", "since": 0, "change": 1, "kept": [], "runs": [run]}
        return ask(lab, "/api/watch/join", json.dumps(message))[:2]

    assert {join_with(number)[0] for number in range(MOST_RUNS)} == {200}
    assert join_with(MOST_RUNS) == (429, f"{MOST_RUNS} trainings are watched already")
    runs_of(lab)[0].end("")
    assert join_with(MOST_RUNS)[0] == 200
