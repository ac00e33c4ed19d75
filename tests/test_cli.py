"""The command line: what a person types, sees and finds in the folder afterwards."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gyaku as gk
from child import Command, interruptible
from gyaku import _core
from gyaku.cli import main

MODEL = "gyaku-digits-mlp.safetensors"


def gyaku(
    *arguments: str | Path, cwd: Path, timeout: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, as the shell does."""
    command = [sys.executable, "-m", "gyaku", *arguments]
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which ``gyaku train`` was typed; tests look, and write elsewhere."""
    folder = tmp_path_factory.mktemp("trained")
    done = gyaku("train", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder


@pytest.fixture(scope="session")
def model(trained: Path) -> Path:
    return trained / MODEL


def test_train_without_arguments_leaves_model_curve_and_history(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()} - {"said.txt"}
    stem = MODEL.removesuffix(".safetensors")
    assert names == {MODEL, f"{stem}-curve.png", f"{stem}-history.csv"}
    assert (trained / f"{stem}-curve.png").read_bytes().startswith(b"\x89PNG")
    with (trained / f"{stem}-history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 50
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"} <= set(rows[0])


def test_train_says_how_well_it_went_what_it_wrote_and_what_to_type_next(trained: Path) -> None:
    said = (trained / "said.txt").read_text()
    assert "digits: 1,438 images of 8 x 8 to train on, 359 to test on\n" in said
    assert "mlp: 64 inputs, 256 relu, 10 outputs; 19,210 parameters\n" in said
    accuracy = float(said.split("test accuracy ")[1].split(" %")[0])
    assert accuracy >= 96.5
    assert all(str(path.name) in said for path in trained.iterdir() if path.name != "said.txt")
    assert f"gyaku predict {MODEL} --index 3\n" in said


def test_the_model_that_train_leaves_is_the_one_that_it_tested(trained: Path, model: Path) -> None:
    _, (x, y) = gk.data.digits()
    accuracy = (gk.load(model).predict(x).argmax(axis=1) == y).mean()
    assert f"test accuracy {100 * accuracy:.2f} %" in (trained / "said.txt").read_text()


QUICK = ("train", "--epochs", "2", "--no-curve")
VARIANTS = {
    "linear": ["--model", "linear"],
    "hidden": ["--hidden", "20", "15", "--activation", "tanh", "--dropout", "0.1"],
    "hyphen": ["--activation", "leaky-relu"],
    "online": ["--model", "linear", "--batch-size", "1", "--optimizer", "sgd"],
    "batch": ["--batch-size", "all", "--optimizer", "nesterov", "--learning-rate", "0.5"],
    "quasi-Newton": ["--batch-size", "all", "--optimizer", "lbfgs"],
    "default rate": ["--model", "linear", "--optimizer", "rmsprop"],
    "cross entropy": ["--loss", "cross_entropy"],
    "squares": ["--loss", "sum_squared_error", "--optimizer", "momentum"],
    "mean squares": ["--loss", "mean_squared_error", "--schedule", "constant"],
    "augmented": ["--shift", "1", "--flip"],
    "convolutions": ["--model", "fast"],
    "residual": ["--model", "resnet", "--loss", "cross_entropy", "--epochs", "1"],
    "float64": ["--dtype", "float64"],
    "bfloat16": ["--precision", "bfloat16"],
    "reference": ["--backend", "reference"],
    "one thread": ["--threads", "1"],
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_way_to_train_leaves_a_model_that_can_be_evaluated(
    variant: str, tmp_path: Path, here: Command
) -> None:
    done = here(*QUICK, *VARIANTS[variant], "--json", "--output", "m")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["epochs"] == (1 if variant == "residual" else 2)
    assert result["files"] == {"model": "m.safetensors", "history": "m-history.csv"}
    assert {path.name for path in tmp_path.iterdir()} == set(result["files"].values())
    measured = json.loads(here("evaluate", "m.safetensors", "--json").stdout)
    assert measured["accuracy"] == pytest.approx(result["test_accuracy"])


def test_the_same_command_gives_the_same_model(tmp_path: Path, here: Command) -> None:
    for name in ("a", "b"):
        here(*QUICK, "--quiet", "--seed", "5", "--output", name)
    here(*QUICK, "--quiet", "--seed", "6", "--output", "c")
    a, b, c = (gk.load(tmp_path / f"{name}.safetensors").flat_params for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_quiet_says_one_line(here: Command) -> None:
    done = here(*QUICK, "--quiet")
    assert done.stdout.startswith("test accuracy ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_output_may_be_a_folder(tmp_path: Path, here: Command) -> None:
    (tmp_path / "runs").mkdir()
    assert here(*QUICK, "--output", "runs").returncode == 0
    assert (tmp_path / "runs" / MODEL).is_file()


def test_ctrl_c_keeps_what_was_learnt(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "gyaku", "train", "--epochs", "20000"]
    with interruptible(command, cwd=tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch "):
                break
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        process.wait()
    assert process.returncode == 130
    assert "interrupted after" in said
    assert gk.load(tmp_path / MODEL).built
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".csv", ".png"}
    assert "its training, which goes on with --resume" in said


def test_a_training_that_was_ended_goes_on_with_resume(tmp_path: Path, here: Command) -> None:
    options = ["train", "--epochs", "300", "--hidden", "16", "--no-curve"]
    command = [sys.executable, "-u", "-m", "gyaku", *options]
    with interruptible(command, cwd=tmp_path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch "):
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
    checkpoint = MODEL.replace(".safetensors", "-checkpoint.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint]
    done = here(*options, "--resume")
    assert f"going on from {checkpoint}" in done.stdout
    assert not (tmp_path / checkpoint).exists()
    weights = gk.load(tmp_path / MODEL).flat_params.tobytes()
    assert here(*options, "--resume").returncode == 0  # from the start
    assert gk.load(tmp_path / MODEL).flat_params.tobytes() == weights


def test_evaluate_prints_accuracy_and_confusions(model: Path, here: Command) -> None:
    done = here("evaluate", model)
    assert done.returncode == 0
    assert "on the 359 test images of digits:" in done.stdout
    lines = done.stdout.splitlines()
    start = lines.index("is     0   1   2   3   4   5   6   7   8   9") + 1
    counts = [line.split()[1:] for line in lines[start : start + 10]]
    assert sum(int(count) for row in counts for count in row if count != ".") == 359
    wrong = int(done.stdout.split(" of 359 right")[0].rsplit("(")[-1]) < 359
    assert ("the worst cases:" in lines) == wrong
    train = here("evaluate", model, "--split", "train", "--json")
    assert json.loads(train.stdout)["images"] == 1438


def test_predict_draws_the_image_and_says_how_sure_it_is(model: Path, here: Command) -> None:
    done = here("predict", model, "--dataset", "digits", "--index", "3")
    assert done.returncode == 0
    assert "test image of digits, number 3:" in done.stdout
    assert "--@@####%%..\n" in done.stdout  # the upper edge of a seven
    assert "\n  7   " in done.stdout
    assert "The model says 7: right." in done.stdout


def test_predict_takes_several_indices_and_prints_json(model: Path, here: Command) -> None:
    done = here("predict", model, "--index", "0", "1", "2")
    assert [line.split()[4:6] for line in done.stdout.splitlines()] == [
        *(["number", "0"], ["number", "1"], ["number", "2"])
    ]
    rows = json.loads(here("predict", model, "--index", "0", "1", "--json").stdout)
    assert [row["truth"] for row in rows] == [8, 1]
    assert all(sum(row["probabilities"]) == pytest.approx(1, abs=1e-4) for row in rows)


def own_files(folder: Path) -> dict[str, str]:
    """Write test image 3, a seven, in every way that people have it; return names and meanings."""
    _, (x, _) = gk.data.digits()
    image = x[3, ..., 0]
    np.save(folder / "pixels.npy", x[3])
    np.save(folder / "row.npy", image.ravel())
    np.save(folder / "floats.npy", image.astype(np.float64))
    np.savez(folder / "x.npz", x=x[3:4], y=np.array([7]))
    np.savetxt(folder / "row.csv", image.reshape(1, -1), fmt="%d", delimiter=",")
    np.savetxt(folder / "grid.txt", image, fmt="%d")
    np.savetxt(folder / "semicolons.csv", image.reshape(1, -1), "%d", ";")
    (folder / "images-idx3-ubyte").write_bytes(
        bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8]) + image.tobytes()
    )
    big = np.pad(np.kron(image, np.ones((20, 20), np.uint8)), 50)
    Image.fromarray(big).save(folder / "light.png")
    Image.fromarray(255 - big).convert("RGB").save(folder / "dark.jpg")
    clear = np.dstack([np.zeros((*big.shape, 3), np.uint8), big])
    Image.fromarray(clear).save(folder / "transparent.png")
    Image.fromarray(image).save(folder / "exact.png")
    return {path.name: "7" for path in folder.iterdir()}


def test_predict_reads_a_persons_own_files(model: Path, tmp_path: Path, here: Command) -> None:
    files = own_files(tmp_path)
    done = here("predict", model, *files, "--json")
    assert done.returncode == 0, done.stderr
    answers = {row["input"]: str(row["prediction"]) for row in json.loads(done.stdout)}
    assert answers == files
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("factor", "dtype", "largest"),
    [(257, np.uint16, "65535, pixels of 16 bits"), (1 / 255, np.float64, "1, fractions")],
    ids=["16 bits", "fractions"],
)
def test_pixels_on_another_scale_are_brought_to_that_of_the_model(
    model: Path, tmp_path: Path, here: Command, factor: float, dtype: Any, largest: str
) -> None:
    _, (x, _) = gk.data.digits()
    np.save(tmp_path / "own.npy", (x[3] * np.float64(factor)).astype(dtype))
    done = here("predict", model, "own.npy", "--json")
    said = f"own.npy holds values up to {largest}; they are scaled to 0 to 255"
    assert done.stderr == f"gyaku predict: {said}\n"
    np.save(tmp_path / "bytes.npy", x[3])
    expected = json.loads(here("predict", model, "bytes.npy", "--json").stdout)[0]["probabilities"]
    assert json.loads(done.stdout)[0]["probabilities"] == pytest.approx(expected, abs=1e-5)


def test_a_resized_image_keeps_its_values(model: Path, tmp_path: Path, here: Command) -> None:
    _, (x, _) = gk.data.digits()
    np.save(tmp_path / "own.npy", np.clip(x[3] + 0.25, 0, 255))
    done = here("predict", model, "own.npy")
    assert done.stderr == ""
    assert "The model says 7." in done.stdout


def test_counts_are_taken_at_their_value_with_advice(
    model: Path, tmp_path: Path, here: Command
) -> None:
    _, (x, _) = gk.data.digits()
    np.save(tmp_path / "own.npy", (x[3] / 255 * 16).round().astype(np.uint8))
    done = here("predict", model, "own.npy", "--json")
    assert done.stderr == (
        "gyaku predict: own.npy holds values up to 16, but the model takes values from 0 to 255\n"
    )


def test_a_model_that_does_not_scale_says_so(tmp_path: Path) -> None:
    _, (_x, _) = gk.data.digits()
    plain = gk.Sequential(gk.Flatten(), gk.Dense(10))
    plain.build((8, 8, 1))
    plain.save(tmp_path / "plain.safetensors")
    done = gyaku("predict", "plain.safetensors", "--index", "3", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("gyaku predict: x holds bytes up to 255, which are")
    assert done.stderr.count("\n") == 1


def test_predict_says_when_it_doubts(tmp_path: Path, here: Command) -> None:
    unsure = gk.models.linear()
    unsure.build((8, 8, 1))
    unsure.flat_params[...] = 0
    unsure.save(tmp_path / "unsure.safetensors")
    _, (x, _) = gk.data.digits()
    two = np.kron(np.hstack([x[3, ..., 0], x[3, ..., 0]]), np.ones((20, 20), np.uint8))
    Image.fromarray(np.pad(two, 40)).save(tmp_path / "two.png")
    done = gyaku("predict", "unsure.safetensors", "two.png", cwd=tmp_path)
    assert "The model says 0, and doubts it." in done.stdout
    assert done.stderr.startswith("gyaku predict: two.png shows 2 shapes side by side, of which")
    assert done.stderr.count("\n") == 1
    done = here("predict", "unsure.safetensors", "--index", "0", "1")
    assert all(line.endswith("doubtful") for line in done.stdout.splitlines())


def test_predict_chooses_from_a_file_with_many(model: Path, tmp_path: Path, here: Command) -> None:
    _, (x, y) = gk.data.digits()
    np.save(tmp_path / "many.npy", x[:20])
    done = here("predict", model, "many.npy", "--index", "4", "7")
    assert [line.split()[3] for line in done.stdout.splitlines()] == [str(y[4]), str(y[7])]


@pytest.mark.parametrize("name", gk.models.MODELS)
def test_summary_knows_models_by_name(name: str, here: Command) -> None:
    done = here("summary", name)
    assert done.returncode == 0
    assert "Dense" in done.stdout


def test_summary_shows_the_layers_of_a_file(model: Path, here: Command) -> None:
    assert "19,210 parameters" in here("summary", model).stdout


def test_info_shows_the_machine(tmp_path: Path) -> None:
    done = gyaku("info", cwd=tmp_path, GYAKU_NUM_THREADS="1", GYAKU_ISA=_core.isas()[0])
    assert done.returncode == 0
    rows = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert rows["gyaku"].strip() == gk.__version__
    assert f"{_core.isas()[0]}, forced by GYAKU_ISA" in rows["instruction set"]
    assert rows["threads"].strip().startswith("1, by GYAKU_NUM_THREADS")
    assert "GFLOP/s in float32" in rows["measured peak"]
    assert "GB/s" in rows["measured memory"]
    facts = json.loads(gyaku("info", "--json", "--no-measure", cwd=tmp_path).stdout)
    assert facts["numpy"] == np.__version__
    assert facts["isa"] in facts["isas"]


def test_info_tells_of_a_data_folder_that_is_missing(
    here: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = tmp_path / "nowhere"
    monkeypatch.setenv("GYAKU_DATA", str(missing))
    assert f"{missing} (there is no such folder)\n" in here("info", "--no-measure").stdout


ENDINGS = {"c99": ".c", "numpy": ".py", "onnx": ".onnx", "safetensors": ".weights.safetensors"}


def test_export_writes_a_file_beside_the_model(model: Path, here: Command) -> None:
    for name, ending in ENDINGS.items():
        written = model.with_suffix(ending)
        assert here("export", "--to", name, model).stdout == f"wrote {written}\n"
        assert written.stat().st_size > 1000
    assert gk.interop.from_onnx(model.with_suffix(".onnx")).input_shape == (8, 8, 1)
    assert gk.load(model.with_suffix(".weights.safetensors")).input_shape == (8, 8, 1)
    assert here("export", "--to", "onnx", model, "--output", "b.onnx").stdout == "wrote b.onnx\n"


def test_models_of_keras_go_out_and_come_in_by_their_ending(model: Path, here: Command) -> None:
    whole = model.with_suffix(".keras")
    assert here("export", "--to", "keras", model).stdout == f"wrote {whole}\n"
    done = here("export", "--to", "keras", model, "--output", "a.weights.h5")
    assert done.stdout == "wrote a.weights.h5\n"
    expected, found = (here("evaluate", "--json", each).stdout for each in (model, whole))
    assert found == expected.replace(str(model), str(whole))
    assert "parameters" in here("summary", whole).stdout
    whole.write_bytes(whole.read_bytes()[:-1])
    assert f"gyaku summary: {whole} is cut off or damaged" in here("summary", whole).stderr


def test_info_tells_of_more_threads_than_can_run(tmp_path: Path) -> None:
    done = gyaku("info", "--no-measure", cwd=tmp_path, GYAKU_NUM_THREADS="1024")
    assert done.returncode == 0
    assert "which asks for 1024: more than can run at once" in done.stdout


def test_help_is_a_page_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("train", "evaluate", "predict", "summary", "export", "info", "lesson", "lab"):
        assert main([verb, "--help"]) == 0
        page = capsys.readouterr().out
        assert f"gyaku {verb}" in page
        assert "examples:" in page or "environment variables:" in page
        assert max(map(len, page.splitlines())) <= 100
    assert main(["--help"]) == 0
    assert "the first three things to try:" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gyaku {gk.__version__}\n"


def test_no_command_prints_the_page(tmp_path: Path) -> None:
    done = gyaku(cwd=tmp_path)
    assert done.returncode == 2
    assert "commands:" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error(model: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m gyaku evaluate {model} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stderr == ""
    assert done.returncode in (0, 141)
