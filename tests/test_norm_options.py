"""Options of normalisations: no parameters, no statistics, cumulative means, several axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk

X = np.random.default_rng(0).normal(2.0, 3.0, (6, 4, 5, 8))


def model(*layers: gk.Layer, seed: int = 0) -> gk.Sequential:
    made = gk.Sequential(*layers, dtype="float64", seed=seed)
    made.build(X.shape[1:])
    return made


def standard(x: NDArray[Any], axes: tuple[int, ...], epsilon: float = 1e-5) -> NDArray[Any]:
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return np.asarray((x - mean) / np.sqrt(variance + epsilon))


def test_statistics_are_those_that_the_layer_names() -> None:
    groups = standard(X.reshape(6, 4, 5, 2, 4), (1, 2, 4)).reshape(X.shape)
    rms = X / np.sqrt((X**2).mean(axis=(2, 3), keepdims=True) + 1e-6)
    for layer, wanted in (
        (gk.GroupNorm(2), groups),
        (gk.GroupNorm(1, 0.5), standard(X, (1, 2, 3), 0.5)),
        (gk.InstanceNorm(), standard(X, (1, 2))),
        (gk.LayerNorm(axes=3), standard(X, (1, 2, 3))),
        (gk.LayerNorm(axes=2, scale=False, shift=False), standard(X, (2, 3))),
        (gk.RMSNorm(axes=2), rms),
        (gk.BatchNorm(track_running_stats=False), standard(X, (0, 1, 2))),
    ):
        np.testing.assert_allclose(model(layer).forward(X), wanted, atol=1e-12, err_msg=str(layer))


def test_parameters_are_those_that_there_are() -> None:
    for made in (gk.BatchNorm, gk.LayerNorm, lambda **options: gk.GroupNorm(4, **options)):
        for scale in (False, True):
            for shift in (False, True):
                params = model(made(scale=scale, shift=shift)).layers[0].params
                assert list(params) == ["gamma"] * scale + ["beta"] * shift
    assert not model(gk.BatchNorm(track_running_stats=False)).layers[0].buffers


def test_running_statistics_without_momentum_are_means_over_the_batches() -> None:
    norm = gk.BatchNorm(momentum=None, scale=False, shift=False)
    tracked = model(norm, gk.Flatten(), gk.Dense(2))
    tracked.fit(
        *(X, np.zeros((6, 2))),
        loss="mean_squared_error",
        batch_size=2,
        epochs=3,
        shuffle=False,
        verbose=0,
    )
    batches = X.reshape(3, -1, 8)
    buffers = tracked.layers[0].buffers
    np.testing.assert_allclose(buffers["mean"], batches.mean(axis=(0, 1)), rtol=1e-12)
    variance = batches.var(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(buffers["variance"], variance, rtol=1e-12)
    assert buffers["batches"] == [9]


def test_a_file_keeps_the_options(tmp_path: Path) -> None:
    layers = (
        gk.BatchNorm(momentum=None, shift=False),
        gk.LayerNorm(axes=2, scale=False),
        gk.GroupNorm(4, 0.1),
        gk.InstanceNorm(scale=False),
        gk.RMSNorm(axes=3),
        gk.LocalResponseNorm(3, 0.5, 0.25, 2.0),
    )
    trained = model(*layers, gk.Flatten(), gk.Dense(2))
    trained.fit(X, np.arange(6) % 2, loss="softmax_cross_entropy", epochs=2, verbose=0)
    trained.save(tmp_path / "model.safetensors")
    loaded = gk.load(tmp_path / "model.safetensors")
    assert [repr(each) for each in loaded.layers] == [repr(each) for each in trained.layers]
    np.testing.assert_array_equal(loaded.predict(X), trained.predict(X))
    assert "GroupNorm" in str(loaded.summary())


@pytest.mark.parametrize("momentum", [0.25, None])
def test_pytorch_has_the_same_running_statistics(momentum: float | None) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.BatchNorm2d(8, momentum=momentum).double()
    ours = model(gk.BatchNorm(momentum))
    for begin in (0, 2, 4):
        batch = X[begin : begin + 2] * begin
        theirs(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()))
        ours.forward(batch, training=True)
    buffers = ours.layers[0].buffers
    np.testing.assert_allclose(buffers["mean"], theirs.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(buffers["variance"], theirs.running_var.numpy(), rtol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_pytorch_divides_by_the_same_neighbours(size: int) -> None:
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(X.transpose(0, 3, 1, 2).copy()).requires_grad_()
    y = torch.nn.LocalResponseNorm(size, 0.5, 0.75, 2.0)(x)
    y.sum().backward()
    layer = model(gk.LocalResponseNorm(size, 0.5, 0.75, 2.0))
    ours = layer.forward(X)
    np.testing.assert_allclose(ours, y.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-12)
    dx = layer.backward(np.ones_like(X), input_gradient=True)
    np.testing.assert_allclose(dx, x.grad.numpy().transpose(0, 2, 3, 1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            lambda: gk.BatchNorm(1.5),
            "momentum must be at least 0 and at most 1, got 1.5",
        ),
        (lambda: gk.BatchNorm(scale=1), "BatchNorm: scale must be True or False, got 1"),
        (lambda: gk.GroupNorm(3), r"GroupNorm.*: channels \(8\) must be divisible by groups \(3\)"),
        (lambda: gk.GroupNorm(0), "GroupNorm: groups must be at least 1, got 0"),
        (lambda: gk.LayerNorm(axes=4), r"normalises 4 axes, got samples of shape \(4, 5, 8\)"),
        (lambda: gk.RMSNorm(axes=0), "RMSNorm: axes must be at least 1, got 0"),
        (lambda: gk.RMSNorm(0), "RMSNorm: epsilon must be positive, got 0"),
        (lambda: gk.LocalResponseNorm(0), "LocalResponseNorm: size must be at least 1, got 0"),
        (
            lambda: gk.GroupNorm(num_groups=2),
            "no argument 'num_groups', did you mean",
        ),
        (lambda: gk.BatchNorm(affine=False), "no argument 'affine', did you mean 'scale'"),
    ],
)
def test_a_senseless_option_is_refused(layer: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        model(layer())
