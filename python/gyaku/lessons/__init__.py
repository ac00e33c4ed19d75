"""The lessons: executable pages, for the documentation and for ``gyaku lesson``."""

from __future__ import annotations

from gyaku.lessons.page import LANGUAGES, Cell, Lesson, find_lesson, lessons
from gyaku.lessons.runner import run_lesson

__all__ = ["LANGUAGES", "Cell", "Lesson", "find_lesson", "lessons", "run_lesson"]
