"""Call operations at random and compare each with its equation.

Bytes become a case of the table, sizes, layouts, dtypes, a number of threads, and eager or
replayed. The call must be refused in one sentence, or be right: within the bound of the equation,
and with the bits of the plain call on one thread. ``python tests/fuzz_operations.py 100000`` makes
that many calls.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from typing import Any

import numpy as np
from op_case import DTYPES, FLOAT32, Array, Call, Case, DType
from op_cases import CASES

from gyaku import _core

LENGTH = 24  # bytes of a call
LARGEST = 3000  # elements of an argument, so that a call takes little time
SMALL = [case for case in CASES if all(np.size(x) <= LARGEST for x in case.call(FLOAT32)[0])]
SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65)
THREADS = (1, 2, 3, 4, 8)
STATE = {"clock", "cursor", "counter", "epoch", "slot", "totals", "value"}  # of fixed shapes
RELATED = {"lp_pool2d_backward"}  # y must be the norms of the windows of x
HUGE_STRIDE = 1 << 27  # bytes; the pages between the elements are never touched


class Other(np.ndarray[Any, Any]):
    """A subclass of arrays."""


def strided(x: Array) -> Array:
    wide = np.full((*x.shape, 3), 99).astype(x.dtype)
    wide[..., 1] = x
    return wide[..., 1]


def reversed_in_memory(x: Array) -> Array:
    flipped = (slice(None, None, -1),) * x.ndim
    return np.asarray(x[flipped]).copy()[flipped]


def far_apart(x: Array) -> Array:
    """Return rows at a distance of 128 MiB."""
    if x.ndim == 0 or not 1 < len(x) <= 8:
        return x
    memory = np.empty(HUGE_STRIDE * len(x), np.uint8)
    strides = (HUGE_STRIDE, *x[0].copy().strides)
    view: Array = np.ndarray(x.shape, x.dtype, memory, 0, strides)
    view[...] = x
    return view


def read_only(x: Array) -> Array:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def misaligned(x: Array) -> Array:
    memory = np.empty(x.nbytes + 1, np.uint8)
    shifted = memory[1:].view(x.dtype).reshape(x.shape)
    shifted[...] = x
    return shifted


def masked(x: Array) -> Any:
    return np.ma.masked_array(x, np.zeros(x.shape, bool))


# Converted once, and right.
SAME_VALUES = {
    "plain": np.copy,
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
    "strided": strided,
    "reversed": reversed_in_memory,
    "by columns": lambda x: np.array(x, order="F"),
    "far apart": far_apart,
    "read-only": read_only,
    "misaligned": misaligned,
    "subclass": lambda x: x.view(Other),
}
# No real numbers, or not all of them.
NO_NUMBERS = {
    "masked": masked,
    "complex": lambda x: x + 1j,
    "text": lambda x: x.astype("U8"),
    "objects": lambda x: np.full(x.shape, None),
    "dates": lambda x: np.zeros(x.shape, "M8[s]"),
    "records": lambda x: np.zeros(x.shape, "f4,f4"),
}
LAYOUTS = {**SAME_VALUES, **NO_NUMBERS}


class Bytes:
    """Choices made by bytes, the first ones when they run out."""

    def __init__(self, data: bytes) -> None:
        self.data = iter(data)

    def below(self, count: int) -> int:
        return (256 * next(self.data, 0) + next(self.data, 0)) % count

    def of(self, values: Any) -> Any:
        return list(values)[self.below(len(values))]


def resized(case: Case, arguments: list[Any], choices: Bytes) -> tuple[list[Any], int]:
    """Replace a length by another one in all arguments, or in one of them.

    Returns the arguments, and how many times their elements are repeated.
    """
    names = case.parameters
    movable = [
        place
        for place, x in enumerate(arguments)
        if isinstance(x, np.ndarray) and x.ndim and names[place] not in STATE
    ]
    if not movable or case.row.name in RELATED:
        return arguments, 1
    arguments = list(arguments)
    old = max(choices.of(arguments[choices.of(movable)].shape), 1)
    new = choices.of((*SIZES, old + 1))
    for place in movable if choices.below(4) else [choices.of(movable)]:
        x = arguments[place]
        for axis, length in enumerate(x.shape):
            if length == old and x.size // old * new <= 4 * LARGEST:
                x = x.take(np.arange(new) % old, axis)
        arguments[place] = x
    return arguments, -(-new // old)


def copied(call: Call) -> Call:
    arguments, keywords = call
    return [x.copy() if isinstance(x, np.ndarray) else x for x in arguments], dict(keywords)


def bits(outputs: tuple[Array, ...]) -> list[bytes]:
    return [np.asarray(output).tobytes() for output in outputs]


def replayed(case: Case, call: Call) -> tuple[Array, ...]:
    """Record the call, spoil its outputs, and compute them once more by a replay."""
    program = _core.Program()
    program.begin()
    try:
        outputs = case.run(call)
    except BaseException:
        program.end()
        raise
    program.end(list(outputs))
    for output in outputs:
        output.reshape(-1).view(np.uint8).fill(0xAB)
    _core.replay([(program, 1)])
    return outputs


def compare(case: Case, dtype: DType, call: Call, outputs: tuple[Array, ...], repeats: int) -> None:
    """Raise unless outputs are within the bound; equal terms have equal errors, which add up."""
    with np.errstate(all="ignore"):
        expected = case.expected(call, dtype)
        bounds = case.bounds(call, expected, dtype)
    for actual, wanted, bound in zip(outputs, expected, bounds, strict=False):
        assert actual.shape == wanted.shape, (actual.shape, wanted.shape)
        with np.errstate(over="ignore"):
            rounded = np.asarray(wanted).astype(actual.dtype)
        finite = np.isfinite(rounded)
        np.testing.assert_array_equal(actual[~finite], rounded[~finite])
        error = np.abs(actual[finite] - wanted[finite])
        assert (error <= np.sqrt(repeats) * bound[finite]).all(), (
            f"error {error.max()}, bound {bound[finite].max()}"
        )


def attempt(data: bytes) -> str:
    """Make the call that the bytes mean, and return "right" or "refused"; raise otherwise."""
    choices = Bytes(data)
    case, dtype = choices.of(SMALL), choices.of(DTYPES)
    _core.set_num_threads(choices.of(THREADS))
    replay = choices.below(2) and not case.row.in_place and case.row.name != "permutation"
    arguments, keywords = case.call(dtype)
    changed, repeats = resized(case, arguments, choices) if choices.below(3) else (arguments, 1)
    same_shapes = all(np.shape(x) == np.shape(y) for x, y in zip(arguments, changed, strict=True))
    call = copied((changed, keywords))
    layouts = [choices.of(LAYOUTS) if choices.below(2) else "plain" for _ in changed]
    given = [
        LAYOUTS[layout](x) if isinstance(x, np.ndarray) else x
        for layout, x in zip(layouts, changed, strict=True)
    ]
    before = [x.copy() if isinstance(x, np.ndarray) else x for x in given]
    numbers = all(
        layout in SAME_VALUES or not isinstance(x, np.ndarray)
        for layout, x in zip(layouts, changed, strict=True)
    )
    plain = same_shapes and set(layouts) == {"plain"}
    try:
        outputs = (replayed if replay else Case.run)(case, (given, keywords))
    except (TypeError, ValueError) as error:
        text = str(error)
        assert text.startswith(case.row.name + ": "), text
        assert "\n" not in text
        assert not plain, f"a valid call was refused: {text}"
        return "refused"
    assert numbers, f"no numbers were accepted: {case.id}, {layouts}"
    for place, (old, new) in enumerate(zip(before, given, strict=True)):
        if place not in case.written and isinstance(new, np.ndarray):
            assert old.tobytes() == new.tobytes(), f"argument {place} was changed"
    compare(case, dtype, call, outputs, max(repeats, 1))
    _core.set_num_threads(1)
    if not (case.row.name == "matmul" and {"by columns", "far apart"} & set(layouts)):
        assert bits(outputs) == bits(case.run(copied(call))), "other bits than the plain call"
    return "right"


def explained(data: bytes) -> str:
    """Return the reproducer of a failed call."""
    return f"python tests/fuzz_operations.py --bytes {data.hex()}"


def main(count: int, seed: int) -> Counter[str]:
    chance, found = random.Random(seed), Counter[str]()
    for _ in range(count):
        data = chance.randbytes(LENGTH)
        try:
            found[attempt(data)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            found["wrong"] += 1
            print(explained(data), type(error).__name__, " ".join(str(error).split())[:200])
    return found


if __name__ == "__main__":
    if sys.argv[1] == "--bytes":
        print(attempt(bytes.fromhex(sys.argv[2])))
    else:
        start = time.monotonic()
        seed = int(sys.argv[2]) if sys.argv[2:] else 0
        result = main(int(sys.argv[1]), seed)
        print(json.dumps({**result, "isa": _core.isa(), "seconds": time.monotonic() - start}))
        sys.exit(bool(result["wrong"]))
