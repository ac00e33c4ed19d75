"""Node tests of the package onnx, read as models: which operators give the outputs that it states.

Run: python tests/onnx_nodes.py [part of a name | --reasons]
"""

from __future__ import annotations

import itertools
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.loader import load_model_tests

import gyaku as gk


def cases() -> list[Any]:
    """Return the tests of single nodes, and of nodes that are expanded into several."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(load_model_tests(kind="node"))


def as_array(given: Any) -> Any:
    """Return a number as an array, anything else as it is."""
    return np.asarray(given) if isinstance(given, np.generic) else given


def with_constants(model: Any, inputs: list[np.ndarray], variable: set[int]) -> Any:
    """Return the model with all inputs but some as constants."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    given = list(changed.graph.input)
    del changed.graph.input[:]
    for n, (info, array) in enumerate(zip(given, inputs, strict=True)):
        if n in variable:
            changed.graph.input.append(info)
        else:
            changed.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
    return changed


def layouts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an input as it is, as one sample, with channels last, and with the batch first."""
    yield array
    yield array[np.newaxis]
    if array.ndim > 2:
        yield np.moveaxis(array, 1, -1)
        yield array.swapaxes(0, 1)
    if array.ndim == 1:
        yield array[:, np.newaxis]
    if array.ndim and len(array) == 1:
        yield array[0]


def fits(found: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether outputs are those expected, up to the order of axes, which models choose."""
    rounding = 1e-2 if expected.dtype.itemsize == 2 else 1e-4  # as the tests state them
    here, there = found.squeeze(), expected.squeeze().astype(np.float64)
    return here.ndim == there.ndim and any(
        there.transpose(axes).shape == here.shape
        and np.allclose(here, there.transpose(axes), rtol=rounding, atol=rounding, equal_nan=True)
        for axes in itertools.permutations(range(there.ndim))
    )


def outcome(model: Any, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> str:
    """Return "passed", "differs" if outputs are wrong, or the reason of the refusal."""
    reasons, numbers = [], range(len(inputs))
    some = [set(each) for n in (2, 3) for each in itertools.combinations(numbers, n)]
    for variable in ({0}, {*numbers}, *some):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "node.onnx"
            path.write_bytes(with_constants(model, inputs, variable).SerializeToString())
            try:
                read = gk.interop.from_onnx(path)
            except ValueError as error:  # a refusal in one sentence; anything else is a fault
                reasons.append(str(error).replace(str(path), "FILE"))
                continue
            except Exception as error:  # noqa: BLE001
                reasons.append(f"FAULT {error!r}")
                continue
        x = [inputs[n] for n in sorted(variable)]
        for given in itertools.product(*(layouts(each) for each in x)):
            shapes = [each.shape[1:] for each in given]
            if shapes != [tuple(shape) for shape in read.plan.input_shapes]:
                continue
            try:
                found = read.forward(given if len(given) > 1 else given[0])
            except (ValueError, TypeError) as error:
                reasons.append(f"forward: {error}")
                continue
            results = found if isinstance(found, (list, tuple)) else [found]
            if len(results) < len(outputs):  # without labels, which are no floats
                wanted = [each for each in outputs if each.dtype.kind == "f"]
            else:
                wanted = outputs
            if len(results) == len(wanted) and all(map(fits, results, wanted)):
                return "passed"
            reasons.append("differs")
    faults = [each for each in reasons if each.startswith(("differs", "FAULT"))]
    return max(faults or reasons, default="no layout", key=len)


def kind_of(reason: str) -> str:
    """Return a reason without names, numbers and shapes."""
    reason = re.sub(
        r"^from_onnx: (FILE:? ?)?(node \d+ (\(|'[^']*' \()\w+, from .* to \S+\) )?", "", reason
    )
    return re.sub(r"'[^']*'|\(\d[^)]*\)|\[[^]]*\]|\d+", "N", reason)[:90]


PASSED = 1279  # of 1,884 in onnx 1.23.2; this number may only grow


def main() -> int:
    """Print a table of operators: how many tests passed, and why others were refused."""
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    by_reason, part = part == "--reasons", part.removeprefix("--reasons")
    passed, failed, wrong = Counter[str](), Counter[str](), []
    reasons = Counter[str]()
    for case in cases():
        if part not in case.name:
            continue
        operator = case.model.graph.node[0].op_type if "expanded" not in case.name else "expanded"
        inputs, outputs = case.data_sets[0]
        inputs, outputs = ([*map(as_array, each)] for each in (inputs, outputs))
        if not all(isinstance(each, np.ndarray) for each in (*inputs, *outputs)):
            failed[operator] += 1
            reasons[f"{operator}: takes sequences, strings or nothing"] += 1
            continue
        found = outcome(case.model, [*inputs], [*outputs])
        (passed if found == "passed" else failed)[operator] += 1
        if found != "passed":
            reasons[f"{operator}: {kind_of(found)}"] += 1
        is_wrong = found.startswith(("differs", "FAULT"))
        wrong += [case.name] * is_wrong
        if part or is_wrong:
            print(f"{case.name}: {found[:300]}")
    for operator in sorted(passed | failed):
        print(f"{operator:<24} {passed[operator]:>4} {failed[operator]:>4}")
    for reason, count in reasons.most_common() if by_reason else ():
        print(f"{count:>4} {reason}")
    print(f"{'all':<24} {passed.total():>4} {failed.total():>4}, wrong {len(wrong)}")
    return 1 if wrong or (not part and passed.total() < PASSED) else 0


if __name__ == "__main__":
    sys.exit(main())
