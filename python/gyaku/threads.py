"""How many threads the native kernels use."""

from __future__ import annotations

import operator

from gyaku import _core

__all__ = ["num_threads", "set_num_threads"]


def num_threads() -> int:
    """Return how many threads the native kernels may use.

    Returns
    -------
    int
        What `set_num_threads` chose, else ``GYAKU_NUM_THREADS``, else ``OMP_NUM_THREADS``, else the
        least of the CPUs this process may run on, its control group's quota and the physical cores.

    See Also
    --------
    set_num_threads : Choose another number.

    Examples
    --------
    >>> import gyaku as gk
    >>> gk.num_threads() >= 1
    True
    """
    return _core.num_threads()


def set_num_threads(threads: int | None) -> None:
    """Choose how many threads the native kernels may use.

    Results do not depend on it: the same seed gives the same bits on one thread and on eight.

    Parameters
    ----------
    threads : int or None
        1 to 1,024; None for what the machine grants.

    Raises
    ------
    TypeError
        If `threads` is not an integer.
    ValueError
        If it is out of range.

    See Also
    --------
    num_threads : The number in use.

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
