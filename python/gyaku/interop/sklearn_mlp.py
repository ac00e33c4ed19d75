"""Multi-layer perceptrons of scikit-learn, as models and from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.layers import Activation, Dense, Dropout
from gyaku.model import Model, Sequential

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

__all__ = ["from_sklearn", "to_sklearn"]

_NAMES = {"identity": None, "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_THEIRS = {own or "": name for name, own in _NAMES.items()}


def from_sklearn(estimator: Any) -> Sequential:
    """Return a model with the layers and weights of a multi-layer perceptron.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        A fitted estimator of scikit-learn, or of `gyaku.sklearn`.

    Returns
    -------
    Sequential
        A model in the dtype of the weights. It ends before softmax, sigmoid or exponential, as the
        losses want it: outputs are scores, and for a regressor the predictions, or with a Poisson
        loss their logarithms.

    Raises
    ------
    TypeError
        If the estimator is another one.
    ValueError
        If it is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import gyaku as gk
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> x, y = load_iris(return_X_y=True)
    >>> theirs = MLPClassifier(20, learning_rate_init=0.02, tol=0.01, random_state=0).fit(x, y)
    >>> model = gk.interop.from_sklearn(theirs)
    >>> np.array_equal(model.predict(x).argmax(axis=1), theirs.predict(x))
    True
    """
    kind = type(estimator).__name__
    if not hasattr(estimator, "hidden_layer_sizes") or not hasattr(estimator, "activation"):
        hint = "; give its last step" if hasattr(estimator, "named_steps") else ""
        raise TypeError(
            f"from_sklearn: estimator must be an MLPClassifier or MLPRegressor, got {kind}{hint}"
        )
    try:
        weights, biases = estimator.coefs_, estimator.intercepts_
    except AttributeError:
        raise ValueError(f"from_sklearn: this {kind} is not fitted; call its fit first") from None
    *hidden, outputs = (weight.shape[1] for weight in weights)
    layers = [Dense(units, _NAMES[estimator.activation]) for units in hidden]
    model = Sequential(*layers, Dense(outputs), dtype=weights[0].dtype)
    model.build((weights[0].shape[0],))
    for layer, weight, bias in zip(model.layers, weights, biases, strict=True):
        layer.params["weight"][...], layer.params["bias"][...] = weight, bias
    return model


def to_sklearn(model: Any, classes: ArrayLike | None = None, *, multilabel: bool = False) -> Any:
    """Return a fitted multi-layer perceptron of scikit-learn with the weights of a model.

    Parameters
    ----------
    model : Model or estimator
        A chain of `Dense` layers with one activation for all hidden layers, built; or a fitted
        estimator of `gyaku.sklearn` with such a network, whose classes are taken, and the arguments
        of an `MLPClassifier` or `MLPRegressor`.
    classes : array_like, optional
        Labels of the outputs, sorted, for a classifier; by default their numbers if the model ends
        with softmax or sigmoid. For two classes the model may have one output or two.
    multilabel : bool
        Whether a sample has any number of labels, one for each output.

    Returns
    -------
    sklearn.neural_network.MLPClassifier or MLPRegressor
        The estimator, which predicts and trains on; a regressor without classes.

    Raises
    ------
    TypeError
        If `model` is neither.
    ValueError
        If the model is not built, has other layers, or other outputs than classes.
    ImportError
        If scikit-learn is not installed.

    Examples
    --------
    >>> import gyaku as gk
    >>> (x, y), (x_test, y_test) = gk.data.digits()
    >>> rows, test_rows = x.reshape(-1, 64) / 255, x_test.reshape(-1, 64) / 255
    >>> model = gk.Sequential(gk.Dense(50, "relu"), gk.Dense(10))
    >>> history = model.fit(rows, y, loss="softmax_cross_entropy", epochs=20, verbose=0)
    >>> theirs = gk.interop.to_sklearn(model, classes=range(10))
    >>> theirs.score(test_rows, y_test) > 0.9
    True
    """
    options: dict[str, Any] = {}
    network = getattr(model, "model_", model)
    if network is not model:
        classes = getattr(model, "classes_", None)
        multilabel = str(getattr(model, "_kind", "")).startswith("multilabel")
        if hasattr(model, "solver"):  # an MLPClassifier or MLPRegressor
            options = model.get_params()
            options.pop("class_weight", None)
    parts = _parts(network)
    if classes is None and not multilabel and parts.end not in ("softmax", "sigmoid"):
        return _regressor(parts, options)
    return _classifier(parts, classes, multilabel, options)


class _Parts(NamedTuple):
    """Weights, biases and activations of a chain of dense layers."""

    weights: list[Array]
    biases: list[Array]
    hidden: str
    end: str


def _parts(model: Any) -> _Parts:
    if not isinstance(model, Model):
        raise TypeError(f"to_sklearn: model must be a gyaku model or estimator, got {model!r}")
    if not model.built:
        raise ValueError("to_sklearn: the model is not built; call build or fit first")
    weights, biases, activations = [], [], []
    for place, use in enumerate(model.plan.applications):
        layer = use.layer
        if use.inputs != (place,) or not isinstance(layer, Dense | Activation | Dropout):
            raise ValueError(
                f"to_sklearn: {layer} has no counterpart in scikit-learn's perceptrons, which are"
                " chains of Dense layers"
            )
        if isinstance(layer, Dense):
            weights.append(layer.params["weight"].copy())
            bias = layer.params.get("bias")
            biases.append(np.zeros(layer.units, model.dtype) if bias is None else bias.copy())
            activations.append(layer.applied.op if layer.applied else "")
        elif isinstance(layer, Activation):
            if not activations or activations[-1]:
                raise ValueError(
                    f"to_sklearn: {layer} must follow a Dense layer without activation"
                )
            activations[-1] = layer.op
    *hidden, end = activations
    if len({*hidden}) > 1 or not {*hidden} <= _THEIRS.keys():
        raise ValueError(
            f"to_sklearn: the hidden layers have the activations {', '.join(map(repr, hidden))};"
            " scikit-learn has one for all: identity, sigmoid, tanh or relu"
        )
    return _Parts(weights, biases, _THEIRS[hidden[0]] if hidden else "identity", end)


def _regressor(parts: _Parts, options: dict[str, Any]) -> Any:
    if parts.end not in ("", "identity"):
        raise ValueError(
            f"to_sklearn: the outputs have the activation {parts.end!r}, those of an MLPRegressor"
            " none; give classes for a classifier"
        )
    outputs = len(parts.biases[-1])
    return _begun("MLPRegressor", parts, options, np.zeros((1, outputs) if outputs > 1 else 1))


def _classifier(parts: _Parts, classes: Any, multilabel: bool, options: dict[str, Any]) -> Any:
    outputs = len(parts.biases[-1])
    multilabel = multilabel or (classes is None and parts.end == "sigmoid" and outputs > 1)
    wanted = {"", "sigmoid"} if multilabel or outputs == 1 else {"", "softmax"}
    if parts.end not in wanted:
        raise ValueError(
            f"to_sklearn: the outputs have the activation {parts.end!r}; scikit-learn has"
            " softmax for several classes, and sigmoid for two or for several labels"
        )
    labels = np.arange(max(outputs, 2)) if classes is None else np.asarray(classes)
    if len(labels) != outputs and not (outputs == 1 and len(labels) == 2):
        raise ValueError(f"to_sklearn: there are {len(labels)} classes and {outputs} outputs")
    if np.any(labels[1:] <= labels[:-1]):
        raise ValueError(f"to_sklearn: classes must be sorted and different, got {labels}")
    if multilabel:
        return _begun("MLPClassifier", parts, options, np.zeros((1, outputs), int), classes=labels)
    if outputs == 2:  # softmax of two outputs is the sigmoid of their difference
        difference = np.array([[-1.0], [1.0]], parts.weights[0].dtype)
        parts.weights[-1], parts.biases[-1] = (
            each[-1] @ difference for each in (parts.weights, parts.biases)
        )
    return _begun("MLPClassifier", parts, options, labels[:1], classes=labels)


def _begun(kind: str, parts: _Parts, options: dict[str, Any], y: Array, **classes: Array) -> Any:
    """Return an estimator that one step of scikit-learn made whole, with the weights of a model."""
    try:
        from sklearn import neural_network
    except ImportError:
        raise ImportError(
            "to_sklearn needs scikit-learn 1.6 or later: pip install 'gyaku[sklearn]'"
        ) from None
    sizes = tuple(len(bias) for bias in parts.biases[:-1])
    estimator = getattr(neural_network, kind)(hidden_layer_sizes=sizes, activation=parts.hidden)
    if options.get("loss", "squared_error") == "squared_error":
        options.pop("loss", None)  # the only one before scikit-learn 1.7
    else:
        estimator.set_params(loss=options["loss"])
    x = np.zeros((1, len(parts.weights[0])), parts.weights[0].dtype)
    estimator.partial_fit(x, y, **classes)
    estimator.coefs_, estimator.intercepts_ = parts.weights, parts.biases
    del estimator._optimizer
    estimator.n_iter_ = estimator.t_ = estimator._no_improvement_count = 0
    estimator.loss_curve_, estimator.best_loss_ = [], np.inf
    return estimator.set_params(**options)
