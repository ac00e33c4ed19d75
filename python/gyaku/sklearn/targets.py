"""Targets of classifiers and regressors: labels and numbers in, labels and numbers out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)

from gyaku.losses import SigmoidCrossEntropy, SoftmaxCrossEntropy, SumSquaredError
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.estimator import Estimator, is_stochastic
from gyaku.sklearn.tasks import with_callbacks

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Classifier", "Regressor"]


@documented
@dataclass(eq=False, repr=False, kw_only=True)
class Classifier(ClassifierMixin, Estimator):
    """Base of the classifiers: of two classes, several, or several labels a sample.

    Parameters
    ----------
    class_weight : dict or "balanced", optional
        Weights of the classes, which multiply those of the samples in training; a list of dicts
        for several labels.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted.
    out_activation_ : str
        "softmax" for more than two classes, otherwise "logistic".
    """

    constraints: ClassVar[dict[str, Any]] = {
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }
    class_weight: Any = None
    classes_: Array = field(init=False)
    out_activation_: str = field(init=False)

    def _targets(self, x: Array, y: Any, *, first: bool, goes_on: bool) -> Array:
        kind = type_of_target(y, input_name="y")
        classes = None
        if kind in ("binary", "multiclass") and y.dtype.kind in "biuf":
            classes = np.unique(y)  # `unique_labels` takes as long as some epochs
        if classes is None or 2 * len(classes) > len(y):
            check_classification_targets(y)  # which finds the kind once more
        if kind.startswith("multilabel"):
            y = y.toarray() if hasattr(y, "toarray") else y
        elif y.ndim == 2:
            y = column_or_1d(y, warn=True)
        if first and not goes_on:
            self._set_classes(unique_labels(y) if classes is None else classes, kind)
        else:
            self._check_classes(y, goes_on)
        if self._kind.startswith("multilabel"):
            return np.asarray(y, self._dtype(x))
        numbers = np.searchsorted(self.classes_, y)
        if self._kind == "multiclass":
            return np.asarray(numbers)
        return np.asarray(numbers[:, np.newaxis], self._dtype(x))

    def _set_classes(self, classes: Array, kind: str) -> None:
        self.classes_ = classes
        self._kind = kind if kind.startswith("multilabel") else "binary"
        if self._kind == "binary" and len(classes) > 2:
            self._kind = "multiclass"
        self.n_outputs_ = 1 if self._kind == "binary" else len(classes)
        self.out_activation_ = "softmax" if self._kind == "multiclass" else "logistic"

    def _check_classes(self, y: Array, goes_on: bool) -> None:
        """Raise if there are classes that the network has no output for."""
        classes = unique_labels(y)
        if not goes_on and set(classes) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call"
                f" to fit. Previously got {self.classes_}, `y` has {classes}"
            )
        if len(np.setdiff1d(classes, self.classes_, assume_unique=True)):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. 'y'"
                f" has {classes}."
            )

    @property
    def loss_function(self) -> Any:
        """Loss of the network."""
        several = self._kind == "multiclass"
        return SoftmaxCrossEntropy() if several else SigmoidCrossEntropy()

    @property
    def loss_factor(self) -> float:
        """Loss of scikit-learn, the sum over the labels, divided by that of the network."""
        return 1.0 if self._kind == "multiclass" else float(self.n_outputs_)

    def _training_weights(self, y: Array, weights: Array | None) -> Array | None:
        if self.class_weight is None:
            return weights
        factors: Array = compute_sample_weight(self.class_weight, y)
        return factors if weights is None else weights * factors

    def _strata(self, targets: Array) -> Array | None:
        return targets if self._kind == "binary" else None  # as scikit-learn does

    def _labels(self, outputs: Array) -> Array:
        """Return the classes with the largest outputs."""
        if self._kind.startswith("multilabel"):
            return (outputs > 0).astype(np.int64)
        if self._kind == "multiclass":
            return np.asarray(self.classes_[outputs.argmax(axis=1)])
        largest = len(self.classes_) - 1
        return np.asarray(self.classes_[np.minimum(outputs[:, 0] > 0, largest).astype(np.int64)])

    def _score(self, outputs: Array, targets: Array, weights: Array | None) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        if self._kind == "multiclass":
            true, found = targets, outputs.argmax(axis=1)
        else:
            true, found = targets > 0, outputs > 0
        return float(accuracy_score(true, found, sample_weight=weights))

    @available_if(is_stochastic)
    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train the network for one more epoch.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples.
        y : array_like of shape (samples,) or (samples, labels)
            Classes, or 0 and 1 for each label.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.
        classes : array_like, optional
            All classes that later calls may hold; needed in the first call only.

        Returns
        -------
        Classifier
            The estimator itself.
        """
        if _check_partial_fit_first_call(self, classes):
            kind = "multilabel-indicator" if type_of_target(y).startswith("multilabel") else ""
            self._set_classes(self.classes_, kind)
        return self._fit(X, y, sample_weight, goes_on=True)

    def predict(self, X: Any) -> Array:
        """Return the classes of samples.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples.

        Returns
        -------
        ndarray of shape (samples,) or (samples, labels)
            The most probable classes; 1 for each label with a probability above one half.
        """
        return self._labels(self._outputs(X))

    def decision_function(self, X: Any) -> Array:
        """Return the outputs of the network, before softmax or sigmoid.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples.

        Returns
        -------
        ndarray of shape (samples,), (samples, classes) or (samples, labels)
            The outputs; for two classes, those of the second.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self._kind == "binary" else outputs

    def predict_proba(self, X: Any) -> Array:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples.

        Returns
        -------
        ndarray of shape (samples, classes) or (samples, labels)
            The probabilities, in the order of `classes_`.
        """
        from scipy.special import expit, softmax

        outputs = self._outputs(X)
        if self._kind == "multiclass":
            return np.asarray(softmax(outputs, axis=1))
        found = np.asarray(expit(outputs))
        return np.concatenate([1 - found, found], axis=1) if self._kind == "binary" else found

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples.

        Returns
        -------
        ndarray of shape (samples, classes) or (samples, labels)
            The logarithms, finite also where a probability is rounded to zero.
        """
        from scipy.special import log_expit, log_softmax

        outputs = self._outputs(X)
        if self._kind == "multiclass":
            return np.asarray(log_softmax(outputs, axis=1))
        found = np.asarray(log_expit(outputs))
        if self._kind == "binary":
            return np.concatenate([log_expit(-outputs), found], axis=1)
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.sample_axes == 1
        tags.classifier_tags.multi_label = True
        return tags


@documented
@dataclass(eq=False, repr=False, kw_only=True)
class Regressor(RegressorMixin, Estimator):
    """Base of the regressors: one number a sample, or several."""

    numeric_targets = True

    @property
    def loss_function(self) -> Any:
        """Loss of the network."""
        return SumSquaredError()

    @property
    def loss_factor(self) -> float:
        """Loss of scikit-learn, the mean over the outputs, divided by that of the network."""
        return 1 / self.n_outputs_

    def _targets(self, x: Array, y: Any, *, first: bool, goes_on: bool) -> Array:
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        targets = np.asarray(y[:, np.newaxis] if y.ndim == 1 else y, self._dtype(x))
        if first:
            self.n_outputs_ = targets.shape[1]
        elif targets.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {targets.shape[1]} columns, the network was fitted to {self.n_outputs_}"
            )
        return targets

    def _score(self, outputs: Array, targets: Array, weights: Array | None) -> float:
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(targets, self._numbers(outputs), sample_weight=weights))

    def _numbers(self, outputs: Array) -> Array:
        """Return predictions from outputs."""
        return outputs

    def predict(self, X: Any) -> Array:
        """Return the predictions for samples.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, ...)
            The samples.

        Returns
        -------
        ndarray of shape (samples,) or (samples, outputs)
            The predictions.
        """
        found = self._numbers(self._outputs(X))
        return found[:, 0] if self.n_outputs_ == 1 else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.sample_axes == 1
        tags.target_tags.multi_output = True
        return tags
