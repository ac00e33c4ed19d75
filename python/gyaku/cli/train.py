"""``gyaku train``: train a model; write the model, its learning curve and its history."""

from __future__ import annotations

import shlex
import sys
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from gyaku import losses, models, optim
from gyaku.backend import use_backend
from gyaku.cli.checkpoint import add_resume, checkpoint_of, keeping
from gyaku.cli.dataset import read_data
from gyaku.cli.distributed import add_distributed, in_turn, processes
from gyaku.cli.output import lines_on, paths_of, write
from gyaku.cli.parser import Parser, fraction, name_of, positive, whole
from gyaku.cli.recipe import (
    SCHEDULES,
    Targets,
    batch_size_for,
    check_options,
    epochs_for,
    in_words,
    loss_for,
    model_for,
    optimizer_for,
    parameters_of,
)
from gyaku.cli.report import report
from gyaku.cli.watching import add_watching, live, stay, write_report
from gyaku.data import DATASETS, Augment
from gyaku.files import check_writable
from gyaku.layers.activation import ACTIVATIONS
from gyaku.precision import PRECISIONS
from gyaku.threads import set_num_threads

if TYPE_CHECKING:
    import argparse
    from pathlib import Path
    from typing import Any

    from gyaku.cli.dataset import Data
    from gyaku.distributed import MPI
    from gyaku.history import History
    from gyaku.model import Sequential

__all__ = ["add", "run"]

_PAGE = """\
Train a model on handwritten digits, or on data of your own, and evaluate it on test data.

Without arguments: a multi-layer perceptron with one hidden layer, on the 1,797 small digits that
come with gyaku, in about a second. Three files are written to this folder: the model, a picture of
its learning curve, and its history as a table.

DATA is a table with a header (.csv, .tsv), a folder that holds a folder of pictures for each
class, or arrays x and y (.npz); or a file of settings (.toml), each named like an option, data
too. A fifth of the samples is kept for the test. A column of numbers is an input, scaled by mean
and standard deviation of the training rows; of any other column, each text is an input of 0 or 1.
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
  gyaku train houses.csv --target price --ignore id
        a table of your own; the model's file keeps columns and scaling for 'gyaku predict'
  gyaku train pets --model fast
        folders of pictures of your own: pets/cat, pets/dog
  mpiexec -n 4 gyaku train --dataset mnist --model lenet --distributed
        four processes, each with a quarter of every batch
  gyaku train settings.toml --epochs 30
        settings from a file; those of the command line prevail

MNIST files on this machine are found in the folder that the environment variable GYAKU_DATA names.
Ctrl-C ends the training early and keeps the weights. A training that was ended so, or killed, goes
on from its last checkpoint, one a minute, if the command is repeated with --resume.
"""

