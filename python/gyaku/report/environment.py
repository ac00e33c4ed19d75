"""The environment of a report: versions, processor and threads."""

from __future__ import annotations

import platform

import numpy as np

from gyaku import _core
from gyaku.report.words import named
from gyaku.threads import num_threads

__all__ = ["environment"]


def environment(lang: str) -> list[tuple[str, str]]:
    """Return the environment as rows of names and values.

    Parameters
    ----------
    lang : {"en", "ja"}
        The language.

    Returns
    -------
    list of (str, str)
        The rows.

    Examples
    --------
    >>> [name for name, _ in environment("en")][:3]
    ['gyaku', 'Python', 'NumPy']
    """
    from datetime import datetime

    rows = [
        ("gyaku", _core.__version__),
        ("Python", platform.python_version()),
        ("NumPy", np.__version__),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("processor", str(_core.cpu_info()["name"])),
        ("isa", _core.isa()),
        ("threads", str(num_threads())),
        ("written", datetime.now().astimezone().isoformat(" ", timespec="seconds")),
    ]
    return [(named(name, lang), value) for name, value in rows]
