"""Models of the drawing page: those that come trained in the package, and people's own."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from gyaku.lab.digit_reader import DigitReader
from gyaku.model import load

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from typing import Any

    from gyaku.model import Model

__all__ = ["TRAINED", "Models", "trained"]

TRAINED = {"convnet": "CNN 28 × 28", "mlp": "MLP 28 × 28"}
"""Models of the package, by the names of their files, and their titles."""

_MOST_UPLOADED = 8


def trained(name: str) -> Model:
    """Return a model that comes trained in the package.

    Parameters
    ----------
    name : str
        Its name, a key of `TRAINED`.

    Returns
    -------
    Model
        The model, for images of MNIST; its ``metadata`` says how it was trained.
    """
    return load(Path(__file__).parent / "trained" / f"{name}.safetensors")


class Models:
    """Readers of digits by their names in requests.

    Parameters
    ----------
    own : iterable of Model
        Models beside those of the package, which come first.

    Raises
    ------
    ValueError
        If one of them takes no pictures of digits.
    """

    def __init__(self, own: Iterable[Model] = ()) -> None:
        self._lock = Lock()
        self._readers: dict[str, tuple[str, DigitReader]] = {}
        self._uploaded = 0
        for number, model in enumerate(own, 1):
            title = model.metadata.get("title") or model.name or f"model {number}"
            self._readers[f"own-{number}"] = str(title), DigitReader(model)
        for name, title in TRAINED.items():
            self._readers[name] = title, DigitReader(trained(name))

    def described(self) -> list[dict[str, Any]]:
        """Return the models for the page.

        Returns
        -------
        list of dict
            Name in requests, title, side of the pictures, classes, and whether the range of the
            pixels is unknown.
        """
        with self._lock:
            return [_described(name, *each) for name, each in self._readers.items()]

    def reader(self, name: str) -> DigitReader:
        """Return the reader of a name.

        Parameters
        ----------
        name : str
            Name in requests.

        Returns
        -------
        DigitReader
            The reader.

        Raises
        ------
        ValueError
            If there is none.
        """
        with self._lock:
            if name not in self._readers:
                raise ValueError(f"there is no model {name[:40]!r} here, load the page again")
            return self._readers[name][1]

    def upload(self, path: str | os.PathLike[str], title: str) -> dict[str, Any]:
        """Add the model of a file, and forget the oldest of nine.

        Parameters
        ----------
        path : str or path-like
            A model file of gyaku, which holds no code.
        title : str
            Its title on the page.

        Returns
        -------
        dict
            Its description; see `described`.

        Raises
        ------
        ValueError
            If it is no model file, or a model that takes no pictures of digits.
        """
        reader = DigitReader(load(path))
        with self._lock:
            self._uploaded += 1
            name = f"uploaded-{self._uploaded}"
            self._readers[name] = title, reader
            self._readers.pop(f"uploaded-{self._uploaded - _MOST_UPLOADED}", None)
        return _described(name, title, reader)


def _described(name: str, title: str, reader: DigitReader) -> dict[str, Any]:
    return {
        "id": name,
        "title": title,
        "side": reader.side,
        "classes": reader.classes,
        "unscaled": reader.is_unscaled,
    }
