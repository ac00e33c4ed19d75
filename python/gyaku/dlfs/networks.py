"""Ready-made networks of the textbook."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.dlfs.gradient import numerical_gradient
from gyaku.dlfs.layers import (
    Affine,
    BatchNormalization,
    Convolution,
    Dropout,
    Pooling,
    Relu,
    Sigmoid,
    SoftmaxWithLoss,
)
from gyaku.dlfs.step import Steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from gyaku.dlfs.optimizer import Rule
    from gyaku.dlfs.step import Step

    Array = NDArray[Any]

__all__ = ["MultiLayerNet", "MultiLayerNetExtend", "SimpleConvNet", "TwoLayerNet"]


class Network:
    """Layers by name, whose parameters are in a dictionary.

    Attributes
    ----------
    params : dict of str to ndarray
        Parameters such as ``W1`` and ``b1``, shared with the layers.
    layers : dict of str to layer
        Layers in the order of the forward pass.
    last_layer : SoftmaxWithLoss
        The loss.
    """

    weight_decay_lambda = 0.0

    def __init__(self) -> None:
        self.params: dict[str, Array] = {}
        self.layers: dict[str, Any] = {}
        self.last_layer = SoftmaxWithLoss()
        self._steps = Steps()

    def _affine(self, index: int, inputs: int, outputs: int, std: float, dtype: DTypeLike) -> None:
        weights = std * np.random.randn(inputs, outputs)
        self.params[f"W{index}"] = weights.astype(dtype)
        self.params[f"b{index}"] = np.zeros(outputs, dtype)
        layer = Affine(self.params[f"W{index}"], self.params[f"b{index}"])
        self.layers[f"Affine{index}"] = layer

    def _pass(self, x: Array, train_flg: bool) -> Array:
        for layer in self.layers.values():
            two_ways = isinstance(layer, (Dropout, BatchNormalization))
            x = layer.forward(x, train_flg) if two_ways else layer.forward(x)
        return x

    def predict(self, x: Array, train_flg: bool = False) -> Array:
        """Return the scores, before the softmax.

        Parameters
        ----------
        x : ndarray
            Samples.
        train_flg : bool, default False
            Whether dropout and batch normalisation act as in training.

        Returns
        -------
        ndarray
            Scores, of shape (samples, classes).
        """
        return self._pass(x, train_flg)

    def loss(self, x: Array, t: Array, train_flg: bool = False) -> float:
        """Return the mean cross-entropy, with weight decay if there is any.

        Parameters
        ----------
        x : ndarray
            Samples.
        t : ndarray
            Labels, or rows with a one.
        train_flg : bool, default False
            Whether dropout and batch normalisation act as in training.

        Returns
        -------
        float
            The loss.
        """
        return self.last_layer.forward(self._pass(x, train_flg), t) + self.penalty

    @property
    def penalty(self) -> float:
        """The weight decay, ½ λ Σ W²."""
        decay = self.weight_decay_lambda
        weights = (layer.W for layer in self.layers.values() if decay and hasattr(layer, "W"))
        return sum(0.5 * decay * float(np.sum(w * w)) for w in weights)

    def accuracy(self, x: Array, t: Array, batch_size: int = 100) -> float:
        """Return the fraction of samples whose largest score is that of the label.

        Parameters
        ----------
        x : ndarray
            Samples.
        t : ndarray
            Labels, or rows with a one.
        batch_size : int, default 100
            Number of samples at a time.

        Returns
        -------
        float
            Between 0 and 1.
        """
        labels = t.argmax(axis=1) if t.ndim > 1 else t
        starts = range(0, len(x), batch_size)
        found = [self.predict(x[at : at + batch_size]).argmax(axis=1) for at in starts]
        return float(np.mean(np.concatenate(found) == labels))

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradients of the loss by back-propagation.

        Parameters
        ----------
        x : ndarray
            Samples.
        t : ndarray
            Labels, or rows with a one.

        Returns
        -------
        dict of str to ndarray
            A gradient for each parameter, under its name.
        """
        step = self.step(x)
        if step is not None:
            step.differentiate(x, t)
        else:
            self.loss(x, t, train_flg=True)
            dout = self.last_layer.backward(1)
            for layer in reversed(self.layers.values()):
                dout = layer.backward(dout)
        return {name: self._gradient_of(param) for name, param in self.params.items()}

    def step(self, x: Array, rows: int | None = None, rule: Rule | None = None) -> Step | None:
        """Return the program of a gradient step, or None where layers must run one by one.

        Parameters
        ----------
        x : ndarray
            A batch, or the data.
        rows : int or None, optional
            Number of samples of a batch of the data; None if `x` is a batch.
        rule : Rule or None, optional
            Optimizer that updates the parameters in the same program.

        Returns
        -------
        Step or None
            The step.
        """
        replaced = ("loss", "_pass") if rule is None else ("loss", "_pass", "gradient")
        own = all(getattr(type(self), name) is getattr(Network, name) for name in replaced)
        return self._steps.of(self, x, rows, rule) if own else None

    def _gradient_of(self, param: Array) -> Array:
        values = ("W", "b", "gamma", "beta")
        for layer in self.layers.values():
            for value in values:
                if getattr(layer, value, None) is param:
                    gradient: Array = getattr(layer, f"d{value}")
                    decay = self.weight_decay_lambda if value == "W" else 0
                    return gradient + decay * param if decay else gradient
        raise ValueError(
            f"{type(self).__name__}: an array in params was replaced; change it in place, as by"
            " params['W1'][...] = w, so that its layer sees the new values"
        )

    def numerical_gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradients of the loss by central differences, slow.

        Parameters
        ----------
        x : ndarray
            Samples.
        t : ndarray
            Labels, or rows with a one.

        Returns
        -------
        dict of str to ndarray
            A gradient for each parameter, under its name.
        """

        def loss(_: Array) -> float:
            return self.loss(x, t, train_flg=True)

        return {name: numerical_gradient(loss, param) for name, param in self.params.items()}


class TwoLayerNet(Network):
    """Affine, ReLU, affine, softmax.

    Parameters
    ----------
    input_size : int
        Number of inputs.
    hidden_size : int
        Number of hidden units.
    output_size : int
        Number of classes.
    weight_init_std : float, default 0.01
        Standard deviation of the initial weights, drawn from `numpy.random`.
    dtype : dtype, default float64
        Dtype of the parameters; float32 is faster.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        self._affine(1, input_size, hidden_size, weight_init_std, dtype)
        self.layers["Relu1"] = Relu()
        self._affine(2, hidden_size, output_size, weight_init_std, dtype)


