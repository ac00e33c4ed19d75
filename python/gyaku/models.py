"""Models by name, each with a recipe: settings for its training.

Their inputs are images of bytes, 0 to 255, which the first layer rescales to 0 to 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.checks import whole
from gyaku.layers import (
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    MaxPool2D,
    ReLU,
    Rescaling,
)
from gyaku.model import Residual, Sequential
from gyaku.names import missing_from
from gyaku.optim import Adam
from gyaku.schedules import OneCycle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gyaku.layers import Layer
    from gyaku.optim import Optimizer
    from gyaku.schedules import Schedule
    from gyaku.symbolic import Block

__all__ = ["MODELS", "Recipe", "deep_convnet", "fast", "lenet", "linear", "mlp", "resnet"]
__all__ += ["simple_convnet"]

if not TYPE_CHECKING:  # to those that read, any other name is a mistake
    __getattr__ = missing_from(__name__)


def linear(*, classes: int = 10) -> Sequential:
    """Return one dense layer: with softmax cross-entropy, multinomial logistic regression.

    Parameters
    ----------
    classes : int, default 10
        The number of classes.

    Returns
    -------
    Sequential
        The model, not built: `fit` builds it for the shape of its data.

    Examples
    --------
    >>> model = linear()
    >>> _ = model.build((8, 8, 1))
    >>> [array.shape for array in model.params.values()]
    [(64, 10), (10,)]
    """
    return Sequential(_from_bytes(), Flatten(), Dense(classes), name="linear")


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
        The activation of the hidden layers.
    dropout : float, default 0.0
        Fraction of each hidden layer's outputs to drop in training.

    Returns
    -------
    Sequential
        The model, not built: `fit` builds it for the shape of its data.

    Raises
    ------
    ValueError
        If the activation is unknown, or a number is out of range.

    Examples
    --------
    >>> model = mlp([100], activation="sigmoid")
    >>> _ = model.build((28, 28, 1))
    >>> [array.shape for array in model.params.values()]
    [(784, 100), (100,), (100, 10), (10,)]
    """
    stack: list[Layer] = [_from_bytes(), Flatten()]
    for units in hidden:
        stack.append(Dense(units, activation))
        if dropout:
            stack.append(Dropout(dropout))
    return Sequential(*stack, Dense(classes), name="mlp")


def lenet(*, classes: int = 10, padding: str = "valid") -> Sequential:
    """Return LeNet: convolutions of 20 and 50 filters, and a dense layer of 500 units.

    Parameters
    ----------
    classes : int, default 10
        The number of classes.
    padding : {"valid", "same"}
        Padding of the convolutions; "same" for small images.

    Returns
    -------
    Sequential
        The model, not built: `fit` builds it for the shape of its data.

    Notes
    -----
    After Y. LeCun and others, Gradient-based learning applied to document recognition (1998), with
    ReLU and max-pooling, as is usual today.

    Examples
    --------
    >>> model = lenet()
    >>> model.build((28, 28, 1))
    >>> model.params["dense.weight"].shape
    (800, 500)
    """
    return Sequential(
        _from_bytes(),
        *(Conv2D(20, 5, padding=padding, activation="relu"), MaxPool2D(2)),
        *(Conv2D(50, 5, padding=padding, activation="relu"), MaxPool2D(2)),
        *(Flatten(), Dense(500, "relu"), Dense(classes)),
        name="lenet",
    )


def simple_convnet(*, classes: int = 10) -> Sequential:
    """Return one convolution of 30 filters and a dense layer of 100 units.

    Parameters
    ----------
    classes : int, default 10
        The number of classes.

    Returns
    -------
    Sequential
        The model, not built: `fit` builds it for the shape of its data.

    Notes
    -----
    The first convolutional network of K. Saitoh, Deep Learning from Scratch (2016), chapter 7.

    Examples
    --------
    >>> model = simple_convnet()
    >>> model.build((28, 28, 1))
    >>> model.params["conv2d.weight"].shape
    (5, 5, 1, 30)
    """
    return Sequential(
        _from_bytes(),
        *(Conv2D(30, 5, activation="relu"), MaxPool2D(2)),
        *(Flatten(), Dense(100, "relu"), Dense(classes)),
        name="simple_convnet",
    )


