"""Configurable classes: choice by name, arguments kept for `repr` and files, strict names.

A component is built from the arguments of its constructor alone and keeps each in an attribute of
the same name; unknown arguments and attributes raise.
"""

from __future__ import annotations

import sys
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, ClassVar, TypeVar

from gyaku.names import KEYWORDS, closest, hint, snake_case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["Component", "Configured", "Strict", "Table", "is_kind_or_function"]

T = TypeVar("T")

# Bits of a function's flags: it has *args, it has **kwargs.
_VARARGS, _VARKEYWORDS = 4, 8


def _names(init: Any) -> tuple[tuple[str, ...], int]:
    """Return the arguments of a constructor, and the number of positional ones."""
    code = getattr(getattr(init, "__wrapped__", init), "__code__", None)
    if code is None:
        return (), 0
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return names, code.co_argcount - 1


def _declared(cls: type) -> set[str]:
    """Return the attributes that a class and its bases declare, or take in their constructors."""
    own = {*vars(cls), *getattr(cls, "__annotations__", ()), *_names(cls.__init__)[0]}  # type: ignore[misc]
    return own.union(*(vars(base).get("_attributes") or _declared(base) for base in cls.__bases__))


def _checking(init: Any) -> Any:
    """Wrap a constructor, so that its errors name the class and the closest argument."""
    names, places = _names(init)
    flags = init.__code__.co_flags
    optional = len(init.__defaults__ or ())
    needed = {*names[: places - optional], *names[places:]} - {*(init.__kwdefaults__ or ())}

    @wraps(init)
    def construct(self: Any, *given: Any, **options: Any) -> None:
        owner = type(self).__name__
        for name in options.keys() - {*names}:
            meant = KEYWORDS.get(name, "")
            if meant in options:
                raise TypeError(f"{owner}: {meant} is given twice, as {name} too")
            if meant in names:
                options[meant] = options.pop(name)
            elif not flags & _VARKEYWORDS:
                close = hint(name, names) or f"; it takes {', '.join(names) or 'none'}"
                raise TypeError(f"{owner} has no argument {name!r}{close}")
        if len(given) > places and not flags & _VARARGS:
            raise TypeError(_too_many(owner, names, places, len(given)))
        taken = names[: min(len(given), places)]
        for name in taken:
            if name in options:
                raise TypeError(f"{owner}: {name} is given twice, by position and by name")
        missing = needed - {*taken} - options.keys()
        if missing:
            listed = [name for name in names if name in missing]
            raise TypeError(f"{owner} needs {' and '.join(listed)}")
        init(self, *given, **options)

    return construct


def _too_many(owner: str, names: tuple[str, ...], places: int, given: int) -> str:
    by_place, by_name = ", ".join(names[:places]), ", ".join(names[places:])
    limit = f"at most {places}" if places else "no"
    return (
        f"{owner} takes {limit} argument{'s' * (places != 1)} by position"
        f"{f' ({by_place})' if places else ''}, got {given}"
        f"{f'; by name it takes {by_name}' if by_name else ''}"
    )


class Documented:
    """Base of classes with inherited docstrings.

    The docstring of an override that has only a summary gets parameters, returns and errors from
    the method that it overrides.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Complete the docstrings of the new class."""
        super().__init_subclass__(**options)
        for name, method in vars(cls).items():
            own = method.__doc__ if isinstance(method, FunctionType) else None
            if not own or "\n" in own:
                continue
            inherited = getattr(getattr(super(cls, cls), name, None), "__doc__", None)
            if inherited:
                first = "Parameters\n" if "Parameters\n" in inherited else "Returns\n"
                sections = inherited.partition(first)
                if sections[1]:
                    body = "".join(sections[1:]).partition("Notes\n")[0].rstrip()
                    indent = sections[0].rpartition("\n")[2]
                    method.__doc__ = f"{own}\n\n{indent}{body}\n{indent}"


