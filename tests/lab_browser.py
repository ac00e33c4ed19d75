"""Headless Chromium for the pages of the lab: start, mouse, keys, and what it complains of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from time import monotonic, sleep
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.mouse_button import MouseButton
from selenium.webdriver.common.by import By

Point = tuple[float, float]

# A three, on a board of side 1.
THREE: list[Point] = [
    *((0.32, 0.25), (0.40, 0.19), (0.52, 0.17), (0.62, 0.22), (0.66, 0.31), (0.61, 0.40)),
    *((0.52, 0.45), (0.44, 0.47), (0.55, 0.49), (0.65, 0.55), (0.69, 0.65), (0.65, 0.75)),
    *((0.55, 0.81), (0.43, 0.81), (0.33, 0.76)),
]

# A function that returns what is drawn on a canvas, by a copy that is made to be read.
PIXELS = """(canvas) => {
    const {width, height} = canvas;
    const copy = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    return copy.getImageData(0, 0, width, height).data;
}"""


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Start Debian's Chromium, or skip the test on a machine without."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium and its driver are missing: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = program
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
        *("--window-size=1280,720", "--lang=en", "--no-first-run", "--disable-extensions"),
        *("--disable-background-networking", "--disable-component-update"),
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield started
    finally:
        started.quit()


class Page:
    """A page of the lab in the browser."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        browser.get("about:blank")
        browser.get_log("browser")  # what others left there
        browser.get(url)

    def find(self, selector: str) -> Any:
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return str(self.find(selector).text)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def wait(self, condition: str, *arguments: Any, seconds: float = 60) -> Any:
        """Return the value of an expression as soon as it is true."""
        end = monotonic() + seconds
        while monotonic() < end:
            if found := self.run(f"return {condition}", *arguments):
                return found
            sleep(0.02)
        raise AssertionError(f"{condition} was not true within {seconds} s; {self.complaints()}")

    def keys(self, *keys: str) -> None:
        ActionChains(self.browser, duration=0).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        """Return errors and violations of the policy since the last call."""
        lines = self.browser.get_log("browser")
        return [line["message"] for line in lines if line["level"] != "INFO"]

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page itself, below the window's own limits too."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def stroke(self, selector: str, points: Sequence[Point], moves: int = 40) -> None:
        """Draw a line through points by the mouse."""
        canvas = self.find(selector)
        width, height = canvas.size["width"], canvas.size["height"]
        path = [
            (round((x - 0.5) * width), round((y - 0.5) * height)) for x, y in between(points, moves)
        ]
        actions = ActionBuilder(self.browser, duration=0)
        mouse = actions.pointer_action
        mouse.move_to(canvas, *path[0]).pointer_down(MouseButton.LEFT)
        for x, y in path[1:]:
            mouse.move_to(canvas, x, y)
        mouse.pointer_up(MouseButton.LEFT)
        actions.perform()


def between(points: Sequence[Point], moves: int) -> list[Point]:
    """Return points at equal steps along a line."""
    lengths = [((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 for (x0, y0), (x1, y1) in pairwise(points)]
    found, total = [], sum(lengths)
    for step in range(moves + 1):
        left, part = total * step / moves, 0
        while part < len(lengths) - 1 and left > lengths[part]:
            left -= lengths[part]
            part += 1
        share = min(1.0, left / lengths[part])
        (x0, y0), (x1, y1) = points[part], points[part + 1]
        found.append((x0 + share * (x1 - x0), y0 + share * (y1 - y0)))
    return found
