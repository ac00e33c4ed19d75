"""A classifier of digits at work: probabilities, outputs of layers, filters, pixels that decide."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gyaku.classifier import as_probabilities, class_names
from gyaku.data.digit import drawn_digit

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.model import Model

    Floats = NDArray[np.float64]

__all__ = ["DigitReader", "LayerMaps"]

_SIDES = (28, 8)
_MOST_CLASSES = 100
_MOST_LAYERS = 200
_MOST_OUTPUTS = 4 * 10**6  # of all layers, for one picture
_MOST_WORK = 10**9  # floating-point operations for one picture
_UNSEEN = ("Flatten", "Reshape", "Rescaling", "Normalization", "Dropout")
_SHAPING = ("Flatten", "Reshape", "Dropout")
_SCALING = ("Rescaling", "Normalization", "BatchNorm")
_KERNELS = ("Conv2D", "Dense")  # layers whose weights are shown as filters
_CHUNK = 64  # covered pictures in a pass


class LayerMaps(NamedTuple):
    """Outputs of a layer for one picture.

    Parameters
    ----------
    name : str
        Name of the layer.
    kind : str
        Its class, and its activation.
    values : ndarray
        The outputs, (height, width, channels) or (units,).
    has_filters : bool
        Whether `DigitReader.kernels` knows its filters.
    """

    name: str
    kind: str
    values: NDArray[Any]
    has_filters: bool


class DigitReader:
    """Classifier of drawn digits.

    Parameters
    ----------
    model : Model
        The model: its inputs are pictures of 28 × 28 or 8 × 8 pixels, flat or not.

    Attributes
    ----------
    model : Model
        The model.
    side : int
        Height and width of its inputs in pixels.
    classes : list of str
        Names of the classes.
    is_unscaled : bool
        Whether no layer at its beginning scales the pixels, so that their range is not known.

    Raises
    ------
    ValueError
        If the model takes no such pictures, is no classifier, or too large to answer at once.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.side = _side(model)
        self.classes = _classes(model)
        uses = [use.instance for use in model.plan.applications]
        if len(uses) > _MOST_LAYERS:
            raise ValueError(f"the model has {len(uses)} layers, at most {_MOST_LAYERS} are shown")
        work, outputs = sum(each.flops for each in uses), sum(prod(x.output_shape) for x in uses)
        if work > _MOST_WORK or outputs > _MOST_OUTPUTS:
            raise ValueError(
                f"the model is too large to answer while one draws: {work / 1e6:,.1f} million"
                f" operations and {outputs / 1e6:,.1f} million outputs of layers for a picture, at"
                f" most {_MOST_WORK / 1e6:,.0f} and {_MOST_OUTPUTS / 1e6:,.0f}"
            )
        kinds = [type(layer).__name__ for layer in uses]
        first = next((kind for kind in kinds if kind not in _SHAPING), "")
        self.is_unscaled = not model.scales_bytes and first not in _SCALING

    def picture(self, ink: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Return a drawing as the model's input, centred and scaled as in MNIST.

        Parameters
        ----------
        ink : ndarray of uint8
            The drawing, from 0 (paper) to 255 (ink).

        Returns
        -------
        ndarray of uint8 or None
            The picture, (side, side); None if nothing is drawn.
        """
        return drawn_digit(ink, self.side, self.side)

    def probabilities(self, picture: NDArray[np.uint8], in_unit: bool = False) -> Floats:
        """Return the probability of each class.

        Parameters
        ----------
        picture : ndarray of uint8
            The picture, (side, side).
        in_unit : bool
            Whether the model takes pixels from 0 to 1 instead of 0 to 255.

        Returns
        -------
        ndarray of float64
            The probabilities, (classes,).

        Raises
        ------
        ArithmeticError
            If the outputs are not finite.
        """
        with self.model.lock, self.model.states_aside():
            outputs = self.model.forward(self._inputs(picture[None], in_unit))
        if not np.isfinite(outputs).all():
            raise ArithmeticError("the outputs of the model are not finite")
        found: Floats = as_probabilities(self.model, outputs)[0]
        return found

    def maps(self, picture: NDArray[np.uint8], in_unit: bool = False) -> list[LayerMaps]:
        """Return the outputs of the layers.

        Parameters
        ----------
        picture : ndarray of uint8
            The picture, (side, side).
        in_unit : bool
            Whether the model takes pixels from 0 to 1 instead of 0 to 255.

        Returns
        -------
        list of LayerMaps
            In the order of the forward pass, without layers that change shape or scale alone.
        """
        found: dict[str, LayerMaps] = {}

        def keep(use: Any, outputs: NDArray[Any]) -> None:
            kind = type(use.instance).__name__
            if kind in _UNSEEN or outputs.ndim not in (2, 4):
                return
            values = np.nan_to_num(outputs[0])
            found[use.path] = LayerMaps(
                use.path, _kind(use.instance), values, type(use.instance).__name__ in _KERNELS
            )

        with self.model.lock, self.model.states_aside():
            self.model.forward(self._inputs(picture[None], in_unit), seen=keep)
        return list(found.values())

    def kernels(self, layer: str, number: int) -> NDArray[Any]:
        """Return the filter behind a feature map, or the weights of a unit.

        Parameters
        ----------
        layer : str
            Name of the layer.
        number : int
            The map or unit, from 0.

        Returns
        -------
        ndarray
            One kernel for each channel of the layer's input, (channels, height, width). A unit
            behind feature maps, or behind the picture, has kernels of their size.

        Raises
        ------
        ValueError
            If there is no such layer, or no such filter.
        """
        shape: tuple[int, ...] = (self.side, self.side, 1)
        for use in self.model.plan.applications:
            kind = type(use.instance).__name__
            if use.path == layer and kind in _KERNELS:
                weight = use.instance.params["weight"]
                if not 0 <= number < weight.shape[-1]:
                    raise ValueError(f"{layer} has filters 0 to {weight.shape[-1] - 1}")
                chosen = weight[..., number]
                if kind == "Dense":
                    fits = len(shape) == 3 and prod(shape) == chosen.size
                    chosen = chosen.reshape(shape if fits else (1, -1, 1))
                return np.ascontiguousarray(chosen.transpose(2, 0, 1))
            if kind not in _SHAPING:
                shape = use.instance.output_shape
        raise ValueError(f"there is no layer {layer[:40]!r} with filters")

    def gradient(self, picture: NDArray[np.uint8], label: int, in_unit: bool = False) -> Floats:
        """Return the derivative of the output of a class with respect to each pixel.

        Parameters
        ----------
        picture : ndarray of uint8
            The picture, (side, side).
        label : int
            The class.
        in_unit : bool
            Whether the model takes pixels from 0 to 1 instead of 0 to 255.

        Returns
        -------
        ndarray of float64
            The derivatives, (side, side), divided by the largest absolute value.
        """
        with self.model.lock, self.model.states_aside():
            outputs = self.model.forward(self._inputs(picture[None], in_unit))
            direction = np.zeros_like(outputs)
            direction[0, label] = 1
            slopes = self.model.backward(direction, input_gradient=True)
        return _in_unit(slopes.reshape(self.side, self.side))

    @property
    def window(self) -> int:
        """Side of the square that `occlusion` covers."""
        return max(2, self.side // 5)

    def occlusion(self, picture: NDArray[np.uint8], label: int, in_unit: bool = False) -> Floats:
        """Return how far the output of a class falls where a square is covered by paper.

        Parameters
        ----------
        picture : ndarray of uint8
            The picture, (side, side).
        label : int
            The class.
        in_unit : bool
            Whether the model takes pixels from 0 to 1 instead of 0 to 255.

        Returns
        -------
        ndarray of float64
            The mean over the squares around each pixel, (side, side), divided by the largest
            absolute value.

        Notes
        -----
        M. Zeiler and R. Fergus, Visualizing and understanding convolutional networks (2014).
        """
        size, places = self.window, self.side - self.window + 1
        covered = np.repeat(picture[None], places * places + 1, axis=0)
        squares = sliding_window_view(covered[:-1], (size, size), axis=(1, 2), writeable=True)
        rows, columns = np.divmod(np.arange(places * places), places)
        squares[np.arange(places * places), rows, columns] = 0
        outputs = []
        for start in range(0, len(covered), _CHUNK):
            inputs = self._inputs(covered[start : start + _CHUNK], in_unit)
            with self.model.lock, self.model.states_aside():
                outputs.append(self.model.forward(inputs)[:, label].copy())
        scores = np.concatenate(outputs).astype(np.float64)
        falls = (scores[-1] - scores[:-1]).reshape(places, places)
        sums, counts = np.zeros((2, self.side, self.side))
        for y in range(size):
            for x in range(size):
                sums[y : y + places, x : x + places] += falls
                counts[y : y + places, x : x + places] += 1
        return _in_unit(sums / counts)

    def _inputs(self, pictures: NDArray[np.uint8], in_unit: bool) -> NDArray[Any]:
        """Return a batch for the model."""
        batch = pictures.reshape(len(pictures), *(self.model.input_shape or ()))
        if self.model.scales_bytes:
            return batch
        values = batch.astype(self.model.dtype)
        return values / values.dtype.type(255) if in_unit and self.is_unscaled else values


def _in_unit(values: NDArray[Any]) -> Floats:
    """Return values divided by the largest of them."""
    finite: Floats = np.nan_to_num(np.asarray(values, np.float64))
    return finite / max(float(np.abs(finite).max()), 1e-30)


def _side(model: Model) -> int:
    """Return height and width of a model's inputs; raise if it takes no pictures of digits."""
    shape = model.input_shape
    for side in _SIDES:
        known = ((side, side, 1), (side, side), (side * side,))
        if shape in known and not any(model.input_dtypes):
            return side
    raise ValueError(
        f"the model takes inputs of shape {shape}, the lab draws pictures of shape (28, 28, 1),"
        " (784,), (8, 8, 1) or (64,)"
    )


def _classes(model: Model) -> list[str]:
    """Return the names of a model's classes; raise if it is no classifier."""
    shape = model.output_shape
    if len(shape) != 1 or not isinstance(shape[0], int) or not 2 <= shape[0] <= _MOST_CLASSES:
        raise ValueError(
            f"the model has outputs of shape {shape}, a classifier of drawings has (classes,), 2 to"
            f" {_MOST_CLASSES} of them"
        )
    try:
        names = class_names(model)
    except (KeyError, TypeError):
        raise ValueError("the names of the model's classes are not a list") from None
    return [str(each)[:20] for each in names or range(shape[0])]


def _kind(layer: Any) -> str:
    """Return class and activation of a layer."""
    applied = getattr(layer, "applied", None)
    kind = type(layer).__name__
    return kind if applied is None else f"{kind}, {applied.op}"
