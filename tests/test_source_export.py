"""Models written as source code: compiled, run, and compared with their predictions."""

from __future__ import annotations

import ctypes
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layer_cases import LAYER_CASES
from test_array_operations import SELECTORS, arguments, options
from test_onnx_export import drawn, randomised, tagger

import gyaku as gk
from gyaku.interop.source.c_body import literals
from gyaku.reference.arrays import ARRAY_OPERATIONS

OWN = {"Product", "Scale", "Sum"}
REFUSED = {"BatchNorm without statistics"}
CASES = {name: case for name, case in LAYER_CASES.items() if name not in OWN | REFUSED}
BASES = {gk.Layer, gk.layers.Activation}  # of other layers


def test_every_layer_class_is_written() -> None:
    exported = [getattr(gk.layers, name) for name in gk.layers.__all__]
    classes = {
        each.__name__
        for each in exported
        if isinstance(each, type) and issubclass(each, gk.Layer) and each not in BASES
    }
    assert classes == {name.split()[0] for name in CASES}


STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def compiled(path: Path, *options: str) -> ctypes.CDLL:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    library = path.with_suffix(".so")
    command = ["cc", *STRICT, *options, "-shared", "-fPIC", path, "-lm", "-o", library]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


def call(library: ctypes.CDLL, path: Path, model: gk.Model, x: list[Any]) -> list[np.ndarray]:
    """Predict a sample by the compiled function, in a workspace without a valid number."""
    size = int(re.search(r"_WORKSPACE (\d+)$", path.read_text(), re.MULTILINE)[1])
    given = [np.ascontiguousarray(a, np.int32 if a.dtype.kind == "i" else model.dtype) for a in x]
    found = [np.full(shape, np.nan, model.dtype) for shape in model.plan.output_shapes]
    arrays = [*given, *found, np.full(size, np.nan, model.dtype)]
    predict = getattr(library, f"{path.stem}_predict")
    predict(*(ctypes.c_void_p(each.ctypes.data) for each in arrays))
    return found


def every_layer(dtype: str) -> tuple[gk.Model, list[np.ndarray]]:
    """Return a graph in which each case is a branch, and three samples."""
    inputs, outputs, samples = [], [], []
    for case in CASES.values():
        own = [gk.Input(shape) for shape in case.shapes]
        inputs += own
        outputs.append(case.make()(*own))
        samples += drawn(case)
    model = gk.Model(inputs, outputs, dtype=dtype)
    model.build()
    return randomised(model), samples


def within_rounding(found: Any, expected: Any, dtype: str) -> None:
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_c_of_every_layer_computes_the_same_outputs(dtype: str, tmp_path: Path) -> None:
    model, samples = every_layer(dtype)
    gk.interop.to_c(model, tmp_path / "every.c")
    library = compiled(tmp_path / "every.c", "-O0", "-DGYAKU_SELF_TEST")
    assert library.main() == 0
    expected = model.predict(samples)
    for n in range(3):
        found = call(library, tmp_path / "every.c", model, [x[n] for x in samples])
        for name, a, b in zip(CASES, found, expected, strict=True):
            np.testing.assert_array_equal(np.isfinite(a), True, err_msg=name)
            within_rounding(a, b[n], dtype)


