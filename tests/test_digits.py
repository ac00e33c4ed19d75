"""The digits of the package: all there, in an order that does not change."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path

import numpy as np
import pytest

from gyaku.data import digits
from gyaku.files import FileError

MODULE = importlib.import_module("gyaku.data.digits")  # the function has the same name


def test_shapes_types_and_range() -> None:
    (x_train, y_train), (x_test, y_test) = digits()
    assert x_train.shape == (1438, 8, 8, 1)
    assert x_test.shape == (359, 8, 8, 1)
    assert y_train.shape == (1438,)
    assert y_test.shape == (359,)
    assert x_train.dtype == x_test.dtype == np.uint8
    assert y_train.dtype == y_test.dtype == np.int64
    assert (x_train.min(), x_train.max()) == (0, 255)


def test_the_images_are_those_of_load_digits() -> None:
    (_, _), (x, y) = digits(test_size=1796)
    (first, label), _ = digits(test_size=1796)
    x, y = np.concatenate([first, x]), np.concatenate([label, y])
    # Facts of the original: the numbers of each digit, and the sum of all pixels from 0 to 16.
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    counts = np.round(x / 255 * 16).astype(np.uint8)
    assert counts.sum(dtype=int) == 561718
    # and each image with its label, in whatever order
    rows = sorted(image.tobytes() + bytes([digit]) for image, digit in zip(counts, y, strict=True))
    assert hashlib.sha256(b"".join(rows)).hexdigest() == (
        "f67d6a29d0e1f70e7f0cd9dcf25816b694881f4b8f27f5cc1db59551f0499fb8"
    )


def test_the_split_never_changes() -> None:
    _, (x_test, y_test) = digits()
    assert y_test[:10].tolist() == [8, 1, 4, 7, 3, 6, 5, 2, 0, 9]
    assert hashlib.sha256(x_test.tobytes()).hexdigest()[:16] == "616f4e8cb5db7a7c"


@pytest.mark.parametrize(
    ("test_size", "count"), [(0, 0), (0.0, 0), (0.2, 359), (0.5, 898), (297, 297)]
)
def test_the_test_set_is_a_share_or_a_number(test_size: float, count: int) -> None:
    (x_train, y_train), (x_test, y_test) = digits(test_size)
    assert len(x_test) == len(y_test) == count
    assert len(x_train) == len(y_train) == 1797 - count


@pytest.mark.parametrize("test_size", [100, 0.2, 0.5])
def test_every_split_has_all_digits_alike(test_size: float) -> None:
    for _, y in digits(test_size):
        shares = np.bincount(y, minlength=10) / len(y)
        assert np.abs(shares - 0.1).max() < 0.02


@pytest.mark.parametrize("test_size", [-1, 1797, -0.1, 1.0, 2.5, True, "0.2", None, float("nan")])
def test_a_senseless_test_size_is_refused(test_size: object) -> None:
    with pytest.raises(ValueError, match="digits: test_size must be a fraction .* got"):
        digits(test_size)  # type: ignore[arg-type]


def test_each_call_gives_arrays_of_its_own() -> None:
    (x, _), _ = digits()
    x[:] = 0
    assert digits()[0][0].max() == 255


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"<html>"])
def test_a_damaged_installation_is_named(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digits.npz"
    path.write_bytes(content)
    monkeypatch.setattr(MODULE, "_FILE", path)
    with pytest.raises(FileError, match="is damaged; install gyaku again"):
        digits()


def test_the_source_is_named_beside_the_file() -> None:
    licence = Path(MODULE.__file__).with_name("digits.LICENSE.txt").read_text()
    assert "Alpaydin" in licence
    assert "CC BY 4.0" in licence
    assert "Alpaydin" in (digits.__doc__ or "")
