"""Networks of one's own as estimators of scikit-learn."""

from __future__ import annotations

import copy
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gyaku.layers import Dense
from gyaku.losses import loss as as_loss
from gyaku.model import Model, Sequential
from gyaku.optim import Optimizer
from gyaku.optim import optimizer as as_optimizer
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.estimator import Estimator
from gyaku.sklearn.targets import Classifier, Regressor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["NetClassifier", "NetRegressor"]


@dataclass(eq=False, repr=False)
class _Net(Estimator):
    """Network and optimizer that the user gives.

    Parameters
    ----------
    model_fn : callable, optional
        Function of the shape of a sample and the number of outputs, which returns a list of layers,
        or a model; the last layer has one unit an output and no activation. By default a hidden
        layer of 100 rectified units. Networks of lists compute in the dtype of the samples.
    optimizer : str or Optimizer
        Optimizer, by name or as an object, of which each training has a copy.
    """

    constraints: ClassVar[dict[str, Any]] = {
        "model_fn": [callable, None],
        "optimizer": [str, Optimizer],
    }
    sample_axes = 2  # or more, or one
    model_fn: Callable[[tuple[int, ...], int], Any] | None = None
    _: KW_ONLY
    optimizer: str | Optimizer = "adam"

    def _network(self, x: Array, random: Any) -> Model:
        made = (self.model_fn or _perceptron)(x.shape[1:], self.n_outputs_)
        if isinstance(made, (list, tuple)):
            seed = int(random.randint(np.iinfo(np.int32).max))
            made = Sequential(*made, dtype=x.dtype, seed=seed)
        if not isinstance(made, Model):
            raise TypeError(f"model_fn must return a gyaku model or a list of layers, got {made!r}")
        model: Model = copy.copy(made)  # so that a network of the user's is never trained
        if not model.built:
            model.build(x.shape[1:])
        if model.output_shape != (self.n_outputs_,):
            raise ValueError(
                f"model_fn: the network has outputs of shape {model.output_shape}, the targets need"
                f" ({self.n_outputs_},); end it with Dense(outputs)"
            )
        return model

    def _optimizer(self, batch_size: int, mean_weight: float) -> Optimizer:
        return as_optimizer(copy.deepcopy(self.optimizer))


def _perceptron(shape: tuple[int, ...], outputs: int) -> list[Dense]:
    return [Dense(100, "relu"), Dense(outputs)]


@documented
@dataclass(eq=False, repr=False)
class NetClassifier(Classifier, _Net):
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
class NetRegressor(Regressor, _Net):
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
