"""Capture and replay: a step of Python that runs once and is then repeated natively."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakMethod

from gyaku.backend import _core, active

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Step", "Steps", "description", "repeat"]

MOST = 8
"""How many shapes of batches keep their programs."""


class Step:
    """A step, written as a method that calls operations on buffers.

    Parameters
    ----------
    method : bound method
        What the step does. All that changes from step to step must lie in buffers. It may
        return the arrays that are to be read after a replay: no other results are kept.
    *arguments : object
        What it is called with.

    Attributes
    ----------
    program : gyaku._core.Program or None
        What was captured; None before the first run and with the reference backend.
    """

    __slots__ = ("_arguments", "_method", "program")

    def __init__(
        self, method: Callable[..., Sequence[NDArray[Any]] | None], *arguments: Any
    ) -> None:
        # Weak, so that the method's owner and its buffers go as soon as nobody needs them.
        self._method = WeakMethod(method)
        self._arguments = arguments
        self.program: Any = None

    def run(self) -> None:
        """Run the step in Python, and capture it if that is possible."""
        method = self._method()
        assert method is not None
        if not active.native:
            method(*self._arguments)
            return
        program = _core.Program()
        program.begin()
        try:
            outputs = method(*self._arguments)
        except BaseException:
            program.abort()
            raise
        program.end(outputs or ())
        self.program = program


class Steps:
    """The steps of a method, one for each shape of a batch.

    Parameters
    ----------
    method : bound method
        The method of each step; see `Step`.
    most : int
        How many steps are kept: of more the least recently used goes.
    """

    __slots__ = ("_method", "_most", "_steps")

    def __init__(
        self, method: Callable[..., Sequence[NDArray[Any]] | None], most: int = MOST
    ) -> None:
        self._method = WeakMethod(method)
        self._most = most
        self._steps: dict[tuple[int, ...], Step] = {}  # the least recently used first

    def of(self, *shape: int) -> Step:
        """Return the step of a shape.

        Parameters
        ----------
        *shape : int
            The shape, with which the method is called.

        Returns
        -------
        Step
            The step, which is captured if it was run lately.
        """
        step = self._steps.pop(shape, None)
        if step is None:
            method = self._method()
            assert method is not None
            step = Step(method, *shape)
        self._steps[shape] = step
        if len(self._steps) > self._most:
            del self._steps[next(iter(self._steps))]
        return step

    def __len__(self) -> int:
        return len(self._steps)


def repeat(plan: Sequence[tuple[Step, int]], times: int = 1) -> None:
    """Run steps, each as often as the plan says, natively as far as they are captured.

    Parameters
    ----------
    plan : sequence of (Step, int)
        Steps and how often each is run before the next one's turn.
    times : int
        How often the plan is run.
    """
    plan = [(step, count) for step, count in plan if count]
    if not active.native:
        for _ in range(times):
            for step, count in plan:
                for _ in range(count):
                    step.run()
        return
    if any(step.program is None for step, _ in plan):
        for step, count in plan:
            first = step.program is None
            if first:
                step.run()
            _core.replay([(step.program, count - first)])
        times -= 1
    if times:
        _core.replay([(step.program, count) for step, count in plan], times)


def description(steps: Sequence[Step]) -> dict[str, Any]:
    """Return what steps consist of.

    Parameters
    ----------
    steps : sequence of Step
        The steps, such as the parts of one.

    Returns
    -------
    dict
        ``tasks``, a dict for each; ``temporary_bytes``, what its intermediate results take, and
        ``arena_bytes``, the memory they share. Empty if none was captured.
    """
    programs = [step.program for step in steps if step.program is not None]
    if not programs:
        return {}
    return {
        "tasks": [task for program in programs for task in program.tasks()],
        "temporary_bytes": sum(program.temporary_bytes for program in programs),
        "arena_bytes": sum(program.arena_bytes for program in programs),
    }
