"""The lessons: each runs and shows what it claims, in both languages, which say the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import gyaku as gk
from gyaku.lessons import LANGUAGES, Cell, Lesson, find_lesson, lessons, run_lesson
from gyaku.lessons.terminal import plain

NAMES = [lesson.name for lesson in lessons()]


def code(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.kind == "code"]


@pytest.mark.filterwarnings("ignore:no Japanese font was found")
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")  # of the page's own labels
@pytest.mark.filterwarnings("ignore:Perceptron. the weights after epoch")  # as it says, on XOR
@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_runs_and_ends_in_something_to_look_at(
    name: str, lang: str, tmp_path: Path
) -> None:
    lesson, written = find_lesson(name, lang), []
    pictures = run_lesson(lesson, tmp_path, write=written.append)
    assert pictures
    assert all(path.stat().st_size > 1000 for path in pictures)
    assert all(f"-> {path}\n" in written for path in pictures)
    assert "\\" not in "".join(plain(c.source) for c in lesson.cells() if c.kind == "text")
    last = lesson.cells()[-1]
    assert (last.kind, last.shown) == ("code", False)
    assert "assert " in last.source


def test_lessons_are_in_the_same_order_in_both_languages() -> None:
    english, japanese = (
        [(lesson.number, lesson.name) for lesson in lessons(lang)] for lang in LANGUAGES
    )
    assert english == japanese
    assert len({number for number, _ in english}) == len({name for _, name in english})


def headings(lesson: Lesson) -> list[int]:
    text = "\n".join(cell.source for cell in lesson.cells() if cell.kind == "text")
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


def equations(lesson: Lesson) -> list[str]:
    """Return the equations on lines of their own, without words and spaces."""
    text = "\n".join(cell.source for cell in lesson.cells() if cell.kind == "text")
    found = re.findall(r"\$\$(.+?)\$\$", text, re.DOTALL)
    return [re.sub(r"\\text\{[^}]*\}|\s", "", each) for each in found]


class Shape(ast.NodeTransformer):
    """Take the words from a syntax tree: strings, and the order of the fields of f-strings."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        fields = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        return ast.Tuple(sorted(fields, key=ast.dump), ast.Load())  # type: ignore[arg-type]