@pytest.mark.parametrize("name", CASES)
def test_numpy_of_a_layer_computes_the_same_outputs(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model = case.model()
    model.build(case.shape)
    randomised(model)
    gk.interop.to_numpy(model, tmp_path / "layer.py")
    x = drawn(case)
    expected = model.forward(tuple(x) if len(x) > 1 else x[0])
    found = runpy.run_path(str(tmp_path / "layer.py"))["predict"](*x)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("name", sorted(REFUSED))
@pytest.mark.parametrize("function", ["to_c", "to_numpy"])
def test_a_layer_without_source_code_is_refused(function: str, name: str, tmp_path: Path) -> None:
    model = LAYER_CASES[name].model()
    model.build(LAYER_CASES[name].shape)
    with pytest.raises(ValueError, match=rf"^{function}: {name.split()[0]} '\w+' "):
        getattr(gk.interop, function)(model, tmp_path / "model")
    assert not list(tmp_path.iterdir())


def every_operation(dtype: str) -> tuple[gk.Model, list[np.ndarray]]:
    """Return a graph in which each operation on arrays is a branch, and its samples."""
    inputs, outputs, samples = [], [], []
    for name in ARRAY_OPERATIONS:
        x = [np.asarray(each, dtype) for each in arguments(name)]
        shapes = [each.shape if n in SELECTORS.get(name, ()) else None for n, each in enumerate(x)]
        if name == "where":
            shapes, x[0] = [(1, *x[0].shape[1:]), None, None], x[0][:1]
        given = shapes if any(shapes) else None
        layer = gk.layers.ArrayOperation(name, options(name), given, name=name)
        own = [each for each, shape in zip(x, shapes, strict=True) if shape is None]
        inputs.append([gk.Input(each.shape[1:]) for each in own])
        outputs.append(layer(*inputs[-1]))
        samples += own
    model = gk.Model([each for own in inputs for each in own], outputs, dtype=dtype)
    model.build()
    for layer in model.plan.layers:
        for place, array in enumerate(arguments(layer.name)):
            if f"constant_{place}" in layer.buffers:
                layer.buffers[f"constant_{place}"] = array if layer.name == "mix" else array[:1]
    return model, samples


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation_on_arrays_computes_the_same_outputs(dtype: str, tmp_path: Path) -> None:
    model, samples = every_operation(dtype)
    gk.interop.to_c(model, tmp_path / "every.c")
    library = compiled(tmp_path / "every.c", "-O0")
    gk.interop.to_numpy(model, tmp_path / "every.py")
    of_numpy = runpy.run_path(str(tmp_path / "every.py"))["predict"](*samples)
    expected = model.forward(tuple(samples))
    for n in range(2):
        of_c = call(library, tmp_path / "every.c", model, [x[n] for x in samples])
        for name, a, b, c in zip(ARRAY_OPERATIONS, of_c, of_numpy, expected, strict=True):
            np.testing.assert_array_equal(np.isfinite(a), True, err_msg=name)
            within_rounding(a, c[n], dtype)
            within_rounding(b[n], c[n], dtype)


def test_masked_sequences_end_at_their_lengths(tmp_path: Path) -> None:
    layers = [gk.Masking(-1.0), gk.LSTM(3, return_sequences=True), gk.GRU(2, go_backwards=True)]
    model = gk.Sequential(*layers)
    model.build((5, 2))
    randomised(model)
    x = np.random.default_rng(0).standard_normal((3, 5, 2), np.float32)
    x[0, 3:] = x[1, 1:] = x[1, 0, 0] = x[2] = -1
    gk.interop.to_c(model, tmp_path / "masked.c")
    gk.interop.to_numpy(model, tmp_path / "masked.py")
    library, expected = compiled(tmp_path / "masked.c", "-O0"), model.predict(x)
    found = [call(library, tmp_path / "masked.c", model, [each])[0] for each in x]
    within_rounding(found, expected, "float32")
    predict = runpy.run_path(str(tmp_path / "masked.py"))["predict"]
    within_rounding(predict(x), expected, "float32")


IN_STEPS = {
    "ArrayOperation": lambda: gk.layers.ArrayOperation("minimum", (), [None, (1, 1, 2)]),
    "GroupNorm": lambda: gk.GroupNorm(2),
    "LSTM": lambda: gk.LSTM(2, activations=("hard_sigmoid", "selu", "elu"), clip=0.9),
    "Pad": lambda: gk.Pad(((1, 2), (0, 1)), "reflect"),
    "Permute": lambda: gk.Permute((3, 1, 2)),
    "PReLU": lambda: gk.PReLU([1]),
    "Slice": lambda: gk.Slice(step=-2, axis=2),
    "Softmax": lambda: gk.Softmax(axis=1),
    "Upsample": lambda: gk.Upsample((2, 3), mode="linear"),
}


@pytest.mark.parametrize("name", IN_STEPS)
def test_layers_of_each_step_compute_the_same_outputs(name: str, tmp_path: Path) -> None:
    shape = (3, 4, 5, 2)[: 3 if name == "LSTM" else 4]
    model = gk.Sequential(gk.TimeDistributed(IN_STEPS[name]()))
    model.build(shape)
    randomised(model)
    x = np.random.default_rng(0).standard_normal((2, *shape), np.float32)
    expected, path = model.predict(x), tmp_path / "steps.c"
    gk.interop.to_c(model, path)
    library = compiled(path, "-O0")
    for a, b in zip(x, expected, strict=True):
        within_rounding(call(library, path, model, [a])[0], b, "float32")
    gk.interop.to_numpy(model, tmp_path / "steps.py")
    found = runpy.run_path(str(tmp_path / "steps.py"))["predict"](x)
    within_rounding(found, expected, "float32")


def residual() -> tuple[gk.Model, list[np.ndarray]]:
    """Return a graph with shared layers, two inputs, and outputs that other layers read."""
    a, b = gk.Input((6,), name="int"), gk.Input((6,), name="x.y")
    shared = gk.Dense(6, "relu", name="class")
    first, second = shared(a), shared(b)
    total = gk.Add()(first, second, a)
    scaled = gk.Rescaling(2.0)(total)
    y = gk.Dense(3, "softmax")(gk.Concatenate()(scaled, total, gk.Reshape((6,))(first)))
    model = gk.Model([a, b], [total, y, scaled, total])
    model.build()
    rng = np.random.default_rng(3)
    return model, [rng.standard_normal((4, 6), np.float32) for _ in range(2)]


def test_graphs_share_memory_and_keep_what_is_read_later(tmp_path: Path) -> None:
    model, x = residual()
    gk.interop.to_c(model, tmp_path / "graph.c")
    gk.interop.to_numpy(model, tmp_path / "graph.py")
    library, expected = compiled(tmp_path / "graph.c", "-O0"), model.predict(x)
    of_numpy = runpy.run_path(str(tmp_path / "graph.py"))["predict"](*x)
    for n in range(4):
        for found in (
            call(library, tmp_path / "graph.c", model, [each[n] for each in x]),
            [each[n] for each in of_numpy],
        ):
            for a, b in zip(found, expected, strict=True):
                within_rounding(a, b[n], "float32")


def test_padded_sequences_end_at_their_lengths(tmp_path: Path) -> None:
    model = randomised(tagger())
    gk.interop.to_c(model, tmp_path / "tagger.c")
    gk.interop.to_numpy(model, tmp_path / "tagger.py")
    ids = np.array([[1, 2, 3, 4, 5], [7, 0, 8, 0, 0], [3, 0, 0, 0, 0]])
    library, expected = compiled(tmp_path / "tagger.c", "-O0"), model.predict(ids)
    found = [call(library, tmp_path / "tagger.c", model, [each])[0] for each in ids]
    within_rounding(found, expected, "float32")
    predict = runpy.run_path(str(tmp_path / "tagger.py"))["predict"]
    for shape in ((2, 1), (3, 8)):  # any number of steps
        ids = np.random.default_rng(0).integers(1, 9, shape)
        within_rounding(predict(ids), model.predict(ids), "float32")


def small() -> gk.Sequential:
    model = gk.Sequential(gk.Dense(3, "relu"), gk.Dense(2))
    model.build((4,))
    return model


def test_the_self_test_finds_a_wrong_number(tmp_path: Path) -> None:
    path = tmp_path / "small.c"
    gk.interop.to_c(small(), path)
    source = path.read_text()
    weight = re.search(r"dense_weight\[12\] = {\n +([^,]+),", source)
    path.write_text(source[: weight.start(1)] + "100.0f" + source[weight.end(1) :])
    assert compiled(path, "-DGYAKU_SELF_TEST").main() == 1


def test_the_files_test_themselves(tmp_path: Path) -> None:
    path = tmp_path / "small.py"
    gk.interop.to_numpy(small(), path)
    done = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True, check=True)
    assert float(done.stdout.removeprefix("largest difference ")) < 1e-6
    assert "gyaku" not in re.sub(r'^""".*?"""', "", path.read_text(), flags=re.DOTALL)


