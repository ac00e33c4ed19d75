"""Embedding: a vector for each word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import ops
from gyaku.checks import truth, whole
from gyaku.init import Normal, initializer
from gyaku.layers.base import Layer
from gyaku.ops.embedding import check_ids

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize

__all__ = ["Embedding"]


class Embedding(Layer):
    """Vectors of words or other things with ids: (samples, steps) become (samples, steps, units).

    Parameters
    ----------
    vocabulary_size : int
        Number of ids, which go from 0 to ``vocabulary_size - 1``.
    units : int
        Length of a vector.
    mask_zero : bool
        Whether 0 is no word but padding behind the end of a sequence. Its vector is zero and is
        not trained, and the lengths of the sequences (up to the last id other than 0) travel to
        the layers behind, the loss and the metrics, which count real steps only.
    weight_init : str or callable
        Initialiser of the vectors, by name or as an object; "auto" is N(0, 1).
    name : str, optional
        The layer's name.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If one is out of range, or a name unknown.

    Notes
    -----
    ``y_i = W[x_i]`` for the weight ``W`` of shape (vocabulary_size, units). The gradient
    ``dW_k = Σ dy_i`` over the positions with ``x_i = k`` is added in their order, so that it does
    not depend on the number of threads. Inputs are integers, of any number of axes; lengths travel
    through layers whose outputs have as many steps as their inputs. Y. Bengio and others, A neural
    probabilistic language model (2003).

    Examples
    --------
    >>> import numpy as np
    >>> import gyaku as gk
    >>> model = gk.Sequential(gk.Embedding(100, 8, mask_zero=True), gk.Dense(3))
    >>> model.forward(np.array([[5, 17, 2, 0, 0], [8, 1, 99, 4, 6]])).shape
    (2, 5, 3)
    """

    native = True
    any_steps = True
    takes_indices = True
    ids: NDArray[Any]

    def __init__(
        self,
        vocabulary_size: int,
        units: int,
        *,
        mask_zero: bool = False,
        weight_init: str | Initialize = "auto",
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.vocabulary_size = whole(str(self), "vocabulary_size", vocabulary_size)
        self.units = whole(str(self), "units", units)
        self.finds_lengths = self.mask_zero = truth(str(self), "mask_zero", mask_zero)
        self.weight_init = weight_init
        if weight_init != "auto":
            initializer(weight_init)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight``; see `Layer.build`."""
        if self.mask_zero and not input_shape:
            raise ValueError(f"{self}: mask_zero needs a time axis, got samples of shape ()")
        self.add_param("weight", (self.vocabulary_size, self.units), self._drawn)
        return (*input_shape, self.units)

    def _drawn(self, shape: tuple[int, ...], random: np.random.Generator) -> NDArray[Any]:
        """Return the initial vectors; that of the padding is zero."""
        initial = Normal(std=1.0) if self.weight_init == "auto" else self.weight_init
        vectors = initializer(initial)(shape, random)
        if self.mask_zero:
            vectors[0] = 0
        return vectors

    def check_indices(self, owner: str, name: str, x: NDArray[Any]) -> None:
        """Raise if an id is outside the vocabulary, or a sequence is padding alone."""
        check_ids(owner, name, x, self.vocabulary_size)
        if not self.mask_zero or x.ndim < 2:
            return
        empty = np.flatnonzero(self.find_lengths(x) == 0)
        if len(empty):
            raise ValueError(
                f"{owner}: row {empty[0]} of {name} is an empty sequence, all its ids are the"
                " padding 0"
            )

    def find_lengths(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Return the lengths up to the last id other than 0; see `Layer.find_lengths`."""
        return ops.sequence_lengths(x)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the vectors of the ids; see `Layer.forward`."""
        self.ids = x
        return ops.embedding(x, self.params["weight"])

    def backward(self, dy: NDArray[Any]) -> None:
        """Write dW; see `Layer.backward`."""
        if self.trainable:
            ops.embedding_backward(
                *(dy, self.ids),
                vocabulary_size=self.vocabulary_size,
                padding=0 if self.mask_zero else None,
                out=self.grads["weight"],
            )
