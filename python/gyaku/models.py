"""Models by name, each with the settings that train it well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.arguments import whole
from gyaku.layers import Dense, Dropout, Flatten
from gyaku.model import Sequential
from gyaku.optim import Adam
from gyaku.schedules import OneCycle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gyaku.layers import Layer
    from gyaku.optim import Optimizer

__all__ = ["MODELS", "Recipe", "linear", "mlp"]


def linear(*, classes: int = 10) -> Sequential:
    """Return one dense layer: with softmax cross-entropy, multinomial logistic regression.

    Parameters
    ----------
    classes : int, default 10
        The number of classes.

    Returns
    -------
    Sequential
        The model, which is built for the shape of the data that it first sees.

    Examples
    --------
    >>> model = linear()
    >>> _ = model.build((8, 8, 1))
    >>> [array.shape for array in model.params.values()]
    [(64, 10), (10,)]
    """
    return Sequential(Flatten(), Dense(classes), name="linear")


def mlp(
    hidden: Sequence[int] = (256,),
    *,
    classes: int = 10,
    activation: str = "relu",
    dropout: float = 0.0,
) -> Sequential:
    """Return a multi-layer perceptron.

    Parameters
    ----------
    hidden : sequence of int, default (256,)
        The number of units in each hidden layer.
    classes : int, default 10
        The number of classes.
    activation : str, default "relu"
        What follows each hidden layer.
    dropout : float, default 0.0
        The share of each hidden layer's outputs that is dropped in training.

    Returns
    -------
    Sequential
        The model, which is built for the shape of the data that it first sees.

    Raises
    ------
    ValueError
        If there is no such activation, or a number is out of range.

    Examples
    --------
    >>> model = mlp([100], activation="sigmoid")
    >>> _ = model.build((28, 28, 1))
    >>> [array.shape for array in model.params.values()]
    [(784, 100), (100,), (100, 10), (10,)]
    """
    stack: list[Layer] = [Flatten()]
    for units in hidden:
        stack.append(Dense(units, activation))
        if dropout:
            stack.append(Dropout(dropout))
    return Sequential(*stack, Dense(classes), name="mlp")


class Recipe:
    """A model and the settings that train it well.

    Parameters
    ----------
    build : callable
        Makes the model, for example `mlp`.
    learning_rate : float
        The highest learning rate of Adam's cycle.
    batch_size : int
        The samples of a step.
    steps : int
        About how many steps are enough.

    Examples
    --------
    >>> MODELS["mlp"].epochs(60000)
    5
    """

    __slots__ = ("batch_size", "build", "learning_rate", "steps")

    def __init__(
        self,
        build: Callable[..., Sequential],
        *,
        learning_rate: float,
        batch_size: int,
        steps: int,
    ) -> None:
        self.build = build
        self.learning_rate = learning_rate
        self.batch_size = whole("Recipe", "batch_size", batch_size)
        self.steps = whole("Recipe", "steps", steps)

    def epochs(self, samples: int) -> int:
        """Return how often to go through a data set.

        Parameters
        ----------
        samples : int
            Its size.

        Returns
        -------
        int
            The number of epochs, from 5 to 50.
        """
        return min(50, max(5, round(self.steps / math.ceil(samples / self.batch_size))))

    def optimizer(self) -> Optimizer:
        """Return a new optimizer with this recipe's schedule.

        Returns
        -------
        Optimizer
            Adam with a learning rate that rises and falls once.
        """
        return Adam(OneCycle(self.learning_rate))


MODELS: dict[str, Recipe] = {
    "linear": Recipe(linear, learning_rate=0.01, batch_size=128, steps=2000),
    "mlp": Recipe(mlp, learning_rate=0.004, batch_size=128, steps=2000),
}
"""The models that have a name at the command line."""
