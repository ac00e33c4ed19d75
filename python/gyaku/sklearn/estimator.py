"""Base of the estimators: data in, a network trained, predictions out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from gyaku.sklearn.convergence import Convergence
from gyaku.sklearn.inputs import Inputs, native
from gyaku.sklearn.tasks import CallbackSupportMixin, Tasks, with_callbacks
from gyaku.train import NonFiniteError

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    from gyaku.model import Model
    from gyaku.optim import Optimizer

    Array = NDArray[Any]

__all__ = ["WHOLE", "Estimator", "is_stochastic"]

WHOLE = Interval(Integral, 1, None, closed="left")
"""The whole numbers from 1, a valid value of arguments."""


def is_stochastic(estimator: Any) -> bool:
    """Raise if the solver of an estimator does not train on batches.

    Parameters
    ----------
    estimator : Estimator
        The estimator.

    Returns
    -------
    bool
        True.
    """
    if not estimator.solver_is_stochastic:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. lbfgs is not stochastic."
        )
    return True


@dataclass(eq=False, repr=False, kw_only=True)
class Estimator(CallbackSupportMixin, BaseEstimator):
    """Base of the estimators, with the arguments of a training.

    An estimator's fields are its parameters, and without `init` what `fit` finds.

    Parameters
    ----------
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
    n_iter_, t_ : int
        Number of epochs of the last `fit`, and of samples seen.
    n_outputs_ : int
        Number of outputs.
    """

    constraints: ClassVar[dict[str, Any]] = {
        "batch_size": [StrOptions({"auto"}), WHOLE],
        "max_iter": [WHOLE],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [WHOLE, Options(Real, {np.inf})],
    }
    """Valid values of the arguments, in scikit-learn's form; subclasses add theirs."""
    sample_axes: ClassVar[int] = 1
    """Number of axes of a sample."""
    numeric_targets: ClassVar[bool] = False
    """Whether targets are numbers, and not classes."""

    batch_size: int | str = "auto"
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: float = 10
    model_: Model = field(init=False)
    loss_: float = field(init=False)
    loss_curve_: list[float] = field(init=False)
    n_iter_: int = field(init=False)
    n_outputs_: int = field(init=False)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._parameter_constraints = {}
        for base in reversed(cls.__mro__):
            cls._parameter_constraints |= vars(base).get("constraints", {})

    @property
    def solver_is_stochastic(self) -> bool:
        """Whether the solver trains on batches."""
        return True

    def _dtype(self, x: Array) -> Any:
        """Return the dtype in which the network computes."""
        return x.dtype

    # Each kind of estimator has these.
    def _targets(self, x: Array, y: Any, *, first: bool, goes_on: bool) -> Array:
        """Return targets of the network, in the dtype of the samples, and learn the classes."""
        raise NotImplementedError

    def _network(self, x: Array, random: Any) -> Model:
        """Return a network with its initial weights."""
        raise NotImplementedError

    def _optimizer(self, batch_size: int, mean_weight: float) -> Optimizer:
        """Return the optimizer of a new training."""
        raise NotImplementedError

    def _score(self, outputs: Array, targets: Array, weights: Array | None) -> float:
        """Return the score of outputs, for early stopping."""
        raise NotImplementedError

    def _training_weights(self, y: Array, weights: Array | None) -> Array | None:
        """Return the weights of the samples to train on."""
        return weights

    @property
    def loss_function(self) -> Any:
        """Loss of the network."""
        raise NotImplementedError

    @property
    def loss_factor(self) -> float:
        """Loss of scikit-learn divided by that of the network."""
        return 1.0

    def _penalty(self) -> float:
        """Return the penalty at the present weights, of scikit-learn's loss."""
        return 0.0

    def _rates(self, event: str) -> bool:
        """Change the learning rate; return whether the training goes on at a plateau."""
        return False

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples; sparse ones are made dense.
        y : array_like of shape (samples,), (samples, labels) or (samples, outputs)
            Classes, or 0 and 1 for each label; for a regressor the targets.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        Estimator
            The estimator itself.
        """
        return self._fit(X, y, sample_weight)

    @available_if(is_stochastic)
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train the network for one more epoch.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples.
        y : array_like of shape (samples,) or (samples, outputs)
            The targets.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        Estimator
            The estimator itself.
        """
        return self._fit(X, y, sample_weight, goes_on=True)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, goes_on: bool = False) -> Self:
        first = not hasattr(self, "model_") or not (self.warm_start or goes_on)
        x, y = self._inputs(X, reset=first, **self._target_rules(y))
        x = x.dense()
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, x.array)
        if weights is not None and not np.any(weights):
            raise ValueError("sample_weight: all weights are zero, so that no sample is left")
        random = check_random_state(self.random_state)
        targets = self._targets(x.array, y, first=first, goes_on=goes_on)
        weights = self._training_weights(y, weights)
        if first:
            self.model_ = self._network(x.array, random)
            self._begin_record()
        tasks = self._tasks(1 if goes_on else self.max_iter, X, y, weights)
        self._train(x, targets, weights, random, goes_on, tasks)
        return self

    def _tasks(self, epochs: int, x: Any, y: Array, weights: Array | None) -> list[Tasks]:
        """Return what tells scikit-learn's callbacks of the epochs, if there are any."""
        if not hasattr(self, "_init_callback_context"):
            return []
        root = self._init_callback_context(max_subtasks=epochs)
        told = hasattr(self, "_skl_callbacks")
        return [Tasks(self, root, x, y, weights)] if told else []

    def _begin_record(self) -> None:
        self.loss_curve_, self._no_improvement_count = [], 0
        self.n_iter_ = self.t_ = 0
        self.best_loss_ = None if self.early_stopping else np.inf
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_validation_score_ = -np.inf if self.early_stopping else None

    def _inputs(self, X: Any, *, reset: bool, **targets: Any) -> tuple[Inputs, Any]:
        """Return valid samples, and valid targets if there are any."""
        found = validate_data(self, native(X), reset=reset, **self._rules, **targets)
        x, y = found if targets else (found, None)
        return Inputs(x), y

    def _target_rules(self, y: Any) -> dict[str, Any]:
        """Return the targets, and what they may be."""
        return {"y": native(y), "multi_output": True, "y_numeric": self.numeric_targets}

    @property
    def _rules(self) -> dict[str, Any]:
        """What inputs may be."""
        return {"dtype": (np.float64, np.float32), "accept_sparse": ["csr", "csc"]}

    def _train(
        self,
        x: Inputs,
        targets: Array,
        weights: Array | None,
        random: Any,
        goes_on: bool,
        tasks: list[Tasks],
    ) -> None:
        score = None
        if self.early_stopping:
            if goes_on:
                raise ValueError("partial_fit does not support early_stopping=True")
            x, targets, weights, score = self._split(x, targets, weights, random)
        size = self._steps_of(len(x))
        mean_weight = 1.0 if weights is None else float(weights.mean())
        if not (goes_on and hasattr(self, "_learner")):
            self._learner = self._optimizer(size, mean_weight)
            self._seed = int(random.randint(np.iinfo(np.int32).max))
        self._scale = 1 / (size * mean_weight)
        self._samples = len(x)
        epochs = 1 if goes_on else self.max_iter
        rates = self._rates if self.solver_is_stochastic else None
        ending = Convergence(self, self._loss_of, score, rates)
        self.model_.last_seed = self.model_.last_seed if goes_on else None
        try:
            history = self.model_.fit(
                x.array,
                targets,
                **self._sequences(x),
                sample_weight=weights,
                loss=self.loss_function,
                optimizer=self._learner,
                epochs=epochs,
                batch_size=size,
                seed=self._seed,
                shuffle=self.shuffle,
                callbacks=[ending, *tasks],
                verbose=0,
            )
        except NonFiniteError as error:
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large"
                f" values and need to be preprocessed. {error}"
            ) from error
        if history.stopped is None and not goes_on:
            warnings.warn(
                f"Maximum iterations ({self.max_iter}) reached and the optimization hasn't"
                " converged yet.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _loss_of(self, loss: float) -> float:
        return self.loss_factor * loss + self._penalty()

    def _steps_of(self, samples: int) -> int:
        """Return the number of samples in a batch."""
        if not self.solver_is_stochastic:
            return samples
        if isinstance(self.batch_size, str):
            return min(200, samples)
        if self.batch_size > samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be"
                " clipped",
                stacklevel=6,
            )
        return min(int(self.batch_size), samples)

    def _split(self, x: Inputs, targets: Array, weights: Array | None, random: Any) -> Any:
        """Return the samples to train on, and the score of the others as a function."""
        from sklearn.model_selection import train_test_split

        rows = np.arange(len(x))
        train, held_out = train_test_split(
            rows,
            random_state=random,
            test_size=self.validation_fraction,
            stratify=self._strata(targets),
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of"
                " your dataset."
            )
        own = None if weights is None else weights[held_out]
        x_held_out, true = x.rows(held_out), targets[held_out]

        def score() -> float:
            return self._score(self._predict(x_held_out), true, own)

        return x.rows(train), targets[train], None if weights is None else weights[train], score

    def _strata(self, targets: Array) -> Array | None:
        """Return the classes that a split keeps in proportion."""
        return None

    def _predict(self, x: Inputs, network: Model | None = None) -> Array:
        network = self.model_ if network is None else network
        return np.asarray(network.predict(x.array, **self._sequences(x)))

    def _sequences(self, x: Inputs) -> dict[str, Any]:
        """Return the arguments of the network for padded sequences."""
        return {} if x.lengths is None else {"lengths": x.lengths}

    def _outputs(self, X: Any, part: str = "model_") -> Array:
        """Return the outputs of the network, or of a part of it, (samples, outputs)."""
        check_is_fitted(self)
        x, _ = self._inputs(X, reset=False)
        network = getattr(self, part)
        found = [self._predict(each, network) for each in x.parts()]
        return found[0] if len(found) == 1 else np.concatenate(found)
