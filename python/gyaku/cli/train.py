"""``gyaku train``: train a model; write the model, its learning curve and its history."""

from __future__ import annotations

import math
import shlex
import sys
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyaku import layers, losses, models, optim, schedules
from gyaku.backend import use_backend
from gyaku.cli.checkpoint import add_resume, checkpoint_of, keeping
from gyaku.cli.curve import draw
from gyaku.cli.model_file import SHAPES
from gyaku.cli.parser import Parser, UsageError, fraction, name_of, positive, whole
from gyaku.data import DATASETS, Augment
from gyaku.files import check_writable
from gyaku.layers.activation import ACTIVATIONS
from gyaku.model import Sequential
from gyaku.threads import set_num_threads

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from gyaku.history import History

__all__ = ["add", "run"]

_PAGE = """\
Train a model on handwritten digits and evaluate it on test images.

Without arguments: a multi-layer perceptron with one hidden layer, on the 1,797 small digits that
come with gyaku, in about a second. Three files are written to this folder: the model, a picture of
its learning curve, and its history as a table.
"""

_EXAMPLES = """\
examples:
  gyaku train
        the quickest start
  gyaku train --dataset mnist
        the famous 70,000 digits of 28 x 28 pixels, downloaded once
  gyaku train --dataset mnist --model fast
        a convolutional network, and one pass over the images
  gyaku train --hidden 100 50 --activation tanh --dropout 0.2
        two hidden layers, of 100 and 50 units
  gyaku train --dataset mnist --shift 2
        each image shifted at random by up to two pixels, differently in each epoch
  gyaku train --model linear --optimizer sgd --learning-rate 0.1 --epochs 30
        no hidden layer, and plain gradient descent
  gyaku train --hidden 100 --activation sigmoid --loss sum_squared_error --batch-size 1 \\
              --optimizer sgd --learning-rate 0.1
        online learning: one image at a time

MNIST files on this machine are found in the folder that the environment variable GYAKU_DATA names.
Ctrl-C ends the training early and keeps the weights. A training that was ended so, or killed, goes
on from its last checkpoint, one a minute, if the command is repeated with --resume.
"""

