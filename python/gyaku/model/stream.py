"""Models of sequences on signals that arrive one step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku import _core, memory
from gyaku.checks import whole
from gyaku.layers.recurrence import Recurrent
from gyaku.layers.wrapper import Bidirectional
from gyaku.symbolic import label
from gyaku.train.capture import Step
from gyaku.train.conversion import indices, real, to_dtype

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from gyaku.layers.base import Layer
    from gyaku.model.graph import Graph
    from gyaku.model.plan import Plan

__all__ = ["Stream"]


class Stream:
    """A model of sequences that is fed step by step, and keeps the states between the steps.

    Parameters
    ----------
    model : Model
        The model, with one input; it stays unchanged, and its parameters are those of the stream.
    samples : int or None
        Number of signals side by side; None is one, without the axis of the samples.

    Raises
    ------
    ValueError
        If the model is not built, or needs several steps at once.

    Notes
    -----
    The outputs have the same bits as those of `Model.forward` for the sequence so far, whose steps
    are not computed again. No step is padding: an id 0 is a word, as within a sequence. See
    `Model.stream`.
    """

    def __init__(self, model: Graph, samples: int | None = None) -> None:
        self.samples = None if samples is None else whole("stream", "samples", samples)
        self._model = model
        self._flat: NDArray[Any] | None = None  # the parameters of the captured program
        self._captured: _core.Program | None = None
        self._plan, timed = _plan_of_a_step(model)
        uses = self._plan.applications
        self._layers = [each.instance for each in uses if isinstance(each.instance, Recurrent)]
        rows = () if samples is None else (samples,)
        (_, *features), *_ = self._plan.input_shapes
        self._indices = model.input_dtypes[0]
        dtype = self._indices.replace("integer", "int64") or model.dtype
        self._x = memory.zeros((samples or 1, 1, *features), dtype)
        self._given = self._x.reshape((*rows, *features))
        self._inputs = [self._given]
        self._outputs: list[NDArray[Any]] = []
        # Attributes of arrays that each step asks for take a part of its time.
        self._shape = self._given.shape
        self._dtype = None if self._indices else self._x.dtype  # of steps that need no conversion
        self._shapes = [
            (*rows, *(shape[1:] if value in timed else shape))
            for value, shape in zip(self._plan.outputs, self._plan.output_shapes, strict=True)
        ]

    def __repr__(self) -> str:
        signals = "one signal" if self.samples is None else f"{self.samples} signals"
        return f"<stream of {signals} through {label(self._model)}>"

    def __call__(self, x: ArrayLike) -> Any:
        """Return the outputs of the next step.

        Parameters
        ----------
        x : array_like
            The step: its features, or with `samples` a row of them for each signal.

        Returns
        -------
        ndarray or tuple of ndarray
            The output, without an axis of time; a tuple of several.

        Raises
        ------
        TypeError
            If x does not hold numbers, or integers for a model of indices.
        ValueError
            If x has another shape, or an index is out of range.
        """
        step = x if type(x) is np.ndarray else real("stream", "x", x, whole=bool(self._indices))
        if step.shape != self._shape:
            raise ValueError(f"stream: a step must have shape {self._shape}, got {step.shape}")
        if step.dtype is not self._dtype:
            step = self._read(step)
        program = self._captured
        if program is None or self._flat is not self._model.flat_params or not _core.is_native():
            self._given[...] = step
            self._capture()
            found = [each.copy() for each in self._outputs]
        else:
            found = program.answer([step], self._inputs, self._outputs)
        return found[0] if len(found) == 1 else tuple(found)

    def _read(self, step: NDArray[Any]) -> NDArray[Any]:
        """Return a step as the model reads its inputs: real numbers, or indices that it has."""
        if self._indices:
            ids = indices("stream", "x", np.atleast_1d(step), self._indices)
            self._model.check_indices("stream", "x", 0, ids)
            return ids.reshape(step.shape)
        return to_dtype("stream", "x", step, self._x.dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the model and the states, with which a copy goes on by itself."""
        states = [
            [each.copy() for found in layer.carried.values() for each in found]
            for layer in self._layers
        ]
        return _resumed, (self._model, self.samples, states)

    def _capture(self) -> None:
        """Run the step in Python, and capture it, once the parameters have their place."""
        step = Step(self._run)
        step.run()
        if step.program is not None:
            self._flat, self._captured = self._model.flat_params, step.program

    def reset(self) -> None:
        """Begin a new sequence, with states of zero."""
        for layer in self._layers:
            layer.reset_states()

    def _run(self) -> list[NDArray[Any]]:
        """Compute one step; replay fills the same outputs again."""
        found = self._plan.forward([self._x], False)
        self._outputs = [y.reshape(s) for y, s in zip(found, self._shapes, strict=True)]
        return found


def _resumed(model: Graph, samples: int | None, states: list[list[NDArray[Any]]]) -> Stream:
    """Return a stream that goes on from given states, those of each recurrent layer."""
    stream = Stream(model, samples)
    for layer, found in zip(stream._layers, states, strict=True):
        if found:
            for state, each in zip(layer.carry(len(found[0])), found, strict=True):
                state[...] = each
    return stream


def _plan_of_a_step(model: Graph) -> tuple[Plan, set[int]]:
    """Return a plan of clones for one step of a sequence, and the values that are sequences."""
    if not model.built:
        raise ValueError(f"stream: {label(model)} is not built yet; call fit or build first")
    inputs = len(model.wiring.inputs)
    if inputs != 1:
        raise ValueError(f"stream: {label(model)} must have one input, got {inputs}")
    shape = model.plan.input_shapes[0]
    if not shape[0 if model.input_dtypes[0] else 1 :]:
        raise ValueError(
            f"stream: {label(model)} takes samples of shape {shape}, which have no axis of time"
        )
    timed = {0}
    for use in model.plan.applications:
        if timed.isdisjoint(use.inputs):
            continue
        layer = use.layer
        if isinstance(layer, Recurrent) and len(use.inputs) > 1:
            raise ValueError(f"stream: {layer} begins with a given state, not with that before")
        if not _goes_by_step(use.instance) or not timed.issuperset(use.inputs):
            raise ValueError(f"stream: {layer} needs several steps of a sequence at once")
        if getattr(layer, "return_sequences", True):
            timed.add(use.output)
    plan, _ = model.planned()
    plan.build([(1, *model.plan.input_shapes[0][1:])], clones_only=True)
    plan.share_parameters()
    for use in plan.applications:
        use.instance.finds_lengths = False  # no step of a stream is padding
        if isinstance(use.instance, Recurrent):
            use.instance.stateful = True
    return plan, timed


def _goes_by_step(layer: Layer) -> bool:
    """Return whether an output of a layer needs one step, and at most a state, of a sequence.

    A user's layer may look at other steps though it treats all alike.
    """
    backwards = isinstance(layer, Bidirectional) or getattr(layer, "go_backwards", False)
    return layer.any_steps and layer._builtin and not backwards
