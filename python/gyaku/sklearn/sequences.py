"""Recurrent networks as estimators of scikit-learn."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from gyaku.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Layer, SimpleRNN
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.estimator import WHOLE
from gyaku.sklearn.network import Shaped
from gyaku.sklearn.padded import PaddedClassifier, PaddedRegressor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gyaku.sklearn.inputs import Inputs

    Array = NDArray[Any]

__all__ = ["SequenceClassifier", "SequenceRegressor"]

_CELLS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "rnn": SimpleRNN}


@dataclass(eq=False, repr=False)
class _Recurrent(Shaped):
    """Recurrent layers, of which the last one gives its last state to a dense layer.

    Parameters
    ----------
    units : array_like of int
        Number of units of each recurrent layer.
    cell : {"lstm", "gru", "rnn"}
        Kind of the recurrent layers.
    bidirectional : bool
        Whether each layer also reads the sequences from their ends.
    dropout : float
        Probability of an output of a recurrent layer to be dropped in training.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels, or of columns of sequences that are rows.

    Notes
    -----
    Sequences are a list of arrays, each of shape (steps,) or (steps, channels), an array of shape
    (samples, steps, channels), padded behind their ends if `lengths` are given, or rows of numbers:
    sequences of one channel, with a step for each column. A network that was fitted to one of the
    first two takes sequences of any number of steps.
    """

    constraints: ClassVar[dict[str, Any]] = {
        "units": ["array-like", WHOLE],
        "cell": [StrOptions(set(_CELLS))],
        "bidirectional": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }
    takes_lists = True
    units: int | Sequence[int] = (32,)
    cell: str = "lstm"
    _: KW_ONLY
    bidirectional: bool = False
    dropout: float = 0.0

    def _layers(self, shape: tuple[int, ...]) -> list[Layer]:
        layers: list[Layer] = []
        *below, last = np.atleast_1d(self.units).astype(int).tolist()
        for units, is_last in [*((units, False) for units in below), (last, True)]:
            layer = _CELLS[self.cell](units, return_sequences=not is_last)
            layers.append(Bidirectional(layer) if self.bidirectional else layer)
            layers += [Dropout(self.dropout)] if self.dropout else []
        return [*layers, Dense(self.n_outputs_)]

    def _shape(self, array: Array) -> Array:
        sequences = array[..., np.newaxis] if array.ndim == 2 else array
        if sequences.ndim != 3:
            raise ValueError(
                "X must be sequences, a list of arrays or an array of shape (samples, steps,"
                f" channels), got shape {array.shape}"
            )
        return sequences

    def _from_rows(self, rows: Array) -> Array:
        return rows[..., np.newaxis]

    def _sequences(self, x: Inputs) -> dict[str, Any]:
        given = super()._sequences(x)
        return given | {"by_length": self.shuffle} if given else given


@documented
@dataclass(eq=False, repr=False)
class SequenceClassifier(PaddedClassifier, _Recurrent):
    """Recurrent classifier of sequences of any lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku.sklearn import SequenceClassifier
    >>> random = np.random.default_rng(0)
    >>> x = [random.normal(size=random.integers(3, 9)) for _ in range(200)]
    >>> y = ["up" if each.sum() > 0 else "down" for each in x]
    >>> network = SequenceClassifier(16, "gru", batch_size=50, tol=0.01, random_state=0)
    >>> network.fit(x, y).score(x, y) > 0.9
    True
    """


@documented
@dataclass(eq=False, repr=False)
class SequenceRegressor(PaddedRegressor, _Recurrent):
    """Recurrent regressor of sequences of any lengths.

    Examples
    --------
    >>> import numpy as np
    >>> import gyaku as gk
    >>> from gyaku.sklearn import SequenceRegressor
    >>> random = np.random.default_rng(0)
    >>> x = [random.uniform(size=random.integers(3, 9)) for _ in range(200)]
    >>> y = [each.sum() for each in x]
    >>> network = SequenceRegressor(16, "gru", optimizer=gk.Adam(0.01), batch_size=50, tol=0.01)
    >>> network.set_params(random_state=0).fit(x, y).score(x, y) > 0.9
    True
    """
