"""Checkpoints as files: a model file that also holds where its training stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import safetensors
from gyaku.files import FileError
from gyaku.model.architecture import (
    PLACE,
    STATE,
    TRAINING,
    Architecture,
    contents,
    file_of,
    restored_optimizer,
)
from gyaku.train.checkpoint import unpacked

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.optim import Optimizer

__all__ = ["Checkpoints", "Saved"]


class Checkpoints:
    """Checkpoints of trainings of a model.

    Parameters
    ----------
    model : Model
        The model.
    """

    def __init__(self, model: Any) -> None:  # which cannot be imported here
        self.model = model

    def write(
        self,
        path: str | os.PathLike[str],
        place: Any,
        arrays: Mapping[str, NDArray[Any]],
        state: Mapping[str, NDArray[Any]],
    ) -> None:
        """Write a checkpoint.

        Parameters
        ----------
        path : str or path-like
            The file.
        place : dict
            Where the training stands, as JSON values.
        arrays : mapping of str to ndarray
            Its arrays.
        state : mapping of str to ndarray
            Buffers of the optimizer; those of one of the user's own are not in a model file.
        """
        import json

        tensors, metadata = self.model.as_file(optimizer=True, **{PLACE: json.dumps(place)})
        more = {TRAINING + name: each for name, each in arrays.items()}
        more |= {
            TRAINING + STATE + name: each
            for name, each in state.items()
            if STATE + name not in tensors
        }
        # The carried states of recurrent layers.
        for use, states in enumerate(self._carried()):
            more |= {f"{TRAINING}carried:{use}:{n}": each for n, each in enumerate(states)}
        safetensors.write(path, *file_of({**tensors, **more}, metadata))

    def read(self, path: str) -> Saved:
        """Read a checkpoint.

        Parameters
        ----------
        path : str
            The file.

        Returns
        -------
        Saved
            The checkpoint; the model is unchanged.

        Raises
        ------
        FileError
            If the file is damaged, or no checkpoint.
        ValueError
            If it is one of another model.
        """
        import json

        tensors, metadata, architecture = contents(path)
        if PLACE not in metadata:
            raise FileError(
                f"fit: {path} is the file of a model, not of a training to resume; go on with"
                " gyaku.load(path).fit(...)"
            )
        own = json.loads(json.dumps(Architecture().described(self.model)))
        if any(architecture.get(name) != own[name] for name in own.keys() - {"name"}):
            raise ValueError(f"fit: {path} is a checkpoint of another model, with other layers")
        if metadata["dtype"] != str(self.model.dtype):
            raise ValueError(
                f"fit: {path} is a checkpoint of a model of {metadata['dtype']}, not of"
                f" {self.model.dtype}"
            )
        return Saved(self.model, tensors, json.loads(metadata[PLACE]), architecture)

    def _carried(self) -> list[tuple[NDArray[Any], ...]]:
        uses = [use.instance for use in self.model.plan.applications]
        return [each.carried_states for each in uses if hasattr(each, "carried_states")]


class Saved:
    """Content of a checkpoint.

    Parameters
    ----------
    model : Model
        The model.
    tensors : mapping of str to ndarray
        All tensors.
    place : dict
        Where the training stands, as JSON values.
    architecture : dict
        The description of the model.

    Attributes
    ----------
    place : dict
        Where the training stands.
    state : dict of str to ndarray
        Buffers of the optimizer.
    """

    def __init__(
        self,
        model: Any,
        tensors: Mapping[str, NDArray[Any]],
        place: Any,
        architecture: dict[str, Any],
    ) -> None:
        self._model, self._tensors, self._architecture = model, tensors, architecture
        arrays = {
            name.removeprefix(TRAINING): each
            for name, each in tensors.items()
            if name.startswith(TRAINING)
        }
        self.place = unpacked(place, arrays)
        self._arrays = arrays
        self.state = {
            name.removeprefix(TRAINING).removeprefix(STATE): each
            for name, each in tensors.items()
            if name.removeprefix(TRAINING).startswith(STATE)
        }

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer, without its state; None if it is of the user's own."""
        if "optimizer" not in self._architecture:
            return None
        return restored_optimizer(self._architecture)

    def put(self) -> None:
        """Give the model, which is built, the weights and carried states of the file."""
        model = self._model
        known = {**model.params, **model.buffers}
        for name, own in known.items():
            saved = self._tensors.get(name, np.zeros(0)).shape
            if saved != own.shape:
                raise ValueError(
                    f"fit: the checkpoint has {name} of shape {saved}, the model of {own.shape}"
                )
        for name, own in known.items():
            own[...] = self._tensors[name]
        uses = [use.instance for use in model.plan.applications]
        recurrent = [each for each in uses if hasattr(each, "carried_states")]
        for use, layer in enumerate(recurrent):
            kept = [n for n in self._arrays if n.startswith(f"carried:{use}:")]
            layer.carried_states = [np.array(self._arrays[name]) for name in sorted(kept)]
