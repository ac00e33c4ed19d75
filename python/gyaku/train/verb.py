"""Verbs of a model, such as fit: functions of this folder as methods of every model."""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from gyaku.names import unknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from gyaku.train.trainee import Trainee

__all__ = ["Late", "verb"]

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
        use by another thread; only predictions wait for each other.
    """
    owner, code = function.__name__, function.__code__
    arguments = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    known = frozenset(arguments)

    @wraps(function)
    def method(self: M, /, *given: P.args, **options: P.kwargs) -> T:
        if options and not known.issuperset(options):
            name = next(name for name in options if name not in known)
            raise TypeError(f"{owner}: {unknown('argument', name, arguments)}")
        if not self.lock.acquire(False):
            _wait_or_raise(owner, self)
        outer, self.in_use = self.in_use, owner
        try:
            return function(self, *given, **options)
        finally:
            self.in_use = outer
            self.lock.release()

    return method


def _wait_or_raise(owner: str, model: Trainee) -> None:
    """Wait for the predictions of other threads; raise if one of them does anything else."""
    while owner == "predict" and model.in_use in ("", owner):
        if model.lock.acquire(timeout=0.1):
            return
    raise RuntimeError(
        f"{owner}: another thread uses this model; wait for it, or give each thread a model"
    )


class Late:
    """A verb whose module is imported when a model is first asked for it.

    Parameters
    ----------
    module : str
        The module that defines it, under the attribute's name.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner, self.name = owner, name

    def __get__(self, model: Trainee | None, kind: type) -> Any:
        """Put the verb in its place, and return it as the method of a model."""
        method = getattr(import_module(self.module), self.name)
        setattr(self.owner, self.name, method)
        return method.__get__(model, kind)
