"""Charts of the page on trainings: what is drawn, when, and how little of it again."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import Any

import pytest

import gyaku as gk
from gyaku.lab.runs import Run, Runs
from gyaku.lab.server import Lab
from lab_browser import PIXELS, Page

CANVAS = "document.querySelectorAll('.watch-chart canvas')[arguments[0]]"
# Counts what is drawn, and the questions to the lab.
COUNT = """
    window.drawn = window.asked = 0;
    for (const name of ['lineTo', 'arc']) {
        const original = CanvasRenderingContext2D.prototype[name];
        CanvasRenderingContext2D.prototype[name] = function (...at) {
            window.drawn += 1;
            return original.apply(this, at);
        };
    }
    const original = window.fetch;
    window.fetch = (...all) => { window.asked += 1; return original(...all); };
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    with gk.lab.serve(open_browser=False, runs=Runs()) as started:
        yield started


@pytest.fixture
def run(lab: Lab) -> Run:
    """Return a run of 100 epochs, of which 20 are over."""
    assert lab.runs is not None
    begun = lab.runs.begin({"title": "one", "settings": {}, "parameters": 1})
    begun.put("numbers", {"epoch": 20, "epochs": 100, "step": 1, "rate": 1, "seconds": 1, "left": 1,
                          "speed": 1})  # fmt: skip
    for step in range(200):
        add(begun, step)
    return begun


def add(run: Run, step: int) -> None:
    place = (step + 1) / 10
    loss = 2.0 / (1.0 + place) + 0.1 * (step % 3)
    run.add(place, {"step/loss": loss, "learning_rate": 0.01})
    if place == int(place):
        run.add(place, {"loss": loss, "val_loss": 1.1 * loss, "accuracy": 0.9, "val_accuracy": 0.8})


@pytest.fixture
def page(lab: Lab, run: Run, browser: Any) -> Iterator[Page]:
    shown = Page(browser, f"{lab.url}&lang=en#watch")
    shown.wait("document.querySelectorAll('.watch-chart').length === 3")
    shown.run(COUNT)
    yield shown
    assert shown.complaints() == []


def pixels(page: Page, chart: int = 0) -> list[int]:
    found: list[int] = page.run(f"return [...({PIXELS})({CANVAS})]", chart)
    return found


def until_drawn(page: Page, points: int, chart: int = 0) -> None:
    """Wait until the page knows as many points of the first series of a chart."""
    page.run(f"{CANVAS}.scrollIntoView({{block: 'center'}})", chart)
    label = f"{CANVAS}.getAttribute('aria-label')"
    page.wait(f"{label}.includes(arguments[1])", chart, f"epoch {points}:")
    page.wait(f"{CANVAS}.width > 300", chart)
    sleep(0.1)  # what is seen is told a frame later


def test_a_curve_goes_on_where_it_was(run: Run, page: Page) -> None:
    until_drawn(page, 20)
    for end in (300, 310, 350):  # whose axes end at 30, 40 and 40
        begun = len(run.news(0)["series"]["step/loss"]["points"])  # type: ignore[index]
        for step in range(begun, end):
            add(run, step)
        page.run("window.drawn = 0")
        until_drawn(page, end // 10)
    few = page.run("return window.drawn")
    assert 0 < few < 200  # of 350 points, and their axes, in each of the charts that are seen
    extended = pixels(page)
    page.run("window.drawn = 0")
    page.find("#theme").click()
    page.find("#theme").click()
    sleep(0.1)
    assert page.run("return window.drawn") > 2 * 350
    redrawn = pixels(page)
    assert len(extended) == len(redrawn)
    differ = sum(abs(a - b) > 32 for a, b in zip(extended, redrawn, strict=True))
    assert differ < 1e-3 * len(redrawn)


def test_a_chart_that_is_not_seen_is_not_drawn(page: Page) -> None:
    page.run("window.scrollTo(0, 0)")
    page.resize(700, 400)
    try:
        page.run("location.reload()")
        page.wait("document.querySelectorAll('.watch-chart').length === 3")
        sleep(0.3)
        assert page.run(f"return {CANVAS}.width", 2) == 300  # as it is at first
        assert page.run(f"return {CANVAS}.getAttribute('aria-label')", 2).startswith(
            "learning rate"
        )
        until_drawn(page, 20, chart=2)
        assert any(pixels(page, 2))
    finally:
        page.resize(1280, 720)
    assert len(page.complaints()) == 1  # of the refusal without a token, behind which it asks


def test_nothing_new_draws_nothing(page: Page) -> None:
    until_drawn(page, 20)
    page.run("window.drawn = window.asked = 0")
    page.wait("window.asked >= 2")
    assert page.run("return window.drawn") == 0


def test_a_page_that_is_slow_asks_less_often(run: Run, page: Page) -> None:
    page.run(
        "const original = window.requestAnimationFrame;"
        "window.requestAnimationFrame = (call) => setTimeout(() => original(call), 60);"
    )
    add(run, 200)
    page.wait("window.asked >= 1")
    sleep(0.3)
    page.run("window.asked = 0")
    sleep(2)  # of the three seconds for which 60 ms are two percent
    assert page.run("return window.asked") == 0


def test_values_are_read_without_drawing_curves(page: Page) -> None:
    until_drawn(page, 20)
    page.run("window.drawn = 0")
    page.find(".watch-chart canvas").click()
    page.wait("document.querySelector('.watch-cursor').hidden === false")
    middle = page.text(".watch-chart .watch-read")
    assert middle.startswith("epoch ")
    assert "validation" in middle
    assert page.run("return window.drawn") == 0
    left = page.run("return document.querySelector('.watch-cursor').getBoundingClientRect().left")
    box = page.run(f"return {CANVAS}.getBoundingClientRect()", 0)
    assert abs(left - (box["left"] + box["width"] / 2)) < box["width"] / 15
