"""What a model is made of, as JSON can hold it: classes by name, their arguments, and wires."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.components import Configured
from gyaku.init import INITIALIZERS
from gyaku.model.graph import Model
from gyaku.model.residual import Residual
from gyaku.model.sequential import Sequential
from gyaku.model.wiring import Wiring
from gyaku.names import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from gyaku.symbolic import Block

__all__ = ["Architecture", "described", "restored"]


class Architecture:
    """Parts that were described or restored, so that a shared one stays one.

    Parameters
    ----------
    table : mapping of str to type, optional
        The layers that a description may name.
    """

    def __init__(self, table: Mapping[str, Any] | None = None) -> None:
        self.table = table or {}
        self.parts: list[Block | None] = []

    def described(self, part: Block) -> dict[str, Any]:
        """Return what would make a part again.

        Parameters
        ----------
        part : Block
            A layer or a model.

        Returns
        -------
        dict
            Its class, name and arguments; for a part that was described before, its number.

        Raises
        ------
        TypeError
            If it was made with something that a file cannot hold.
        """
        for number, other in enumerate(self.parts):
            if other is part:
                return {"again": number}
        self.parts.append(part)
        if isinstance(part, Residual):
            shortcut = None if part.shortcut is None else self.described(part.shortcut)
            found: dict[str, Any] = {"class": "Residual", "shortcut": shortcut}
            layers = part.body
        elif isinstance(part, Sequential):
            found = {"class": "Sequential"}
            layers = part.layers
        elif isinstance(part, Model):
            wires = part.wiring
            found = {"class": "Model", "inputs": wires.inputs, "shapes": wires.shapes}
            found |= {"calls": wires.calls, "outputs": wires.outputs}
            if any(wires.dtypes):
                found["dtypes"] = wires.dtypes
            layers = part.layers
        else:
            assert isinstance(part, Configured)
            return described(part) | {"name": part.name}
        return found | {"name": part.name, "layers": [self.described(each) for each in layers]}

    def restored(self, description: Any, **options: Any) -> Block:
        """Return the part that a description describes.

        Parameters
        ----------
        description : dict
            What `described` returned.
        **options : object
            More arguments of the constructor.

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


def described(given: Any) -> dict[str, Any]:
    """Return class and arguments of an object, as JSON can hold them.

    Parameters
    ----------
    given : Configured
        The object.

    Returns
    -------
    dict
        The description.

    Raises
    ------
    TypeError
        If it was made with something that a file cannot hold.
    """
    return {
        "class": type(given).__name__,
        "config": {name: _plain(given, name, value) for name, value in given.config().items()},
    }


def _plain(owner: Configured, name: str, value: object) -> object:
    if isinstance(value, Configured):
        return described(value)
    if isinstance(value, (tuple, list)):
        return [_plain(owner, name, each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"save: {owner!r} cannot be saved, its {name} is {value!r}")


def restored(description: Any, table: Mapping[str, Any]) -> Any:
    """Return the object that a description describes, if its class is in the table.

    Parameters
    ----------
    description : dict
        What `described` returned.
    table : mapping of str to type
        The classes that it may name.

    Returns
    -------
    object
        The object.

    Raises
    ------
    ValueError
        If there is no such class.
    """
    name = description["class"]
    if name not in table:
        raise ValueError(
            unknown("layer", name, table)
            + f"; a layer of your own is given by load(path, layers={{{name!r}: {name}}})"
        )
    nested = {**table, **{each.__name__: each for each in INITIALIZERS.values()}}
    config = {
        key: restored(value, nested) if isinstance(value, dict) else value
        for key, value in description["config"].items()
    }
    made = table[name](**config)
    if "name" in description:
        made.name = description["name"]
    return made
