"""Pictures of digits: photographs in the form of the training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image  # which Matplotlib brings

import gyaku as gk
from gyaku.files import FileError


def saved(pixels: NDArray[np.uint8], folder: Path) -> Path:
    path = folder / "photograph.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(("paper", "ink"), [(200, 30), (20, 240)])
def test_a_photograph_is_cut_scaled_and_centred(paper: int, ink: int, tmp_path: Path) -> None:
    pixels = np.full((300, 400), paper, np.uint8)
    pixels[50:250, 30:80] = ink  # a bar on the left, 200 x 50
    image = gk.data.read_digit(saved(pixels, tmp_path))
    expected = np.zeros((28, 28, 1), np.uint8)
    expected[4:24, 12:17] = 255
    assert image.dtype == np.uint8
    shifted = expected, np.roll(expected, -1, axis=1)  # 5 columns have no middle among 28
    assert any(np.array_equal(image, each) for each in shifted)
    small = gk.data.read_digit(saved(pixels, tmp_path), shape=(8, 8))
    assert small.shape == (8, 8)
    assert (small.max(axis=1) == 255).all()


def test_a_picture_of_the_right_size_is_taken_as_it_is(tmp_path: Path) -> None:
    (x, _), _ = gk.data.digits()
    digit = x[3]
    image = gk.data.read_digit(saved(255 - digit[:, :, 0], tmp_path), shape=(8, 8, 1))
    top = int(digit.max())
    np.testing.assert_array_equal(image, np.round(digit / top * 255).astype(np.uint8))


def test_an_empty_sheet_is_refused(tmp_path: Path) -> None:
    path = saved(np.full((40, 40), 200, np.uint8), tmp_path)
    with pytest.raises(FileError, match="shows nothing but one colour"):
        gk.data.read_digit(path)
