"""The report of a training: one page that needs nothing else, in two languages."""

from __future__ import annotations

import io
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

import gyaku as gk
from gyaku.cli import main
from gyaku.report.chart import Axis, Curve, curves, ticks
from gyaku.report.decisions import decisions
from gyaku.report.outcome import Outcome, outcome_parts
from gyaku.report.pictures import pictures, png
from gyaku.report.words import NAMES, WORDS
from lab_browser import chromium

EVIL = '</td><script>alert(1)</script><img src=x onerror="alert(2)">&\''
VOID = {"meta", "img", "br"}
SECTIONS = ["settings", "course", "model", "test", "findings", "environment"]


class Page(HTMLParser):
    """A page as its tags; raises where they are not balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(history: gk.History, path: Path, **options: Any) -> Page:
    history.report(path, **options)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trained() -> tuple[gk.History, gk.Sequential, Any]:
    """Return a training that leaves some digits wrong."""
    (x, y), test = gk.data.digits()
    model = gk.models.mlp([16])
    history = model.fit(
        x, y, loss="softmax_cross_entropy", epochs=3, batch_size=128, metrics=["accuracy"],
        validation_data=test, seed=7, verbose=0,
    )  # fmt: skip
    return history, model, test


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_page_needs_no_other_file_and_runs_nothing(
    lang: Any, trained: Any, tmp_path: Path
) -> None:
    history, model, test = trained
    page = page_of(history, tmp_path / "run.html", model=model, data=test, lang=lang)
    assert [*tmp_path.iterdir()] == [tmp_path / "run.html"]
    text = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert not {"script", "link", "iframe", "object", "a", "form"} & {*page.tags}
    links = [v for _, name, v in page.attributes if name in ("src", "href", "xlink:href", "srcset")]
    assert links
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert [name for _, name, _ in page.attributes if name.startswith("on")] == []
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text
    assert len(text) < 200_000


def test_both_languages_have_the_same_parts(trained: Any, tmp_path: Path) -> None:
    history, model, test = trained
    pages = {}
    for lang in ("en", "ja"):
        pages[lang] = page_of(history, tmp_path / lang, model=model, data=test, lang=lang)
    assert pages["en"].ids == pages["ja"].ids == SECTIONS
    assert pages["en"].tags == pages["ja"].tags
    assert "Confusion matrix" in pages["en"].text
    assert "混同行列" in pages["ja"].text
    assert not re.search("[ぁ-んァ-ヶ一-龠]", pages["en"].text)
    assert ("html", "lang", "ja") in pages["ja"].attributes


def test_the_words_of_both_languages_have_the_same_keys_and_facts() -> None:
    assert WORDS["en"].keys() == WORDS["ja"].keys()
    for key, text in WORDS["en"].items():
        facts = re.findall(r"\{\w+\}", text)
        assert sorted(facts) == sorted(re.findall(r"\{\w+\}", WORDS["ja"][key])), key
    assert all(len(pair) == 2 for pair in NAMES.values())


def test_a_page_shows_settings_results_and_environment(trained: Any, tmp_path: Path) -> None:
    history, model, test = trained
    page = page_of(history, tmp_path / "run.html", model=model, data=test)
    found = model.evaluate(*test)
    wrong = round((1 - found["accuracy"]) * len(test[0]))
    assert wrong > 0
    for text in (repr(model.optimizer), "batch size128", "seed7", "epochs3", gk.__version__):
        assert text in page.text
    assert f"accuracy{found['accuracy']:.4g}" in page.text
    assert f"{wrong} of {len(test[0])} samples are wrong" in page.text
    assert page.tags["img"] == min(wrong, 40)
    assert page.tags["polyline"] == 4  # loss and accuracy, of training and validation
    assert all(path in page.text for path in model.plan.paths.values())


def test_the_end_is_said_in_the_language_of_the_page(tmp_path: Path) -> None:
    history = gk.History(samples=4)
    history.stopped = "stopped in the lab"
    assert "ended early: stopped in the lab" in page_of(history, tmp_path / "run.html").text
    assert "途中で終了：ラボで停止" in page_of(history, tmp_path / "run.html", lang="ja").text


def test_texts_of_others_stay_texts(trained: Any, tmp_path: Path) -> None:
    history, model, test = trained
    known = gk.History.from_json(history.to_json())
    known.stopped = EVIL
    known.settings = {EVIL: EVIL, "optimizer": EVIL}
    known.extend({name: [0.5] for name in known}, seconds=1.0)
    known._columns[EVIL] = [0.5] * known.epochs
    names = [EVIL, *map(str, range(1, 10))]
    given: dict[str, Any] = {"model": model, "data": test, "names": names, "title": EVIL}
    page = page_of(known, tmp_path / "run.html", **given)
    plain = page_of(known, tmp_path / "plain.html", model=model, data=test)
    assert page.tags == plain.tags
    assert page.ids == SECTIONS
    assert page.text.count(EVIL) > plain.text.count(EVIL) > 4


def test_without_a_model_there_is_what_the_history_has(tmp_path: Path) -> None:
    history = gk.History(samples=4)
    history.extend({"loss": [4.0, 0.01]}, seconds=75.0)
    page = page_of(history, tmp_path / "run.html")
    assert page.ids == ["settings", "course", "environment"]
    assert "1 min 15 s" in page.text
    assert "loss (log scale)" in page.text
    assert "no settings" in page.text
    assert page_of(gk.History(), tmp_path / "none.html").tags["svg"] == 0


def test_numbers_have_residuals_instead_of_confusions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    y = x[:, :1] * 2 + 1
    model = gk.Sequential(gk.Dense(1))
    history = model.fit(
        x, y, loss="mean_squared_error", optimizer=gk.Adam(0.1), epochs=60, verbose=0
    )
    page = page_of(history, tmp_path / "run.html", model=model, data=(x, y))
    assert page.tags["circle"] >= 200
    assert page.tags["rect"] == 21
    assert page.tags["img"] == 0
    assert "Residuals" in page.text
    assert "Confusion matrix" not in page.text
    (r2,) = re.findall(r"R²([\d.]+)", page.text)
    assert float(r2) > 0.99


def test_outputs_without_a_picture_are_measured_all_the_same(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((50, 8), np.float32)
    model = gk.Sequential(gk.Dense(8))
    history = model.fit(x, x, loss="mean_squared_error", verbose=0)
    page = page_of(history, tmp_path / "run.html", model=model, data=(x, x))
    assert "outputs of shape (8,)" in page.text
    assert f"loss{model.evaluate(x, x)['loss']:.4g}" in page.text


def test_many_classes_have_their_most_frequent_confusions() -> None:
    y = np.arange(60) % 30
    outputs = np.eye(30)[(y + (y == 7)) % 30]
    found = decisions(outputs, y)
    names = [f"class {number}" for number in range(30)]
    for x in (np.zeros((60, 4)), np.zeros((60, 9, 9))):
        parts = "".join(outcome_parts(Outcome(x, y, outputs, {}, found, names, 1), "en"))
        assert "Most frequent confusions" in parts
        assert ">class 7</th><td>class 8</td><td>2<" in parts
        assert parts.count("class 7 → class 8") == 1
        assert ("sample 7: class 7" in parts) == (x.ndim == 2)


def test_what_is_wrong_is_said_before_anything_is_written(trained: Any, tmp_path: Path) -> None:
    history, model, test = trained
    path = tmp_path / "run.html"
    path.write_text("before")
    with pytest.raises(ValueError, match="lang must be 'en' or 'ja', got 'de'"):
        history.report(path, lang="de")
    with pytest.raises(ValueError, match="data need the model"):
        history.report(path, data=test)
    with pytest.raises(TypeError, match="model must be a Model, got int"):
        history.report(path, model=3)
    with pytest.raises(TypeError, match=r"data must be \(x, y\)"):
        history.report(path, model=model, data=test[0])
    with pytest.raises(ValueError, match="there are 2 names for 10 classes"):
        history.report(path, model=model, data=test, names=["a", "b"])
    with pytest.raises(TypeError, match="diagnosis must be one of gyaku.diagnose, got str"):
        history.report(path, diagnosis="healthy")
    with pytest.raises(TypeError, match="names must be a list of texts, got 'abcdefghij'"):
        history.report(path, model=model, data=test, names="abcdefghij")
    with pytest.raises(ValueError, match="count"):
        history.report(path, model=model, data=test, count=-1)
    assert path.read_text() == "before"
    with pytest.raises(FileNotFoundError, match="its folder does not exist"):
        history.report(tmp_path / "none" / "run.html")


def test_a_picture_is_a_png_of_its_pixels() -> None:
    rng = np.random.default_rng(0)
    for shape in ((9, 12), (9, 12, 3)):
        picture = rng.integers(0, 256, shape, dtype=np.uint8)
        read = imread(io.BytesIO(png(picture)), format="png")
        assert (np.round(read * 255).astype(np.uint8) == picture).all()


def test_samples_are_pictures_if_they_can_be() -> None:
    large = pictures(np.zeros((2, 200, 300, 3), np.uint8))
    assert large is not None
    assert large.shape == (2, 40, 60, 3)
    scaled = pictures(np.linspace(-1, 1, 64).reshape(1, 64))
    assert scaled is not None
    assert (scaled.min(), scaled.max(), scaled.shape) == (0, 255, (1, 8, 8))
    for none in ((5, 3), (5, 3, 3), (5, 9, 9, 2), (0, 9, 9)):
        assert pictures(np.zeros(none)) is None


@pytest.mark.parametrize(
    "values", [[0.0, 0.0], [1e-320, 2e-320], [-1e99, 1e99], [5.0], [3, 3.0001]]
)
def test_an_axis_holds_whatever_values(values: list[float]) -> None:
    axis = Axis.over("", values)
    assert axis.ticks
    assert all(0 <= axis.fraction(value) <= 1 for value in [*axis.ticks, *values])


def test_a_logarithmic_axis_has_powers_of_ten() -> None:
    assert ticks(1e-7, 3.0, log=True) == [10.0**power for power in range(-7, 1)]
    assert ticks(0.2, 0.9, log=True) == [0.2, 0.5]
    axis = Axis.over("", [5e-324, 1.0], log=True)
    assert axis.fraction(1.0) > 0.9


@pytest.mark.parametrize(("epochs", "labels"), [(1, {1}), (3, {1, 2, 3}), (30, {0, 10, 20, 30})])
def test_epochs_have_whole_numbers(epochs: int, labels: set[int]) -> None:
    chart = curves("loss", [Curve("", range(1, epochs + 1), [0.25] * epochs)], "epoch")
    numbers = re.findall(r'y="342" class="middle">([^<]+)<', chart)
    assert set(map(float, numbers)) == labels


def test_names_of_classes_are_read_in_the_browser(trained: Any, tmp_path: Path) -> None:
    history, model, test = trained
    names = [f"a rather long name of class {number}" for number in range(10)]
    history.report(tmp_path / "run.html", model=model, data=test, names=names)
    with chromium() as browser:
        browser.get((tmp_path / "run.html").as_uri())
        colours = browser.execute_script(
            "return ['polyline', 'line[y1=\"18\"]'].map((which) =>"
            " [...document.querySelector('svg').querySelectorAll(which)]"
            ".map((each) => getComputedStyle(each).stroke))"
        )
        grid = browser.execute_script(
            "return getComputedStyle(document.querySelector('.grid')).stroke"
        )
        sizes = browser.execute_script(
            "const box = document.querySelector('.matrix').getBoundingClientRect();"
            "return [box.height, box.width, document.querySelector('.chart').clientWidth]"
        )
    assert colours[0] == colours[1]  # of the curves and of their names
    assert len(set(colours[0])) == 2
    assert grid == "rgb(221, 221, 221)"
    assert max(sizes) <= 640


def test_a_curve_leaves_out_what_no_chart_can_show() -> None:
    curve = Curve("a", [1, 2, 3, 4], [1.0, float("nan"), float("inf"), 2.0])
    assert curve.known == [(1, 1.0), (4, 2.0)]
    assert "nan" not in curves("t", [curve], "x")


def test_decisions_are_those_of_a_classifier_alone() -> None:
    logits = [[2.0], [-1.0], [0.2]]
    by_logits = decisions(logits, [1, 0, 0], gk.losses.SigmoidCrossEntropy())
    by_probability = decisions(logits, [[1], [0], [0]], gk.losses.BinaryCrossEntropy())
    assert by_logits is not None
    assert by_probability is not None
    assert by_logits.found.tolist() == [1, 0, 1]
    assert by_probability.found.tolist() == [1, 0, 0]
    two = decisions([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]], [[0, 1], [0, 1], [0, 1]])
    assert two is not None
    assert two.wrong.tolist() == [0, 1]
    for outputs, y in (([[1.0, 2.0]], [2]), ([[1.0, 2.0]], [0.5]), ([[1.0]], [3])):
        assert decisions(outputs, y) is None
    assert decisions(np.zeros((2, 3, 4)), [0, 1]) is None


def test_the_command_reports_in_the_units_of_the_targets(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    rows = [f"{a:.4f},{b:.4f},{1e6 + 2e5 * a:.1f}" for a, b in x]
    (tmp_path / "houses.csv").write_text("\n".join(["size,age,price", *rows]))
    given = ["--target", "price", "--epochs", "2", "--no-curve", "--quiet"]
    paths = ["--report", str(tmp_path / "run.html"), "--output", str(tmp_path / "m.safetensors")]
    assert main(["train", str(tmp_path / "houses.csv"), *given, *paths]) == 0
    page = Page((tmp_path / "run.html").read_text(encoding="utf-8"))
    assert page.ids == SECTIONS
    assert "Residuals" in page.text
    assert "1,000,000" in page.text  # on the axes
    assert "targets not scaled" not in page.text  # they are, for the training
