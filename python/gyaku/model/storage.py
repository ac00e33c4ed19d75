"""Loading of model files, which hold no code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.checks import whole
from gyaku.layers.base import LAYERS
from gyaku.model.architecture import (
    PLACE,
    STATE,
    TRAINING,
    contents,
    restored,
    restored_optimizer,
)
from gyaku.model.model import Model
from gyaku.model.restore import Restoration

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.layers.base import Layer

__all__ = ["load"]


def load(path: str | os.PathLike[str], *, layers: Mapping[str, type[Layer]] | None = None) -> Model:
    """Read a model from a file that `Model.save` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.
    layers : mapping of str to type, optional
        Layers of your own in the model, by class name.

    Returns
    -------
    Model
        The model, for example a `Sequential`.

    Raises
    ------
    FileError
        If the file is no gyaku model, or its content is inconsistent.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile, gyaku as gk
    >>> model = gk.Sequential(gk.Dense(3, "relu"), gk.Dense(2))
    >>> model.build((4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(folder + "/model.safetensors")
    ...     gk.load(folder + "/model.safetensors")
    Sequential 'sequential', inputs (4,), 23 parameters of float32
      dense    Dense(3, activation='relu')  (3,), 15 parameters
      dense_2  Dense(2)                     (2,), 8 parameters
    """
    import json

    from gyaku.files import FileError

    tensors, metadata, architecture = contents(path)
    table = {**LAYERS, **(layers or {})}
    written = metadata.get("gyaku.format", "1")
    try:
        model = Restoration(table).restored(architecture, dtype=metadata["dtype"])
        if not isinstance(model, Model):
            raise ValueError("it describes a layer, not a model")
        model.scales_bytes = written == "1" or architecture.get("scales_bytes", False)
        model.columns = _columns(model, architecture.get("columns", []))
        model.metadata = dict(architecture.get("metadata", {}))
        # Validated against the architecture before memory is allocated.
        model.load(json.loads(metadata["input_shape"]), tensors)
        if "loss" in architecture:
            _restore_loss(model, architecture)
        kept = _restore_optimizer(model, architecture, tensors)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise FileError(f"{path} has an invalid model description: {error}") from None
    if PLACE in metadata:  # of a training, which `fit` may resume
        kept |= {name for name in tensors if name.startswith(TRAINING)}
    more = sorted(set(tensors) - set(model.params) - set(model.buffers) - kept)
    if more:
        raise FileError(f"{path} has unexpected tensors: {', '.join(more)}")
    return model


def _columns(model: Model, given: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    found = tuple(tuple(names) for names in given)
    if not all(isinstance(name, str) for names in found for name in names):
        raise ValueError("names of columns must be strings")
    if found and len(found) != len(model.input_names):
        raise ValueError(f"there are names of columns for {len(found)} inputs")
    return found


def _restore_loss(model: Model, architecture: dict[str, Any]) -> None:
    from gyaku.losses import LOSSES
    from gyaku.metrics import METRICS

    table = {each.__name__: each for each in LOSSES.values()}
    given = architecture["loss"]
    losses = [restored(each, table) for each in (given if isinstance(given, list) else [given])]
    if losses:
        model.loss = tuple(losses) if len(losses) > 1 else losses[0]
    weights, named = architecture.get("loss_weights"), architecture["metrics"]
    model.loss_weights = None if weights is None else tuple(weights)

    def metrics(names: Any) -> Any:
        if isinstance(names, dict):
            return {name: metrics(each) for name, each in names.items()}
        kinds = {each.__name__: each for each in METRICS.values()}
        # Up to format 2 there are names alone.
        made = (METRICS[one]() if isinstance(one, str) else restored(one, kinds) for one in names)
        return tuple(made)

    model.metrics = metrics(named)


def _restore_optimizer(
    model: Model, architecture: dict[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> set[str]:
    """Restore the optimizer and where the training stands; return the names of its tensors."""
    if "optimizer" not in architecture:
        return set()
    optimizer = restored_optimizer(architecture)
    training = architecture["training"]
    state = {
        name.removeprefix(STATE): each for name, each in tensors.items() if name.startswith(STATE)
    }
    optimizer.resume(model, state, training["clock"], training["schedule_begun"])
    model.optimizer = optimizer
    seed, epochs, step = training["seed"], training["epochs"], training["step"]
    model.last_seed = None if seed is None else whole("load", "seed", seed, least=0)
    model.epochs_begun = whole("load", "epochs", epochs, least=0)
    model.clock[0] = whole("load", "step", step, least=0)
    return {STATE + name for name in state}
