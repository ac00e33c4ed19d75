"""Data sets, each as ``(x_train, y_train), (x_test, y_test)``, and augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.data.augment import Augment
from gyaku.data.digits import digits
from gyaku.data.download import DownloadError
from gyaku.data.idx import read_idx
from gyaku.data.mnist import mnist

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    Split = tuple[tuple[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]

__all__ = ["DATASETS", "Augment", "DownloadError", "digits", "mnist", "read_idx"]

DATASETS: dict[str, Callable[[], Split]] = {"digits": digits, "mnist": mnist}
"""Data sets by name, for the command line."""
