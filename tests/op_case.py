"""A call of an operation to try, the data it is tried with, and what must come out."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tolerances
from numpy.random import Generator
from numpy.typing import NDArray

from gyaku.ops import TABLE, Op

Array = NDArray[Any]
DType = np.dtype[Any]
Call = tuple[list[Any], dict[str, Any]]
Make = Callable[[Generator, DType], Call]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
DTYPES = (FLOAT32, FLOAT64)
# Losses of outputs and targets of one shape.
DIFFERENCES = [name for name, row in TABLE.items() if row.inputs == ("y", "t")]
# What the equation is evaluated in, so that its own rounding does not count.
WIDE: dict[DType, DType] = {FLOAT32: FLOAT64, FLOAT64: np.dtype(np.longdouble)}


class Case:
    """One call of one operation.

    Parameters
    ----------
    op : str
        The operation.
    label : str
        What is special about the call.
    make : callable
        Makes positional arguments and further keywords.
    exact : bool, optional
        Whether the data are such that every order of computation gives the same numbers.
    sparse : bool, optional
        Whether the outputs are mostly zero by right.
    **keywords
        Keywords of the call.
    """

    def __init__(
        self,
        op: str,
        label: str,
        make: Make,
        *,
        exact: bool = False,
        sparse: bool = False,
        **keywords: Any,
    ) -> None:
        self.row: Op = TABLE[op]
        options = [f"{key}={value}" for key, value in keywords.items()]
        self.id = "-".join([op, label, *options])
        self.make = make
        self.exact = exact or bool(self.row.exact)
        self.sparse = sparse
        self.keywords = keywords

    @property
    def seed(self) -> int:
        """The seed of its data, which depends on its name alone."""
        return zlib.crc32(self.id.encode())

    def call(self, dtype: DType) -> Call:
        """Make the arguments and keywords."""
        arguments, keywords = self.make(np.random.default_rng(self.seed), dtype)
        return arguments, self.keywords | keywords

    @property
    def written(self) -> list[int]:
        """Places of the arguments that the operation writes to."""
        names = self.parameters
        return [names.index(name) for name in self.row.outputs] if self.row.in_place else []

    @property
    def parameters(self) -> list[str]:
        """Names of the operation's arguments."""
        return list(inspect.signature(self.row.function).parameters)

    def run(self, call: Call) -> tuple[Array, ...]:
        """Call the operation and return its outputs, wherever they are."""
        arguments, keywords = call
        result = self.row.function(*arguments, **keywords)
        if self.row.in_place:
            return tuple(arguments[place] for place in self.written)
        return result if isinstance(result, tuple) else (result,)

    def expected(self, call: Call, dtype: DType) -> tuple[Array, ...]:
        """Evaluate the equation with more digits than the kernel has."""
        arguments, keywords = widened(call, dtype)
        result = self.row.equation(*arguments, **keywords)
        return result if isinstance(result, tuple) else (result,)

    def bounds(self, call: Call, outputs: tuple[Array, ...], dtype: DType) -> tuple[Array, ...]:
        """Return how far each number may be off."""
        if self.exact:
            return tuple(np.zeros(output.shape) for output in outputs)
        arguments, keywords = widened(call, dtype)
        shapes = [np.shape(argument) for argument in arguments]
        terms = max(self.row.terms(shapes, [output.shape for output in outputs]), 1)
        unit = self.row.roundings * float(np.finfo(dtype).eps) * np.sqrt(terms)
        with np.errstate(all="ignore"):  # where the result is not finite, there is no bound
            scales = tolerances.of(self.row.name)(arguments, keywords, outputs)
            lost = terms * tolerances.lost(self.row.name, arguments) * float(np.finfo(dtype).tiny)
            return tuple(np.nan_to_num(unit * scale + lost) for scale in scales)


def widened(call: Call, dtype: DType) -> Call:
    """Return the same numbers in a wider type."""

    def widen(x: Any) -> Any:
        if isinstance(x, np.ndarray) and x.dtype.kind == "f":
            return x.astype(np.promote_types(x.dtype, WIDE[dtype]))
        return x

    arguments, keywords = call
    return [widen(x) for x in arguments], {key: widen(value) for key, value in keywords.items()}


def normal(shape: tuple[int, ...], *, scale: float = 1.0) -> Callable[[Generator, DType], Array]:
    return lambda rng, dtype: np.asarray(scale * rng.standard_normal(shape), dtype)


def integers(shape: tuple[int, ...]) -> Callable[[Generator, DType], Array]:
    return lambda rng, dtype: rng.integers(-4, 5, shape).astype(dtype)


def arrays(*makers: Callable[[Generator, DType], Any]) -> Make:
    """Return what makes one positional argument with each maker."""
    return lambda rng, dtype: ([maker(rng, dtype) for maker in makers], {})


def constant(values: Any, dtype: Any = None) -> Callable[[Generator, DType], Array]:
    return lambda _rng, wanted: np.array(values, dtype or wanted)


def normal_specials(dtype: DType) -> Array:
    """Return zeros, infinities, NaN, and where functions underflow, overflow or saturate."""
    limits = np.finfo(dtype)
    sizes = [0, 1e-3, 0.5, 1, 3, 6, 9.5, 20, 88.5, 89, 104, 708, 710, 746, 1e4, limits.max, np.inf]
    sizes += [limits.tiny, limits.eps]
    return np.array([*sizes, *[-size for size in sizes], np.nan], dtype)


def specials(dtype: DType) -> Array:
    """Return the same and subnormal numbers."""
    half = np.finfo(dtype).tiny / 2
    return np.append(normal_specials(dtype), np.array([half, -half], dtype))


def sweep(dtype: DType) -> Array:
    """Return numbers of every exponent and both signs."""
    limits = np.finfo(dtype)
    exponents = np.linspace(limits.minexp, limits.maxexp - 1, 1009)
    positive = np.concatenate([np.exp2(exponents), np.linspace(0.01, 40, 1009)]).astype(dtype)
    return np.concatenate([positive, -positive])
