"""Residual connections: blocks of layers with a shortcut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.layers.merge import Add
from gyaku.model.graph import Graph, constructed
from gyaku.model.model import Model
from gyaku.model.sequential import checked_parts
from gyaku.model.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import DTypeLike

    from gyaku.symbolic import Block

__all__ = ["Residual"]


class Residual(Model):
    """Residual block: a chain of layers whose input is added to its output, ``y = f(x) + x``.

    Parameters
    ----------
    *layers : Layer or Model
        The layers of f.
    shortcut : Layer or Model, optional
        Layer of the shortcut, such as ``Conv2D(filters, 1, stride=2)`` if f changes the shape; by
        default the identity.
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs, unless it is a part of another model.
    seed : int, optional
        Seed of the initial weights, unless it is a part of another model.
    name : str
        The name.

    Raises
    ------
    TypeError
        If an argument is no layer.
    ValueError
        If a layer or a name occurs twice.

    Notes
    -----
    K. He and others, Deep residual learning for image recognition (2016), equations 1 and 2.

    Examples
    --------
    >>> import gyaku as gk
    >>> block = gk.Residual(gk.Conv2D(4, 3, padding="same"), gk.ReLU())
    >>> model = gk.Sequential(block, gk.ReLU())
    >>> model.build((8, 8, 4))
    >>> model.output_shape
    (8, 8, 4)
    """

    body: tuple[Block, ...]
    shortcut: Block | None

    def __init__(
        self,
        *layers: Block,
        shortcut: Block | None = None,
        dtype: DTypeLike = "float32",
        seed: int | None = None,
        name: str = "",
    ) -> None:
        body = checked_parts("Residual", layers)
        beside = () if shortcut is None else checked_parts("Residual", (shortcut,))
        self.body, self.shortcut = body, shortcut
        if shortcut is not None and not shortcut.name:
            shortcut.name = "shortcut"
        end = len(body)
        calls: list[tuple[int, tuple[int, ...]]] = [(part, (part,)) for part in range(end)]
        if shortcut is not None:
            calls.append((end, (0,)))
        calls.append((len(calls), (end, end + 1 if beside else 0)))
        wiring = Wiring(["x"], None, calls, [len(calls)])
        Graph.__init__(
            self, (*body, *beside, Add(broadcast=False, name="add")), wiring, dtype, seed, name
        )

    @property
    def _given(self) -> tuple[Any, ...]:
        """The parts that copies and files keep: all but the sum, which has nothing to train."""
        return self.body if self.shortcut is None else (*self.body, self.shortcut)

    def _structure(self) -> tuple[Any, ...]:
        return self.body, self.shortcut

    @classmethod
    def _of(cls, structure: tuple[Any, ...], **options: Any) -> Model:
        body, shortcut = structure
        return cls(*body, shortcut=shortcut, **options)

    def description(self, described: Callable[[Block], dict[str, Any]]) -> dict[str, Any]:
        """Return class, shortcut and layers; see `Model.description`."""
        shortcut = None if self.shortcut is None else described(self.shortcut)
        layers = [described(part) for part in self.body]
        return {"class": "Residual", "shortcut": shortcut, "layers": layers}

    def _construction(self) -> str:
        """Return class and layers, as they were given."""
        shown = [*map(constructed, self.body)]
        if self.shortcut is not None:
            shown.append(f"shortcut={constructed(self.shortcut)}")
        return f"Residual({', '.join(shown)})"
