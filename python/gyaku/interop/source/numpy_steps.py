"""Lines of NumPy for the steps of a forward pass: a function for each kind."""

from __future__ import annotations

import keyword
import math
import re
from typing import TYPE_CHECKING

from gyaku import reference
from gyaku.interop.source import _numpy_functions as numpy_functions
from gyaku.interop.source.element_expressions import EXPRESSIONS
from gyaku.reference.gaussian import normal_cdf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from gyaku.interop.source.forward_pass import ForwardPass, Lengths, Step
    from gyaku.windows import Axis

__all__ = ["Lines"]


class Lines:
    """Lines of the Python function of a forward pass.

    Parameters
    ----------
    made : ForwardPass
        The steps.
    any_steps : bool
        Whether the first axis of samples may have any length.

    Attributes
    ----------
    made : ForwardPass
        The steps.
    functions : list of callable
        The functions that the lines call.
    activations : list of str
        The activation functions among them, by name.
    statements : list of str
        The lines.
    inputs, outputs : list of str
        The names of arguments and results.
    about : str
        The shapes of both, in words.
    """

    def __init__(self, made: ForwardPass, *, any_steps: bool) -> None:
        self.made = made
        self.functions: list[Callable[..., Any]] = [numpy_functions.checked]
        self.activations: list[str] = []
        self._taken = {"np", "math", "base64", "predict", "WEIGHTS", "FORWARD", *keyword.kwlist}
        self._taken |= {*vars(reference), *vars(numpy_functions)}
        self._names = [self._name(each.name) for each in made.values]
        self.inputs = [self._names[each] for each in made.inputs]
        self.outputs = [self._names[each] for each in made.outputs]
        self.statements = [self._checked(each, any_steps) for each in made.inputs]
        for step in made.steps:
            self.statements += _KINDS[step.kind](self, step)
        self.statements.append(f"return {', '.join(self.outputs)}")
        shapes = [
            f"({', '.join(self._lengths(each, any_steps))})"
            for each in (*made.inputs, *made.outputs)
        ]
        self.about = "".join(
            f"{name} has the shape {shape}.\n"
            for name, shape in zip(self.inputs, shapes, strict=False)
        )
        self.about += f"Returns {', '.join(shapes[len(self.inputs) :])}."

    def _name(self, given: str) -> str:
        """Return a new identifier."""
        stem = re.sub(r"\W", "_", given)
        stem = f"_{stem}" if not stem[:1].isidentifier() else stem
        name, count = stem, 1
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        return name

    def _lengths(self, value: int, any_steps: bool) -> list[str]:
        shape = [str(each) for each in self.made.values[value].shape]
        if any_steps and len(shape) > 1 - (value in self.made.indices):
            shape[0] = "steps"
        return ["samples", *shape]

    def _checked(self, value: int, any_steps: bool) -> str:
        name = self._names[value]
        shape = [None if n == "steps" else int(n) for n in self._lengths(value, any_steps)[1:]]
        dtype = "ids" if value in self.made.indices else self.made.dtype.name
        return f'{name} = checked("{name}", {name}, {tuple(shape)}, "{dtype}")'

    def call(self, function: Callable[..., Any], *arguments: object, **keywords: object) -> str:
        """Return a call of a function, whose source becomes part of the file.

        Parameters
        ----------
        function : callable
            The function.
        *arguments : object
            Its arguments, as they are printed.
        **keywords : object
            Its keywords.

        Returns
        -------
        str
            The call.
        """
        self.functions.append(function)
        listed = [str(each) for each in arguments]
        listed += [f"{name}={each}" for name, each in keywords.items()]
        return f"{function.__name__}({', '.join(listed)})"

    def names(self, values: Sequence[int]) -> list[str]:
        """Return the names of values.

        Parameters
        ----------
        values : sequence of int
            Their indices.

        Returns
        -------
        list of str
            The names.
        """
        return [self._names[each] for each in values]

    @staticmethod
    def array(step: Step, role: str) -> str:
        """Return an array of a step, "None" if it has none.

        Parameters
        ----------
        step : Step
            The step.
        role : str
            The role.

        Returns
        -------
        str
            The expression.
        """
        return f'WEIGHTS["{step.arrays[role]}"]' if role in step.arrays else "None"


def _single(line: Callable[[Lines, Step, str], str]) -> Callable[[Lines, Step], list[str]]:
    """Return the function of a step that is one expression of its first input."""

    def found(lines: Lines, step: Step) -> list[str]:
        (y,) = lines.names(step.outputs)
        return [f"{y} = {line(lines, step, lines.names(step.inputs)[0])}"]

    return found


