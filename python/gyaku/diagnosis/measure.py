"""Measurement of one forward and backward pass, which leaves the model as it was."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.diagnosis.data import FEWEST, spread
from gyaku.train.nonfinite import Snapshot
from gyaku.train.samples import gather, gather_lengths
from gyaku.train.weights import gather_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.model import Model
    from gyaku.model.application import Application
    from gyaku.optim import Optimizer
    from gyaku.optim.base import Parametric
    from gyaku.train.criterion import Criterion
    from gyaku.train.samples import Samples
    from gyaku.train.updates import Updates

    Array = NDArray[Any]

__all__ = ["Activity", "Measures", "Weights", "measure"]

# An output is saturated where the slope is less than a fiftieth of the largest: the gradient
# through two such layers is that of 2500 others, beyond what a learning rate can make up for.
_FLAT = 0.02

# Slopes by the output, as a fraction of the largest.
_SLOPES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda y: 4 * y * (1 - y),
    "hard_sigmoid": lambda y: (y > 0) & (y < 1),
    "tanh": lambda y: 1 - y**2,
    "softsign": lambda y: (1 - abs(y)) ** 2,
}


class Activity(NamedTuple):
    """Activity of the units of a hidden layer.

    Parameters
    ----------
    layer : str
        Path of the layer.
    op : str
        Its activation.
    rows : int
        Number of outputs of each unit.
    units, dead : int
        Number of units, and of those whose outputs are all 0.
    saturated : float
        Fraction of the outputs where the activation has hardly any slope.
    """

    layer: str
    op: str
    rows: int
    units: int
    dead: int
    saturated: float


class Weights(NamedTuple):
    """Norms of a layer's weights, of their gradient and of one update.

    Parameters
    ----------
    layer : str
        Path of the layer.
    size, gradient, update : float
        Euclidean norms; the update's is NaN without an optimizer.
    """

    layer: str
    size: float
    gradient: float
    update: float


class Measures:
    """Measures of one pass.

    Parameters
    ----------
    samples : int
        Number of samples.

    Attributes
    ----------
    outputs : list of ndarray
        The outputs.
    activities : list of Activity
        One for each hidden activation.
    weights : list of Weights
        One for each trained layer with weights.
    rate : float
        Learning rate of the update; NaN without.
    constant : bool
        Whether it is that of all steps.
    begun : bool
        Whether the optimizer has trained the model before.
    bad : str or None
        Layer of the first output that is not finite, "" for the loss; None if all are finite.
    """

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.outputs: Sequence[Array] = []
        self.activities: list[Activity] = []
        self.weights: list[Weights] = []
        self.rate = np.nan
        self.constant = self.begun = False
        self.bad: str | None = None

    @property
    def updates(self) -> list[tuple[float, str]]:
        """Updates as a fraction of the weights, and the layers."""
        known = (each for each in self.weights if each.size and np.isfinite(each.update))
        return [(each.update / each.size, each.layer) for each in known]


def measure(
    model: Model,
    samples: Samples,
    criterion: Criterion,
    optimizer: Optimizer | None,
    updates: Updates,
) -> Measures:
    """Run a training step on a few samples, without its update of the model.

    Parameters
    ----------
    model : Model
        The model, built; it stays unchanged.
    samples : Samples
        The data set.
    criterion : Criterion
        The losses.
    optimizer : Optimizer or None
        The optimizer whose update is measured; it stays unchanged.
    updates : Updates
        Limits of the gradients.

    Returns
    -------
    Measures
        The measures.
    """
    found = Measures(len(spread(samples)))
    trained = model.trained  # which may move the parameters
    state = [model.flat_params, model.flat_grads, model.flat_buffers, model.clock]
    kept = Snapshot(state)
    try:
        with model.states_aside(), np.errstate(all="ignore"):
            _pass(model, samples, criterion, found)
            updates.limit(trained.flat_grads)
            sizes, gradients = _norms(model, model.params), _norms(model, model.grads)
            changes = dict.fromkeys(sizes, np.nan)
            steps = optimizer is not None and not optimizer.acts_between
            if optimizer is not None and steps and criterion.reduction == "mean":
                before = model.flat_params.copy()
                found.constant = not callable(optimizer.learning_rate)
                found.begun = optimizer.follows(trained) and optimizer.clock[0] > 0
                found.rate = _update(optimizer, trained, found.begun)
                np.subtract(model.flat_params, before, out=model.flat_params)
                changes = _norms(model, model.params)
    finally:
        kept.restore()
    found.weights = [Weights(each, sizes[each], gradients[each], changes[each]) for each in sizes]
    return found


def _pass(model: Model, samples: Samples, criterion: Criterion, found: Measures) -> None:
    """Run the forward and the backward pass."""
    rows, cursor = spread(samples), np.zeros(1, np.int64)
    place = rows, cursor, len(rows)
    x = gather(samples.x, *place, model.dtype)
    t = gather(samples.y, *place, model.dtype)
    hidden = _hidden(model)

    def watch(use: Application, y: Array) -> None:
        if found.bad is None and not np.isfinite(y).all():
            found.bad = use.path
        if id(use) in hidden:
            found.activities += _activity(use, y)

    lengths = gather_lengths(samples.lengths, *place)
    found.outputs = model.run_forward(x, training=True, seen=watch, lengths=lengths)
    weights = gather_weights(samples, *place)
    losses, dy = criterion(found.outputs, t, model.output_lengths, weights)
    if found.bad is None and not np.isfinite(losses).all():
        found.bad = ""
    model.run_backward(dy)
    if criterion.reduction == "sum":
        np.divide(model.flat_grads, len(rows), out=model.flat_grads)


def _hidden(model: Model) -> set[int]:
    """Return the applications in front of the last layer with parameters."""
    uses = model.plan.applications
    last = max((i for i, use in enumerate(uses) if use.layer.params), default=0)
    outputs = set(model.plan.outputs)
    return {id(use) for use in uses[:last] if outputs.isdisjoint(use.outputs)}


def _activity(use: Application, y: Array) -> Iterator[Activity]:
    """Yield the activity of a layer whose units may die or saturate."""
    layer: Any = use.instance
    applied = getattr(layer, "applied", None) or layer
    op = getattr(applied, "op", "") or getattr(layer, "activation", "")
    values = y.reshape(-1, y.shape[-1])
    if (op != "relu" and op not in _SLOPES) or len(values) < FEWEST:
        return
    dead = int((~values.any(axis=0)).sum()) if op == "relu" else 0
    flat = float(np.mean(_SLOPES[op](values) < _FLAT)) if op in _SLOPES else 0.0
    yield Activity(use.path, op, len(values), values.shape[1], dead, flat)


def _norms(model: Model, arrays: Mapping[str, Array]) -> dict[str, float]:
    """Return the norm of the weights of each trained layer, or of what belongs to them."""
    found = {}
    for layer in model.plan.layers:
        weights = [name for name, array in layer.params.items() if array.ndim > 1]
        if weights and layer.trainable and not layer.takes_indices:  # whose gradient is sparse
            path = model.plan.paths[id(layer)]
            each = (arrays[f"{path}.{name}"] for name in weights)
            # Sums of NumPy, since a product of BLAS would wake its threads.
            found[path] = float(np.sqrt(sum(np.square(a, dtype=np.float64).sum() for a in each)))
    return found


def _update(optimizer: Optimizer, trained: Parametric, begun: bool) -> float:
    """Take a step with a copy of the optimizer, and return its learning rate."""
    if begun:
        twin = copy.copy(optimizer)
        state = {name: array.copy() for name, array in optimizer.state.items()}
        vars(twin).update(state=state, clock=optimizer.clock.copy(), grads=trained.flat_grads)
        twin.update(trained.flat_params, trained.flat_grads)  # at the rate of the last step
    else:
        twin = copy.deepcopy(optimizer)
        twin.params = np.zeros(0)
        twin.begin(trained, 1)
        twin.step(trained)
    return twin.rate