def test_literals_give_back_the_same_bits() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, np.uint32)
    numbers = np.concatenate([bits.view(np.float32), np.float32([0.0, -0.0, 1e-45, 3.4028235e38])])
    numbers = numbers[np.isfinite(numbers)]
    back = np.array([each.removesuffix("f") for each in literals(numbers)]).astype(np.float32)
    np.testing.assert_array_equal(back.view(np.uint32), numbers.view(np.uint32))
    assert literals(np.array([np.inf, -np.inf, np.nan])) == ["INFINITY", "-INFINITY", "NAN"]


def test_one_sample_takes_no_longer_than_three_times_that_of_gyaku(tmp_path: Path) -> None:
    model, path = gk.models.lenet(), tmp_path / "lenet.c"
    model.build((28, 28, 1))
    gk.interop.to_c(model, path)
    # The same number everywhere, since compilers take seconds to read 430,000 of them.
    source = re.sub(r"(\[(\d{4,})\] = ){[^}]+}", r"\1{0.5f}", path.read_text())
    path.write_text(source)
    library = compiled(path, "-O3", "-march=native")
    x = np.random.default_rng(0).random((1, 28, 28, 1), np.float32)
    arrays = [x, np.empty(10, np.float32), np.empty(100_000, np.float32)]
    pointers = [ctypes.c_void_p(each.ctypes.data) for each in arrays]
    own = lambda: model.predict(x)  # noqa: E731
    exported = lambda: library.lenet_predict(*pointers)  # noqa: E731
    gk.set_num_threads(1)
    try:
        times = [(timed(own), timed(exported)) for _ in range(200)]
    finally:
        gk.set_num_threads(None)
    of_own, of_exported = map(min, zip(*times, strict=True))
    assert of_exported <= 3 * of_own