def deep_convnet(*, classes: int = 10) -> Sequential:
    """Return six convolutions of 16 to 64 filters in three stages, with dropout at the end.

    Parameters
    ----------
    classes : int, default 10
        The number of classes.

    Returns
    -------
    Sequential
        The model, not built: `fit` builds it for the shape of its data.

    Notes
    -----
    The deep network of K. Saitoh, Deep Learning from Scratch (2016), chapter 8.

    Examples
    --------
    >>> model = deep_convnet()
    >>> model.build((28, 28, 1))
    >>> model.params["dense.weight"].shape
    (1024, 50)
    """
    stack: list[Layer] = [_from_bytes()]
    for filters, padding in ((16, 1), (32, 2), (64, 1)):
        stack += [
            Conv2D(filters, 3, padding=1, activation="relu"),
            Conv2D(filters, 3, padding=padding, activation="relu"),
            MaxPool2D(2),
        ]
    stack += [Flatten(), Dense(50, "relu"), Dropout(0.5), Dense(classes), Dropout(0.5)]
    return Sequential(*stack, name="deep_convnet")


def fast(*, classes: int = 10, padding: str = "valid") -> Sequential:
    """Return a small convolutional network for MNIST in one epoch.

    Parameters
    ----------
    classes : int, default 10
        The number of classes.
    padding : {"valid", "same"}
        Padding of the convolutions; "same" for small images.

    Returns
    -------
    Sequential
        The model, not built: `fit` builds it for the shape of its data.

    Notes
    -----
    Convolutions of 24 filters of 5 x 5 and of 32 of 3 x 3, and a dense layer of 256 units. Its
    recipe is Adam with small betas (0.7 and 0.9) and one cycle of the rate, up to 0.01.

    Examples
    --------
    >>> model = fast()
    >>> model.build((28, 28, 1))
    >>> model.params["dense.weight"].shape
    (800, 256)
    """
    # ReLU commutes with max-pooling; in front of it, it is fused with the convolution, and its
    # gradient has the fewer elements of the pooling.
    return Sequential(
        _from_bytes(),
        *(Conv2D(24, 5, padding=padding, activation="relu"), MaxPool2D(2)),
        *(Conv2D(32, 3, padding=padding, activation="relu"), MaxPool2D(2)),
        *(Flatten(), Dense(256, "relu"), Dense(classes)),
        name="fast",
    )


