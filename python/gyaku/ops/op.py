"""Operations: the public function, its row in the table, the native and the reference path.

`operation` decorates the careful path of an operation, which converts the arguments to the form of
a kernel's inputs, or raises with one sentence. The public function, an object of `gyaku._core`,
first passes the arguments to a native function unchanged, which costs a fraction of a microsecond;
arguments that this one cannot use take the careful path, once.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from gyaku import _core
from gyaku.backend import active, reference
from gyaku.ops.arrays import allocate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Shape = tuple[int, ...]
    Shapes = Sequence[Shape]
    Results = NDArray[Any] | tuple[NDArray[Any], ...]

P = ParamSpec("P")
R = TypeVar("R")

__all__ = ["TABLE", "Op", "in_numpy", "like_first", "operation", "per_element", "prepared"]

TABLE: dict[str, Op] = {}
"""The operations by name, in the order of their definition."""
_BY = "by"
"""Key of `prepared` for the function in place of the native one."""


def _size(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _touched(inputs: Shapes, outputs: Shapes) -> int:
    return _size(inputs) + _size(outputs)


def _one(inputs: Shapes, outputs: Shapes) -> int:
    del inputs, outputs
    return 1


def like_first(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    """Return the shape of the first input as that of the only output.

    Parameters
    ----------
    shapes : sequence of tuple of int
        Shapes of the inputs.
    **keywords
        Keywords of the operation.

    Returns
    -------
    tuple of tuple of int
        Shape of the output.
    """
    del keywords
    return (shapes[0],)


def per_element(operations: int) -> Callable[[Shapes, Shapes], int]:
    """Return a count of FLOPs that is proportional to the elements of the largest output.

    Parameters
    ----------
    operations : int
        Floating-point operations for one element.

    Returns
    -------
    callable
        The FLOPs, from input and output shapes.
    """
    return lambda _inputs, outputs: operations * max(map(math.prod, outputs))


class Op:
    """Row of the table: signature, costs and accuracy of an operation.

    Parameters
    ----------
    name : str
        Name of the public function, and of the equation in `gyaku.reference`.
    inputs : str
        Names of the input arrays.
    outputs : str
        Names of the results, or of the arguments updated in place.
    shapes : callable
        Output shapes, from the input shapes and the keywords.
    flops : callable
        Floating-point operations, from input and output shapes; an elementary function counts as
        one.
    elements : callable, optional
        Elements read and written, from input and output shapes.
    in_place : bool, optional
        Whether the outputs are arguments.
    saves : {"", "input", "output"}, optional
        The tensor of the forward pass that the gradient needs.
    gradient : str, optional
        Name of the operation that computes the gradient.
    no_gradient : str, optional
        Reason why there is no such operation.
    roundings : int, optional
        Rounding errors in one element of the output, in units of eps: one for each arithmetic
        operation or rounded constant, two for an elementary function.
    terms : callable, optional
        Length of the longest sum behind one element of the output, from input and output shapes.
    cancels : bool, optional
        Whether these terms may have both signs.
    exact : str, optional
        Reason why the result has no rounding error at all.
    kernel : str or None, optional
        Name of the function of `gyaku._core`, if it differs; None if there is none, and the
        equation in NumPy is the operation.

    Notes
    -----
    Kernel and equation agree to ``roundings * eps * sqrt(terms) * scale``, where scale is the sum
    of the magnitudes of the terms of an element; if they may cancel, that is the operation itself,
    of the magnitudes of its arguments.

    Examples
    --------
    >>> from gyaku.ops import TABLE
    >>> row = TABLE["matmul"]
    >>> row.shapes([(2, 3), (3, 4)])
    ((2, 4),)
    >>> row.flops([(2, 3), (3, 4)], [(2, 4)])
    48
    >>> row.bytes([(2, 3), (3, 4)], [(2, 4)], itemsize=4)
    104
    """

    function: Callable[..., Any]
    """The public function, with the signature of the equation and `out`."""

    def __init__(
        self,
        name: str,
        *,
        inputs: str,
        outputs: str,
        shapes: Callable[..., tuple[Shape, ...]],
        flops: Callable[[Shapes, Shapes], int],
        elements: Callable[[Shapes, Shapes], int] = _touched,
        in_place: bool = False,
        saves: str = "",
        gradient: str = "",
        no_gradient: str = "",
        roundings: int = 0,
        terms: Callable[[Shapes, Shapes], int] = _one,
        cancels: bool = False,
        exact: str = "",
        kernel: str | None = "",
    ) -> None:
        self.name = name
        self.kernel = name if kernel == "" else kernel
        self.inputs = tuple(inputs.split())
        self.outputs = tuple(outputs.split())
        self.shapes = shapes
        self.flops = flops
        self.elements = elements
        self.in_place = in_place
        self.saves = saves
        self.gradient = gradient
        self.no_gradient = no_gradient
        self.roundings = roundings
        self.terms = terms
        self.cancels = cancels
        self.exact = exact

    @property
    def equation(self) -> Callable[..., Results]:
        """The function of `gyaku.reference`, with the same arguments except `out`."""
        function: Callable[..., Results] = getattr(reference, self.name)
        return function

    def bytes(self, inputs: Shapes, outputs: Shapes, *, itemsize: int) -> int:
        """Return the memory traffic without caches.

        Parameters
        ----------
        inputs : sequence of tuple of int
            Shapes of the inputs.
        outputs : sequence of tuple of int
            Shapes of the outputs.
        itemsize : int
            Bytes of an element.

        Returns
        -------
        int
            Bytes read and written.
        """
        return itemsize * self.elements(inputs, outputs)

    def evaluate(self, arguments: Mapping[str, Any]) -> Results | None:
        """Evaluate the equation into the arrays of a kernel's results.

        Parameters
        ----------
        arguments : mapping
            Arguments of the operation by name, in the form of a kernel's inputs.

        Returns
        -------
        ndarray, tuple of ndarray or None
            The results; None if they are arguments.
        """
        if self.in_place:
            written = tuple(arguments[name] for name in self.outputs)
            _store(self.equation(**arguments), written)
            return None
        # A NumPy scalar would promote the dtype of the arrays; a Python scalar does not.
        read = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in arguments.items()
            if name != "out"
        }
        values = self.equation(**read)
        every, out = _as_tuple(values), arguments.get("out")
        given = (None,) * len(every) if out is None else _as_tuple(out)
        results = _store(
            every,
            tuple(
                allocate(self.name, x.shape, x.dtype) if place is None else place
                for x, place in zip(every, given, strict=True)
            ),
        )
        return results if isinstance(values, tuple) else results[0]

    def __repr__(self) -> str:
        return f"Op({self.name!r})"


def _as_tuple(arrays: Any) -> tuple[NDArray[Any], ...]:
    return tuple(arrays) if isinstance(arrays, tuple | list) else (arrays,)


def _store(values: Results, places: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    for place, value in zip(places, _as_tuple(values), strict=True):
        place[...] = value
    return places


def prepared(by: Callable[..., Any] | None = None, /, **arguments: Any) -> R:  # type: ignore[type-var]
    """Return the converted arguments, at the end of the careful path.

    Parameters
    ----------
    by : callable or None, optional
        Function in place of the native one, for arguments that the kernel does not take; it gets
        the arguments of the operation by name.
    **arguments
        Arguments of the operation by name, in the form of a kernel's inputs.

    Returns
    -------
    dict
        The arguments; declared as the results, which the public function returns instead.
    """
    return arguments if by is None else arguments | {_BY: by}  # type: ignore[return-value]


def in_numpy(op: str) -> Callable[..., Any]:
    """Return the function of an operation that evaluates its equation, here and in each replay.

    Parameters
    ----------
    op : str
        Name of the operation.

    Returns
    -------
    callable
        The function of its arguments by name. The results have the dtype of the first float array.
    """

    def run(**arguments: Any) -> Results:
        row = TABLE[op]
        options = {name: each for name, each in arguments.items() if name not in row.inputs}
        inputs = [np.shape(arguments[name]) for name in row.inputs]
        shapes = row.shapes(inputs, **options)
        reads = [each for each in arguments.values() if isinstance(each, np.ndarray)]
        dtype = next(each.dtype for each in reads if each.dtype.kind == "f")
        given = arguments.get("out")
        places = (None,) * len(shapes) if given is None else _as_tuple(given)
        out = tuple(
            allocate(op, shape, dtype) if place is None else place
            for place, shape in zip(places, shapes, strict=True)
        )
        flops = row.flops(inputs, shapes)
        call = functools.partial(row.evaluate, arguments | {"out": out})
        _core.host(call, reads, out, f"host {op}", flops)
        return out if len(out) > 1 else out[0]

    return run


def operation(
    native: Callable[..., Any],
    *,
    before: tuple[object, ...] = (),
    check_first: bool = False,
    **row: Any,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate the careful path of an operation, and enter it into the table.

    Parameters
    ----------
    native : callable
        The call of `gyaku._core`, which takes the operation's arguments by position, or by name if
        `check_first`. It raises TypeError or ValueError if they need conversion.
    before : tuple
        Constant arguments of `native` before those of the operation.
    check_first : bool, default False
        Whether arguments always take the careful path first, which is necessary if `native` calls
        several kernels: none may run, or be recorded, before the arguments of all are valid.
    **row
        The row of the table, see `Op`.

    Returns
    -------
    callable
        The decorator. The decorated function validates and converts its arguments and returns the
        converted ones, if any, see `prepared`; name, docstring, signature and defaults are those of
        the operation.
    """

    def decorate(careful: Callable[P, R]) -> Callable[P, R]:
        op = Op(careful.__name__, **row)
        names, positional, defaults = _parameters(careful)

        def convert(*args: P.args, **kwargs: P.kwargs) -> R:
            changed: Any = careful(*args, **kwargs) or {}
            by = changed.pop(_BY, None)
            arguments = defaults | dict(zip(names, args, strict=False)) | kwargs | changed
            if not active.native:
                return op.evaluate(arguments)  # type: ignore[return-value]
            if by is not None:
                return by(**arguments)  # type: ignore[no-any-return]
            if check_first:
                return native(**arguments)  # type: ignore[no-any-return]
            own = (arguments[name] for name in names)
            return native(*before, *own)  # type: ignore[no-any-return]

        initial = (*before, *(defaults.get(name, ...) for name in names))
        public = _core.operation(native, convert, names, initial, positional, check_first)
        op.function = functools.update_wrapper(public, careful)
        TABLE[op.name] = op
        return op.function

    return decorate


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...], int, dict[str, Any]]:
    """Return the names of the parameters, how many may be positional, and the defaults."""
    code = function.__code__
    positional = code.co_argcount
    names = code.co_varnames[: positional + code.co_kwonlyargcount]
    last = function.__defaults__ or ()
    defaults = dict(zip(names[positional - len(last) :], last, strict=False))
    return names, positional, defaults | (function.__kwdefaults__ or {})
