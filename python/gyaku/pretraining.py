"""Pre-training: the encoders of autoencoders as initial weights of a deep network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.layers import Dense
from gyaku.model import Model, Sequential
from gyaku.model.plan import clone
from gyaku.symbolic import label
from gyaku.train.dataset import checked_inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.history import History
    from gyaku.layers import Layer
    from gyaku.losses import Loss
    from gyaku.optim import Optimizer

    Array = NDArray[Any]
    Block = list[Layer]

__all__ = ["pretrain"]


def pretrain(
    model: Model,
    x: object,
    *,
    optimizer: str | Optimizer = "adam",
    loss: str | Loss | Callable[..., Any] = "sum_squared_error",
    epochs: int = 10,
    batch_size: int | None = 32,
    seed: int = 0,
    verbose: int | str = "auto",
) -> dict[str, History]:
    """Pre-train the hidden dense layers of a model, layer by layer, without targets.

    Parameters
    ----------
    model : Model
        A chain of layers with hidden dense ones, which is built for the inputs if it is not; `fit`
        then trains all of it, with targets.
    x : array_like
        Inputs, (samples, ...), as in `fit`.
    optimizer : str or Optimizer
        Optimizer of the autoencoders, with a new state for each.
    loss : str or Loss or callable
        Loss of the autoencoders.
    epochs : int
        Number of passes over the data for each layer.
    batch_size : int or None
        Samples per gradient step; None is the full batch.
    seed : int
        Seed of the initial weights and of the order of the samples.
    verbose : {0, 1, 2, "auto"}
        Progress display, as in `fit`.

    Returns
    -------
    dict of str to History
        History of each autoencoder, by the name of the dense layer that it trained.

    Raises
    ------
    TypeError
        If `model` is no model.
    ValueError
        If the model has no encoders, or is no chain.

    Notes
    -----
    Each dense layer but the last is, with its activation and all layers before the next dense
    one, the encoder of an autoencoder: a second dense layer, the decoder, learns to restore its
    inputs, which are the outputs of the encoders below, and is then discarded; a frozen encoder
    stays as it is. The decoder ends with a sigmoid where all inputs lie between 0 and 1, and is
    linear otherwise. Y. Bengio and others, Greedy layer-wise training of deep networks (2007).

    Examples
    --------
    >>> import gyaku as gk
    >>> (x, y), _ = gk.data.digits()
    >>> model = gk.Sequential(
    ...     *(gk.Rescaling(1 / 255), gk.Flatten()),
    ...     *(gk.Dense(40, "sigmoid"), gk.Dense(30, "sigmoid"), gk.Dense(10)),
    ... )
    >>> histories = gk.pretrain(model, x, epochs=2, verbose=0)
    >>> list(histories)
    ['dense', 'dense_2']
    >>> history = model.fit(x, y, loss="softmax_cross_entropy", epochs=2, verbose=0)
    """
    if not isinstance(model, Model):
        raise TypeError(f"pretrain: model must be a Model, got {model!r}")
    with model.lock:
        inputs = checked_inputs("pretrain", model, x)
        passes = model.passes([each.shape[1:] for each in inputs])
        front, encoders = _blocks(model, passes)
        model.adopt(passes, seed)
        values: Any = inputs[0]
        if front:
            values = Sequential(*_clones(front), dtype=model.dtype).predict(values)
        histories = {}
        for encoder in encoders:
            if not encoder[0].trainable:
                values = Sequential(*_clones(encoder), dtype=model.dtype).predict(values)
                continue
            autoencoder = _autoencoder(encoder, values, model, seed)
            histories[encoder[0].path] = autoencoder.fit(
                values,
                values,
                loss=loss,
                optimizer=optimizer,
                epochs=epochs,
                batch_size=batch_size,
                seed=seed,
                verbose=verbose,
            )
            trained = autoencoder[0]
            for layer, source in zip(encoder, trained.layers, strict=True):
                for name, array in {**source.params, **source.buffers}.items():
                    kept = layer.params if name in layer.params else layer.buffers
                    kept[name] = array
            values = trained.predict(values)
        return histories


def _blocks(model: Model, passes: Any) -> tuple[Block, list[Block]]:
    """Return the layers before the first dense one, and the encoders with what follows them."""
    uses = passes.applications
    if any(use.inputs != (place,) for place, use in enumerate(uses)):
        raise ValueError(
            f"pretrain: {label(model)} is no chain; pre-train a Sequential of Dense layers"
        )
    front: Block = []
    blocks: list[Block] = []
    for use in uses:
        if isinstance(use.layer, Dense):
            blocks.append([])
        elif use.instance.params and not blocks:
            raise ValueError(
                f"pretrain: {use.instance} in front of the first Dense layer is no encoder;"
                " pre-train a Sequential that begins with Dense"
            )
        (blocks[-1] if blocks else front).append(use.layer)
    if len(blocks) < 2:
        raise ValueError(
            f"pretrain: {label(model)} has no encoders; it needs a hidden Dense layer in front of"
            " the last one"
        )
    return front, blocks[:-1]


def _clones(layers: Sequence[Layer]) -> list[Layer]:
    """Return clones with the present weights, as parts for another model."""
    found = [clone(layer) for layer in layers]
    for each in found:
        vars(each).update(model=None, path="")
    return found


def _autoencoder(encoder: Block, values: Array, model: Model, seed: int) -> Sequential:
    between = values.min() >= 0 and values.max() <= 1
    decoder = Dense(values.shape[-1], "sigmoid" if between else None, name="decoder")
    parts = Sequential(*_clones(encoder), name="encoder"), decoder
    return Sequential(*parts, dtype=model.dtype, seed=seed)
