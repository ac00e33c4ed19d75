"""Operation on arrays as a layer, for graphs of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.layers.base import Layer
from gyaku.layers.window import as_tuples
from gyaku.names import choose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["ArrayOperation"]


class ArrayOperation(Layer):
    """Operation on arrays by name, computed by NumPy: what graphs of other programs also contain.

    Parameters
    ----------
    operation : str
        Its name, such as "exp", "subtract", "mean", "take" or "top".
    options : dict or sequence of (str, object), optional
        Its options by name; axes count the samples as axis 0.
    constants : sequence of (sequence of int or None), optional
        For each argument the shape of a constant, with an axis of length 1 for the samples, or None
        for an input. Constants are ``constant_0`` and so on in `buffers`; training does not change
        them.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If there is no such operation.

    Notes
    -----
    Arrays are broadcast as in NumPy. The gradient with respect to an element that several others
    tie with is shared among them; comparisons and roundings have none.

    Examples
    --------
    >>> import numpy as np
    >>> layer = ArrayOperation("sum", {"axes": [1], "keepdims": False})
    >>> layer.build((3, 2))
    (2,)
    >>> layer.forward(np.ones((1, 3, 2)))
    array([[3., 3.]])
    """

    draws = False
    given: tuple[NDArray[Any], ...]
    y: NDArray[Any]

    def __init__(
        self,
        operation: str,
        options: Mapping[str, Any] | Sequence[tuple[str, Any]] = (),
        constants: Sequence[Sequence[int] | None] | None = None,
        *,
        name: str | None = "",
    ) -> None:
        from gyaku.reference.arrays import ARRAY_OPERATIONS  # a model on kernels needs none
        from gyaku.reference.selections import SELECTIONS

        super().__init__(name=name)
        self.operation = operation
        self._function = choose("operation", operation, ARRAY_OPERATIONS | SELECTIONS)
        # Pairs, as model files hold them.
        self.options = tuple((key, as_tuples(each)) for key, each in dict(options).items())
        self.constants = None if constants is None else tuple(map(as_tuples, constants))

    def build(self, *input_shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Declare the constant, and find the shape of an output.

        Parameters
        ----------
        *input_shapes : tuple of int
            The shapes of input samples.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        for place, shape in enumerate(self.constants or ()):
            if shape is not None:
                self.add_buffer(f"constant_{place}", shape, "ones")
        try:
            y = self.forward(*(np.zeros((2, *shape), self.dtype) for shape in input_shapes))
        except (ValueError, IndexError, TypeError) as error:
            raise ValueError(
                f"{self}: {self.operation} cannot take {', '.join(map(str, input_shapes))}: {error}"
            ) from None
        if len(y) != 2:
            raise ValueError(f"{self}: {self.operation} changes the axis of the samples")
        self.any_steps = self._treats_steps_alike(input_shapes)
        return y.shape[1:]

    def _treats_steps_alike(self, input_shapes: Sequence[tuple[int, ...]]) -> bool:
        steps, rank = input_shapes[0][:1], len(input_shapes[0])
        if rank < 2 or any(shape[:1] != steps or len(shape) != rank for shape in input_shapes):
            return False
        for shape in self.constants or ():  # the same for all steps
            if shape is not None and (len(shape) > rank + 1 or shape[-rank:][:1] > (1,)):
                return False
        axes = dict(self.options).get("axes", ())
        return min(axes) > 1 if axes else self._function.by_element

    def _arguments(self, x: tuple[NDArray[Any], ...]) -> list[NDArray[Any]]:
        given = iter(x)
        return [
            next(given) if shape is None else self.buffers[f"constant_{place}"]
            for place, shape in enumerate(self.constants or (None,) * len(x))
        ]

    def forward(  # type: ignore[override]
        self, *x: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Compute the operation.

        Parameters
        ----------
        *x : ndarray
            The inputs, (samples, ...).
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs.
        """
        self.given = x
        with np.errstate(all="ignore"):
            y = self._function.forward(*self._arguments(x), **dict(self.options))
        self.y = y
        return y

    def backward(self, dy: NDArray[Any]) -> Any:
        """Return the gradient with respect to each input; see `Layer.backward`."""
        arguments = self._arguments(self.given)
        with np.errstate(all="ignore"):
            found = self._function.backward(dy, self.y, *arguments, **dict(self.options))
        shapes = self.constants or (None,) * len(found)
        dx = tuple(each for each, shape in zip(found, shapes, strict=True) if shape is None)
        return dx if len(dx) > 1 else dx[0]
