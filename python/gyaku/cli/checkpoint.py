"""The checkpoint of ``gyaku train``, which is there until the training is finished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.callbacks import ModelCheckpoint

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

__all__ = ["add_resume", "checkpoint_of", "keeping"]


def add_resume(group: Any) -> None:
    """Add the argument that goes on from a checkpoint.

    Parameters
    ----------
    group : argparse argument group
        Arguments on how to train.
    """
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on where a training with the same arguments was ended or killed, if it was",
    )


def checkpoint_of(model: Path) -> Path:
    """Return the path of the checkpoint.

    Parameters
    ----------
    model : Path
        The file of the model.

    Returns
    -------
    Path
        A file beside it.
    """
    return model.with_name(f"{model.stem}-checkpoint{model.suffix}")


def keeping(checkpoint: Path) -> ModelCheckpoint:
    """Return the callback that writes the checkpoint: once a minute, and where a training ends.

    Parameters
    ----------
    checkpoint : Path
        The file.

    Returns
    -------
    ModelCheckpoint
        The callback.
    """
    return ModelCheckpoint(checkpoint, minutes=1, at_exception=True, at_signal=True)
