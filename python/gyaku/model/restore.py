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
            If there is no such class.
        """
        if "again" in description:
            known: Block | None = self.parts[description["again"]]
            if known is None:
                raise ValueError("a model is a part of itself")
            return known
        number = len(self.parts)
        self.parts.append(None)
        part = self._made(description, {"name": description["name"]} | options)
        self.parts[number] = part
        return part

    def _made(self, description: Any, options: dict[str, Any]) -> Block:
        kind = description["class"]
        if kind == "Residual":
            beside = description["shortcut"]
            shortcut = None if beside is None else self.restored(beside)
            return Residual(*self._layers(description), shortcut=shortcut, **options)
        if kind == "Model":
            names = ("inputs", "shapes", "calls", "outputs", "dtypes")
            wires = Wiring(*(description.get(name) for name in names))
            return Model._of((self._layers(description), wires), **options)
        if "layers" in description:
            return Sequential(*self._layers(description), **options)
        layer: Block = restored(description, self.table)
        return layer

    def _layers(self, description: Any) -> list[Block]:
        return [self.restored(each) for each in description["layers"]]
