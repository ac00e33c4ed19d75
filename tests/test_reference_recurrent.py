"""Is the mathematics of recurrent layers right? The equations, without kernels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch_recurrent
from recurrent_cases import GATES, PARTS, RESULTS, SAVED, SMALL, drawn
from test_reference import FLOATS, by_complex_step, by_differences

from gyaku import reference
from gyaku.ops import TABLE

Array = np.ndarray[Any, Any]
EPS = float(np.finfo(np.float64).eps)
F64 = np.dtype(np.float64)
RECORDED = torch_recurrent.load()
# Options of the equation, and the arrays beside x, w and u.
VARIANTS = [
    (name, options, parts)
    for name, every in {
        "simple_rnn": [{}],
        "lstm": [{}],
        "gru": [{}, {"reset_after": False}],
    }.items()
    for options in every
    for parts in PARTS[name]
    if options.get("reset_after", True) or "b_recurrent" not in parts
]
# Functions of straight lines, and limits that act on about half of the sums.
BENT: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("simple_rnn", {"activation": "relu"}, PARTS["simple_rnn"][-1]),
    ("simple_rnn", {"activation": "leaky_relu", "clip": 0.5}, PARTS["simple_rnn"][-1]),
    ("lstm", {"activations": ("hard_sigmoid", "softsign", "elu")}, PARTS["lstm"][-1]),
    ("lstm", {"activations": ("sigmoid", "identity", "tanh"), "clip": 0.5}, PARTS["lstm"][-1]),
    ("gru", {"activations": ("hard_sigmoid", "selu")}, PARTS["gru"][-1]),
    ("gru", {"clip": 0.5}, PARTS["gru"][-1]),
    ("gru", {"clip": 0.5, "reset_after": False}, ("b", "h0", "lengths")),
]
VARIANTS += BENT
each_variant = pytest.mark.parametrize(
    ("name", "options", "parts"),
    VARIANTS,
    ids=[
        "-".join((name, *map(str, options.values()), *parts)) for name, options, parts in VARIANTS
    ],
)
both_directions = pytest.mark.parametrize("reverse", [False, True])


def random(name: str, parts: tuple[str, ...]) -> dict[str, Array]:
    rng = np.random.default_rng(len(name) + len(parts))
    return drawn(name, rng, F64, (2, 3, 2, 3), parts)


def results_of(name: str, arrays: dict[str, Array], **options: Any) -> dict[str, Array]:
    return dict(zip(RESULTS[name], getattr(reference, name)(**arrays, **options), strict=True))


def gradients_of(
    name: str, arrays: dict[str, Array], results: dict[str, Array], **given: Any
) -> dict[str, Array]:
    """Return the gradients by the names of their arguments."""
    passed = {key: arrays[key] for key in ("x", "w", "u")}
    passed |= {key: results[key] for key in SAVED[name]}
    optional = {"c0", "peepholes", "projection", "lengths"} & set(arrays)
    passed |= {key: arrays[key] for key in optional}
    values = getattr(reference, f"{name}_backward")(**passed, **given)
    names = {
        "simple_rnn": ["x", "w", "u", "b", "h0"],
        "lstm": ["x", "w", "u", "b", "h0", "c0"],
        "gru": ["x", "w", "u", "b", "b_recurrent", "h0"],
    }[name]
    names += [extra for extra in ("peepholes", "projection") if extra in arrays]
    return dict(zip(names, values, strict=True))


def assert_close(actual: Array, expected: Array, op: str, terms: int, unit: float = EPS) -> None:
    scale = max(float(np.abs(expected).max(initial=0)), 1)
    bound = 2 * TABLE[op].roundings * unit * math.sqrt(terms) * scale
    assert np.abs(actual - expected).max(initial=0) <= bound


@both_directions
@each_variant
def test_gradients_of_every_argument(
    name: str, options: dict[str, Any], parts: tuple[str, ...], reverse: bool
) -> None:
    arrays = random(name, parts)
    results = results_of(name, arrays, **options, reverse=reverse)
    rng = np.random.default_rng(5)
    dy, dhn = rng.standard_normal(results["y"].shape), rng.standard_normal(results["hn"].shape)
    given: dict[str, Any] = {"dy": dy, "dhn": dhn}
    if name == "lstm":
        given["dcn"] = rng.standard_normal(results["cn"].shape)
    gradients = gradients_of(name, arrays, results, **given, **options, reverse=reverse)
    by, unit = by_complex_step, EPS
    if (name, options, parts) in BENT:  # by differences, whose rounding the step magnifies
        by, unit = by_differences, EPS ** (2 / 3)
    for argument in set(arrays) - {"lengths"}:

        def loss(value: Array, argument: str = argument) -> Array:
            found = results_of(name, arrays | {argument: value}, **options, reverse=reverse)
            lost = (dy * found["y"]).sum() + (dhn * found["hn"]).sum()
            return np.asarray(lost + (given["dcn"] * found["cn"]).sum() if "dcn" in given else lost)

        expected = by(loss, arrays[argument], np.ones(()))
        assert_close(gradients[argument], expected, f"{name}_backward", dy.size, unit)


@pytest.mark.parametrize("case", [case for case in RECORDED if "layers" not in case])
def test_outputs_and_gradients_are_those_of_pytorch(case: str) -> None:
    record = RECORDED[case]
    kind = case.split()[0]
    name = "simple_rnn" if kind == "rnn" else kind
    options = {"activation": "relu"} if case.endswith("relu") else {}
    arrays = torch_recurrent.converted(kind, record["params"])
    arrays |= {"x": np.array(record["x"]), "lengths": np.array(record["lengths"])}
    arrays |= first_of(("h0", "c0"), record["states"])
    found = results_of(name, arrays, **options)
    expected = {"y": np.array(record["results"][0])}
    expected |= first_of(("hn", "cn"), record["results"][1:])
    terms = found["y"].size
    for result, each in expected.items():
        assert_close(found[result], each, name, terms)
    given = {"dy": np.array(record["dresults"][0])}
    given |= first_of(("dhn", "dcn"), record["dresults"][1:])
    gradients = gradients_of(name, arrays, found, **given, **options)
    expected = torch_recurrent.converted(kind, record["grads"], gradients=True)
    expected |= {"x": np.array(record["dx"])} | first_of(("h0", "c0"), record["dstates"])
    for argument, each in expected.items():
        assert_close(gradients[argument], each, f"{name}_backward", terms)


def first_of(names: tuple[str, str], arrays: list[Any]) -> dict[str, Array]:
    """Return the arrays by name, each of the first layer."""
    return {name: np.array(each[0]) for name, each in zip(names, arrays, strict=False)}


@pytest.mark.parametrize("name", GATES)
def test_no_gradient_of_the_output_is_one_of_zeros(name: str) -> None:
    arrays = random(name, ("b", "h0"))
    results = results_of(name, arrays)
    dhn = np.ones_like(results["hn"])
    without = gradients_of(name, arrays, results, dy=None, dhn=dhn)
    zeros = gradients_of(name, arrays, results, dy=np.zeros_like(results["y"]), dhn=dhn)
    for argument, each in without.items():
        np.testing.assert_array_equal(each, zeros[argument])


@both_directions
@pytest.mark.parametrize("name", GATES)
def test_padded_steps_are_as_if_they_were_not_there(name: str, reverse: bool) -> None:
    arrays = random(name, ("b", "h0", "c0") if name == "lstm" else ("b", "h0"))
    arrays["lengths"] = np.array([2, 3])
    results = results_of(name, arrays, reverse=reverse)
    row = {key: each[:1] if key in {"x", "h0", "c0"} else each for key, each in arrays.items()}
    alone = {key: each for key, each in row.items() if key != "lengths"} | {"x": row["x"][:, :2]}
    expected = results_of(name, alone, reverse=reverse)
    for key, each in expected.items():
        whole = results[key][:1]
        if each.ndim == 3:
            np.testing.assert_array_equal(whole[:, 2:], 0)
            whole = whole[:, :2]
        assert_close(whole, each, name, each.size)
    changed = arrays | {"x": arrays["x"].copy()}
    changed["x"][0, 2] = np.nan
    for key, each in results_of(name, changed, reverse=reverse).items():
        np.testing.assert_array_equal(each, results[key])


@pytest.mark.parametrize("name", GATES)
def test_reverse_is_the_layer_of_reversed_time(name: str) -> None:
    arrays = random(name, ("b", "h0"))
    backwards = results_of(name, arrays, reverse=True)
    turned = results_of(name, arrays | {"x": arrays["x"][:, ::-1]})
    for key, each in turned.items():
        assert_close(backwards[key], each[:, ::-1] if each.ndim == 3 else each, name, 9)


@pytest.mark.parametrize("name", GATES)
def test_two_halves_with_carried_states_are_the_whole(name: str) -> None:
    arrays = drawn(name, np.random.default_rng(0), F64, SMALL, ("b",))
    whole = results_of(name, arrays)
    first = results_of(name, arrays | {"x": arrays["x"][:, :2]})
    carried = {"h0": first["hn"]} | ({"c0": first["cn"]} if name == "lstm" else {})
    second = results_of(name, arrays | carried | {"x": arrays["x"][:, 2:]})
    joined = np.concatenate([first["y"], second["y"]], axis=1)
    assert_close(joined, whole["y"], name, sum(SMALL))
    assert_close(second["hn"], whole["hn"], name, sum(SMALL))


def test_known_lstm() -> None:
    # Gates are 1/2 or, behind a large bias, 0 or 1: a cell that adds up what comes in.
    w = np.array([[0.0, 0.0, 1.0, 0.0]])
    b = np.array([100.0, 100.0, 0.0, 0.0])
    x = np.arctanh(np.array([0.5, 0.25, 0.125])).reshape(1, 3, 1)
    y, _, cn, gates, cells, _ = reference.lstm(x, w, np.zeros((1, 4)), b)
    assert_close(cells.ravel(), np.array([0.5, 0.75, 0.875]), "lstm", 3)
    assert_close(y.ravel(), np.tanh(cells.ravel()) / 2, "lstm", 1)
    np.testing.assert_array_equal(gates[0, :, [0, 1, 3]], [[1] * 3, [1] * 3, [0.5] * 3])
    assert cn == cells[0, 2]


def test_known_gru() -> None:
    # The update gate is 1/2, the reset gate 0: the state does not enter the candidate.
    b = np.array([-1000.0, 0.0, 0.0])
    x, w = np.arctanh(np.array([0.5, 0.25])).reshape(1, 2, 1), np.array([[0.0, 0.0, 1.0]])
    u = np.array([[0.0, 0.0, 3.0]])
    for reset_after in (True, False):
        y, *_ = reference.gru(x, w, u, b, reset_after=reset_after)
        assert_close(y.ravel(), np.array([0.25, 0.25]), "gru", 2)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", GATES)
def test_dtypes_are_kept(name: str, dtype: type) -> None:
    arrays = {key: each.astype(dtype) for key, each in random(name, ("b", "h0")).items()}
    results = results_of(name, arrays)
    gradients = gradients_of(name, arrays, results, dy=results["y"], dhn=results["hn"])
    found = {each.dtype for each in (*results.values(), *gradients.values())}
    assert found == {np.dtype(dtype)}
