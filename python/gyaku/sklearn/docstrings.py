"""Docstrings of estimators, composed of those of their bases."""

from __future__ import annotations

import inspect
import re
from typing import TypeVar

__all__ = ["documented"]

T = TypeVar("T")
_TITLE = re.compile(r"^(\w[\w ]*)\n-+\n", re.MULTILINE)
_ENTRY = re.compile(r"^(?=\S)", re.MULTILINE)


def documented(kind: type[T]) -> type[T]:
    """Add the parameters and attributes that the bases document to the docstring of a class.

    Parameters
    ----------
    kind : type
        The class. Of entries with the same name, that of the class nearest to it counts.

    Returns
    -------
    type
        The class itself, with its parameters in the order of the signature.
    """
    parts = _parts(kind)
    order = list(inspect.signature(kind).parameters)
    found: dict[str, dict[str, str]] = {"Parameters": {}, "Attributes": {}}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith("gyaku."):
            given = _parts(base)
            for title, entries in found.items():
                entries.update(_entries(given.get(title, "")))
    known = {name: text for name, text in found["Parameters"].items() if name in order}
    parameters = "".join(known[name] for name in sorted(known, key=order.index))
    composed = {"": parts.pop(""), "Parameters": parameters}
    composed["Attributes"] = "".join(found["Attributes"].values())
    composed |= {title: text for title, text in parts.items() if title not in composed}
    text = "\n\n".join(
        f"{title}\n{'-' * len(title)}\n{text.strip()}" if title else text.strip()
        for title, text in composed.items()
    )
    kind.__doc__ = f"{text}\n"
    return kind


def _parts(cls: type) -> dict[str, str]:
    """Return the sections of a docstring, by title; that of the text before them is ""."""
    first, *others = _TITLE.split(inspect.cleandoc(cls.__doc__ or ""))
    return {"": first, **dict(zip(others[::2], others[1::2], strict=True))}


def _entries(section: str) -> dict[str, str]:
    """Return the entries of a section, each by the first of its names."""
    entries = [each.rstrip() + "\n" for each in _ENTRY.split(section) if each.strip()]
    return {re.split(r"[ ,]", each, maxsplit=1)[0]: each for each in entries}
