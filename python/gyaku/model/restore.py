"""Models from their descriptions: class names, constructor arguments and connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.model.architecture import restored
from gyaku.model.model import Model
from gyaku.model.residual import Residual
from gyaku.model.sequential import Sequential
from gyaku.model.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gyaku.symbolic import Block

__all__ = ["Restoration"]

MOST_APPLICATIONS = 1 << 16
"""Layers in the models of a file, each model and each use of a layer by itself.

Models that call models twice, again and again, would double the work with each line of a file.
"""


class Restoration:
    """Restoration of parts from descriptions; a shared part is restored once.

    Parameters
    ----------
    table : mapping of str to type
        The known layers by name.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.table = table
        self.parts: list[Block | None] = []
        self._applications = 0  # in all models so far
        self._sizes: dict[int, int] = {}  # number of applications in each model

    def restored(self, description: Any, **options: Any) -> Block:
        """Return the part of a description.

        Parameters
        ----------
        description : dict
            Result of `described`.
        **options : object
            Further arguments of the constructor.

        Returns
        -------
        Block
            The layer or model.

        Raises
        ------
        ValueError
            If there is no such class, or the models are too large.
        """
        if "again" in description:
            known: Block | None = self.parts[description["again"]]
            if known is None:
                raise ValueError("a model is a part of itself")
            return known
        number = len(self.parts)
        self.parts.append(None)
        self._count(1)
        part = self._made(description, {"name": description["name"]} | options)
        self.parts[number] = part
        return part

    def _made(self, description: Any, options: dict[str, Any]) -> Block:
        kind = description["class"]
        if "layers" not in description:
            layer: Block = restored(description, self.table)
            return layer
        if kind == "Residual":
            beside = description["shortcut"]
            shortcut = None if beside is None else self.restored(beside)
            parts = self._layers(description)
            size = self._count(sum(map(self._size, [*parts, shortcut])))
            made: Block = Residual(*parts, shortcut=shortcut, **options)
        elif kind == "Model":
            names = ("inputs", "shapes", "calls", "outputs", "dtypes")
            wires = Wiring(*(description.get(name) for name in names))
            parts = self._layers(description)
            size = self._count(sum(self._size(parts[part]) for part, _ in wires.calls))
            made = Model._of((parts, wires), **options)
        else:
            parts = self._layers(description)
            size = self._count(sum(map(self._size, parts)))
            made = Sequential(*parts, **options)
        self._sizes[id(made)] = size
        return made

    def _layers(self, description: Any) -> list[Block]:
        return [self.restored(each) for each in description["layers"]]

    def _size(self, part: Block | None) -> int:
        """Return the number of applications of layers in a part."""
        return self._sizes.get(id(part), 1)

    def _count(self, applications: int) -> int:
        """Add the applications of a model; raise if there are too many in all."""
        self._applications += applications
        if self._applications > MOST_APPLICATIONS:
            raise ValueError(
                f"its models apply more than {MOST_APPLICATIONS} layers, each use counted, which"
                " no file may ask for"
            )
        return applications
