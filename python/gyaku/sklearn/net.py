"""Networks of one's own as estimators of scikit-learn."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import _fit_context

from gyaku.layers import Dense
from gyaku.losses import loss as as_loss
from gyaku.model import Model, Sequential
from gyaku.optim import Optimizer
from gyaku.optim import optimizer as as_optimizer
from gyaku.sklearn.estimator import CONSTRAINTS, Estimator
from gyaku.sklearn.targets import Classifier, Regressor
from gyaku.sklearn.tasks import with_callbacks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["NetClassifier", "NetRegressor"]


class _Net(Estimator):
    """Network and optimizer that the user gives."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CONSTRAINTS,
        "model_fn": [callable, None],
        "optimizer": [str, Optimizer],
    }
    model_fn: Callable[[tuple[int, ...], int], Any] | None
    optimizer: str | Optimizer
    sample_axes = 2  # or more, or one

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


class NetClassifier(Classifier, _Net):
    """Classifier of any network: dense, convolutional or recurrent.

    Parameters
    ----------
    model_fn : callable, optional
        Function of the shape of a sample and the number of outputs, which returns a list of layers,
        or a model; the last layer has one unit an output and no activation. By default a hidden
        layer of 100 rectified units. Networks of lists compute in the dtype of the samples.
    optimizer : str or Optimizer
        Optimizer, by name or as an object, of which each training has a copy.
    batch_size : int or "auto"
        Samples per gradient step; "auto" is the smaller of 200 and the number of samples.
    max_iter : int
        Largest number of epochs.
    shuffle : bool
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None
        Source of the initial weights, of the order and of the validation data.
    tol : float
        Improvement of loss or score that counts.
    verbose : bool or int
        Whether to print a line an epoch.
    warm_start : bool
        Whether another `fit` begins with the weights of the last one.
    early_stopping : bool
        Whether to hold out a fraction of the samples, and to end when their score no longer
        improves, with the weights of the best epoch.
    validation_fraction : float
        Fraction of the samples to hold out.
    n_iter_no_change : int
        Number of epochs without improvement after which the training ends.
    class_weight : dict or "balanced", optional
        Weights of the classes, which multiply those of the samples in training; a list of dicts
        for several labels.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted.
    model_ : Model
        The network.
    loss_, best_loss_ : float
        Loss of the last epoch, and the least of all; the best is None with early stopping.
    loss_curve_ : list of float
        Loss of each epoch.
    validation_scores_, best_validation_score_ : list of float, float
        Score of the validation data behind each epoch, and the best; None without early stopping.
    n_iter_ : int
        Number of epochs of the last `fit`.
    n_outputs_ : int
        Number of outputs.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_Net._parameter_constraints,
        **Classifier.constraints,
    }

    def __init__(
        self,
        model_fn: Callable[[tuple[int, ...], int], Any] | None = None,
        *,
        optimizer: str | Optimizer = "adam",
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
        class_weight: Any = None,
    ) -> None:
        self.model_fn = model_fn
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetClassifier:
        """Train the network.

        Parameters
        ----------
        X : array_like of shape (samples, ...)
            The samples: rows of features, sequences or images.
        y : array_like of shape (samples,) or (samples, labels)
            Classes, or 0 and 1 for each label.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        NetClassifier
            The estimator itself.
        """
        self._fit(X, y, sample_weight)
        return self

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None
    ) -> NetClassifier:
        """Train the network for one more epoch.

        Parameters
        ----------
        X : array_like of shape (samples, ...)
            The samples.
        y : array_like of shape (samples,) or (samples, labels)
            Classes, or 0 and 1 for each label.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.
        classes : array_like, optional
            All classes that later calls may hold; needed in the first call only.

        Returns
        -------
        NetClassifier
            The estimator itself.
        """
        self._partial(X, y, sample_weight, classes)
        return self


class NetRegressor(Regressor, _Net):
    """Regressor of any network: dense, convolutional or recurrent.

    Parameters
    ----------
    model_fn : callable, optional
        Function of the shape of a sample and the number of outputs, which returns a list of layers,
        or a model; the last layer has one unit an output and no activation. By default a hidden
        layer of 100 rectified units. Networks of lists compute in the dtype of the samples.
    loss : str or Loss or callable
        Loss to minimise, as in `Model.fit`.
    optimizer : str or Optimizer
        Optimizer, by name or as an object, of which each training has a copy.
    batch_size : int or "auto"
        Samples per gradient step; "auto" is the smaller of 200 and the number of samples.
    max_iter : int
        Largest number of epochs.
    shuffle : bool
        Whether to shuffle the samples before each epoch.
    random_state : int, RandomState instance or None
        Source of the initial weights, of the order and of the validation data.
    tol : float
        Improvement of loss or score that counts.
    verbose : bool or int
        Whether to print a line an epoch.
    warm_start : bool
        Whether another `fit` begins with the weights of the last one.
    early_stopping : bool
        Whether to hold out a fraction of the samples, and to end when their score no longer
        improves, with the weights of the best epoch.
    validation_fraction : float
        Fraction of the samples to hold out.
    n_iter_no_change : int
        Number of epochs without improvement after which the training ends.

    Attributes
    ----------
    model_ : Model
        The network.
    loss_, best_loss_ : float
        Loss of the last epoch, and the least of all; the best is None with early stopping.
    loss_curve_ : list of float
        Loss of each epoch.
    validation_scores_, best_validation_score_ : list of float, float
        Score of the validation data behind each epoch, and the best; None without early stopping.
    n_iter_ : int
        Number of epochs of the last `fit`.
    n_outputs_ : int
        Number of outputs.

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

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_Net._parameter_constraints,
        "loss": "no_validation",
    }

    def __init__(
        self,
        model_fn: Callable[[tuple[int, ...], int], Any] | None = None,
        *,
        loss: Any = "sum_squared_error",
        optimizer: str | Optimizer = "adam",
        batch_size: int | str = "auto",
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: float = 10,
    ) -> None:
        self.model_fn = model_fn
        self.loss = loss
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change

    @property
    def loss_function(self) -> Any:
        """Loss of the network."""
        return as_loss(self.loss)

    @property
    def loss_factor(self) -> float:
        """Factor of the loss in `loss_curve_`."""
        return 1.0

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetRegressor:
        """Train the network.

        Parameters
        ----------
        X : array_like of shape (samples, ...)
            The samples: rows of features, sequences or images.
        y : array_like of shape (samples,) or (samples, outputs)
            The targets.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        NetRegressor
            The estimator itself.
        """
        self._fit(X, y, sample_weight)
        return self

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetRegressor:
        """Train the network for one more epoch.

        Parameters
        ----------
        X : array_like of shape (samples, ...)
            The samples.
        y : array_like of shape (samples,) or (samples, outputs)
            The targets.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        NetRegressor
            The estimator itself.
        """
        self._fit(X, y, sample_weight, goes_on=True)
        return self
