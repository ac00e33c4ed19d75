"""All or nothing: objects that are as before after an error or an interrupt."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gyaku.symbolic import Block

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

__all__ = ["all_or_nothing"]


@contextmanager
def all_or_nothing(blocks: Iterable[Block]) -> Iterator[None]:
    """Restore the attributes of layers and models, and those of their parts, if the body fails.

    Parameters
    ----------
    blocks : iterable of Block
        The layers and models.

    Yields
    ------
    None
        Nothing.
    """
    found: dict[int, Block] = {}
    _collect(blocks, found)
    attributes = [(vars(block), dict(vars(block))) for block in found.values()]
    # Clones share the dicts of arrays of their originals, which therefore stay the same objects.
    dicts = [
        (value, dict(value))
        for _, before in attributes
        for value in before.values()
        if isinstance(value, dict)
    ]
    try:
        yield
    except BaseException:
        for changed, before in (*dicts, *attributes):
            dict.clear(changed)
            dict.update(changed, before)
        raise


def _collect(blocks: Iterable[Any], found: dict[int, Block]) -> None:
    for block in blocks:
        if isinstance(block, Block) and id(block) not in found:
            found[id(block)] = block
            _collect(vars(block).values(), found)
        elif isinstance(block, (tuple, list)):
            _collect(block, found)
