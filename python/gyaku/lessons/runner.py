"""Execution of a lesson without Jupyter: text, code, its result, its pictures as files."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

from gyaku.lessons.terminal import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.lessons.page import Lesson

__all__ = ["run_lesson"]


def run_lesson(
    lesson: Lesson, folder: Path | str = ".", *, write: Callable[[str], object] = print
) -> list[Path]:
    """Run a lesson from top to bottom.

    Parameters
    ----------
    lesson : Lesson
        The lesson.
    folder : Path or str
        Folder of the pictures, which is made if it does not exist.
    write : callable
        Called with each piece of text.

    Returns
    -------
    list of Path
        The pictures.

    Raises
    ------
    Exception
        That of a cell that fails.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from gyaku.lessons import find_lesson
    >>> with TemporaryDirectory() as folder:
    ...     pictures = run_lesson(find_lesson("activations"), folder, write=lambda text: None)
    >>> [path.name for path in pictures]
    ['activations-1.png', 'activations-2.png']
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    pictures: list[Path] = []
    for number, cell in enumerate(lesson.cells()):
        if cell.kind == "text":
            write(plain(cell.source) + "\n")
            continue
        if cell.shown:
            write(indent(cell.source, "    "))
        value = _value(cell.source, f"<lesson {lesson.name}, cell {number}>", names)
        if value is None or not cell.shown:
            continue
        picture = _save(value, Path(folder) / f"{lesson.name}-{len(pictures) + 1}")
        if picture is not None:
            pictures.append(picture)
        write(f"{value!r}\n" if picture is None else f"-> {picture}\n")
    return pictures


def _value(source: str, where: str, names: dict[str, Any]) -> Any:
    """Run statements; return the value of the last one if it is an expression."""
    tree = ast.parse(source, where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, where, "exec"), names)  # noqa: S102 - a page of this package
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), where, "eval"), names)  # noqa: S307


def _save(value: Any, stem: Path) -> Path | None:
    """Write a picture to a file; return its path, or None for what is no picture."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    if hasattr(value, "to_jshtml"):  # an animation of matplotlib
        path = stem.with_suffix(".gif")
        value.save(path, writer="pillow")
        return path
    for suffix, method in ((".svg", "_repr_svg_"), (".png", "_repr_png_")):
        content = getattr(value, method, lambda: None)()
        if content is not None:
            path = stem.with_suffix(suffix)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            return path
    figure = getattr(value, "figure", value)
    if hasattr(figure, "savefig"):
        path = stem.with_suffix(".png")
        figure.savefig(path)
        return path
    return None
