"""Bases of estimators of other networks than perceptrons, whose samples may have several axes."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length, check_X_y

from gyaku.model import Model, Sequential
from gyaku.optim import Optimizer
from gyaku.optim import optimizer as as_optimizer
from gyaku.sklearn.docstrings import documented
from gyaku.sklearn.estimator import Estimator
from gyaku.sklearn.inputs import Inputs, stacked

if TYPE_CHECKING:
    from typing import NoReturn

    from numpy.typing import NDArray

    Array = NDArray[Any]

__all__ = ["Network", "Shaped"]


@documented
@dataclass(eq=False, repr=False, kw_only=True)
class Network(Estimator):
    """Base of the estimators of a list of layers and an optimizer.

    Parameters
    ----------
    optimizer : str or Optimizer
        Optimizer, by name or as an object, of which each training has a copy.
    """

    constraints: ClassVar[dict[str, Any]] = {"optimizer": [str, Optimizer]}
    optimizer: str | Optimizer = "adam"

    def _layers(self, shape: tuple[int, ...]) -> Any:
        """Return the layers of a network for samples of a shape, or a network."""
        raise NotImplementedError

    def _network(self, x: Array, random: Any) -> Model:
        made = self._layers(x.shape[1:])
        if isinstance(made, list | tuple):
            seed = int(random.randint(np.iinfo(np.int32).max))
            made = Sequential(*made, dtype=self._dtype(x), seed=seed)
        if not isinstance(made, Model):
            raise TypeError(f"model_fn must return a gyaku model or a list of layers, got {made!r}")
        model: Model = copy.copy(made)  # so that a network of the user's is never trained
        if not model.built:
            model.build(x.shape[1:])
        return model

    def _optimizer(self, batch_size: int, mean_weight: float) -> Optimizer:
        return as_optimizer(copy.deepcopy(self.optimizer))


@documented
class Shaped(Network):
    """Base of the estimators of images and sequences, which take rows of features as well.

    `n_features_in_` is the number of columns of rows, and otherwise of channels, the last axis.
    """

    sample_axes = 2  # or more, or one
    takes_lists: ClassVar[bool] = False
    """Whether a list of arrays holds sequences, even if they are equally long."""
    takes_lengths: ClassVar[bool] = True
    """Whether samples may be padded sequences."""
    _in_rows: bool
    _axes: int

    def _shape(self, array: Array) -> Array:
        """Return samples of several axes with an axis of channels."""
        return array

    def _from_rows(self, rows: Array) -> Array:
        """Return the samples that rows of features are to the network."""
        return rows

    def _dtype(self, x: Array) -> Any:
        return x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)

    @property
    def _rules(self) -> dict[str, Any]:
        # Numbers that a layer takes for indices stay what they are.
        dtypes = (np.float64, np.float32, np.uint8, np.int32, np.int64)
        return {"dtype": dtypes, "allow_nd": True}

    def _inputs(self, X: Any, *, reset: bool, **targets: Any) -> tuple[Inputs, Any]:
        given = stacked(X, always=self.takes_lists)
        if given.lengths is not None and not self.takes_lengths:
            raise ValueError(f"X: the samples of {type(self).__name__} must have one shape")
        in_rows = self._are_rows(given, reset=reset)
        if in_rows:
            found, y = super()._inputs(given.array, reset=reset, **targets)
            array = self._from_rows(found.array)
        else:
            array, y = self._validated(given.array, **targets)
            array = self._shape(array)
            self._check_channels(array, reset=reset)
        if reset:
            self._in_rows, self._axes = in_rows, array.ndim - 1
        lengths = None if given.lengths is None else np.asarray(given.lengths)
        check_consistent_length(array, lengths)
        return Inputs(array, lengths), y

    def _are_rows(self, given: Inputs, *, reset: bool) -> bool:
        """Return whether samples are rows of features, or raise if they are not as in `fit`."""
        in_rows = given.lengths is None and given.axes < 3
        if not reset and in_rows != self._in_rows:
            if not (in_rows and self.takes_lengths):
                self._refuse(np.shape(given.array)[1:])
            return False  # sequences of numbers, of any number of steps
        return in_rows

    def _validated(self, array: Any, **targets: Any) -> tuple[Array, Any]:
        # `validate_data` takes the second axis for that of the features, whatever it is.
        if not targets:
            return check_array(array, estimator=self, input_name="X", **self._rules), None
        x, y = check_X_y(array, estimator=self, **self._rules, **targets)
        return x, y

    def _check_channels(self, array: Array, *, reset: bool) -> None:
        """Count the channels, or raise if they are not as many as in `fit`."""
        channels = array.shape[-1] if array.ndim > 2 else 1
        if reset:
            self.n_features_in_ = channels
            self.__dict__.pop("feature_names_in_", None)
        elif (array.ndim - 1, channels) != (self._axes, self.n_features_in_):
            self._refuse(array.shape[1:])

    def _refuse(self, shape: tuple[int, ...]) -> NoReturn:
        rows = f"rows of {self.n_features_in_} features"
        samples = f"samples with {self._axes} axes and {self.n_features_in_} channels"
        raise ValueError(
            f"X has samples of shape {shape}, but {type(self).__name__} is expecting"
            f" {rows if self._in_rows else samples} as input"
        )
