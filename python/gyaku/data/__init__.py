"""Data sets and readers, text and time series as arrays, and augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.data.augment import Augment
from gyaku.data.conllu import UPOS, Sentence, read_conllu
from gyaku.data.digits import digits
from gyaku.data.download import DownloadError
from gyaku.data.features import word_features
from gyaku.data.idx import read_idx
from gyaku.data.image_folder import image_folder, read_image
from gyaku.data.mnist import mnist
from gyaku.data.nab import nab
from gyaku.data.picture import read_digit
from gyaku.data.sequences import batches_by_length, pad
from gyaku.data.series import Series, windows
from gyaku.data.treebank import treebank
from gyaku.data.vocabulary import Vocabulary
from gyaku.names import missing_from

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    Split = tuple[tuple[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]

__all__ = [
    "DATASETS",
    "UPOS",
    "Augment",
    "DownloadError",
    "Sentence",
    "Series",
    "Vocabulary",
    "batches_by_length",
    "digits",
    "image_folder",
    "mnist",
    "nab",
    "pad",
    "read_conllu",
    "read_digit",
    "read_idx",
    "read_image",
    "treebank",
    "windows",
    "word_features",
]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)

DATASETS: dict[str, Callable[[], Split]] = {"digits": digits, "mnist": mnist}
"""Data sets by name, for the command line."""
