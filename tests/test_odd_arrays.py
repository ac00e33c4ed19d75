"""Arrays that are no plain numbers are right or refused, wherever a model takes arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gyaku as gk
from gyaku import _core

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def built(dtype: str = "float32") -> gk.Sequential:
    model = gk.Sequential(gk.Dense(3, weight_init="ones"), dtype=dtype)
    model.build((3,))
    return model


def backward(x: Any) -> Any:
    model = built()
    model.forward(X)
    return model.backward(x, input_gradient=True)


def streamed(x: Any) -> Any:
    model = gk.Sequential(gk.LSTM(2))
    model.build((5, 3))
    return model.stream(4)(x)


def trained(x: Any) -> Any:
    return built().fit(x, X, loss="sum_squared_error", verbose=0)


def targeted(x: Any) -> Any:
    return built().fit(X, x, loss="sum_squared_error", verbose=0)


CALLS: dict[str, Callable[[Any], Any]] = {
    "forward": lambda x: built().forward(x),
    "backward": backward,
    "predict": lambda x: built().predict(x),
    "stream": streamed,
    "fit": trained,
    "targets": targeted,
}
NOT_REAL = {
    "masked": np.ma.masked_less(X, 0),
    "text": np.full((4, 3), "1.5"),
    "complex": X + 1j,
    "dates": np.zeros((4, 3), "M8[s]"),
    "objects": np.full((4, 3), None),
    "bytes": np.full((4, 3), b"1"),
    "nothing": None,
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", NOT_REAL)
def test_what_is_no_real_number_is_refused(call: str, kind: str) -> None:
    with pytest.raises(TypeError) as caught:
        CALLS[call](NOT_REAL[kind])
    assert "\n" not in str(caught.value)
    assert any(f" {name} must " in str(caught.value) for name in ("x", "y", "dy"))


LARGE = {
    "float64": X.astype(np.float64),
    "big-endian": X.astype(">f8"),
    "long double": X.astype(np.longdouble),
    "objects": X.astype(object),
    "strided": np.repeat(X.astype(np.float64), 2, 1)[:, ::2],
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.parametrize("value", [1e39, -3.4028235677973366e38])
def test_a_number_beyond_float32_is_refused_by_name(call: str, kind: str, value: float) -> None:
    x = LARGE[kind].copy()
    x[2, 1] = value
    with pytest.raises(ValueError) as caught:
        CALLS[call](x)
    text = str(caught.value)
    assert f"holds {value}" in text.replace("np.float64", "")
    assert "row 2, beyond the range of float32" in text


@pytest.mark.parametrize("call", ["forward", "predict"])
def test_the_largest_float32_is_in_range(call: str) -> None:
    x = X.astype(np.float64)
    x[2, 1] = np.nextafter(3.4028235677973366e38, 0)  # rounds down
    assert np.isfinite(CALLS[call](x)).all()
    x[2, 1] = 1e39
    model = built("float64")
    assert getattr(model, call)(x).max() == 1e39


@pytest.mark.parametrize("kind", LARGE)
def test_forward_takes_other_dtypes_at_their_value(kind: str) -> None:
    assert built().forward(LARGE[kind]).tobytes() == built().forward(X).tobytes()
    assert backward(LARGE[kind]).tobytes() == backward(X).tobytes()


def test_forward_passes_what_is_not_finite() -> None:
    for value in (np.nan, np.inf, -np.inf):
        x = X.astype(np.float64)
        x[2, 1] = value
        found = built().forward(x)
        assert np.isfinite(found).all(axis=1).tolist() == [True, True, False, True]


def test_one_number_is_no_batch() -> None:
    with pytest.raises(ValueError, match="^forward: x must have a sample axis, got the number 5"):
        built().forward(5)


@pytest.mark.parametrize("size", [1, 31, 32, 33, 100])
def test_every_place_is_searched(size: int) -> None:
    for place in range(size):
        for value in (1e39, -1e39, np.nan, -np.inf):
            x = np.ones(size)
            assert _core.fits_float32(x)
            x[place] = value
            assert not _core.fits_float32(x)
            assert _core.is_finite(x) == np.isfinite(value)
