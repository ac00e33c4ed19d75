"""Elementary steps of layers: a function for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers
from gyaku.interop.source.array_steps import ARRAY_STEPS
from gyaku.interop.source.axis_steps import AXIS_STEPS, broadcast
from gyaku.interop.source.forward_pass import ForwardPass, Lengths
from gyaku.interop.source.volume_steps import conv3d, conv3d_transpose
from gyaku.layers.recurrence import Recurrent
from gyaku.windows import Axis, pool_axes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gyaku.model import Model

    Write = Callable[[ForwardPass, Any, list[int]], list[int]]

__all__ = ["forward_pass"]


def forward_pass(owner: str, model: Model) -> ForwardPass:
    """Return the steps of a model's prediction.

    Parameters
    ----------
    owner : str
        The function for whose user this is, for errors.
    model : Model
        A built model.

    Returns
    -------
    ForwardPass
        The steps.

    Raises
    ------
    TypeError
        If `model` is no model.
    ValueError
        If it is not built, or a layer is stateful or one of the user's own.
    """
    from gyaku.model import Model

    if not isinstance(model, Model):
        raise TypeError(f"{owner}: model must be a gyaku model, got {type(model).__name__}")
    if not model.built:
        raise ValueError(f"{owner}: the model is not built, call build(input_shape) or fit first")
    plan, made = model.plan, ForwardPass(owner, np.dtype(model.dtype))
    dtypes = plan.input_dtypes([""] * plan.inputs)
    for name, shape, dtype in zip(model.input_names, plan.input_shapes, dtypes, strict=True):
        made.inputs.append(made.value(name, shape))
        if dtype:
            made.indices.add(made.inputs[-1])
    values = dict(enumerate(made.inputs))  # of the plan
    lengths: dict[int, Lengths] = {}
    for use in plan.applications:
        made.scope = use.path
        made.length = next((lengths[each] for each in use.inputs if each in lengths), None)
        found = _written(made, use.instance, [values[each] for each in use.inputs])
        values.update(zip(use.outputs, found, strict=True))
        if use.layer.finds_lengths and use.source in range(plan.inputs):
            lengths[use.output] = Lengths(values[use.source], getattr(use.layer, "value", None))
        elif made.length is not None:
            padded = next(each for each in use.inputs if each in lengths)
            if _same_steps(use.output_shape, plan.shapes[padded]):
                lengths[use.output] = lengths[padded]
    made.outputs = [values[each] for each in plan.outputs]
    return made


def _same_steps(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return len(a) > 1 and a[0] == b[0]


def _written(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    if getattr(layer, "stateful", False):
        raise ValueError(
            f"{made.owner}: {layer} is stateful, and the function keeps no state from one call to"
            " the next; give its states as inputs and return_state=True instead"
        )
    is_own = not type(layer).__module__.startswith("gyaku.layers.")
    for kind in type(layer).__mro__:
        if kind in _WRITERS and not is_own:
            return _WRITERS[kind](made, layer, values)
    reason = "a layer of your own" if is_own else "no layer of which source code is written"
    raise ValueError(f"{made.owner}: {layer} is {reason}")


def _activation(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    shape = made.values[values[0]].shape
    if layer.op == "identity":
        return values
    if not layer.elementwise:
        return [made.step(layer.op, values, shape, axis=_axis_of_sample(layer.axis, shape))]
    return [made.step("map", values, shape, function=layer.op, **layer.options)]


def _axis_of_sample(axis: int, shape: tuple[int, ...]) -> int:
    return axis - 1 if axis > 0 else axis + len(shape)


def _activated(made: ForwardPass, layer: Any, y: int) -> list[int]:
    return _activation(made, layer.applied, [y]) if layer.applied else [y]


def _dense(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    return _activated(made, layer, made.step("dense", values, layer.output_shape, layer.params))


def _two(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """Return the windows of an image; a sequence is an image of one row."""
    return (*[Axis(1, 1, 1, 1, 0, 0, 1)] * (2 - len(axes)), *axes)


def _kernel(weight: Any) -> Any:
    return weight if weight.ndim == 4 else weight[np.newaxis]


def _conv(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    arrays, channels = dict(layer.params), layer.input_shape[-1]
    arrays["weight"] = _kernel(arrays["weight"])
    groups = channels // arrays["weight"].shape[-2]
    settings = {"axes": _two(layer.axes), "channels": channels, "groups": groups}
    return _activated(
        made, layer, made.step("conv", values, layer.output_shape, arrays, **settings)
    )


def _conv3d(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    write = conv3d if isinstance(layer, layers.Conv3D) else conv3d_transpose
    return _activated(made, layer, write(made, layer, values[0]))


def _conv_transpose(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    arrays, channels = dict(layer.params), layer.input_shape[-1]
    settings = {"axes": _two(layer.axes), "channels": channels, "groups": layer.groups}
    y = made.step("conv_transpose", values, layer.output_shape, arrays, **settings)
    return _activated(made, layer, y)


def _max_pool(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    return [made.step("max_pool", values, layer.output_shape, axes=_two(layer.axes))]


def _max_unpool(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    return [made.step("max_unpool", values, layer.output_shape, axes=layer.axes)]


def _avg_pool(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    settings = {"axes": _two(layer.axes), "padded": layer.count_include_pad}
    divisor = layer.divisor_override
    return [made.step("avg_pool", values, layer.output_shape, divisor=divisor, **settings)]


def _lp_pool(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    settings = {"axes": _two(layer.axes), "norm_type": layer.norm_type}
    return [made.step("lp_pool", values, layer.output_shape, **settings)]


def _global_pool(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    axes = pool_axes(str(layer), (1, *layer.input_shape), layer.input_shape[:2])
    pooled = (1, 1, layer.input_shape[-1])
    if isinstance(layer, layers.GlobalMaxPool2D):
        y = made.step("max_pool", values, pooled, axes=axes)
    else:
        y = made.step("avg_pool", values, pooled, axes=axes, padded=False, divisor=None)
    return [made.step("reshape", [y], layer.output_shape)]


def _affine(
    made: ForwardPass, layer: Any, values: list[int], centre: Any, scale: Any, shift: Any
) -> list[int]:
    columns = {"centre": centre, "scale": scale, "shift": shift}
    channels = layer.output_shape[-1:]
    arrays = {name: np.broadcast_to(each, channels) for name, each in columns.items()}
    return [made.step("affine", values, layer.output_shape, arrays)]


def _batch_norm(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    if not layer.track_running_stats:
        raise ValueError(
            f"{made.owner}: {layer} normalises by the statistics of its batch, of which a function"
            " of single samples knows nothing; give track_running_stats=True instead"
        )
    mean, variance = (np.float64(layer.buffers[name]) for name in ("mean", "variance"))
    scale = np.float64(layer.gamma) / np.sqrt(variance + layer.epsilon)
    return _affine(made, layer, values, mean, scale, layer.beta)


def _normalization(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    std = np.array(layer.std)
    scale = 1 / np.where(std == 0, 1.0, std)
    return _affine(made, layer, values, np.array(layer.mean), scale, np.zeros(1))


def _layer_norm(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    arrays, shape = {"gamma": layer.gamma, "beta": layer.beta}, layer.output_shape
    return [made.step("layer_norm", values, shape, arrays, epsilon=layer.epsilon)]


def _rms_norm(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    arrays, shape = {"gamma": layer.gamma}, layer.output_shape
    return [made.step("rms_norm", values, shape, arrays, epsilon=layer.epsilon)]


def _group_norm(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    arrays, shape = {"gamma": layer.gamma, "beta": layer.beta}, layer.output_shape
    settings = {"groups": layer._groups(shape[-1]), "epsilon": layer.epsilon}
    return [made.step("group_norm", values, shape, arrays, **settings)]


def _local_response_norm(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    return [made.step("local_response_norm", values, layer.output_shape, **layer._window())]


def _rescaled(made: ForwardPass, values: list[int], scale: float, offset: float) -> list[int]:
    shape = made.values[values[0]].shape
    return [made.step("rescale", values, shape, scale=scale, offset=offset)]


def _rescaling(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    return _rescaled(made, values, layer.scale, layer.offset)


def _dropout(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    if layer.scaled == "prediction" and layer.rate:
        return _rescaled(made, values, 1 - layer.rate, 0.0)
    return values


def _reshape(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    return [made.step("reshape", values, layer.output_shape)]


def _arithmetic(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    shape, kind = layer.output_shape, type(layer).__name__.lower()
    return [made.step(kind, [broadcast(made, each, shape) for each in values], shape)]


def _permute(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    axes = tuple(axis - 1 for axis in layer.axes)
    return [made.step("permute", values, layer.output_shape, axes=axes)]


def _matmul(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    factors, before = [], layer.output_shape[:-2]
    for value, transposed in zip(values, (layer.transpose_a, layer.transpose_b), strict=True):
        shape = made.values[value].shape
        if transposed:
            axes = (*range(len(shape) - 2), len(shape) - 1, len(shape) - 2)
            shape = tuple(shape[axis] for axis in axes)
            value = made.step("permute", [value], shape, axes=axes)
        factors.append(broadcast(made, value, (*before, *shape[-2:])))
    y = made.step("matmul", factors, layer.output_shape)
    return [y] if layer.scale == 1 else _rescaled(made, [y], layer.scale, 0.0)


def _prelu(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    alpha, shape = layer.params["alpha"], layer.output_shape
    while alpha.ndim > 1 and len(alpha) == 1:
        alpha = alpha[0]
    arrays = {"alpha": np.broadcast_to(alpha, shape[-alpha.ndim :])}
    return [made.step("prelu", values, shape, arrays)]


def _masking(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    return [made.step("masking", values, layer.output_shape, value=layer.value)]


def _concatenate(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    shape = layer.output_shape
    return [made.step("concatenate", values, shape, axis=_axis_of_sample(layer.axis, shape))]


def _embedding(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    known = made.vocabulary.get(values[0], layer.vocabulary_size)
    made.vocabulary[values[0]] = min(known, layer.vocabulary_size)
    return [made.step("embedding", values, layer.output_shape, dict(layer.params))]


def _recurrent(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    steps, *states = _run(made, layer, values)
    y = steps if layer.return_sequences else states[0]
    return [y, *states] if layer.return_state else [y]


def _run(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    """Append the step of a recurrent layer; return the values of all steps, and the last states."""
    time = layer.input_shape[0]
    shapes = [(time, layer.outputs), *((width,) for width in layer._widths)]
    activations = (layer.activation,) if layer.operation == "simple_rnn" else layer.activations
    settings = {"activations": activations, "clip": layer.clip, "reverse": layer.go_backwards}
    if layer.operation == "gru":
        settings["reset_after"] = layer.reset_after
    return made.step_of_several(
        layer.operation, values, shapes, dict(layer.params), length=made.length, **settings
    )


def _bidirectional(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    outer, found = made.scope, []
    count = len(values) // 2
    x, first, second = values[0], values[1 : 1 + count], values[1 + count :]
    parts = (("forward", layer._forward_part, first), ("backward", layer._backward_part, second))
    for name, part, states in parts:
        made.scope = f"{outer}.{name}"
        steps, last, *_ = _run(made, part, [x, *states])
        found.append(steps if part.return_sequences else last)
    made.scope, shape = outer, layer.output_shape
    if layer.merge == "concat":
        return [made.step("concatenate", found, shape, axis=len(shape) - 1)]
    y = made.step("multiply" if layer.merge == "mul" else "add", found, shape)
    return _rescaled(made, [y], 0.5, 0.0) if layer.merge == "ave" else [y]


def _time_distributed(made: ForwardPass, layer: Any, values: list[int]) -> list[int]:
    outer, part, time = (made.scope, made.repeat, made.length), layer._part, layer.input_shape[0]
    made.scope, made.repeat, made.length = f"{made.scope}.layer", made.repeat * time, None
    steps = made.step("split_steps", values, part.input_shape)
    (y,) = _written(made, part, [steps])
    made.scope, made.repeat, made.length = outer
    return [made.step("join_steps", [y, values[0]], layer.output_shape)]


_WRITERS: dict[type, Write] = {
    **ARRAY_STEPS,
    **AXIS_STEPS,
    layers.Activation: _activation,
    layers.Add: _arithmetic,
    layers.AvgPool2D: _avg_pool,
    layers.BatchNorm: _batch_norm,
    layers.Bidirectional: _bidirectional,
    layers.Concatenate: _concatenate,
    layers.Conv2D: _conv,
    layers.Conv2DTranspose: _conv_transpose,
    layers.Conv3D: _conv3d,
    layers.Conv3DTranspose: _conv3d,
    layers.Dense: _dense,
    layers.Divide: _arithmetic,
    layers.Dropout: _dropout,
    layers.Embedding: _embedding,
    layers.Flatten: _reshape,
    layers.GlobalAvgPool2D: _global_pool,
    layers.GlobalMaxPool2D: _global_pool,
    layers.GroupNorm: _group_norm,
    layers.LPPool2D: _lp_pool,
    layers.LayerNorm: _layer_norm,
    layers.LocalResponseNorm: _local_response_norm,
    layers.Masking: _masking,
    layers.MaxPool2D: _max_pool,
    layers.MaxUnpool2D: _max_unpool,
    layers.MatMul: _matmul,
    layers.Multiply: _arithmetic,
    layers.Normalization: _normalization,
    layers.PReLU: _prelu,
    layers.Permute: _permute,
    layers.RMSNorm: _rms_norm,
    Recurrent: _recurrent,
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.Subtract: _arithmetic,
    layers.TimeDistributed: _time_distributed,
}
