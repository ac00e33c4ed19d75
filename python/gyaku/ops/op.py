"""A row of the table of operations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Shape = tuple[int, ...]
    Shapes = Sequence[Shape]

__all__ = ["Op"]


def _size(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _touched(inputs: Shapes, outputs: Shapes) -> int:
    return _size(inputs) + _size(outputs)


def _one(inputs: Shapes, outputs: Shapes) -> int:
    del inputs, outputs
    return 1


class Op:
    """A row of the table: what an operation is, costs and promises.

    Parameters
    ----------
    function : callable
        The public function; its name and docstring are the operation's.
    kernel : str
        Name of the function of `gyaku._core` that does it.
    equation : callable
        The function of `gyaku.reference`, which takes the same arguments and returns the outputs.
    inputs : str
        Names of the array arguments that are read.
    outputs : str
        Names of the results, or of the array arguments that are written to.
    shapes : callable
        Output shapes, from the input shapes and the keywords.
    flops : callable
        Floating-point operations, from input and output shapes; an elementary function is one.
    numbers : callable, optional
        Numbers read and written, from input and output shapes.
    in_place : bool, optional
        Whether the outputs are arguments.
    saves : {"", "input", "output"}, optional
        What of the forward pass the gradient needs.
    gradient : str, optional
        Name of the operation that computes the gradient.
    no_gradient : str, optional
        Why there is no such operation.
    roundings : int, optional
        Rounding errors on the way to one number of the output, in units of eps: one for each
        arithmetic operation or rounded constant, two for an elementary function.
    terms : callable, optional
        Length of the longest sum behind one number of the output, from input and output shapes.
    exact : str, optional
        Why the result has no rounding error at all.

    Notes
    -----
    Kernel and equation agree to ``roundings * eps * sqrt(terms) * scale``, where scale is the sum
    of the magnitudes that the number was added up from.

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

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        kernel: str,
        equation: Callable[..., Any],
        inputs: str,
        outputs: str,
        shapes: Callable[..., tuple[Shape, ...]],
        flops: Callable[[Shapes, Shapes], int],
        numbers: Callable[[Shapes, Shapes], int] = _touched,
        in_place: bool = False,
        saves: str = "",
        gradient: str = "",
        no_gradient: str = "",
        roundings: int = 0,
        terms: Callable[[Shapes, Shapes], int] = _one,
        exact: str = "",
    ) -> None:
        self.name: str = function.__name__
        self.function = function
        self.kernel = kernel
        self.equation = equation
        self.inputs = tuple(inputs.split())
        self.outputs = tuple(outputs.split())
        self.shapes = shapes
        self.flops = flops
        self.numbers = numbers
        self.in_place = in_place
        self.saves = saves
        self.gradient = gradient
        self.no_gradient = no_gradient
        self.roundings = roundings
        self.terms = terms
        self.exact = exact

    @property
    def keywords(self) -> tuple[str, ...]:
        """Names of the arguments that are given by keyword."""
        code = self.function.__code__
        return code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]

    @property
    def documentation(self) -> str:
        """The public function's docstring."""
        return self.function.__doc__ or ""

    def bytes(self, inputs: Shapes, outputs: Shapes, *, itemsize: int) -> int:
        """Return the memory traffic if nothing stays in the caches.

        Parameters
        ----------
        inputs : sequence of tuple of int
            Shapes of the inputs.
        outputs : sequence of tuple of int
            Shapes of the outputs.
        itemsize : int
            Bytes of a number.

        Returns
        -------
        int
            Bytes read and written.
        """
        return itemsize * self.numbers(inputs, outputs)

    def __repr__(self) -> str:
        return f"Op({self.name!r})"
