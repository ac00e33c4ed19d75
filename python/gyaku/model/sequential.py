"""Chains of layers, the simplest graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.layers.activation import ACTIVATIONS
from gyaku.model.graph import Graph, constructed
from gyaku.model.model import Model
from gyaku.model.wiring import chain
from gyaku.symbolic import Block, Tensor, label

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import DTypeLike

__all__ = ["Sequential", "checked_parts"]


def _instead(part: object) -> str:
    """Return what to write in place of something that is no layer."""
    if isinstance(part, Tensor):
        return f"; leave it out, and give the shape to build({part.shape}), or let fit find it"
    if isinstance(part, str) and part.lower() in ACTIVATIONS:
        return f", write {ACTIVATIONS[part.lower()].__name__}()"
    return ""


class Sequential(Model):
    """Chain of layers.

    Parameters
    ----------
    *layers : Layer or Model
        The layers, from input to output.
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs.
    seed : int, optional
        Seed of the initial weights; by default that of the first `fit`.
    name : str
        The model's name.

    Raises
    ------
    TypeError
        If an argument is no layer.
    ValueError
        If a layer or a name occurs twice, or the dtype is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import gyaku as gk
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> y = np.array([[0], [1], [1], [0]], np.float32)
    >>> model = gk.Sequential(gk.Dense(4, "tanh"), gk.Dense(1, "sigmoid"))
    >>> history = model.fit(
    ...     x,
    ...     y,
    ...     loss="sum_squared_error",
    ...     optimizer=gk.Adam(0.1),
    ...     epochs=300,
    ...     batch_size=None,
    ...     verbose=0,
    ... )
    >>> model.predict(x).round().ravel()
    array([0., 1., 1., 0.], dtype=float32)
    """

    def __init__(
        self,
        *layers: Block,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
        name: str = "",
    ) -> None:
        parts = checked_parts(type(self).__name__, layers)
        Graph.__init__(self, parts, chain(len(parts)), dtype, seed, name)

    def _structure(self) -> tuple[Any, ...]:
        return self.layers

    @classmethod
    def _of(cls, structure: tuple[Any, ...], **options: Any) -> Model:
        return cls(*structure, **options)

    def description(self, described: Callable[[Block], dict[str, Any]]) -> dict[str, Any]:
        """Return class and layers; see `Model.description`."""
        return {"class": "Sequential", "layers": [described(part) for part in self.layers]}

    def _construction(self) -> str:
        """Return class and layers, as they were given."""
        return f"{type(self).__name__}({', '.join(map(constructed, self.layers))})"


def checked_parts(owner: str, given: tuple[Any, ...]) -> tuple[Block, ...]:
    """Return the parts of a chain.

    Parameters
    ----------
    owner : str
        The model, for errors.
    given : tuple
        The parts, or one list of them.

    Returns
    -------
    tuple of Block
        The parts.

    Raises
    ------
    TypeError
        If a part is no layer.
    ValueError
        If there is none, one occurs twice, or one does not have one input and one output.
    """
    parts = tuple(given[0]) if len(given) == 1 and isinstance(given[0], (list, tuple)) else given
    if not parts:
        raise ValueError(f"{owner}: needs at least one layer")
    earlier: set[int] = set()
    for position, part in enumerate(parts, 1):
        if isinstance(part, type) and issubclass(part, Block):
            raise TypeError(
                f"{owner}: layer {position} is the class {part.__name__}, write {part.__name__}()"
            )
        if not isinstance(part, Block):
            raise TypeError(
                f"{owner}: layer {position} must be a Layer, got {part!r}{_instead(part)}"
            )
        if id(part) in earlier:
            raise ValueError(f"{owner}: layer {position}, {constructed(part)}, occurs twice")
        earlier.add(id(part))
        takes, gives = part.arity
        if takes not in (1, None) or gives != 1:
            raise ValueError(
                f"{owner}: layer {position}, {label(part)}, must have one input and one"
                f" output in a chain, got {takes} and {gives}; use gyaku.Model for other graphs"
            )
    return parts
