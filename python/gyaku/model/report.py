"""Reports: the layers of a model, the tasks of a training step, and their costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku.backend import _core, active
from gyaku.table import Table, quantity
from gyaku.train.nonfinite import Snapshot
from gyaku.train.profile import settle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Protocol

    import numpy as np
    from numpy.typing import NDArray

    from gyaku.layers.base import Views
    from gyaku.model.application import Application
    from gyaku.model.plan import Plan
    from gyaku.model.wiring import Wiring
    from gyaku.precision import Precision
    from gyaku.train.steps import Training

    class Summarized(Protocol):
        """Protocol of a model for `summary`."""

        built: bool
        plan: Plan
        wiring: Wiring
        params: Views
        buffers: Views
        flat_params: NDArray[Any]
        dtype: np.dtype[Any]
        precision: Precision
        input_shape: Any

        @property
        def title(self) -> str:
            """The name, by default that of the class."""

        def planned(self) -> Any:
            """Return the plan of a model that is not built, and more."""


__all__ = ["Printed", "listing", "overview", "profile", "summary"]


class Printed(str):
    """Text that is printed already; its repr is empty, so that interpreters do not repeat it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return ""


def overview(model: Summarized) -> str:
    """Return a model that is built as a few lines of text.

    Parameters
    ----------
    model : Summarized
        The model.

    Returns
    -------
    str
        One line for the model, and one for each layer: its name, how it was made, the shape of its
        outputs and its parameters.
    """
    uses = model.plan.applications
    names = max(len(use.path) for use in uses)
    calls = [use.layer._construction(without="name") for use in uses]
    width = max(map(len, calls))
    lines = [
        f"  {use.path:{names}}  {call:{width}}  {use.instance.output_shape}{_note(use, model.plan)}"
        for use, call in zip(uses, calls, strict=True)
    ]
    count = sum(view.size for view in model.params.values())
    title = f"{type(model).__name__} {model.title!r}, inputs {model.input_shape}"
    return "\n".join([f"{title}, {count:,} parameters of {model.dtype}", *lines])


def _note(use: Application, plan: Plan) -> str:
    held = _held(use, plan)
    if held in ("0", "shared"):
        return ", shared" * (held == "shared")
    return f", {held} parameters{'' if use.layer.trainable else ', frozen'}"


def _held(use: Application, plan: Plan) -> str:
    """Return how many parameters a use of a layer adds."""
    again = use is not plan.uses[id(use.layer)][0]
    return "shared" if again else f"{sum(view.size for view in use.instance.params.values()):,}"


def summary(model: Summarized) -> Table:
    """Return a model's layers as a table.

    Parameters
    ----------
    model : Summarized
        The model.

    Returns
    -------
    Table
        One row a layer: output shape, number of parameters, work of a forward pass, memory of the
        outputs; and its inputs, unless the layers form a chain.
    """
    plan = model.plan if model.built else model.planned()[0]
    header = ["layer", "outputs", "parameters", "work a sample", "memory a sample"]
    rows = [_row(use, model, plan) for use in plan.applications]
    footer = "not built yet: fit, predict or build((features,)) gives the shape of a sample"
    if model.built:
        count = sum(view.size for view in model.params.values())
        frozen = sum(
            view.size
            for layer in plan.layers
            if not layer.trainable
            for view in layer.params.values()
        )
        held = f" ({count - frozen:,} trainable, {frozen:,} frozen)" if frozen else ""
        kept = sum(view.size for view in model.buffers.values())
        flops = sum(use.instance.flops for use in plan.applications)
        footer = (
            f"{count:,} parameters{held} in {quantity(model.flat_params.nbytes, 'B')} of"
            f" {model.dtype}, {quantity(flops, 'FLOP')} a sample"
        )
        if model.precision != "float32":
            footer += f"; products in {model.precision} in the last fit"
        if kept:
            footer += f"; {kept:,} elements in buffers that are not trained"
    values = [*range(plan.inputs), *(use.output for use in plan.applications)]
    in_a_row = plan.inputs == 1 and all(
        use.inputs == (values[place],) for place, use in enumerate(plan.applications)
    )
    if not in_a_row:
        header.append("inputs")
        names = dict(enumerate(model.wiring.inputs))
        for use, row in zip(plan.applications, rows, strict=True):
            row.append(", ".join(names[value] for value in use.inputs))
            names[use.output] = use.path
            names |= {value: f"{use.path}[{value - use.output}]" for value in use.outputs[1:]}
    shape = "" if model.input_shape is None else f", inputs {model.input_shape}"
    return Table(f"{type(model).__name__} {model.title!r}{shape}", header, rows, footer)


def _row(use: Application, model: Summarized, plan: Plan) -> list[str]:
    layer = use.instance
    given = getattr(layer, "activation", None)
    activation = "" if given is None else f", {getattr(given, 'op', given)}"
    frozen = "" if use.layer.trainable or (model.built and not layer.params) else ", frozen"
    row = [f"{use.path} ({type(layer).__name__}{activation}{frozen})"]
    if not model.built:
        return [*row, "?", "?", "?", "?"]
    return [
        *row,
        ", ".join(map(str, layer.output_shapes)),
        _held(use, plan),
        quantity(layer.flops, "FLOP") if layer.flops or layer.native else "?",
        quantity(sum(map(math.prod, layer.output_shapes)) * model.dtype.itemsize, "B"),
    ]


