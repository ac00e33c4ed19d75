"""Models read from ONNX files."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.files import FileError, largest_content
from gyaku.interop.onnx import expansion, integers
from gyaku.interop.onnx import file as onnx_file
from gyaku.interop.onnx.operators import CHANNELS_FIRST, ELEMENTWISE, OPERATORS
from gyaku.interop.onnx.patterns import rewritten
from gyaku.interop.onnx.reader import Call, Reader, Unreadable, Value
from gyaku.layers import Identity
from gyaku.symbolic import Input

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from gyaku.model import Model

__all__ = ["from_onnx"]

_RECURRENT = {"LSTM", "GRU", "RNN"}
_UNROLLED = {"Slice", "Split", "SequenceAt", "SplitToSequence", "Gather"}
_SLOW = {"Conv", "ConvInteger", "ConvTranspose", "DeformConv", "Einsum", *_RECURRENT}
"""Operators that onnx evaluates by loops in Python."""
_OF_LENGTHS = {"Equal", "Not", "Cast", "ReduceMax", "Max", "Mul", "Add", "CumSum"}


def from_onnx(path: str | os.PathLike[str], *, input_shape: Sequence[Any] | None = None) -> Model:
    """Read a model from an ONNX file, with its weights, ready to predict and to train.

    Parameters
    ----------
    path : str or path-like
        The file, for example an export of PyTorch, Keras or tf2onnx; weights may lie beside it.
    input_shape : sequence of int or of such sequences, optional
        Sample shape of the input, as here: without the batch, channels last; one for each input if
        there are several. It is needed if the file leaves other axes free than batch and time, and
        for that of the time beside other inputs.

    Returns
    -------
    Model
        The model. Images have channels last and sequences the batch first, whatever the file's
        inputs and outputs have.

    Raises
    ------
    ImportError
        If the package onnx is missing.
    FileError
        If the file is truncated, inconsistent or of another kind, or an operator has no counterpart
        here: the message names the node.
    ValueError
        If `input_shape` is missing or does not fit.
    OSError
        If the file cannot be read.

    See Also
    --------
    to_onnx : Write a model to an ONNX file.

    Notes
    -----
    Transpose nodes are no layers: weights are converted to the layout here, also those behind a
    Flatten of images with channels first. Composed GELU, SiLU and Mish are recognised, and
    `GroupNorm` and `RMSNorm` as `to_onnx` composes them. A recurrent node is one layer; an RNN
    unrolled over its steps is not recognised. Operations on arrays that no other layer has, such as
    slices and reductions, are one `ArrayOperation` each. Outputs of labels, which are no floats,
    are left out beside others. A graph whose inputs have fixed lengths and whose nodes combine
    elements along the first axis has no batch: a sample is the whole input. An operator that
    onnx defines by others, such as Attention, is read as these.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Dense(8, "relu"), gk.Dense(2))
    >>> model.build((4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gk.interop.to_onnx(model, folder + "/model.onnx")
    ...     again = gk.interop.from_onnx(folder + "/model.onnx")
    >>> [type(layer).__name__ for layer in again.layers]
    ['Dense', 'ReLU', 'Dense']
    """
    name, proto = os.fspath(path), onnx_file.read(path)
    try:
        return _model(name, proto, input_shape)
    except ValueError:
        for other, is_whole in _others(proto, input_shape):
            try:
                return _model(name, other, input_shape, is_whole)
            except ValueError:
                continue
        raise


def _others(proto: Any, input_shape: Sequence[Any] | None) -> Iterator[tuple[Any, bool]]:
    """Yield other readings of a graph: of functions as their bodies, of whole inputs as samples."""
    expanded = expansion.expanded(proto, OPERATORS)
    if expanded is not proto:
        yield expanded, False
    lengths = [
        axis.dim_value for each in proto.graph.input for axis in each.type.tensor_type.shape.dim
    ]
    if input_shape is None and proto.graph.input and all(lengths):
        yield expanded, True


def _model(
    name: str, proto: Any, input_shape: Sequence[Any] | None, is_whole: bool = False
) -> Model:
    """Read a graph whose samples are along the first axis, or are whole inputs."""
    from gyaku.model import Model

    constants = _constants(name, proto)
    outputs = _outputs(name, proto.graph, is_whole)
    folder = _Folder(proto, constants)
    all_nodes = [node for node in proto.graph.node if not folder.folds(node)]
    if not is_whole:
        all_nodes = rewritten(all_nodes, constants)
    nodes = _needed(all_nodes, outputs)
    opset = next((each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")), 1)
    reader = Reader(nodes, constants, outputs, opset, int(is_whole))
    reader.room = folder.room
    if is_whole:
        reader.kinds = expansion.kinds(proto)
    folder.constants = reader.constants  # which shapes join on the way
    given = [each for each in proto.graph.input if each.name not in constants]
    _find_lengths(reader, all_nodes, {each.name for each in given})
    numbers = {
        each.name for each in given if is_whole or integers.are_numbers(each.name, all_nodes)
    }
    inputs, is_free = _inputs(name, reader, given, input_shape, numbers)
    for number, node in enumerate(nodes):
        if not folder.folds(node):
            _read(name, reader, Call(node), number)
    # In a file from here no output is transposed but by a layer.
    is_own = proto.producer_name == "gyaku"
    model = Model(inputs, [_result(name, reader, each, is_own) for each in outputs])
    model.build([tensor.shape for tensor in inputs] if len(inputs) > 1 else inputs[0].shape)
    if is_free and not model.plan.any_steps:
        raise ValueError(
            f"from_onnx: {name} leaves axes of its input free, and {model.plan.bound_to_steps}"
            " needs their lengths: give input_shape"
        )
    for layer, weights in reader.weights:
        for key, array in weights.items():
            try:
                (layer.buffers if key in layer.buffers else layer.params)[key] = array
            except ValueError as error:
                raise FileError(f"from_onnx: {name}: {layer.name}: {error}") from None
    return model


def _outputs(name: str, graph: Any, is_whole: bool) -> list[str]:
    """Return the outputs of numbers; scikit-learn's classifiers also have one of labels."""
    if not graph.output:
        raise FileError(f"from_onnx: {name} has no outputs")
    for each in graph.output:
        if not _is_array(each.type):
            kind = (each.type.WhichOneof("value") or "value_type").removesuffix("_type")
            raise FileError(
                f"from_onnx: {name}: the output {each.name!r} must be a tensor, got a {kind}"
            )
    if is_whole:
        return [each.name for each in graph.output]
    kinds = (0, *_FLOATS)  # 0 of maps
    floats = [each for each in graph.output if each.type.tensor_type.elem_type in kinds]
    return [each.name for each in floats or graph.output]


def _is_array(kind: Any) -> bool:
    """Return whether an output is a tensor, or the probabilities by class of scikit-learn's."""
    of_maps = kind.HasField("sequence_type") and kind.sequence_type.elem_type.HasField("map_type")
    return bool(kind.HasField("tensor_type") or of_maps)


def _constants(name: str, proto: Any) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    found = {}
    for each in proto.graph.initializer:
        try:
            found[each.name] = numpy_helper.to_array(each)
        except (ValueError, TypeError) as error:
            raise FileError(f"{name}: the tensor {each.name!r} is damaged: {error}") from None
    return found


class _Folder:
    """Evaluation of constant nodes, in as much memory and time as the file's size justifies.

    Parameters
    ----------
    proto : ModelProto
        The file.
    constants : dict of str to ndarray
        The constants by name, to which the values of nodes are added.
    """

    def __init__(self, proto: Any, constants: dict[str, NDArray[Any]]) -> None:
        self.opset, self.constants = proto.opset_import, constants
        self.room = largest_content(proto.ByteSize())

    def folds(self, node: Any) -> bool:
        """Evaluate a node if all its inputs are constant.

        Parameters
        ----------
        node : NodeProto
            The node.

        Returns
        -------
        bool
            Whether its values are among the constants now.
        """
        used = [name for name in node.input if name]
        if any(name not in self.constants for name in used):
            return False
        if not (used or node.op_type == "Constant") or _takes_time(node):
            return False
        from onnx.reference import ReferenceEvaluator

        given = {name: self.constants[name] for name in used}
        model = self._alone(node, given)
        needed = _bytes_of_outputs(model)
        if needed is None or needed > self.room:
            return False
        self.room -= needed
        try:
            values = ReferenceEvaluator(model).run(None, given)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
            return False  # of whatever onnx does not check
        self.constants.update(zip(node.output, map(np.asarray, values), strict=True))
        return True

    def _alone(self, node: Any, given: dict[str, NDArray[Any]]) -> Any:
        """Return a model of this node, with the values of its short inputs, such as shapes."""
        from onnx import helper, numpy_helper

        inputs = [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(each.dtype), each.shape
            )
            for name, each in given.items()
        ]
        outputs = [helper.make_empty_tensor_value_info(each) for each in node.output]
        short = [
            numpy_helper.from_array(each, name) for name, each in given.items() if each.size <= 64
        ]
        graph = helper.make_graph([node], "constant", inputs, outputs, initializer=short)
        return helper.make_model(graph, opset_imports=self.opset)


def _takes_time(node: Any) -> bool:
    inner = any(each.HasField("g") or each.graphs for each in node.attribute)  # a loop's, say
    return inner or node.op_type in _SLOW


def _bytes_of_outputs(model: Any) -> int | None:
    """Return the size of the outputs of a model, if it is known before they are computed."""
    from onnx import helper, shape_inference

    total = 0
    for output in shape_inference.infer_shapes(model, data_prop=True).graph.output:
        kind = output.type.tensor_type
        lengths = [each.dim_value for each in kind.shape.dim if each.HasField("dim_value")]
        if not kind.HasField("shape") or len(lengths) != len(kind.shape.dim):
            return None
        total += math.prod(lengths) * helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize
    return total


def _needed(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    """Return the nodes that the outputs depend on; lengths of sequences do not count."""
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        if wanted.isdisjoint(node.output):
            continue
        found.append(node)
        taken = list(node.input)
        if node.op_type in _RECURRENT:
            taken[4:5] = []
        wanted.update(taken)
    return [*reversed(found)]


def _find_lengths(reader: Reader, nodes: Sequence[Any], inputs: set[str]) -> None:
    """Find the inputs of ids whose padding gives the lengths of sequences."""
    makers = {name: node for node in nodes for name in node.output}
    for node in nodes:
        name = node.input[4] if node.op_type in _RECURRENT and len(node.input) > 4 else ""
        operators, roots, waiting = set(), set(), [name] if name else []
        while waiting:
            each = waiting.pop()
            maker = makers.get(each)
            if maker is not None:
                operators.add(maker.op_type)
                waiting += maker.input
            elif each in inputs:
                roots.add(each)
        if {"Equal", "CumSum"} <= operators <= _OF_LENGTHS and len(roots) == 1:
            reader.lengths.add(name)
            reader.padded |= roots


def _inputs(
    name: str,
    reader: Reader,
    given: Sequence[Any],
    input_shape: Sequence[Any] | None,
    numbers: set[str],
) -> tuple[list[Any], bool]:
    """Make the inputs of the model; return whether an axis besides the batch is free."""
    shapes = [input_shape] * len(given) if len(given) < 2 or input_shape is None else input_shape
    if len(shapes) != len(given) or not all(np.iterable(each) for each in shapes if input_shape):
        raise ValueError(
            f"from_onnx: input_shape must have a shape for each of the {len(given)} inputs of"
            f" {name}, got {input_shape}"
        )
    tensors, free = [], False
    for each, wanted in zip(given, shapes, strict=True):
        kind = each.type.tensor_type
        lengths = [dimension.dim_value for dimension in kind.shape.dim]
        axes = _layout(reader, each.name, len(lengths))
        by_axis = {axis: n for axis, n in zip(axes, lengths, strict=True) if axis is not None}
        shape = tuple(n for axis, n in sorted(by_axis.items()) if axis)
        if lengths and not shape:  # a sample is a number
            shape = (1,)
        reader.batch = reader.batch or by_axis.get(0, 0)
        if wanted is not None:
            _check_shape(name, shape, tuple(wanted))
            shape = tuple(wanted)
        free |= not all(shape)
        if not all(shape[1:]) or not (shape or reader.first):
            raise ValueError(
                f"from_onnx: {name} leaves the shape of {each.name!r} free, it is {lengths} with 0"
                " for each free axis: give input_shape"
            )
        is_number = each.name in numbers and kind.elem_type in integers.INTEGERS
        if not is_number:
            _check_type(name, reader, each.name, kind.elem_type)
        dtype = None if is_number else {6: "int32", 7: "int64"}.get(kind.elem_type)
        tensor = Input(tuple(n or 1 for n in shape), dtype, name=each.name)
        reader.values[each.name] = Value(tensor, tensor.shape, axes, integer=is_number)
        tensors.append(tensor)
    return tensors, free


_FLOATS, _INDICES, _BOOL, _BYTE = {1, 10, 11, 16}, {6, 7}, 9, 2


def _check_type(name: str, reader: Reader, given: str, kind: int) -> None:
    node = reader.users.get(given)
    is_cast = kind == _BYTE and node is not None and node.op_type == "Cast"
    if kind not in {*_FLOATS, *_INDICES, _BOOL} and not is_cast:
        from onnx import TensorProto

        raise FileError(
            f"from_onnx: {name}: the input {given!r} must be float, bool, int32 or int64, got"
            f" {TensorProto.DataType.Name(kind)}"
        )


def _check_shape(name: str, shape: tuple[int, ...], given: tuple[int, ...]) -> None:
    pairs = zip(shape, given, strict=False)
    if len(shape) != len(given) or any(a not in (0, b) for a, b in pairs):
        raise ValueError(
            f"from_onnx: input_shape must fit {shape} of {name}, where 0 is free, got {given}"
        )


def _layout(reader: Reader, name: str, rank: int) -> tuple[int | None, ...]:
    """Return the axes of an input, as the first node that tells them apart has them."""
    if reader.first:
        return tuple(range(1, rank + 1))
    waiting = [name]
    while waiting:
        each = waiting.pop()
        node = reader.users.get(each)
        if node is None:
            continue
        place = list(node.input).index(each)
        is_image = place == 0 or (node.op_type == "MaxUnpool" and place == 1)
        if node.op_type in CHANNELS_FIRST and is_image and rank > 2:
            return (0, rank - 1, *range(1, rank - 1))
        if node.op_type in _RECURRENT and not Call(node).attributes.get("layout", 0):
            both = Call(node).text("direction", "forward") == "bidirectional"
            return (1, 0, 2) if place == 0 or both else (None, 0, 1)
        if node.op_type in ELEMENTWISE:
            waiting += node.output
    return tuple(range(rank))


def _read(name: str, reader: Reader, call: Call, number: int) -> None:
    """Read a node; name its place if it has no counterpart."""
    try:
        if call.operator not in OPERATORS:
            raise Unreadable("has no counterpart")
        reader.sources = tuple(each for each in call.inputs if each in reader.constants)
        integers.check(reader, call)
        found = integers.marked(reader, call, OPERATORS[call.operator](reader, call))
    except (Unreadable, ValueError, TypeError, IndexError, KeyError) as error:
        label = f" {call.name!r}" if call.name else ""
        hint = ""
        if isinstance(error, Unreadable) and call.operator in _UNROLLED:
            hint = "; an RNN unrolled over its steps is not recognised"
        node = (
            f"node {number}{label} ({call.operator}, from"
            f" {', '.join(each for each in call.inputs if each)} to {', '.join(call.outputs)})"
        )
        raise FileError(
            f"from_onnx: {name}: {onnx_file.printable(f'{node} {error}')}{hint}"
        ) from None
    reader.values.update(zip(call.outputs, found, strict=False))


def _result(name: str, reader: Reader, output: str, is_own: bool) -> Any:
    value = reader.values.get(output)
    if value is None and reader.first and output in reader.constants:
        value = reader.value(output)
    if value is None or value.merged or value.pads or value.time:
        raise FileError(f"from_onnx: {name}: the output {output!r} has no counterpart")
    if value.order is not None or is_own or reader.first:
        value = reader.plain(value)
    return value.tensor if value.tensor.node else Identity()(value.tensor)
