"""Multi-layer perceptrons with the arguments, and the results, of scikit-learn's."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from gyaku.layers import Dense
from gyaku.model import Sequential
from gyaku.optim import LBFGS, Adam, Momentum, Nesterov
from gyaku.sklearn.decay import decayed
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.estimator import WHOLE, Estimator
from gyaku.sklearn.targets import Classifier, Regressor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gyaku.model import Model
    from gyaku.optim import Optimizer

    Array = NDArray[Any]

__all__ = ["MLPClassifier", "MLPRegressor"]

_ACTIVATIONS = {"identity": None, "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_SMALLEST_RATE = 1e-6  # below which "adaptive" ends the training
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_POSITIVE = Interval(Real, 0, None, closed="neither")
_BELOW_ONE = Interval(Real, 0, 1, closed="left")


@dataclass(eq=False, repr=False)
class _Perceptron(Estimator):
    """Layers, optimizer and penalty of a multi-layer perceptron.

    Parameters
    ----------
    hidden_layer_sizes : array_like of int
        Number of units of each hidden layer.
    activation : {"identity", "logistic", "tanh", "relu"}
        Activation of the hidden layers.
    solver : {"lbfgs", "sgd", "adam"}
        Optimizer of the weights.
    alpha : float
        Strength of the L2 penalty of the weights, divided by the number of samples of a batch.
    learning_rate : {"constant", "invscaling", "adaptive"}
        Schedule of the learning rate, for "sgd": constant; divided by the power `power_t` of the
        number of samples seen; or divided by five whenever the loss stands still.
    learning_rate_init : float
        Initial learning rate.
    power_t : float
        Exponent of "invscaling".
    max_iter : int
        Largest number of epochs, or of iterations of "lbfgs".
    tol : float
        Improvement of loss or score that counts; for "lbfgs", the largest gradient element at
        which the training ends.
    momentum : float
        Momentum of "sgd".
    nesterovs_momentum : bool
        Whether the momentum is Nesterov's.
    beta_1, beta_2 : float
        Decay rates of the moments of "adam".
    epsilon : float
        Small constant in the denominator of "adam".
    max_fun : int
        Number of evaluations of the loss after which "lbfgs" ends.

    Attributes
    ----------
    model_ : Model
        The network, a `gyaku.Sequential` that ends before softmax, sigmoid or exponential.
    coefs_, intercepts_ : list of ndarray
        Weights and biases of the layers: views, a change of which changes the network.
    loss_curve_ : list of float
        Loss of each epoch, for "lbfgs" of each iteration.
    n_layers_ : int
        Number of layers, the input included.
    """

    constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", WHOLE],
        "activation": [StrOptions(set(_ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [_NOT_NEGATIVE],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [_POSITIVE],
        "power_t": [_NOT_NEGATIVE],
        "momentum": [_BELOW_ONE],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [_BELOW_ONE],
        "beta_2": [_BELOW_ONE],
        "epsilon": [_POSITIVE],
        "max_fun": [WHOLE],
    }
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str = "relu"
    _: KW_ONLY
    solver: str = "adam"
    alpha: float = 0.0001
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    max_fun: int = 15000

    @property
    def coefs_(self) -> list[Array]:
        """Weights of the layers, (inputs, outputs) each."""
        return [layer.params["weight"] for layer in self.model_.layers]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of the layers."""
        return [layer.params["bias"] for layer in self.model_.layers]

    @property
    def n_layers_(self) -> int:
        """Number of layers, the input included."""
        return len(self.model_.layers) + 1

    @property
    def solver_is_stochastic(self) -> bool:
        """Whether the solver trains on batches."""
        return self.solver != "lbfgs"

    def _network(self, x: Array, random: Any) -> Model:
        sizes = np.atleast_1d(self.hidden_layer_sizes).astype(int).tolist()
        if any(size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
        hidden = [Dense(size, _ACTIVATIONS[self.activation]) for size in sizes]
        model = Sequential(*hidden, Dense(self.n_outputs_), dtype=x.dtype)
        inputs = x.shape[1]
        for layer in model.layers:
            # The numbers that scikit-learn draws, in its order.
            bound = np.sqrt((2 if self.activation == "logistic" else 6) / (inputs + layer.units))
            shapes = {"weight": (inputs, layer.units), "bias": (layer.units,)}
            layer.stored = {
                name: random.uniform(-bound, bound, shape) for name, shape in shapes.items()
            }
            inputs = layer.units
        model.build(x.shape[1:])
        return model

    def _optimizer(self, batch_size: int, mean_weight: float) -> Optimizer:
        # The loss of several labels is a mean here, and a sum in scikit-learn.
        labels = max(1.0, self.loss_factor)
        decay = self.alpha / (batch_size * mean_weight * labels)
        rate = self.learning_rate_init
        if self.solver == "lbfgs":
            limits = {"max_fun": self.max_fun, "tolerance": self.tol / labels}
            return decayed(LBFGS, self.model_, weight_decay=decay, **limits)
        if self.solver == "adam":
            numbers = {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon / labels}
            return decayed(Adam, self.model_, rate, weight_decay=decay, **numbers)
        kind = Nesterov if self.nesterovs_momentum else Momentum
        return decayed(kind, self.model_, rate * labels, self.momentum, weight_decay=decay)

    def _penalty(self) -> float:
        squares = sum(float(np.add.reduce(np.square(each), axis=None)) for each in self.coefs_)
        return self.alpha / 2 * squares * self._scale

    def _rates(self, event: str) -> bool:
        if event == "epoch":
            self.t_ += self._samples
        if self.solver != "sgd" or self.learning_rate == "constant":
            return False
        learner: Any = self._learner
        labels = max(1.0, self.loss_factor)
        if self.learning_rate == "invscaling" and event == "epoch":
            learner.learning_rate = labels * self.learning_rate_init / (self.t_ + 1) ** self.power_t
        if self.learning_rate == "adaptive" and event == "plateau":
            if learner.learning_rate / labels <= _SMALLEST_RATE:
                return False
            learner.learning_rate = learner.learning_rate / 5
            return True
        return False


@documented
@dataclass(eq=False, repr=False)
class MLPClassifier(Classifier, _Perceptron):
    """Multi-layer perceptron classifier, scikit-learn's with the speed of gyaku.

    Notes
    -----
    With the same `random_state`, the initial weights are those of scikit-learn's `MLPClassifier`;
    the orders of the samples differ. The penalty of a smaller last batch is that of a whole one.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from gyaku.sklearn import MLPClassifier
    >>> x, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier((20,), max_iter=1000, learning_rate_init=0.01, random_state=0)
    >>> network.fit(x, y).score(x, y) > 0.95
    True
    """


@dataclass(eq=False, repr=False)
class _Loss:
    """The first argument of a regressor.

    Parameters
    ----------
    loss : {"squared_error", "poisson"}
        Loss to minimise: half the squared error, or half the Poisson deviance of counts, whose mean
        is the exponential of the network's output.
    """

    constraints: ClassVar[dict[str, Any]] = {"loss": [StrOptions({"squared_error", "poisson"})]}
    loss: str = "squared_error"


@documented
@dataclass(eq=False, repr=False)
class MLPRegressor(Regressor, _Perceptron, _Loss):
    """Multi-layer perceptron regressor, scikit-learn's with the speed of gyaku.

    Attributes
    ----------
    out_activation_ : str
        "exp" with the Poisson loss, otherwise "identity".

    Notes
    -----
    With the same `random_state`, the initial weights are those of scikit-learn's `MLPRegressor`;
    the orders of the samples differ. The penalty of a smaller last batch is that of a whole one.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku.sklearn import MLPRegressor
    >>> x = np.linspace(-1, 1, 50)[:, np.newaxis]
    >>> network = MLPRegressor(hidden_layer_sizes=20, solver="lbfgs", max_iter=300, random_state=0)
    >>> network.fit(x, np.sin(3 * x[:, 0])).score(x, np.sin(3 * x[:, 0])) > 0.99
    True
    """

    @property
    def out_activation_(self) -> str:
        """Function from the network's outputs to the predictions."""
        return "exp" if self.loss == "poisson" else "identity"

    @property
    def loss_function(self) -> Any:
        """Loss of the network."""
        return _poisson if self.loss == "poisson" else super().loss_function

    @property
    def loss_factor(self) -> float:
        """Loss of scikit-learn divided by that of the network; the Poisson loss is a sum."""
        return 1.0 if self.loss == "poisson" else super().loss_factor

    def _numbers(self, outputs: Array) -> Array:
        return np.exp(outputs) if self.loss == "poisson" else outputs


def _poisson(
    outputs: Array, targets: Array, sample_weight: Array | None = None
) -> tuple[float, Array]:
    """Return half the Poisson deviance and its gradient, for outputs that are logarithms."""
    from scipy.special import xlogy

    rates = np.exp(outputs)
    weights = np.ones(len(outputs)) if sample_weight is None else sample_weight
    weights = (weights / weights.sum()).astype(outputs.dtype)[:, np.newaxis]
    deviance = xlogy(targets, targets / rates) - targets + rates
    return float((weights * deviance).sum()), weights * (rates - targets)