class _Owners:
    """Layers by the memory of their parameters and gradients.

    Parameters
    ----------
    model : Summarized
        The model.
    """

    def __init__(self, model: Summarized) -> None:
        self.ranges = [
            (view.ctypes.data, view.ctypes.data + view.nbytes, use.path)
            for use in model.plan.applications
            for views in (use.layer.params, use.layer.grads, use.layer.buffers)
            for view in views.values()
        ]

    def of(self, task: dict[str, Any]) -> str:
        """Return the layer whose parameters or gradients a task touches, "" if it is not one."""
        touched = {
            path
            for start, stop, path in self.ranges
            for memory, size in (*task["reads"], *task["writes"])
            if start < memory + size and memory < stop
        }
        return touched.pop() if len(touched) == 1 else ""


def listing(
    model: Summarized,
    tasks: Sequence[dict[str, Any]],
    *,
    precision: str = "float32",
    temporary_bytes: int = 0,
    arena_bytes: int = 0,
) -> Table:
    """Return a program as a table.

    Parameters
    ----------
    model : Summarized
        The model.
    tasks : sequence of dict
        Its tasks, as `gyaku._core.Program.tasks` returns them.
    precision : str
        Precision of the products.
    temporary_bytes, arena_bytes : int
        The sizes of its intermediate results, and of the memory that they share.

    Returns
    -------
    Table
        One row a task: its layer, if it touches parameters or gradients of one, operations, memory
        traffic, sizes of its inputs and outputs.
    """
    owners = _Owners(model)
    rows = [
        [
            f"{index:3} {_named(task)}",
            owners.of(task),
            quantity(task["flops"], "FLOP"),
            quantity(task["bytes"], "B"),
            quantity(sum(size for _, size in task["reads"]), "B"),
            quantity(sum(size for _, size in task["writes"]), "B"),
            "all" if task.get("shared") else "one",
        ]
        for index, task in enumerate(tasks)
    ]
    flops, traffic = (sum(task[key] * task["runs"] for task in tasks) for key in ("flops", "bytes"))
    return Table(
        f"The program of a training step, products in {precision}",
        ["task", "layer", "work", "traffic", "reads", "writes", "threads"],
        rows,
        f"{len(tasks)} tasks, {quantity(flops, 'FLOP')}, {quantity(traffic, 'B')} a step;"
        f" intermediate results of {quantity(temporary_bytes, 'B')} share"
        f" {quantity(arena_bytes, 'B')}",
    )


def _named(task: Mapping[str, Any]) -> str:
    """Return the name of a task, with the number of its runs in a step."""
    return f"{task['name']} ({task['runs']} ×)" if task["runs"] > 1 else task["name"]


def profile(model: Summarized, training: Training, steps: int) -> Table:
    """Time the tasks of steps of whole batches; the model stays unchanged.

    Parameters
    ----------
    model : Summarized
        The model.
    training : Training
        The steps, none of them done.
    steps : int
        Number of steps.

    Returns
    -------
    Table
        One row a task: layer, time, fraction of the step, throughput, per cent of the roofline.

    Raises
    ------
    RuntimeError
        With the reference backend.
    """
    if not active.native:
        raise RuntimeError("profile: the reference backend has no programs; use the native one")
    before = Snapshot(training.state)
    try:
        settle(training)
        before.restore()
        each = zip(training.parts, training.runs, strict=True)
        programs = [(part.program, runs) for part, runs in each if part.program is not None]
        training.optimizer.prepare(steps)
        seconds = [taken for program, _ in programs for taken in program.profile(steps)]
    finally:
        before.restore()
    tasks = [{**task, "runs": runs} for program, runs in programs for task in program.tasks()]
    whole = sum(taken * task["runs"] for task, taken in zip(tasks, seconds, strict=True))
    # One thread may be faster than all of them: in small tasks, or on a busy machine.
    counts = {1, _core.num_threads()}
    peak = max(_core.measure_flops(str(training.model.dtype), count) for count in counts)
    bandwidths: dict[int, float] = {}
    owners = _Owners(model)
    rows = []
    for index, (task, taken) in enumerate(zip(tasks, seconds, strict=True)):
        # The bandwidth depends on the cache that the task's memory fits into; a power of two here.
        size = 1 << max(12, math.ceil(math.log2(max(1.0, task["bytes"] / 3))))
        if size not in bandwidths:
            bandwidths[size] = max(_core.measure_bandwidth(size, count) for count in counts)
        least = max(task["flops"] / peak, task["bytes"] / bandwidths[size])
        rows.append(
            [
                f"{index:3} {_named(task)}",
                owners.of(task),
                f"{1e6 * taken:.2f} µs",
                f"{100 * taken * task['runs'] / max(whole, 1e-12):.1f} %",
                f"{task['flops'] / max(taken, 1e-12) / 1e9:.1f}",
                f"{task['bytes'] / max(taken, 1e-12) / 1e9:.1f}",
                "" if task["host"] else f"{100 * least / max(taken, 1e-12):.0f} %",
            ]
        )
    skipping = any("skips zeros" in task["name"] for task in tasks)
    return Table(
        f"A training step of {training.batch_size} samples, task by task",
        ["task", "layer", "time", "share", "GFLOP/s", "GB/s", "of the roofline"],
        rows,
        f"{1e6 * whole:.1f} µs a step, task by task; the machine reaches"
        f" {peak / 1e9:.0f} GFLOP/s"
        + ("; skipped work counts as done" if skipping else "")
        + f"\n{training.threads}",
    )
