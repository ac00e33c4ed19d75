"""The page to draw digits, in Chromium: by mouse, by keys, in both languages, and fast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

import gyaku as gk
from gyaku.lab.server import Lab
from lab_browser import THREE, Page
from lab_rules import violations

BOARD = "#draw-canvas"
MILLISECONDS = 30

# The number of colours of a canvas, read from a copy.
COLOURS = """
const [shown] = arguments;
const copy = new OffscreenCanvas(shown.width, shown.height);
const context = copy.getContext("2d", { willReadFrequently: true });
context.drawImage(shown, 0, 0);
const { data } = context.getImageData(0, 0, shown.width, shown.height);
return new Set(new Uint32Array(data.buffer)).size;
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    lenet = gk.models.lenet()
    lenet.build((28, 28, 1))  # of any weights: the time is the same
    with gk.lab.serve(lenet, open_browser=False) as started:
        yield started


@pytest.fixture
def page(lab: Lab, browser: Any) -> Iterator[Page]:
    opened = Page(browser, f"{lab.url}&lang=en")
    opened.resize(1280, 720)
    opened.wait("document.querySelectorAll('#draw-model option').length >= 3")
    choose(opened, "convnet")
    yield opened
    assert opened.complaints() == []  # of scripts, and of the policy


def choose(page: Page, model: str) -> None:
    Select(page.find("#draw-model")).select_by_value(model)
    page.wait("document.querySelectorAll('#draw-bars tr').length === 10")


def answer(page: Page, wanted: str) -> None:
    """Wait for an answer."""
    page.wait("document.querySelector('#draw-answer strong').textContent === arguments[0]", wanted)


def test_a_three_drawn_by_the_mouse_is_read_as_three(page: Page) -> None:
    assert page.text("#draw-answer") == "Nothing is drawn yet."
    page.stroke(BOARD, THREE)
    answer(page, "3")
    best = page.find("#draw-bars tr.best")
    assert best.text.split()[0] == "3"
    assert page.text("#draw-answer").endswith("% sure")
    shares = page.run(
        "return [...document.querySelectorAll('#draw-bars tr')].map(row =>"
        " parseFloat(row.cells[1].firstChild.style.width))"
    )
    assert sum(shares) == pytest.approx(100, abs=0.1)
    page.wait("document.querySelector('#said').textContent.startsWith('Read as 3, ')")
    assert "token" not in page.browser.current_url
    page.find("#draw-undo").click()
    answer(page, "")
    assert page.text("#draw-answer") == "Nothing is drawn yet."


def test_the_bars_move_while_one_draws_within_30_ms(page: Page, capsys: Any) -> None:
    choose(page, "own-1")
    tries: list[tuple[float, float, int]] = []
    entries = "performance.getEntriesByName('stroke').map(each => each.duration)"
    longest = waiting()
    for _ in range(3):
        times: list[float] = []
        while len(times) < 120:
            page.stroke(BOARD, THREE, 120)
            times += page.run(f"return {entries}")
        middle, late = (float(each) for each in np.percentile(times, (50, 95)))
        tries.append((late, middle, len(times)))
        longest = max(longest, waiting())
        if late <= MILLISECONDS:
            break
    late, middle, count = min(tries)
    with capsys.disabled():
        print(
            f"\n{count} movements, LeNet: median {middle:.1f} ms, 95 % {late:.1f} ms; work here"
            f" takes {longest:.1f} times as long as alone"
        )
    assert count >= 100
    # Three processes answer one after the other, each of which may wait for others.
    assert late <= 3 * MILLISECONDS * longest


def waiting() -> float:
    """Return how long a piece of work takes, relative to its time of the processor: 1 if alone."""
    begin, worked = time.perf_counter(), time.thread_time()
    while time.thread_time() - worked < 0.03:
        pass
    return (time.perf_counter() - begin) / 0.03


def test_the_keyboard_alone_draws_a_one(page: Page) -> None:
    page.run("document.activeElement.blur()")
    for _ in range(30):
        page.keys(Keys.TAB)
        if page.run("return document.activeElement.id") == "draw-canvas":
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.run(f"return {outline}") == "solid"  # the focus is seen
    page.keys(" ", *[Keys.ARROW_DOWN] * 14)
    answer(page, "1")
    page.keys(" ")
    page.keys(*[Keys.ARROW_LEFT] * 3)  # the pen is up: nothing changes
    answer(page, "1")
    page.keys(Keys.DELETE)
    answer(page, "")
    reached = set()
    for _ in range(30):
        page.keys(Keys.TAB)
        reached.add(page.run("return document.activeElement.id || document.activeElement.hash"))
    controls = {"draw-model", "draw-file", "draw-clear", "draw-undo", "draw-why", "draw-look"}
    assert controls | {"language", "theme", "draw-canvas", "#draw", "#watch"} <= reached


