"""Capture and replay: a step of Python that runs once and is then repeated natively."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakMethod

from gyaku.backend import _core, active

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Step", "description", "repeat"]


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


def description(step: Step) -> dict[str, Any]:
    """Return what a step consists of.

    Parameters
    ----------
    step : Step
        The step.

    Returns
    -------
    dict
        ``tasks``, a dict for each; ``temporary_bytes``, what its intermediate results take, and
        ``arena_bytes``, the memory they share. Empty if the step was not captured.
    """
    program = step.program
    if program is None:
        return {}
    return {
        "tasks": program.tasks(),
        "temporary_bytes": program.temporary_bytes,
        "arena_bytes": program.arena_bytes,
    }
