"""Body of a C function under construction: names, pointers, constant arrays and statements."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.source.c_memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.source.forward_pass import ForwardPass, Step

__all__ = ["Body", "literal", "literals"]


class Body:
    """Body of the C function of a forward pass.

    Parameters
    ----------
    made : ForwardPass
        The steps.
    reserved : set of str
        Names that mean something else.
    scratch : mapping of int to int
        Elements that a step needs for itself, by its index.

    Attributes
    ----------
    made : ForwardPass
        The steps.
    arrays : dict of str to ndarray
        The constant arrays by their names in C, in the layout that the functions need.
    wrappers : dict of str to str
        Further functions by name.
    statements : list of str
        The statements.
    inputs, outputs : list of str
        The parameters.
    size : int
        Elements of the workspace.
    """

    def __init__(self, made: ForwardPass, reserved: set[str], scratch: Mapping[int, int]) -> None:
        self.made = made
        self.arrays: dict[str, NDArray[Any]] = {}
        self.wrappers: dict[str, str] = {}
        self._taken = {*reserved, "workspace", "n", "i"}
        self._memory = Memory(made, scratch)
        self.size = self._memory.size
        self._named = {name: self._name(name.replace(".", "_")) for name in made.arrays}
        self.inputs = [self._name(made.values[each].name) for each in made.inputs]
        self._pointers = dict(zip(made.inputs, self.inputs, strict=True))
        self.outputs, self._copies = self._places_of_outputs()
        self._number, self._used = 0, set[int]()
        self.statements: list[str] = []

    def write(self, statements_of: Callable[[Step], list[str]]) -> None:
        """Write the statements of all steps.

        Parameters
        ----------
        statements_of : callable
            Function that returns the statements of a step.
        """
        for number, step in enumerate(self.made.steps):
            self._number = number
            self.statements += statements_of(step)
        for value, name in self._copies:
            self.statements.append(f"copy({self.at(value)}, {name}, {self.elements(value)});")
        self.statements = [*self._declarations(), *self.statements]

    def _name(self, given: str) -> str:
        """Return a new identifier."""
        stem = re.sub(r"\W", "_", given, flags=re.ASCII)
        stem = f"_{stem}" if stem[:1].isdigit() else stem or "y"
        name, count = stem, 1
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        return name

    def _places_of_outputs(self) -> tuple[list[str], list[tuple[int, str]]]:
        """Name the outputs; return those that are copied at the end."""
        names, copies = [], []
        several = len(self.made.outputs) > 1
        for value in self.made.outputs:
            names.append(self._name(f"y_{self.made.values[value].name}" if several else "y"))
            buffer = self._memory.buffers[value]
            if buffer in self._pointers:
                copies.append((value, names[-1]))
            else:
                self._pointers[buffer] = names[-1]
        return names, copies

    def _declarations(self) -> list[str]:
        found = []
        for buffer in sorted(self._used):
            if buffer in self._memory.offsets:
                place = self._memory.offsets[buffer]
                found.append(f"float* {self._pointers[buffer]} = workspace + {place};")
        return found

    def at(self, value: int) -> str:
        """Return the pointer to a value, to its sample n if there are several.

        Parameters
        ----------
        value : int
            Its index.

        Returns
        -------
        str
            The expression.
        """
        buffer, made = self._memory.buffers[value], self.made
        if buffer not in self._pointers:
            self._pointers[buffer] = self._name(made.values[buffer].name.replace(".", "_"))
        self._used.add(buffer)
        step = made.values[value]
        name = self._pointers[buffer]
        return f"{name} + n * {math.prod(step.shape)}" if step.repeat > 1 else name

    def whole(self, value: int) -> str:
        """Return the pointer to all samples of a value.

        Parameters
        ----------
        value : int
            Its index.

        Returns
        -------
        str
            The expression.
        """
        return self.at(value).partition(" + ")[0]

    def scratch(self) -> str:
        """Return the pointer to the scratch of the present step.

        Returns
        -------
        str
            The expression.
        """
        return f"workspace + {self._memory.of_scratch[self._number]}"

    def array(self, step: Step, role: str, axes: Sequence[int] | None = None) -> str:
        """Return the name of an array of a step, "0" if it has none.

        Parameters
        ----------
        step : Step
            The step.
        role : str
            The role.
        axes : sequence of int, optional
            Order of the axes in C.

        Returns
        -------
        str
            The name.
        """
        if role not in step.arrays:
            return "0"
        array = self.made.arrays[step.arrays[role]]
        name = self._named[step.arrays[role]]
        self.arrays[name] = array if axes is None else array.transpose(axes)
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store a constant array.

        Parameters
        ----------
        name : str
            A name for it.
        array : ndarray
            The array.

        Returns
        -------
        str
            Its name in C.
        """
        found = self._name(name.replace(".", "_"))
        self.arrays[found] = array
        return found

    def is_used(self, value: int) -> bool:
        """Return whether a step reads a value, or it is an output.

        Parameters
        ----------
        value : int
            Its index.

        Returns
        -------
        bool
            Whether it is.
        """
        return value in self._memory.used

    def elements(self, value: int) -> int:
        """Return the number of elements of a value.

        Parameters
        ----------
        value : int
            Its index.

        Returns
        -------
        int
            The number.
        """
        return Memory.elements(self.made, value)

    def rows(self, value: int) -> tuple[int, int]:
        """Return a value's number of rows, and their length.

        Parameters
        ----------
        value : int
            Its index.

        Returns
        -------
        tuple of int
            Both.
        """
        length = self.made.values[value].shape[-1]
        return self.elements(value) // length, length

    def repeated(self, value: int, statements: list[str]) -> list[str]:
        """Return statements for each sample of a value.

        Parameters
        ----------
        value : int
            Its index.
        statements : list of str
            The statements for sample n.

        Returns
        -------
        list of str
            The statements.
        """
        repeat = self.made.values[value].repeat
        if repeat == 1:
            return statements
        inner = [f"  {each}" for each in statements]
        return [f"for (int n = 0; n < {repeat}; n++) {{", *inner, "}"]


def literal(value: Any, dtype: Any) -> str:
    """Return a number as a literal of C that is rounded to itself.

    Parameters
    ----------
    value : float
        The number.
    dtype : dtype
        Its dtype, float32 or float64.

    Returns
    -------
    str
        The shortest literal.
    """
    return literals(np.array([value], dtype))[0]


def literals(array: NDArray[Any]) -> list[str]:
    """Return the numbers of an array as literals of C.

    Parameters
    ----------
    array : ndarray
        The array.

    Returns
    -------
    list of str
        The shortest literals, in C order.
    """
    end = "f" if array.dtype == np.float32 else ""
    special = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
    return [special.get(each) or each + end for each in array.ravel().astype(str).tolist()]
