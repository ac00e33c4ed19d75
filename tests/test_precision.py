"""Products in bfloat16: rounded operands, sums in float32, all else as it was."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from op_case import FLOAT32, FLOAT64, Array, Case, DType
from op_cases import BY_OP
from recorded import names, record

import gyaku as gk
from gyaku import _core, ops
from gyaku.callbacks import ModelCheckpoint
from gyaku.cli import main
from gyaku.precision import rounded, use_precision

PRODUCTS = ("matmul", "sum_rows", "conv2d", "conv2d_backward_data", "conv2d_backward_weights")
PRODUCTS += ("conv2d_backward", "conv2d_transpose", "conv2d_transpose_backward")
# Their steps round results of earlier ones: a last bit decides between two neighbours, except
# where the kernel has many more bits.
RECURRENT = ("simple_rnn", "lstm", "gru")
RECURRENT += tuple(f"{name}_backward" for name in RECURRENT)
EACH = [*((op, FLOAT32) for op in PRODUCTS), *((op, FLOAT64) for op in RECURRENT)]


def bits_rounded(x: Array) -> Array:
    """Return the upper halves of the bits, rounded to nearest even."""
    bits = x.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def every_upper_half() -> Array:
    """Return each number of bfloat16 with the lower bits around a tie; none is subnormal or NaN."""
    upper = np.arange(1 << 16, dtype=np.uint32) << 16
    lower = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    x = (upper[:, np.newaxis] | lower).ravel().view(np.float32)
    exponent = x.view(np.uint32) >> 23 & 0xFF
    return x[((exponent > 0) & (exponent < 255)) | (x == 0)]


def rounded_by_kernel(x: Array) -> Array:
    with use_precision("bfloat16"):
        return ops.matmul(x[:, np.newaxis], np.ones((1, 1), x.dtype)).ravel()


def test_rounding_is_that_of_the_bits() -> None:
    x = every_upper_half()
    wanted = bits_rounded(x)
    np.testing.assert_array_equal(rounded(x), wanted)
    np.testing.assert_array_equal(rounded_by_kernel(x), wanted)


def test_infinities_and_nan_stay() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 3.4e38, -3.4e38], np.float32)
    wanted = np.array([np.inf, -np.inf, np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(rounded(x), wanted)
    np.testing.assert_array_equal(rounded_by_kernel(x), wanted)


def assert_near(case: Case, dtype: DType, actual: Array, wanted: Array, bound: Array) -> None:
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(actual[~finite], wanted[~finite].astype(dtype), case.id)
    error = np.abs(actual[finite] - wanted[finite])
    assert (error <= bound[finite]).all(), f"{case.id}: {error.max()}"


@pytest.mark.parametrize(("op", "dtype"), EACH, ids=str)
def test_kernel_equals_equation(op: str, dtype: DType) -> None:
    with use_precision("bfloat16"):
        for case in BY_OP[op]:
            call = case.call(dtype)
            expected = case.expected(call, dtype)
            bounds = case.bounds(call, expected, dtype)
            for actual, wanted, bound in zip(case.run(call), expected, bounds, strict=True):
                assert_near(case, dtype, actual, wanted, bound)


@pytest.mark.parametrize("op", [*PRODUCTS, *RECURRENT])
def test_threads_change_no_bit(op: str) -> None:
    with use_precision("bfloat16"):
        for case in BY_OP[op][::4]:
            results = []
            for threads in (1, 2, 3):
                _core.set_num_threads(threads)
                results.append([np.asarray(y).tobytes() for y in case.run(case.call(FLOAT32))])
            assert results[0] == results[1] == results[2], case.id


def test_a_product_of_other_numbers_than_bfloat16_has_differs() -> None:
    x = np.float32([[1.001, 2.0]])
    with use_precision("bfloat16"):
        assert ops.matmul(x, np.float32([[1.0], [3.0]]))[0, 0] == 7
    assert ops.matmul(x, np.float32([[1.0], [3.0]]))[0, 0] == np.float32(7.001)


def test_another_thread_has_its_own_precision() -> None:
    found: list[str] = []
    with use_precision("bfloat16"):
        other = threading.Thread(target=lambda: found.append(_core.precision()))
        other.start()
        other.join()
        found.append(_core.precision())
    assert [*found, _core.precision()] == ["float32", "bfloat16", "float32"]


def test_an_operand_of_several_products_is_rounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYAKU_OPTIMIZE", "1")
    rng = np.random.default_rng(0)
    x, w, dy = (rng.normal(size=s).astype(np.float32) for s in ((16, 9), (9, 8), (16, 8)))

    def step() -> list[Array]:
        with use_precision("bfloat16"):
            return [
                ops.matmul(x, w),
                ops.matmul(x, dy, transpose_a=True),
                ops.sum_rows(dy),
                ops.matmul(dy, w, transpose_b=True),
            ]

    eager = step()
    program, outputs = record(step)
    for y in outputs:
        y[...] = 0
    _core.replay([(program, 1)])
    assert [y.tobytes() for y in outputs] == [y.tobytes() for y in eager]
    assert names(program).count("round to bfloat16") == 3
    assert "matmul + sum_rows" in names(program)


def dense() -> tuple[gk.Sequential, Array]:
    return gk.Sequential(gk.Dense(24, "relu"), gk.Dense(3)), data((60, 20))


def images() -> tuple[gk.Sequential, Array]:
    parts = (gk.Conv2D(8, 3, padding="same", activation="relu"), gk.MaxPool2D(2))
    return gk.Sequential(*parts, gk.Conv2D(6, 3), gk.Flatten(), gk.Dense(3)), data((60, 8, 8, 2))


def sequences() -> tuple[gk.Sequential, Array]:
    return gk.Sequential(gk.LSTM(8, return_sequences=True), gk.GRU(6), gk.Dense(3)), data(
        (60, 5, 4)
    )


def data(shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


NETWORKS = (dense, images, sequences)
each_network = pytest.mark.parametrize("network", NETWORKS)
Network = Callable[[], tuple[gk.Sequential, Array]]


def trained(network: Network, **options: Any) -> tuple[gk.Sequential, gk.History]:
    model, x = network()
    labels = np.arange(len(x)) % 3
    given = {"loss": "softmax_cross_entropy", "batch_size": 16, "epochs": 3, "verbose": 0}
    return model, model.fit(x, labels, **given | {"precision": "bfloat16"} | options)


@each_network
def test_training_agrees_with_the_equations(network: Network) -> None:
    _, history = trained(network)
    with gk.use_backend("reference"):
        _, wanted = trained(network)
    _, other = trained(network, precision="float32")
    np.testing.assert_allclose(history["loss"], wanted["loss"], rtol=2e-3)
    assert history["loss"] != other["loss"]
    np.testing.assert_allclose(history["loss"], other["loss"], rtol=2e-2)


@each_network
def test_threads_and_rewrites_change_no_bit_of_a_training(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    for threads, optimize in ((1, "1"), (2, "1"), (3, "1"), (2, "0")):
        _core.set_num_threads(threads)
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        weights.append(trained(network)[0].flat_params.tobytes())
    assert len({*weights}) == 1


def test_weights_stay_in_float32() -> None:
    model, _ = trained(dense)
    assert model.flat_params.dtype == np.float32
    assert (rounded(model.flat_params) != model.flat_params).any()


@each_network
def test_prediction_has_the_precision_asked_for(network: Network) -> None:
    model, _ = trained(network)
    x = network()[1]
    exact, coarse = model.predict(x), model.predict(x, precision="bfloat16")
    assert (exact != coarse).any()
    np.testing.assert_allclose(coarse, exact, atol=0.05)
    for _ in range(3):  # by programs, from the third one on
        assert model.predict(x).tobytes() == exact.tobytes()
        assert model.predict(x, precision="bfloat16").tobytes() == coarse.tobytes()
    in_batches = model.predict(x, precision="bfloat16", batch_size=20)
    np.testing.assert_allclose(in_batches, coarse, atol=0.01)
    assert (model.predict(x, batch_size=20) != in_batches).any()


def test_a_dense_layer_multiplies_rounded_numbers() -> None:
    model, x = gk.Sequential(gk.Dense(3)), data((5, 40))
    model.build((40,))
    wanted = rounded(x).astype(np.float64) @ rounded(model.params["dense.weight"])
    np.testing.assert_allclose(model.predict(x, precision="bfloat16"), wanted, atol=1e-5)


def test_evaluation_and_validation_have_the_precision_of_the_training() -> None:
    x = dense()[1]
    labels = np.arange(len(x)) % 3
    model, history = trained(dense, validation_data=(x, labels))
    found = {p: model.evaluate(x, labels, precision=p)["loss"] for p in ("float32", "bfloat16")}
    assert found["bfloat16"] == pytest.approx(history["val_loss"][-1], rel=1e-6)
    assert abs(found["float32"] / history["val_loss"][-1] - 1) > 1e-6


class Doubled(gk.Layer):
    """A layer in NumPy, with a product of its own."""

    seen: ClassVar[list[str]] = []

    def forward(self, x: Array) -> Array:
        self.seen.append(_core.precision())
        return ops.matmul(x, 2 * np.eye(x.shape[1], dtype=x.dtype))

    def backward(self, dy: Array) -> Array:
        return 2 * dy


def test_layers_of_users_have_the_precision_in_each_replay() -> None:
    model, x = gk.Sequential(gk.Dense(4), Doubled(), gk.Dense(1)), data((12, 3))
    Doubled.seen.clear()
    model.fit(x, x[:, :1], loss="mse", batch_size=3, precision="bfloat16", verbose=0)
    assert Doubled.seen[-4:] == ["bfloat16"] * 4  # behind that of the shapes
    wanted = 2 * rounded(x)
    found = gk.Sequential(Doubled()).predict(x, precision="bfloat16", batch_size=4)
    np.testing.assert_array_equal(found, wanted)


def test_losses_are_in_float32() -> None:
    seen = set()

    def loss(y: Array, t: Array) -> tuple[float, Array]:
        seen.add(_core.precision())
        return float(((y - t) ** 2).mean()), 2 * (y - t) / y.size

    x = data((12, 3))
    gk.Sequential(gk.Dense(1)).fit(x, x[:, :1], loss=loss, precision="bfloat16", verbose=0)
    assert seen == {"float32"}


def test_a_model_tells_its_precision(capsys: pytest.CaptureFixture[str]) -> None:
    model, _ = trained(dense)
    assert "products in bfloat16" in model.summary()
    assert "products in bfloat16" in str(model.program())
    assert copy.deepcopy(model).precision == "bfloat16"
    capsys.readouterr()


def test_info_tells_how_bfloat16_is_computed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--no-measure"]) == 0
    rows = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    by_instructions = "matrix products, convolutions and recurrent layers by "
    way = by_instructions if _core.multiplies_bfloat16() else "emulated: "
    assert rows["bfloat16"].strip().startswith(way)


def test_a_training_goes_on_in_its_precision(tmp_path: Path) -> None:
    path = tmp_path / "last.safetensors"
    whole, _ = trained(dense, epochs=4)
    trained(dense, epochs=2, callbacks=ModelCheckpoint(path))
    again: dict[str, Any] = {"epochs": 4, "resume": path, "callbacks": ModelCheckpoint(path)}
    with pytest.raises(ValueError, match="was written with precision='bfloat16', got 'float32'"):
        trained(dense, **again, precision="float32")
    resumed, _ = trained(dense, **again)
    assert resumed.flat_params.tobytes() == whole.flat_params.tobytes()


@pytest.mark.parametrize("verb", ["fit", "evaluate", "predict"])
def test_an_unknown_precision_raises(verb: str) -> None:
    model, _ = trained(dense, epochs=1)
    x = dense()[1]
    given = (x,) if verb == "predict" else (x, np.zeros(len(x), int))
    options: dict[str, Any] = {"loss": "softmax_cross_entropy"} if verb == "fit" else {}
    sentence = f'{verb}: precision must be "float32" or "bfloat16", got \'float16\''
    with pytest.raises(ValueError, match=sentence):
        getattr(model, verb)(*given, **options, precision="float16")


def test_a_model_in_float64_has_no_products_in_bfloat16() -> None:
    model = gk.Sequential(gk.Dense(1))
    model.build((3,), dtype="float64")
    with pytest.raises(ValueError, match="is for models of float32, this one is of float64"):
        model.fit(data((6, 3)), np.ones((6, 1)), loss="mse", precision="bfloat16", verbose=0)
