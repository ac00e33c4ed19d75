"""Samples with known outputs, for the self-tests of exported models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.interop.source.forward_pass import ForwardPass
    from gyaku.model import Model

__all__ = ["sample"]


def sample(model: Model, made: ForwardPass) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Return inputs of one sample, and the model's outputs.

    Parameters
    ----------
    model : Model
        The model.
    made : ForwardPass
        Its steps.

    Returns
    -------
    inputs : list of ndarray
        Arrays of one sample, the same for the same model.
    outputs : list of ndarray
        Its outputs.
    """
    rng, inputs = np.random.default_rng(0), []
    for value in made.inputs:
        shape = (1, *made.values[value].shape)
        if value in made.indices:
            known = made.vocabulary.get(value, 1)
            ids = rng.integers(min(1, known - 1), known, shape)
            if len(shape) > 1 and shape[1] > 2:
                ids[:, -1] = 0  # padding, if there is any
            inputs.append(ids)
        else:  # short literals
            inputs.append((np.round(64 * rng.standard_normal(shape)) / 64).astype(made.dtype))
    found: Any = model.forward(tuple(inputs) if len(inputs) > 1 else inputs[0])
    return inputs, list(found) if len(made.outputs) > 1 else [found]
