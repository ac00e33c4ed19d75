"""Treebanks of Universal Dependencies, from a folder of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.data.conllu import read_conllu
from gyaku.data.folders import data_folders

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from gyaku.data.conllu import Sentence

__all__ = ["treebank"]


def treebank(
    name: str, split: str, *, folder: str | os.PathLike[str] | None = None
) -> list[Sentence]:
    """Read one part of a treebank of Universal Dependencies.

    Parameters
    ----------
    name : str
        The treebank, such as ``"english_ewt"`` (English Web Treebank) or ``"japanese_gsd"``.
    split : {"train", "dev", "test"}
        The part.
    folder : str or path-like, optional
        Folder with the files of the treebank, ``<code>-ud-<split>.conllu``, gzipped or not; by
        default ``$GYAKU_DATA/ud_<name>``.

    Returns
    -------
    list of Sentence
        The sentences, as `read_conllu` returns them.

    Raises
    ------
    ValueError
        If there is no such part.
    FileNotFoundError
        If the treebank is not on this machine: it can be downloaded from
        https://universaldependencies.org.
    FileError
        If its file is not CoNLL-U.

    Examples
    --------
    >>> sentences = treebank("english_ewt", "test")  # doctest: +SKIP
    >>> sentences[0].form[:4], sentences[0].upos[:4]  # doctest: +SKIP
    (('What', 'if', 'Google', 'Morphed'), ('PRON', 'SCONJ', 'PROPN', 'VERB'))
    """
    from pathlib import Path

    if split not in ("train", "dev", "test"):
        raise ValueError(f"treebank: split must be train, dev or test, got {split!r}")
    folders = data_folders(f"ud_{name}") if folder is None else [Path(folder)]
    paths = sorted(path for each in folders[:1] for path in _files(each, split))
    if not paths:
        where = folders[0] if folders else f"ud_{name} in the folder that GYAKU_DATA names"
        raise FileNotFoundError(
            f"treebank: there is no *-{split}.conllu or .conllu.gz in {where}; treebanks can be"
            " downloaded from https://universaldependencies.org"
        )
    return read_conllu(paths[0])


def _files(folder: Path, split: str) -> list[Path]:
    return [*folder.glob(f"*-{split}.conllu"), *folder.glob(f"*-{split}.conllu.gz")]
