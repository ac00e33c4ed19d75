"""Layers of Keras that are models of several layers here: attention, vectors of length 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.layers import ArrayOperation, Dense, Divide, MatMul, Permute, Reshape, Softmax
from gyaku.model import Model
from gyaku.symbolic import Input

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from gyaku.interop.keras.given import Given

__all__ = ["attention", "multi_head_attention", "unit_normalization"]


def unit_normalization(given: Given) -> list[Model]:
    """Return the model that divides vectors by their length.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Model
        The model.
    """
    axis, rank = given.get("axis", -1), len(given.shape)
    axes = sorted(n % (rank + 1) for n in (axis if isinstance(axis, list) else [axis]))
    if 0 in axes:
        given.refuse("has the axis of the samples")
    x = Input(given.shape)
    length = ArrayOperation("l2", {"axes": axes, "keepdims": True})(x)
    length = ArrayOperation("clip", {"least": 1e-12, "most": None})(length)
    return [Model(x, Divide(name=given.name)(x, length))]


def attention(given: Given) -> list[Model]:
    """Return the model of attention by products of queries and keys.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Model
        The model, of queries, values and keys.
    """
    given.only(use_scale=False, score_mode="dot")
    given.leave_out("dropout")
    inputs = _inputs(given)
    return [Model(inputs, _attended(*_all_three(inputs), 1.0, given.name))]


def _inputs(given: Given) -> list[Any]:
    """Return queries, values and, if there are some, keys."""
    if len(given.shapes) not in (2, 3) or any(len(each) != 2 for each in given.shapes):
        given.refuse(f"takes samples of shapes {', '.join(map(str, given.shapes))}")
    return [Input(shape) for shape in given.shapes]


def _all_three(inputs: Sequence[Any]) -> tuple[Any, Any, Any]:
    queries, values = inputs[:2]
    return queries, values, inputs[-1]


def _attended(queries: Any, values: Any, keys: Any, scale: float, name: str) -> Any:
    scores = MatMul(transpose_b=True, scale=scale)(queries, keys)
    return MatMul(name=name)(Softmax()(scores), values)


def multi_head_attention(given: Given) -> list[Model]:
    """Return the model of attention of several heads.

    Parameters
    ----------
    given : Given
        The layer of Keras.

    Returns
    -------
    list of Model
        The model, of queries, values and keys.
    """
    given.only(use_gate=False, sliding_window=None)
    if given.get("attention_axes") not in (None, [1]):
        given.refuse(f"has attention_axes={given['attention_axes']}, and sequences have the axis 1")
    given.leave_out("dropout")
    heads, key_size = given["num_heads"], given["key_dim"]
    value_size = given.get("value_dim") or key_size
    inputs = _inputs(given)
    queries, values, keys = _all_three(inputs)
    bias, sizes = given.get("use_bias", True), (key_size, key_size, value_size)
    roles = ("query", "key", "value")
    dense = [
        Dense(heads * size, use_bias=bias, name=f"{given.name}_{role}")
        for role, size in zip(roles, sizes, strict=True)
    ]
    by_head = [
        Permute((2, 1, 3))(Reshape((-1, heads, size))(layer(x)))
        for layer, x, size in zip(dense, (queries, keys, values), sizes, strict=True)
    ]
    name = f"{given.name}_heads"
    found = _attended(by_head[0], by_head[2], by_head[1], 1 / math.sqrt(key_size), name)
    joined = Reshape((-1, heads * value_size))(Permute((2, 1, 3))(found))
    dense.append(Dense(_output_size(given), use_bias=bias, name=f"{given.name}_output"))
    _place(given, dense, 1 + bias)
    return [Model(inputs, dense[-1](joined))]


def _output_size(given: Given) -> int:
    size = given.get("output_shape") or given.shape[-1]
    size = size[0] if isinstance(size, list) and len(size) == 1 else size
    if not isinstance(size, int):
        given.refuse(f"has output_shape={size}, of several axes")
    return size


def _place(given: Given, dense: Sequence[Dense], each: int) -> None:
    """Give each layer its arrays, those of all heads side by side."""
    if len(given.arrays) != each * len(dense):
        given.refuse(f"has {len(given.arrays)} arrays in the file, it needs {each * len(dense)}")
    for number, layer in enumerate(dense):
        kernel, *bias = given.arrays[number * each : (number + 1) * each]
        if kernel.ndim != 3:
            given.refuse(f"has a kernel of shape {kernel.shape}, which has three axes")
        is_last = number == len(dense) - 1  # of (heads, size, outputs)
        shape = (-1, kernel.shape[2]) if is_last else (kernel.shape[0], -1)
        given.placed.append((layer, [kernel.reshape(shape), *(row.reshape(-1) for row in bias)]))
