"""The command ``gyaku lesson``."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyaku.cli import main


def test_lesson_lists_the_lessons_in_the_language_of_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    for lang, title in [
        ("C.UTF-8", "XOR: two layers of perceptrons"),
        ("ja_JP.UTF-8", "パーセプトロン"),
    ]:
        monkeypatch.setenv("LANG", lang)
        assert main(["lesson"]) == 0
        (line,) = [line for line in capsys.readouterr().out.splitlines() if " xor " in line]
        assert line.split()[:2] == ["2", "xor"]
        assert title in line


def test_lesson_shows_text_equations_code_results_and_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lesson", "matrix-form", "--lang", "en", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "    Δ wₗ = -η δₗ oₗ₋₁', Δ θₗ = -η δₗ 1'\n" in text
    assert "    gk.SGD(eta).step(model)" in text
    assert f"-> {tmp_path / 'matrix_form-1.png'}" in text
    assert (tmp_path / "matrix_form-1.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_lesson_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lesson", "xro", "--lang", "en"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gyaku lesson: unknown lesson 'xro', did you mean 'xor'?")
    assert error.count("\n") == 1
