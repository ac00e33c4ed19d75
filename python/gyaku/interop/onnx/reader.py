"""ONNX graph while it is read: its constants, and each value as a symbolic tensor."""

from __future__ import annotations

import copy
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import largest_content
from gyaku.layers import ArrayOperation, Reshape, TimeDistributed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers import Layer
    from gyaku.symbolic import Tensor

__all__ = ["DIRECTION", "Call", "Reader", "Unreadable", "Value"]

DIRECTION = -1
"""The axis of the directions of a recurrent node, in `Value.axes`."""


class Unreadable(ValueError):
    """Node, or a setting of one, without counterpart; the message follows its place."""


@dataclass(frozen=True)
class Value:
    """Value of a graph, as a symbolic tensor.

    Parameters
    ----------
    tensor : Tensor
        The tensor: batch first, channels last.
    shape : tuple of int
        Its sample shape.
    axes : tuple of int or None
        For each axis in ONNX the axis of the tensor, None for one of length 1 that it lacks. A
        Transpose permutes them, and is no layer.
    order : ndarray of int, optional
        For each feature in ONNX that of the tensor, if flattening ordered them differently.
    time : int
        Number of steps if each sample is a step of a sequence, 0 otherwise.
    pads : list of int, optional
        Zeros around the value that the next window operator sees.
    final : Value, optional
        The last step of a sequence.
    merged : callable, optional
        Makes the value of both directions, from the name of a merge.
    integer : bool
        Whether its elements are integers, which the tensor holds as floats.
    """

    tensor: Tensor
    shape: tuple[int, ...]
    axes: tuple[int | None, ...]
    order: NDArray[np.int64] | None = None
    time: int = 0
    pads: list[int] | None = None
    final: Value | None = None
    merged: Callable[[str], Value] | None = None
    integer: bool = False

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The shape in ONNX; 0 is the batch axis."""
        return tuple(1 if a is None else 0 if a == 0 else self.shape[a - 1] for a in self.axes)


class Call:
    """Node of a graph, with its attributes.

    Parameters
    ----------
    node : NodeProto
        The node.
    """

    def __init__(self, node: Any) -> None:
        from onnx.helper import get_attribute_value

        self.operator: str = node.op_type
        self.name: str = node.name
        self.inputs: list[str] = list(node.input)
        self.outputs: list[str] = list(node.output)
        self.attributes = {each.name: get_attribute_value(each) for each in node.attribute}

    def input(self, index: int) -> str:
        """Return the name of an input, "" if it is left out.

        Parameters
        ----------
        index : int
            Its index.

        Returns
        -------
        str
            The name.
        """
        return self.inputs[index] if index < len(self.inputs) else ""

    def text(self, name: str, default: str) -> str:
        """Return an attribute of text.

        Parameters
        ----------
        name : str
            The attribute.
        default : str
            Its default.

        Returns
        -------
        str
            Its value.
        """
        found = self.attributes.get(name, default)
        return found.decode() if isinstance(found, bytes) else found


class Reader:
    """Graph while it is read.

    Parameters
    ----------
    nodes : list of NodeProto
        The nodes.
    constants : dict of str to ndarray
        The constants by name.
    outputs : list of str
        The outputs of the graph.
    opset : int
        Its version of the operators.
    first : {0, 1}
        Axis of the tensors that the first of ONNX is: that of the samples, or 1 if a sample is the
        whole input.

    Attributes
    ----------
    batch : int
        Number of samples in a file that fixes it, else 0.
    values : dict of str to Value
        The values read so far.
    weights : list of (Layer, dict of str to ndarray)
        The layers made so far and their parameters.
    makers, users : dict of str to NodeProto
        The node that makes each value, and the last one that takes it.
    uses : dict of str to int
        Number of uses of each value.
    aliases : dict of str to str
        Outputs of nodes that an earlier node has absorbed, and its output.
    sources : tuple of str
        Constants that the present node takes.
    room : int
        Bytes of memory that a sample of a value may fill.
    kinds : dict of str to int
        The types of the elements of values, where they are known.
    padded, lengths : set of str
        Inputs of ids that 0 pads, and the lengths computed from them.
    """

    def __init__(
        self,
        nodes: list[Any],
        constants: Mapping[str, NDArray[Any]],
        outputs: list[str],
        opset: int = 17,
        first: int = 0,
    ) -> None:
        self.opset, self.batch, self.first = opset, 0, first
        self.kinds: dict[str, int] = {}
        self.room = largest_content(0)
        self.constants = dict(constants)
        self.values: dict[str, Value] = {}
        self.weights: list[tuple[Layer, dict[str, NDArray[Any]]]] = []
        self.makers = {name: node for node in nodes for name in node.output}
        self.uses = Counter([*outputs, *(name for node in nodes for name in node.input)])
        self.aliases: dict[str, str] = {}
        self.sources: tuple[str, ...] = ()
        self.padded: set[str] = set()
        self.lengths: set[str] = set()
        self.users = {name: node for node in nodes for name in node.input}
        self._shared: dict[Any, Layer] = {}

    def value(self, name: str) -> Value:
        """Return a value that is no constant.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Value
            The value.
        """
        if name in self.values:
            return self.values[name]
        if name in self.constants and self.first:
            return self._held(name)
        if name in self.constants:
            raise Unreadable(f"takes the constant {name!r}, and a layer takes none as its input")
        raise Unreadable(f"takes {name!r}, which has no counterpart")

    def constant(self, name: str, role: str) -> NDArray[Any]:
        """Return a constant.

        Parameters
        ----------
        name : str
            Its name.
        role : str
            Its part in the node, for errors.

        Returns
        -------
        ndarray
            Its value.
        """
        if name not in self.constants:
            raise Unreadable(f"computes its {role} ({name!r}), and a layer has constant ones")
        return self.constants[name]

    def apply(
        self, layer: Layer, *values: Value, weights: dict[str, NDArray[Any]] | None = None
    ) -> list[Value]:
        """Apply a layer to values in the order of the tensor.

        Parameters
        ----------
        layer : Layer
            A new layer.
        *values : Value
            Its inputs.
        weights : dict of str to ndarray, optional
            Its parameters and buffers.

        Returns
        -------
        list of Value
            Its outputs, with the axes of the first input where they are as many.
        """
        first = values[0]
        shapes = [each.shape for each in values]
        prefix = ""
        if first.time:
            layer, prefix = TimeDistributed(layer), "layer."
            shapes = [(first.time, *shape) for shape in shapes]
        named = {prefix + name: each for name, each in (weights or {}).items()}
        layer = self._once(layer, named)
        found: Any = layer(*(each.tensor for each in values))
        made: Any = _output_shapes(layer, shapes)
        tensors = found if layer.gives > 1 else (found,)
        outputs = []
        for tensor, shape in zip(tensors, made if layer.gives > 1 else (made,), strict=True):
            sample = tuple(shape[1:] if first.time else shape)
            is_alike = len(sample) == len(first.shape)
            axes = first.axes if is_alike else self._own_axes(sample)
            order = first.order if is_alike else None
            outputs.append(Value(tensor, sample, axes, order, first.time))
        return outputs

    def _once(self, layer: Layer, weights: dict[str, NDArray[Any]]) -> Layer:
        """Return the layer, or that of an earlier node with the same constants."""
        if not weights:
            return layer
        if all(each.ndim < 2 for each in weights.values()):
            self.weights.append((layer, weights))  # exporters join equal scales of several layers
            return layer
        key = (repr(layer), self.sources)
        if key not in self._shared:
            self._shared[key] = layer
            self.weights.append((layer, weights))
        return self._shared[key]

    def plain(self, value: Value) -> Value:
        """Return a value whose tensor has the axes and the order of features that ONNX has.

        Parameters
        ----------
        value : Value
            The value.

        Returns
        -------
        Value
            The same value, or that of layers that move axes and features.
        """
        if value.axes == self._own_axes(value.shape) and value.order is None:
            return value
        is_led = self.first == 1 or value.axes[0] == 0
        if not is_led or DIRECTION in value.axes or value.time:
            raise Unreadable("takes a value whose first axis is not the batch")
        if value.order is not None:
            options = {"indices": value.order.tolist(), "axis": len(value.shape)}
            (value,) = self.apply(ArrayOperation("take", options), replace(value, order=None))
        if value.axes == (0,):
            raise Unreadable("takes a value of one axis, which is that of the samples")
        moved = [axis for axis in value.axes if axis is not None]
        if moved != sorted(moved):
            axes_of = {"axes": [*range(self.first), *moved]}
            (made,) = self.apply(ArrayOperation("transpose", axes_of), value)
            order = {axis: n for n, axis in enumerate(moved, self.first)}
            axes = tuple(None if axis is None else order[axis] for axis in value.axes)
            value = replace(made, axes=axes)
        if None in value.axes:
            (value,) = self.apply(Reshape(value.dimensions[1 - self.first :]), value)
        return self.as_plain(value)

    def as_plain(self, value: Value) -> Value:
        """Return a value of a layer that was applied to a plain one.

        Parameters
        ----------
        value : Value
            The value.

        Returns
        -------
        Value
            The same value, its axes those of the tensor.
        """
        return replace(value, axes=self._own_axes(value.shape), order=None)

    def _own_axes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(range(self.first, len(shape) + 1))

    def check_room(self, *shape: int) -> None:
        """Raise if a sample would be far larger than the file makes likely.

        Parameters
        ----------
        *shape : int
            Its shape, or factors of its size.
        """
        size = math.prod(shape)
        if 4 * size > self.room:
            raise Unreadable(f"makes {size} elements, far more than the size of the file justifies")

    def raised(self, value: Value, rank: int) -> Value:
        """Return a value of a whole input with axes of length 1 in front.

        Parameters
        ----------
        value : Value
            The value.
        rank : int
            The number of axes.

        Returns
        -------
        Value
            The value, plain.
        """
        value = self.plain(value)
        if len(value.shape) >= rank:
            return value
        shape = (1,) * (rank - len(value.shape)) + value.shape
        return self.as_plain(self.apply(Reshape(shape), value)[0])

    def _held(self, name: str) -> Value:
        """Return a constant as a value, the same for all samples."""
        array = self.constants[name]
        if array.dtype.kind not in "fiub" or not array.size:
            raise Unreadable(f"takes the constant {name!r}, which holds no numbers")
        is_integer = array.dtype.kind in "iu"
        if is_integer and max(-int(array.min()), int(array.max())) > 2**24:
            raise Unreadable(f"takes the constant {name!r}, whose integers no float32 holds")
        layer = ArrayOperation("constant", constants=[None, (1, *array.shape)])
        given, self.sources = self.sources, (name,)
        weights = {"constant_1": array[np.newaxis].astype(np.float32)}
        if not self.values:
            raise Unreadable("depends on no input")
        (made,) = self.apply(layer, next(iter(self.values.values())), weights=weights)
        self.sources = given
        self.values[name] = replace(self.as_plain(made), integer=is_integer)
        return self.values[name]

    def channels_last(self, value: Value) -> Value:
        """Return a value of channels behind the batch whose tensor has them last.

        Parameters
        ----------
        value : Value
            The value.

        Returns
        -------
        Value
            The same value, or that of a layer that moves axes.
        """
        if self.first:
            raise Unreadable("has channels behind the batch, and a sample is the whole input")
        rank = len(value.axes) - 1
        wanted = (0, rank, *range(1, rank))
        if value.axes == wanted and value.order is None:
            return value
        options = {"axes": [0, *range(2, rank + 1), 1]}
        (made,) = self.apply(ArrayOperation("transpose", options), self.plain(value))
        return replace(made, axes=wanted)

    def hold(self, value: Value) -> str:
        """Return a name for a value within a node.

        Parameters
        ----------
        value : Value
            The value.

        Returns
        -------
        str
            Its name.
        """
        name = f" {len(self.values)}"  # no name of a file begins with a space and a number
        self.values[name] = value
        return name


def _output_shapes(layer: Layer, shapes: list[tuple[int, ...]]) -> Any:
    sketch = copy.copy(layer)
    sketch.sketched, sketch.input_shape, sketch.input_shapes = True, shapes[0], tuple(shapes)
    return sketch.build(*shapes)
