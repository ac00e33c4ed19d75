"""Capture and replay: a step of Python that runs once and is then repeated natively."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku import _core
from gyaku.backend import active

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

__all__ = ["Step", "repeat", "tasks_of"]


class Step:
    """A step, written as a function that calls operations on buffers.

    Parameters
    ----------
    function : callable
        What the step does. All that changes from step to step must lie in buffers.

    Attributes
    ----------
    program : gyaku._core.Program or None
        What was captured; None before the first run and with the reference backend.
    """

    __slots__ = ("_function", "program")

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self.program: Any = None

    def run(self) -> None:
        """Run the step in Python, and capture it if that is possible."""
        if not active.native:
            self._function()
            return
        program = _core.Program()
        program.begin()
        try:
            self._function()
        except BaseException:
            program.abort()
            raise
        program.end()
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
        _core.replay([(step.program, count) for step, count in plan] * times)


def tasks_of(step: Step) -> list[dict[str, Any]]:
    """Return what a step consists of.

    Parameters
    ----------
    step : Step
        The step.

    Returns
    -------
    list of dict
        One for each task; empty if the step was not captured.
    """
    return [] if step.program is None else step.program.tasks()
