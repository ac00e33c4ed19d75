"""Pictures of digits: photographs in the form of the training images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw  # which Matplotlib brings

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


# Strokes of digits in a square of 1000 pixels.
FIVE = [
    [(360, 250), (340, 480), (520, 450), (640, 540), (640, 680), (520, 790), (340, 750)],
    [(360, 200), (660, 190)],  # does not touch the rest
]
SEVEN = [[(300, 250), (700, 250), (450, 800)]]
ALIKE = 0.8  # correlation of two images of a digit; that of a five and a seven is below 0.4
SIDE = 400
Y, X = np.mgrid[0:SIDE, 0:SIDE] / SIDE
EVEN = np.full((SIDE, SIDE), 200.0)


def drawn(strokes: list[list[tuple[int, int]]], width: int = 80) -> NDArray[np.float64]:
    """Return the ink of a digit, from 0 to 1."""
    image = Image.new("L", (1000, 1000))
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        draw.line(stroke, fill=255, width=width, joint="curve")
    return np.asarray(image.resize((SIDE, SIDE)), np.float64) / 255


def photograph(
    ink: NDArray[np.float64], light: NDArray[np.float64] = EVEN, depth: float = 0.7
) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 3, ink.shape)
    return np.clip(light * (1 - depth * ink) + noise, 0, 255).astype(np.uint8)


def turned(pixels: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).rotate(degrees, fillcolor=20))


def on_a_table(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    table = np.full((2 * SIDE, 2 * SIDE), 50, np.uint8)
    table[150 : 150 + SIDE, 200 : 200 + SIDE] = pixels
    return turned(table, 5)


PHOTOGRAPHS = {
    "light from the side": lambda ink: photograph(ink, 25 + 220 * X),
    "light from a corner": lambda ink: photograph(
        ink, 60 + 190 * np.exp(-3 * ((X - 1) ** 2 + Y**2))
    ),
    "a lamp above": lambda ink: photograph(
        ink, 90 + 150 * np.exp(-4 * ((X - 0.4) ** 2 + (Y - 0.5) ** 2))
    ),
    "pencil": lambda ink: photograph(ink, 60 + 180 * X, 0.25),
    "white on black": lambda ink: photograph(1 - ink, depth=0.9),
    "beside the middle": lambda ink: photograph(np.roll(ink, (-40, 70), (0, 1)), 60 + 180 * X),
    "turned paper": lambda ink: turned(photograph(ink, 60 + 180 * X), 5),
    "a sheet on a table": lambda ink: on_a_table(photograph(ink)),
}


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
@pytest.mark.parametrize("strokes", [FIVE, SEVEN], ids=["five", "seven"])
def test_a_digit_is_found_in_any_light(kind: str, strokes: Any, tmp_path: Path) -> None:
    clear = photograph(drawn(strokes))
    if kind in ("turned paper", "a sheet on a table"):
        clear = np.where(turned(clear, 5) == 20, 200, turned(clear, 5)).astype(np.uint8)
    expected = gk.data.read_digit(saved(clear, tmp_path)).ravel()
    image = gk.data.read_digit(saved(PHOTOGRAPHS[kind](drawn(strokes)), tmp_path)).ravel()
    assert np.corrcoef(image, expected)[0, 1] > ALIKE


@pytest.mark.parametrize("width", [4, 10])
def test_thin_strokes_are_thickened(width: int, tmp_path: Path) -> None:
    thick = gk.data.read_digit(saved(photograph(drawn(SEVEN)), tmp_path)).ravel()
    image = gk.data.read_digit(saved(photograph(drawn(SEVEN, width)), tmp_path)).ravel()
    assert np.corrcoef(image, thick)[0, 1] > ALIKE
    assert (image > 128).sum() > 0.6 * (thick > 128).sum()
    five = gk.data.read_digit(saved(photograph(drawn(FIVE)), tmp_path)).ravel()
    assert np.corrcoef(image, five)[0, 1] < 0.5 * ALIKE


def test_the_centre_of_mass_is_in_the_middle(tmp_path: Path) -> None:
    image = gk.data.read_digit(saved(photograph(drawn(SEVEN)), tmp_path))[..., 0]
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    weights = image / image.sum()
    assert (weights.sum(axis=1) * (np.arange(28) + 0.5)).sum() == pytest.approx(14, abs=0.5)
    assert (weights.sum(axis=0) * (np.arange(28) + 0.5)).sum() == pytest.approx(14, abs=0.5)


def test_two_digits_are_warned_of(tmp_path: Path) -> None:
    both = np.hstack([drawn(FIVE), drawn(SEVEN)])
    path = saved(photograph(both, np.hstack([EVEN, EVEN])), tmp_path)
    with pytest.warns(UserWarning, match="shows 2 shapes side by side"):
        image = gk.data.read_digit(path)
    clear = gk.data.read_digit(saved(photograph(drawn(FIVE)), tmp_path))
    assert np.corrcoef(image.ravel(), clear.ravel())[0, 1] > ALIKE