_DTYPES = ("float32", "float64")
_BACKENDS = ("native", "reference")
_FOR_HIDDEN = [name for name, kind in ACTIVATIONS.items() if kind.elementwise]


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
    usage = "gyaku train [DATA] [OPTIONS]"
    parser = commands.add_parser("train", usage=usage, description=_PAGE, epilog=_EXAMPLES)
    parser.set_defaults(run=run)

    own = parser.add_argument_group("data of your own")
    own.add_argument("data", metavar="DATA", nargs="?", help="a table, a folder, .npz or .toml")
    own.add_argument("--target", metavar="COLUMN", help="the column to predict, of a table")
    own.add_argument("--ignore", metavar="COLUMN", nargs="+", help="columns to leave out")
    own.add_argument(
        "--task",
        type=name_of("task", ("classification", "regression")),
        metavar="NAME",
        help="classification or regression (default: classes if the targets are texts or at most"
        " 20 different whole numbers)",
    )
    own.add_argument(
        "--test-size",
        type=fraction,
        default=0.2,
        metavar="FRACTION",
        help="the fraction of samples to test on (default: 0.2)",
    )
    own.add_argument("--drop-missing", action="store_true", help="leave out rows that lack a value")
    own.add_argument(
        "--size",
        type=whole(1),
        metavar="PIXELS",
        help="the side to which pictures are scaled (default: 32, unless all have the same size of"
        " at most 64)",
    )
    own.add_argument("--config", metavar="FILE", help="a file of settings (.toml)")

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
        metavar="FRACTION",
        help="the fraction of hidden outputs dropped in training (default: 0)",
    )

    how = parser.add_argument_group("how to train it")
    how.add_argument(
        "--loss",
        type=name_of("loss", losses.LOSSES),
        metavar="NAME",
        help=f"{', '.join(losses.LOSSES)} (default: softmax_cross_entropy, or mean_squared_error"
        " for numbers)",
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
        type=name_of("schedule", SCHEDULES),
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
        "--precision",
        type=name_of("precision", PRECISIONS),
        default="float32",
        metavar="NAME",
        help="precision of the operands of products: float32 or bfloat16 (default: float32)",
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
    add_distributed(how)

    add_watching(parser.add_argument_group("how to show it"))

    leave = parser.add_argument_group("what to write")
    leave.add_argument(
        "--output",
        metavar="PATH",
        help="the model's file, or a folder for all files (default: gyaku-DATA-MODEL)",
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
    check_options(arguments)
    with processes(arguments) as ranks:
        return _train(arguments, ranks)


def _train(arguments: argparse.Namespace, ranks: MPI | None) -> int:
    is_first = ranks is None or ranks.is_first
    with in_turn(ranks):  # the first one downloads
        data = read_data(arguments)
    paths = paths_of(arguments, data.name) if is_first else {}
    for path in paths.values():
        check_writable(path)
    use_backend(arguments.backend)
    if arguments.threads:
        set_num_threads(arguments.threads)
    loss = loss_for(arguments, data)
    model = model_for(arguments, data)
    shown = sys.stderr if arguments.json else sys.stdout
    if not arguments.quiet:
        print(f"{data.told}\n{arguments.model}: {in_words(model)}", file=shown)
    checkpoint = checkpoint_of(paths_of(arguments, data.name)["model"])
    if arguments.resume and checkpoint.exists() and not arguments.quiet:
        print(f"going on from {checkpoint}", file=shown)
    with redirect_stdout(shown), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fit: interrupted")  # said below
        trained, history = model, _fit(model, arguments, data, loss, checkpoint, ranks)
    if not is_first:
        return 0
    targets = Targets(data, loss, arguments.dtype)
    model = targets.restored(trained)  # whose outputs are in the units of the targets
    model.metadata = data.metadata
    written = write(model, history, paths, f"{data.name}, {arguments.model}")
    written |= write_report(arguments, history, (trained, model), data, targets)
    if history.stopped is None:
        checkpoint.unlink(missing_ok=True)
    elif checkpoint.exists():
        written["checkpoint"] = checkpoint
    measures, text = _tested(model, data, loss)
    if arguments.json:
        import json

        result = _result(arguments, data, model, history, written)
        print(json.dumps(result | measures))
    else:
        print(_report(arguments, history, text, None if arguments.quiet else written))
    stay(arguments, history)
    return 130 if history.stopped == "interrupted" else 0


def _fit(
    model: Sequential,
    arguments: argparse.Namespace,
    data: Data,
    loss: losses.Loss,
    checkpoint: Path,
    ranks: MPI | None,
) -> History:
    targets = Targets(data, loss, arguments.dtype)
    (x, y), (x_test, y_test) = data.train, data.test
    augment = Augment(arguments.shift, flip=arguments.flip) if x.ndim == 4 else None
    return model.fit(
        x,
        targets.learnt(y),
        loss=loss,
        optimizer=optimizer_for(arguments),
        epochs=arguments.epochs or epochs_for(arguments, len(x)),
        batch_size=batch_size_for(arguments, data),
        validation_data=(x_test, targets.learnt(y_test)),
        metrics=["r2" if data.classes is None else "accuracy"],
        seed=arguments.seed,
        augment=augment,
        callbacks=[keeping(checkpoint), *live(arguments, data)],
        resume=arguments.resume,
        distributed=ranks,
        precision=arguments.precision,
        verbose=0 if arguments.quiet else "auto",
    )


def _tested(model: Sequential, data: Data, loss: losses.Loss) -> tuple[dict[str, Any], str]:
    """Return measures on the test data as JSON values and as text."""
    x, y = data.test
    if data.places:
        measures, text = report(model, x, y, data.classes, data.places)
        return measures, f"test {text}"
    targets = Targets(data, loss, model.dtype)
    found = model.evaluate(x, targets.learnt(y), loss=loss, metrics=["accuracy"])
    right = round(found["accuracy"] * len(x))
    text = f"test accuracy {100 * found['accuracy']:.2f} % ({right:,} of {len(x):,} right)"
    return {"test_loss": found["loss"], "test_accuracy": found["accuracy"]}, text


def _result(
    arguments: argparse.Namespace,
    data: Data,
    model: Sequential,
    history: History,
    written: dict[str, Path],
) -> dict[str, Any]:
    """Return the result as a dict, for JSON."""
    return {
        "dataset": data.name,
        "model": arguments.model,
        "parameters": parameters_of(model),
        "epochs": history.epochs,
        "interrupted": history.stopped == "interrupted",
        "seconds": sum(history.seconds),
        "files": {kind: str(path) for kind, path in written.items()},
    }


def _report(
    arguments: argparse.Namespace, history: History, text: str, written: dict[str, Path] | None
) -> str:
    """Return the result as text, with suggested commands."""
    ended = "interrupted after" if history.stopped == "interrupted" else "after"
    epochs = f"{history.epochs} epoch{'' if history.epochs == 1 else 's'}"
    seconds = sum(history.seconds)
    first, *more = text.split("\n")
    lines = [f"{first} {ended} {epochs} in {seconds:.{1 if seconds >= 1 else 2}f} s"]
    if written is not None:
        lines += [*more, "", *lines_on(written)]
        name = shlex.quote(str(written["model"]))
        what = "--index 3"
        if arguments.data:
            what = "NEW.csv" if arguments.target else "FILE"
        tested = f"  gyaku evaluate {name}{' DATA' if arguments.data else ''}"
        lines += ["", "next:", f"  gyaku predict {name} {what}", tested]
    return "\n".join(lines)