class Table(dict[str, type[T]]):
    """Built-in classes of a kind, by name.

    A class enters the tables of its bases at its definition, if its module exports it. User
    classes enter none: a file can name built-in classes only.

    Parameters
    ----------
    key : callable
        Function from a class to its name; by default snake case, such as "cross_entropy".
    """

    def __init__(self, key: Callable[[Any], str] = lambda cls: snake_case(cls.__name__)) -> None:
        super().__init__()
        self.key = key


# Letters of lecture notes, and Keras's name, for the parameters of a layer.
_LETTERS = {"W": "weight", "b": "bias", "kernel": "weight", "w": "weight"}


class _MissingAttributeError(AttributeError):
    """Error of an attribute that is asked for, whose hint is found when it is shown."""

    def __init__(self, owner: object, attribute: str) -> None:
        super().__init__(name=attribute, obj=owner)

    def __str__(self) -> str:
        name, known = str(self.name), [each for each in dir(self.obj) if each[0] != "_"]
        close = "" if name.startswith("_") else self._array(name) or hint(name, known)
        return f"{type(self.obj).__name__} has no attribute {name!r}{close}"

    def _array(self, name: str) -> str:
        """Return where a layer has the parameter, or its gradient, that a name stands for."""
        kind = "grads" if name[:1] == "d" and name[1:] in _LETTERS else "params"
        wanted = _LETTERS.get(name[kind == "grads" :], name)
        held = getattr(self.obj, "params", ())
        return f"; it is {kind}[{wanted!r}]" if wanted in held else ""


_MissingAttributeError.__module__ = "builtins"  # as a traceback shows it
_MissingAttributeError.__qualname__ = "AttributeError"


class Strict(Documented):
    """An object that refuses attributes that it does not know.

    A built-in class has no attributes but the arguments of its constructors, those that it
    declares, and private ones, so that a misspelt one is an error; classes of users are free.

    Examples
    --------
    >>> import gyaku as gk
    >>> gk.Sequential(gk.Dense(3)).stop_trainig = True
    Traceback (most recent call last):
    ...
    AttributeError: Sequential has no attribute 'stop_trainig', did you mean 'stop_training'?
    """

    _builtin: ClassVar[bool] = False
    _attributes: ClassVar[set[str]] = set()
    _settings: ClassVar[tuple[str, ...]] = ()
    """Attributes of which a misspelling is refused in classes of users, too."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Find out whether the class is built in."""
        super().__init_subclass__(**options)
        exported = getattr(sys.modules.get(cls.__module__), "__all__", ())
        cls._builtin = cls.__module__.startswith("gyaku.") and cls.__qualname__ in exported
        cls._attributes = set()  # found when an attribute is first set

    if not TYPE_CHECKING:  # to those that read, an attribute that is not declared is a mistake

        def __setattr__(self, name: str, value: object) -> None:
            if name not in self._attributes:
                self._admit(name)
            object.__setattr__(self, name, value)

        def __getattr__(self, name: str) -> object:
            raise _MissingAttributeError(self, name)

    def _admit(self, name: str) -> None:
        """Allow a new attribute, or raise if it must be a mistake."""
        cls = type(self)
        if not cls._attributes:
            cls._attributes = _declared(cls)
            if name in cls._attributes:
                return
        if not name.startswith("_"):
            close = closest(name, cls._settings, cutoff=0.8)
            if cls._builtin and not close:
                close = closest(name, [each for each in cls._attributes if each[0] != "_"])
            if cls._builtin or close:
                meant = f", did you mean {close!r}?" if close else ""
                raise AttributeError(f"{cls.__name__} has no attribute {name!r}{meant}")
        cls._attributes.add(name)


