"""Bases of estimators that take padded sequences with their lengths."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.inputs import stacked
from gyaku.sklearn.targets import Classifier, Regressor

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["PaddedClassifier", "PaddedRegressor"]

Method = TypeVar("Method", bound="Callable[..., Any]")
_LENGTHS = """lengths : array_like of int of shape (samples,), optional
    Number of real steps of each sequence of a padded array.
"""


def _like(method: Callable[..., Any]) -> Callable[[Method], Method]:
    """Document a method by that of the base, which has no lengths."""

    def document(own: Method) -> Method:
        text = inspect.getdoc(method) or ""
        own.__doc__ = text.replace("\n\nReturns\n", f"\n{_LENGTHS}\nReturns\n") + "\n"
        return own

    return document


class _Padded:
    """Score of padded sequences."""

    def score(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> float:
        """Return the accuracy of a classifier, or the coefficient of determination of a regressor.

        Parameters
        ----------
        X : array_like of shape (samples, ...)
            The samples.
        y : array_like
            Their classes or targets.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.
        lengths : array_like of int of shape (samples,), optional
            Number of real steps of each sequence of a padded array.

        Returns
        -------
        float
            The score.
        """
        base: Any = super()
        return float(base.score(stacked(X, lengths), y, sample_weight))


@documented
class PaddedClassifier(_Padded, Classifier):
    """Base of the classifiers of samples that may be padded sequences."""

    @_like(Classifier.fit)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> Self:
        """Train the network."""
        super().fit(stacked(X, lengths), y, sample_weight)
        return self

    @_like(Classifier.partial_fit)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        lengths: Any = None,
    ) -> Self:
        """Train the network for one more epoch."""
        super().partial_fit(stacked(X, lengths), y, sample_weight, classes)
        return self

    @_like(Classifier.predict)
    def predict(self, X: Any, lengths: Any = None) -> Array:
        """Return the classes of samples."""
        return super().predict(stacked(X, lengths))

    @_like(Classifier.decision_function)
    def decision_function(self, X: Any, lengths: Any = None) -> Array:
        """Return the outputs of the network, before softmax or sigmoid."""
        return super().decision_function(stacked(X, lengths))

    @_like(Classifier.predict_proba)
    def predict_proba(self, X: Any, lengths: Any = None) -> Array:
        """Return the probabilities of the classes."""
        return super().predict_proba(stacked(X, lengths))

    @_like(Classifier.predict_log_proba)
    def predict_log_proba(self, X: Any, lengths: Any = None) -> Array:
        """Return the logarithms of the probabilities of the classes."""
        return super().predict_log_proba(stacked(X, lengths))


@documented
class PaddedRegressor(_Padded, Regressor):
    """Base of the regressors of samples that may be padded sequences."""

    @_like(Regressor.fit)
    def fit(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> Self:
        """Train the network."""
        super().fit(stacked(X, lengths), y, sample_weight)
        return self

    @_like(Regressor.partial_fit)
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, lengths: Any = None) -> Self:
        """Train the network for one more epoch."""
        super().partial_fit(stacked(X, lengths), y, sample_weight)
        return self

    @_like(Regressor.predict)
    def predict(self, X: Any, lengths: Any = None) -> Array:
        """Return the predictions for samples."""
        return super().predict(stacked(X, lengths))
