"""Models as people look at them: printed, and with attributes that they set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gyaku as gk


def test_a_model_prints_its_layers_with_their_shapes() -> None:
    first = gk.Dense(4, "relu")
    model = gk.Sequential(first, gk.Sequential(gk.Dense(3), name="head"), name="net")
    assert repr(model) == str(model)
    assert str(model).startswith("Sequential(Dense(4, activation='relu'")
    assert "\n" not in str(model)
    model.build((2,))
    first.trainable = False
    assert str(model).splitlines() == [
        "Sequential 'net', inputs (2,), 27 parameters of float32",
        "  dense       Dense(4, activation='relu')  (4,), 12 parameters, frozen",
        "  head.dense  Dense(3)                     (3,), 15 parameters",
    ]
    assert repr(model) == str(model)


def test_a_shared_layer_is_printed_as_such() -> None:
    x, shared = gk.Input((4,)), gk.Dense(4)
    model = gk.Model(x, gk.Add()(shared(x), shared(shared(x))))
    assert str(model) == "<Model: dense, add>"
    model.build()
    assert [line.split("  ")[-1].strip() for line in str(model).splitlines()[1:]] == [
        "(4,), 20 parameters",
        "(4,), shared",
        "(4,), shared",
        "(4,)",
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("stop_trainig", ", did you mean 'stop_training'?"),
        ("requires_grad", ", did you mean 'trainable'?"),
        ("note", ""),
    ],
)
def test_a_model_refuses_attributes_that_it_does_not_know(name: str, hint: str) -> None:
    x = gk.Input((4,))
    models = gk.Sequential(gk.Dense(3)), gk.Residual(gk.Dense(4)), gk.Model(x, gk.Dense(3)(x))
    for model in models:
        with pytest.raises(AttributeError) as caught:
            setattr(model, name, True)
        assert str(caught.value) == f"{type(model).__name__} has no attribute {name!r}{hint}"


def test_models_of_users_take_attributes_that_are_no_misspelling() -> None:
    class Mine(gk.Sequential):
        pass

    model = Mine(gk.Dense(3))
    model.note = "mine"
    with pytest.raises(AttributeError, match="did you mean 'stop_training'"):
        model.stop_trainig = True


def test_two_layers_that_would_share_a_path_are_refused() -> None:
    inner = gk.Sequential(gk.Dense(4, name="b"), name="a")
    with pytest.raises(ValueError) as caught:
        gk.Sequential(gk.Dense(4, name="a.b"), inner)
    assert str(caught.value) == "Sequential: two layers share the path 'a.b', give one another name"
    model = gk.Sequential(gk.Bidirectional(gk.LSTM(2), name="a"), gk.Dense(2, name="a.b"))
    model.build((3, 2))  # different names in the end


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        gk.Sequential(gk.Dense(4, name=5))  # type: ignore[arg-type]
    assert str(caught.value) == "Sequential: the name of a Dense must be text, got 5"


@pytest.mark.parametrize(
    ("options", "expected"), [({}, 7), ({"validation_batch_size": 4}, 4), ({"batch_size": 3}, 3)]
)
def test_validation_follows_the_batch_size(options: dict[str, Any], expected: int) -> None:
    seen = set()

    class Look(gk.Layer):
        def forward(self, x, training=False):
            if not training:
                seen.add(len(x))
            return x

        def backward(self, dy):
            return dy

    x = np.random.default_rng(0).normal(size=(84, 3))
    gk.Sequential(Look(), gk.Dense(1)).fit(
        *(x, x[:, :1]),
        loss="mse",
        validation_data=(x, x[:, :1]),
        verbose=0,
        **{"batch_size": 7, **options},
    )
    assert max(seen) == expected
