"""ONNX graph under construction: nodes, initialisers, and values in either layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Graph", "Value"]


@dataclass
class Value:
    """Value of a graph, under its name in one layout or both.

    Parameters
    ----------
    shape : tuple of int
        Sample shape, channels last.
    last, first : str
        The name of the tensor with channels last and first; "" until it is needed.
    """

    shape: tuple[int, ...]
    last: str = ""
    first: str = ""


class Graph:
    """Graph under construction.

    Attributes
    ----------
    nodes : list of NodeProto
        The nodes so far.
    initialisers : dict of str to ndarray
        Constants by name.
    scope : str
        Path of the layer being written, the beginning of new names.
    lengths : str
        The tensor of sequence lengths of its input, "" if all steps are real.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initialisers: dict[str, NDArray[Any]] = {}
        self.scope = ""
        self.lengths = ""
        self._taken: set[str] = set()

    def name(self, stem: str) -> str:
        """Return a new name.

        Parameters
        ----------
        stem : str
            Its beginning.

        Returns
        -------
        str
            The stem, numbered if it is taken.
        """
        name, count = stem, 1
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        return name

    def constant(self, name: str, values: ArrayLike) -> str:
        """Return the name of a constant, stored once; floating-point values become float32.

        Parameters
        ----------
        name : str
            Its name, behind the path of the layer.
        values : array_like
            Its values.

        Returns
        -------
        str
            The full name.
        """
        array = np.asarray(values)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        name = f"{self.scope}.{name}" if self.scope else name
        known = self.initialisers.get(name)
        if known is not None and not np.array_equal(known, array):
            name = self.name(name)
        self._taken.add(name)
        self.initialisers[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name

    def scalar(self, value: float) -> str:
        """Return the name of a scalar constant.

        Parameters
        ----------
        value : float
            The value.

        Returns
        -------
        str
            The name.
        """
        return self.constant(f"scalar_{value:g}", np.float32(value))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node of one output.

        Parameters
        ----------
        operator : str
            Name of the operator.
        *inputs : str
            Its inputs; "" for an optional one that is left out.
        **attributes : object
            Its attributes.

        Returns
        -------
        str
            Name of the output.
        """
        return self.node_of_several(operator, inputs, 1, **attributes)[0]

    def node_of_several(
        self, operator: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Append a node of several outputs.

        Parameters
        ----------
        operator : str
            Name of the operator.
        inputs : sequence of str
            Its inputs.
        outputs : int
            Their number.
        **attributes : object
            Its attributes.

        Returns
        -------
        list of str
            Names of the outputs.
        """
        from onnx import helper

        name = self.name(f"{self.scope}/{operator}" if self.scope else operator)
        names = [name if not n else self.name(f"{name}.{n}") for n in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name, **attributes))
        return names

    def last(self, value: Value) -> str:
        """Return the tensor of a value with channels last, transposed if need be.

        Parameters
        ----------
        value : Value
            The value.

        Returns
        -------
        str
            The name.
        """
        if not value.last:
            axes = len(value.shape)
            value.last = self.node("Transpose", value.first, perm=[0, *range(2, axes + 1), 1])
        return value.last

    def first(self, value: Value) -> str:
        """Return the tensor of a value with channels first, transposed if need be.

        Parameters
        ----------
        value : Value
            The value.

        Returns
        -------
        str
            The name.
        """
        if not value.first:
            axes = len(value.shape)
            value.first = self.node("Transpose", value.last, perm=[0, axes, *range(1, axes)])
        return value.first

    def alike(
        self, *values: Value
    ) -> tuple[list[str], tuple[int, ...], Callable[[tuple[int, ...], str], Value]]:
        """Return the tensors of values in one layout, without a Transpose node if there is one.

        Parameters
        ----------
        *values : Value
            The values.

        Returns
        -------
        tuple of (list of str, tuple of int, callable)
            The names, the axis of the tensors for each axis of the batch, and the function that
            makes a value of a shape and a name in this layout.
        """
        axes = len(values[0].shape)
        if any(each.last for each in values) or any(len(each.shape) != axes for each in values):
            names = [*map(self.last, values)]
            return names, tuple(range(axes + 1)), lambda shape, name: Value(shape, last=name)
        names = [*map(self.first, values)]
        return names, (0, *range(2, axes + 1), 1), lambda shape, name: Value(shape, first=name)
