"""Mistakes at the command line: one sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli import gyaku

import gyaku as gk
from gyaku.cli import main

M = "model.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model that knows nothing, and files that are not what they seem."""
    folder = tmp_path_factory.mktemp("errors")
    model = gk.models.linear()
    model.build((8, 8, 1))
    model.save(folder / M)
    whole = (folder / M).read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[:-5])
    (folder / "page.safetensors").write_bytes(b"<!DOCTYPE html><html>404</html>")
    (folder / "empty.safetensors").touch()
    (folder / "other.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    odd = gk.Sequential(gk.Dense(3))
    odd.build((5,))
    few = gk.models.linear(classes=3)
    few.build((8, 8, 1))
    few.save(folder / "few.safetensors")
    odd.save(folder / "odd.safetensors")
    (folder / "text.npy").write_text("no array")
    np.save(folder / "small.npy", np.zeros((3, 4)))
    np.save(folder / "none.npy", np.zeros((0, 8, 8, 1)))
    np.save(folder / "nan.npy", np.full((8, 8), np.nan))
    np.save(folder / "words.npy", np.full(64, "word"))
    np.save(folder / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(folder / "two.npz", a=np.zeros(64), b=np.zeros(64))
    (folder / "words.csv").write_text("1,2\nthree,four\n")
    (folder / "ragged.csv").write_text("1,2\n3\n")
    (folder / "nothing.csv").write_text("\n")
    (folder / "binary.csv").write_bytes(b"\xff\xfe\x00")
    (folder / "blank.png").write_bytes(b"")
    Image.new("L", (30, 30), 200).save(folder / "white.png")
    Image.new("L", (30, 30), 200).save(folder / "torn.png")
    (folder / "torn.png").write_bytes((folder / "torn.png").read_bytes()[:60])
    (folder / "cut-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 8]))
    (folder / "what").write_text("?")
    (folder / "folder.safetensors").mkdir()
    return folder


USAGE = {
    "tarin": "gyaku: unknown command 'tarin', did you mean 'train'?",
    "--foo": "gyaku: there is no argument '--foo' (see 'gyaku --help')",
    "train --foo": "gyaku train: there is no argument '--foo' (see 'gyaku train --help')",
    "train mnist": "there is no file mnist; the data set of that name is --dataset mnist",
    "train --learning_rate 0.1": "argument '--learning_rate', did you mean '--learning-rate'?",
    "train --lr=0.1": "there is no argument '--lr=0.1', did you mean '--learning-rate'?",
    "train --num-epochs 3": "there is no argument '--num-epochs', did you mean '--epochs'?",
    "train --dataset mnits": "--dataset: unknown data set 'mnits', did you mean 'mnist'?",
    "train --model lenet5": "--model: unknown model 'lenet5', did you mean 'lenet'?",
    "train --activation rleu": "--activation: unknown activation 'rleu', did you mean 'relu'?",
    "train --activation softmax": "--activation: unknown activation 'softmax'",
    "train --loss mse": "--loss: unknown loss 'mse'",
    "train --optimizer adma": "--optimizer: unknown optimizer 'adma', did you mean 'adam'?",
    "train --schedule cosine": "--schedule: unknown schedule 'cosine'",
    "train --dtype float16": "--dtype: unknown dtype 'float16'",
    "train --precision half": "--precision: unknown precision 'half', known are bfloat16, float32",
    "train --precision bfloat16 --dtype float64": "--precision bfloat16 goes with --dtype float32",
    "train --backend cuda": "--backend: unknown backend 'cuda', known are native, reference",
    "train --epochs 0": "--epochs: must be a whole number of at least 1, got '0'",
    "train --epochs five": "--epochs: must be a whole number of at least 1, got 'five'",
    "train --epochs": "--epochs: expected one argument",
    "train --batch-size -3": "--batch-size: must be a whole number of at least 1, got '-3'",
    "train --shift -1": "--shift: must be a whole number of at least 0, got '-1'",
    "train --shift 8": "--shift must be less than the 8 pixels of a side of the images, got 8",
    "train --seed -1": "--seed: must be a whole number of at least 0, got '-1'",
    "train --threads 9999": "--threads: must be a whole number from 1 to 1024, got '9999'",
    "train --hidden": "--hidden: expected at least one argument",
    "train --hidden 10 0": "--hidden: must be a whole number of at least 1, got '0'",
    "train --dropout 1": "--dropout: must be a number from 0 to below 1, got '1'",
    "train --learning-rate nan": "--learning-rate: must be a positive number, got 'nan'",
    "train --learning-rate -1": "--learning-rate: must be a positive number, got '-1'",
    "train --model linear --hidden 5": "--hidden goes with --model mlp, not linear",
    "evaluate": "gyaku evaluate: the following arguments are required: MODEL",
    f"evaluate {M} --split dev": "--split: unknown split 'dev', known are test, train",
    f"evaluate {M} --dataset mnist": "shape (8, 8, 1), those of mnist have (28, 28, 1)",
    "evaluate odd.safetensors": "takes samples of shape (5,), as no data set here has",
    "evaluate few.safetensors": "the model knows 3 classes, the test images of digits have 10",
    f"predict {M} --index 359": "--index goes from 0 to 358 for the test images of digits, got 359",
    f"predict {M} --index x": "--index: must be a whole number of at least 0, got 'x'",
    f"predict {M} nan.npy --dataset digits": "give files or --dataset, not both",
    "export": "gyaku export: the following arguments are required: MODEL, --to",
    f"export {M} --to onyx": "--to: unknown format 'onyx', did you mean 'onnx'?",
    f"predict {M} small.npy --output out.csv": "gyaku predict: --output goes with models of tables",
    "summary": "gyaku summary: the following arguments are required: MODEL",
}

FAILURE = {
    "evaluate missing.safetensors": "the file 'missing.safetensors' does not exist",
    "evaluate folder.safetensors": "the file 'folder.safetensors' is a folder, give a file in it",
    "evaluate cut.safetensors": "cut.safetensors is cut off: its tensors need 2600 bytes, 2595",
    "evaluate page.safetensors": "page.safetensors is a web page, not a safetensors file",
    "evaluate empty.safetensors": "empty.safetensors is empty, not a safetensors file",
    "evaluate other.safetensors": "has no gyaku model description in the metadata",
    "evaluate text.npy": "text.npy is not a valid safetensors file",
    "summary mpl": "the file 'mpl' does not exist",
    f"predict {M} nowhere.png": "cannot read nowhere.png: no such file or directory",
    f"predict {M} blank.png": "blank.png is not a picture that can be read",
    f"predict {M} torn.png": "torn.png is ",
    f"predict {M} white.png": "white.png shows nothing but one colour",
    f"predict {M} text.npy": "text.npy is not a NumPy file, or a damaged one",
    f"predict {M} pickle.npy": "pickle.npy is not a NumPy file, or a damaged one",
    f"predict {M} small.npy": "small.npy holds 3 x 4 values, the model takes samples of 8 x 8 x 1",
    f"predict {M} none.npy": "none.npy holds no images, its shape is (0, 8, 8, 1)",
    f"predict {M} nan.npy": "nan.npy holds values that are not finite",
    f"predict {M} words.npy": "words.npy holds <U4 values, a model takes numbers",
    f"predict {M} two.npz": "two.npz holds a, b; the samples must be called x",
    f"predict {M} words.csv": "words.csv has something else than numbers in line 2",
    f"predict {M} ragged.csv": "ragged.csv has 1 numbers in line 2 but 2 before",
    f"predict {M} nothing.csv": "nothing.csv holds no numbers",
    f"predict {M} binary.csv": "binary.csv is not a text file",
    f"predict {M} cut-idx3-ubyte": "cut-idx3-ubyte is cut off or damaged: its header promises",
    f"predict {M} what": "what has an unknown suffix: it must be a picture",
    "train --output nowhere/m": "cannot write nowhere/m.safetensors: its folder does not exist",
    "train --output folder": "cannot write folder.safetensors: it is a folder",
    "train --output /dev/null": "cannot write /dev/null: it is not a regular file",
    "train --output /proc/m": "cannot write /proc/m.safetensors: ",
}


@pytest.mark.parametrize(
    ("command", "code", "sentence"),
    [(command, 2, sentence) for command, sentence in USAGE.items()]
    + [(command, 1, sentence) for command, sentence in FAILURE.items()],
    ids=[*USAGE, *FAILURE],
)
def test_a_mistake_is_answered_in_one_sentence(
    command: str,
    code: int,
    sentence: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert main(command.split()) == code
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.err.startswith("gyaku")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize("command", ["train --epochs 0", f"predict {M} --index 999", "tarin"])
def test_the_exit_code_of_wrong_usage_reaches_the_shell(command: str, folder: Path) -> None:
    done = gyaku(*command.split(), cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["evaluate cut.safetensors", "train --output nowhere/m"])
def test_the_exit_code_of_a_failure_reaches_the_shell(command: str, folder: Path) -> None:
    done = gyaku(*command.split(), cwd=folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["train", "info", "--help"])
def test_an_instruction_set_that_does_not_exist_is_one_sentence(verb: str, tmp_path: Path) -> None:
    done = gyaku(verb, cwd=tmp_path, GYAKU_ISA="sse9")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("gyaku: GYAKU_ISA: 'sse9' is no instruction set of this build")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_says_it_as_shortly(tmp_path: Path) -> None:
    script = tmp_path / "gyaku"  # what pip makes of the entry point
    script.write_text("import sys\nfrom gyaku.cli import main\nsys.exit(main())\n")
    done = subprocess.run(
        [sys.executable, script, "info"],
        env={**os.environ, "GYAKU_ISA": "sse9"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("gyaku: GYAKU_ISA: 'sse9' is no instruction set of this build")
    assert done.stderr.count("\n") == 1


def test_mnist_that_is_nowhere_is_one_sentence(tmp_path: Path) -> None:
    done = gyaku(
        *("train", "--dataset", "mnist"),
        cwd=tmp_path,
        GYAKU_DATA=str(tmp_path / "none"),
        GYAKU_CACHE=str(tmp_path / "cache"),
        GYAKU_MNIST_MIRRORS="http://127.0.0.1:9/",
    )
    assert done.returncode == 1
    assert "MNIST is not on this machine and could not be downloaded" in done.stderr
    assert "set GYAKU_DATA to a folder that has them" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_mnist_that_is_torn_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mnist" / "train-images-idx3-ubyte"
    path.parent.mkdir()
    path.write_bytes(bytes([0, 0, 8, 3, 0, 0, 234, 96, 0, 0, 0, 28, 0, 0, 0, 28]) + bytes(5000))
    done = gyaku(
        *("train", "--dataset", "mnist"),
        cwd=tmp_path,
        GYAKU_DATA=str(tmp_path),
        GYAKU_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"gyaku train: {path} is cut off or damaged: its header promises")
    assert done.stderr.count("\n") == 1


def test_a_loss_that_explodes_is_one_sentence_and_leaves_no_model(tmp_path: Path) -> None:
    done = gyaku(
        *("train", "--optimizer", "sgd", "--learning-rate", "1e30", "--activation", "identity"),
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("gyaku train: ")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_picture_cannot_be_drawn_without_matplotlib(tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not installed')")
    (tmp_path / "run").mkdir()
    path = f"{tmp_path}:{Path(gk.__file__).parents[1]}"
    done = gyaku("train", "--epochs", "1", "--json", cwd=tmp_path / "run", PYTHONPATH=path)
    assert done.returncode == 0
    assert set(json.loads(done.stdout)["files"]) == {"model", "history"}
    assert "no learning curve without matplotlib" in done.stderr