def _dense(lines: Lines, step: Step, x: str) -> str:
    product = f"{x} @ {lines.array(step, 'weight')}"
    return f"{product} + {lines.array(step, 'bias')}" if "bias" in step.arrays else product


def _map(lines: Lines, step: Step, x: str) -> str:
    options = {name: each for name, each in step.settings.items() if name != "function"}
    return lines.call(getattr(reference, step.settings["function"]), x, **options)


def _softmax(lines: Lines, step: Step, x: str) -> str:
    axis, last = step.settings["axis"], len(lines.made.values[step.inputs[0]].shape) - 1
    return lines.call(
        getattr(reference, step.kind), x, **({} if axis == last else {"axis": axis + 1})
    )


def _affine(lines: Lines, step: Step, x: str) -> str:
    centre, scale, shift = (lines.array(step, role) for role in ("centre", "scale", "shift"))
    return f"({x} - {centre}) * {scale} + {shift}"


def _norm(lines: Lines, step: Step, x: str) -> str:
    arrays = [lines.array(step, role) for role in step.arrays]
    return lines.call(getattr(reference, step.kind), x, *arrays, **step.settings) + "[0]"


def _local_response_norm(lines: Lines, step: Step, x: str) -> str:
    return lines.call(reference.local_response_norm, x, **step.settings)


def _rescale(lines: Lines, step: Step, x: str) -> str:
    return f"{x} * {step.settings['scale']} + {step.settings['offset']}"


def _windows(lines: Lines, step: Step, x: str, *arrays: str, **options: object) -> str:
    """Return a call with windows; a sequence is an image of one row."""
    is_image = len(lines.made.values[step.inputs[0]].shape) == 3
    places = [_axis(axis) for axis in step.settings["axes"]]
    function = getattr(numpy_functions, step.kind)
    if is_image:
        return lines.call(function, x, *arrays, *places, **options)
    return lines.call(function, f"{x}[:, None]", *arrays, *places, **options) + "[:, 0]"


def _axis(axis: Axis) -> str:
    return str((axis.size, axis.taps, axis.stride, axis.dilation, axis.before, axis.windows))


def _conv(lines: Lines, step: Step, x: str) -> str:
    arrays = [lines.array(step, role) for role in ("weight", "bias")]
    return _windows(lines, step, x, *arrays, groups=step.settings["groups"])


def _max_unpool(lines: Lines, step: Step, x: str) -> str:
    return _windows(lines, step, *lines.names(step.inputs))


def _avg_pool(lines: Lines, step: Step, x: str) -> str:
    padded = step.settings["padded"]
    counts = [axis.pixels(padded=padded).tolist() for axis in step.settings["axes"]]
    if step.settings["divisor"] is not None:
        rows, columns = map(len, counts)
        counts = [[step.settings["divisor"]] * rows, [1] * columns]
    return _windows(lines, step, x, counts=counts)


def _lp_pool(lines: Lines, step: Step, x: str) -> str:
    return _windows(lines, step, x, norm_type=step.settings["norm_type"])


def _reshape(lines: Lines, step: Step, x: str) -> str:
    shape = lines.made.values[step.outputs[0]].shape
    return f"{x}.reshape({', '.join(map(str, (f'len({x})', *shape)))})"


def _embedding(lines: Lines, step: Step, x: str) -> str:
    return f"{lines.array(step, 'weight')}[{x}]"


def _merge(lines: Lines, step: Step, x: str) -> str:
    return f" {_SIGNS[step.kind]} ".join(lines.names(step.inputs))


_SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@"}


def _prelu(lines: Lines, step: Step, x: str) -> str:
    return f"np.where({x} > 0, {x}, {lines.array(step, 'alpha')} * {x})"


def _take(lines: Lines, step: Step, x: str) -> str:
    places, axis = step.settings["places"].tolist(), step.settings["axis"] + 1
    constant = _number(step.settings["constant"])
    return lines.call(numpy_functions.take, x, places, axis, constant)


def _interpolate(lines: Lines, step: Step, x: str) -> str:
    places, axis = step.settings["places"].tolist(), step.settings["axis"] + 1
    return lines.call(numpy_functions.interpolate, x, places, lines.array(step, *step.arrays), axis)


def _permute(lines: Lines, step: Step, x: str) -> str:
    axes = (0, *(axis + 1 for axis in step.settings["axes"]))
    return f"{x}.transpose{axes}"


def _concatenate(lines: Lines, step: Step, x: str) -> str:
    axis = step.settings["axis"] + 1
    return f"np.concatenate([{', '.join(lines.names(step.inputs))}], axis={axis})"