def strings(tree: ast.AST) -> Iterator[str]:
    inside = {
        part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside:
            yield node.value


def same_code(english: str, japanese: str) -> bool:
    """Return whether two cells differ in comments and in words for the reader alone.

    A string of the Japanese cell may differ if it holds a letter outside ASCII, and "ja" stands
    for "en".
    """
    trees = ast.parse(english), ast.parse(japanese)
    pairs = list(zip(*map(strings, trees), strict=False))
    said = all(a == b or not b.isascii() or (a, b) == ("en", "ja") for a, b in pairs)
    shapes: list[Any] = [ast.dump(Shape().visit(tree)) for tree in trees]
    return said and shapes[0] == shapes[1]


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_headings_equations_and_code(name: str) -> None:
    english, japanese = (find_lesson(name, lang) for lang in LANGUAGES)
    assert headings(english) == headings(japanese)
    assert equations(english) == equations(japanese)
    assert [c.kind for c in english.cells()] == [c.kind for c in japanese.cells()]
    for ours, theirs in zip(code(english.cells()), code(japanese.cells()), strict=True):
        assert same_code(ours.source, theirs.source), theirs.source
        assert ours.shown == theirs.shown


@pytest.mark.parametrize(
    ("english", "japanese", "same"),
    [
        ("f(1)  # one", "f(1)  # 一", True),
        ("f(1)", "f(2)", False),
        ("f('loss', lang='en')", "f('損失', lang='ja')", True),
        ("f('loss')", "f('lost')", False),
        ("f(f'{a} of {b}')", "f(f'{b} のうち {a}')", True),
        ("f(f'{a} of {b}')", "f(f'{b} のうち {c}')", False),
        ("f(a, b)", "f(b, a)", False),
    ],
)
def test_code_is_the_same_but_for_words(english: str, japanese: str, same: bool) -> None:
    assert same_code(english, japanese) == same


def test_each_page_links_to_the_other_language() -> None:
    for lang, line in [
        ("en", "English · [日本語](../ja/{})"),
        ("ja", "[English](../en/{}) · 日本語"),
    ]:
        for lesson in lessons(lang):
            assert lesson.cells()[0].source.startswith(line.format(lesson.path.name) + "\n")
            assert lesson.path.read_text().startswith(
                "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n"
            )


def page(folder: Path, text: str) -> Lesson:
    path = folder / "01_page.md"
    path.write_text(text)
    return Lesson(1, "page", path)


def test_the_runner_shows_values_saves_pictures_and_hides_checks(tmp_path: Path) -> None:
    lesson = page(
        tmp_path,
        "---\nfile_format: mystnb\n---\n\n# A title\n\nThe _text_ with $\\alpha^2$.\n\n"
        "```{code-cell} python\na = 20\na + 1\n```\n\n"
        "```{code-cell} python\nclass P:\n    def _repr_png_(self): return b'png'\nP()\n```\n\n"
        "```{code-cell} python\n:tags: [remove-cell]\n\nassert a == 20\na\n```\n",
    )
    written: list[str] = []
    assert lesson.title == "A title"
    assert run_lesson(lesson, tmp_path / "new", write=written.append) == [
        tmp_path / "new" / "page-1.png"
    ]
    text = "".join(written)
    assert "A title\n=======\n\nThe text with α²." in text
    assert "    a + 1\n21\n" in text
    assert "assert" not in text
    assert (tmp_path / "new" / "page-1.png").read_bytes() == b"png"


def test_a_lesson_that_does_not_show_what_it_claims_fails(tmp_path: Path) -> None:
    lesson = page(
        tmp_path, "# T\n\n```{code-cell} python\n:tags: [remove-cell]\n\nassert 1 == 2\n```\n"
    )
    with pytest.raises(AssertionError):
        run_lesson(lesson, tmp_path, write=lambda text: None)


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"$\frac{1}{2} \sum_i (o_i - y_i)^2$", "1/2 Σᵢ (oᵢ - yᵢ)²"),
        (r"$\frac{\partial E}{\partial w}$", "∂E/∂w"),
        (r"$w \leftarrow w - \eta\, \delta\, o'$", "w ← w - η δ o'"),
        (r"$\sqrt{v} + \epsilon$, $e^{-z}$", "√(v) + ε, e^(-z)"),
        (r"$\begin{cases} z & z > 0 \\ 0 & z \le 0 \end{cases}$", "z z > 0; 0 z ≤ 0"),
        (
            "**bold**, [link](a.md), `a_b` and snake_case_name",
            "bold, link, `a_b` and snake_case_name",
        ),
    ],
)
def test_equations_become_lines_of_text(tex: str, text: str) -> None:
    assert plain(tex) == text


def test_an_unknown_lesson_is_one_sentence_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="unknown lesson 'xro', did you mean 'xor'"):
        find_lesson("xro")
    with pytest.raises(ValueError, match="lang must be 'en' or 'ja', got 'fr'"):
        lessons("fr")


ROOT = Path(__file__).parent.parent
INDEX = {"en": ROOT / "docs" / "subjects.md", "ja": ROOT / "docs" / "ja" / "subjects.md"}


def links(path: Path) -> list[str]:
    return re.findall(r"\]\((?!https?://|#)([^)#\s]+)[^)]*\)", path.read_text())


def test_the_index_has_a_row_for_each_lesson_in_both_languages() -> None:
    rows: dict[str, list[str]] = {}
    for lang, path in INDEX.items():
        pages = [Path(link).name for link in links(path) if f"lessons/{lang}/" in link]
        assert pages == [lesson.path.name for lesson in lessons(lang)]
        rows[lang] = re.findall(r"`[^`]+`", path.read_text())
    assert rows["en"] == rows["ja"]


def test_the_index_names_what_there_is() -> None:
    for name in re.findall(r"`gk\.([\w.]+)`", INDEX["en"].read_text()):
        assert attrgetter(name)(gk), name


@pytest.mark.parametrize("lang", LANGUAGES)
def test_links_of_index_and_lessons_lead_somewhere(lang: str) -> None:
    for path in [INDEX[lang], *(lesson.path for lesson in lessons(lang))]:
        assert [link for link in links(path) if not (path.parent / link).exists()] == []
