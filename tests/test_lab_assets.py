"""The files of the lab's pages: small, of this machine alone, in two languages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import gyaku as gk

ASSETS = Path(gk.__file__).parent / "lab" / "assets"
PAGES = ["lab", "draw", "playground", "watch"]
TEXTS = [path for path in sorted(ASSETS.rglob("*")) if path.suffix in {".js", ".css", ".html"}]


def words(page: str) -> dict[str, dict[str, str]]:
    text = (ASSETS / "words" / f"{page}.js").read_text(encoding="utf-8")
    found = re.findall(r"^export const (\w+) = (\{.*?^\});$", text, re.MULTILINE | re.DOTALL)
    return {lang: json.loads(table) for lang, table in found}


def test_all_assets_together_are_small() -> None:
    assert sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()) < 300_000


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ASSETS).as_posix())
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    elsewhere = re.sub(r'http://www\.w3\.org/2000/svg|"http://127\.0\.0\.1', "", text)
    assert re.search(r"https?://|@import|url\((?!data:)", elsewhere) is None
    assert re.search(r"\bstyle=|\bon\w+=\"|javascript:|\beval\(|new Function", text) is None
    if path.suffix == ".html":
        assert re.search(r"<script(?! type=\"module\" src=\"/assets/)|<style", text) is None


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_words(page: str) -> None:
    known = words(page)
    assert list(known) == ["en", "ja"]
    assert known["en"].keys() == known["ja"].keys()
    for key, english in known["en"].items():
        assert english.strip(), key
        places = [sorted(re.findall(r"\{\w+\}", known[lang][key])) for lang in ("en", "ja")]
        assert places[0] == places[1], key


@pytest.mark.parametrize("page", PAGES)
def test_the_words_of_a_page_are_used_and_there(page: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in ASSETS.glob("*.*"))
    known = words(page)["en"].keys() | words("lab")["en"].keys()
    own = "".join(p.read_text(encoding="utf-8") for p in ASSETS.glob(f"{page}*.js"))
    asked = set(re.findall(r'data-t(?:-label)?="([\w-]+)"|\bt\("([\w-]+)"', own))
    assert {one or other for one, other in asked} - known == set()
    used = set(re.findall(r"[\w-]+", code))
    parts = {key for key in words(page)["en"] if key not in used}
    # The others are put together from a stem and a name.
    assert {key for key in parts if not re.search(rf"`{key.split('-')[0]}-\$\{{", code)} == set()


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of WCAG 2.2."""
    light, dark = sorted(map(_luminance, (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_has_a_contrast_of_7_in_both_themes() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    text = (ASSETS / "lab.css").read_text(encoding="utf-8")
    themes = re.findall(r"(?ms)^:root(?:\[data-theme=\"dark\"\])? \{(.*?)^\}", text)
    assert len(themes) == 2
    for theme in themes:
        colour = dict(re.findall(r"--([\w-]+): (#\w{6});", theme))
        for name in ("ink", "quiet", "accent", "accent-2", "good", "bad"):
            for ground in ("paper", "wash"):
                assert contrast(colour[name], colour[ground]) >= 7, (name, ground)
        assert contrast(colour["on-accent"], colour["accent"]) >= 7
        assert contrast(colour["line"], colour["paper"]) >= 3
