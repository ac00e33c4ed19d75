"""The textbook's classes: against equations in plain NumPy and against central differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gyaku import dlfs

RANDOM = np.random.default_rng(0)


def drawn(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape)


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def convolved(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, pad: int) -> np.ndarray:
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    height, width = w.shape[2:]
    rows, columns = ((s - k) // stride + 1 for s, k in zip(x.shape[2:], w.shape[2:], strict=True))
    y = np.empty((len(x), len(w), rows, columns))
    for i, j in np.ndindex(rows, columns):
        window = x[:, :, i * stride : i * stride + height, j * stride : j * stride + width]
        y[:, :, i, j] = np.einsum("nchw,fchw->nf", window, w) + b
    return y


def pooled(x: np.ndarray) -> np.ndarray:
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def normalised(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    z = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-6)
    return gamma * z + beta


def rnn(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    h, states = np.zeros((len(x), len(u))), []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ w + h @ u + b)
        states.append(h)
    return np.stack(states, axis=1)


def lstm(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> np.ndarray:
    h = c = np.zeros((len(x), len(u)))
    states = []
    for t in range(x.shape[1]):
        f, g, i, o = np.split(x[:, t] @ w + h @ u + b, 4, axis=1)
        c = logistic(f) * c + logistic(i) * np.tanh(g)
        h = logistic(o) * np.tanh(c)
        states.append(h)
    return np.stack(states, axis=1)


# Class, shapes of the parameters, shape of the inputs, arguments, equation.
LAYERS: list[tuple[Any, list[tuple[int, ...]], tuple[int, ...], dict[str, int], Any]] = [
    (dlfs.MatMul, [(4, 3)], (5, 4), {}, lambda x, w: x @ w),
    (dlfs.Affine, [(12, 3), (3,)], (2, 3, 2, 2), {}, lambda x, w, b: x.reshape(2, 12) @ w + b),
    (dlfs.Relu, [], (3, 4), {}, lambda x: np.maximum(x, 0)),
    (dlfs.Sigmoid, [], (2, 3, 4, 2), {}, logistic),
    (dlfs.Tanh, [], (3, 4), {}, np.tanh),
    (
        dlfs.Convolution,
        [(4, 2, 3, 2), (4,)],
        (2, 2, 7, 6),
        {"stride": 2, "pad": 1},
        lambda x, w, b: convolved(x, w, b, 2, 1),
    ),
    (dlfs.Pooling, [], (2, 3, 4, 6), {"pool_h": 2, "pool_w": 2, "stride": 2}, pooled),
    (dlfs.BatchNormalization, [(3,), (3,)], (6, 3), {}, normalised),
    (dlfs.TimeAffine, [(3, 2), (2,)], (4, 5, 3), {}, lambda x, w, b: x @ w + b),
    (dlfs.TimeRNN, [(3, 4), (4, 4), (4,)], (2, 5, 3), {}, rnn),
    (dlfs.TimeLSTM, [(3, 8), (2, 8), (8,)], (2, 4, 3), {}, lstm),
]


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row[0].__name__)
def test_a_layer_follows_its_equation_and_the_central_differences(row: Any) -> None:
    kind, shapes, inputs, arguments, equation = row
    params, x = [drawn(*shape) for shape in shapes], drawn(*inputs)
    layer = kind(*params, **arguments)
    y = layer.forward(x)
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, equation(x, *params), rtol=0, atol=1e-12)
    dout = drawn(*y.shape)
    dx = layer.backward(dout)
    for gradient, array in zip([dx, *layer.grads], [x, *params], strict=True):
        expected = dlfs.numerical_gradient(
            lambda _: float(np.sum(dout * equation(x, *params))), array
        )
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row[0].__name__)
def test_a_layer_keeps_float32(row: Any) -> None:
    kind, shapes, inputs, arguments, _ = row
    params = [drawn(*shape).astype(np.float32) for shape in shapes]
    layer = kind(*params, **arguments)
    y = layer.forward(drawn(*inputs).astype(np.float32))
    assert y.dtype == layer.backward(y).dtype == np.float32


def test_a_stateful_layer_goes_on_from_its_state() -> None:
    params, x = [drawn(3, 8), drawn(2, 8), drawn(8)], drawn(2, 6, 3)
    layer = dlfs.TimeLSTM(*params, stateful=True)
    pieces = [layer.forward(x[:, :2]), layer.forward(x[:, 2:])]
    np.testing.assert_allclose(np.concatenate(pieces, 1), lstm(x, *params), atol=1e-12)
    layer.reset_state()
    assert layer.h is layer.c is None


def test_losses_take_labels_and_rows_with_a_one() -> None:
    x, t = drawn(4, 3), np.array([0, 2, 1, 2])
    y = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    layer = dlfs.SoftmaxWithLoss()
    expected = -np.mean(np.log(y[range(4), t]))
    for target in (t, np.eye(3)[t]):
        assert layer.forward(x, target) == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(layer.backward(2), (y - np.eye(3)[t]) / 2, atol=1e-12)
        assert dlfs.softmax_loss(x, target) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(layer.y, y, atol=1e-12)


def test_steps_of_the_ignored_label_have_no_loss() -> None:
    x, t = drawn(2, 3, 4), np.array([[1, -1, 0], [-1, 2, 3]])
    layer, flat = dlfs.TimeSoftmaxWithLoss(), dlfs.SoftmaxWithLoss()
    assert layer.forward(x, t) == pytest.approx(flat.forward(x[t >= 0], t[t >= 0]))
    assert not layer.backward()[t < 0].any()
    np.testing.assert_array_equal(layer.backward()[t >= 0], flat.backward())


def test_rows_of_a_table_add_up_their_gradients() -> None:
    layer, ids, dout = dlfs.TimeEmbedding(drawn(5, 2)), np.array([[1, 4], [1, 0]]), drawn(2, 2, 2)
    np.testing.assert_array_equal(layer.forward(ids), layer.params[0][ids])
    layer.backward(dout)
    np.testing.assert_allclose(layer.grads[0][1], dout[0, 0] + dout[1, 0], atol=1e-15)


def test_dropout_scales_when_predicting() -> None:
    layer, x = dlfs.Dropout(0.25), np.ones((100, 100))
    np.testing.assert_array_equal(layer.forward(x, train_flg=False), 0.75 * x)
    y = layer.forward(x)
    assert abs(y.mean() - 0.75) < 0.03
    np.testing.assert_array_equal(layer.backward(x), y)


def test_running_statistics_are_used_when_predicting() -> None:
    layer, x = dlfs.BatchNormalization(np.ones(3), np.zeros(3), momentum=0), drawn(6, 3)
    np.testing.assert_allclose(layer.forward(x), layer.forward(x, train_flg=False), atol=1e-12)


RULES: dict[str, Any] = {  # update of w by g with state h, v
    "SGD": lambda g, s, t: -0.1 * g,
    "Momentum": lambda g, s, t: s.__setitem__(0, 0.9 * s[0] - 0.1 * g) or s[0],
    "Nesterov": lambda g, s, t: s.__setitem__(0, 0.9 * s[0] - 0.1 * g) or 0.9 * s[0] - 0.1 * g,
    "AdaGrad": lambda g, s, t: s.__setitem__(0, s[0] + g**2) or -0.1 * g / (np.sqrt(s[0]) + 1e-7),
    "RMSprop": lambda g, s, t: (
        s.__setitem__(0, 0.99 * s[0] + 0.01 * g**2) or -0.1 * g / (np.sqrt(s[0]) + 1e-7)
    ),
    "Adam": lambda g, s, t: (
        s.__setitem__(slice(None), [0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g**2])
        or -0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s[0] / (np.sqrt(s[1]) + 1e-7)
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_an_optimizer_updates_arrays_in_place_and_floats(name: str) -> None:
    w = np.array([[1.0, -2.0], [3.0, 0.5]])
    params: dict[str, Any] = {"W": w.copy().T, "x": 2.0}
    kept, rule = params["W"], getattr(dlfs, name)(lr=0.1)
    expected, states = {"W": w.T.copy(), "x": np.float64(2)}, {"W": [0.0, 0.0], "x": [0.0, 0.0]}
    for step in range(1, 6):
        rule.update(params, {key: 2 * params[key] for key in params})
        for key in params:
            expected[key] = expected[key] + RULES[name](2 * expected[key], states[key], step)
    assert params["W"] is kept
    for key in params:
        np.testing.assert_allclose(params[key], expected[key], rtol=0, atol=1e-12)


NETWORKS = {
    "two": lambda: (dlfs.TwoLayerNet(6, 4, 3, 0.5), (5, 6)),
    "many": lambda: (dlfs.MultiLayerNet(6, [4, 5], 3, "sigmoid", "xavier", 0.1), (5, 6)),
    "extended": lambda: (dlfs.MultiLayerNetExtend(6, [4], 3, use_batchnorm=True), (5, 6)),
    "images": lambda: (
        dlfs.SimpleConvNet((1, 6, 6), {"filter_num": 2, "filter_size": 3}, 4, 3, 0.5),
        (5, 1, 6, 6),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradients_of_a_network_are_the_central_differences(name: str) -> None:
    np.random.seed(0)
    network, shape = NETWORKS[name]()
    x, t = drawn(*shape), np.array([0, 1, 2, 1, 0])
    expected = network.numerical_gradient(x, t)
    for key, gradient in network.gradient(x, t).items():
        np.testing.assert_allclose(gradient, expected[key], rtol=0, atol=1e-6, err_msg=key)


def test_columns_are_the_adjoint_of_windows() -> None:
    x = drawn(2, 3, 5, 6)
    columns = dlfs.im2col(x, 3, 2, stride=2, pad=1)
    w, b = drawn(4, 3, 3, 2), np.zeros(4)
    product = (columns @ w.reshape(4, -1).T).reshape(2, 3, 4, 4).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(product, convolved(x, w, b, 2, 1), atol=1e-12)
    other = drawn(*columns.shape)
    back = dlfs.col2im(other, x.shape, 3, 2, stride=2, pad=1)
    assert np.sum(columns * other) == pytest.approx(np.sum(x * back))


@pytest.mark.parametrize("rule", ["SGD", "adam"])
def test_both_trainers_train(rule: str) -> None:
    np.random.seed(0)
    x = np.random.randn(200, 4)
    t = (x[:, 0] > 0).astype(int)
    network = dlfs.MultiLayerNet(4, [8], 2)
    arguments = {"optimizer": rule, "optimizer_param": {"lr": 0.1}, "verbose": False}
    trainer = dlfs.Trainer(network, x, t, x, t, epochs=20, mini_batch_size=20, **arguments)
    trainer.train()
    assert trainer.test_acc_list[-1] > 0.9 > trainer.test_acc_list[0]
    assert len(trainer.train_loss_list) == 200


def test_the_second_trainer_clips_and_records() -> None:
    class Model:
        def __init__(self) -> None:
            self.affine, self.end = (
                dlfs.Affine(np.zeros((4, 2)), np.zeros(2)),
                dlfs.SoftmaxWithLoss(),
            )
            self.params, self.grads = self.affine.params, self.affine.grads

        def forward(self, x: np.ndarray, t: np.ndarray) -> float:
            return self.end.forward(self.affine.forward(x), t)

        def backward(self) -> None:
            self.affine.backward(self.end.backward())

    x = drawn(100, 4)
    trainer = dlfs.Trainer(Model(), dlfs.SGD(1.0))
    trainer.verbose = False
    trainer.fit(x, (x[:, 0] > 0).astype(int), max_epoch=5, batch_size=10, max_grad=0.5)
    assert trainer.loss_list[-1] < 0.5 * trainer.loss_list[0]


def test_a_curve_is_smoothed_and_keeps_its_length() -> None:
    np.testing.assert_allclose(dlfs.smooth_curve(np.ones(20)), np.ones(20), atol=1e-12)


def test_apples_and_oranges_with_tax() -> None:
    apples, oranges, fruit, tax = dlfs.MulLayer(), dlfs.MulLayer(), dlfs.AddLayer(), dlfs.MulLayer()
    price = tax.forward(fruit.forward(apples.forward(100, 2), oranges.forward(150, 3)), 1.1)
    assert price == pytest.approx(715)
    of_fruit, of_tax = tax.backward(1)
    of_apples, of_oranges = map(float, fruit.backward(of_fruit))
    found = [*apples.backward(of_apples), *oranges.backward(of_oranges), of_tax]
    assert found == pytest.approx([2.2, 110, 3.3, 165, 650])


def test_a_list_as_a_parameter_is_one_sentence() -> None:
    with pytest.raises(TypeError, match=r"Affine: parameters must be arrays, .*np.array\(\[0\.0"):
        dlfs.Affine(np.ones((2, 1)), [0.0])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dlfs.Affine(np.ones((3, 2)), np.ones(2)).forward(np.ones((1, 4))), "3 features"),
        (
            lambda: dlfs.Convolution(np.ones((1, 2, 3, 3)), np.ones(1)).forward(np.ones((1, 4))),
            r"shape \(n, 2, h, w\)",
        ),
        (lambda: dlfs.Pooling(2, 2).forward(np.ones((1, 4))), r"shape \(n, c, h, w\)"),
        (lambda: dlfs.SoftmaxWithLoss().forward(np.ones((3, 2)), np.ones(4)), "3 labels"),
        (lambda: dlfs.SGD().update({"W": 1.0}, {}), "no gradient of 'W'"),
        (lambda: dlfs.MultiLayerNet(2, [2], 2, activation="step"), "activation must be one of"),
        (lambda: dlfs.smooth_curve([1.0]), "at least 11"),
        (lambda: dlfs.Trainer(None, [], optimizer="newton"), "optimizer must be one of"),
    ],
)
def test_bad_input_is_one_sentence(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
