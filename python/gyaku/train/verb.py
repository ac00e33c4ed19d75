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

__all__ = ["Late", "alone", "verb"]

_TAKE_TURNS = ("predict", "evaluate")
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
    needed = arguments[: code.co_argcount - 1 - len(function.__defaults__ or ())]

    @wraps(function)
    def method(self: M, /, *given: P.args, **options: P.kwargs) -> T:
        if options and not known.issuperset(options):
            name = next(name for name in options if name not in known)
            raise TypeError(f"{owner}: {unknown('argument', name, arguments)}")
        if len(given) < len(needed):
            missing = [name for name in needed[len(given) :] if name not in options]
            if missing:
                call = f"{owner}({', '.join(needed)})"
                raise TypeError(f"{owner} needs {' and '.join(missing)}, as in {call}")
        with alone(owner, self):
            return function(self, *given, **options)

    return method


class alone:
    """Context that keeps other threads from a model; a class, for small predictions.

    Parameters
    ----------
    owner : str
        The function, for the error.
    model : Trainee
        The model.

    Raises
    ------
    RuntimeError
        If another thread uses it, when the context begins.
    """

    __slots__ = ("_model", "_outer", "_owner")

    def __init__(self, owner: str, model: Trainee) -> None:
        self._owner, self._model = owner, model

    def __enter__(self) -> None:
        """Wait for the model, or raise."""
        model = self._model
        if not model.lock.acquire(False):
            _wait_or_raise(self._owner, model)
        attributes = vars(model)  # without their check
        self._outer = attributes.get("in_use", "")
        attributes["in_use"] = self._owner

    def __exit__(self, *error: object) -> None:
        """Leave it to others."""
        vars(self._model)["in_use"] = self._outer
        self._model.lock.release()


def _wait_or_raise(owner: str, model: Trainee) -> None:
    """Wait, to predict or evaluate, for other threads that do; raise in any other case."""
    while owner in _TAKE_TURNS and model.in_use in ("", *_TAKE_TURNS):
        if model.lock.acquire(timeout=0.1):
            return
    raise RuntimeError(
        f"{owner}: another thread uses this model; wait for it, or give each thread a model"
    )


class Late:
    """A function as a verb; its module is imported when a model is first asked for it.

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
        method: Any = verb(getattr(import_module(self.module), self.name))
        setattr(self.owner, self.name, method)
        return method.__get__(model, kind)