def test_maps_filters_and_pixels_that_decide(page: Page) -> None:
    page.stroke(BOARD, THREE)
    answer(page, "3")
    page.find("#draw-look").click()
    page.wait("document.querySelectorAll('#draw-layers article').length === 6")
    first = page.find("#draw-layers article")
    assert first.find_element("css selector", "h4").text == "conv2d: Conv2D, relu"
    assert "8 feature maps of 24 × 24" in first.text
    label = "document.querySelector('#draw-layers .filter canvas').getAttribute('aria-label')"
    page.wait(f"{label} === 'Filter 1 of conv2d: 5 × 5, number of kernels 1'")
    slider = page.find("#draw-layers input[type=range]")
    slider.send_keys(Keys.ARROW_RIGHT)
    page.wait(f"{label} === 'Filter 2 of conv2d: 5 × 5, number of kernels 1'")
    maps = first.find_element("css selector", "canvas.maps")
    assert page.run(COLOURS, maps) > 20
    for by in ("gradient", "occlusion"):
        Select(page.find("#draw-why")).select_by_value(by)
        page.wait("document.querySelector('#draw-legend .about').textContent.length > 20")
        page.wait("document.querySelector('#draw-picture').ariaLabel.includes('for or against 3')")
        assert page.run(COLOURS, page.find("#draw-picture")) > 20
        assert page.text("#draw-legend").startswith("for 3 against 3")


def test_a_file_of_ones_own_and_one_that_is_no_model(page: Page, tmp_path: Path) -> None:
    model = gk.Sequential(gk.Flatten(), gk.Dense(10))
    model.build((8, 8, 1))
    model.flat_params[...] = 0  # which doubts everything
    model.save(tmp_path / "own.safetensors")
    page.find("#draw-file").send_keys(str(tmp_path / "own.safetensors"))
    page.wait("document.querySelector('#draw-model').selectedOptions[0].text === 'own.safetensors'")
    assert page.find("#draw-pixels").is_displayed()  # no layer scales them
    page.stroke(BOARD, THREE)
    answer(page, "?")
    assert page.text("#draw-answer span") == "In doubt: 0 or 1?"
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04\x95 a pickle")
    page.find("#draw-file").send_keys(str(tmp_path / "bad.safetensors"))
    page.wait("document.querySelector('#trouble').textContent.includes('is a pickle')")
    assert "400" in "".join(page.complaints())  # the browser names the refusal


def test_two_languages_and_two_themes(page: Page) -> None:
    page.stroke(BOARD, THREE)
    answer(page, "3")
    assert page.text("h2") == "Draw a digit"
    before = page.run("return getComputedStyle(document.body).backgroundColor")
    page.find("#theme").click()
    assert page.run("return getComputedStyle(document.body).backgroundColor") != before
    page.find("#language").click()
    assert page.text("h2") == "数字を描く"
    assert page.run("return document.documentElement.lang") == "ja"
    assert page.text("#draw-answer").startswith("3\n確率")
    shown = page.run("return document.body.innerText")
    latin = {word for word in shown.split() if word.isascii() and word.isalpha()}
    names = {"gyaku", "lab", "English", "CNN", "MLP", "lenet", "Backspace", "Delete"}
    assert latin <= names
    page.browser.refresh()  # keeps language, theme and token
    page.wait("document.querySelectorAll('#draw-model option').length >= 3")
    assert page.text("h2") == "数字を描く"
    page.find("#language").click()
    page.find("#theme").click()
    page.complaints()  # of the first answer after the refresh, which opens the link again


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_rules_of_accessibility(page: Page, theme: str, width: int) -> None:
    page.resize(width, 720)
    if page.run("return document.documentElement.dataset.theme") != theme:
        page.find("#theme").click()
    page.stroke(BOARD, THREE)
    answer(page, "3")
    page.find("#draw-look").click()
    page.wait("document.querySelectorAll('#draw-layers article').length === 6")
    Select(page.find("#draw-why")).select_by_value("gradient")
    page.wait("document.querySelector('#draw-legend .about').textContent.length > 20")
    assert violations(page) == []
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_a_lab_that_has_ended_says_so(browser: Any) -> None:
    with gk.lab.serve(open_browser=False) as ended:
        page = Page(browser, f"{ended.url}&lang=en")
        page.wait("document.querySelectorAll('#draw-model option').length >= 2")
    page.stroke(BOARD, THREE, 5)
    page.wait("document.querySelector('#trouble').textContent.startsWith('The lab has ended')")


def test_inline_scripts_do_not_run(page: Page) -> None:
    page.run(
        "const made = document.createElement('script'); made.textContent = 'window.harm = 1';"
        " document.body.append(made)"
    )
    assert page.run("return window.harm === undefined")
    assert "Content Security Policy" in "".join(page.complaints())
