"""A gradient step of a network as a program: recorded once, then replayed natively."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import memory, ops
from gyaku.backend import _core, active
from gyaku.dlfs.functions import labels_of
from gyaku.dlfs.images import elementwise
from gyaku.dlfs.layers import (
    Affine,
    Convolution,
    Pooling,
    Relu,
    Sigmoid,
    SoftmaxWithLoss,
    Tanh,
    Weighted,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from gyaku.dlfs.optimizer import Rule

    Array = NDArray[Any]

__all__: list[str] = []

RECORDED = {Affine, Convolution, Pooling, Relu, Sigmoid, Tanh}
"""Layers whose passes consist of operations alone; a subclass may do anything."""

MOST = 4
"""Number of steps that are kept, the least recently used is dropped."""

LARGEST = 1 << 25
"""Bytes of a batch that is worth a program."""

SOURCES = (np.uint8, np.float32, np.float64)
"""Dtypes of the rows that a gather converts."""


class Step:
    """The gradients of a network at rows of data, and their update by an optimizer.

    Layers are recorded as clones that share the parameters, so that those of the network keep
    what they saved in a forward pass.

    Parameters
    ----------
    network : Network
        The network.
    source : ndarray
        Data, of shape (samples, ...).
    rows : int
        Number of samples of a step.
    rule : Rule or None, optional
        Optimizer that updates the parameters; None computes gradients alone.
    """

    def __init__(self, network: Any, source: Array, rows: int, rule: Rule | None = None) -> None:
        self._params, self._rule = dict(network.params), rule
        self._layers: list[Any] = [*network.layers.values()]
        self._last, self._decay = network.last_layer, network.weight_decay_lambda
        weights = self._layers[-1].W
        self._source, self._dtype, self._shape = source, weights.dtype, (rows, weights.shape[1])
        self._order = np.arange(rows)
        self._cursor = memory.zeros((1,), np.int64)
        self._labels = memory.zeros((rows,), np.int64)
        self._program: Any = None
        self._gradients: list[tuple[Weighted, tuple[Any, Any]]] = []

    def differentiate(self, x: Array, t: Array) -> None:
        """Set the gradients of the network's layers.

        Parameters
        ----------
        x : ndarray
            Samples, copied into the data.
        t : ndarray
            Labels, or rows with a one.
        """
        self._set_labels(t)
        self._source[...] = x
        self._run()
        self._last.share(self._end, t)
        for layer, (dw, db) in self._gradients:
            layer.grads[:] = layer.dW, layer.db = dw.copy(), db.copy()

    def train(self, chosen: Array, t: Array) -> float:
        """Update the parameters by the gradients at some rows, and return the loss behind it.

        Parameters
        ----------
        chosen : ndarray of int
            Indices of the rows.
        t : ndarray
            Their labels, or rows with a one.

        Returns
        -------
        float
            The loss at the same rows.
        """
        assert self._rule is not None
        self._set_labels(t)
        self._order[:] = chosen
        self._rule.tick()
        self._run()
        return float(self._end.saved()[0][0])

    def _set_labels(self, t: Array) -> None:
        self._labels[:] = labels_of("SoftmaxWithLoss", self._shape, np.asarray(t))
        if self._labels.view(np.uint64).max() >= self._shape[1]:
            ops.softmax_cross_entropy(np.zeros(self._shape), self._labels)  # raises

    def _run(self) -> None:
        if self._program is None:
            program = _core.Program()
            program.record(self._record)
            self._program = program
        else:
            _core.replay([(self._program, 1)])

    def _record(self) -> Sequence[Array]:
        layers, self._end = [copy(layer) for layer in self._layers], copy(self._last)
        batch = memory.empty((len(self._order), *self._source.shape[1:]), self._dtype)
        ops.gather(self._source, self._order, self._cursor, batch)
        self._forward(layers, batch)
        backward(layers, self._end.dx)
        pairs = zip(self._layers, layers, strict=True)
        self._gradients = [
            (layer, (clone.dW, clone.db)) for layer, clone in pairs if isinstance(clone, Weighted)
        ]
        if self._rule:
            self._update(self._rule)
            self._forward(layers, batch)
        kept = [gradient for _, both in self._gradients for gradient in both]
        return [*(() if self._rule else kept), *self._end.saved()]

    def _forward(self, layers: Sequence[Any], x: Array) -> None:
        for layer in layers:
            x = layer.forward(x)
        self._end.forward(x, self._labels)

    def _update(self, rule: Rule) -> None:
        found = {
            id(param): gradient
            for layer, both in self._gradients
            for param, gradient in zip((layer.W, layer.b), both, strict=True)
        }
        for name, param in self._params.items():
            gradient = found[id(param)]
            if self._decay and param.ndim > 1:
                gradient = ops.add(gradient, ops.rescale(param, scale=self._decay))
            rule.apply(name, param, gradient)


class Steps:
    """The steps of a network that were used lately; copies and pickles have none."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Step] = {}  # the least recently used first

    def __reduce__(self) -> tuple[type[Steps], tuple[()]]:
        return Steps, ()

    def of(
        self, network: Any, x: Any, rows: int | None = None, rule: Rule | None = None
    ) -> Step | None:
        """Return the step of a network, or None if no program can stand for it.

        Parameters
        ----------
        network : Network
            The network.
        x : ndarray
            The batch, or the data.
        rows : int or None, optional
            Number of rows of the data that are a batch; None if `x` is the batch.
        rule : Rule or None, optional
            Optimizer that updates the parameters.

        Returns
        -------
        Step or None
            The step.
        """
        layers = [*network.layers.values()]
        if not active.native or _core.recording() or not {*map(type, layers)} <= RECORDED:
            return None
        ends = type(layers[-1]), type(network.last_layer)
        if not isinstance(x, np.ndarray) or ends != (Affine, SoftmaxWithLoss):
            return None
        key = (
            *((x.shape, x.dtype) if rows is None else (id(x), rows)),
            *((id(rule), rule.settings) if rule else ()),
            *((id(layer), layer.settings) for layer in layers),
            *((name, id(param)) for name, param in network.params.items()),
            (id(network.last_layer), network.weight_decay_lambda),
        )
        step = self._known.pop(key, None) or _made(network, x, rows, rule)
        if step is not None:
            self._known[key] = step
            if len(self._known) > MOST:
                del self._known[next(iter(self._known))]
        return step


