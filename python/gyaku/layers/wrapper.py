"""Layers around another layer: in both directions of time, and at each time step."""

from __future__ import annotations

import copy
from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gyaku import memory, ops
from gyaku.layers.base import Layer
from gyaku.layers.recurrence import Recurrent

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Bidirectional", "TimeDistributed"]

MERGES = ("concat", "sum", "mul", "ave")


class Owned(MutableMapping[str, NDArray[Any]]):
    """Arrays of a part among those of the layer around it.

    Parameters
    ----------
    owner : Layer
        The layer around it.
    kind : {"params", "grads", "buffers"}
        The arrays of the owner.
    prefix : str
        Beginning of their names there.
    """

    def __init__(self, owner: Layer, kind: str, prefix: str) -> None:
        self._owner, self._kind, self._prefix = owner, kind, prefix

    @property
    def _all(self) -> Any:
        # A clone gets the arrays of its original after the build.
        return getattr(self._owner, self._kind)

    def place(self, name: str, array: NDArray[Any]) -> None:
        """Set the array of a name, see `Views.place`.

        Parameters
        ----------
        name : str
            The name, known or new.
        array : ndarray
            The array.
        """
        self._all.place(self._prefix + name, array)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return the array called `name`."""
        array: NDArray[Any] = self._all[self._prefix + name]
        return array

    def __setitem__(self, name: str, value: object) -> None:
        """Copy `value` into the array called `name`."""
        self._all[self._prefix + name] = value

    def __delitem__(self, name: str) -> None:
        """Raise, since arrays belong to a model."""
        raise TypeError(f"{name!r} cannot be deleted, it belongs to {self._owner}")

    def __contains__(self, name: object) -> bool:
        """Return whether there is an array called `name`."""
        return f"{self._prefix}{name}" in self._all

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        names = (name for name in self._all if name.startswith(self._prefix))
        return (name.removeprefix(self._prefix) for name in names)

    def __len__(self) -> int:
        """Return the number of arrays."""
        return sum(1 for _ in self)


class Wrapper(Layer, abstract=True):
    """Base of layers around another layer, whose parameters are theirs.

    Parameters
    ----------
    name : str, optional
        The layer's name.
    """

    native = True

    def _build_part(
        self, part: Layer, prefix: str, *input_shapes: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Build a part, and return the shape of its output samples."""
        stored = self.stored
        if stored is not None:
            stored = {name.removeprefix(prefix): each for name, each in stored.items()}
        vars(part).update(
            {kind: Owned(self, kind, prefix) for kind in ("params", "grads", "buffers")},
            **{name: getattr(self, name) for name in ("seed", "stream", "dtype", "sketched")},
            stored=stored,
            path=f"{self.path or self.name}.{prefix[:-1]}",
            input_shape=input_shapes[0],
            input_shapes=input_shapes,
        )
        part.output_shape = tuple(part.build(*input_shapes))
        return part.output_shape

    def _follow(self, part: Layer) -> None:
        """Give a part the present state of this layer."""
        vars(part).update(
            clock=self.clock, _frozen=self._frozen, needs_input_gradient=self.needs_input_gradient
        )


