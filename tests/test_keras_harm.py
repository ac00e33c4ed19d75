"""Files of Keras that mean harm: no memory, no time, no other file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from keras_writer import (
    DENSE,
    KERNEL,
    archive,
    called,
    described,
    graph,
    old,
    refusal,
    weights,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.keras"


def test_content_elsewhere_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(KERNEL.tobytes())
    path = tmp_path / "model.weights.h5"

    def external(file: Any) -> None:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", (3, 2), "f8", external=[(str(secret), 0, 48)])

    path.write_bytes(weights({}, external))
    assert refusal(path).endswith("in another file, as Keras does not write it")
    soft = h5py.SoftLink("/layers")
    path.write_bytes(weights({}, lambda file: file.__setitem__("layers/dense", soft)))
    assert refusal(path) == "has a link to another place, which is not followed"
    far = h5py.ExternalLink(str(secret), "/")
    path.write_bytes(weights({}, lambda file: file.__setitem__("layers/dense", far)))
    assert refusal(path) == "is no file of Keras: layers is no group of its layout"


def test_a_circle_of_groups_ends(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    path.write_bytes(weights({}, lambda file: file.__setitem__("layers/dense", file["layers"])))
    assert "is used twice" in refusal(path)


def test_a_shape_without_content_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"

    def huge(file: Any) -> None:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", (10**6, 10**6), "f4")

    path.write_bytes(weights({}, huge))
    assert "claims 4000000000000 bytes, more than there are" in refusal(path)

    def compressed(file: Any) -> None:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", data=np.zeros((1000, 1000)), compression="gzip")

    path.write_bytes(weights({}, compressed))
    assert refusal(path).endswith("as Keras does not write it")


def test_one_text_for_many_names_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    old(path, None, {"one": [KERNEL]})
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = ["x" * 60_000, *["y"] * 40]
    content = path.read_bytes()
    first = content.index((60_000).to_bytes(4, "little"), content.index(b"layer_names"))
    entry, end = content[first : first + 16], first + 41 * 16
    assert content[first + 16 : first + 20] == (1).to_bytes(4, "little")
    path.write_bytes(content[:first] + entry * 41 + content[end:])
    assert "claims 60000 bytes, more than there are" in refusal(path)


def declaring(path: Path, member: str, size: int) -> Path:
    """Change the size that an archive declares for a member."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(member.encode()))
    content[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_an_archive_that_unpacks_to_far_more_is_refused(path: Path) -> None:
    archive(path, {}, weights(DENSE))
    assert "would fill 2000000000 bytes" in refusal(declaring(path, "model.weights.h5", 2 * 10**9))
    archive(path, {}, weights(DENSE))
    assert refusal(declaring(path, "config.json", 20_000_000)) == (
        "has a config.json of 20000000 bytes, at most 10000000 are read"
    )


def test_models_that_call_models_do_not_explode(path: Path) -> None:
    config = graph("level", [called(described("Identity"), ("x", 0))], ("one", 0))
    for level in range(17):
        inner = called(config, ("x", 0), (config["config"]["name"], 0))
        config = graph(f"level{level}", [inner], (inner["name"], 2))
    archive(path, config, weights({}))
    assert "applies more than 65536 layers" in refusal(path)


def test_a_circle_of_calls_is_named(path: Path) -> None:
    layers = [called(described("Identity", n), (o, 0)) for n, o in (("a", "b"), ("b", "a"))]
    archive(path, graph("circle", layers, ("b", 0)), weights({}))
    assert refusal(path).startswith("is connected in a circle, at")
