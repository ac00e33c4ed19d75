"""Convolutional networks as estimators of scikit-learn."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from gyaku.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, Rescaling
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.estimator import WHOLE
from gyaku.sklearn.network import Shaped
from gyaku.sklearn.targets import Classifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["CNNClassifier"]


@documented
@dataclass(eq=False, repr=False)
class CNNClassifier(Classifier, Shaped):
    """Convolutional classifier of images: convolutions with max pooling, then dense layers.

    Parameters
    ----------
    filters : array_like of int
        Number of filters of each convolution, behind which a max pooling follows as long as images
        are larger than its window.
    kernel_size : int
        Height and width of the kernels; images are padded, so that convolutions keep their size.
    hidden_layer_sizes : array_like of int
        Number of units of each hidden dense layer.
    activation : str
        Activation of convolutions and hidden layers, by a name that gyaku knows.
    pool_size : int
        Height and width of the windows of the poolings; 1 for none.
    dropout : float
        Probability of an input of a dense layer to be dropped in training.
    scale : float
        Factor of the pixels, such as 1 / 255 for bytes, which stay bytes in memory.
    image_shape : tuple of int, optional
        Height, width and, if there are several, channels of images that are given as rows; by
        default a square, or a row of pixels where the number of columns is no square.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels, or of columns of images that are rows.

    Notes
    -----
    Images are arrays of shape (samples, height, width) or (samples, height, width, channels). Bytes
    and float32 are computed in float32, others in float64.

    Examples
    --------
    >>> import gyaku as gk
    >>> from gyaku.sklearn import CNNClassifier
    >>> (x, y), (x_test, y_test) = gk.data.digits()
    >>> network = CNNClassifier((8,), hidden_layer_sizes=(), scale=1 / 255, tol=0.05)
    >>> network.set_params(random_state=0).fit(x, y).score(x_test, y_test) > 0.9
    True
    """

    constraints: ClassVar[dict[str, Any]] = {
        "filters": ["array-like", WHOLE],
        "kernel_size": [WHOLE],
        "hidden_layer_sizes": ["array-like", WHOLE],
        "activation": [str],
        "pool_size": [WHOLE],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "image_shape": [tuple, list, None],
    }
    takes_lengths = False
    filters: int | Sequence[int] = (16, 32)
    kernel_size: int = 3
    _: KW_ONLY
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str = "relu"
    pool_size: int = 2
    dropout: float = 0.0
    scale: float = 1.0
    image_shape: tuple[int, ...] | None = None

    def _layers(self, shape: tuple[int, ...]) -> list[Layer]:
        layers: list[Layer] = [] if self.scale == 1 else [Rescaling(self.scale)]
        smallest = min(shape[:2])
        for filters in np.atleast_1d(self.filters).tolist():
            layers.append(
                Conv2D(filters, self.kernel_size, padding="same", activation=self.activation)
            )
            if 1 < self.pool_size <= smallest:
                layers.append(MaxPool2D(self.pool_size))
                smallest //= self.pool_size
        layers.append(Flatten())
        for units in np.atleast_1d(self.hidden_layer_sizes).astype(int).tolist():
            layers += [Dropout(self.dropout)] if self.dropout else []
            layers.append(Dense(units, self.activation))
        layers += [Dropout(self.dropout)] if self.dropout else []
        return [*layers, Dense(self.n_outputs_)]

    def _dtype(self, x: Array) -> Any:
        return np.dtype(np.float32) if x.dtype == np.uint8 else super()._dtype(x)

    def _shape(self, array: Array) -> Array:
        images = array[..., np.newaxis] if array.ndim == 3 else array
        if images.ndim != 4:
            raise ValueError(
                "X must be images of shape (samples, height, width) or (samples, height, width,"
                f" channels), or rows, got shape {array.shape}"
            )
        return images

    def _from_rows(self, rows: Array) -> Array:
        columns = rows.shape[1]
        side = math.isqrt(columns)
        given = self.image_shape or ((side, side) if side * side == columns else (1, columns))
        height, width, *channels = given
        shape = (height, width, *(channels or [1]))
        if not all(isinstance(each, Integral) for each in shape) or math.prod(shape) != columns:
            raise ValueError(
                f"image_shape {tuple(given)} has {math.prod(shape)} pixels, X has {columns} columns"
            )
        return rows.reshape(len(rows), *shape)
