"""Models written as ONNX files, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from layer_case import LayerCase
from layer_cases import LAYER_CASES
from test_array_operations import SELECTORS, arguments, options

import gyaku as gk
from gyaku.reference.arrays import ARRAY_OPERATIONS

OWN = {"Product", "Scale", "Sum"}
CASES = {name: case for name, case in LAYER_CASES.items() if name not in OWN}


def session(path: Path) -> Any:
    onnx.checker.check_model(str(path), full_check=True)
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(path: Path, *x: np.ndarray) -> list[np.ndarray]:
    opened = session(path)
    names = [each.name for each in opened.get_inputs()]
    return opened.run(None, dict(zip(names, x, strict=True)))


def drawn(case: LayerCase, samples: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    draw = lambda shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    return case.inputs(rng, draw)


def randomised(model: gk.Model) -> gk.Model:
    """Fill parameters and statistics with random values, so that none is neutral."""
    rng = np.random.default_rng(1)
    for views in (model.params, model.buffers):
        for array in views.values():
            array[...] = rng.uniform(0.2, 0.9, array.shape) * rng.choice([-1, 1], array.shape)
    for name, array in model.buffers.items():
        if name.endswith("variance"):
            array[...] = np.abs(array)
    return model


def test_every_layer_class_is_written() -> None:
    exported = [getattr(gk.layers, name) for name in gk.layers.__all__]
    classes = {
        each.__name__
        for each in exported
        if isinstance(each, type) and issubclass(each, gk.Layer) and each not in BASES
    }
    assert classes == {name.split()[0] for name in CASES}


BASES = {gk.Layer, gk.layers.Activation}  # of other layers


@pytest.mark.parametrize("name", CASES)
def test_a_runtime_computes_the_same_outputs(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    model, path = case.model(), tmp_path / "model.onnx"
    model.build(case.shape)
    randomised(model)
    gk.interop.to_onnx(model, path)
    x = drawn(case)
    expected = model.forward(tuple(x) if len(x) > 1 else x[0])
    (found,) = run(path, *x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ARRAY_OPERATIONS)
def test_operations_on_arrays_are_nodes(name: str, tmp_path: Path) -> None:
    x, path = arguments(name), tmp_path / "model.onnx"
    constants = [each.shape if n in SELECTORS.get(name, ()) else None for n, each in enumerate(x)]
    if any(constants):  # a matrix, or a condition
        constants = [shape and (1, *shape[1:]) if name == "where" else shape for shape in constants]
    layer = gk.layers.ArrayOperation(name, options(name), constants if any(constants) else None)
    chosen = [each for each, shape in zip(x, constants, strict=True) if shape is None]
    inputs = [gk.Input(each.shape[1:]) for each in chosen]
    model = gk.Model(inputs, layer(*inputs))
    model.build()
    for place, shape in enumerate(constants):
        if shape:
            layer.buffers[f"constant_{place}"] = x[place][: shape[0]]
    gk.interop.to_onnx(model, path)
    samples = [each.astype(np.float32) for each in chosen]
    expected = model.forward(tuple(samples) if len(samples) > 1 else samples[0])
    (found,) = run(path, *samples)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    again = gk.interop.from_onnx(path)
    back = again.forward(tuple(samples) if len(samples) > 1 else samples[0])
    np.testing.assert_allclose(back, expected, rtol=1e-5, atol=1e-5)


def tagger() -> gk.Sequential:
    model = gk.Sequential(
        gk.Embedding(9, 4, mask_zero=True),
        gk.Bidirectional(gk.LSTM(3, return_sequences=True)),
        gk.TimeDistributed(gk.Dense(5, "tanh")),
        gk.GRU(4, return_sequences=True, go_backwards=True),
        gk.SimpleRNN(6, "relu"),
        gk.Dense(2),
    )
    model.build((5,))
    return model


def test_batch_and_time_axes_are_free(tmp_path: Path) -> None:
    model, path = randomised(tagger()), tmp_path / "model.onnx"
    gk.interop.to_onnx(model, path)
    opened = session(path)
    assert opened.get_inputs()[0].shape == ["batch", "time"]
    for shape in ((1, 1), (3, 5), (4, 11)):
        ids = np.random.default_rng(0).integers(1, 9, shape)
        (found,) = opened.run(None, {"x": ids})
        np.testing.assert_allclose(found, model.predict(ids), rtol=1e-5, atol=1e-5)


def test_padded_steps_change_no_output(tmp_path: Path) -> None:
    model, path = randomised(tagger()), tmp_path / "model.onnx"
    gk.interop.to_onnx(model, path)
    ids = np.array([[1, 2, 3, 4, 5, 6], [7, 0, 8, 0, 0, 0], [3, 0, 0, 0, 0, 0]])
    (found,) = run(path, ids)
    np.testing.assert_allclose(found, model.predict(ids), rtol=1e-5, atol=1e-5)


def test_recurrent_layers_are_one_node_of_time_first(tmp_path: Path) -> None:
    # onnxruntime 1.32 refuses layout=1, although onnx's checker takes it.
    gk.interop.to_onnx(tagger(), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    recurrent = [node for node in graph.node if node.op_type in ("LSTM", "GRU", "RNN")]
    assert [node.op_type for node in recurrent] == ["LSTM", "GRU", "RNN"]
    assert not {each.name for node in recurrent for each in node.attribute} & {"layout"}


def test_the_file_is_stamped_for_older_runtimes(tmp_path: Path) -> None:
    # onnx 1.23.2 would stamp IR 14 and opset 28, which onnxruntime 1.31 refuses.
    gk.interop.to_onnx(lenet(), tmp_path / "model.onnx")
    proto = onnx.load(tmp_path / "model.onnx")
    assert (proto.ir_version, [each.version for each in proto.opset_import]) == (8, [17])


FUNCTIONS: dict[str, Any] = {
    "LSTM": lambda: gk.LSTM(3, activations=("hard_sigmoid", "elu", "softsign"), clip=0.4),
    "GRU": lambda: gk.GRU(3, activations=("hard_sigmoid", "leaky_relu"), clip=0.5),
    "SimpleRNN": lambda: gk.SimpleRNN(3, "identity", clip=0.3),
    "Bidirectional": lambda: gk.Bidirectional(
        gk.LSTM(3, activations=("sigmoid", "identity", "tanh"), return_sequences=True)
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations_and_limits_of_recurrent_layers_are_written(name: str, tmp_path: Path) -> None:
    # Keras's hard sigmoid, and that here, rises by 1/6, the default of ONNX by 0.2.
    model, path = randomised(built(FUNCTIONS[name](), shape=(5, 2))), tmp_path / "model.onnx"
    gk.interop.to_onnx(model, path)
    x = np.random.default_rng(0).standard_normal((3, 5, 2)).astype(np.float32)
    (found,) = run(path, x)
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-5, atol=1e-5)
    again = gk.interop.from_onnx(path)
    np.testing.assert_allclose(again.predict(x), model.predict(x), rtol=1e-6, atol=1e-6)


def lenet() -> gk.Model:
    model = gk.models.lenet()
    model.build((28, 28, 1))
    return model


def test_images_are_transposed_only_at_the_ends_of_the_convolutions(tmp_path: Path) -> None:
    gk.interop.to_onnx(lenet(), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert sum(node.op_type == "Transpose" for node in graph.node) == 2


def test_branches_of_convolutions_keep_channels_first(tmp_path: Path) -> None:
    x = gk.Input((6, 6, 2))
    y = gk.Conv2D(3, 3, padding=1)(x)
    y = gk.Add()(y, gk.PReLU()(gk.Pad(1)(gk.Crop(1)(y))))
    y = gk.Concatenate()(gk.Upsample()(gk.MaxPool2D()(y)), gk.AdaptiveAvgPool2D(6)(y))
    model, path = gk.Model(x, gk.GlobalAvgPool2D()(gk.Dropout(0.1)(y))), tmp_path / "model.onnx"
    model.build((6, 6, 2))
    gk.interop.to_onnx(model, path)
    assert [n.op_type for n in onnx.load(path).graph.node].count("Transpose") == 1
    samples = np.random.default_rng(0).standard_normal((3, 6, 6, 2)).astype(np.float32)
    (found,) = run(path, samples)
    np.testing.assert_allclose(found, model.predict(samples), rtol=1e-5, atol=1e-5)


def test_float64_models_are_written_in_float32(tmp_path: Path) -> None:
    # onnxruntime 1.32 opens LSTM and GRU in float64 and fails at the first run.
    x = gk.Input((4, 2))
    model = gk.Model(x, gk.LSTM(3)(x), dtype="float64")
    model.build((4, 2))
    gk.interop.to_onnx(model, tmp_path / "model.onnx")
    samples = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
    (found,) = run(tmp_path / "model.onnx", samples)
    np.testing.assert_allclose(found, model.predict(samples), rtol=1e-5, atol=1e-5)


def test_outputs_have_the_names_of_the_model(tmp_path: Path) -> None:
    x = gk.Input((4, 2), name="series")
    shared = gk.Dense(3, name="scores")
    y, h, c = gk.LSTM(2, return_sequences=True, return_state=True, name="memory")(x)
    inner = gk.Sequential(gk.Dense(3, "relu"), gk.Dense(2), name="inner")
    model = gk.Model(x, [shared(y), shared(h), c, inner(y)])
    model.build((4, 2))
    gk.interop.to_onnx(model, tmp_path / "model.onnx")
    opened = session(tmp_path / "model.onnx")
    assert [each.name for each in opened.get_inputs()] == ["series"]
    assert [each.name for each in opened.get_outputs()] == list(model.output_names)
    samples = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
    for found, expected in zip(
        opened.run(None, {"series": samples}), model.predict(samples), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_two_files_of_a_model_are_equal(tmp_path: Path) -> None:
    model = lenet()
    for name in ("a", "b"):
        gk.interop.to_onnx(model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_above_the_limit_of_a_protobuf_lie_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gyaku.interop.onnx import exporter

    monkeypatch.setattr(exporter, "_LARGEST", 10_000)
    model = lenet()
    gk.interop.to_onnx(model, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx.data").stat().st_size > 10_000
    x = np.random.default_rng(0).random((2, 28, 28, 1), np.float32)
    (found,) = run(tmp_path / "model.onnx", x)
    np.testing.assert_allclose(found, model.predict(x), rtol=1e-5, atol=1e-5)


def built(*layers: gk.Layer, shape: tuple[int, ...] = (4, 2)) -> gk.Sequential:
    model = gk.Sequential(*layers)
    model.build(shape)
    return model


MISTAKES = {
    "to_onnx: model must be a gyaku model, got int": (TypeError, lambda: 3),
    "to_onnx: the model is not built, call build(input_shape) or fit first": (
        ValueError,
        lambda: gk.Sequential(gk.Dense(3)),
    ),
    "to_onnx: LSTM 'lstm' is stateful, and an ONNX graph carries no state from one run to the next;"
    " give its states as inputs and return_state=True instead": (
        ValueError,
        lambda: built(gk.LSTM(3, stateful=True)),
    ),
    "to_onnx: SimpleRNN 'simple_rnn' has the activation selu, which no recurrent node of ONNX"
    " has": (
        ValueError,
        lambda: built(gk.SimpleRNN(3, "selu")),
    ),
    "to_onnx: Sum 'sum' has no counterpart in ONNX here": (
        ValueError,
        lambda: built(LAYER_CASES["Sum"].make()),
    ),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_model_without_counterpart_is_refused_in_one_sentence(
    message: str, tmp_path: Path
) -> None:
    error, make = MISTAKES[message]
    model = make()
    with pytest.raises(error) as raised:
        gk.interop.to_onnx(model, tmp_path / "model.onnx")
    assert str(raised.value) == message
    assert not list(tmp_path.iterdir())
