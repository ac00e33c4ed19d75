"""The recurrent layers that are tried: sizes around vectors and tiles, every option."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from op_case import Array, Call, Case, DType, Make

from gyaku import reference

Options = dict[str, Any]

# Samples, steps, features, units.
SIZES = (
    *[(1, 1, 1, 1), (2, 3, 4, 5), (3, 4, 7, 16), (1, 7, 3, 20), (5, 2, 17, 33), (15, 3, 1, 8)],
    *[(1, 1, 3, 16), (4, 1, 5, 32), (37, 3, 5, 17), (2, 2, 3, 131), (64, 2, 10, 32), (0, 2, 3, 4)],
)
GATES = {"simple_rnn": 1, "lstm": 4, "gru": 3}
OPTIONS: dict[str, list[Options]] = {
    "simple_rnn": [{}, {"activation": "relu", "reverse": True}],
    "lstm": [{}, {"reverse": True}],
    "gru": [{}, {"reverse": True}, {"reset_after": False}],
}
SMALL = (3, 5, 4, 7)
# Few sequences and many units, whole panels of them: a step is shared by all threads.
SHARED = (3, 4, 5, 192)
# Arrays that a small layer has beside x, w and u, "lengths" among them.
PARTS: dict[str, list[tuple[str, ...]]] = {
    "simple_rnn": [(), ("b",), ("h0",), ("b", "h0", "lengths")],
    "lstm": [
        *[(), ("b", "lengths"), ("h0",), ("c0",), ("peepholes",), ("projection",)],
        ("b", "h0", "c0", "peepholes", "projection", "lengths"),
    ],
    "gru": [(), ("b",), ("b", "b_recurrent", "h0", "lengths")],
}


def drawn(
    name: str, rng: Generator, dtype: DType, size: tuple[int, int, int, int], parts: Any
) -> dict[str, Array]:
    """Return the arrays of a layer by name; errors of a step hardly grow in the next ones."""
    n, time, features, units = size
    columns = GATES[name] * units
    outputs = 3 if "projection" in parts else units
    shapes = {
        "x": (n, time, features),
        "w": (features, columns),
        "u": (outputs, columns),
        "b": (columns,),
        "b_recurrent": (columns,),
        "h0": (n, outputs),
        "c0": (n, units),
        "peepholes": (3, units),
        "projection": (units, outputs),
    }
    scales = {
        "w": features**-0.5 if features else 1,
        "u": 0.5 * outputs**-0.5,
        "projection": units**-0.5,
    }
    arrays = {
        part: (scales.get(part, 1) * rng.standard_normal(shape)).astype(dtype)
        for part, shape in shapes.items()
        if part in {"x", "w", "u", *parts}
    }
    if "lengths" in parts:
        arrays["lengths"] = rng.integers(1, time + 1, n)
        arrays["lengths"][n // 2 :][:1] = time
    return arrays


def forward(name: str, size: tuple[int, int, int, int], parts: Any, positional: int) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        arrays = drawn(name, rng, dtype, size, parts)
        first = list(arrays)[:positional]
        return [arrays.pop(each) for each in first], arrays

    return call


SAVED = {
    "simple_rnn": ("y", "previous"),
    "lstm": ("gates", "cells", "previous"),
    "gru": ("gates", "inner", "previous"),
}
RESULTS = {
    "simple_rnn": ("y", "hn", "previous"),
    "lstm": ("y", "hn", "cn", "gates", "cells", "previous"),
    "gru": ("y", "hn", "gates", "inner", "previous"),
}


def backward(
    name: str, size: tuple[int, int, int, int], parts: Any, options: Options, dhn: bool
) -> Make:
    def call(rng: Generator, dtype: DType) -> Call:
        arrays = drawn(name, rng, dtype, size, parts)
        wide = {
            key: each.astype(np.float64) if each.dtype == dtype else each
            for key, each in arrays.items()
        }
        results = getattr(reference, name)(**wide, **options)
        found = dict(zip(RESULTS[name], results, strict=True))
        given = [rng.standard_normal(found["y"].shape), *(arrays[each] for each in "xwu")]
        given += [found[each] for each in SAVED[name]]
        kept = {
            key: each
            for key, each in arrays.items()
            if key in {"c0", "peepholes", "projection", "lengths"}
        }
        for last in ("hn", "cn") if dhn else ():
            if last in found:
                kept["d" + last] = rng.standard_normal(found[last].shape).astype(dtype)
        return [each.astype(dtype) for each in given], kept

    return call


def recurrent_cases() -> Iterator[Case]:
    for name, gates in GATES.items():
        both = {"lstm": ("b", "h0", "c0"), "gru": ("b", "b_recurrent", "h0")}.get(name, ("b", "h0"))
        for size in SIZES:
            label = "x".join(map(str, size))
            for options in OPTIONS[name]:
                parts = both if options.get("reset_after", True) else ("b", "h0")
                full = len(parts) == len(both)
                make = forward(name, size, parts, 3 + len(parts) if full else 4)
                sparse = "activation" in options or not size[0]
                yield Case(name, label, make, sparse=sparse, **options)
                make = backward(name, size, both, options, dhn=gates > 1)
                yield Case(f"{name}_backward", label, make, sparse=sparse, **options)
        shared = (*both, *(("peepholes",) if name == "lstm" else ()), "lengths")
        for size, parts in (*((SMALL, parts) for parts in PARTS[name]), (SHARED, shared)):
            label = "-".join(("with", *parts, *(("shared",) if size == SHARED else ())))
            for options in OPTIONS[name]:
                left = {"b_recurrent"} if not options.get("reset_after", True) else set()
                own = [part for part in parts if part not in left]
                yield Case(name, label, forward(name, size, own, 3), sparse=True, **options)
                make = backward(name, size, own, options, dhn="lengths" in parts)
                yield Case(f"{name}_backward", label, make, sparse=True, **options)
