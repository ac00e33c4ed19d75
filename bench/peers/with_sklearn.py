"""scikit-learn's MLPClassifier, which has one activation for all hidden layers and no dropout."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from bench.workloads import Adam, Dense

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.data import Weights
    from bench.workloads import Workload

ACTIVATIONS = {"sigmoid": "logistic", "relu": "relu"}


class Sklearn:
    """A classifier that continues its last `fit`."""

    def __init__(
        self, workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights
    ) -> None:
        # It stops when an epoch improves too little, which is disabled here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        self.x, self.y = x, y
        hidden = [layer for layer in workload.layers if isinstance(layer, Dense)][:-1]
        how = workload.optimizer
        adam = {}
        if isinstance(how, Adam):
            adam = {"beta_1": how.beta1, "beta_2": how.beta2, "epsilon": how.epsilon}
        self.model = MLPClassifier(
            [layer.units for layer in hidden],
            activation=ACTIVATIONS[hidden[0].activation],
            solver="adam" if adam else "sgd",
            alpha=0.0,
            batch_size=workload.batch,
            learning_rate_init=how.learning_rate,
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
        _, first = np.unique(y, return_index=True)
        self.model.set_params(batch_size="auto").fit(x[first], y[first])
        self.model.set_params(batch_size=workload.batch)
        self.model.coefs_ = [weight.copy() for weight, _ in weights]
        self.model.intercepts_ = [bias.copy() for _, bias in weights]

    def train(self, epochs: int) -> None:
        """Train; see `Trainer`."""
        self.loss(epochs)

    def loss(self, epochs: int) -> float:
        """Train and return the loss; see `Trainer`."""
        self.model.set_params(max_iter=epochs).fit(self.x, self.y)
        return float(self.model.loss_)


def build(
    workload: Workload, x: NDArray[Any], y: NDArray[Any], weights: Weights, option: str
) -> Sklearn:
    """Return the classifier; there are no settings."""
    del option
    return Sklearn(workload, x, y, weights)
