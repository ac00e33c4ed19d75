"""C statements of the steps of a forward pass: a function for each kind."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from gyaku.interop.c_memory import Memory
from gyaku.reference.activation import SELU_ALPHA, SELU_SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.forward_pass import ForwardPass, Step
    from gyaku.windows import Axis

__all__ = ["Body", "literal"]


class Body:
    """Body of the C function of a forward pass.

    Parameters
    ----------
    made : ForwardPass
        The steps.
    reserved : set of str
        Names that mean something else.

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

    def __init__(self, made: ForwardPass, reserved: set[str]) -> None:
        self.made = made
        self.arrays: dict[str, NDArray[Any]] = {}
        self.wrappers: dict[str, str] = {}
        self._taken = {*reserved, "workspace", "n", "i"}
        scratch = {n: _scratch(made, step) for n, step in enumerate(made.steps)}
        self._memory = Memory(made, {n: size for n, size in scratch.items() if size})
        self.size = self._memory.size
        self._named = {name: self._name(name.replace(".", "_")) for name in made.arrays}
        self.inputs = [self._name(made.values[each].name) for each in made.inputs]
        self._pointers = dict(zip(made.inputs, self.inputs, strict=True))
        self.outputs, copies = self._places_of_outputs()
        self._number, self._used = 0, set[int]()
        self.statements: list[str] = []
        for self._number, step in enumerate(made.steps):
            self.statements += _KINDS[step.kind](self, step)
        for value, name in copies:
            size = Memory.elements(made, value)
            self.statements.append(f"copy({self.at(value)}, {name}, {size});")
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


def _take(body: Body, step: Step) -> list[str]:
    (x,), (y,) = step.inputs, step.outputs
    places = step.settings["places"]
    name = body.constant(f"{body.made.values[y].name}.places", places)
    numbers = ", ".join(map(str, _around(body, x, step.settings["axis"])))
    constant = literal(step.settings["constant"], body.made.dtype)
    arguments = f"{numbers}, {name}, {len(places)}, {constant}"
    return [f"take({body.whole(x)}, {body.whole(y)}, {arguments});"]


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
    ids = step.settings["length"]
    if ids is None:
        return str(time)
    return f"sequence_length({body.whole(ids)}, {time}, {body.elements(ids) // time})"


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
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "dense": _dense,
    "embedding": _embedding,
    "group_norm": _group_norm,
    "local_response_norm": _local_response_norm,
    "map": _map,
    "matmul": _matmul,
    "permute": _permute,
    "prelu": _prelu,
    "rescale": _rescale,
    "take": _take,
}
