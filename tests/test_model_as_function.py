"""A model is called like a function, and is a sequence of its layers."""

from __future__ import annotations

import numpy as np
import pytest

import gyaku as gk


def test_a_model_is_called_with_arrays_like_a_function() -> None:
    model = gk.Sequential(gk.Dense(4, "relu"), gk.BatchNorm(), gk.Dense(2))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_array_equal(model(x), model.forward(x))
    np.testing.assert_array_equal(model(x.tolist()), model.predict(x))
    wanted = model.forward(x, training=True)
    np.testing.assert_array_equal(model(x, training=True), wanted)


def test_a_model_of_several_inputs_is_called_with_arrays() -> None:
    a, b = gk.Input((3,), name="a"), gk.Input((3,), name="b")
    model = gk.Model([a, b], gk.Dense(2)(gk.Add()(a, b)))
    x = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    wanted = model.predict(x)
    for found in (model(*x), model(x), model(list(x)), model({"a": x[0], "b": x[1]})):
        np.testing.assert_array_equal(found, wanted)
    assert isinstance(model(gk.Input((3,)), gk.Input((3,))), type(gk.Input((3,))))
    with pytest.raises(ValueError, match="takes 2 inputs, got 0"):
        model()


def test_a_model_is_a_sequence_of_its_layers() -> None:
    layers = gk.Dense(4), gk.ReLU(), gk.Dense(2)
    model = gk.Sequential(*layers)
    assert len(model) == 3
    assert tuple(model) == layers
    assert model[0] is layers[0]
    assert model[-1] is layers[2]
    assert model[1:] == layers[1:]
    assert model["dense_2"] is layers[2]
    with pytest.raises(IndexError, match="Sequential: there is no layer 3, the model has 3"):
        model[3]
    with pytest.raises(KeyError, match="unknown layer 'dense_3', did you mean 'dense_2'"):
        model["dense_3"]
