"""The page on trainings, over HTTP and in Chromium: curves, pause, go on, stop, two languages."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

import gyaku as gk
from child import interruptible
from gyaku.lab.runs import Run, Runs
from gyaku.lab.server import Lab
from lab_browser import PIXELS, Page
from lab_rules import violations


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    runs = Runs()
    with gk.lab.serve(open_browser=False, runs=runs) as started:
        yield started


@pytest.fixture
def own(lab: Lab) -> Iterator[Lab]:
    """Return a lab whose runs are those of the test alone."""
    with gk.lab.serve(open_browser=False, runs=Runs()) as started:
        yield started


def ask(lab: Lab, path: str, method: str = "GET", token: str | None = None) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", lab.port, timeout=10)
    known = lab.token if token is None else token
    connection.request(method, path, headers={"Authorization": f"Bearer {known}"})
    response = connection.getresponse()
    status, text = response.status, response.read().decode()
    connection.close()
    return status, text


def news(lab: Lab, since: str = "") -> dict[str, Any]:
    status, text = ask(lab, f"/api/watch/news?since={since}")
    assert status == 200
    found: dict[str, Any] = json.loads(text)
    return found


def train(lab: Lab, work: Callable[[Run], None], **options: Any) -> gk.History:
    """Train with the lab, and do something from another thread as soon as the run is there."""
    (x, y), test = gk.data.digits()
    done: list[BaseException | None] = []

    def watch() -> None:
        end = monotonic() + 20
        try:
            while not (runs := lab.runs.all() if lab.runs else []) or not runs[-1].news(1):
                assert monotonic() < end
                sleep(0.01)
            work(runs[-1])
            done.append(None)
        except BaseException as error:  # noqa: BLE001, raised below
            done.append(error)
        finally:
            for run in lab.runs.all() if lab.runs else []:
                run.stop()

    thread = threading.Thread(target=watch)
    thread.start()
    given = {"epochs": 100_000, "metrics": ["accuracy"], "validation_data": test, **options}
    model = gk.models.mlp([32])
    history = model.fit(
        x, y, loss="softmax_cross_entropy", verbose=0, callbacks=gk.lab.Live("mine"), **given
    )
    thread.join()
    if done[0] is not None:
        raise done[0]
    return history


def test_a_page_asks_for_what_is_new(own: Lab) -> None:
    first = news(own)
    assert first["runs"] == first["kept"] == []
    run = own.runs.begin({"title": "one"})  # type: ignore[union-attr]
    run.add(1.0, {"loss": 0.5})
    second = news(own, f"{first['session']}:{first['change']}")
    assert second["runs"][0]["facts"] == {"title": "one"}
    assert second["runs"][0]["series"]["loss"]["points"] == [[1.0, 0.5]]
    place = f"{second['session']}:{second['change']}"
    assert news(own, place)["runs"] == []
    assert len(news(own, "0123456789abcdef:7")["runs"]) == 1  # of a lab that has ended
    for wrong in ("x", "7", f"{first['session']}:-1", f"{first['session']}:x", "x:" + "9" * 50):
        assert ask(own, f"/api/watch/news?since={wrong}") == (
            400, "since must be the place of earlier news",
        )  # fmt: skip


def test_what_there_is_not_is_refused_in_a_sentence(own: Lab) -> None:
    run = own.runs.begin({})  # type: ignore[union-attr]
    assert ask(own, "/api/watch/run/9/stop", "POST") == (404, "there is no such training")
    sentence = "the action must be pause, go or stop"
    assert ask(own, f"/api/watch/run/{run.number}/end", "POST") == (404, sentence)
    assert ask(own, f"/api/watch/run/{run.number}/stop")[0] == 405
    assert ask(own, f"/api/watch/run/{run.number}/stop", "POST", token="x")[0] == 403
    assert run.state == "running"
    assert not run.is_asked_to_stop


def test_a_training_is_paused_and_stopped_by_requests(own: Lab) -> None:
    def work(run: Run) -> None:
        for action, state in (("pause", "paused"), ("go", "running"), ("pause", "paused")):
            status, text = ask(own, f"/api/watch/run/{run.number}/{action}", "POST")
            assert (status, json.loads(text)) == (200, {"state": state})
        sleep(0.3)
        step = news(own)["runs"][0]["numbers"]["step"]
        sleep(0.3)
        assert news(own)["runs"][0]["numbers"]["step"] == step
        assert ask(own, f"/api/watch/run/{run.number}/stop", "POST")[0] == 200

    history = train(own, work)
    assert history.stopped == "stopped in the lab"
    assert news(own)["runs"][0]["state"] == {"name": "ended", "reason": "stopped in the lab"}


def test_the_training_goes_on_when_the_lab_is_closed(own: Lab) -> None:
    history = train(own, lambda run: (own.close(), sleep(0.3)), epochs=150)  # type: ignore[arg-type, func-returns-value]
    assert history.epochs == 150 or history.stopped == "stopped in the lab"


@pytest.fixture
def watched(own: Lab, browser: Any) -> Iterator[tuple[Lab, Page]]:
    page = Page(browser, f"{own.url}&lang=en#watch")
    yield own, page
    assert page.complaints() == []


def text_of(page: Page, selector: str) -> str:
    return str(page.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector))


def test_a_training_is_watched_paused_and_stopped_in_the_page(watched: tuple[Lab, Page]) -> None:
    lab, page = watched
    page.wait("document.querySelector('.watch-none')?.hidden === false")

    def work(run: Run) -> None:
        page.wait("document.querySelectorAll('.watch-chart').length === 3")
        page.wait("document.querySelectorAll('.watch-wrong canvas').length > 0")
        page.wait("document.querySelectorAll('.watch-layers tbody tr').length === 2")
        assert text_of(page, ".watch-findings li")
        label = "document.querySelector('.watch-chart canvas').getAttribute('aria-label')"
        assert page.run(f"return {label}").startswith("loss over the epochs. epoch ")
        page.run("document.querySelector('.watch-chart').scrollIntoView()")
        page.wait(f"({PIXELS})(document.querySelector('.watch-chart canvas')).some(Boolean)")
        for language, name in (("ja", "バッチサイズ"), ("en", "batch size")):
            page.find("#language").click()
            page.wait(f"document.documentElement.lang === '{language}'")
            assert name in text_of(page, ".watch-settings")
        page.find(".watch-pause").click()
        page.wait("document.querySelector('.watch-pause').textContent === 'Go on'")
        assert run.state == "paused"
        page.browser.refresh()  # a page that is opened again loses nothing
        page.wait("document.querySelector('.watch-pause')?.textContent === 'Go on'")
        assert len(page.complaints()) == 1  # of the refusal without a token, behind which it asks
        page.wait("document.querySelectorAll('.watch-chart').length === 3")
        points = run.news(0)["series"]["loss"]["points"]  # type: ignore[index]
        page.find(".watch-values summary").click()
        page.wait("document.querySelectorAll('.watch-values tbody tr').length > 0")
        rows = len(page.all(".watch-values tbody tr"))
        assert rows == min(200, len(points))
        page.find(".watch-pause").click()
        page.wait("document.querySelector('.watch-pause').textContent === 'Pause'")
        page.find(".watch-stop").click()
        page.wait("document.querySelector('.watch-stop').textContent === 'Stop: sure?'")
        assert not run.is_asked_to_stop
        page.find(".watch-stop").click()
        page.wait("document.querySelector('.watch-one h2').textContent.includes('ended: stopped')")
        assert page.run("return document.querySelector('.watch-stop').disabled")
        page.find("#language").click()
        page.wait("document.querySelector('.watch-one h2').textContent.includes('ラボで停止')")
        page.find("#language").click()

    assert train(lab, work).stopped == "stopped in the lab"


def filled(lab: Lab) -> tuple[Run, Run]:
    """Return two runs, one of which has ended, as trainings leave them."""
    settings = {"optimizer": "Adam(0.001)", "batch_size": 32, "seed": 0}
    facts = {"title": "a <b>title</b>", "settings": settings, "parameters": 650}
    runs = [lab.runs.begin(facts) for _ in range(2)]  # type: ignore[union-attr]
    pixels = "AAAA" * 21 + "AA=="  # 64 bytes
    for place, run in enumerate(runs):
        for epoch in range(1, 13):
            run.add(epoch - 0.5, {"step/loss": 2 / epoch, "learning_rate": 0.001})
            run.add(epoch, {"loss": 1 / epoch + place, "val_loss": 1.2 / epoch, "accuracy": 0.9})
        numbers = {"epoch": 12.0, "epochs": 20, "step": 12, "rate": 1e-3, "speed": 1e4}
        run.put("numbers", {**numbers, "seconds": 3.0, "left": 75.0})
        run.put("layers", [{"layer": "dense", "gradient": 0.5, "weights": 2.0, "update": 0.002}])
        said = {
            lang: {"title": f"t {lang}", "sentence": "s", "remedy": "r"} for lang in ("en", "ja")
        }
        run.put("findings", [{"kind": "dead_units", "layer": "dense", **said}])
        item = {"sample": 3, "true": "<i>3</i>", "found": "5", "pixels": pixels}
        wrong = {"of": "validation", "count": 512, "wrong": 1, "shape": [8, 8], "items": [item]}
        run.put("wrong", wrong)
    runs[0].end("")
    return runs[0], runs[1]


def test_runs_are_compared_by_keyboard_alone(watched: tuple[Lab, Page]) -> None:
    lab, page = watched
    filled(lab)
    page.wait("document.querySelectorAll('.watch-runs tbody tr').length === 2")
    assert page.run("return document.querySelectorAll('b, i').length") == 0
    legend = "document.querySelectorAll('.watch-chart ul')[0].children.length"
    page.wait(f"{legend} === 5")  # of two runs, and lines within epochs, training and validation
    reached: dict[str, Any] = {}
    page.run("document.getElementById('page').focus()")
    for _ in range(14):
        page.keys(Keys.TAB)
        kind = page.run("return document.activeElement.className || document.activeElement.type")
        if kind == "checkbox" and "box" not in reached:
            reached["box"] = True
            page.keys(" ")
            page.wait(f"{legend} === 3")
        if page.run("return document.activeElement.tagName") == "CANVAS":
            break
        reached[kind] = True
    assert {"watch-pause", "watch-stop", "watch-log", "button"} <= set(reached)
    page.keys(Keys.HOME)
    read = "document.querySelector('.watch-chart .watch-read').textContent"
    assert page.run(f"return {read}").startswith("epoch 1: ")
    page.keys(Keys.ARROW_RIGHT)
    assert page.run(f"return {read}").startswith("epoch 2: ")
    assert "training 1.5" in page.run(f"return {read}")
    page.keys(Keys.END)
    assert page.run(f"return {read}").startswith("epoch 12: ")


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_follows_the_rules_of_accessibility(
    lang: str, theme: str, own: Lab, browser: Any
) -> None:
    filled(own)
    page = Page(browser, f"{own.url}&lang={lang}#watch")
    page.run("localStorage.setItem('theme', arguments[0])", theme)
    page.browser.get(f"{own.url}&lang={lang}#watch")
    page.browser.refresh()
    page.wait("document.querySelectorAll('.watch-chart').length === 3")
    page.find(".watch-values summary").click()
    assert violations(page) == []
    assert ("学習の一覧" in page.text("main")) == (lang == "ja")
    assert ("t ja" in page.text(".watch-findings")) == (lang == "ja")
    page.find("#language").click()
    page.wait(f"document.querySelector('.watch-findings').textContent.includes("
              f"'{'t en' if lang == 'ja' else 't ja'}')")  # fmt: skip
    page.find("#language").click()
    page.resize(400, 800)
    wide = page.run("return document.documentElement.scrollWidth")
    narrow = violations(page) if theme == "light" else []
    page.resize(1280, 720)
    assert wide <= 400
    assert narrow == []
    page.run("localStorage.setItem('theme', 'light')")


def test_ctrl_c_closes_the_lab_before_files_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where there is no other lab to join
    command = [sys.executable, "-m", "gyaku", "train", "--lab", "--no-browser"]
    with interruptible([*command, "--epochs", "100000"], cwd=tmp_path, stderr=-1) as process:
        assert process.stderr
        lines = iter(process.stderr.readline, "")
        url = next(line for line in lines if "lab: http://127.0.0.1:" in line)
        port = int(url.split(":")[-1].split("/")[0])
        process.send_signal(signal.SIGINT)
        began = monotonic()
        while is_open(port):
            assert monotonic() - began < 1
            sleep(0.01)
        assert process.wait(30) == 130
    assert (tmp_path / "gyaku-digits-mlp.safetensors").exists()


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_the_command_shows_its_training_until_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where there is no other lab to join
    command = [sys.executable, "-m", "gyaku", "train", "--lab", "--no-browser", "--epochs", "1"]
    more = ["--no-curve", "--report", "run.html", "--lang", "ja"]
    with interruptible([*command, *more], cwd=tmp_path, stderr=-1) as process:
        assert process.stderr
        assert process.stdout
        lines = iter(process.stderr.readline, "")
        url = next(line for line in lines if line.startswith("lab: http://127.0.0.1:"))
        assert "token=" in url
        assert next(line for line in lines if "until Ctrl-C" in line)
        process.send_signal(signal.SIGINT)
        began = monotonic()
        assert process.wait(10) == 0
        assert monotonic() - began < 1.5
        assert "run.html" in process.stdout.read()
    assert '<html lang="ja">' in (tmp_path / "run.html").read_text(encoding="utf-8")
