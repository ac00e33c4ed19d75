"""Models written as Python source code that needs NumPy alone."""

from __future__ import annotations

import ast
import base64
import inspect
import sys
import textwrap
from types import GenericAlias
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import reference
from gyaku.files import write_atomically
from gyaku.interop.source import _numpy_functions as numpy_functions
from gyaku.interop.source.layer_steps import forward_pass
from gyaku.interop.source.numpy_steps import Lines
from gyaku.interop.source.sample import sample

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from gyaku.model import Model

__all__ = ["to_numpy"]

_IMPORTS = """\
from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
"""


def to_numpy(model: Model, path: str | os.PathLike[str]) -> None:
    """Write the forward pass of a model as one Python file that needs NumPy alone.

    Parameters
    ----------
    model : Model
        A built model. The file holds its layers as they predict, in the model's dtype.
    path : str or path-like
        The file, such as ``digits.py``; an old one is replaced atomically.

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
    to_c : Write a model as C99 source code.

    Notes
    -----
    The module has a function ``predict``, which takes and returns batches as `Model.predict` does
    (without ``batch_size``). Weights are part of the file, their bytes in base64. Run as a
    program, it compares the outputs of a sample with the model's.

    Examples
    --------
    >>> import runpy, tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Dense(8, "relu"), gk.Dense(2))
    >>> model.build((4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     gk.interop.to_numpy(model, folder + "/small.py")
    ...     module = runpy.run_path(folder + "/small.py")
    >>> module["predict"]([[1.0, 2.0, 3.0, 4.0]]).shape
    (1, 2)
    """
    content = _source(model)
    write_atomically(path, lambda stream: stream.write(content.encode()))


def _source(model: Model) -> str:
    """Return the file."""
    from gyaku import _core

    made = forward_pass("to_numpy", model)
    lines = Lines(made, any_steps=model.plan.any_steps)
    functions = _sources([*lines.functions, numpy_functions.arrays], lines.activations)
    given, expected = sample(model, made)
    stored = dict(zip(lines.inputs, given, strict=True))
    stored |= {f"expected {n}": each for n, each in enumerate(expected)}
    dtype = made.dtype.str.replace(">", "<")
    called = [
        f'SAMPLE["{name}"]' + (".astype(int)" if each in made.indices else "")
        for name, each in zip(lines.inputs, made.inputs, strict=True)
    ]
    found = f"predict({', '.join(called)})"
    about = f"Forward pass of a model in plain NumPy, written by gyaku {_core.__version__}."
    parts = [
        f'"""{about}\n\n{lines.about}\n"""',
        _IMPORTS,
        functions + "\n\n",
        f"def predict({', '.join(lines.inputs)}):\n    "
        + "\n    ".join(['"""Return the outputs of a batch."""', *lines.statements]),
        f"\nWEIGHTS = {_blob(made.arrays, dtype)}",
        'if __name__ == "__main__":\n'
        + textwrap.indent(
            f"SAMPLE = {_blob(stored, dtype)}\n"
            f"found = {found if len(expected) > 1 else f'[{found}]'}\n"
            "apart = [\n"
            '    np.abs(each - SAMPLE[f"expected {n}"]).max() for n, each in enumerate(found)\n'
            "]\n"
            'print(f"largest difference {max(apart):.3g}")',
            "    ",
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _blob(arrays: Mapping[str, NDArray[Any]], dtype: str) -> str:
    """Return the call that makes arrays from their bytes."""
    content = b"".join(np.asarray(each, dtype).tobytes() for each in arrays.values())
    text = "\n".join(textwrap.wrap(base64.b64encode(content).decode(), 96))
    shapes = "".join(f"    {name!r}: {each.shape},\n" for name, each in arrays.items())
    return f'arrays("""\n{text}\n""", {dtype!r}, {{\n{shapes}}})'


def _sources(functions: Iterable[Callable[..., Any]], activations: Iterable[str]) -> str:
    """Return the source of functions and of all that they use, constants first."""
    found: dict[str, str] = {}
    constants: dict[str, str] = {}
    waiting = [*functions, *(getattr(reference, name) for name in activations)]
    while waiting:
        function = inspect.unwrap(waiting.pop())
        if function.__name__ in found:
            continue
        found[function.__name__] = inspect.getsource(function).strip()
        around = vars(sys.modules[function.__module__])
        for name in _names(found[function.__name__]):
            used = numpy_functions.operand if name == "operand" else around.get(name)
            if inspect.isfunction(used) and used.__module__.startswith("gyaku."):
                waiting.append(used)
            elif isinstance(used, (int, float, tuple, GenericAlias)):
                constants[name] = f"{name} = {used!r}"
            elif name == "FORWARD":
                constants[name] = ""
    table = ", ".join(f'"{name}": {name}' for name in sorted(set(activations)))
    ending = [f"FORWARD = {{{table}}}"] if "FORWARD" in constants else []
    listed = "\n".join(each for each in constants.values() if each)
    return "\n\n\n".join(filter(None, [listed, *reversed(found.values()), *ending]))


def _names(source: str) -> list[str]:
    """Return the names that a source uses, in their order."""
    nodes = ast.walk(ast.parse(source))
    return [*dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name))]
