"""Classes that people configure: chosen by name, and remembered for `repr` and files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, ClassVar, TypeVar

from gyaku.names import snake_case

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["Component", "Configured", "Documented", "Table", "is_kind_or_function"]

T = TypeVar("T")


class Documented:
    """A class whose methods inherit what their own docstrings leave out.

    An override that has only a summary gets parameters, returns and errors from the method that
    it overrides.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Complete the docstrings of the new class."""
        super().__init_subclass__(**options)
        for name, method in vars(cls).items():
            inherited = getattr(getattr(super(cls, cls), name, None), "__doc__", None)
            said = method.__doc__
            if callable(method) and inherited and said and "\n" not in said:
                sections = inherited.partition("Parameters\n")
                if sections[1]:
                    body = "".join(sections[1:]).partition("Notes\n")[0].rstrip()
                    indent = sections[0].rpartition("\n")[2]
                    method.__doc__ = f"{said}\n\n{indent}{body}\n{indent}"


class Table(dict[str, type[T]]):
    """The built-in classes of a kind, by the names that people and files choose them by.

    A class enters the tables of its bases where it is defined, if its module exports it. Classes
    that people write enter none: a file can name only what comes with the package.

    Parameters
    ----------
    key : callable
        The name of a class; by default its own in small letters, such as "cross_entropy".
    """

    def __init__(self, key: Callable[[Any], str] = lambda cls: snake_case(cls.__name__)) -> None:
        super().__init__()
        self.key = key


class Configured(Documented):
    """An object that can say how it was made.

    Every constructor keeps each of its arguments in an attribute of the same name; `config` and
    `repr` read them back.

    Examples
    --------
    >>> from gyaku.init import Normal
    >>> Normal(deviation=0.1)
    Normal(deviation=0.1)
    """

    _tables: ClassVar[tuple[Table[Any], ...]] = ()

    def __init_subclass__(
        cls, *, table: Table[Any] | None = None, abstract: bool = False, **options: Any
    ) -> None:
        """Enter the class into the tables of its bases.

        Parameters
        ----------
        table : Table, optional
            Makes the class the base of a kind, whose built-in classes enter this table.
        abstract : bool
            Whether the class is a base only.
        **options : object
            Options of other bases.
        """
        super().__init_subclass__(**options)
        exported = getattr(sys.modules.get(cls.__module__), "__all__", ())
        builtin = cls.__module__.startswith("gyaku.") and cls.__qualname__ in exported
        if table is not None:
            cls._tables = (*cls._tables, table)
        elif builtin and not abstract:
            for each in cls._tables:
                each[each.key(cls)] = cls

    def config(self) -> dict[str, Any]:
        """Return the arguments that would make this object again.

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

    def __repr__(self) -> str:
        shown = []
        for name, parameter in _parameters(type(self)).items():
            value = getattr(self, name, parameter.default)
            if parameter.default is parameter.empty:
                shown.append(repr(value))
            elif value is not parameter.default and repr(value) != repr(parameter.default):
                shown.append(f"{name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


class Component(Configured):
    """A component of a training step: a layer, a loss, a metric or an optimizer.

    A component is native if all it does is call operations, which record themselves while a step
    is captured. Those that people write are not, unless they say so, and are called back at each
    step.
    """

    native: ClassVar[bool] = False
    """Whether `passes` consist of operations alone."""
    passes: ClassVar[frozenset[str]] = frozenset()
    """The methods that do the work."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Take a class for native only if it says so beside its own passes."""
        super().__init_subclass__(**options)
        if cls.passes & vars(cls).keys() and "native" not in vars(cls):
            cls.native = False


def is_kind_or_function(kind: type, given: object) -> bool:
    """Return whether something can serve as a component of a kind: one of it, or a function.

    Parameters
    ----------
    kind : type
        The base of the kind.
    given : object
        What was given.

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


def _parameters(cls: type) -> Mapping[str, Any]:
    import inspect  # 5 ms, which `import gyaku` need not pay

    kinds = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    parameters = inspect.signature(cls).parameters
    return {name: each for name, each in parameters.items() if each.kind not in kinds}
