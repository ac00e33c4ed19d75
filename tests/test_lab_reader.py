"""Readers of drawn digits, the models that come with the lab, and files of strangers."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Iterator
from http.client import HTTPConnection
from json import loads
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from numpy.typing import NDArray

import gyaku as gk
from gyaku.data.digit import drawn_digit
from gyaku.lab.digit_reader import DigitReader
from gyaku.lab.models import TRAINED, Models, trained
from gyaku.lab.server import Lab

REAL = Path(os.environ.get("GYAKU_DATA") or Path(__file__).parents[2] / "shared" / "data")
HAS_MNIST = (REAL / "mnist").is_dir() or any(REAL.glob("*ubyte*"))
DIGIT = np.zeros((28, 28), np.uint8)
DIGIT[4:24, 13:16] = 255  # a one


def shapes() -> dict[tuple[int, ...], gk.Sequential]:
    return {
        shape: gk.Sequential(gk.Flatten(), gk.Dense(10), seed=0)
        for shape in ((28, 28, 1), (28, 28), (784,), (8, 8, 1), (64,))
    }


@pytest.fixture(scope="module")
def reader() -> DigitReader:
    return DigitReader(trained("convnet"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with gk.lab.serve(open_browser=False) as started:
        yield started


def ask(lab: Lab, path: str, body: Any = None) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", lab.port, timeout=30)
    headers = {"Authorization": f"Bearer {lab.token}"}
    connection.request("GET" if body is None else "POST", f"/api/draw/{path}", body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, loads(text) if response.status == 200 else text


def drawing() -> bytes:
    ink = np.zeros((112, 112), np.uint8)
    ink[20:92, 50:58] = 255
    return ink.tobytes()


@pytest.mark.parametrize("shape", shapes())
def test_models_of_pictures_are_taken(shape: tuple[int, ...]) -> None:
    model = shapes()[shape]
    model.build(shape)
    made = DigitReader(model)
    assert made.side == (28 if shape[0] in (28, 784) else 8)
    picture = made.picture(np.frombuffer(drawing(), np.uint8).reshape(112, 112))
    assert picture is not None
    assert picture.shape == (made.side, made.side)
    assert made.probabilities(picture).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("shape", "layers", "sentence"),
    [
        (
            (32, 32, 3),
            [gk.Flatten(), gk.Dense(10)],
            r"takes inputs of shape \(32, 32, 3\), the lab",
        ),
        ((5,), [gk.Dense(10)], r"takes inputs of shape \(5,\), the lab draws pictures of shape"),
        ((784,), [gk.Dense(1)], r"has outputs of shape \(1,\), a classifier of drawings has"),
        ((28, 28, 1), [gk.Conv2D(3, 3)], r"has outputs of shape \(26, 26, 3\), a classifier"),
        ((784,), [gk.Dense(101)], "2 to 100 of them"),
        ((784,), [gk.Dense(10) for _ in range(201)], "has 201 layers, at most 200"),
        (
            (28, 28, 1),
            [*(gk.Conv2D(180, 5, padding="same") for _ in range(2)), gk.Flatten(), gk.Dense(2)],
            r"too large to answer while one draws: 1,[0-9.]+ million operations",
        ),
        (
            (28, 28, 1),
            [gk.Conv2D(1, 1, padding=2000), gk.GlobalAvgPool2D(), gk.Dense(2)],
            r"and 16\.2 million outputs of layers for a picture, at most 1,000 and 4$",
        ),
    ],
)
def test_other_models_are_refused_in_a_sentence(
    shape: tuple[int, ...], layers: list[gk.Layer], sentence: str
) -> None:
    model = gk.Sequential(*layers)
    model.build(shape)
    with pytest.raises(ValueError, match=f"^the model .*{sentence}"):
        DigitReader(model)


def test_probabilities_are_the_softmax_of_the_outputs(reader: DigitReader) -> None:
    outputs = np.asarray(reader.model.predict(DIGIT[None, ..., None]), np.float64)[0]
    expected = np.exp(outputs) / np.exp(outputs).sum()
    np.testing.assert_allclose(reader.probabilities(DIGIT), expected, rtol=1e-5)
    assert reader.probabilities(DIGIT).argmax() == 1


def test_outputs_that_are_not_finite_are_an_error(reader: DigitReader) -> None:
    broken = trained("mlp")
    broken.flat_params[...] = np.nan
    with pytest.raises(ArithmeticError, match="the outputs of the model are not finite"):
        DigitReader(broken).probabilities(DIGIT)


def test_pixels_of_a_model_without_scaling_may_go_from_0_to_1() -> None:
    model = shapes()[(28, 28, 1)]
    model.build((28, 28, 1))
    made = DigitReader(model)
    assert made.is_unscaled
    assert not DigitReader(trained("mlp")).is_unscaled
    unit = made.probabilities(DIGIT, in_unit=True)
    np.testing.assert_allclose(unit, made.probabilities(DIGIT // 255), rtol=1e-6)
    assert not np.allclose(unit, made.probabilities(DIGIT))


def test_maps_are_the_outputs_of_the_layers(reader: DigitReader) -> None:
    found = reader.maps(DIGIT)
    assert [each.kind for each in found] == [
        *("Conv2D, relu", "MaxPool2D", "Conv2D, relu", "MaxPool2D", "Dense, relu", "Dense"),
    ]
    x = DIGIT[None, ..., None] / np.float32(255)
    seen = {layer.name: (x := layer.forward(x)) for layer in reader.model.layers[1:]}
    for each in found:
        np.testing.assert_array_equal(each.values, seen[each.name][0])
    assert [each.has_filters for each in found] == [True, False, True, False, True, True]


def test_kernels_reproduce_the_sums_of_their_layer(reader: DigitReader) -> None:
    first = reader.maps(DIGIT)[0]
    kernel = reader.kernels(first.name, 3)
    assert kernel.shape == (1, 5, 5)
    window = DIGIT[6:11, 10:15] / 255
    bias = reader.model.params[f"{first.name}.bias"][3]
    assert max(0, (window * kernel[0]).sum() + bias) == pytest.approx(
        first.values[6, 10, 3], abs=1e-5
    )
    # A unit behind maps has a kernel of their size for each of them.
    dense = reader.maps(DIGIT)[4]
    unit = reader.kernels(dense.name, 5)
    before = reader.maps(DIGIT)[3].values
    assert unit.shape == (before.shape[2], *before.shape[:2])
    total = (np.moveaxis(before, 2, 0) * unit).sum() + reader.model.params[f"{dense.name}.bias"][5]
    assert max(0, total) == pytest.approx(dense.values[5], abs=1e-4)
    assert DigitReader(trained("mlp")).kernels("dense", 0).shape == (1, 28, 28)
    with pytest.raises(ValueError, match="conv2d has filters 0 to 7"):
        reader.kernels("conv2d", 8)
    with pytest.raises(ValueError, match="there is no layer 'max_pool2d' with filters"):
        reader.kernels("max_pool2d", 0)


def test_the_gradient_is_the_numerical_one() -> None:
    model = gk.Sequential(
        *(gk.Rescaling(1 / 255), gk.Flatten(), gk.Dense(5, "tanh"), gk.Dense(3)),
        dtype="float64",
        seed=1,
    )
    model.build((8, 8, 1))
    made = DigitReader(model)
    picture = np.random.default_rng(0).integers(10, 240, (8, 8)).astype(np.uint8)
    found = made.gradient(picture, 2)
    expected = np.zeros((8, 8))
    for place in np.ndindex(8, 8):
        up, down = picture.copy(), picture.copy()
        up[place] += 1
        down[place] -= 1
        pair = np.stack([up, down])[..., None]
        above, below = model.forward(pair.astype(np.float64))[:, 2]
        expected[place] = (above - below) / 2
    np.testing.assert_allclose(found, expected / np.abs(expected).max(), atol=1e-4)
    assert np.abs(found).max() == 1


def test_occlusion_is_the_mean_fall_of_the_output(reader: DigitReader) -> None:
    label, size = 1, reader.window
    score = reader.model.predict(DIGIT[None, ..., None])[0, label]
    sums, counts = np.zeros((2, 28, 28))
    for y in range(28 - size + 1):
        for x in range(28 - size + 1):
            covered = DIGIT.copy()
            covered[y : y + size, x : x + size] = 0
            fall = score - reader.model.predict(covered[None, ..., None])[0, label]
            sums[y : y + size, x : x + size] += fall
            counts[y : y + size, x : x + size] += 1
    expected = sums / counts
    found = reader.occlusion(DIGIT, label)
    np.testing.assert_allclose(found, expected / np.abs(expected).max(), atol=1e-4)
    on_ink, beside = found[DIGIT > 0].mean(), found[:, :6].mean()
    assert on_ink > 5 * abs(beside)


@pytest.mark.parametrize("name", TRAINED)
def test_models_of_the_package_are_small_and_say_how_they_were_trained(name: str) -> None:
    model = trained(name)
    assert {"data", "training", "made by", "test accuracy"} <= set(model.metadata)
    folder = Path(gk.__file__).parent / "lab" / "trained"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 250_000


@pytest.mark.skipif(not HAS_MNIST, reason="MNIST is not on this machine: set GYAKU_DATA")
@pytest.mark.parametrize(("name", "least"), [("convnet", 0.99), ("mlp", 0.97)])
def test_models_of_the_package_are_as_good_as_their_files_say(name: str, least: float) -> None:
    _, (x, y) = gk.data.mnist()
    model = trained(name)
    right = (np.asarray(model.predict(x)).argmax(axis=1) == y).mean()
    assert right == pytest.approx(model.metadata["test accuracy"], abs=5e-4)
    assert right >= least


@pytest.mark.skipif(not HAS_MNIST, reason="MNIST is not on this machine: set GYAKU_DATA")
def test_drawings_are_centred_as_the_digits_of_mnist(reader: DigitReader) -> None:
    _, (x, y) = gk.data.mnist()
    images = x[:500, ..., 0]
    large = images.repeat(4, axis=1).repeat(4, axis=2)
    moved = np.roll(large, (7, -9), axis=(1, 2))
    read = [drawn_digit(each, 28, 28) for each in moved]
    pictures: NDArray[np.uint8] = np.stack([each for each in read if each is not None])
    assert len(pictures) == len(images)
    places = np.indices((28, 28)) + 0.5
    for each in pictures:
        middle = (each * places).sum(axis=(1, 2)) / each.sum()
        rows, columns = each.nonzero()
        sides = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert max(sides) == 20
        is_free = sides[0] + sides[1] < 38  # else the box leaves no room to move
        assert not is_free or np.abs(middle - 14).max() < 1.5
    right = np.asarray(reader.model.predict(pictures[..., None])).argmax(axis=1) == y[:500]
    assert right.mean() >= 0.98


def test_nothing_drawn_is_no_digit() -> None:
    assert drawn_digit(np.zeros((112, 112), np.uint8), 28, 28) is None
    faint = np.full((112, 112), 10, np.uint8)
    assert drawn_digit(faint, 28, 28) is None


def test_a_drawing_is_read_and_explained(lab: Lab) -> None:
    status, models = ask(lab, "models")
    assert (status, [each["id"] for each in models]) == (200, list(TRAINED))
    status, answer = ask(lab, "read?model=convnet", drawing())
    assert (status, answer["doubt"]) == (200, False)
    assert int(np.argmax(answer["probabilities"])) == 1
    assert len(answer["picture"]) == 784
    empty = {"probabilities": None, "picture": None, "doubt": True}
    assert ask(lab, "read?model=convnet", bytes(112 * 112)) == (200, empty)
    layers = ask(lab, "maps?model=convnet", drawing())[1]["layers"]
    first = layers[0]
    assert (first["height"], first["width"], first["channels"]) == (24, 24, 8)
    values = np.frombuffer(b64decode(first["values"]), np.uint8)
    assert (len(values), values.max(), values.min()) == (24 * 24 * 8, 255, 128)
    for by in ("gradient", "occlusion"):
        reasons = ask(lab, f"why?model=convnet&by={by}", drawing())[1]
        assert (reasons["by"], reasons["label"], len(reasons["values"])) == (by, 1, 784)
    kernels = ask(lab, "filter?model=convnet&layer=conv2d&number=2")[1]
    assert (kernels["count"], kernels["height"], kernels["width"]) == (1, 5, 5)


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("read?model=convnet", b"xyz", "a drawing has 112 x 112 bytes, the request 3"),
        ("read?model=other", drawing(), "there is no model 'other' here, load the page again"),
        ("why?model=convnet&by=eval", drawing(), "by must be gradient or occlusion, got 'eval'"),
        ("why?model=convnet&by=gradient", bytes(112 * 112), "nothing is drawn"),
        ("filter?model=convnet&layer=x&number=0", None, "there is no layer 'x' with filters"),
        ("filter?model=convnet&layer=conv2d&number=-1", None, "number must be a whole number"),
        ("filter?model=convnet&layer=conv2d&number=9999999", None, "conv2d has filters 0 to 7"),
    ],
)
def test_malformed_questions_are_refused(lab: Lab, path: str, body: Any, sentence: str) -> None:
    status, text = ask(lab, path, body)
    assert status == 400
    assert text.startswith(sentence)


def test_a_model_is_uploaded_like_any_file_from_a_stranger(lab: Lab, tmp_path: Path) -> None:
    model = gk.models.linear()
    model.build((28, 28, 1))
    model.save(tmp_path / "own.safetensors")
    content = (tmp_path / "own.safetensors").read_bytes()
    title = urlencode({"title": "<b>my own</b>"})
    status, described = ask(lab, f"upload?{title}", content)
    assert (status, described["title"], described["side"]) == (200, "<b>my own</b>", 28)
    assert ask(lab, f"read?model={described['id']}", drawing())[0] == 200
    small = gk.Sequential(gk.Dense(3))
    small.build((4,))
    small.save(tmp_path / "small.safetensors")
    bad = {
        b"": "model.safetensors is empty, not a safetensors file",
        b"\x80\x04\x95pickle": "model.safetensors is a pickle",
        content[:-5]: "model.safetensors is cut off",
        content.replace(b"Dense", b"Evil_"): "model.safetensors is damaged: its checksum",
        (tmp_path / "small.safetensors").read_bytes(): "the model takes inputs of shape (4,)",
    }
    for damaged, sentence in bad.items():
        status, text = ask(lab, "upload", damaged)
        assert status == 400
        assert text.startswith(sentence)
    named = ask(lab, "upload?title=mine.safetensors", b"")[1]
    assert named == "mine.safetensors is empty, not a safetensors file"
    for _ in range(8):
        assert ask(lab, "upload", content)[0] == 200
    assert ask(lab, f"read?model={described['id']}", drawing())[0] == 400  # the oldest is forgotten


def test_own_models_come_first() -> None:
    model = gk.models.linear()
    model.build((28, 28, 1))
    described = Models([model]).described()
    assert [each["title"] for each in described] == ["linear", *TRAINED.values()]
    small = gk.Sequential(gk.Dense(3))
    small.build((4,))
    with pytest.raises(ValueError, match=r"takes inputs of shape \(4,\)"):
        Models([small])
