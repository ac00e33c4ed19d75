"""Folders of pictures, arrays and settings at the command line, and the forms of tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_readme import blocks, commands

import gyaku as gk
from child import Command
from gyaku.files import FileError

RNG = np.random.default_rng(0)
QUICK = ("--no-curve", "--quiet", "--output", "m", "--json")
RED, BLUE = (220, 40, 40), (40, 60, 220)


def result(done: Any) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def picture(path: Path, colour: tuple[int, ...], size: tuple[int, int] = (12, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = RNG.integers(-30, 30, (*size, 3))
    Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for number in range(15):
        picture(tmp_path / "pets" / "robin" / f"{number}.png", RED)
        picture(tmp_path / "pets" / "tit" / f"{number}.jpg", BLUE)
    (tmp_path / "pets" / "tit" / "notes.txt").write_text("no picture")
    (tmp_path / "pets" / ".cache").mkdir()
    return tmp_path / "pets"


def test_a_folder_a_class(pets: Path, tmp_path: Path, here: Command) -> None:
    found = result(here("train", "pets", "--epochs", "10", *QUICK))
    assert found["classes"] == ["robin", "tit"]
    assert found["accuracy"] == 1
    assert gk.load("m.safetensors").input_shape == (12, 10, 3)
    picture(tmp_path / "new.png", BLUE, (90, 50))
    done = here("predict", "m.safetensors", "new.png")
    assert "The model says tit." in done.stdout
    assert result(here("evaluate", "m.safetensors", "pets", "--json"))["samples"] == 30


def test_folders_for_training_and_test(pets: Path, tmp_path: Path, here: Command) -> None:
    (tmp_path / "birds").mkdir()
    pets.rename(tmp_path / "birds" / "train")
    for number in range(4):
        picture(tmp_path / "birds" / "test" / "robin" / f"{number}.png", BLUE, (30, 30))
        picture(tmp_path / "birds" / "test" / "tit" / f"{number}.png", BLUE, (30, 30))
    done = here("train", "birds", "--epochs", "10", "--no-curve")
    assert "birds: 30 colour images of 12 x 10 to train on, 8 to test on" in done.stdout
    assert "classes: robin, tit" in done.stdout
    assert "robin/0.png: robin, taken for tit" in done.stdout


def test_pictures_of_many_sizes_are_scaled(pets: Path, here: Command) -> None:
    picture(pets / "tit" / "large.png", BLUE, (100, 80))
    (x, y), classes, files = gk.data.image_folder(pets)
    assert x.shape == (31, 32, 32, 3)
    assert y.tolist() == [0] * 15 + [1] * 16
    assert files[-1].name == "large.png"
    assert classes == ["robin", "tit"]
    found = result(here("train", "pets", "--size", "16", "--epochs", "1", *QUICK))
    assert gk.load(found["files"]["model"]).input_shape == (16, 16, 3)


def test_grey_pictures_have_one_channel_and_16_bits_become_8(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    (x, _), _, _ = gk.data.image_folder(tmp_path)
    expected = np.round(pixels * (255 / 65535)).astype(np.uint8)
    np.testing.assert_array_equal(x[0], expected[..., np.newaxis])


def test_a_picture_is_read_upright(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    image.save(tmp_path / "turned.png", exif=exif)
    found = gk.data.read_image(tmp_path / "turned.png", (6, 4, 1))
    np.testing.assert_array_equal(found[..., 0], np.rot90(pixels, -1))


def test_a_damaged_picture_is_named(pets: Path, here: Command) -> None:
    (pets / "tit" / "torn.png").write_bytes((pets / "robin" / "3.png").read_bytes()[:60])
    done = here("train", "pets")
    assert done.returncode == 1
    assert done.stderr.startswith("gyaku train: pets/tit/torn.png is ")
    with pytest.raises(FileError, match="the model takes samples of shape"):
        gk.data.read_image(pets / "robin" / "1.png", (5,))


@pytest.mark.parametrize("kind", ["classes", "names", "numbers", "parts"])
def test_arrays(kind: str, tmp_path: Path, here: Command) -> None:
    x = RNG.normal(3, 2, (100, 4)).astype(np.float32)
    numbers = x[:, :1] * 2 + 1
    y: Any = (x[:, 0] > 3).astype(int)
    y = {"names": np.array(["no", "yes"])[y], "numbers": numbers}.get(kind, y)
    if kind == "parts":
        np.savez(tmp_path / "a.npz", x_train=x[:70], y_train=y[:70], x_test=x[70:], y_test=y[70:])
    else:
        np.savez(tmp_path / "a.npz", x=x, y=y)
    found = result(here("train", "a.npz", "--epochs", "20", *QUICK))
    assert found["r2" if kind == "numbers" else "accuracy"] > 0.8
    np.save(tmp_path / "new.npy", x[:3])
    rows = result(here("predict", "m.safetensors", "new.npy", "--json"))
    answers = [row["prediction"] for row in rows]
    if kind == "numbers":
        np.testing.assert_allclose(answers, numbers[:3, 0], atol=2)
    else:
        names = {"names": ["no", "yes"]}.get(kind, ["0", "1"])
        assert answers == [names[int(value > 3)] for value in x[:3, 0]]
    if kind != "parts":
        assert result(here("evaluate", "m.safetensors", "a.npz", "--json"))["samples"] == 100


def test_images_of_numbers_with_batch_norm_keep_their_statistics(
    tmp_path: Path, here: Command
) -> None:
    x = RNG.integers(0, 256, (40, 8, 8, 1), np.uint8)
    y = x.mean(axis=(1, 2, 3)) * 100
    np.savez(tmp_path / "a.npz", x=x, y=y)
    found = result(here("train", "a.npz", "--model", "resnet", "--epochs", "2", *QUICK))
    model = gk.load("m.safetensors")
    rows = result(here("predict", "m.safetensors", "a.npz", "--json"))
    answers = np.array([row["prediction"] for row in rows])
    np.testing.assert_allclose(answers, model.predict(x)[:, 0], rtol=1e-4)
    assert np.isfinite(found["r2"])


def test_settings_come_from_a_file_and_the_command_line_prevails(
    tmp_path: Path, here: Command
) -> None:
    (tmp_path / "data").mkdir()
    rows = "".join(f"{i % 7},{i % 3},{i}.5\n" for i in range(50))
    (tmp_path / "data" / "t.csv").write_text("a,b,y\n" + rows)
    settings = ['data = "t.csv"', 'target = "y"', "hidden = [5, 4]", "epochs = 2"]
    settings += ["no_curve = true", "flip = false"]
    (tmp_path / "data" / "settings.toml").write_text("\n".join(settings))
    for given in (("data/settings.toml",), ("--config", "data/settings.toml")):
        found = result(here("train", *given, "--epochs", "3", "--json"))
        assert found["epochs"] == 3
        assert found["files"].keys() == {"model", "history"}
        sizes = [layer.units for layer in gk.load(found["files"]["model"]).layers[1:-1]]
        assert sizes == [5, 4, 1]
    found = result(here("train", "data/t.csv", "data/settings.toml", "--json"))
    assert found["epochs"] == 2
    done = here("train", "a.toml", "b.toml")
    assert "give one settings file, not a.toml and b.toml" in done.stderr


TABLES = {
    "semicolons": ("a;b;y\n1,5;red;2\n2,5;blue;3\n", "utf-8"),
    "tabs": ("a\tb\ty\n1.5\tred\t2\n2.5\tblue\t3\n", "utf-8"),
    "quotes": ('a,b,y\n1.5,"red",2\n\n"2.5", blue ,3\n', "utf-8-sig"),
    "wide": ("a,b,y\n1.5,red,2\n2.5,blue,3\n", "utf-16"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_many_programs(kind: str, tmp_path: Path) -> None:
    from gyaku.cli.columns import learn
    from gyaku.cli.table import read_table

    text, encoding = TABLES[kind]
    (tmp_path / "t.csv").write_text(text, encoding=encoding)
    table = read_table(tmp_path / "t.csv")
    columns = learn(table, "y", task="regression")
    np.testing.assert_array_equal(columns.encode(table), [[1.5, 0, 1], [2.5, 1, 0]])
    np.testing.assert_array_equal(columns.targets(table), [2, 3])


def test_a_table_in_shift_jis(tmp_path: Path, here: Command) -> None:
    rows = "".join(f"{i},{'東京' if i % 2 else '大阪'}\n" for i in range(20))
    (tmp_path / "t.csv").write_text("番号,都市\n" + rows, encoding="cp932")
    done = here("train", "t.csv", "--target", "都市", "--epochs", "1", "--no-curve")
    assert done.returncode == 0
    assert "target 都市: 2 classes, 大阪, 東京" in done.stdout
    assert "column '番号' counts the rows, from 0 to 19; leave it out" in done.stderr


def test_classes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    from gyaku.cli.columns import classes_of
    from gyaku.cli.table import Table

    def found(texts: list[str], task: str | None = None) -> list[str] | None:
        return classes_of(Table(tmp_path, {"y": texts}, list(range(len(texts)))), "y", task)

    assert found(["10", "2", "2.0", "1"] * 9) == ["1", "2", "10"]
    assert found(["True", "False"] * 9) == ["False", "True"]
    assert found(["b", "a", "3"] * 9) == ["3", "a", "b"]
    assert found([str(i) for i in range(21)] * 2) is None
    assert found([str(i) for i in range(21)] * 2, "classification") == [str(i) for i in range(21)]
    assert found(["1", "2"] * 9, "regression") is None
    assert found(["1.5", "2"] * 9) is None


def test_the_commands_of_the_page_run(tmp_path: Path, here: Command) -> None:
    page = "docs/command-line.md"
    exec("\n".join(blocks(page, "python")), {})
    for command in commands(page):
        done = here(*command.split()[1:])
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "prices.csv").read_text().splitlines()) == 51
    (tmp_path / "settings.toml").write_text(*blocks(page, "toml"))
    found = result(here("train", "settings.toml", "--epochs", "2", "--json", "--quiet"))
    assert found["epochs"] == 2
