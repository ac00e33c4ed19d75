"""Connections of the parts of a model, by index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.names import snake_case
from gyaku.symbolic import Block, Node, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

__all__ = ["Wiring", "chain", "name_parts", "stem_of", "wired"]


class Wiring:
    """Connections of the parts of a model.

    Parameters
    ----------
    inputs : sequence of str
        The names of the inputs, which are the first values.
    shapes : sequence of tuple of int or None
        Their sample shapes, if known.
    calls : sequence of (int, tuple of int)
        Index of the part and indices of its input values, for each call; its outputs are the next
        values.
    outputs : sequence of int
        Indices of the output values.
    dtypes : sequence of str, optional
        Dtypes of the inputs that hold indices, "" for the others.
    """

    __slots__ = ("calls", "dtypes", "inputs", "outputs", "shapes")

    def __init__(
        self,
        inputs: Sequence[str],
        shapes: Sequence[Sequence[int]] | None,
        calls: Sequence[tuple[int, Sequence[int]]],
        outputs: Sequence[int],
        dtypes: Sequence[str] | None = None,
    ) -> None:
        self.inputs = tuple(inputs)
        self.shapes = None if shapes is None else tuple(tuple(shape) for shape in shapes)
        self.calls = tuple((part, tuple(values)) for part, values in calls)
        self.outputs = tuple(outputs)
        self.dtypes = tuple(dtypes or [""] * len(self.inputs))

    def __reduce__(self) -> tuple[Any, ...]:
        return Wiring, (self.inputs, self.shapes, self.calls, self.outputs, self.dtypes)

    def output_names(self, parts: Sequence[Block]) -> tuple[str, ...]:
        """Return the names of the outputs.

        Parameters
        ----------
        parts : sequence of Block
            The parts.

        Returns
        -------
        tuple of str
            The names of their parts, numbered if a part has several outputs.
        """
        names = list(self.inputs)
        for part, _ in self.calls:
            names += [parts[part].name] * parts[part].arity[1]
        numbered = Numbered()
        return tuple([numbered.name(names[value]) for value in self.outputs])


class Numbered:
    """Distinct names: "dense", "dense_2", "dense_3" and so on.

    Parameters
    ----------
    taken : iterable of str
        Names that are taken already.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._counts: dict[str, int] = {}  # of the last name of each stem

    def name(self, stem: str) -> str:
        """Return the next free name of a stem, which is taken then.

        Parameters
        ----------
        stem : str
            The name without a number.

        Returns
        -------
        str
            The name.
        """
        count = self._counts.get(stem, 0) + 1
        while (name := stem if count == 1 else f"{stem}_{count}") in self._taken:
            count += 1
        self._counts[stem] = count
        self._taken.add(name)
        return name


def chain(count: int) -> Wiring:
    """Return the connections of a chain.

    Parameters
    ----------
    count : int
        Number of parts.

    Returns
    -------
    Wiring
        One input, one output.
    """
    return Wiring(["x"], None, [(part, (part,)) for part in range(count)], [count])


def wired(
    inputs: Tensor | Sequence[Tensor], outputs: Tensor | Sequence[Tensor]
) -> tuple[list[Block], Wiring]:
    """Return the parts of a graph and their connections.

    Parameters
    ----------
    inputs, outputs : Tensor or sequence of Tensor
        Inputs and outputs of the graph.

    Returns
    -------
    parts : list of Block
        The parts, each once, in the order of their first calls.
    wiring : Wiring
        The connections.

    Raises
    ------
    TypeError
        If an input or output is no symbolic tensor.
    ValueError
        If the outputs depend on a tensor that is not an input, or an input is unused.
    """
    starts, ends = _tensors("inputs", inputs), _tensors("outputs", outputs)
    for each in starts:
        if each.node:
            raise ValueError(f"Model: inputs must come from gyaku.Input, got {each!r}")
    calls = _calls(ends)
    if not calls:
        raise ValueError("Model: there is no layer between inputs and outputs")
    numbers: dict[tuple[int, int], int] = {}  # by call and position
    known = {id(each): number for number, each in enumerate(starts)}
    if len(known) < len(starts):
        raise ValueError("Model: an input occurs twice")

    def number_of(tensor: Tensor) -> int:
        if tensor.node:
            return numbers[id(tensor.node), tensor.position]
        if id(tensor) not in known:
            raise ValueError(f"Model: the outputs depend on {tensor!r}, which is not in inputs")
        return known[id(tensor)]

    parts: list[Block] = []
    indices: dict[int, int] = {}
    listed = []
    count = len(starts)
    for node in calls:
        index = indices.setdefault(id(node.part), len(parts))
        if index == len(parts):
            parts.append(node.part)
        listed.append((index, [number_of(tensor) for tensor in node.inputs]))
        for position in range(node.part.arity[1]):
            numbers[id(node), position] = count
            count += 1
    results = [number_of(tensor) for tensor in ends]
    used = {value for _, values in listed for value in values}.union(results)
    for number, each in enumerate(starts):
        if number not in used:
            raise ValueError(f"Model: no output depends on {each!r}")
    names = [each.name or f"x{number}" for number, each in enumerate(starts, 1)]
    if len(set(names)) < len(names):
        raise ValueError(f"Model: two inputs have the same name, got {', '.join(names)}")
    dtypes = [each.dtype for each in starts]
    return parts, Wiring(names, [each.shape for each in starts], listed, results, dtypes)


def _tensors(name: str, given: object) -> list[Tensor]:
    listed: list[Any] = list(given) if isinstance(given, (tuple, list)) else [given]
    for each in listed:
        if not isinstance(each, Tensor):
            raise TypeError(
                f"Model: {name} must be results of gyaku.Input or of layers called on them, got"
                f" {each!r}"
            )
    if not listed:
        raise ValueError(f"Model: {name} is empty")
    return listed


def _calls(ends: Sequence[Tensor]) -> list[Node]:
    """Return the calls that tensors depend on, in their order."""
    found: dict[int, Node] = {}
    waiting = [each.node for each in ends if each.node]
    while waiting:
        node = waiting.pop()
        if node.number not in found:
            found[node.number] = node
            waiting += [each.node for each in node.inputs if each.node]
    return [found[number] for number in sorted(found)]


def name_parts(owner: str, parts: Sequence[Block]) -> None:
    """Name each part without a name after its class: dense, dense_2 and so on.

    Parameters
    ----------
    owner : str
        The model, for the error.
    parts : sequence of Block
        The parts.

    Raises
    ------
    TypeError
        If a name is no text.
    ValueError
        If two have the same name.
    """
    for part in parts:
        given: object = part.name
        if not isinstance(given, str):
            kind = type(part).__name__
            raise TypeError(f"{owner}: the name of a {kind} must be text, got {given!r}")
    taken = {part.name for part in parts if part.name}
    if len(taken) < sum(bool(part.name) for part in parts):
        raise ValueError(f"{owner}: two layers have the same name")
    numbered = Numbered(taken)
    for part in parts:
        if not part.name:
            part.name = numbered.name(stem_of(part))


def stem_of(part: Block) -> str:
    """Return the default name of a part, without a number.

    Parameters
    ----------
    part : Block
        The part.

    Returns
    -------
    str
        Its class name in snake case, such as "leaky_relu".
    """
    given = getattr(part, "op", "")
    return given or snake_case(type(part).__name__)