class Configured(Strict):
    """An object that can say how it was made.

    Every constructor keeps each of its arguments in an attribute of the same name; `config` and
    `repr` read them back.

    Examples
    --------
    >>> from gyaku.init import Normal
    >>> Normal(std=0.1)
    Normal(std=0.1)
    >>> Normal(sdt=0.1)
    Traceback (most recent call last):
    ...
    TypeError: Normal has no argument 'sdt', did you mean 'std'?
    """

    _tables: ClassVar[tuple[Table[Any], ...]] = ()
    _signature: ClassVar[Mapping[str, Any]]

    def __init_subclass__(
        cls, *, table: Table[Any] | None = None, abstract: bool = False, **options: Any
    ) -> None:
        """Wrap the constructor, collect the attributes, and enter the class into its tables.

        Parameters
        ----------
        table : Table, optional
            Table of the built-in subclasses, if the class is the base of a kind.
        abstract : bool
            Whether the class is only a base.
        **options : object
            Options of other bases.
        """
        super().__init_subclass__(**options)
        init = vars(cls).get("__init__")
        if isinstance(init, FunctionType):
            cls.__init__ = _checking(init)  # type: ignore[method-assign]
        if table is not None:
            cls._tables = (*cls._tables, table)
        elif cls._builtin and not abstract:
            for each in cls._tables:
                each[each.key(cls)] = cls

    def config(self) -> dict[str, Any]:
        """Return the arguments of the constructor.

        Returns
        -------
        dict
            Argument names and values, in the constructor's order.

        Raises
        ------
        TypeError
            If the constructor did not keep one of its arguments.
        """
        found = {}
        for name in _parameters(type(self)):
            if not hasattr(self, name):
                raise TypeError(
                    f"{type(self).__name__} does not keep its argument {name!r}: store it as"
                    f" self.{name} in the constructor, or override config()"
                )
            found[name] = getattr(self, name)
        return found

    @classmethod
    def arguments(cls) -> tuple[str, ...]:
        """Return the names of the constructor's arguments, with those of the bases.

        Returns
        -------
        tuple of str
            The names.
        """
        found = (name for base in cls.__mro__ for name in _names(vars(base).get("__init__"))[0])
        return tuple(dict.fromkeys(found))

    def __repr__(self) -> str:
        return self._construction()

    def _construction(self, *, without: str = "") -> str:
        """Return the call that makes this object, with the arguments that are not defaults."""
        shown = []
        for name, parameter in _parameters(type(self)).items():
            if name == without:
                continue
            value = getattr(self, name, parameter.default)
            if parameter.default is parameter.empty:
                shown.append(repr(value))
            elif value is not parameter.default and repr(value) != repr(parameter.default):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


class Component(Configured):
    """Component of a training step: a layer, a loss, a metric or an optimizer.

    A native component calls operations only, which record themselves while a step is captured.
    User classes are not native, unless they set ``native = True``, and are called back at each
    step.
    """

    native: ClassVar[bool] = False
    """Whether `passes` consist of operations only."""
    passes: ClassVar[frozenset[str]] = frozenset()
    """Names of the methods of a pass."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Reset `native` in a class that overrides passes without setting it."""
        super().__init_subclass__(**options)
        if cls.passes & vars(cls).keys() and "native" not in vars(cls):
            cls.native = False


def is_kind_or_function(kind: type, given: object) -> bool:
    """Return whether an object is a component of a kind, or a function in its place.

    Parameters
    ----------
    kind : type
        The base of the kind.
    given : object
        The candidate.

    Returns
    -------
    bool
        Whether it is of this kind, or callable and no component of another.

    Examples
    --------
    >>> from gyaku.losses import Loss
    >>> from gyaku.metrics import Accuracy
    >>> is_kind_or_function(Loss, print), is_kind_or_function(Loss, Accuracy())
    (True, False)
    """
    return isinstance(given, kind) or (callable(given) and not isinstance(given, Configured))


def _parameters(cls: type[Configured]) -> Mapping[str, Any]:
    if "_signature" not in vars(cls):
        import inspect  # deferred, since it takes 5 ms

        kinds = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
        parameters = inspect.signature(cls).parameters
        found = {name: each for name, each in parameters.items() if each.kind not in kinds}
        cls._signature = found  # which takes as long as a small step
    return cls._signature