def timed(function: Any) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def test_a_header_states_shapes_and_workspace(tmp_path: Path) -> None:
    path = tmp_path / "2-digits.c"
    model = gk.Sequential(gk.Conv2D(2, 3, padding=1), gk.Flatten(), gk.Dense(10))
    model.build((4, 5, 1))
    gk.interop.to_c(model, path)
    head = path.read_text().partition("*/")[0]
    assert "void _2_digits_predict(const float* x, float* y, float* workspace);" in head
    assert "   x          4 x 5 x 1\n   y          10\n" in head
    # The padded image, and the result of the convolution.
    assert f"_2_DIGITS_WORKSPACE = {6 * 7 + 4 * 5 * 2} elements\n" in head


MISTAKES = {
    "model must be a gyaku model, got int": (TypeError, lambda: 3),
    "the model is not built, call build(input_shape) or fit first": (
        ValueError,
        lambda: gk.Sequential(gk.Dense(3)),
    ),
    "LSTM 'lstm' is stateful, and the function keeps no state from one call to the next; give its"
    " states as inputs and return_state=True instead": (
        ValueError,
        lambda: built(gk.LSTM(3, stateful=True)),
    ),
    "ArrayOperation 'array_operation' multiplies rows, of which no source code is written": (
        ValueError,
        lambda: built(gk.layers.ArrayOperation("matmul", (), [None, (2, 3)]), (2,)),
    ),
    "Sum 'sum' is a layer of your own": (
        ValueError,
        lambda: built(LAYER_CASES["Sum"].make()),
    ),
}


def built(layer: gk.Layer, shape: tuple[int, ...] = (4, 2)) -> gk.Sequential:
    model = gk.Sequential(layer)
    model.build(shape)
    return model


@pytest.mark.parametrize("message", MISTAKES)
@pytest.mark.parametrize("name", ["to_c", "to_numpy"])
def test_a_model_that_cannot_be_written_is_refused(name: str, message: str, tmp_path: Path) -> None:
    error, make = MISTAKES[message]
    with pytest.raises(error) as raised:
        getattr(gk.interop, name)(make(), tmp_path / "model")
    assert str(raised.value) == f"{name}: {message}"
    assert not list(tmp_path.iterdir())


def test_wrong_inputs_of_a_numpy_file_are_refused(tmp_path: Path) -> None:
    gk.interop.to_numpy(small(), tmp_path / "small.py")
    predict = runpy.run_path(str(tmp_path / "small.py"))["predict"]
    with pytest.raises(
        ValueError, match=r"^predict: x must have the shape \(samples, 4\), got \(2, 3\)$"
    ):
        predict(np.zeros((2, 3)))
    gk.interop.to_numpy(tagger(), tmp_path / "tagger.py")
    predict = runpy.run_path(str(tmp_path / "tagger.py"))["predict"]
    with pytest.raises(TypeError, match=r"^predict: x must hold integers, got float64$"):
        predict(np.zeros((2, 3)))


ENDINGS = ("safetensors", "onnx", "c", "py")
WRITE = """
import gyaku as gk
model = gk.load("trained.safetensors")
model.save("{seed}/a.safetensors")
gk.interop.to_onnx(model, "{seed}/a.onnx")
gk.interop.to_c(model, "{seed}/a.c")
gk.interop.to_numpy(model, "{seed}/a.py")
"""


def test_files_of_two_processes_are_equal(tmp_path: Path) -> None:
    # safetensors 0.8.0 itself orders the keys of the metadata by chance.
    model = small()
    model.fit(np.eye(4), np.eye(4)[:, :2], loss="mse", epochs=1, verbose=0, seed=0)
    model.save(tmp_path / "trained.safetensors")
    running = []
    for seed in ("0", "1"):
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-c", WRITE.format(seed=seed)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        running.append(subprocess.Popen(command, env=environment, cwd=tmp_path))
    assert [each.wait() for each in running] == [0, 0]
    for ending in ENDINGS:
        first, second = (tmp_path / seed / f"a.{ending}" for seed in ("0", "1"))
        assert first.read_bytes() == second.read_bytes()