def resnet(depth: int = 8, width: int = 16, *, classes: int = 10) -> Sequential:
    """Return a residual network for small images.

    Parameters
    ----------
    depth : int, default 8
        Number of layers with weights, 6 n + 2 for n blocks in each of three stages.
    width : int, default 16
        Channels of the first stage; twice as many in the second, four times in the third.
    classes : int, default 10
        The number of classes.

    Returns
    -------
    Sequential
        The model, not built: `fit` builds it for the shape of its data.

    Raises
    ------
    ValueError
        If the depth is no 6 n + 2.

    Notes
    -----
    K. He and others, Deep residual learning for image recognition (2016), section 4.2, with a
    convolution of 1 x 1 as the shortcut of blocks that change the shape.

    Examples
    --------
    >>> model = resnet(14)
    >>> model.build((28, 28, 1))
    >>> sum(1 for name in model.params if name.endswith("weight"))
    16
    """
    depth = whole("resnet", "depth", depth)
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"resnet: depth must be 6 n + 2, such as 8, 14 or 20, got {depth}")
    width = whole("resnet", "width", width)
    stack: list[Block] = [_from_bytes(), *_normalised(width, 3), ReLU()]
    for stage in range(3):
        filters = width << stage
        for block in range(depth // 6):
            stride = 2 if stage and not block else 1
            shortcut = Sequential(*_normalised(filters, 1, stride)) if stride > 1 else None
            layers = [*_normalised(filters, 3, stride), ReLU(), *_normalised(filters, 3)]
            stack += [Residual(*layers, shortcut=shortcut), ReLU()]
    return Sequential(*stack, GlobalAvgPool2D(), Dense(classes), name="resnet")


def _from_bytes() -> Layer:
    return Rescaling(1 / 255)


def _normalised(filters: int, size: int, stride: int = 1) -> list[Layer]:
    padding = size // 2
    return [Conv2D(filters, size, stride=stride, padding=padding, use_bias=False), BatchNorm()]


class Recipe:
    """Recipe: a model and settings for its training.

    Parameters
    ----------
    build : callable
        Constructor of the model, for example `mlp`.
    learning_rate : float
        Highest learning rate of Adam's cycle.
    batch_size : int
        Samples per step.
    steps : int
        Approximate number of steps.
    betas : pair of float
        Adam's beta1 and beta2.
    least : int
        Smallest number of epochs.
    small : mapping of str to object
        Arguments of `build` for images of less than 16 pixels a side.

    Examples
    --------
    >>> MODELS["mlp"].epochs(60000), MODELS["fast"].epochs(60000)
    (5, 1)
    """

    __slots__ = ("batch_size", "betas", "build", "learning_rate", "least", "small", "steps")

    def __init__(
        self,
        build: Callable[..., Sequential],
        *,
        learning_rate: float,
        batch_size: int,
        steps: int,
        betas: tuple[float, float] = (0.9, 0.999),
        least: int = 5,
        small: Mapping[str, object] | None = None,
    ) -> None:
        self.build = build
        self.learning_rate = learning_rate
        self.batch_size = whole("Recipe", "batch_size", batch_size)
        self.steps = whole("Recipe", "steps", steps)
        self.betas = betas
        self.least = whole("Recipe", "least", least)
        self.small = small or {}

    def epochs(self, samples: int) -> int:
        """Return the number of epochs for a data set.

        Parameters
        ----------
        samples : int
            Number of samples.

        Returns
        -------
        int
            The number of epochs, at most 50.
        """
        epochs = round(self.steps / math.ceil(samples / self.batch_size))
        return min(50, max(self.least, epochs))

    def optimizer(self) -> Optimizer:
        """Return a new optimizer with this recipe's schedule.

        Returns
        -------
        Optimizer
            Adam with a one-cycle learning rate.
        """
        return self.adam(OneCycle(self.learning_rate))

    def adam(self, learning_rate: Schedule) -> Optimizer:
        """Return Adam with this recipe's betas.

        Parameters
        ----------
        learning_rate : Schedule
            The learning rate.

        Returns
        -------
        Optimizer
            The optimizer.
        """
        return Adam(learning_rate, beta1=self.betas[0], beta2=self.betas[1])


_SAME = {"padding": "same"}

MODELS: dict[str, Recipe] = {
    "linear": Recipe(linear, learning_rate=0.01, batch_size=128, steps=2000),
    "mlp": Recipe(mlp, learning_rate=0.004, batch_size=128, steps=2000),
    "lenet": Recipe(lenet, learning_rate=0.003, batch_size=128, steps=2000, small=_SAME),
    "simple_convnet": Recipe(simple_convnet, learning_rate=0.003, batch_size=128, steps=2000),
    "deep_convnet": Recipe(deep_convnet, learning_rate=0.003, batch_size=128, steps=2500),
    "fast": Recipe(
        *(fast,),
        learning_rate=0.01,
        batch_size=256,
        steps=235,
        betas=(0.7, 0.9),
        least=1,
        small=_SAME,
    ),
    "resnet": Recipe(resnet, learning_rate=0.01, batch_size=128, steps=2000),
}
"""The models by name, for the command line."""
