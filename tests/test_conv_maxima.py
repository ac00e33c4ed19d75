"""Backward through a convolution and 2 x 2 max-pooling: most outputs have no gradient."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from op_case import DTYPES, Array, DType
from recorded import numbers, record, same_as_eager

import gyaku as gk
from gyaku import _core, ops, reference
from gyaku.layers.activation import activation
from gyaku.ops.conv_backward import takes_maxima
from gyaku.windows import conv_axes

# Images, filters, kernel, padding.
PROBLEMS: dict[str, tuple[tuple[int, ...], int, tuple[int, int], Any]] = {
    "one row of windows": ((1, 2, 5, 4), 1, (1, 2), 0),
    "one kernel element": ((3, 4, 4, 16), 5, (1, 1), 0),
    "as lenet": ((7, 12, 12, 20), 50, (5, 5), 0),
    "whole vectors": ((3, 10, 8, 16), 16, (3, 3), 1),
    "odd, padded": ((5, 9, 7, 5), 7, (3, 3), 1),
    "primes": ((2, 11, 13, 17), 19, (3, 5), (2, 1)),
    "many kernel elements": ((2, 9, 9, 4), 3, (7, 4), 3),
    "four kernel rows": ((2, 6, 6, 9), 4, (4, 3), 0),
    "much padding": ((2, 3, 4, 8), 6, (5, 5), 4),
    "uneven padding": ((2, 6, 5, 8), 6, (3, 3), ((0, 2), (3, 1))),
    "pieces of an image": ((2, 40, 30, 12), 3, (3, 3), 1),
    "wide rows": ((1, 9, 90, 20), 9, (5, 5), 2),
    "many filters": ((1, 8, 8, 4), 300, (3, 3), 0),
    "many windows": ((2, 50, 1250, 4), 2, (1, 2), 0),
    "one channel": ((6, 28, 28, 1), 20, (5, 5), 0),
    "one channel, two vectors": ((3, 9, 11, 1), 30, (5, 3), 0),
    "two channels": ((2, 8, 9, 2), 70, (3, 8), 0),
    "three channels": ((2, 40, 60, 3), 33, (3, 3), 0),
    "one channel, padded behind": ((2, 9, 8, 1), 5, (3, 3), ((0, 0), (0, 1))),
    "two channels, padded below": ((2, 9, 8, 2), 5, (3, 3), ((0, 2), (0, 0))),
    "three channels, wide rows": ((1, 12, 300, 3), 5, (5, 5), 0),
    "three channels, padded": ((2, 8, 8, 3), 5, (3, 3), 1),
}
each_problem = pytest.mark.parametrize("name", PROBLEMS)


def problem(name: str, dtype: Any = np.float32) -> tuple[Array, Array, Array, Array, Any]:
    """Return images, weights, a gradient of maxima that is often zero, argmax and padding."""
    shape, filters, window, padding = PROBLEMS[name]
    x = numbers(*shape).astype(dtype)
    w = numbers(*window, shape[3], filters, seed=1).astype(dtype)
    y, argmax = ops.max_pool2d(ops.conv2d(x, w, padding=padding), 2)
    dy = numbers(*y.shape, seed=2).astype(dtype) * (y > 0)
    return x, w, dy, argmax, padding


def gradients(name: str, dtype: Any = np.float32) -> list[Array]:
    x, w, dy, argmax, padding = problem(name, dtype)
    where = {"padding": padding, "argmax": argmax}
    dx = ops.conv2d_backward_data(dy, w, x.shape[1:3], **where)
    return [dx, *ops.conv2d_backward_weights(dy, x, w.shape[:2], **where)]


def wanted(x: Array, w: Array, dy: Array, argmax: Array, padding: Any) -> list[Array]:
    """Return the gradients of the reference, through those of all outputs."""
    size = reference.conv2d(x, w, padding=padding).shape[1:3]
    dz = reference.max_pool2d_backward(dy, argmax, size, 2)
    dx = reference.conv2d_backward_data(dz, w, x.shape[1:3], padding=padding)
    return [dx, *reference.conv2d_backward_weights(dz, x, w.shape[:2], padding=padding)]


# No kernels are for these: they go the way of all outputs. Few channels need vectors of eight.
ELSEWHERE = {"three channels, padded", "three channels, wide rows"}
ELSEWHERE |= {"one channel, padded behind", "two channels, padded below"}
FEW = {"one channel", "one channel, two vectors", "two channels", "three channels"}


@each_problem
def test_the_kernels_are_taken_where_they_should_be(name: str) -> None:
    x, w, _, _, padding = problem(name)
    axes = conv_axes("conv2d", x.shape, w.shape, padding=padding)
    expected = name not in ELSEWHERE
    if name in FEW:
        expected = _core.isa() in {"avx2", "avx512"}
    assert takes_maxima(axes, w.shape, 1, x.dtype) == expected
    assert not takes_maxima(axes, w.shape, 1, np.dtype(np.float64))
    assert not takes_maxima(axes, w.shape, 2, x.dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@each_problem
def test_the_gradients_are_those_of_all_outputs(name: str, dtype: DType) -> None:
    x, w, dy, argmax, padding = problem(name, dtype)
    exact = wanted(*(each.astype(np.longdouble) for each in (x, w, dy)), argmax, padding)
    scale = wanted(*(np.abs(each).astype(np.float64) for each in (x, w, dy)), argmax, padding)
    _, *columns = w.shape
    terms = max(np.prod(w.shape[:2]) * columns[-1], dy[..., 0].size)
    bound = (2 * np.sqrt(terms) + 4) * np.finfo(dtype).eps
    for found, right, size in zip(gradients(name, dtype), exact, scale, strict=True):
        assert found.dtype == dtype
        assert (np.abs(found - right) <= bound * size + np.finfo(dtype).tiny).all()


@each_problem
def test_the_bits_do_not_depend_on_the_threads(name: str) -> None:
    before = _core.num_threads()
    found = set()
    try:
        for threads in (1, 2, 3, 5):
            _core.set_num_threads(threads)
            found.add(tuple(each.tobytes() for each in gradients(name)))
    finally:
        _core.set_num_threads(before)
    assert len(found) == 1


@each_problem
def test_a_replay_gives_the_same_bits(name: str) -> None:
    x, w, dy, argmax, padding = problem(name)
    where = {"padding": padding, "argmax": argmax}
    kept = numbers(*dy.shape, seed=3)

    def step() -> Sequence[Array]:
        dz = ops.relu_backward(dy, kept)
        dx = ops.conv2d_backward_data(dz, w, x.shape[1:3], **where)
        return [
            ops.relu_backward(dx, x),
            *ops.conv2d_backward_weights(dz, x, w.shape[:2], **where),
        ]

    same_as_eager(step, dy)


def test_a_relu_before_the_convolution_is_part_of_its_gradient() -> None:
    x, w, dy, argmax, padding = problem("as lenet")
    where = {"padding": padding, "argmax": argmax}

    def step() -> list[Array]:
        dx = ops.conv2d_backward_data(dy, w, x.shape[1:3], **where)
        return [ops.relu_backward(dx, x)]

    program, _ = record(step)
    assert [task["name"] for task in program.tasks()] == [
        "pack",
        "conv2d_backward_data + relu_backward",
    ]


@pytest.mark.parametrize("value", [np.nan, np.inf])
@each_problem
def test_special_numbers_go_where_the_windows_saw_them(name: str, value: float) -> None:
    """Padding is left out, not multiplied by zero."""
    x, w, dy, argmax, padding = problem(name)
    dy[0, 0, 0, 0] = dy[-1, -1, -1, -1] = value
    size = ops.conv2d(x, w, padding=padding).shape[1:3]
    dz = ops.max_pool2d_backward(dy, argmax, size, 2)
    for given, where in ((dy, {"argmax": argmax}), (dz, {})):
        dx = ops.conv2d_backward_data(given, w, x.shape[1:3], padding=padding, **where)
        dw, db = ops.conv2d_backward_weights(given, x, w.shape[:2], padding=padding, **where)
        if given is dy:
            found = dx, dw, db
    for ours, theirs in zip(found, (dx, dw, db), strict=True):
        np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))


@pytest.mark.parametrize("name", ["as lenet", "one channel", "three channels, padded"])
def test_a_maximum_that_is_nowhere_has_no_gradient(name: str) -> None:
    x, w, dy, argmax, padding = problem(name)
    argmax[:, 0] = 4
    without = dy.copy()
    without[:, 0] = 0
    where = {"padding": padding, "argmax": argmax}
    for first, second in zip(
        ops.conv2d_backward_weights(dy, x, w.shape[:2], **where),
        ops.conv2d_backward_weights(without, x, w.shape[:2], **where),
        strict=True,
    ):
        assert first.tobytes() == second.tobytes()
    dx = ops.conv2d_backward_data(dy, w, x.shape[1:3], **where)
    assert dx.tobytes() == ops.conv2d_backward_data(without, w, x.shape[1:3], **where).tobytes()


def test_the_kernel_size_may_be_a_number() -> None:
    x, _, dy, argmax, _ = problem("as lenet")
    pair = ops.conv2d_backward_weights(dy, x, (5, 5), argmax=argmax)
    number = ops.conv2d_backward_weights(dy, x, 5, argmax=argmax)
    assert [each.tobytes() for each in pair] == [each.tobytes() for each in number]


def test_an_empty_batch_has_gradients_of_zero() -> None:
    x, w, dy, argmax, _ = problem("as lenet")
    dw, db = ops.conv2d_backward_weights(dy[:0], x[:0], (5, 5), argmax=argmax[:0])
    assert not dw.any()
    assert not db.any()
    assert ops.conv2d_backward_data(dy[:0], w, (12, 12), argmax=argmax[:0]).shape == (0, 12, 12, 20)


@pytest.mark.parametrize("backend", ["native", "reference"])
def test_a_mistake_is_refused_in_a_sentence(backend: Any) -> None:
    x, w, dy, argmax, _ = problem("as lenet")
    with gk.use_backend(backend):
        with pytest.raises(ValueError, match=r"dy must have the output's shape \(7, 4, 4, 50\)"):
            ops.conv2d_backward_weights(dy[:, :3], x, (5, 5), argmax=argmax[:, :3])
        with pytest.raises(ValueError, match=r"argmax must be uint8 with the shape of dy"):
            ops.conv2d_backward_data(dy, w, (12, 12), argmax=argmax[:, :3])
        with pytest.raises(ValueError, match=r"argmax must be uint8 .* got int64"):
            ops.conv2d_backward_data(dy, w, (12, 12), argmax=argmax.astype(np.int64))


# Models: a pooling hands its maxima on where the convolution before it takes them.


def trained(model: gk.Sequential | gk.Model, dtype: str = "float32") -> str:
    """Train on noise and return the weights, as a hash."""
    rng = np.random.default_rng(0)
    x, target = rng.random((70, 14, 13, 2)).astype(dtype), rng.integers(0, 3, 70)
    model.fit(
        *(x, target),
        loss="softmax_cross_entropy",
        optimizer="momentum",
        epochs=2,
        batch_size=32,
        verbose=0,
    )
    return hashlib.sha256(model.flat_params.tobytes()).hexdigest()


def program_of(model: gk.Sequential | gk.Model) -> str:
    trained(model, str(model.dtype))
    return str(model.program())


def pooled(name: str | None, pool: gk.MaxPool2D, dtype: str = "float32") -> gk.Sequential:
    return gk.Sequential(
        *(gk.Conv2D(6, 3, activation="relu"), gk.Conv2D(8, 3, padding=1, activation=name)),
        *(pool, gk.Flatten(), gk.Dense(3)),
        dtype=dtype,
    )


@pytest.mark.parametrize("name", [None, "relu", "tanh", "sigmoid"])
def test_a_model_hands_maxima_on(name: str | None) -> None:
    model = pooled(name, gk.MaxPool2D(2))
    assert "max_pool2d_backward" not in program_of(model)


@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid", "leaky_relu"])
def test_an_activation_counts_the_same_inside_the_convolution_and_behind_it(name: str) -> None:
    def made(*layers: gk.Layer) -> gk.Sequential:
        first = gk.Conv2D(6, 3, activation="relu"), gk.MaxPool2D(2)
        return gk.Sequential(*first, *layers, gk.MaxPool2D(2), gk.Flatten(), gk.Dense(3))

    one = made(gk.Conv2D(8, 3, padding=1, activation=name, weight_init="he"))
    apart = activation(name)
    other = made(gk.Conv2D(8, 3, padding=1, weight_init="he"), apart)
    for model in (one, other):
        model.build((14, 13, 2))
    other.flat_params[...] = one.flat_params
    assert trained(one) == trained(other)
    tasks = [
        [
            (task["name"].replace(f" + {name}", ""), task["bytes"], len(task["reads"]))
            for task in model.captured["tasks"]
        ]
        for model in (one, other)
    ]
    assert tasks[0] == tasks[1]  # but that a fused activation is named
    if _core.isa() in {"avx2", "avx512"}:  # narrower sets scatter the gradient first
        assert "max_pool2d_backward" not in str(one.program())


class OtherPool(gk.MaxPool2D):
    """A pooling that may do anything."""

    native = True

    def run_backward(self, dy: Array) -> tuple[Array | None, ...]:
        return super().run_backward(dy)


class OtherConv(gk.Conv2D):
    """A convolution that may do anything."""

    native = True

    def forward(self, x: Array, training: bool = False) -> Array:
        return super().forward(x, training)


@pytest.mark.parametrize(
    "model",
    [
        pooled("relu", gk.MaxPool2D(3)),
        pooled("relu", gk.MaxPool2D(2, 1)),
        pooled("relu", gk.MaxPool2D(2, padding=1)),
        pooled("relu", OtherPool(2)),
        pooled("gelu", gk.MaxPool2D(2)),
        gk.Sequential(OtherConv(8, 3), gk.MaxPool2D(2), gk.Flatten(), gk.Dense(3)),
        pooled("relu", gk.MaxPool2D(2), "float64"),
        gk.Sequential(
            *(gk.Conv2D(8, 3), gk.BatchNorm(), gk.MaxPool2D(2), gk.Flatten(), gk.Dense(3))
        ),
        *(
            gk.Sequential(gk.Conv2D(6, 3), *between, gk.MaxPool2D(2), gk.Flatten(), gk.Dense(3))
            for between in (
                (gk.Conv2D(8, 3), gk.BatchNorm(), gk.ReLU()),
                (gk.Conv2D(8, 3), gk.GELU()),
                (gk.Conv2D(8, 3, activation="relu"), gk.Tanh()),
                (gk.Conv2D(8, 3), gk.ReLU(), gk.Tanh()),
                (gk.Conv2D(8, 3), gk.Dropout(0.5)),
            )
        ),
        gk.Sequential(gk.Conv2D(8, 3, stride=2), gk.MaxPool2D(2), gk.Flatten(), gk.Dense(3)),
    ],
)
def test_other_models_hand_on_all_gradients(model: gk.Sequential) -> None:
    assert "max_pool2d_backward" in program_of(model)


@pytest.mark.parametrize("tapped", ["convolution", "activation"])
def test_a_value_that_others_use_has_all_its_gradients(tapped: str) -> None:
    image = gk.Input((14, 13, 2))
    y = gk.Conv2D(8, 3, padding=1)(gk.Conv2D(6, 3)(image))
    z = gk.ReLU()(y)
    parts = gk.MaxPool2D(2)(z), y if tapped == "convolution" else z
    flat = [gk.Flatten()(part) for part in parts]
    model = gk.Model(image, gk.Dense(3)(gk.Concatenate()(*flat)))
    assert "max_pool2d_backward" in program_of(model)


def test_a_value_that_is_an_output_has_all_its_gradients() -> None:
    image = gk.Input((8, 8, 2))
    y = gk.Conv2D(8, 3, padding=1)(gk.Conv2D(6, 3)(image))
    model = gk.Model(image, [gk.Flatten()(gk.MaxPool2D(2)(y)), y])
    x = numbers(4, 8, 8, 2)
    targets = np.zeros((4, 72), np.float32), np.zeros((4, 6, 6, 8), np.float32)
    model.fit(x, targets, loss="mean_squared_error", verbose=0)
    assert "max_pool2d_backward" in str(model.program())


@pytest.mark.parametrize("shared", ["all", "convolution", "pooling"])
def test_shared_layers_hand_maxima_on_at_each_use(shared: str) -> None:
    image = gk.Input((14, 13, 2))
    conv, relu, pool = gk.Conv2D(8, 3, padding=1), gk.ReLU(), gk.MaxPool2D(2)
    maps = gk.Conv2D(6, 3)(image)
    first = pool(relu(conv(maps)))
    if shared != "all":
        relu = gk.ReLU()
    if shared == "convolution":
        pool = gk.MaxPool2D(2)
    if shared == "pooling":
        conv = gk.Conv2D(8, 3, padding=1)
    both = gk.Add()(first, pool(relu(conv(maps))))
    model = gk.Model(image, gk.Dense(3)(gk.Flatten()(both)))
    assert "max_pool2d_backward" not in program_of(model)


def test_a_pooling_that_nobody_uses_has_gradients_of_zero() -> None:
    image = gk.Input((8, 8, 16))
    inner = gk.Model(image, [gk.MaxPool2D(2)(gk.Conv2D(4, 3)(image)), gk.Flatten()(image)])
    x = gk.Input((8, 8, 16))
    model = gk.Model(x, gk.Dense(3)(inner(x)[1]))
    model.build()
    model.flat_grads[...] = 1
    model.forward(numbers(3, 8, 8, 16), training=True)
    model.backward(np.ones((3, 3), np.float32))
    assert not model.grads["model.conv2d.weight"].any()
    assert model.grads["dense.weight"].any()


def test_handing_on_changes_roundings_only() -> None:
    def gradient(pool: gk.MaxPool2D) -> Array:
        model = pooled("relu", pool)
        x = numbers(5, 14, 13, 2)
        model.build((14, 13, 2), seed=1)
        model.forward(x, training=True)
        model.backward(numbers(5, 3, seed=3))
        return model.flat_grads.copy()

    ours, theirs = gradient(gk.MaxPool2D(2)), gradient(OtherPool(2))
    assert ours.tobytes() != theirs.tobytes()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_the_backends_agree() -> None:
    weights = []
    for backend in ("native", "reference"):
        with gk.use_backend(backend):
            model = pooled("relu", gk.MaxPool2D(2))
            trained(model)
            weights.append(model.flat_params.copy())
    np.testing.assert_allclose(*weights, rtol=0, atol=2e-5)
