"""Recurrent layers in bfloat16: each step multiplies rounded states, all else is in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_case import FLOAT32, Array
from recorded import names, record
from recurrent_cases import GATES, RESULTS, SAVED, drawn

import gyaku as gk
from gyaku import _core, ops
from gyaku.precision import rounded, use_precision

each_op = pytest.mark.parametrize("name", GATES)
# Sequences and units around the sizes of tiles, vectors, panels and pairs.
each_size = pytest.mark.parametrize(
    "size", [(1, 131), (3, 1), (14, 16), (15, 33), (29, 7), (1, 32), (2, 192)], ids=str
)
EPS = 2.0**-24


def one_step(name: str, size: tuple[int, int], parts: tuple[str, ...] = ("b", "h0")) -> Any:
    rows, units = size
    parts += ("c0",) if name == "lstm" else ()
    return drawn(name, np.random.default_rng(2), FLOAT32, (rows, 1, 18, units), parts)


def wide(arrays: dict[str, Array]) -> dict[str, Array]:
    return {key: each.astype(np.float64) for key, each in arrays.items()}


def error_of_sums(arrays: dict[str, Array]) -> float:
    """Return how far a sum of a step, in float32 and any order, may be from the exact one."""
    x, w, u, h0, b = (np.abs(arrays[key]) for key in ("x", "w", "u", "h0", "b"))
    terms = len(w) + len(u) + 2
    return float(1.02 * terms * EPS * (x[:, 0] @ w + h0 @ u + b).max())


@each_size
@each_op
def test_a_step_multiplies_the_rounded_state(name: str, size: tuple[int, int]) -> None:
    arrays = one_step(name, size)
    with use_precision("bfloat16"):
        found = dict(zip(RESULTS[name], getattr(ops, name)(**arrays), strict=True))
        with gk.use_backend("reference"):
            wanted = dict(zip(RESULTS[name], getattr(ops, name)(**wide(arrays)), strict=True))
    # No function of a cell is steeper than its argument; states below 4 multiply some of them.
    bound = 8 * error_of_sums(arrays) + 32 * EPS
    assert max(abs(arrays[key]).max() for key in ("h0", "c0") if key in arrays) < 5
    for key in found:
        assert abs(found[key] - wanted[key]).max() <= bound, key


@each_size
@each_op
def test_gradients_of_a_state_are_products_of_rounded_gradients(
    name: str, size: tuple[int, int]
) -> None:
    arrays = one_step(name, size)
    rows, units = size
    dy = np.random.default_rng(3).standard_normal((rows, 1, units)).astype(FLOAT32)
    with use_precision("bfloat16"):
        results = dict(zip(RESULTS[name], getattr(ops, name)(**arrays), strict=True))
        gates = results.get("gates", results["y"])
        found = _core.recurrent_backward(
            "tanh" if name == "simple_rnn" else name,
            *(dy, None, None, arrays["u"], gates, results.get("cells"), results.get("inner")),
            *(results["previous"], arrays.get("c0"), None, None, None, False),
        )
    dgates, dinner, dh0 = found[0][:, 0], found[1], found[4]
    through = (
        dgates if dinner is None else np.concatenate([dgates[:, : 2 * units], dinner[:, 0]], 1)
    )
    kept = dy[:, 0] * gates[:, 0, units : 2 * units] if name == "gru" else np.zeros_like(dh0)
    left, right = rounded(through).astype(np.float64), rounded(arrays["u"]).astype(np.float64)
    bound = (left.shape[1] + 4) * EPS * (abs(left) @ abs(right).T + abs(kept)) * 1.02
    assert (abs(dh0 - (kept + left @ right.T)) <= bound + 1e-30).all()


@each_op
def test_gradients_of_two_halves_are_those_of_the_whole(name: str) -> None:
    size, half = (17, 4, 18, 33), 2
    arrays = drawn(name, np.random.default_rng(0), FLOAT32, size, ("b",))
    dy = np.random.default_rng(1).standard_normal((17, 4, 33)).astype(FLOAT32)
    backward, carried = getattr(ops, f"{name}_backward"), ("dhn", "dcn")[: 1 + (name == "lstm")]
    with use_precision("bfloat16"):
        results = dict(zip(RESULTS[name], getattr(ops, name)(**arrays), strict=True))

        def gradients(times: slice, **kept: Array) -> Any:
            saved = [results[key][:, times] for key in SAVED[name]]
            given = [dy[:, times], arrays["x"][:, times], arrays["w"], arrays["u"], *saved]
            before = {"c0": results["cells"][:, half - 1]} if name == "lstm" and times.start else {}
            return backward(*given, **before, **kept)[-len(carried) :]

        whole = gradients(slice(0, None))
        last = gradients(slice(half, None))
        first = gradients(slice(0, half), **dict(zip(carried, last, strict=True)))
    for one, other in zip(whole, first, strict=True):
        assert one.tobytes() == other.tobytes()


@each_op
def test_steps_read_weights_in_pairs_or_rounded(name: str) -> None:
    arrays = one_step(name, (15, 33))
    with use_precision("bfloat16"):
        program, _ = record(lambda: getattr(ops, name)(**arrays))
    found = names(program)
    pairs = _core.multiplies_bfloat16()
    assert found.count("pack in bfloat16") == (3 if pairs else 0)  # x, w and u
    assert ("round to bfloat16" in found) != pairs


@pytest.mark.parametrize("rows", [17, 256, 331])  # beyond 256 sums are in float64
def test_gradients_of_the_gates_are_packed_and_summed_once(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = one_step("lstm", (rows, 33))
    dy = np.random.default_rng(4).standard_normal((rows, 1, 33)).astype(FLOAT32)

    def step() -> Any:
        with use_precision("bfloat16"):
            results = dict(zip(RESULTS["lstm"], ops.lstm(**arrays), strict=True))
            saved = [results[key] for key in SAVED["lstm"]]
            return ops.lstm_backward(dy, *(arrays[key] for key in "xwu"), *saved)

    found, tasks = {}, {}
    for optimize in ("0", "1"):
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        program, gradients = record(step)
        for each in gradients:
            each[...] = 0
        _core.replay([(program, 1)])
        found[optimize] = [each.tobytes() for each in gradients]
        tasks[optimize] = names(program)
    assert found["0"] == found["1"]
    if not _core.multiplies_bfloat16():
        assert "round to bfloat16" in tasks["1"]
        assert not any("pack in" in name for name in tasks["0"] + tasks["1"])
        return
    packed = {key: sum("pack in" in name for name in each) for key, each in tasks.items()}
    assert packed["0"] == packed["1"] + 1
    assert "pack in bfloat16 + sum_rows" in tasks["1"]
    assert "round to bfloat16" in tasks["0"]
    assert "round to bfloat16" not in tasks["1"]
