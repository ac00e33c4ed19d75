"""Masks of padded steps in Keras's models, which are lengths here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from gyaku.interop.keras.activations import Unreadable
from gyaku.interop.keras.recurrent import RECURRENT

if TYPE_CHECKING:
    from gyaku.interop.keras.config import Call, Described
    from gyaku.symbolic import Tensor

__all__ = ["Value", "mask_lost", "masked"]

# Layers that hand on the mask of their input, as those here hand on lengths.
_MASKED = {"Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "LayerNormalization"}
_MASKED |= {"PReLU", "Multiply", "Subtract", "Average", "Maximum", "Minimum", "Masking"}
_MASKED |= {"BatchNormalization", "Identity", "Add", "Concatenate", "Rescaling", "Normalization"}
_MASKED |= {"TimeDistributed", "Bidirectional", "SpatialDropout1D", "GaussianNoise"}
_MASKED |= {"GaussianDropout", "AlphaDropout", "ActivityRegularization", *RECURRENT}
_STEPWISE = {"Bidirectional", "RNN", *RECURRENT}
_READ_MASKS = {"GlobalAveragePooling1D", "Softmax", "Concatenate"}


class Value(NamedTuple):
    """Value in a graph.

    Parameters
    ----------
    shape : tuple of int
        Shape of a sample.
    mask : {"", "same", "other"}
        Whether it has padded steps, which are as in Keras, or zeros here alone.
    tensor : Tensor or None
        The symbolic tensor in a graph, None in a chain.
    """

    shape: tuple[int, ...]
    mask: str = ""
    tensor: Tensor | None = None

    @property
    def symbol(self) -> Tensor:
        """The symbolic tensor of a value in a graph."""
        return cast("Tensor", self.tensor)


def mask_lost(layer: Described, call: Call, values: list[Value], version: int) -> str:
    """Return the reason why a call does not take the mask of its first input, "" if it does.

    Parameters
    ----------
    layer : Described
        The layer.
    call : Call
        The call.
    values : list of Value
        Its inputs.
    version : int
        Major version of Keras.

    Returns
    -------
    str
        The reason.
    """
    if call.masks and not any(each.mask for each in values):
        return "takes a mask that no Embedding finds"
    if layer.kind in _STEPWISE and values[0].mask and len(values) > 1 and version > 2:
        # Keras 3 hands a mask on to a layer of one input alone.
        return "" if call.masks else "has an initial state, with which Keras drops the mask"
    return ""


def masked(layer: Described, values: list[Value], results: list[Value]) -> list[Value]:
    """Return the values behind a layer with the state of their masks.

    Parameters
    ----------
    layer : Described
        The layer.
    values : list of Value
        Its inputs.
    results : list of Value
        Its outputs, without masks.

    Returns
    -------
    list of Value
        The outputs.

    Raises
    ------
    Unreadable
        If padded steps would be mixed with others otherwise than in Keras.
    """
    kind, config = layer.kind, layer.config
    if kind == "Masking" or kind == "Embedding":
        mask = "same" if kind == "Masking" or config.get("mask_zero") else ""
        return [each._replace(mask=mask) for each in results]
    masks = {each.mask for each in (values[:1] if kind in _STEPWISE else values)}
    if masks == {""}:
        return results
    first = results[0].shape
    keeps = len(first) > 1 and first[0] == values[0].shape[0]
    if keeps and config.get("go_backwards"):
        raise Unreadable("goes backwards over padded sequences, and returns them reversed")
    if kind in _STEPWISE:
        zeros = kind == "Bidirectional" or config.get("zero_output_for_mask")
        mask = "" if not keeps else "same" if zeros else "other"
    elif kind in _MASKED and keeps:
        mask = "other" if "other" in masks else "same"
    elif keeps or "other" in masks or kind in _READ_MASKS:
        raise Unreadable("mixes the steps of padded sequences, which has no counterpart")
    else:
        mask = ""
    return [each._replace(mask=mask if each.shape == first else "") for each in results]
