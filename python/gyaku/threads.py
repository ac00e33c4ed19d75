"""Number of threads of the native kernels."""

from __future__ import annotations

import operator
import warnings
from typing import TYPE_CHECKING

from gyaku import _core
from gyaku.checks import truth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

__all__ = ["num_threads", "set_num_threads"]


def num_threads() -> int:
    """Return the largest number of threads of the native kernels.

    Each kind of work runs on the number up to it that is measured to be fastest.

    Returns
    -------
    int
        The number from `set_num_threads`, else ``GYAKU_NUM_THREADS``, else ``OMP_NUM_THREADS``,
        but at most the CPUs of this process and its control group's quota; by default the least of
        these two and the physical cores. They are read again every second.

    See Also
    --------
    set_num_threads : Set the number.

    Examples
    --------
    >>> import gyaku as gk
    >>> gk.num_threads() >= 1
    True
    """
    return _core.num_threads()


def set_num_threads(threads: int | None, *, exact: bool = False) -> None:
    """Set the largest number of threads of the native kernels, or the exact one.

    Results do not depend on it: the same seed gives the same bits on one thread and on eight.

    Parameters
    ----------
    threads : int or None
        Number from 1 to 1,024; None for the default. More than can run at once are reduced to
        those, with a warning.
    exact : bool
        Whether to use exactly this number, measured to be fastest or not, wherever there is work
        for several threads; for benchmarks. More than 4 for each CPU, or than 16 on fewer than 4
        CPUs, are reduced to that, with a warning.

    Raises
    ------
    TypeError
        If `threads` is not an integer, or `exact` neither True nor False.
    ValueError
        If it is out of range, or None and exact.

    See Also
    --------
    num_threads : Return the number.

    Examples
    --------
    >>> import gyaku as gk
    >>> gk.set_num_threads(1)
    >>> gk.num_threads()
    1
    >>> gk.set_num_threads(None)
    """
    exact = truth("set_num_threads", "exact", exact)
    if threads is None:
        if exact:
            raise ValueError("set_num_threads: exact=True needs a number of threads, got None")
        _core.set_num_threads(0)
        return
    number = _count(threads)
    _core.set_num_threads(number, exact)
    used = _core.num_threads()
    if used < number:
        more = (
            "make sense here, where they wait for each other" if exact else "can run at once here"
        )
        hint = "" if exact else "; exact=True enforces the number"
        warnings.warn(
            f"set_num_threads: {number} threads are more than {more}, {used} are used{hint}",
            stacklevel=2,
        )


def _count(threads: Any) -> int:
    """Return a number of threads, or raise."""
    if isinstance(threads, bool):
        raise TypeError(f"set_num_threads: threads must be an integer or None, got {threads!r}")
    try:
        number = operator.index(threads)
    except TypeError:
        raise TypeError(
            f"set_num_threads: threads must be an integer or None, got {threads!r}"
        ) from None
    if not 1 <= number <= 1024:
        raise ValueError(f"set_num_threads: threads must be between 1 and 1024, got {number}")
    return number


def explained(team: Mapping[str, Any]) -> str:
    """Return how many threads run a program, and why.

    Parameters
    ----------
    team : mapping
        The answer of `gyaku._core.Program.team`.

    Returns
    -------
    str
        A sentence without a full stop.
    """
    count, seconds = team["threads"], team["seconds"]
    used = _threads(count)
    if not team["shared"]:
        return f"{used}, since a step is too small for more"
    if team["exact"]:
        return f"{used}, by set_num_threads"
    if team["limit"] == 1:
        return f"{used}, the largest number allowed"
    others = [
        f"{_duration(each)} on {other}" for other, each in sorted(seconds.items()) if other != count
    ]
    if not others or count not in seconds:
        return f"{used}; other numbers were not tried yet"
    return f"{used}, {_duration(seconds[count])} a step; in trials {' and '.join(others)}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _duration(seconds: float) -> str:
    for unit, factor in (("µs", 1e6), ("ms", 1e3)):
        if seconds * factor < 999.5:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:,.1f} s"
