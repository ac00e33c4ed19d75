"""Symbolic tensors: arguments and results of layers, for the connections of a graph."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from gyaku.checks import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import DTypeLike

__all__ = ["Block", "Input", "Node", "Tensor", "label", "shape_of"]

_numbers = itertools.count()


class Tensor:
    """Symbolic tensor: the output of a layer, or the input of a model.

    Parameters
    ----------
    node : Node or None
        The call that returns it; None for an input.
    position : int
        Index among the results of the call.
    shape : tuple of int
        Sample shape of an input; () for results, whose shapes are unknown before the build.
    name : str
        Name of an input.
    dtype : {"", "int32", "int64"}
        Dtype of an input that holds indices; "" for the model's own.

    Examples
    --------
    >>> Input((28, 28, 1))
    Input((28, 28, 1))
    """

    __slots__ = ("dtype", "name", "node", "position", "shape")

    def __init__(
        self,
        node: Node | None,
        position: int = 0,
        *,
        shape: tuple[int, ...] = (),
        name: str = "",
        dtype: str = "",
    ) -> None:
        self.node = node
        self.position = position
        self.shape = shape
        self.name = name
        self.dtype = dtype

    def __repr__(self) -> str:
        if self.node:
            return f"<output of {label(self.node.part)}>"
        shown = [f", {key}={value!r}" for key in ("dtype", "name") if (value := getattr(self, key))]
        return f"Input({self.shape}{''.join(shown)})"


class Node:
    """Call of a layer or a model on symbolic tensors.

    Parameters
    ----------
    part : Block
        The layer or model.
    inputs : tuple of Tensor
        Arguments of the call.

    Attributes
    ----------
    number : int
        Index in the order of all calls.
    """

    __slots__ = ("inputs", "number", "part")

    def __init__(self, part: Block, inputs: tuple[Tensor, ...]) -> None:
        self.part = part
        self.inputs = inputs
        self.number = next(_numbers)


class Block:
    """Part of a graph: a layer, or a model in another model.

    Attributes
    ----------
    name : str
        The name; a model names parts without one.
    """

    name: str = ""

    @property
    def arity(self) -> tuple[int | None, int]:
        """Number of inputs, None for any, and of outputs."""
        return 1, 1

    def __call__(self, *inputs: Any) -> Any:
        """Connect the part to its inputs, and return its symbolic outputs.

        Parameters
        ----------
        *inputs : Tensor
            Results of `gyaku.Input` and of other parts.

        Returns
        -------
        Tensor or tuple of Tensor
            The output; a tuple of several.

        Raises
        ------
        TypeError
            If an input is no symbolic tensor, for example an array.
        ValueError
            If there are too many or too few.
        """
        given = inputs[0] if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)) else inputs
        for each in given:
            if not isinstance(each, Tensor):
                raise TypeError(
                    f"{label(self)}: a call connects it to gyaku.Input(shape) or what another layer"
                    f" returned, got {type(each).__name__}; forward(x) takes arrays"
                )
        takes, gives = self.arity
        if not given or takes not in (None, len(given)):
            wanted = f"{takes} inputs" if takes and takes > 1 else f"{takes or 'at least 1'} input"
            raise ValueError(f"{label(self)}: takes {wanted}, got {len(given)}")
        node = Node(self, tuple(given))
        results = tuple(Tensor(node, position) for position in range(gives))
        return results[0] if gives == 1 else results


def label(part: Block) -> str:
    """Return class and name, as messages show them.

    Parameters
    ----------
    part : Block
        The layer or model.

    Returns
    -------
    str
        The text.

    Examples
    --------
    >>> import gyaku as gk
    >>> label(gk.Dense(3, name="scores")), label(gk.Sequential(gk.Dense(3)))
    ("Dense 'scores'", 'Sequential')
    """
    name = getattr(part, "path", "") or part.name
    return f"{type(part).__name__} {name!r}" if name else type(part).__name__


def Input(shape: Sequence[int], dtype: DTypeLike | None = None, *, name: str = "") -> Tensor:
    """Return an input of a graph.

    Parameters
    ----------
    shape : sequence of int
        Shape of a sample, without the batch axis.
    dtype : {"int32", "int64"}, optional
        Dtype of indices, for layers such as embeddings; by default the model's own, float32 or
        float64.
    name : str
        Name of the input.

    Returns
    -------
    Tensor
        Symbolic tensor, an argument for layers.

    Raises
    ------
    TypeError
        If `shape` is no sequence of integers.
    ValueError
        If a length is below 1, or `dtype` is no index type.

    Examples
    --------
    >>> import gyaku as gk
    >>> x = gk.Input((8,))
    >>> hidden = gk.Dense(16, "relu")(x)
    >>> y = gk.Dense(3)(gk.Concatenate()(hidden, x))
    >>> model = gk.Model(x, y)
    >>> model.predict([[0.0] * 8]).shape
    (1, 3)
    """
    checked = shape_of("Input", "shape", shape)
    return Tensor(None, shape=checked, name=name, dtype="" if dtype is None else _index(dtype))


def _index(given: DTypeLike) -> str:
    """Return the name of an index dtype; raise for others."""
    try:
        name = np.dtype(given).name
    except TypeError:
        name = ""
    if name not in ("int32", "int64"):
        raise ValueError(
            f"Input: dtype must be 'int32' or 'int64' for indices, or None for the model's own, got"
            f" {given!r}"
        )
    return name


def shape_of(owner: str, name: str, given: object) -> tuple[int, ...]:
    """Validate the shape of a sample.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    given : object
        The shape.

    Returns
    -------
    tuple of int
        The shape.

    Raises
    ------
    TypeError
        If it is no sequence of integers.
    ValueError
        If a length is below 1.
    """
    if not isinstance(given, (tuple, list)):
        write = f", write ({given},)" if isinstance(given, int) else ""
        raise TypeError(
            f"{owner}: {name} must be a tuple, such as (784,) or (28, 28, 1), got {given!r}{write}"
        )
    return tuple(whole(owner, f"a length in {name}", length) for length in given)