class Bidirectional(Wrapper):
    """Recurrent layer in both directions: each step sees what comes before and behind it.

    Parameters
    ----------
    layer : Recurrent
        The layer, such as ``LSTM(32, return_sequences=True)``; a second one like it, with weights
        of its own, goes backwards. If it is frozen, so is this layer.
    merge : {"concat", "sum", "mul", "ave"}
        How the two outputs become one: side by side, their sum, their product, or their mean.
    name : str, optional
        The layer's name.

    Raises
    ------
    TypeError
        If `layer` is no recurrent layer.
    ValueError
        If the layer goes backwards, is stateful or returns states, or `merge` is unknown.

    Notes
    -----
    With sequences, the outputs of both directions for a step stand at its time, and are zero at
    padded steps; without, the output is the last state of each direction. Initial states may be
    further inputs, first those of the forward direction, then those of the other. M. Schuster and
    K. Paliwal, Bidirectional recurrent neural networks (1997).

    Examples
    --------
    >>> import gyaku as gk
    >>> layer = Bidirectional(gk.GRU(3, return_sequences=True))
    >>> layer.build((10, 4))
    (10, 6)
    >>> list(layer.params)[:3]
    ['forward.weight', 'forward.recurrent_weight', 'forward.bias']
    """

    native = True
    any_steps = True

    def __init__(self, layer: Recurrent, merge: str = "concat", *, name: str | None = "") -> None:
        super().__init__(name=name)
        if not isinstance(layer, Recurrent):
            raise TypeError(
                f"{self}: layer must be a recurrent layer, such as LSTM(32), got {layer!r}"
            )
        for setting in ("go_backwards", "stateful", "return_state"):
            if getattr(layer, setting):
                raise ValueError(f"{self}: layer must not have {setting}=True, got {layer!r}")
        if merge not in MERGES:
            raise ValueError(f"{self}: merge must be one of {', '.join(MERGES)}, got {merge!r}")
        self.layer, self._frozen = layer, not layer.trainable
        self.merge = merge
        self._forward_part, self._backward_part = copy.copy(layer), copy.copy(layer)
        self._backward_part.go_backwards = True

    def build(self, input_shape: tuple[int, ...], *states: tuple[int, ...]) -> tuple[int, ...]:
        """Declare the parameters of both layers.

        Parameters
        ----------
        input_shape : tuple of int
            Time and features.
        *states : tuple of int
            Shapes of the initial states of both directions, if these are inputs.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        if len(states) not in (0, 2 * self.layer.states):
            raise ValueError(
                f"{self}: takes no initial states, or those of both directions"
                f" ({2 * self.layer.states}), got {len(states)}"
            )
        count = len(states) // 2
        shape = self._build_part(self._forward_part, "forward.", input_shape, *states[:count])
        self._build_part(self._backward_part, "backward.", input_shape, *states[count:])
        return (*shape[:-1], 2 * shape[-1]) if self.merge == "concat" else shape

    def forward(  # type: ignore[override]
        self,
        x: NDArray[Any],
        *state: NDArray[Any],
        training: bool = False,
        lengths: NDArray[np.int64] | None = None,
    ) -> NDArray[Any]:
        """Run in both directions.

        Parameters
        ----------
        x : ndarray
            Sequences of shape (samples, time, features).
        *state : ndarray
            The states of both directions before their first step, of shape (samples, units); by
            default zeros.
        training : bool
            Whether this pass belongs to a training step.
        lengths : ndarray of int64 or None
            Lengths of the sequences, of shape (samples,); None if they have all steps.

        Returns
        -------
        ndarray
            The outputs.
        """
        count = len(state) // 2
        parts = ((self._forward_part, state[:count]), (self._backward_part, state[count:]))
        first, second = (
            part.forward(x, *own, training=training, lengths=lengths) for part, own in parts
        )
        if self.merge == "concat":
            y = memory.empty((*first.shape[:-1], self.output_shape[-1]), first.dtype)
            ops.copy_columns(first, y, start=0)
            ops.copy_columns(second, y, start=first.shape[-1])
            return y
        if self.merge == "mul":
            self._outputs = first, second
            return ops.multiply(first, second)
        y = ops.add(first, second)
        return ops.rescale(y, scale=0.5) if self.merge == "ave" else y

    def backward(self, dy: NDArray[Any]) -> Any:
        """Write the gradients of both layers, return those of the inputs; see `Layer.backward`."""
        first = second = dy
        if self.merge == "concat":
            width = dy.shape[-1] // 2
            first, second = (ops.take_columns(dy, start=start, count=width) for start in (0, width))
        elif self.merge == "mul":
            second, first = (ops.multiply(dy, each) for each in self._outputs)
        elif self.merge == "ave":
            first = second = ops.rescale(dy, scale=0.5)
        found: list[Any] = []
        for part, each in ((self._forward_part, first), (self._backward_part, second)):
            self._follow(part)
            found.append(part.backward(each))
        one, other = found
        if not isinstance(one, tuple):
            return ops.add(one, other) if self.needs_input_gradient else None
        total = ops.add(one[0], other[0]) if self.needs_input_gradient else None
        return (total, *one[1:], *other[1:])

    @property
    def flops(self) -> int:
        """The work of both layers."""
        return self._forward_part.flops + self._backward_part.flops


class TimeDistributed(Wrapper):
    """Layer that is applied to each time step by itself.

    Parameters
    ----------
    layer : Layer
        The layer, such as a convolution of the frames of a film, or an `LSTM` of the letters of
        each word. If it is frozen, so is this layer.
    name : str, optional
        The layer's name.

    Raises
    ------
    TypeError
        If `layer` is no layer of one input and one output, or takes indices.
    ValueError
        If the layer is stateful.

    Notes
    -----
    Samples of shape (time, ...) are taken as a batch of time × samples steps. `Dense`, activations,
    `LayerNorm` and other layers of the last axis alone need no such layer around them.

    Examples
    --------
    >>> import gyaku as gk
    >>> layer = TimeDistributed(gk.Conv2D(8, 3))
    >>> layer.build((5, 28, 28, 1))  # a film of 5 pictures
    (5, 26, 26, 8)
    """

    native = True
    any_steps = True

    def __init__(self, layer: Layer, *, name: str | None = "") -> None:
        super().__init__(name=name)
        given: object = layer
        if not isinstance(given, Layer) or given.takes not in (1, None) or given.gives > 1:
            raise TypeError(
                f"{self}: layer must be a layer of one input and one output, got"
                f" {type(given).__name__}"
            )
        if given.takes_indices:
            raise TypeError(
                f"{self}: layer must not take indices, got {given!r}, which takes ids of any number"
                " of axes by itself"
            )
        if getattr(given, "stateful", False):
            raise ValueError(f"{self}: layer must not have stateful=True, got {given!r}")
        self.layer, self._frozen = layer, not layer.trainable
        self._part = copy.copy(layer)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare the parameters of the layer; see `Layer.build`."""
        if len(input_shape) < 2:
            raise ValueError(f"{self}: needs samples of shape (time, ...), got {input_shape}")
        self._part.in_steps = True
        return (input_shape[0], *self._build_part(self._part, "layer.", input_shape[1:]))

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Apply the layer to all steps; see `Layer.forward`."""
        self._follow(self._part)
        y = self._part.run_forward(_steps(x), training=training)
        return y.reshape(*x.shape[:2], *self.output_shape[1:])

    def backward(self, dy: NDArray[Any]) -> NDArray[Any] | None:
        """Write the gradients of the layer, return dx; see `Layer.backward`."""
        self._follow(self._part)
        (dx,) = self._part.run_backward(_steps(dy))
        return None if dx is None else dx.reshape(*dy.shape[:2], *self.input_shape[1:])

    @property
    def least_batch(self) -> int:
        """The smallest batch of the layer, over the steps of a sample."""
        return -(-self._part.least_batch // self.input_shape[0])

    @property
    def flops(self) -> int:
        """The work of the layer in each step."""
        return self.input_shape[0] * self._part.flops


def _steps(x: NDArray[Any]) -> NDArray[Any]:
    """Return the steps of all samples as a batch."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])
