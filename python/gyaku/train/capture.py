"""Capture and replay: one run of a step in Python, then native repetitions."""

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
"""Number of batch shapes whose programs are kept."""


class Step:
    """Step of a training: a method that calls operations on buffers.

    Parameters
    ----------
    method : bound method
        Body of the step. Everything that changes from step to step must lie in buffers. It may
        return the arrays to read after a replay: no other results are kept.
    *arguments : object
        Arguments of the method.

    Attributes
    ----------
    program : gyaku._core.Program or None
        Captured program; None before the first run and with the reference backend.
    """

    __slots__ = ("_arguments", "_method", "program")

    def __init__(
        self, method: Callable[..., Sequence[NDArray[Any]] | None], *arguments: Any
    ) -> None:
        # Weak, so that the method's owner and its buffers are freed with their last user.
        self._method = WeakMethod(method)
        self._arguments = arguments
        self.program: Any = None

    def run(self) -> None:
        """Run the step in Python, and capture it with the native backend."""
        method = self._method()
        assert method is not None
        if not active.native:
            method(*self._arguments)
            return
        program = _core.Program()
        program.record(lambda: method(*self._arguments))
        self.program = program


class Steps:
    """Steps of a method, one for each batch shape; the least recently used is dropped.

    Parameters
    ----------
    method : bound method
        Method of each step; see `Step`.
    most : int
        Number of steps to keep.
    """

    __slots__ = ("_method", "_most", "_steps")

    def __init__(
        self, method: Callable[..., Sequence[NDArray[Any]] | None], most: int = MOST
    ) -> None:
        self._method = WeakMethod(method)
        self._most = most
        self._steps: dict[tuple[int, ...], Step] = {}  # the least recently used first

    def of(self, *shape: int) -> Step:
        """Return the step for a batch shape.

        Parameters
        ----------
        *shape : int
            Batch shape, the arguments of the method.

        Returns
        -------
        Step
            The step, captured already if it was run recently.
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
    """Run the steps of a plan, natively where they are captured.

    Parameters
    ----------
    plan : sequence of (Step, int)
        Steps, each with the number of its runs before the next one.
    times : int
        Number of runs of the whole plan.
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


def description(steps: Sequence[Step], runs: Sequence[int], precision: str) -> dict[str, Any]:
    """Describe the programs of steps.

    Parameters
    ----------
    steps : sequence of Step
        The steps, such as the parts of one.
    runs : sequence of int
        Number of runs of each of them.
    precision : str
        Precision of their products.

    Returns
    -------
    dict
        ``precision``; ``tasks``, a dict for each with its ``runs`` in a step;
        ``temporary_bytes``, the size of the intermediate results, and ``arena_bytes``, the memory
        that they share. Empty if none was captured.
    """
    each = [(step.program, n) for step, n in zip(steps, runs, strict=True) if step.program]
    if not each:
        return {}
    programs = [program for program, _ in each]
    return {
        "precision": precision,
        "tasks": [{**task, "runs": n} for program, n in each for task in program.tasks()],
        "temporary_bytes": sum(program.temporary_bytes for program in programs),
        "arena_bytes": sum(program.arena_bytes for program in programs),
    }
