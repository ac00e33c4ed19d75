"""Pickles of arrays, read without running any code.

A pickle is a program for a stack machine that may call any function of Python. Here, its
instructions for data alone are carried out, and the few functions that arrays and tensors need are
this module's own; a pickle that asks for any other is refused by that function's name.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import FileError, largest_content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

__all__ = ["load_pickle", "parse"]

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    "BYTEARRAY8",
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Mark:
    """Start of the operands of an instruction that takes any number."""


class _Function(str):
    """Name of a function, with its module."""

    __slots__ = ()


class _Pending:
    """Array or dtype whose state follows behind it.

    Parameters
    ----------
    made : callable
        Function from the state to the value.
    value : object
        The value before the state is known.
    """

    def __init__(self, made: Callable[[Any], Any], value: Any = None) -> None:
        self.made, self.value = made, value


def _dtype(code: Any, *_: Any) -> _Pending:
    text = code if isinstance(code, str) else bytes(code).decode()
    if not re.fullmatch(r"[<>|=]?(b1|[iuf][1248]|c(8|16))", text):
        raise ValueError(f"it has elements of dtype {text!r}")
    dtype = np.dtype(text)
    return _Pending(lambda state: dtype.newbyteorder(state[1].replace("|", "=")), dtype)


def _array(*_: Any) -> _Pending:
    return _Pending(lambda state: _filled(*state[-4:]))


def _filled(shape: Any, dtype: Any, by_columns: Any, content: Any) -> NDArray[Any]:
    given = content.encode("latin-1") if isinstance(content, str) else content
    array = np.frombuffer(given, dtype).reshape(shape, order="F" if by_columns else "C")
    return array.astype(array.dtype.newbyteorder("="))


def _scalar(dtype: DTypeLike, content: Any) -> Any:
    return _filled((), dtype, False, content)[()]


def _from_buffer(content: Any, dtype: DTypeLike, shape: Any, order: str) -> NDArray[Any]:
    return _filled(shape, dtype, order == "F", content)


def _latin1(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"it has text in the encoding {encoding!r}")
    return text.encode("latin-1")


_NUMPY: dict[str, Callable[..., Any]] = {
    "multiarray._reconstruct": _array,
    "multiarray.scalar": _scalar,
    "numeric._frombuffer": _from_buffer,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": _dtype,
    "_codecs.encode": _latin1,
    "__builtin__.bytes": lambda: b"",  # of an empty array, in protocols before 3
    "collections.OrderedDict": lambda items=(): dict(items),
    **{f"numpy.core.{name}": function for name, function in _NUMPY.items()},
    **{f"numpy._core.{name}": function for name, function in _NUMPY.items()},
}
_NAMES = {"numpy.ndarray": None}  # an argument of `_reconstruct`, which is not called


def parse(
    content: bytes,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    names: Mapping[str, Any] | None = None,
    stored: Callable[[Any], Any] | None = None,
    room: int | None = None,
) -> Any:
    """Return the object of a pickle: containers, numbers, strings and arrays.

    Parameters
    ----------
    content : bytes
        The pickle.
    functions : mapping of str to callable, optional
        Further functions that it may call, by module and name.
    names : mapping of str to object, optional
        Further names that it may use.
    stored : callable, optional
        Function from a persistent id to its object.
    room : int, optional
        Bytes that its arrays may fill; by default 256 MiB, or 100 times the pickle.

    Returns
    -------
    object
        The object.

    Raises
    ------
    ValueError
        If the pickle is damaged, or asks for another function.

    Examples
    --------
    >>> import pickle
    >>> parse(pickle.dumps({"W1": np.ones(2), "epochs": 3}))
    {'W1': array([1., 1.]), 'epochs': 3}
    >>> parse(pickle.dumps(print))
    Traceback (most recent call last):
    ...
    ValueError: it wants to run code: it asks for builtins.print
    """
    import pickletools

    machine = _Machine({**_FUNCTIONS, **(functions or {})}, {**_NAMES, **(names or {})}, stored)
    machine.room = largest_content(len(content)) if room is None else room
    try:
        for opcode, argument, _ in pickletools.genops(content):
            machine.run(opcode.name, argument)
        return _value(machine.stack[-1])
    except (LookupError, TypeError, AttributeError, UnicodeError, EOFError, OverflowError) as error:
        raise ValueError(f"it is damaged ({type(error).__name__})") from None


def _value(given: Any) -> Any:
    return given.value if isinstance(given, _Pending) else given


class _Machine:
    """Stack machine of a pickle.

    Parameters
    ----------
    functions : mapping of str to callable
        Functions that a pickle may call.
    names : mapping of str to object
        Other names.
    stored : callable or None
        Function from a persistent id to its object.
    """

    def __init__(
        self,
        functions: Mapping[str, Callable[..., Any]],
        names: Mapping[str, Any],
        stored: Callable[[Any], Any] | None,
    ) -> None:
        self.functions, self.names, self.stored = functions, names, stored
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.room = 0

    def run(self, name: str, argument: Any) -> None:
        """Carry out an instruction.

        Parameters
        ----------
        name : str
            The instruction, as `pickletools` calls it.
        argument : object
            Its argument.
        """
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            stack[-count:] = [tuple(map(_value, stack[-count:]))]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if argument is None else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif name not in ("PROTO", "FRAME", "STOP"):
            instruction = getattr(self, f"_{name.lower()}", None)
            if instruction is None:
                raise ValueError(f"it wants to run code: it has the instruction {name}")
            instruction(argument)

    def _mark(self, _: Any) -> None:
        self.stack.append(_Mark)

    def _pop(self, _: Any) -> Any:
        return _value(self.stack.pop())

    def _behind_mark(self) -> list[Any]:
        found = []
        while (each := self.stack.pop()) is not _Mark:
            found.append(_value(each))
        return found[::-1]

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._behind_mark()))

    def _list(self, _: Any) -> None:
        self.stack.append(self._behind_mark())

    def _dict(self, _: Any) -> None:
        found = self._behind_mark()
        self.stack.append(dict(zip(found[::2], found[1::2], strict=True)))

    def _append(self, _: Any) -> None:
        value = self._pop(None)
        self.stack[-1].append(value)

    def _appends(self, _: Any) -> None:
        found = self._behind_mark()
        self.stack[-1].extend(found)

    def _setitem(self, _: Any) -> None:
        value, key = self._pop(None), self._pop(None)
        self.stack[-1][key] = value

    def _setitems(self, _: Any) -> None:
        found = self._behind_mark()
        self.stack[-1].update(zip(found[::2], found[1::2], strict=True))

    def _global(self, argument: str) -> None:
        name = argument.replace(" ", ".")
        if name in self.names:
            self.stack.append(self.names[name])
        elif name in self.functions:
            self.stack.append(_Function(name))
        else:
            shown = name if name.isprintable() else repr(name)
            raise ValueError(f"it wants to run code: it asks for {shown[:100]}")

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(None), self._pop(None)
        self._global(f"{module}.{name}")

    def _reduce(self, _: Any) -> None:
        arguments, function = self._pop(None), self.stack.pop()
        if not isinstance(function, _Function):
            raise ValueError(f"it calls a {type(function).__name__}, which is no function")
        self.stack.append(self._counted(self.functions[function](*arguments)))

    def _build(self, _: Any) -> None:
        state, pending = self._pop(None), self.stack[-1]
        if isinstance(pending, _Pending):  # attributes of dictionaries are not kept
            pending.value = self._counted(pending.made(state))

    def _counted(self, value: Any) -> Any:
        """Return a value; raise if it is an array that does not fit beside the ones before."""
        self.room -= value.nbytes if isinstance(value, np.ndarray) else 0
        if self.room < 0:  # of a few bytes that are used again and again
            raise ValueError("its arrays would fill far more memory than its size makes likely")
        return value

    def _binpersid(self, _: Any) -> None:
        if self.stored is None:
            raise ValueError("it refers to objects outside the pickle")
        self.stack.append(self.stored(self._pop(None)))


def load_pickle(path: str | os.PathLike[str]) -> Any:
    """Read a pickle of arrays, such as the textbook's weights, without running any code.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    object
        Its dicts, lists, numbers, strings and NumPy arrays.

    Raises
    ------
    FileError
        If the file is no pickle, is damaged, or asks for a function that arrays do not need.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import pickle, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(folder + "/params.pkl", "wb") as stream:
    ...         pickle.dump({"W1": np.ones((2, 3))}, stream)
    ...     load_pickle(folder + "/params.pkl")["W1"].shape
    (2, 3)
    """
    from pathlib import Path

    try:
        return parse(Path(path).read_bytes())
    except ValueError as error:
        raise FileError(f"{os.fspath(path)} is no pickle of arrays: {error}") from None
