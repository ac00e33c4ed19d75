"""Rules of accessibility for a page of the lab: those of axe-core."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab_browser import Page


def violations(page: Page) -> list[str]:
    """Return what axe-core finds against the rules of WCAG 2.2 AA, with contrast of AAA."""
    page.run((files("axe_core_python") / "axe.min.js").read_text("utf-8"))
    options = {
        "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        "rules": {"color-contrast-enhanced": {"enabled": True}},
    }
    found = page.browser.execute_async_script(
        "const [options, done] = arguments; axe.run(document, options).then(done);", options
    )
    assert len(found["passes"]) > 15
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
