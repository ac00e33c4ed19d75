"""scikit-learn's MLPClassifier and MLPRegressor: one hidden activation, no dropout."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.workloads import Adam, Dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

ACTIVATIONS = {"sigmoid": "logistic", "relu": "relu", "identity": "identity"}


class Sklearn:
    """A classifier or regressor that continues its last `fit`."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights
    ) -> None:
        # It stops when an epoch improves too little, which is disabled here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.x, self.y = x, y.ravel() if y.shape[1:] == (1,) else y
        hidden = [layer for layer in workload.layers if isinstance(layer, Dense)][:-1]
        how = workload.optimizer
        adam, rate = {}, how.learning_rate
        # Its squared error is half of the mean, with a gradient summed over the outputs.
        self.scale = 2.0 if workload.squared else 1.0
        if isinstance(how, Adam):
            adam = {"beta_1": how.beta1, "beta_2": how.beta2, "epsilon": how.epsilon}
        elif workload.squared:
            rate *= self.scale / workload.weighted[-1][0][1]
        self.model = (MLPRegressor if workload.squared else MLPClassifier)(
            hidden_layer_sizes=[layer.units for layer in hidden],
            activation=ACTIVATIONS[hidden[0].activation],
            solver="adam" if adam else "sgd",
            alpha=0.0,
            batch_size=workload.batch,
            learning_rate_init=rate,
            momentum=0.0,
            nesterovs_momentum=False,
            tol=0.0,
            n_iter_no_change=10**9,
            warm_start=True,
            max_iter=1,
            random_state=0,
            **adam,
        )
        # One step on a few samples creates the arrays, which then get the common initial weights.
        _, first = np.unique(self.y[:1] if workload.squared else self.y, return_index=True)
        self.model.set_params(batch_size="auto").fit(x[first], self.y[first])
        self.model.set_params(batch_size=min(workload.batch, len(x)))
        self.model.coefs_ = [weight.copy() for weight, _ in weights]
        self.model.intercepts_ = [bias.copy() for _, bias in weights]

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.loss(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        self.model.set_params(max_iter=epochs).fit(self.x, self.y)
        return self.scale * float(self.model.loss_)


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Sklearn:
    """Return the model; there are no settings."""
    del option
    return Sklearn(workload, x, y, weights)