def _made(network: Any, x: Array, rows: int | None, rule: Rule | None) -> Step | None:
    """Return a step, or None if an array is not one that operations use in place."""
    layers = [layer for layer in network.layers.values() if isinstance(layer, Weighted)]
    weights = [param for layer in layers for param in (layer.W, layer.b)]
    params = [*network.params.values()]
    dtype, count = np.result_type(*weights), len(x) if rows is None else rows
    if not _usable(params, dtype) or {*map(id, params)} != {*map(id, weights)}:
        return None
    if not count or x.ndim < 2 or np.result_type(x, dtype) != dtype:
        return None
    if count * x[0].size * dtype.itemsize > LARGEST:
        return None
    if rows is None:
        return Step(network, memory.empty(x.shape, dtype), len(x))
    return Step(network, x, rows, rule) if x.flags.c_contiguous and x.dtype in SOURCES else None


def _usable(params: Sequence[Any], dtype: np.dtype[Any]) -> bool:
    arrays = all(isinstance(param, np.ndarray) for param in params)
    return arrays and all(
        param.dtype == dtype and param.dtype in SOURCES[1:] and param.flags.c_contiguous
        for param in params
    )


def backward(layers: Sequence[Any], dout: Array) -> None:
    """Compute the gradients of all weights, but none with respect to the network's inputs.

    Parameters
    ----------
    layers : sequence of layer
        Layers after a forward pass.
    dout : ndarray
        Gradient with respect to the last outputs.
    """
    first = next(at for at, layer in enumerate(layers) if isinstance(layer, Weighted))
    at = len(layers) - 1
    while at >= first:
        argmax: tuple[Array, ...] = ()
        if at > 1 and _is_pooled(*layers[at - 2 : at + 1]):
            # Where a maximum is positive, so was the output of the convolution.
            dout, argmax = (
                elementwise(ops.relu_backward, dout, layers[at].out),
                (layers[at].arg_max,),
            )
            at -= 2
        if not isinstance(layers[at], Weighted):
            dout = layers[at].backward(dout)
        else:
            layers[at].differentiate(dout, *argmax)
            if at > first:
                dout = layers[at].to_inputs(dout, *argmax)
        at -= 1


def _is_pooled(conv: Any, relu: Any, pool: Any) -> bool:
    """Return whether a 2 × 2 max pooling follows a convolution with ReLU."""
    if not isinstance(conv, Convolution) or not isinstance(relu, Relu):
        return False
    return isinstance(pool, Pooling) and (pool.pool_h, pool.pool_w, pool.stride, pool.pad) == (
        2,
        2,
        2,
        0,
    )
