"""Shared parts of the commands on a trained model: arguments, samples, probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gyaku import interop
from gyaku.classifier import as_probabilities, class_names
from gyaku.cli.columns import Columns
from gyaku.cli.parser import UsageError, name_of
from gyaku.data import DATASETS
from gyaku.model import load

if TYPE_CHECKING:
    import argparse
    import os
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.model import Model

__all__ = ["SHAPES", "add_arguments", "classes_of", "columns_of", "images_for", "probabilities"]
__all__ += ["read_model"]

SHAPES = {"digits": (8, 8, 1), "mnist": (28, 28, 1)}
"""The shapes of the data sets' images."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the model and its images.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The command's parser.
    """
    parser.add_argument(
        "model", metavar="MODEL", help="a file from 'gyaku train', or .keras, .h5 or .onnx"
    )
    parser.add_argument(
        "--dataset",
        type=name_of("data set", DATASETS),
        metavar="NAME",
        help=f"{' or '.join(DATASETS)} (default: the one whose images fit the model)",
    )
    parser.add_argument(
        "--split",
        type=name_of("split", ("train", "test")),
        default="test",
        metavar="NAME",
        help="test, or train: the images that it was trained on (default: test)",
    )


def read_model(path: str | os.PathLike[str]) -> Model:
    """Read a model from a file of gyaku's, or of another program's by its ending.

    Parameters
    ----------
    path : str or path-like
        The file: ``.keras`` and ``.h5`` of Keras, ``.onnx``, or any other of gyaku's.

    Returns
    -------
    Model
        The model.
    """
    ending = Path(path).suffix.lower()
    if ending in (".keras", ".h5"):
        return interop.from_keras(path)
    return interop.from_onnx(path) if ending == ".onnx" else load(path)


def classes_of(model: Model) -> list[str] | None:
    """Return the names of a model's classes.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    list of str or None
        Those of its training data; by default numbers from 0. None if its output is one number.
    """
    try:
        return class_names(model)
    except ValueError as error:
        raise UsageError(str(error)) from None


def columns_of(model: Model) -> Columns | None:
    """Return the rule by which a model takes tables.

    Parameters
    ----------
    model : Model
        The model.

    Returns
    -------
    Columns or None
        The rule; None if the model was not trained on a table.
    """
    if model.metadata.get("kind") != "table":
        return None
    return Columns.restored(model.metadata)


def images_for(
    model: Model, arguments: argparse.Namespace
) -> tuple[str, NDArray[Any], NDArray[np.int64]]:
    """Return the images for a model.

    Parameters
    ----------
    model : Model
        The model.
    arguments : argparse.Namespace
        With ``dataset``, which may be None, and ``split``.

    Returns
    -------
    name : str
        Their name in messages.
    x, y : ndarray
        Images and their digits.

    Raises
    ------
    UsageError
        If the model does not take such images.
    """
    shape = model.input_shape or ()
    name = arguments.dataset
    if name is None:
        fitting = [known for known, size in SHAPES.items() if size == shape]
        if not fitting:
            raise UsageError(f"the model takes samples of shape {shape}, as no data set here has")
        name = fitting[0]
    elif SHAPES[name] != shape:
        raise UsageError(
            f"the model takes samples of shape {shape}, those of {name} have {SHAPES[name]}"
        )
    train, test = DATASETS[name]()
    x, y = train if arguments.split == "train" else test
    return f"{'training' if arguments.split == 'train' else 'test'} images of {name}", x, y


def probabilities(model: Model, x: NDArray[Any]) -> NDArray[np.float64]:
    """Return the probability of each class.

    Parameters
    ----------
    model : Model
        A classifier.
    x : ndarray
        The samples, (n, ...).

    Returns
    -------
    ndarray
        Rows that sum to 1: the outputs of a final softmax layer, those of a final sigmoid layer
        divided by their sum, and otherwise the softmax of the outputs.
    """
    outputs = np.asarray(model.predict(x))
    if outputs.ndim != 2 or outputs.shape[1] < 2:
        raise UsageError(f"the model is no classifier: its outputs have shape {outputs.shape[1:]}")
    return as_probabilities(model, outputs)
