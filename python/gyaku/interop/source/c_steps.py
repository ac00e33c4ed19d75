"""C statements of the steps of a forward pass: a function for each kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.source.c_body import Body, literal
from gyaku.interop.source.element_expressions import EXPRESSIONS
from gyaku.reference.activation import SELU_ALPHA, SELU_SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gyaku.interop.source.forward_pass import ForwardPass, Step
    from gyaku.windows import Axis

__all__ = ["body_of"]


def body_of(made: ForwardPass, reserved: set[str]) -> Body:
    """Return the body of the C function of a forward pass.

    Parameters
    ----------
    made : ForwardPass
        The steps.
    reserved : set of str
        Names that mean something else.

    Returns
    -------
    Body
        The body, with all statements.
    """
    scratch = {n: _scratch(made, step) for n, step in enumerate(made.steps)}
    body = Body(made, reserved, {n: size for n, size in scratch.items() if size})
    body.write(lambda step: _KINDS[step.kind](body, step))
    return body


def _axis(axis: Axis) -> str:
    numbers = (axis.size, axis.taps, axis.stride, axis.dilation, axis.before, axis.windows)
    return f"(axis){{{', '.join(map(str, numbers))}}}"


def _is_padded(axes: Sequence[Axis]) -> bool:
    return any(axis.before or axis.span > axis.size for axis in axes)


def _scratch(made: ForwardPass, step: Step) -> int:
    """Return the number of elements that a step needs for itself."""
    if step.kind in ("conv", "conv_transpose"):
        axes = step.settings["axes"]
        last = made.values[step.inputs[0] if step.kind == "conv" else step.outputs[0]].shape[-1]
        pixels = math.prod(axis.span for axis in axes)
        return pixels * last if step.kind == "conv_transpose" or _is_padded(axes) else 0
    if step.kind in _COLUMNS:
        columns: int = made.arrays[step.arrays["weight"]].shape[1]
        return columns * (2 if step.kind == "gru" else 1)
    return 0


_COLUMNS = {"simple_rnn", "lstm", "gru"}


def _none(body: Body, step: Step) -> list[str]:
    return []


def _dense(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    rows, inner = body.rows(x)
    arguments = [body.whole(x), body.array(step, "weight"), body.array(step, "bias"), body.whole(y)]
    return [f"dense({', '.join(arguments)}, {rows}, {inner}, {body.rows(y)[1]});"]


_PARAMETERS = {
    "selu": {"alpha": SELU_ALPHA, "gamma": SELU_SCALE},
    "softplus": {"beta": 1.0, "threshold": math.inf},
    "hard_sigmoid": {"alpha": 1 / 6, "beta": 0.5},
}
"""Parameters of functions in C where none are given."""


def _function(body: Body, name: str, options: dict[str, Any], x: str) -> str:
    options = _PARAMETERS.get(name, {}) | options
    name = {"tanh": "tanhf"}.get(name, name)
    numbers = [literal(each, body.made.dtype) for each in options.values()]
    return f"{name}({', '.join([x, *numbers])})"


def _map(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    options = {name: each for name, each in step.settings.items() if name != "function"}
    called = _function(body, step.settings["function"], options, f"{body.whole(x)}[i]")
    size = body.elements(x)
    return [f"for (int i = 0; i < {size}; i++)", f"  {body.whole(y)}[i] = {called};"]


def _softmax(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    numbers = ", ".join(map(str, _around(body, x, step.settings["axis"])))
    return [f"{step.kind}({body.whole(x)}, {body.whole(y)}, {numbers});"]


def _around(body: Body, value: int, axis: int) -> tuple[int, int, int]:
    """Return the number of elements before an axis, along it, and behind it."""
    shape = body.made.values[value].shape
    inner = math.prod(shape[axis + 1 :])
    return body.elements(value) // (shape[axis] * inner), shape[axis], inner


def _elements(body: Body, step: Step) -> list[str]:
    (y,), dtype = step.outputs, body.made.dtype
    limits = {"least": -math.inf, "most": math.inf}
    options = {
        name: literal(limits[name] if each is None else each, dtype)
        for name, each in step.settings.items()
        if name != "operation"
    }
    arrays = [f"{body.whole(x)}[i]" for x in step.inputs]
    computed = EXPRESSIONS[step.settings["operation"]].of_c(arrays, options)
    return [f"for (int i = 0; i < {body.elements(y)}; i++)", f"  {body.whole(y)}[i] = {computed};"]


def _reduce(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    rows, columns = body.rows(x)
    function = f"row_{step.settings['operation']}"
    return [f"{function}({body.whole(x)}, {body.whole(y)}, {rows}, {columns});"]


def _constant(body: Body, step: Step) -> list[str]:
    (y,), (role,) = step.outputs, step.arrays
    size = math.prod(body.made.values[y].shape)
    return body.repeated(y, [f"copy({body.array(step, role)}, {body.at(y)}, {size});"])


def _masking(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    time = body.made.values[x].shape[0]
    value, features = literal(step.settings["value"], body.made.dtype), body.elements(x) // time
    return [f"masking({body.whole(x)}, {body.whole(y)}, {time}, {features}, {value});"]


def _max_unpool(body: Body, step: Step) -> list[str]:
    (x, images), (y,) = step.inputs, step.outputs
    places, channels = ", ".join(map(_axis, step.settings["axes"])), body.rows(x)[1]
    pointers = ", ".join(map(body.at, (x, images, y)))
    return body.repeated(x, [f"max_unpool({pointers}, {places}, {channels});"])


def _take(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    places = step.settings["places"]
    name = body.constant(f"{body.made.values[y].name}.places", places)
    numbers = ", ".join(map(str, _around(body, x, step.settings["axis"])))
    constant = literal(step.settings["constant"], body.made.dtype)
    arguments = f"{numbers}, {name}, {len(places)}, {constant}"
    return [f"take({body.whole(x)}, {body.whole(y)}, {arguments});"]


def _interpolate(body: Body, step: Step) -> list[str]:
    (x,), (y,), (weight,) = step.inputs, step.outputs, step.arrays
    places = step.settings["places"]
    name = body.constant(f"{body.made.values[y].name}.places", places)
    numbers = ", ".join(map(str, _around(body, x, step.settings["axis"])))
    taps, n = places.shape
    arguments = f"{numbers}, {name}, {n}, {taps}, {body.array(step, weight)}"
    return [f"interpolate({body.whole(x)}, {body.whole(y)}, {arguments});"]


def _matmul(body: Body, step: Step) -> list[str]:
    (a, b), (y,) = step.inputs, step.outputs
    (rows, inner), columns = body.made.values[a].shape[-2:], body.made.values[b].shape[-1]
    pointers = ", ".join(map(body.whole, (a, b, y)))
    return [
        f"matmul({pointers}, {body.elements(y) // (rows * columns)}, {rows}, {inner}, {columns});"
    ]


def _prelu(body: Body, step: Step) -> list[str]:
    (x,), (y,), alpha = step.inputs, step.outputs, body.array(step, "alpha")
    columns = body.arrays[alpha].size
    numbers = f"{body.elements(x) // columns}, {columns}"
    return [f"prelu({body.whole(x)}, {body.whole(y)}, {numbers}, {alpha});"]


def _permute(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    shape, axes = body.made.values[x].shape, step.settings["axes"]
    name = body.made.values[y].name
    lengths = body.constant(f"{name}.lengths", np.array([shape[axis] for axis in axes]))
    steps = [math.prod(shape[axis + 1 :]) for axis in axes]
    arguments = f"{len(axes)}, {lengths}, {body.constant(f'{name}.steps', np.array(steps))}"
    return body.repeated(x, [f"permute({body.at(x)}, {body.at(y)}, {arguments});"])


def _affine(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    arrays = ", ".join(body.array(step, role) for role in ("centre", "scale", "shift"))
    rows, channels = body.rows(x)
    return [f"affine({body.whole(x)}, {body.whole(y)}, {rows}, {channels}, {arrays});"]


def _norm(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    arrays = ", ".join(body.array(step, role) for role in step.arrays)
    epsilon = literal(step.settings["epsilon"], body.made.dtype)
    features = body.made.arrays[step.arrays["gamma"]].size
    numbers = f"{body.elements(x) // features}, {features}"
    return [f"{step.kind}({body.whole(x)}, {body.whole(y)}, {numbers}, {arrays}, {epsilon});"]


def _group_norm(body: Body, step: Step) -> list[str]:
    (x,), (y,), shape = step.inputs, step.outputs, body.made.values[step.inputs[0]].shape
    arrays = ", ".join(body.array(step, role) for role in step.arrays)
    numbers = f"{step.settings['groups']}, {literal(step.settings['epsilon'], body.made.dtype)}"
    arguments = f"{math.prod(shape[:-1])}, {shape[-1]}, {arrays}, {numbers}"
    return body.repeated(x, [f"group_norm({body.at(x)}, {body.at(y)}, {arguments});"])


def _local_response_norm(body: Body, step: Step) -> list[str]:
    (x,), (y,), settings = step.inputs, step.outputs, step.settings
    numbers = [literal(settings[name], body.made.dtype) for name in ("alpha", "beta", "k")]
    arguments = ", ".join(map(str, (*body.rows(x), settings["size"], *numbers)))
    return [f"local_response_norm({body.whole(x)}, {body.whole(y)}, {arguments});"]


def _rescale(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    numbers = ", ".join(
        literal(step.settings[name], body.made.dtype) for name in ("scale", "offset")
    )
    return [f"rescale({body.whole(x)}, {body.whole(y)}, {body.elements(x)}, {numbers});"]


def _conv(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    axes, channels, groups = (step.settings[name] for name in ("axes", "channels", "groups"))
    filters, places = body.rows(y)[1], ", ".join(map(_axis, axes))
    found, source, width = [], body.at(x), axes[1].size
    if _is_padded(axes):
        found = [f"pad({source}, {places}, {channels}, {body.scratch()});"]
        source, width = body.scratch(), axes[1].span
    arrays = f"{body.array(step, 'weight')}, {body.array(step, 'bias')}"
    arguments = f"{source}, {width}, {arrays}, {body.at(y)}, {places}, {channels}"
    if groups == channels > 1:
        found.append(f"depthwise_conv({arguments}, {filters // channels});")
    else:
        found.append(f"conv({arguments}, {filters}, {groups});")
    return body.repeated(x, found)


def _conv_transpose(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    axes, channels, groups = (step.settings[name] for name in ("axes", "channels", "groups"))
    arrays = f"{body.array(step, 'weight', (3, 0, 1, 2))}, {body.array(step, 'bias')}"
    places, numbers = ", ".join(map(_axis, axes)), f"{channels}, {body.rows(y)[1]}, {groups}"
    call = f"conv_transpose({body.at(x)}, {arrays}, {body.at(y)}, {places}, {numbers},"
    return body.repeated(x, [f"{call} {body.scratch()});"])


def _pool(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    axes, more = step.settings["axes"], ""
    if step.kind == "avg_pool":
        counted = [n for axis in axes for n in (axis.before, axis.after)]
        more = f", {step.settings['divisor'] or 0}"
        more += "".join(f", {n if step.settings['padded'] else 0}" for n in counted)
    elif step.kind == "lp_pool":
        more = f", {literal(step.settings['norm_type'], body.made.dtype)}"
    places = ", ".join(map(_axis, axes))
    channels = body.rows(x)[1]
    return body.repeated(
        x, [f"{step.kind}({body.at(x)}, {body.at(y)}, {places}, {channels}{more});"]
    )


def _merge(body: Body, step: Step) -> list[str]:
    y, size = body.whole(step.outputs[0]), body.elements(step.outputs[0])
    first, *others = map(body.whole, step.inputs)
    merged = [f"{step.kind}({each}, {y}, {size});" for each in others]
    return [f"copy({first}, {y}, {size});", *merged]


def _concatenate(body: Body, step: Step) -> list[str]:
    (y,), axis, start, found = step.outputs, step.settings["axis"], 0, []
    columns = math.prod(body.made.values[y].shape[axis:])
    rows = body.elements(y) // columns
    for x in step.inputs:
        own = math.prod(body.made.values[x].shape[axis:])
        place = f"{body.whole(y)} + {start}" if start else body.whole(y)
        found.append(f"copy_columns({body.whole(x)}, {place}, {rows}, {own}, {columns});")
        start += own
    return found


def _embedding(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    table, size = body.array(step, "weight"), body.elements(x)
    return [f"embedding({body.whole(x)}, {body.whole(y)}, {size}, {table}, {body.rows(y)[1]});"]


def _recurrent(body: Body, step: Step) -> list[str]:
    x, *given = step.inputs
    y, *states = step.outputs
    time, features = body.made.values[x].shape
    found = []
    for n, state in enumerate(states):
        place, width = body.at(state), body.rows(state)[1]
        found.append(
            f"copy({body.at(given[n])}, {place}, {width});"
            if given
            else f"fill({place}, 1, {width}, 0);"
        )
    roles, sizes = _ROLES[step.kind], [*body.made.arrays[step.arrays["recurrent_weight"]].shape]
    units = body.rows(states[-1])[1]
    arguments = [body.at(x), time, _length(body, step, time), features, units]
    arguments += [sizes[0]] if step.kind == "lstm" else []
    arguments += [body.array(step, role) for role in roles]
    arguments += [int(step.settings["reset_after"])] if step.kind == "gru" else []
    arguments += [_of_one(body, name) for name in step.settings["activations"]]
    clip = step.settings["clip"]
    arguments += [literal(np.inf if clip is None else clip, body.made.dtype)]
    arguments += [int(step.settings["reverse"]), body.at(y) if body.is_used(y) else "0"]
    arguments += [*map(body.at, states), body.scratch()]
    found.append(f"{step.kind}({', '.join(map(str, arguments))});")
    return body.repeated(x, found)


_ROLES = {
    "simple_rnn": ("weight", "recurrent_weight", "bias"),
    "lstm": ("weight", "recurrent_weight", "bias", "peepholes", "projection"),
    "gru": ("weight", "recurrent_weight", "bias", "recurrent_bias"),
}


def _length(body: Body, step: Step, time: int) -> str:
    found = step.settings["length"]
    if found is None:
        return str(time)
    x, features = body.whole(found.value), body.elements(found.value) // time
    if found.padding is None:
        return f"sequence_length({x}, {time}, {features})"
    return f"masked_length({x}, {time}, {features}, {literal(found.padding, body.made.dtype)})"


def _of_one(body: Body, name: str) -> str:
    """Return the name of a function of one argument; a parameter has its default."""
    from gyaku.ops.activation import ACTIVATIONS

    alpha = ACTIVATIONS[name].alpha
    if alpha is None and name not in _PARAMETERS:
        return {"tanh": "tanhf"}.get(name, name)
    called = _function(body, name, {} if alpha is None else {"alpha": alpha}, "x")
    body.wrappers[f"{name}_of_one"] = f"static float {name}_of_one(float x) {{ return {called}; }}"
    return f"{name}_of_one"


_KINDS: dict[str, Callable[[Body, Step], list[str]]] = {
    **dict.fromkeys(("reshape", "split_steps", "join_steps"), _none),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("max_pool", "avg_pool", "lp_pool"), _pool),
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), _merge),
    **dict.fromkeys(("layer_norm", "rms_norm"), _norm),
    **dict.fromkeys(_COLUMNS, _recurrent),
    "affine": _affine,
    "concatenate": _concatenate,
    "constant": _constant,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "dense": _dense,
    "elements": _elements,
    "embedding": _embedding,
    "group_norm": _group_norm,
    "interpolate": _interpolate,
    "local_response_norm": _local_response_norm,
    "map": _map,
    "masking": _masking,
    "matmul": _matmul,
    "max_unpool": _max_unpool,
    "permute": _permute,
    "prelu": _prelu,
    "reduce": _reduce,
    "rescale": _rescale,
    "take": _take,
}
