"""What people configure: arguments checked, chosen by name, remembered for `repr` and files."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from numpy.typing import DTypeLike

__all__ = ["Configured", "Documented", "Part", "check_bytes", "checked_dtype", "choose"]
__all__ += ["each_of", "no_class", "number", "truth", "unknown", "whole"]

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


class Part(Configured):
    """A part of a training step: a layer, a loss, a metric or an optimizer.

    A part is native if all it does is call operations, which record themselves while a step is
    captured. Whatever people write is not, unless they say so, and is called back at each step.
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


def _parameters(cls: type) -> Mapping[str, Any]:
    import inspect  # 5 ms, which `import gyaku` need not pay

    kinds = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    parameters = inspect.signature(cls).parameters
    return {name: each for name, each in parameters.items() if each.kind not in kinds}


def choose(kind: str, given: str, table: Mapping[str, T]) -> T:
    """Return the row of a table that a person named.

    Parameters
    ----------
    kind : str
        What is chosen, for the error.
    given : str
        The name.
    table : mapping of str to object
        What there is to choose from.

    Returns
    -------
    object
        The row.

    Raises
    ------
    ValueError
        If no row has this name.

    Examples
    --------
    >>> choose("optimizer", "adma", {"adam": 1, "sgd": 2})
    Traceback (most recent call last):
    ...
    ValueError: unknown optimizer 'adma', did you mean 'adam'? Known are adam, sgd
    """
    if given in table:
        return table[given]
    raise ValueError(unknown(kind, given, table))


def each_of(owner: str, name: str, given: object, names: Sequence[str]) -> tuple[Any, ...]:
    """Return what was given for each of several inputs or outputs.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    given : object
        What was given: for one alone the thing itself, for several a tuple, a list or a dict.
    names : sequence of str
        What the inputs or outputs are called.

    Returns
    -------
    tuple
        One for each name.

    Raises
    ------
    TypeError
        If it is no tuple, list or dict where there are several.
    ValueError
        If there are too many or too few, or a name is another.

    Examples
    --------
    >>> each_of("fit", "x", {"b": 2, "a": 1}, ["a", "b"])
    (1, 2)
    >>> each_of("fit", "x", (1, 2, 3), ["a", "b"])
    Traceback (most recent call last):
    ...
    ValueError: fit: x must hold one for each of a, b, got 3
    """
    if len(names) == 1 and not isinstance(given, dict):
        return (given,)
    if isinstance(given, dict):
        if set(given) != set(names):
            raise ValueError(
                f"{owner}: {name} must have the keys {', '.join(names)}, got"
                f" {', '.join(map(str, given)) or 'none'}"
            )
        return tuple(given[key] for key in names)
    if not isinstance(given, (tuple, list)):
        raise TypeError(
            f"{owner}: {name} must be a tuple or a dict, one for each of {', '.join(names)}, got"
            f" {type(given).__name__}"
        )
    if len(given) != len(names):
        raise ValueError(
            f"{owner}: {name} must hold one for each of {', '.join(names)}, got {len(given)}"
        )
    return tuple(given)


def unknown(kind: str, given: str, names: Iterable[str]) -> str:
    """Return the sentence for a name that does not exist.

    Parameters
    ----------
    kind : str
        What was to be chosen.
    given : str
        The name that was given.
    names : iterable of str
        The names that exist.

    Returns
    -------
    str
        The sentence, with the closest name and all of them.
    """
    import difflib

    known = sorted(names)
    close = difflib.get_close_matches(given.lower(), known, n=1)
    if close:
        return f"unknown {kind} {given!r}, did you mean {close[0]!r}? Known are {', '.join(known)}"
    return f"unknown {kind} {given!r}, known are {', '.join(known)}"


def no_class(kind: str, given: object) -> None:
    """Refuse a class where one of its objects is wanted.

    Parameters
    ----------
    kind : str
        What is wanted, for the error.
    given : object
        What was given.

    Raises
    ------
    TypeError
        If it is a class.

    Examples
    --------
    >>> no_class("optimizer", dict)
    Traceback (most recent call last):
    ...
    TypeError: optimizer is the class dict, write dict()
    """
    if isinstance(given, type):
        raise TypeError(f"{kind} is the class {given.__name__}, write {given.__name__}()")


def whole(owner: str, name: str, value: object, *, least: int = 1) -> int:
    """Return an integer argument, checked.

    Parameters
    ----------
    owner : str
        Whose argument it is, for the error.
    name : str
        The argument.
    value : object
        What was given: any integer type, but no bool.
    least : int
        The smallest value that makes sense.

    Returns
    -------
    int
        The value.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is too small.
    """
    try:
        result = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        result = None
    if result is None or isinstance(value, bool):
        raise TypeError(f"{owner}: {name} must be an integer, got {value!r}")
    if result < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, got {value!r}")
    return result


def truth(owner: str, name: str, value: object) -> bool:
    """Return a bool argument, checked.

    Parameters
    ----------
    owner : str
        Whose argument it is, for the error.
    name : str
        The argument.
    value : object
        What was given.

    Returns
    -------
    bool
        The value.

    Raises
    ------
    TypeError
        If it is neither True nor False.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{owner}: {name} must be True or False, got {value!r}")
    return bool(value)


def number(
    owner: str,
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
) -> float:
    """Return a real argument, checked.

    Parameters
    ----------
    owner : str
        Whose argument it is, for the error.
    name : str
        The argument.
    value : object
        What was given: any real number type, but no bool.
    least, above, below : float
        The range: least <= value, above < value < below.

    Returns
    -------
    float
        The value.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it lies outside the range.
    """
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(f"{owner}: {name} must be a number, got {value!r}")
    result = float(value)
    if math.isfinite(result) and result >= least and above < result < below:
        return result
    if below < math.inf:
        wanted = f"at least {least:g} and below {below:g}"
    elif above == 0:
        wanted = "positive"
    else:
        wanted = "finite" if least == -math.inf else f"at least {least:g}"
    raise ValueError(f"{owner}: {name} must be {wanted}, got {value!r}")


def check_bytes(owner: str, name: str, shape: tuple[int, ...], beside: str) -> None:
    """Raise if a shape is too large for 64-bit arithmetic, whatever the dtype.

    Parameters
    ----------
    owner : str
        Operation or layer, for the error.
    name : str
        Array of this shape, for the error.
    shape : tuple of int
        The shape.
    beside : str
        Shapes that it follows from, for the error.

    Raises
    ------
    ValueError
        If its size in bytes is beyond 64 bits.

    Examples
    --------
    >>> check_bytes("Dense", "the output", (2**60,), "input (3,)")
    Traceback (most recent call last):
    ...
    ValueError: Dense: the output of shape (1152921504606846976,) would be beyond 2^63 bytes
    (input (3,))
    """
    if 8 * math.prod(max(length, 1) for length in shape) >= 2**63:
        raise ValueError(f"{owner}: {name} of shape {shape} would be beyond 2^63 bytes ({beside})")


def checked_dtype(given: DTypeLike) -> np.dtype[Any]:
    """Return a model's dtype.

    Parameters
    ----------
    given : dtype
        What was asked for.

    Returns
    -------
    numpy.dtype
        Either float32 or float64.

    Raises
    ------
    ValueError
        If it is neither.
    """
    try:
        dtype = np.dtype(given)
    except TypeError:
        dtype = np.dtype(object)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"a model's dtype must be float32 or float64, got {given!r}")
    return dtype
