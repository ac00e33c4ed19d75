"""``gyaku predict``: predictions of a trained model for images and tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyaku.classifier import DOUBTFUL
from gyaku.cli import model_file
from gyaku.cli.parser import UsageError, whole
from gyaku.cli.samples import ascii_picture, read_samples
from gyaku.cli.tables import predict_tables
from gyaku.layers import Rescaling

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.cli.parser import Parser
    from gyaku.model import Model

__all__ = ["add", "run"]

_PAGE = """\
Let a trained model read digits: an image of its data set, or your own; or predict the rows of a
table, for a model that was trained on one.

A FILE is a picture (PNG, JPEG and so on) of one digit, dark on light or light on dark, which is
cut out and made as small as the images that the model was trained on; or .npy, .npz or an IDX
file with many; or a table (.csv, .txt) with one image a row. Pixels are those of the training
images, from 0 to 255; those of 16 bits, and fractions from 0 to 1, are scaled to it.

For a model of a table, FILE is a table with the same columns, in any order; the column of the
targets may be missing. The predictions are a table too: line of the file, prediction, probability.
"""

_EXAMPLES = """\
examples:
  gyaku predict gyaku-digits-mlp.safetensors --index 3
        the test image number 3 of the data set
  gyaku predict gyaku-digits-mlp.safetensors --index 0 1 2 3 4
  gyaku predict gyaku-mnist-mlp.safetensors my-seven.png
  gyaku predict gyaku-houses-mlp.safetensors new-houses.csv --output prices.csv
"""

_BAR = 30


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    parser = commands.add_parser("predict", description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)
    model_file.add_arguments(parser)
    parser.add_argument("files", metavar="FILE", nargs="*", help="your own images, or tables")
    parser.add_argument(
        "--index",
        type=whole(0),
        nargs="+",
        metavar="N",
        help="indices of images, from 0 (default: the first, or all in a file)",
    )
    parser.add_argument(
        "--output", metavar="PATH", help="a file for the predictions of a table (default: stdout)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print predictions and probabilities.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code.
    """
    model = model_file.read_model(arguments.model)
    if arguments.files and arguments.dataset:
        raise UsageError("give files or --dataset, not both")
    columns = model_file.columns_of(model)
    if columns is not None:
        return predict_tables(model, columns, arguments)
    if arguments.output:
        raise UsageError("--output goes with models of tables")
    if arguments.files:
        names, parts, y = _from_files(arguments, model)
    else:
        names, x, y = _from_data_set(arguments, model)
        parts = [x]
    classes = model_file.classes_of(model)
    if classes is None:
        _print_numbers(names, [model.predict(part) for part in parts], arguments)
        return 0
    sure = np.concatenate([model_file.probabilities(model, part) for part in parts])
    if arguments.json:
        import json

        rows = zip(names, sure, y, strict=True)
        print(json.dumps([_as_json(name, row, digit, model) for name, row, digit in rows]))
        return 0
    if len(names) == 1:
        print(_one(names[0], parts[0][0], sure[0], y[0], classes))
    else:
        _print_each(names, sure, y, classes)
    return 0


def _print_numbers(names: list[str], parts: list[Any], arguments: argparse.Namespace) -> None:
    found = [float(value) for part in parts for value in part[:, 0]]
    if arguments.json:
        import json

        rows = zip(names, found, strict=True)
        print(json.dumps([{"input": name, "prediction": value} for name, value in rows]))
        return
    width = max(map(len, names))
    for name, value in zip(names, found, strict=True):
        print(f"{name:{width}}  {value:.6g}")


def _print_each(
    names: list[str], sure: NDArray[np.float64], y: list[int | None], classes: list[str]
) -> None:
    """Print a line for each sample."""
    width, wide = max(map(len, names)), max(map(len, classes))
    for name, row, digit in zip(names, sure, y, strict=True):
        answer = int(row.argmax())
        verdict = "" if digit is None else f"  {_verdict(answer, digit)}"
        doubt = "  doubtful" if row[answer] < DOUBTFUL else ""
        print(
            f"{name:{width}}  {classes[answer]:{wide}}  {100 * row[answer]:5.1f} %{verdict}{doubt}"
        )


