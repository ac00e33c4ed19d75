"""Memory of an exported forward pass: which values share a buffer, and where each one lies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gyaku.interop.source.forward_pass import ForwardPass

__all__ = ["Memory"]

_ALIASES = {"reshape", "split_steps", "join_steps"}
"""Steps that change no element."""
_IN_PLACE = {"map", "rescale", "affine"}
"""Steps that may write over their input."""


class Memory:
    """Buffers of the values of a forward pass.

    Parameters
    ----------
    made : ForwardPass
        The steps.
    scratch : mapping of int to int
        Elements that a step needs for itself, by its index.

    Attributes
    ----------
    buffers : list of int
        For each value the one whose buffer it shares, itself without.
    offsets : dict of int to int
        Beginning of each buffer in the workspace; the inputs and outputs of the model have none.
    of_scratch : dict of int to int
        Beginning of the scratch of each step that has one.
    size : int
        Elements of the workspace.
    used : set of int
        Values that a step reads, or that are outputs.
    """

    def __init__(self, made: ForwardPass, scratch: Mapping[int, int]) -> None:
        self.buffers = list(range(len(made.values)))
        self.used = {*made.outputs, *(each for step in made.steps for each in step.inputs)}
        for step in made.steps:
            if step.kind in _ALIASES:
                self.buffers[step.outputs[0]] = self.buffers[step.inputs[0]]
        lives = self._lives(made)
        for number, step in enumerate(made.steps):
            source = self.buffers[step.inputs[0]]
            if step.kind in _IN_PLACE and lives[source][1] == number and source not in made.inputs:
                self._join(step.outputs[0], source, lives)
        kept = {self.buffers[each] for each in (*made.inputs, *made.outputs)}
        sizes = dict.fromkeys(lives.keys() - kept, 0)
        for value, buffer in enumerate(self.buffers):
            if buffer in sizes:
                sizes[buffer] = max(sizes[buffer], self.elements(made, value))
        spans = [(sizes[n], *lives[n], ("value", n)) for n in sizes]
        spans += [(size, n, n, ("scratch", n)) for n, size in scratch.items()]
        placed, self.size = _placed(spans)
        self.offsets = {n: at for (kind, n), at in placed.items() if kind == "value"}
        self.of_scratch = {n: at for (kind, n), at in placed.items() if kind == "scratch"}

    @staticmethod
    def elements(made: ForwardPass, value: int) -> int:
        """Return the number of elements of a value.

        Parameters
        ----------
        made : ForwardPass
            The steps.
        value : int
            Its index.

        Returns
        -------
        int
            The number, for one sample of the model.
        """
        found = made.values[value]
        return found.repeat * math.prod(found.shape)

    def _lives(self, made: ForwardPass) -> dict[int, tuple[int, int]]:
        """Return the first and the last step of each buffer."""
        end = len(made.steps)
        lives: dict[int, tuple[int, int]] = {}

        def seen(value: int, number: int) -> None:
            buffer = self.buffers[value]
            first, last = lives.get(buffer, (number, number))
            lives[buffer] = (min(first, number), max(last, number))

        for value in made.inputs:
            seen(value, -1)
        for number, step in enumerate(made.steps):
            # A recurrent layer whose sequence nobody reads does not store it.
            optional = {*step.outputs[:1]} if len(step.outputs) > 1 else set()
            for value in {*step.inputs, *step.outputs} - (optional - self.used):
                seen(value, number)
        for value in made.outputs:
            seen(value, end)
        return lives

    def _join(self, value: int, buffer: int, lives: dict[int, tuple[int, int]]) -> None:
        """Let a value, and those that share its buffer, lie in another one."""
        own = self.buffers[value]
        self.buffers = [buffer if each == own else each for each in self.buffers]
        lives[buffer] = (lives[buffer][0], max(lives[buffer][1], lives.pop(own)[1]))


def _placed(
    spans: list[tuple[int, int, int, tuple[str, int]]],
) -> tuple[dict[tuple[str, int], int], int]:
    """Return the beginning of each buffer, large ones first, and the end of the last."""
    placed: list[tuple[int, int, int, int]] = []
    found: dict[tuple[str, int], int] = {}
    for size, first, last, key in sorted(spans, key=lambda each: (-each[0], each[3])):
        at = 0
        for begin, end, *steps in sorted(placed):
            if steps[0] <= last and first <= steps[1] and begin < at + size and at < end:
                at = end
        placed.append((at, at + size, first, last))
        found[key] = at
    return found, max((end for _, end, *_ in placed), default=0)
