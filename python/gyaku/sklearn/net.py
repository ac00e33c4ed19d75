"""Networks of one's own as estimators of scikit-learn."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from gyaku.layers import Dense
from gyaku.losses import loss as as_loss
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.network import Shaped
from gyaku.sklearn.padded import PaddedClassifier, PaddedRegressor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from gyaku.model import Model

    Array = NDArray[Any]

__all__ = ["NetClassifier", "NetRegressor"]


@dataclass(eq=False, repr=False)
class _Net(Shaped):
    """Network that the user gives.

    Parameters
    ----------
    model_fn : callable, optional
        Function of the shape of a sample and the number of outputs, which returns a list of layers,
        or a model; the last layer has one unit an output and no activation. By default a hidden
        layer of 100 rectified units. Networks of lists compute in the dtype of the samples.
    """

    constraints: ClassVar[dict[str, Any]] = {"model_fn": [callable, None]}
    model_fn: Callable[[tuple[int, ...], int], Any] | None = None

    def _layers(self, shape: tuple[int, ...]) -> Any:
        return (self.model_fn or _perceptron)(shape, self.n_outputs_)

    def _network(self, x: Array, random: Any) -> Model:
        model = super()._network(x, random)
        if model.output_shape != (self.n_outputs_,):
            raise ValueError(
                f"model_fn: the network has outputs of shape {model.output_shape}, the targets need"
                f" ({self.n_outputs_},); end it with Dense(outputs)"
            )
        return model


def _perceptron(shape: tuple[int, ...], outputs: int) -> list[Dense]:
    return [Dense(100, "relu"), Dense(outputs)]


@documented
@dataclass(eq=False, repr=False)
class NetClassifier(PaddedClassifier, _Net):
    """Classifier of any network: dense, convolutional or recurrent.

    Examples
    --------
    >>> import gyaku as gk
    >>> from gyaku.sklearn import NetClassifier
    >>> (x, y), (x_test, y_test) = gk.data.digits()
    >>> def convolutional(shape, outputs):
    ...     filters = gk.Conv2D(8, 3, activation="relu")
    ...     return [gk.Rescaling(1 / 255), filters, gk.Flatten(), gk.Dense(outputs)]
    >>> network = NetClassifier(convolutional, tol=0.05, random_state=0)
    >>> network.fit(x, y).score(x_test, y_test) > 0.9
    True
    """


@documented
@dataclass(eq=False, repr=False)
class NetRegressor(PaddedRegressor, _Net):
    """Regressor of any network: dense, convolutional or recurrent.

    Parameters
    ----------
    loss : str or Loss or callable
        Loss to minimise, as in `Model.fit`.

    Examples
    --------
    >>> import numpy as np
    >>> import gyaku as gk
    >>> from gyaku.sklearn import NetRegressor
    >>> x = np.random.default_rng(0).normal(size=(200, 12, 1))  # sequences of 12 steps
    >>> def recurrent(shape, outputs):
    ...     return [gk.GRU(8), gk.Dense(outputs)]
    >>> network = NetRegressor(recurrent, optimizer=gk.Adam(0.02), tol=0.01, random_state=0)
    >>> network.fit(x, x.sum(axis=(1, 2))).score(x, x.sum(axis=(1, 2))) > 0.9
    True
    """

    _: KW_ONLY
    loss: Any = "sum_squared_error"

    @property
    def loss_function(self) -> Any:
        """Loss of the network."""
        return as_loss(self.loss)

    @property
    def loss_factor(self) -> float:
        """Factor of the loss in `loss_curve_`."""
        return 1.0