class MultiLayerNet(Network):
    """Hidden layers of any number, and softmax.

    Parameters
    ----------
    input_size : int
        Number of inputs.
    hidden_size_list : sequence of int
        Number of units of each hidden layer.
    output_size : int
        Number of classes.
    activation : {"relu", "sigmoid"}, default "relu"
        Activation of the hidden layers.
    weight_init_std : float or {"relu", "he", "sigmoid", "xavier"}, default "relu"
        Standard deviation of the initial weights, √(2 / inputs) for the first two names,
        √(1 / inputs) for the others.
    weight_decay_lambda : float, default 0
        Factor λ of the weight decay ½ λ Σ W².
    dtype : dtype, default float64
        Dtype of the parameters; float32 is faster.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: float | str = "relu",
        weight_decay_lambda: float = 0,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        self.weight_decay_lambda = weight_decay_lambda
        sizes = [input_size, *hidden_size_list, output_size]
        for index, (inputs, outputs) in enumerate(pairwise(sizes), 1):
            self._affine(index, inputs, outputs, _deviation(weight_init_std, inputs), dtype)
            if index <= len(hidden_size_list):
                self._hidden(index, outputs, activation, dtype)

    def _hidden(self, index: int, units: int, activation: str, dtype: DTypeLike) -> None:
        self.layers[f"Activation_function{index}"] = _activation(activation)


class MultiLayerNetExtend(MultiLayerNet):
    """Hidden layers with batch normalisation and dropout, and softmax.

    Parameters
    ----------
    input_size : int
        Number of inputs.
    hidden_size_list : sequence of int
        Number of units of each hidden layer.
    output_size : int
        Number of classes.
    activation : {"relu", "sigmoid"}, default "relu"
        Activation of the hidden layers.
    weight_init_std : float or {"relu", "he", "sigmoid", "xavier"}, default "relu"
        Standard deviation of the initial weights, as of `MultiLayerNet`.
    weight_decay_lambda : float, default 0
        Factor λ of the weight decay ½ λ Σ W².
    use_dropout : bool, default False
        Whether dropout follows each hidden layer.
    dropout_ration : float, default 0.5
        Probability that a unit is switched off, under the textbook's name.
    use_batchnorm : bool, default False
        Whether batch normalisation precedes each activation.
    dtype : dtype, default float64
        Dtype of the parameters; float32 is faster.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: float | str = "relu",
        weight_decay_lambda: float = 0,
        use_dropout: bool = False,
        dropout_ration: float = 0.5,
        use_batchnorm: bool = False,
        dtype: DTypeLike = np.float64,
    ) -> None:
        self.dropout_ratio = dropout_ration if use_dropout else None
        self.use_batchnorm = use_batchnorm
        sizes = (input_size, hidden_size_list, output_size)
        super().__init__(*sizes, activation, weight_init_std, weight_decay_lambda, dtype)

    def _hidden(self, index: int, units: int, activation: str, dtype: DTypeLike) -> None:
        if self.use_batchnorm:
            gamma = self.params[f"gamma{index}"] = np.ones(units, dtype)
            beta = self.params[f"beta{index}"] = np.zeros(units, dtype)
            self.layers[f"BatchNorm{index}"] = BatchNormalization(gamma, beta)
        super()._hidden(index, units, activation, dtype)
        if self.dropout_ratio is not None:
            self.layers[f"Dropout{index}"] = Dropout(self.dropout_ratio)


