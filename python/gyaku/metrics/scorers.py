"""Scorers and metrics of scikit-learn, and functions with their arguments, on outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.calls import argument_names
from gyaku.metrics.base import Overall

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Predictions", "as_scorer", "is_scorer", "scorer_named"]

# Second arguments of functions that take probabilities or other scores of classes.
_SCORES = {"y_score", "y_proba", "y_prob", "probas_pred"}


class Predictions:
    """Outputs as the methods of a fitted scikit-learn estimator.

    Parameters
    ----------
    y : ndarray of shape (samples, outputs)
        The outputs.
    t : ndarray
        The targets: class numbers, (samples,), or rows.

    Attributes
    ----------
    true : ndarray
        The targets in scikit-learn's form: class numbers, 0 and 1 of several labels, or numbers.
    is_classifier : bool
        Whether the targets are class numbers, or nothing but 0 and 1.

    Examples
    --------
    >>> Predictions(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([1, 1])).predict()
    array([0, 1])
    """

    def __init__(self, y: NDArray[Any], t: NDArray[Any]) -> None:
        y = y.astype(np.float64)
        binary = t.ndim == 2 and bool(((t == 0) | (t == 1)).all())
        self.y, self.true = y, t
        self.is_classifier = t.ndim == 1 or binary
        self.has_labels = False
        if binary and y.shape[1] == 1:
            self.true = t.reshape(-1).astype(np.int64)
        elif binary:
            self.has_labels = bool((t.sum(axis=1) != 1).any())
            self.true = t.astype(np.int64) if self.has_labels else t.argmax(axis=1)
        elif t.ndim == 2 and t.shape[1] == 1:
            self.true = t[:, 0]

    def predict(self) -> NDArray[Any]:
        """Return class numbers, labels, or the outputs of a regression.

        Returns
        -------
        ndarray
            The predictions.
        """
        if not self.is_classifier:
            return self.y[:, 0] if self.y.shape[1] == 1 else self.y
        if self.has_labels:
            return (self.probabilities() > 0.5).astype(np.int64)
        return np.asarray(self.probabilities().argmax(axis=1))

    def probabilities(self) -> NDArray[np.float64]:
        """Return a probability for each class, (samples, classes), or for each label.

        Returns
        -------
        ndarray
            The outputs, or the sigmoid or softmax of logits.
        """
        y = self.y
        if self.has_labels or y.shape[1] == 1:
            if (y < 0).any() or (y > 1).any():
                y = 1 / (1 + np.exp(-y))
            return y if self.has_labels else np.concatenate([1 - y, y], axis=1)
        if (y < 0).any() or not np.allclose(y.sum(axis=1), 1, atol=1e-3):
            y = np.exp(y - y.max(axis=1, keepdims=True))
        return np.asarray(y / y.sum(axis=1, keepdims=True))

    def scores(self) -> NDArray[np.float64]:
        """Return the scores of class 1 of two classes, or one for each class or label.

        Returns
        -------
        ndarray
            The scores, of shape (samples,) or (samples, classes).
        """
        p = self.probabilities()
        return p[:, 1] if p.shape[1] == 2 and not self.has_labels else p


class _OfTheSet(Overall):
    """A function ``(y_true, y_pred)`` or ``(y_true, y_score)`` of the whole data set."""

    def __init__(self, function: Callable[..., Any], second: str) -> None:
        super().__init__(function)
        self.second = second

    def measured(self, y: NDArray[Any], t: NDArray[Any], **weights: NDArray[np.float64]) -> Any:
        """Return the value of the function; see `Overall`."""
        found = Predictions(y, t)
        second = found.scores() if self.second in _SCORES else found.predict()
        return self.function(found.true, second, **weights)


class _Scorer(Overall):
    """A scorer ``(estimator, X, y_true)`` of scikit-learn."""

    def __init__(self, scorer: Callable[..., Any], name: str = "") -> None:
        own = getattr(scorer, "_score_func", scorer)
        super().__init__(scorer, name=name or getattr(own, "__name__", type(own).__name__))

    def measured(self, y: NDArray[Any], t: NDArray[Any], **weights: NDArray[np.float64]) -> Any:
        """Return the score; see `Overall`."""
        found = Predictions(y, t)
        return self.function(_estimator(found), y, found.true, **weights)


def _estimator(found: Predictions) -> Any:
    """Return a fitted estimator that makes these predictions, whatever its inputs."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    def predict(self: object, x: object) -> NDArray[Any]:
        return found.predict()

    def predict_proba(self: object, x: object) -> NDArray[Any]:
        return found.probabilities()

    def decision_function(self: object, x: object) -> NDArray[Any]:
        return found.scores()

    methods: dict[str, Any] = {"__sklearn_is_fitted__": lambda _: True, "predict": predict}
    if not found.is_classifier:
        return type("Fitted", (RegressorMixin, BaseEstimator), methods)()
    methods |= {"predict_proba": predict_proba, "decision_function": decision_function}
    methods["classes_"] = np.arange(max(2, found.y.shape[1]))
    return type("Fitted", (ClassifierMixin, BaseEstimator), methods)()


def as_scorer(function: Callable[..., Any]) -> Overall | None:
    """Return a metric of the whole set from a function with scikit-learn's arguments.

    Parameters
    ----------
    function : callable
        A scorer ``(estimator, X, y_true)``, or a function ``(y_true, y_pred)`` or ``(y_true,
        y_score)``.

    Returns
    -------
    Overall or None
        The metric; None for a function with other arguments.
    """
    first, second, *_ = (*argument_names(function), "", "")
    if first == "estimator":
        return _Scorer(function)
    return _OfTheSet(function, second) if first == "y_true" else None


def scorer_named(name: str) -> Overall | None:
    """Return the metric of a scorer of scikit-learn, if it is installed and knows the name.

    Parameters
    ----------
    name : str
        Name of the scorer, such as "neg_log_loss".

    Returns
    -------
    Overall or None
        The metric.
    """
    if not is_scorer(name):
        return None
    from sklearn.metrics import get_scorer

    return _Scorer(get_scorer(name), name)


def is_scorer(name: str) -> bool:
    """Return whether scikit-learn is installed and has a scorer of a name.

    Parameters
    ----------
    name : str
        The name.

    Returns
    -------
    bool
        Whether it has.
    """
    try:
        from sklearn.metrics import get_scorer_names
    except ImportError:
        return False
    return name in get_scorer_names()
