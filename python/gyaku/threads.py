"""Number of threads of the native kernels."""

from __future__ import annotations

import operator

from gyaku import _core

__all__ = ["num_threads", "set_num_threads"]


def num_threads() -> int:
    """Return the number of threads of the native kernels.

    Returns
    -------
    int
        The number from `set_num_threads`, else ``GYAKU_NUM_THREADS``, else ``OMP_NUM_THREADS``,
        else the least of the CPUs of this process, its control group's quota and the physical
        cores.

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


def set_num_threads(threads: int | None) -> None:
    """Set the number of threads of the native kernels.

    Results do not depend on it: the same seed gives the same bits on one thread and on eight.

    Parameters
    ----------
    threads : int or None
        Number from 1 to 1,024; None for the default.

    Raises
    ------
    TypeError
        If `threads` is not an integer.
    ValueError
        If it is out of range.

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
    if threads is None:
        _core.set_num_threads(0)
        return
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
    _core.set_num_threads(number)