_CLASSES = 10
_SMALL = 16  # pixels of a side
_SUFFIX = ".safetensors"
_DTYPES = ("float32", "float64")
_BACKENDS = ("native", "reference")
_SCHEDULES: dict[str, Callable[[float], schedules.Schedule]] = {
    "constant": schedules.Constant,
    "one_cycle": schedules.OneCycle,
}
_FOR_HIDDEN = [name for name, kind in ACTIVATIONS.items() if kind.elementwise]
_LEARNING_RATES = {"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02}
# Final layers for losses that do not take the outputs of a dense layer directly.
_LAST_LAYERS = {
    "cross_entropy": layers.Softmax,
    "mean_squared_error": layers.Sigmoid,
    "sum_squared_error": layers.Sigmoid,
}


def _batch_size(text: str) -> int:
    """Convert text to a batch size; 0 stands for the full batch."""
    return 0 if text == "all" else whole(1)(text)


def add(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add this command to the parser.

    Parameters
    ----------
    commands : argparse action
        Result of ``add_subparsers``.
    """
    usage = "gyaku train [OPTIONS]"
    parser = commands.add_parser("train", usage=usage, description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)

    what = parser.add_argument_group("what to train")
    what.add_argument(
        "--dataset",
        type=name_of("data set", DATASETS),
        default="digits",
        metavar="NAME",
        help=f"the images: {' or '.join(DATASETS)} (default: digits)",
    )
    what.add_argument(
        "--model",
        type=name_of("model", models.MODELS),
        default="mlp",
        metavar="NAME",
        help=f"the model: {' or '.join(models.MODELS)} (default: mlp)",
    )
    what.add_argument(
        "--hidden",
        type=whole(1),
        nargs="+",
        metavar="UNITS",
        help="the units of each hidden layer of the mlp (default: 256)",
    )
    what.add_argument(
        "--activation",
        type=name_of("activation", _FOR_HIDDEN),
        metavar="NAME",
        help=f"the activation of each hidden layer: {', '.join(_FOR_HIDDEN)} (default: relu)",
    )
    what.add_argument(
        "--dropout",
        type=fraction,
        metavar="SHARE",
        help="the fraction of hidden outputs dropped in training (default: 0)",
    )

    how = parser.add_argument_group("how to train it")
    how.add_argument(
        "--loss",
        type=name_of("loss", losses.LOSSES),
        default="softmax_cross_entropy",
        metavar="NAME",
        help=f"{', '.join(losses.LOSSES)} (default: softmax_cross_entropy)",
    )
    how.add_argument(
        "--optimizer",
        type=name_of("optimizer", optim.OPTIMIZERS),
        metavar="NAME",
        help=f"{', '.join(optim.OPTIMIZERS)} (default: adam)",
    )
    how.add_argument(
        "--learning-rate",
        type=positive,
        metavar="RATE",
        help="the learning rate (default: one that suits model and optimizer)",
    )
    how.add_argument(
        "--schedule",
        type=name_of("schedule", _SCHEDULES),
        metavar="NAME",
        help="constant, or one_cycle: up to the learning rate and down to nothing"
        " (default: one_cycle, or constant once you choose optimizer or learning rate)",
    )
    how.add_argument(
        "--epochs",
        type=whole(1),
        metavar="N",
        help="the number of passes over all images (default: as many as the model needs)",
    )
    how.add_argument(
        "--batch-size",
        type=_batch_size,
        metavar="N",
        help="images per step: 1 is online, 'all' full batch (default: 128, fast: 256)",
    )
    how.add_argument(
        "--shift",
        type=whole(0),
        default=0,
        metavar="PIXELS",
        help="the largest random shift of an image in each direction (default: 0)",
    )
    how.add_argument("--flip", action="store_true", help="mirror half of the images, left to right")
    how.add_argument(
        "--seed",
        type=whole(0),
        default=0,
        metavar="N",
        help="the seed of all random numbers (default: 0)",
    )
    how.add_argument(
        "--dtype",
        type=name_of("dtype", _DTYPES),
        default="float32",
        metavar="NAME",
        help="float32 or float64 (default: float32)",
    )
    how.add_argument(
        "--threads",
        type=whole(1, 1024),
        metavar="N",
        help="the number of threads (default: see 'gyaku info')",
    )
    how.add_argument(
        "--backend",
        type=name_of("backend", _BACKENDS),
        default="native",
        metavar="NAME",
        help="native, or reference: slow, in NumPy, to compare with (default: native)",
    )

    add_resume(how)

    leave = parser.add_argument_group("what to write")
    leave.add_argument(
        "--output",
        metavar="PATH",
        help="the model's file, or a folder for all files (default: gyaku-DATASET-MODEL)",
    )
    leave.add_argument(
        "--no-curve", action="store_true", help="draw no picture, which saves half a second"
    )
    leave.add_argument("--quiet", action="store_true", help="print the result alone")
    leave.add_argument(
        "--json",
        action="store_true",
        help="print the result as JSON, and all else as messages on the error stream",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train; write model, learning curve and history.

    Parameters
    ----------
    arguments : argparse.Namespace
        Parsed arguments.

    Returns
    -------
    int
        The exit code; 130 if Ctrl-C ended the training, after all files are written.
    """
    files = _files(arguments)
    recipe = models.MODELS[arguments.model]
    model = _model(arguments, recipe)
    for path in files.values():
        check_writable(path)
    use_backend(arguments.backend)
    if arguments.threads:
        set_num_threads(arguments.threads)

    (x, y), (x_test, y_test) = DATASETS[arguments.dataset]()
    if arguments.shift >= min(x.shape[1:3]):
        raise UsageError(
            f"--shift must be less than the {min(x.shape[1:3])} pixels of a side of the images, got"
            f" {arguments.shift}"
        )
    model.build(x.shape[1:], dtype=arguments.dtype, seed=arguments.seed)
    shown = sys.stderr if arguments.json else sys.stdout
    if not arguments.quiet:
        size = " x ".join(map(str, x.shape[1:3]))
        print(
            f"{arguments.dataset}: {len(x):,} images of {size} to train on,"
            f" {len(x_test):,} to test on\n{arguments.model}: {_layers(model)};"
            f" {_parameters(model):,} parameters",
            file=shown,
        )

    loss = losses.loss(arguments.loss)
    if loss.takes == "rows":
        rows = np.eye(_CLASSES, dtype=arguments.dtype)
        y, y_test = rows[y], rows[y_test]
    batch_size = recipe.batch_size if arguments.batch_size is None else arguments.batch_size
    checkpoint = checkpoint_of(files["model"])
    if arguments.resume and checkpoint.exists() and not arguments.quiet:
        print(f"going on from {checkpoint}", file=shown)
    with redirect_stdout(shown), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fit: interrupted")  # said below
        history = model.fit(
            x,
            y,
            loss=loss,
            optimizer=_optimizer(arguments, recipe),
            epochs=arguments.epochs or recipe.epochs(len(x)),
            batch_size=batch_size or None,
            validation_data=(x_test, y_test),
            metrics=["accuracy"],
            seed=arguments.seed,
            augment=Augment(arguments.shift, flip=arguments.flip),
            callbacks=keeping(checkpoint),
            resume=arguments.resume,
            verbose=0 if arguments.quiet else "auto",
        )
    written = _write(model, history, files, f"{arguments.dataset}, {arguments.model}")
    if history.stopped is None:
        checkpoint.unlink(missing_ok=True)
    elif checkpoint.exists():
        written["checkpoint"] = checkpoint
    tested = model.evaluate(x_test, y_test, loss=loss, metrics=["accuracy"])
    if arguments.json:
        import json

        print(json.dumps(_result(arguments, model, history, tested, written)))
    else:
        print(_report(history, tested, len(x_test), None if arguments.quiet else written))
    return 130 if history.stopped == "interrupted" else 0


def _files(arguments: argparse.Namespace) -> dict[str, Path]:
    """Return the paths of model, history and curve."""
    model = Path(f"gyaku-{arguments.dataset}-{arguments.model}{_SUFFIX}")
    if arguments.output:
        given = Path(arguments.output)
        if given.is_dir() or arguments.output.endswith("/"):
            model = given / model
        elif given.exists() and not given.is_file():
            raise OSError(f"cannot write {given}: it is not a regular file")
        else:
            model = given if given.suffix == _SUFFIX else given.with_name(given.name + _SUFFIX)
    stem = model.name.removesuffix(_SUFFIX)
    files = {"model": model, "history": model.with_name(f"{stem}-history.csv")}
    if not arguments.no_curve:
        files["curve"] = model.with_name(f"{stem}-curve.png")
    return files


def _model(arguments: argparse.Namespace, recipe: models.Recipe) -> Sequential:
    """Return the requested model, with the final layer for the loss."""
    options = {
        name: getattr(arguments, name)
        for name in ("hidden", "activation", "dropout")
        if getattr(arguments, name) is not None
    }
    if options and arguments.model != "mlp":
        raise UsageError(f"--{next(iter(options))} goes with --model mlp, not {arguments.model}")
    if min(SHAPES[arguments.dataset][:2]) < _SMALL:
        options |= recipe.small
    model = recipe.build(classes=_CLASSES, **options)
    last = _LAST_LAYERS.get(arguments.loss)
    return Sequential(*model.layers, last(), name=model.name) if last else model


def _optimizer(arguments: argparse.Namespace, recipe: models.Recipe) -> optim.Optimizer:
    """Return the requested optimizer, by default that of the recipe."""
    chosen = arguments.optimizer or arguments.learning_rate
    name = arguments.optimizer or "adam"
    kind: Callable[..., optim.Optimizer] = optim.OPTIMIZERS[name]
    usual = {"adam": recipe.learning_rate}.get(name) or _LEARNING_RATES.get(name)
    rate: Any = arguments.learning_rate or usual or kind().learning_rate
    schedule = _SCHEDULES[arguments.schedule or ("constant" if chosen else "one_cycle")](rate)
    return recipe.adam(schedule) if name == "adam" else kind(learning_rate=schedule)


def _layers(model: Sequential) -> str:
    """Return the layers in a few words."""
    words = [f"{math.prod(model.input_shape or ())} inputs"]
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            words.append(f"{layer.filters} filters of {layer.kernel_size} x {layer.kernel_size}")
        elif isinstance(layer, layers.Dense):
            words.append(f"{layer.units} {layer.activation or 'outputs'}")
        elif not isinstance(layer, (layers.Flatten, layers.Rescaling)):
            words.append(type(layer).__name__.lower())
    return ", ".join(words)


def _write(
    model: Sequential, history: History, files: dict[str, Path], title: str
) -> dict[str, Path]:
    """Write all files, the model first, and return their paths."""
    model.save(files["model"])
    written = {"model": files["model"]}
    if history.epochs:
        history.to_csv(files["history"])
        written["history"] = files["history"]
        if "curve" in files and draw(history, files["curve"], title):
            written["curve"] = files["curve"]
    return written


def _result(
    arguments: argparse.Namespace,
    model: Sequential,
    history: History,
    tested: dict[str, float],
    written: dict[str, Path],
) -> dict[str, Any]:
    """Return the result as a dict, for JSON."""
    return {
        "dataset": arguments.dataset,
        "model": arguments.model,
        "parameters": _parameters(model),
        "epochs": history.epochs,
        "interrupted": history.stopped == "interrupted",
        "seconds": sum(history.seconds),
        "test_loss": tested["loss"],
        "test_accuracy": tested["accuracy"],
        "files": {kind: str(path) for kind, path in written.items()},
    }


def _report(
    history: History, tested: dict[str, float], count: int, written: dict[str, Path] | None
) -> str:
    """Return the result as text, with suggested commands."""
    right = round(tested["accuracy"] * count)
    ended = "interrupted after" if history.stopped == "interrupted" else "after"
    accuracy = f"test accuracy {100 * tested['accuracy']:.2f} % ({right:,} of {count:,} right)"
    epochs = f"{history.epochs} epoch{'' if history.epochs == 1 else 's'}"
    seconds = sum(history.seconds)
    lines = [f"{accuracy} {ended} {epochs} in {seconds:.{1 if seconds >= 1 else 2}f} s"]
    if written is not None:
        names = {"model": "the model", "history": "its history", "curve": "its learning curve"}
        names["checkpoint"] = "its training, which goes on with --resume"
        width = max(len(str(path)) for path in written.values())
        lines += ["", "written:"]
        lines += [f"  {path!s:{width}}  {names[kind]}" for kind, path in written.items()]
        name = shlex.quote(str(written["model"]))
        lines += ["", "next:", f"  gyaku predict {name} --index 3", f"  gyaku evaluate {name}"]
    return "\n".join(lines)


def _parameters(model: Sequential) -> int:
    return sum(array.size for array in model.params.values())
