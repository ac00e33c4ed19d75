"""Autoencoders as transformers of scikit-learn."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_sample_weight, check_array, check_is_fitted

from gyaku.layers import Dense, Dropout
from gyaku.losses import SumSquaredError
from gyaku.model import Sequential
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.estimator import WHOLE
from gyaku.sklearn.network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from numpy.typing import NDArray

    from gyaku.model import Model

    Array = NDArray[Any]

__all__ = ["AutoencoderTransformer"]


@documented
@dataclass(eq=False, repr=False)
class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Network):
    """Codes of few components, from which a decoder restores the features.

    Parameters
    ----------
    n_components : int
        Number of components of a code.
    hidden_layer_sizes : array_like of int
        Number of units of each hidden layer of the encoder; the decoder has them in reverse.
        Without any, encoder and decoder are linear, and codes span the space of the principal
        components.
    activation : str
        Activation of the hidden layers, by a name that gyaku knows; codes and restored features
        have none.
    corruption : float
        Probability of a feature to be set to zero in training, the others being scaled, for a
        denoising autoencoder, which restores the intact features.

    Notes
    -----
    The loss is half the mean squared error of the restored features. P. Vincent and others,
    Extracting and composing robust features with denoising autoencoders (2008).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from gyaku.sklearn import AutoencoderTransformer
    >>> x = load_iris().data
    >>> network = AutoencoderTransformer(2, max_iter=500, random_state=0).fit(x - x.mean(axis=0))
    >>> network.transform(x - x.mean(axis=0)).shape
    (150, 2)
    >>> network.score(x - x.mean(axis=0)) > -0.1
    True
    """

    constraints: ClassVar[dict[str, Any]] = {
        "n_components": [WHOLE],
        "hidden_layer_sizes": ["array-like", WHOLE],
        "activation": [str],
        "corruption": [Interval(Real, 0, 1, closed="left")],
    }
    n_components: int = 2
    hidden_layer_sizes: int | Sequence[int] = ()
    activation: str = "relu"
    _: KW_ONLY
    corruption: float = 0.0

    @property
    def encoder_(self) -> Model:
        """Part of the network from features to codes."""
        return self._part(0)

    @property
    def decoder_(self) -> Model:
        """Part of the network from codes to features."""
        return self._part(1)

    def _part(self, place: int) -> Model:
        part: Any = self.model_
        return part[place]  # type: ignore[no-any-return]

    @property
    def _n_features_out(self) -> int:
        return self.n_components

    @property
    def loss_function(self) -> Any:
        """Loss of the network."""
        return SumSquaredError()

    @property
    def loss_factor(self) -> float:
        """Mean over the features, divided by their sum."""
        return 1 / self.n_outputs_

    def _layers(self, shape: tuple[int, ...]) -> list[Model]:
        sizes = np.atleast_1d(np.asarray(self.hidden_layer_sizes, int)).tolist()
        noise = [Dropout(self.corruption)] if self.corruption else []
        encoder = [*(Dense(size, self.activation) for size in sizes), Dense(self.n_components)]
        decoder = [*(Dense(size, self.activation) for size in sizes[::-1]), Dense(shape[0])]
        return [Sequential(*noise, *encoder), Sequential(*decoder)]

    def _target_rules(self, y: Any) -> dict[str, Any]:
        return {}

    def _targets(self, x: Array, y: Any, *, first: bool, goes_on: bool) -> Array:
        self.n_outputs_ = x.shape[1]
        return x

    def _score(self, outputs: Array, targets: Array, weights: Array | None) -> float:
        errors = np.square(outputs - targets).mean(axis=1)
        return -float(np.average(errors, weights=weights))

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train encoder and decoder.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, features)
            The samples; sparse ones are made dense.
        y : None
            Not used.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        AutoencoderTransformer
            The estimator itself.
        """
        super().fit(X, None, sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train encoder and decoder for one more epoch.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, features)
            The samples.
        y : None
            Not used.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        AutoencoderTransformer
            The estimator itself.
        """
        super().partial_fit(X, None, sample_weight)
        return self

    def transform(self, X: Any) -> Array:
        """Return the codes of samples.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, features)
            The samples.

        Returns
        -------
        ndarray of shape (samples, components)
            The codes.
        """
        return self._outputs(X, "encoder_")

    def inverse_transform(self, X: Any) -> Array:
        """Return the features that codes stand for.

        Parameters
        ----------
        X : array_like of shape (samples, components)
            The codes.

        Returns
        -------
        ndarray of shape (samples, features)
            The restored features.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=(np.float64, np.float32), estimator=self, input_name="X")
        if codes.shape[1] != self.n_components:
            raise ValueError(
                f"X has {codes.shape[1]} components, but {type(self).__name__} has codes of"
                f" {self.n_components}"
            )
        return np.asarray(self.decoder_.predict(codes))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the negative mean squared error of the restored features.

        Parameters
        ----------
        X : array_like or sparse matrix of shape (samples, features)
            The samples.
        y : None
            Not used.
        sample_weight : array_like of shape (samples,), optional
            Weights of the samples.

        Returns
        -------
        float
            The score: the closer to zero, the better.
        """
        outputs = self._outputs(X)
        x = self._inputs(X, reset=False)[0].dense().array
        weights = None if sample_weight is None else _check_sample_weight(sample_weight, x)
        return self._score(outputs, x, weights)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
