"""Data of one's own at the command line: tables, folders of pictures, arrays, settings."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gyaku as gk
from child import Command

RNG = np.random.default_rng(0)
ROWS = 200
AREA = RNG.uniform(20, 200, ROWS)
COLOUR = RNG.choice(["red", "green", "blue"], ROWS)
PRICE = 1000 * (AREA * 3 + np.where(COLOUR == "red", 100, 0)) + 50_000
SIZE = np.where(AREA > 110, "large", "small")
HOUSES = {
    "area": [f"{value:.4f}" for value in AREA],
    "colour": [*COLOUR],
    "garden": ["true" if value else "false" for value in RNG.random(ROWS) > 0.5],
    "price": [f"{value:.2f}" for value in PRICE],
}
QUICK = ("--no-curve", "--quiet", "--output", "m", "--json")


def write(path: Path, columns: dict[str, list[str]], delimiter: str = ",", **options: Any) -> None:
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(rows)
    path.write_text(stream.getvalue(), **options)


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    path = tmp_path / "houses.csv"
    write(path, HOUSES)
    return path


def result(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_numbers_are_learnt_in_their_own_unit(houses: Path, here: Command) -> None:
    found = result(here("train", "houses.csv", "--target", "price", *QUICK))
    assert found["r2"] > 0.9
    model = gk.load(found["files"]["model"])
    assert [type(layer).__name__ for layer in model.layers] == [
        *("Normalization", "Dense", "Dense", "Rescaling"),
    ]
    rows = list(csv.DictReader(here("predict", "m.safetensors", "houses.csv").stdout.splitlines()))
    error = np.abs(np.array([float(row["prediction"]) for row in rows]) - PRICE)
    assert error.mean() < 0.3 * PRICE.std()
    assert [int(row["line"]) for row in rows] == list(range(2, ROWS + 2))
    measured = result(here("evaluate", "m.safetensors", "houses.csv", "--json"))
    assert measured["mean_absolute_error"] == pytest.approx(error.mean(), rel=1e-4)


def test_scaling_is_learnt_on_the_training_rows_alone(houses: Path, here: Command) -> None:
    result(here("train", "houses.csv", "--target", "price", "--epochs", "1", *QUICK))
    first = gk.load("m.safetensors").layers[0]
    # area, three colours of 0 and 1 that stay, garden
    assert first.mean[1:4] == (0, 0, 0)
    assert first.std[1:4] == (1, 1, 1)
    sums = first.mean[0] * 160
    assert first.mean[0] != pytest.approx(AREA.mean(), rel=1e-6)
    assert 0 < AREA.sum() - sums < 40 * 200
    assert first.mean[4] * 160 == pytest.approx(round(first.mean[4] * 160))


def test_what_was_recognised_is_said_with_a_report_at_the_end(houses: Path, here: Command) -> None:
    write(houses, HOUSES | {"size": [*SIZE]})
    done = here("train", "houses.csv", "--target", "size", "--ignore", "price", "--epochs", "5")
    assert done.returncode == 0, done.stderr
    for line in (
        "houses.csv: 160 rows to train on, 40 to test on",
        "inputs: numbers area, garden; categories colour (3)",
        "target size: 2 classes, large, small (--task regression for numbers)",
        "mlp: 5 inputs, 256 relu, 2 outputs; 2,050 parameters",
        "      taken for",
        "  gyaku predict gyaku-houses-mlp.safetensors NEW.csv",
    ):
        assert line in done.stdout.splitlines()
    assert "of 40 right; the most frequent class has" in done.stdout


def test_the_worst_cases_name_their_lines(houses: Path, here: Command) -> None:
    labels = SIZE.copy()
    labels[[20, 60]] = np.where(labels[[20, 60]] == "large", "small", "large")
    write(houses, HOUSES | {"size": [*SIZE]})
    result(here("train", "houses.csv", "--target", "size", "--epochs", "20", *QUICK))
    write(houses, HOUSES | {"size": [*labels]})
    text = here("evaluate", "m.safetensors", "houses.csv").stdout
    worst = text.split("the worst cases:\n")[1].splitlines()
    assert {line.split(":")[0].strip() for line in worst[:2]} == {"line 22", "line 62"}
    assert f"{labels[20]}, taken for {SIZE[20]}" in text


def test_columns_may_come_in_any_order_without_the_target(
    houses: Path, tmp_path: Path, here: Command
) -> None:
    result(here("train", "houses.csv", "--target", "price", "--epochs", "2", *QUICK))
    expected = here("predict", "m.safetensors", "houses.csv").stdout
    write(tmp_path / "new.csv", {name: HOUSES[name] for name in ("garden", "area", "colour")})
    assert here("predict", "m.safetensors", "new.csv").stdout == expected
    done = here("predict", "m.safetensors", "new.csv", "--output", "out.csv", "--index", "3", "0")
    assert done.stdout == ""
    lines = expected.splitlines()
    assert (tmp_path / "out.csv").read_text().splitlines() == [lines[0], lines[4], lines[1]]


def test_a_column_too_many_is_named_and_left_out(
    houses: Path, tmp_path: Path, here: Command
) -> None:
    result(here("train", "houses.csv", "--target", "price", "--epochs", "2", *QUICK))
    write(tmp_path / "new.csv", HOUSES | {"owner": ["me"] * ROWS})
    done = here("predict", "m.safetensors", "new.csv")
    assert done.returncode == 0
    assert done.stderr == (
        "gyaku predict: new.csv has columns that the model does not know and leaves out: owner\n"
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"colour": None}, "new.csv lacks the column 'colour', which the model takes"),
        (
            {"colour": None, "color": ["red"] * ROWS},
            "new.csv lacks the column 'colour', is it 'color'?",
        ),
        (
            {"colour": ["red"] * 9 + ["pink"] * 191},
            "new.csv holds 'pink' in column 'colour', line 11, known there are blue, green, red",
        ),
        (
            {"area": ["1.5"] * 4 + ["big"] * 196},
            "new.csv holds 'big' in column 'area' in line 6, which must be a finite number",
        ),
        (
            {"area": ["1.5"] * 4 + ["", "NA"] + ["1"] * 194},
            "new.csv lacks 2 values, the first in column 'area' in line 6",
        ),
    ],
    ids=["missing", "renamed", "category", "text", "empty"],
)
def test_a_table_that_does_not_fit_is_one_sentence(
    change: dict[str, Any], sentence: str, houses: Path, tmp_path: Path, here: Command
) -> None:
    result(here("train", "houses.csv", "--target", "price", "--epochs", "1", *QUICK))
    columns = {name: each for name, each in (HOUSES | change).items() if each is not None}
    write(tmp_path / "new.csv", columns)
    done = here("predict", "m.safetensors", "new.csv")
    assert done.returncode == 1
    assert done.stderr == f"gyaku predict: {sentence}\n"
    assert done.stdout == ""


def test_a_table_without_a_header_is_noticed(tmp_path: Path, here: Command) -> None:
    (tmp_path / "bare.csv").write_text("5.1,3.5,setosa\n" * 20)
    for options in ([], ["--target", "species"]):
        said = here("train", "bare.csv", *options).stderr
        assert "; its first line must name the columns, but holds 5.1 (see" in said


TRAINING = {
    "train houses.csv": "--target is needed, a column of houses.csv: area, colour, garden, price",
    "train houses.csv --target prise": "unknown column 'prise', did you mean 'price'?",
    "train houses.csv --target price --ignore colr": "unknown column 'colr', did you mean 'colour'",
    "train houses.csv --target price --model lenet": "--model lenet takes images; linear and mlp",
    "train houses.csv --target price --shift 1": "--shift is for images, the samples have the",
    "train houses.csv --target price --loss cross_entropy": "is for classes, but the targets are",
    "train houses.csv --target price --test-size 0": "--test-size must be between 0 and 1, got 0",
    "train --target price": "--target goes with data of your own: gyaku train DATA --target",
    "train gaps.csv --target a": "gaps.csv lacks 2 values, the first in column 'b' in line 3;"
    " --drop-missing leaves such rows out",
    "train names.csv --target y": "holds 60 different texts in 60 rows of column 'name', too many"
    " for categories; leave the column out: --ignore 'name'",
    "train mixed.csv --target y": "holds numbers in column 'z', but 'seven' in line 9; correct it",
    "train bare.csv --target 1": "bare.csv has no header: its first line must hold the names",
    "train twice.csv --target a": "twice.csv has two columns named 'a'",
    "train ragged.csv --target a": "ragged.csv has 3 columns in line 3, but its header has 2",
    "train one.csv --target a": "holds 'x' alone in column 'a', nothing to tell apart",
    "train few.csv --target a": "few.csv holds 2 samples, 5 at least are needed",
    "train head.csv --target a": "head.csv holds no rows behind its header",
    "train none.csv --target a": "cannot read none.csv: no such file or directory",
    "train what.pdf": "what.pdf must be a table with a header (.csv, .tsv, .txt), a folder",
    "train empty": "empty must hold a folder with pictures for each class, two at least; it has n",
    "train empty --target a": "--target goes with tables, not with empty",
    "train odd.npz": "odd.npz holds a; the arrays must be called x and y",
    "train --config houses.csv": "--config must be a file of settings (.toml), got 'houses.csv'",
    "train bad.toml": "bad.toml: unknown setting 'epoch', did you mean 'epochs'?",
    "train help.toml": "help.toml: unknown setting 'help'",
    "train flag.toml": "flag.toml: no-curve must be true or false, got 'yes'",
    "train value.toml": "value.toml: epochs needs a value, not true",
    "train broken.toml": "broken.toml is no TOML file: ",
    "train houses.csv --target price --ignore price": "--ignore must not name the target, 'price'",
    "train alone.csv --target a": "alone.csv has no columns but 'a' and those to ignore",
    "train holes.csv --target a --drop-missing": "holes.csv has no row without missing values",
    "train apart": "apart has the classes cat, dog in train, but cat, fox in test",
}


@pytest.fixture
def mistakes(tmp_path: Path, houses: Path) -> None:
    texts = {
        "gaps.csv": "a,b\n1,2\n3,\n4,NA\n",
        "names.csv": "name,y\n" + "".join(f"n{i},{i}.5\n" for i in range(60)),
        "mixed.csv": "z,y\n" + "".join(f"{'seven' if i == 7 else i},{i}.5\n" for i in range(60)),
        "bare.csv": "1,2\n3,4\n",
        "twice.csv": "a,a\n1,2\n",
        "ragged.csv": "a,b\n1,2\n1,2,3\n",
        "one.csv": "a,b\nx,1\nx,2\n",
        "few.csv": "a,b\n1.5,1\n2.5,2\n",
        "head.csv": "a,b\n",
        "what.pdf": "",
        "bad.toml": "epoch = 3\n",
        "help.toml": "help = true\n",
        "flag.toml": "no-curve = 'yes'\n",
        "value.toml": "epochs = true\n",
        "broken.toml": "epochs = \n",
        "alone.csv": "a\n1\n2\n",
        "holes.csv": "a,b\n1,\n,2\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "empty").mkdir()
    for name in ("train/cat", "train/dog", "test/cat", "test/fox"):
        (tmp_path / "apart" / name).mkdir(parents=True)
        Image.new("L", (8, 8), 200).save(tmp_path / "apart" / name / "a.png")
    np.savez(tmp_path / "odd.npz", a=np.zeros(3))


@pytest.mark.parametrize("command", TRAINING)
@pytest.mark.usefixtures("mistakes")
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    command: str, tmp_path: Path, here: Command
) -> None:
    before = sorted(tmp_path.iterdir())
    done = here(*command.split())
    assert done.returncode in (1, 2)
    assert TRAINING[command] in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
