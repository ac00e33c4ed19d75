"""Operations that order, select and combine elements: gradients, layers and ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import gyaku as gk
from gyaku.reference.selections import SELECTIONS, einsum_terms

rng = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return rng.permutation(np.linspace(-0.9, 0.9, int(np.prod(shape)))).reshape(shape)


def places(limit: int, *shape: int) -> np.ndarray:
    return rng.integers(-limit, limit, shape).astype(float)


# Arguments and options; the places among the arguments have no gradient.
CASES: dict[str, tuple[str, list[np.ndarray], dict[str, Any]]] = {
    "arg_max": ("arg_max", [floats(2, 3, 4)], {"axis": 1, "keepdims": True, "last": False}),
    "arg_min, the last": (
        "arg_min",
        [np.array([[1.0, 0, 2, 0], [3, 3, 3, 3]])],
        {"axis": 1, "keepdims": False, "last": True},
    ),
    "constant": ("constant", [floats(2, 3), floats(1, 4)], {}),
    "products": (
        "cumulative_product",
        [np.where(np.abs(each := floats(2, 3, 4)) < 0.2, 0, each)],
        {"axis": 2, "exclusive": False, "reverse": False},
    ),
    "products before the element, backwards": (
        "cumulative_product",
        [floats(2, 4, 3)],
        {"axis": 1, "exclusive": True, "reverse": True},
    ),
    "determinant": ("determinant", [floats(2, 3, 3)], {}),
    "determinant of a singular matrix": ("determinant", [np.ones((2, 2, 2))], {}),
    "products of matrices": (
        "einsum",
        [floats(2, 3, 4), floats(1, 4, 5)],
        {"terms": ["zij", "zjk", "zki"]},
    ),
    "sums of a diagonal": ("einsum", [floats(2, 3, 3)], {"terms": ["zii", "z"]}),
    "diagonals": ("einsum", [floats(2, 4, 3, 3)], {"terms": ["zbii", "zbi"]}),
    "a product of three": (
        "einsum",
        [floats(2, 3), floats(2, 4), floats(2, 3, 5)],
        {"terms": ["za", "zb", "zac", "zcb"]},
    ),
    "gather": ("gather", [floats(2, 3, 4), places(4, 2, 2, 3)], {"axis": 2}),
    "gather one": ("gather", [floats(2, 3, 4), places(3, 2)], {"axis": 1}),
    "gather_elements": ("gather_elements", [floats(2, 3, 4), places(3, 2, 5, 2)], {"axis": 1}),
    "gather_tuples": ("gather_tuples", [floats(2, 3, 4, 2), places(3, 2, 5, 2)], {"axis": 1}),
    "gather_tuples of two axes of a batch": (
        "gather_tuples",
        [floats(2, 3, 4, 2), places(4, 2, 3, 1)],
        {"axis": 2},
    ),
    "hardmax": ("hardmax", [floats(2, 3, 4)], {"axis": 1}),
    "one_hot": ("one_hot", [places(6, 2, 3), floats(1, 2)], {"depth": 5, "axis": 1}),
    "one_hot of values by sample": (
        "one_hot",
        [places(5, 2), floats(2, 2)],
        {"depth": 5, "axis": 1},
    ),
    "scatter_elements": (
        "scatter_elements",
        [floats(2, 3, 4), np.array([[[0.0, 1]], [[2, -2]]]), floats(2, 1, 2)],
        {"axis": 1, "join": "none"},
    ),
    "scatter sums": (
        "scatter_elements",
        [floats(2, 3, 4), places(3, 2, 5, 2), floats(2, 5, 2)],
        {"axis": 1, "join": "add"},
    ),
    "scatter maxima": (
        "scatter_elements",
        [floats(2, 3, 4), places(3, 2, 2, 2), 0.3 + floats(2, 2, 2)],
        {"axis": 1, "join": "max"},
    ),
    "scatter minima of slices": (
        "scatter_tuples",
        [floats(2, 3, 4), places(3, 2, 2, 1), 0.3 + floats(2, 2, 4)],
        {"axis": 1, "join": "min"},
    ),
    "top": ("top", [floats(2, 5, 3)], {"axis": 1, "count": 2, "largest": False}),
    "top_places": ("top_places", [floats(2, 5, 3)], {"axis": 2, "count": 2, "largest": True}),
    "unpool": (
        "unpool",
        [
            floats(2, 2, 2, 3),
            np.argsort(rng.random((2, 12, 3)), 1)[:, :4].reshape(2, 2, 2, 3) * 1.0,
        ],
        {"sizes": [3, 4], "wraps": False},
    ),
    "unpool by places in the batch": (
        "unpool",
        [floats(2, 2, 1), np.array([[[0.0], [6]], [[9], [12]]])],
        {"sizes": [5], "wraps": True},
    ),
    "triangle": ("triangle", [floats(2, 4, 4)], {"upper": False, "diagonal": -1}),
}
PLACES = {
    "unpool",
    "gather",
    "gather_elements",
    "gather_tuples",
    "scatter_elements",
    "scatter_tuples",
}


def is_place(name: str, argument: int) -> bool:
    return (name in PLACES and argument == 1) or (name == "one_hot" and argument == 0)


def test_every_operation_has_a_case() -> None:
    assert {name for name, _, _ in CASES.values()} == set(SELECTIONS)


@pytest.mark.parametrize("case", CASES)
def test_a_gradient_is_the_limit_of_differences(case: str) -> None:
    name, x, options = CASES[case]
    y = SELECTIONS[name].forward(*x, **options)
    assert y.dtype == np.float64
    dy = np.random.default_rng(1).standard_normal(y.shape)
    gradients = SELECTIONS[name].backward(dy, y, *x, **options)
    for argument, (gradient, array) in enumerate(zip(gradients, x, strict=True)):
        assert gradient.shape == array.shape
        if is_place(name, argument) or (name == "constant" and argument == 1):
            continue
        if case == "arg_min, the last":  # of equal elements
            assert not gradient.any()
            continue
        for index in np.ndindex(array.shape):
            ends = []
            for sign in (1, -1):
                moved = [each.copy() for each in x]
                moved[argument][index] += sign * 1e-6
                ends.append(SELECTIONS[name].forward(*moved, **options))
            slope = ((ends[0] - ends[1]) * dy).sum() / 2e-6
            np.testing.assert_allclose(gradient[index], slope, rtol=1e-6, atol=1e-7)


NUMPY: dict[str, Callable[..., Any]] = {
    "arg_min, the last": lambda x: np.array([3, 3]),
    "products before the element, backwards": lambda x: np.stack(
        [np.prod(x[:, n + 1 :], axis=1) for n in range(4)], 1
    ),
    "gather": lambda x, p: np.stack([a[:, i.astype(int)] for a, i in zip(x, p, strict=True)]),
    "gather one": lambda x, p: np.stack([a[int(i)] for a, i in zip(x, p, strict=True)]),
    "gather_tuples": lambda x, p: np.stack(
        [[a[int(i), int(j)] for i, j in t] for a, t in zip(x, p, strict=True)]
    ),
    "one_hot": lambda p, v: np.stack(
        [np.where((p % 5 == n) & (p >= -5) & (p < 5), v[0, 1], v[0, 0]) for n in range(5)], 1
    ),
    "top": lambda x: np.sort(x, 1)[:, :2],
}


@pytest.mark.parametrize("case", NUMPY)
def test_an_operation_is_what_numpy_computes_by_other_means(case: str) -> None:
    name, x, options = CASES[case]
    y = SELECTIONS[name].forward(*x, **options)
    np.testing.assert_allclose(y, NUMPY[case](*x), rtol=1e-14)


def layer_of(case: str) -> tuple[gk.Model, list[np.ndarray]]:
    """Return an operation as a model, and samples; one row for all samples is a constant."""
    name, x, options = CASES[case]
    constants = [each.shape if len(each) == 1 else None for each in x]
    layer = gk.layers.ArrayOperation(name, options, constants if any(constants) else None)
    given = [each.astype(np.float32) for each in x if len(each) > 1]
    inputs = [gk.Input(each.shape[1:]) for each in given]
    model = gk.Model(inputs, layer(*inputs))
    model.build()
    for place, each in enumerate(x):
        if len(each) == 1:
            layer.buffers[f"constant_{place}"] = each
    return model, given


NO_NODES = {"unpool", "constant", "cumulative_product", "scatter_tuples"}


@pytest.mark.parametrize("case", CASES)
def test_an_operation_is_written_as_a_node_and_read_back(case: str, tmp_path: Path) -> None:
    name, _, options = CASES[case]
    (model, x), path = layer_of(case), tmp_path / "model.onnx"
    if name in NO_NODES or options.get("join") in ("max", "min"):
        with pytest.raises(ValueError, match=f"has no counterpart in opset 17: {name}"):
            gk.interop.to_onnx(model, path)
        return
    gk.interop.to_onnx(model, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    (expected,) = session.run(None, dict(zip(names, x, strict=True)))
    given = tuple(x) if len(x) > 1 else x[0]
    found = model.forward(given)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    back = gk.interop.from_onnx(path)
    rows = tuple(each.reshape(len(each), -1) if each.ndim == 1 else each for each in x)
    given = rows if len(rows) > 1 else rows[0]
    np.testing.assert_allclose(back.forward(given), found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("function", ["to_c", "to_numpy", "to_torch"])
def test_what_cannot_be_written_is_named(function: str, tmp_path: Path) -> None:
    model, _ = layer_of("top")
    arguments = () if function == "to_torch" else (tmp_path / "model",)
    with pytest.raises(ValueError, match=rf"^{function}: ArrayOperation .*\btop\b"):
        getattr(gk.interop, function)(model, *arguments)
    assert not list(tmp_path.iterdir())


def test_elements_at_places_train_what_is_in_front(tmp_path: Path) -> None:
    x, at = gk.Input((4,)), gk.Input((2,))
    layer = gk.layers.ArrayOperation("gather_elements", {"axis": 1})
    model = gk.Model([x, at], layer(gk.Dense(5)(x), at))
    model.build()
    model.save(tmp_path / "model.safetensors")
    model = gk.load(tmp_path / "model.safetensors")
    samples = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    chosen = np.random.default_rng(1).integers(0, 5, (8, 2))
    history = model.fit(
        (samples, chosen),
        np.ones((8, 2)),
        loss="mse",
        optimizer=gk.Adam(0.05),
        epochs=40,
        verbose=0,
        seed=0,
    )
    assert history["loss"][-1] < history["loss"][0] / 4


def test_equations_are_read_as_numpy_reads_them() -> None:
    assert einsum_terms("ij, jk", (2, 2)) == (["ij", "jk"], "ik")
    assert einsum_terms("...ii->...i", (4,)) == (["ABii"], "ABi")
    assert einsum_terms("...i,...i", (1, 3)) == (["i", "ABi"], "AB")
    for equation, ranks, reason in [
        ("ij,jk", (2,), "is of 2 arrays, got 1"),
        ("ij", (3,), "does not fit arrays of 3 axes"),
        ("...", (20,), "has too many axes"),
    ]:
        with pytest.raises(ValueError, match=reason):
            einsum_terms(equation, ranks)


def test_a_count_beyond_the_axis_is_refused() -> None:
    layer = gk.layers.ArrayOperation("top", {"axis": 1, "count": 4, "largest": True})
    with pytest.raises(ValueError, match=r"top cannot take \(3,\): count must be 1 to 3, got 4"):
        layer.build((3,))