class SimpleConvNet(Network):
    """Convolution, ReLU, 2 × 2 max pooling, affine, ReLU, affine, softmax.

    Parameters
    ----------
    input_dim : tuple of int, default (1, 28, 28)
        Channels, height and width of an image.
    conv_param : mapping or None, optional
        ``filter_num``, ``filter_size``, ``pad`` and ``stride``; None is 30, 5, 0 and 1.
    hidden_size : int, default 100
        Number of hidden units.
    output_size : int, default 10
        Number of classes.
    weight_init_std : float, default 0.01
        Standard deviation of the initial weights, drawn from `numpy.random`.
    dtype : dtype, default float64
        Dtype of the parameters; float32 is faster.
    """

    def __init__(
        self,
        input_dim: tuple[int, int, int] = (1, 28, 28),
        conv_param: Mapping[str, int] | None = None,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: float = 0.01,
        dtype: DTypeLike = np.float64,
    ) -> None:
        super().__init__()
        given = {"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1} | dict(conv_param or {})
        filters, size = given["filter_num"], given["filter_size"]
        stride, pad = given["stride"], given["pad"]
        shape = (filters, input_dim[0], size, size)
        self.params["W1"] = (weight_init_std * np.random.randn(*shape)).astype(dtype)
        self.params["b1"] = np.zeros(filters, dtype)
        self.layers["Conv1"] = Convolution(self.params["W1"], self.params["b1"], stride, pad)
        self.layers["Relu1"] = Relu()
        self.layers["Pool1"] = Pooling(pool_h=2, pool_w=2, stride=2)
        rows, columns = (((side - size + 2 * pad) // stride + 1) // 2 for side in input_dim[1:])
        self._affine(2, filters * rows * columns, hidden_size, weight_init_std, dtype)
        self.layers["Relu2"] = Relu()
        self._affine(3, hidden_size, output_size, weight_init_std, dtype)


def _deviation(std: float | str, inputs: int) -> float:
    if not isinstance(std, str):
        return std
    names = {"relu": 2, "he": 2, "sigmoid": 1, "xavier": 1}
    if std.lower() not in names:
        raise ValueError(f"weight_init_std must be a number or one of {[*names]}, got {std!r}")
    return float(np.sqrt(names[std.lower()] / inputs))


def _activation(name: str) -> Any:
    layers = {"relu": Relu, "sigmoid": Sigmoid}
    if name.lower() not in layers:
        raise ValueError(f"activation must be one of {[*layers]}, got {name!r}")
    return layers[name.lower()]()