def _split_steps(lines: Lines, step: Step, x: str) -> str:
    return f"{x}.reshape(-1, *{x}.shape[2:])"


def _join_steps(lines: Lines, step: Step, y: str) -> str:
    before = lines.names(step.inputs)[1]
    return f"{y}.reshape(*{before}.shape[:2], *{y}.shape[1:])"


def _lengths(lines: Lines, given: Lengths) -> str:
    (x,) = lines.names([given.value])
    if given.padding is None:
        return lines.call(reference.sequence_lengths, x)
    found = lines.call(reference.sequence_lengths, f"{x} != {given.padding}")
    return f"np.maximum({found}, 1)"


def _masking(lines: Lines, step: Step, x: str) -> str:
    axes = tuple(range(2, 1 + len(lines.made.values[step.inputs[0]].shape)))
    real = f"({x} != {step.settings['value']}).any(axis={axes}, keepdims=True)"
    return f"np.where({real}, {x}, 0).astype({x}.dtype)"


def _elements(lines: Lines, step: Step, x: str) -> str:
    limits = {"least": -math.inf, "most": math.inf}
    options = {
        name: _number(limits[name] if each is None else each)
        for name, each in step.settings.items()
        if name != "operation"
    }
    if step.settings["operation"] == "erf":
        lines.functions.append(normal_cdf)
    expression = EXPRESSIONS[step.settings["operation"]]
    computed = expression.of_numpy(lines.names(step.inputs), options)
    return f"np.asarray({computed}, {x}.dtype)"


def _number(value: float) -> str:
    return str(value) if math.isfinite(value) else f'float("{value}")'


def _reduce(lines: Lines, step: Step, x: str) -> str:
    if step.settings["operation"] == "log_sum_exp":
        return f"np.logaddexp.reduce({x}, axis=-1)"
    return f"{x}.{step.settings['operation']}(axis=-1)"


def _constant(lines: Lines, step: Step, x: str) -> str:
    return lines.array(step, *step.arrays)


def _recurrent(lines: Lines, step: Step) -> list[str]:
    results, settings = lines.names(step.outputs), dict(step.settings)
    x, *given = lines.names(step.inputs)
    states = [*given, *["None"] * (len(results) - 1 - len(given))]
    arrays = [lines.array(step, role) for role in ("weight", "recurrent_weight", "bias")]
    more: dict[str, object] = {"clip": settings["clip"], "reverse": settings["reverse"]}
    if settings["length"] is not None:
        more["lengths"] = _lengths(lines, settings["length"])
    activations = settings["activations"]
    lines.activations += activations
    if step.kind == "simple_rnn":
        more["activation"] = f'"{activations[0]}"'
    else:
        more["activations"] = activations
    if step.kind == "gru":
        arrays.append(lines.array(step, "recurrent_bias"))
        more["reset_after"] = settings["reset_after"]
    more |= {
        role: lines.array(step, role) for role in ("peepholes", "projection") if role in step.arrays
    }
    called = lines.call(getattr(reference, step.kind), x, *arrays, *states, **more)
    return [f"{', '.join(results)} = {called}[:{len(results)}]"]


_KINDS: dict[str, Callable[[Lines, Step], list[str]]] = {
    **dict.fromkeys(("softmax", "log_softmax"), _single(_softmax)),
    **dict.fromkeys(("conv", "conv_transpose"), _single(_conv)),
    **dict.fromkeys(_SIGNS, _single(_merge)),
    **dict.fromkeys(("layer_norm", "group_norm", "rms_norm"), _single(_norm)),
    **dict.fromkeys(("simple_rnn", "lstm", "gru"), _recurrent),
    "affine": _single(_affine),
    "avg_pool": _single(_avg_pool),
    "concatenate": _single(_concatenate),
    "constant": _single(_constant),
    "dense": _single(_dense),
    "elements": _single(_elements),
    "embedding": _single(_embedding),
    "join_steps": _single(_join_steps),
    "interpolate": _single(_interpolate),
    "local_response_norm": _single(_local_response_norm),
    "lp_pool": _single(_lp_pool),
    "map": _single(_map),
    "masking": _single(_masking),
    "max_pool": _single(_windows),
    "max_unpool": _single(_max_unpool),
    "permute": _single(_permute),
    "prelu": _single(_prelu),
    "reduce": _single(_reduce),
    "rescale": _single(_rescale),
    "reshape": _single(_reshape),
    "split_steps": _single(_split_steps),
    "take": _single(_take),
}