def _chosen(arguments: argparse.Namespace, count: int, name: str) -> list[int]:
    """Return the requested indices; raise if one is out of range."""
    for index in arguments.index:
        if index >= count:
            raise UsageError(f"--index goes from 0 to {count - 1} for the {name}, got {index}")
    return list(arguments.index)


def _from_data_set(
    arguments: argparse.Namespace, model: Model
) -> tuple[list[str], NDArray[Any], list[int | None]]:
    name, x, y = model_file.images_for(model, arguments)
    arguments.index = arguments.index or [0]
    rows = _chosen(arguments, len(x), name)
    singular = name.replace("images", "image", 1)
    return [f"{singular}, number {row}" for row in rows], x[rows], [int(y[row]) for row in rows]


def _from_files(
    arguments: argparse.Namespace, model: Model
) -> tuple[list[str], list[NDArray[Any]], list[int | None]]:
    names, parts = [], []
    for file in arguments.files:
        own = "kind" in model.metadata
        samples = read_samples(Path(file), model.input_shape or (), digits=not own)
        if model.metadata.get("kind") != "arrays":
            samples = _in_range(file, samples, model)
        rows = list(range(len(samples)))
        if arguments.index:
            rows = _chosen(arguments, len(samples), f"images in {file}")
        names += [file if len(samples) == 1 else f"{file}, number {row}" for row in rows]
        parts.append(samples[rows])
    return names, parts, [None] * len(names)


def _in_range(file: str, samples: NDArray[Any], model: Model) -> NDArray[Any]:
    """Return pixels in the model's range; say so if that is not the range of the file."""
    first, largest = model.layers[0], float(samples.max())
    least, most = 0.0, 255.0  # without a Rescaling layer, the bytes of a picture
    if isinstance(first, Rescaling) and first.scale:
        most = (1 - first.offset) / first.scale
        least = most / 10
    elif model.scales_bytes:
        most = 255.0 if samples.dtype == np.uint8 else 1.0
        least = most / 10
    if least <= largest <= 1.01 * most:
        return samples
    said, factor = f"{file} holds values up to {largest:g}", 1.0
    if (samples == np.round(samples)).all() and 255 < largest <= 65535:
        said, factor = f"{said}, pixels of 16 bits", most / 65535
    elif largest <= 1 and not (samples == np.round(samples)).all():
        said, factor = f"{said}, fractions", most
    scaled = f"they are scaled to 0 to {most:g}"
    if factor == 1:
        scaled = f"but the model takes values from 0 to {most:g}"
    print(f"gyaku predict: {said}{',' if factor == 1 else ';'} {scaled}", file=sys.stderr)
    return samples if factor == 1 else samples.astype(np.float32) * np.float32(factor)


def _verdict(answer: int, digit: int) -> str:
    return "right" if answer == digit else f"wrong, the label says {digit}"


def _one(
    name: str,
    sample: NDArray[Any],
    sure: NDArray[np.float64],
    digit: int | None,
    classes: list[str],
) -> str:
    """Return a picture of the sample and a bar for each class, in descending probability."""
    lines = [f"{name}:", ""]
    if sample.ndim == 3 and sample.shape[2] == 1 and sample.min() >= 0:
        lines += [ascii_picture(sample[..., 0]), ""]
    wide = max(map(len, classes))
    for label in np.argsort(-sure, kind="stable"):
        if sure[label] >= 0.0005 or label == sure.argmax():
            bar = "#" * round(_BAR * sure[label])
            lines.append(f"  {classes[label]:{wide}}  {100 * sure[label]:5.1f} %  {bar}".rstrip())
    answer = int(sure.argmax())
    verdict = "" if digit is None else f": {_verdict(answer, digit)}"
    doubt = ", and doubts it" if sure[answer] < DOUBTFUL else ""
    return "\n".join([*lines, "", f"The model says {classes[answer]}{doubt}{verdict}."])


def _as_json(
    name: str, sure: NDArray[np.float64], digit: int | None, model: Model
) -> dict[str, object]:
    answer = int(sure.argmax())
    classes = model_file.classes_of(model) or []
    named: object = classes[answer] if "kind" in model.metadata else answer
    row: dict[str, object] = {"input": name, "prediction": named}
    if digit is not None:
        row["truth"] = digit
    return row | {"probabilities": [round(float(value), 6) for value in sure]}
