"""Adam's means in bfloat16, rounded stochastically."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku import _core, ops, reference
from gyaku.callbacks import ModelCheckpoint

Array = NDArray[Any]
COARSE = "bfloat16"


def decoded(bits: Array) -> Array:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def arguments(shape: tuple[int, ...], step: int = 7) -> list[Array]:
    rng = np.random.default_rng(3)
    params, grads = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    m = (rng.normal(size=shape).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    v = (rng.uniform(size=shape).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return [params, grads, m, v, np.array([step, 0.1, 0.9**step, 0.999**step])]


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (33,), (5, 31), (4099,), (70_001,)])
@pytest.mark.parametrize("op", ["adam", "adamw"])
def test_kernel_equals_equation(op: str, shape: tuple[int, ...]) -> None:
    given = arguments(shape)
    wanted = getattr(reference, op)(*given, weight_decay=0.01)
    getattr(ops, op)(*given, weight_decay=0.01)
    np.testing.assert_allclose(given[0], wanted[0], rtol=1e-5, atol=1e-6)
    for bits, equation in zip(given[2:4], wanted[1:], strict=True):
        assert bits.dtype == equation.dtype == np.uint16
        # The last bit of the sum may carry.
        off = np.abs(bits.astype(np.int64) - equation)
        assert off.max() <= 1
        assert (off > 0).mean() <= 1e-3


def test_threads_change_no_bit() -> None:
    results = []
    for threads in (1, 2, 3, 8):
        _core.set_num_threads(threads)
        given = arguments((70_001,))
        ops.adam(*given)
        results.append(b"".join(each.tobytes() for each in given))
    assert len({*results}) == 1


def mean_after(steps: int, target: float, decay: float) -> Array:
    """Return running means of a constant, from many elements."""
    size = 4096
    params, m, v = np.zeros(size, np.float32), np.zeros(size, np.uint16), np.zeros(size, np.uint16)
    grads = np.full(size, target, np.float32)
    for step in range(1, steps + 1):
        clock = np.array([step, 0.0, decay**step, decay**step])
        ops.adam(params, grads, m, v, clock, beta1=decay, beta2=decay)
    return decoded(m)


def test_rounding_has_no_bias() -> None:
    # Rounded to nearest, the mean would stay where a step is half a bit: at about a fifth.
    found = mean_after(3000, 1.0, 0.999)
    wanted = 1 - 0.999**3000
    assert abs(found.mean() - wanted) < 4 * found.std() / np.sqrt(found.size) + 1e-4
    assert 0 < found.std() < 0.05


def test_draws_differ_by_step_and_element() -> None:
    upper = 0x3F80

    def kept(step: int) -> Array:
        size = 4096
        m, v = np.full(size, upper, np.uint16), np.full(size, upper, np.uint16)
        # Half way between two numbers.
        half = np.full(size, (1.0 + 2**-8 - 0.5) / 0.5, np.float32)
        clock = np.array([step, 0.0, 0.5, 0.5])
        ops.adam(np.zeros(size, np.float32), half, m, v, clock, beta1=0.5)
        return m - upper

    first, second = kept(1), kept(2)
    for draws in (first, second):
        assert set(draws.tolist()) == {0, 1}
        assert abs(draws.mean() - 0.5) < 0.04
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.08
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.08


def test_nan_and_infinity_stay() -> None:
    given = arguments((16,))
    given[1][3], given[1][5] = np.nan, np.inf
    ops.adam(*given)
    m, v = decoded(given[2]), decoded(given[3])
    assert np.isnan(m[3])
    assert np.isnan(v[3])
    assert m[5] == v[5] == np.inf
    assert np.isfinite(np.delete(m, [3, 5])).all()


def data() -> tuple[Array, Array]:
    x = np.random.default_rng(1).normal(size=(96, 70)).astype(np.float32)
    return x, np.arange(96) % 4


def trained(batch_size: int = 16, **options: Any) -> gk.Sequential:
    # The first weight is large enough for an update of its own, behind its gradient.
    model = gk.Sequential(gk.Dense(64, "relu"), gk.Dense(4))
    given: dict[str, Any] = {"optimizer": gk.Adam(state_dtype=COARSE), "epochs": 2} | options
    model.fit(*data(), loss="softmax_cross_entropy", batch_size=batch_size, verbose=0, **given)
    return model


def state(model: gk.Sequential) -> list[bytes]:
    assert model.optimizer is not None
    arrays = [model.flat_params, *model.optimizer.state.values()]
    assert [each.dtype for each in arrays[1:]] == [np.uint16, np.uint16]
    return [each.tobytes() for each in arrays]


@pytest.mark.parametrize("batch_size", [1, 16])
def test_threads_and_rewrites_change_no_bit_of_a_training(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for threads, optimize in ((1, "1"), (2, "1"), (2, "0")):
        _core.set_num_threads(threads)
        monkeypatch.setenv("GYAKU_OPTIMIZE", optimize)
        found.append(state(trained(batch_size)))
    assert found[0] == found[1] == found[2]


def test_the_loss_is_that_of_the_equations_and_near_that_of_float32() -> None:
    losses = {}
    for name, backend, dtype in (
        ("coarse", "native", COARSE),
        ("numpy", "reference", COARSE),
        ("float32", "native", None),
    ):
        with gk.use_backend(backend):
            model = trained(optimizer=gk.Adam(state_dtype=dtype), epochs=5)
        losses[name] = model.evaluate(*data())["loss"]
    assert losses["coarse"] == pytest.approx(losses["numpy"], rel=1e-3)
    assert losses["coarse"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["coarse"] != losses["float32"]


def test_a_training_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole = state(trained(epochs=4))
    path = tmp_path / "last.safetensors"
    trained(callbacks=ModelCheckpoint(path))
    again: dict[str, Any] = {"epochs": 4, "resume": path, "callbacks": ModelCheckpoint(path)}
    with pytest.raises(ValueError, match="m is of uint16, not float32"):
        trained(**again, optimizer="adam")
    assert state(trained(**again)) == whole


def test_a_file_and_a_copy_keep_the_state(tmp_path: Path) -> None:
    model = trained()
    model.save(tmp_path / "model.safetensors")
    for other in (gk.load(tmp_path / "model.safetensors"), copy.deepcopy(model)):
        assert state(other) == state(model)
        assert "state_dtype='bfloat16'" in repr(other.optimizer)
    assert gk.AdamW(state_dtype=COARSE).config()["state_dtype"] == COARSE


def test_other_dtypes_raise() -> None:
    with pytest.raises(ValueError, match=r"Adam: state_dtype must be None or .*, got 'float16'"):
        gk.Adam(state_dtype="float16")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is for Adam without amsgrad"):
        gk.AdamW(state_dtype=COARSE, amsgrad=True)
    model = gk.Sequential(gk.Dense(2))
    model.build((3,), dtype="float64")
    with pytest.raises(ValueError, match="is for parameters in float32, these are of float64"):
        model.fit(
            np.ones((4, 3)), np.ones((4, 2)), loss="mse", optimizer=gk.Adam(state_dtype=COARSE)
        )


def test_means_of_different_dtypes_raise() -> None:
    params, grads, m, _, clock = arguments((8,))
    with pytest.raises(TypeError, match="m must be an array of float32, got uint16"):
        ops.adam(params, grads, m, np.zeros(8, np.float32), clock)
    with pytest.raises(TypeError, match="m must be an array of float32"):
        ops.nadam(params, grads, m, m.copy(), clock)
