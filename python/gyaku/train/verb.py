"""Verbs of a model, such as fit: functions of this folder as methods of every model."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from gyaku.names import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from gyaku.train.trainee import Trainee

__all__ = ["verb"]

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound="Trainee")


def verb(function: Callable[Concatenate[M, P], T]) -> Callable[Concatenate[M, P], T]:
    """Make a function a method of a model, for one thread at a time.

    Parameters
    ----------
    function : callable
        The function, whose first argument is the model.

    Returns
    -------
    callable
        The method. It raises for an unknown argument, with the closest name, and for a model in
        use by another thread.
    """
    owner, code = function.__name__, function.__code__
    arguments = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    known = frozenset(arguments)

    @wraps(function)
    def method(self: M, /, *given: P.args, **options: P.kwargs) -> T:
        if not known.issuperset(options):
            name = next(name for name in options if name not in known)
            raise TypeError(f"{owner}: {unknown('argument', name, arguments)}")
        if not self.lock.acquire(blocking=False):
            raise RuntimeError(
                f"{owner}: another thread uses this model; wait for it, or give each thread a model"
            )
        try:
            return function(self, *given, **options)
        finally:
            self.lock.release()

    return method
