"""Models by name: what they are made of, and that their recipes train them well."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gyaku import _core, models, ops
from gyaku.data import digits, mnist
from gyaku.layers import Dense, Dropout
from gyaku.losses import SoftmaxCrossEntropy
from gyaku.model import Sequential
from gyaku.optim import Adam

REAL = Path(os.environ.get("GYAKU_DATA") or Path(__file__).parents[2] / "shared" / "data")
HERE = [folder for folder in (REAL / "mnist", REAL) if any(folder.glob("train-images-idx3-ubyte*"))]


def accuracy(name: str, sets, epochs: int | None = None, seed: int = 0) -> float:
    (x, y), (x_test, y_test) = sets
    recipe = models.MODELS[name]
    model = recipe.build(**(recipe.small if x.shape[1] < 16 else {}))
    model.fit(
        *(x, y),
        loss="softmax_cross_entropy",
        optimizer=recipe.optimizer(),
        epochs=epochs or recipe.epochs(len(x)),
        batch_size=recipe.batch_size,
        seed=seed,
        verbose=0,
    )
    return float((model.predict(x_test).argmax(axis=1) == y_test).mean())


def test_linear_is_one_dense_layer() -> None:
    model = models.linear(classes=3)
    model.build((8, 8, 1))
    assert [array.shape for array in model.params.values()] == [(64, 3), (3,)]


@pytest.mark.parametrize("hidden", [[], [5], (7, 6, 5)])
def test_an_mlp_has_the_hidden_layers_that_it_was_told(hidden) -> None:
    model = models.mlp(hidden, classes=4, activation="tanh")
    model.build((3, 2))
    dense = [layer for layer in model.layers if isinstance(layer, Dense)]
    assert [layer.units for layer in dense] == [*hidden, 4]
    assert [layer.activation for layer in dense] == ["tanh"] * len(hidden) + [None]


def test_dropout_follows_each_hidden_layer() -> None:
    model = models.mlp([5, 4], dropout=0.5)
    kinds = [type(layer) for layer in model.layers[2:]]
    assert kinds == [Dense, Dropout, Dense, Dropout, Dense]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "rleu"}, "unknown activation 'rleu', did you mean 'relu'"),
        ({"hidden": [0]}, "units must be at least 1, got 0"),
        ({"classes": 0}, "units must be at least 1, got 0"),
        ({"dropout": 1.0}, "got 1.0"),
    ],
)
def test_a_senseless_argument_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.mlp(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("lenet", [(5, 5, 1, 20), (5, 5, 20, 50), (800, 500), (500, 10)]),
        ("simple_convnet", [(5, 5, 1, 30), (4320, 100), (100, 10)]),
        (
            "deep_convnet",
            [
                *((3, 3, 1, 16), (3, 3, 16, 16), (3, 3, 16, 32), (3, 3, 32, 32)),
                *((3, 3, 32, 64), (3, 3, 64, 64), (1024, 50), (50, 10)),
            ],
        ),
        ("fast", [(5, 5, 1, 24), (3, 3, 24, 32), (800, 256), (256, 10)]),
    ],
)
def test_a_convolutional_network_has_the_published_sizes(
    name: str, weights: list[tuple[int, ...]]
) -> None:
    model = getattr(models, name)()
    model.build((28, 28, 1))
    assert [view.shape for key, view in model.params.items() if "weight" in key] == weights


@pytest.mark.parametrize(("depth", "width"), [(8, 16), (20, 4)])
def test_a_residual_network_has_its_depth(depth: int, width: int) -> None:
    model = models.resnet(depth, width, classes=3)
    model.build((32, 32, 3))
    shapes = [view.shape for key, view in model.params.items() if key.endswith("weight")]
    beside = [shape for shape in shapes if shape[:2] == (1, 1)]
    assert len(shapes) - len(beside) == depth
    assert beside == [(1, 1, width, 2 * width), (1, 1, 2 * width, 4 * width)]
    ends = [u.layer.output_shape for u in model.plan.applications if u.path.endswith("add")]
    sides = [shape[0] for shape in ends]
    blocks = depth // 6
    assert sides == [32] * blocks + [16] * blocks + [8] * blocks


@pytest.mark.parametrize("depth", [7, 2, 9, 18])
def test_a_residual_network_of_no_such_depth_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"such as 8, 14 or 20, got {depth}"):
        models.resnet(depth)


@pytest.mark.parametrize("name", models.MODELS)
@pytest.mark.parametrize("side", [8, 28])
def test_a_model_takes_the_images_of_the_data_sets(name: str, side: int) -> None:
    recipe = models.MODELS[name]
    model = recipe.build(**(recipe.small if side < 16 else {}))
    model.build((side, side, 1))
    assert model.output_shape == (10,)


def state(model: Sequential) -> tuple[bytes, bytes]:
    return model.flat_params.tobytes(), model.flat_buffers.tobytes()


@pytest.mark.parametrize("name", [name for name in models.MODELS if name not in ("linear", "mlp")])
def test_a_whole_network_is_the_same_eager_replayed_and_on_any_threads(name: str) -> None:
    x, y = (each[:40] for each in digits()[0])
    recipe, found = models.MODELS[name], []
    for threads in (1, 2, 3):
        _core.set_num_threads(threads)
        model = recipe.build(**recipe.small)
        loss = "softmax_cross_entropy"
        model.fit(x, y, loss=loss, optimizer="adam", epochs=2, batch_size=16, seed=3, verbose=0)
        found.append(state(model))
    eager, optimizer = recipe.build(**recipe.small), Adam()
    eager.build(x.shape[1:], seed=3)
    order = np.empty(40, np.int64)
    for epoch in range(2):
        ops.permutation(order, 40, seed=3, first_epoch=epoch)
        for start in range(0, 40, 16):
            rows = order[start : start + 16]
            _, dy = SoftmaxCrossEntropy()(eager.forward(x[rows], training=True), y[rows])
            eager.backward(dy)
            optimizer.step(eager)
    assert found == [state(eager)] * 3


@pytest.mark.parametrize("samples", [1, 100, 1438, 60_000, 10**7])
@pytest.mark.parametrize("name", models.MODELS)
def test_a_recipe_has_a_sensible_number_of_epochs(name: str, samples: int) -> None:
    least = 1 if name == "fast" else 5
    assert least <= models.MODELS[name].epochs(samples) <= 50


@pytest.mark.parametrize("name", models.MODELS)
def test_each_build_is_a_new_model(name: str) -> None:
    recipe = models.MODELS[name]
    one, two = recipe.build(), recipe.build()
    assert isinstance(one, Sequential)
    assert one is not two
    assert not set(map(id, one.layers)) & set(map(id, two.layers))
    assert recipe.optimizer() is not recipe.optimizer()


@pytest.mark.parametrize(("name", "least"), [("linear", 0.94), ("mlp", 0.97), ("fast", 0.97)])
def test_a_recipe_reads_the_digits(name: str, least: float) -> None:
    assert accuracy(name, digits()) >= least


@pytest.mark.skipif(not HERE, reason="MNIST is not on this machine: set GYAKU_DATA")
@pytest.mark.parametrize(("name", "least"), [("linear", 0.915), ("mlp", 0.978)])
def test_a_recipe_reads_mnist(
    name: str, least: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GYAKU_CACHE", str(tmp_path))
    assert accuracy(name, mnist(HERE[0])) >= least


def test_pixels_are_taken_alike_however_they_come() -> None:
    (x, _), _ = digits()
    model = models.mlp([16])
    model.build(x.shape[1:])
    wanted = model.predict(x[:50])
    for kind in (np.float32, np.int64):
        np.testing.assert_array_equal(model.predict(x[:50].astype(kind)), wanted)
