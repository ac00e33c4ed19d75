"""Models written as C99 source code."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyaku.files import write_atomically
from gyaku.interop.source.c_body import literals
from gyaku.interop.source.c_steps import body_of
from gyaku.interop.source.layer_steps import forward_pass
from gyaku.interop.source.sample import sample

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.source.c_body import Body
    from gyaku.model import Model

__all__ = ["to_c"]

_KEYWORDS = (
    "auto break case char const continue default do double else enum extern float for goto if"
    " inline int long main register restrict return short signed sizeof static struct switch"
    " typedef union unsigned void volatile while"
)
_MATH = (
    "acos|acosh|asin|asinh|atan|atanh|ceil|cos|cosh|erf|erfc|exp|expm1|fabs|floor|fmax|fmin|fmod"
    "|log|log1p|pow|rint|sin|sinh|sqrt|tan|tanh|trunc"
)
_TOLERANCE = {"float": "1e-5", "double": "1e-12"}


def to_c(model: Model, path: str | os.PathLike[str]) -> None:
    """Write the forward pass of a model as one C99 file without dependencies.

    Parameters
    ----------
    model : Model
        A built model. The file holds its layers as they predict, in the model's dtype.
    path : str or path-like
        The file; an old one is replaced atomically. The function is called after it:
        ``digits_predict`` in ``digits.c``.

    Raises
    ------
    TypeError
        If `model` is no model.
    ValueError
        If it is not built, or a layer is stateful or one of the user's own.
    OSError
        If the file cannot be written.

    See Also
    --------
    to_numpy : Write a model as a Python file that needs NumPy alone.
    to_onnx : Write a model to an ONNX file, for other runtimes.

    Notes
    -----
    The function takes pointers to one sample and to its outputs, in the shapes that the first
    comment of the file states (images with channels last), and a workspace, so that threads may
    call it at the same time. Sequences have the number of steps for which the model was built; with
    ``mask_zero`` they may end before. Weights are decimal literals that give back the same bits.
    Compiled with ``-DGYAKU_SELF_TEST``, the file is a program that compares the outputs of a sample
    with the model's, and returns 0 if they are equal within rounding.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Dense(8, "relu"), gk.Dense(2))
    >>> model.build((4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gk.interop.to_c(model, folder + "/small.c")
    """
    name = re.sub(r"\W", "_", Path(path).stem, flags=re.ASCII)
    content = _source(model, name if not name[:1].isdigit() else f"_{name}")
    write_atomically(path, lambda stream: stream.write(content.encode()))


def _source(model: Model, name: str) -> str:
    """Return the file."""
    made = forward_pass("to_c", model)
    known = _functions()
    body = body_of(made, {*known, *_KEYWORDS.split()})
    real = "float" if made.dtype == np.float32 else "double"
    lines = [_wrapped(each) for each in body.statements]
    if not any("workspace" in each for each in lines):
        lines.append("  (void)workspace;")
    kinds = ["const int" if each in made.indices else f"const {real}" for each in made.inputs]
    parameters = [f"{kind}* {each}" for kind, each in zip(kinds, body.inputs, strict=True)]
    parameters += [f"{real}* {each}" for each in (*body.outputs, "workspace")]
    head = f"void {name}_predict({', '.join(parameters)})"
    lines = [_of_dtype(each, real) for each in lines]
    wrappers = [_of_dtype(each, real) for each in body.wrappers.values()]
    used = _needed(known, "\n".join([*lines, *wrappers]))
    shapes = [made.values[each].shape for each in (*made.inputs, *made.outputs)]
    about = _header(name, head, [*body.inputs, *body.outputs], shapes, body.size)
    workspace = f"#define {name.upper()}_WORKSPACE {max(body.size, 1)}"
    parts = [about, f"#include <math.h>\n\n{workspace}", *(_of_dtype(each, real) for each in used)]
    parts += [*wrappers, *(_constant(real, *each) for each in body.arrays.items())]
    parts += [f"{head};", f"{head} {{\n" + "\n".join(lines) + "\n}"]
    parts.append(_self_test(name, real, kinds, body, sample(model, made)))
    return "\n\n".join(parts) + "\n"


def _wrapped(statement: str) -> str:
    """Return an indented statement on lines of at most 100 characters."""
    text = statement.lstrip()
    first = " " * (2 + len(statement) - len(text))
    return textwrap.fill(text, 100, initial_indent=first, subsequent_indent=first + "    ")


def _header(
    name: str, head: str, parameters: Sequence[str], shapes: Iterable[tuple[int, ...]], size: int
) -> str:
    """Return the first comment: the function and the shapes of its arguments."""
    from gyaku import _core

    width = max(map(len, (*parameters, "workspace")))
    listed = [
        f"   {each:<{width}}  {' x '.join(map(str, shape)) or 'one element'}"
        for each, shape in zip(parameters, shapes, strict=True)
    ]
    listed.append(f"   {'workspace':<{width}}  {name.upper()}_WORKSPACE = {max(size, 1)} elements")
    return "\n".join(
        [
            f"/* {name}: the forward pass of a model, written by gyaku {_core.__version__} in C99.",
            "",
            f"   {head};",
            "",
            *listed,
            "",
            "   Arrays are in C order, the last axis contiguous. Calls at the same time need a",
            "   workspace each. Ids are not checked.",
            f"   Test: cc -std=c99 -O3 -DGYAKU_SELF_TEST {name}.c -lm && ./a.out */",
        ]
    )


def _functions() -> dict[str, str]:
    """Return the functions and types of exported files by name."""
    source = (Path(__file__).parent / "c_functions.c").read_text(encoding="utf-8")
    found = {}
    for chunk in source.split("\n\n")[1:]:
        name = re.search(r"^static [\w *]+?(\w+)\(|^} (\w+);$", chunk, re.MULTILINE)
        found[next(filter(None, name.groups()))] = chunk.strip()  # type: ignore[union-attr]
    return found


def _needed(known: dict[str, str], text: str) -> list[str]:
    """Return the functions that a text uses, and those that they use, in the order of the file."""
    needed: set[str] = set()
    waiting = [text]
    while waiting:
        words = set(re.findall(r"\w+", re.sub(r"/\*.*?\*/", "", waiting.pop(), flags=re.DOTALL)))
        new = (words & known.keys()) - needed
        needed |= new
        waiting += [known[each] for each in new]
    return [chunk for name, chunk in known.items() if name in needed]


def _of_dtype(source: str, real: str) -> str:
    """Return source code in double precision, from that in single precision."""
    if real == "float":
        return source
    source = re.sub(r"\bfloat\b", "double", source)
    source = re.sub(rf"\b({_MATH})f\b", r"\1", source)
    return re.sub(r"\b(\d+\.\d+)f\b", r"\1", source)


def _constant(real: str, name: str, array: NDArray[Any]) -> str:
    return _array(f"static const {real if array.dtype.kind == 'f' else 'int'}", name, array)


def _array(kind: str, name: str, array: NDArray[Any]) -> str:
    """Return the definition of an array."""
    numbers = literals(array) if array.dtype.kind == "f" else [*map(str, array.ravel().tolist())]
    rows = [", ".join(numbers[n : n + 6]) for n in range(0, len(numbers), 6)]
    return f"{kind} {name}[{array.size}] = {{\n    " + ",\n    ".join(rows) + "};"


def _self_test(
    name: str,
    real: str,
    kinds: Sequence[str],
    body: Body,
    samples: tuple[Sequence[NDArray[Any]], Sequence[NDArray[Any]]],
) -> str:
    """Return a program that compares the outputs of a sample with the model's."""
    inputs = zip(kinds, body.inputs, samples[0], strict=True)
    outputs = [*zip(body.outputs, samples[1], strict=True)]
    arguments = ", ".join([*body.inputs, *(f"found_{each}" for each in body.outputs), "workspace"])
    return "\n".join(
        [
            "#ifdef GYAKU_SELF_TEST",
            "#include <stdio.h>\n",
            *(_array(f"static {kind}", each, array) for kind, each, array in inputs),
            *(_array(f"static const {real}", f"expected_{each}", array) for each, array in outputs),
            *(f"static {real} found_{each}[{array.size}];" for each, array in outputs),
            f"static {real} workspace[{name.upper()}_WORKSPACE];\n",
            f"{_of_dtype(_functions()['largest_difference'], real)}\n",
            "int main(void) {",
            "  double worst = 0.0;",
            _wrapped(f"{name}_predict({arguments});"),
            *(
                f"  worst = largest_difference(found_{each}, expected_{each}, {array.size}, worst);"
                for each, array in outputs
            ),
            '  printf("largest difference %g\\n", worst);',
            f"  return !(worst <= {_TOLERANCE[real]});",
            "}",
            "#endif",
        ]
    )
