"""The documents are true: their commands are those that CI runs, and their examples run."""

from __future__ import annotations

import importlib
import os
import re
import tomllib
from pathlib import Path

import pytest

import gyaku as gk
from child import run

ROOT = Path(__file__).parent.parent
LESSONS = ["quickstart", "training", "command-line", "checkpoints", "tagging", "anomalies"]
LESSONS += ["distributed", "scaling"]
LESSONS += ["weights", "keras", "sklearn", "lab"]
PAIRS = [
    ("README.md", "README.ja.md"),
    *((f"docs/{lesson}.md", f"docs/ja/{lesson}.md") for lesson in LESSONS),
]
PAGES = [page for pair in PAIRS for page in pair]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL
    )


def commands(page: str) -> list[str]:
    return [line for block in blocks(page, "bash") for line in block.splitlines()]


def test_the_readme_sets_up_in_two_commands_and_runs_and_tests_in_one_each() -> None:
    assert [len(block.splitlines()) for block in blocks("README.md", "bash")[:3]] == [2, 1, 1]


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    lines = re.findall(r'^(?:run|suite "\S+") (.+)$', script, re.MULTILINE)
    # Between them it builds the kernels that only tests need.
    users = [line for line in lines if "GYAKU_TESTING" not in line]
    assert users[:4] == commands("README.md")[:4]


def test_contributing_begins_with_the_commands_of_the_readme() -> None:
    readme = commands("README.md")
    assert commands("CONTRIBUTING.md")[:3] == [*readme[:2], readme[3]]


def test_both_languages_show_the_same_commands_and_code() -> None:
    for english, japanese in PAIRS:
        assert commands(japanese) == commands(english)
        code = [
            [re.sub(r"\s*#.*", "", block) for block in blocks(page, "python")]
            for page in (english, japanese)
        ]
        assert code[0] == code[1]


def test_each_language_links_to_the_other_in_line_1() -> None:
    for english, japanese in PAIRS:
        for page, other in [(english, japanese), (japanese, english)]:
            link = os.path.relpath(other, Path(page).parent)
            assert f"({link})" in (ROOT / page).read_text().splitlines()[0]


def test_the_reference_names_what_there_is_and_nothing_else() -> None:
    page = (ROOT / "docs" / "reference.md").read_text()
    listed: dict[str, list[str]] = {}
    for place, names in re.findall(r"^\| `gk\.(\w*)\.?` \|[^|]+\|([^|]+)\|$", page, re.MULTILINE):
        listed.setdefault(place, []).extend(re.findall(r"`(\w+)`", names))
    # Listed from the module itself, as the activations are.
    elsewhere = {"ops", "losses", "reference"}
    modules = [importlib.import_module(f"gyaku.{name}") for name in gk._EXPORTED]
    exported = {name for module in modules for name in module.__all__}
    wanted = {"": exported - set(gk.layers.activation.__all__)} | {
        name: set(getattr(gk, name).__all__) - exported
        for name in gk._MODULES
        if name not in elsewhere
    }
    assert {place: sorted(names) for place, names in listed.items() if place not in elsewhere} == {
        place: sorted(names) for place, names in wanted.items() if names
    }


@pytest.mark.parametrize("page", [english for english, _ in PAIRS])
def test_the_examples_run(page: str, tmp_path: Path) -> None:
    code = f"import os; os.chdir({str(tmp_path)!r})\n" + "\n".join(blocks(page, "python"))
    done = run(code, MPLBACKEND="agg")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [*PAGES, "docs/architecture.md", "docs/reliability.md"])
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", (ROOT / page).read_text())
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_promises_name_tests_that_exist() -> None:
    named = re.findall(r"`(test_\w+)(?:\.py)?`", (ROOT / "docs" / "reliability.md").read_text())
    assert named
    assert [name for name in named if not (ROOT / "tests" / f"{name}.py").exists()] == []


def test_the_group_and_the_extra_of_the_tests_are_one_list() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["test"]
    assert project["dependency-groups"]["test"] == extra
