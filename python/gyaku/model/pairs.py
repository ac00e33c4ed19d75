"""A convolution and the 2 × 2 max-pooling behind it as one application of the backward pass.

Three of four outputs of the convolution have no gradient, and there are kernels that leave them
out (`gyaku.ops.conv2d_backward_weights` with ``argmax``). The layers know nothing of it, and the
activation may be an argument of the convolution or a layer between the two.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from gyaku.layers.activation import ACTIVATIONS, Activation
from gyaku.layers.conv import Conv2D
from gyaku.layers.pool import MaxPool2D
from gyaku.model.application import Application
from gyaku.ops.conv_backward import takes_maxima

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["Pair", "paired"]


class Pair(Application):
    """Backward pass through a convolution, an optional activation and a 2 × 2 max-pooling.

    Parameters
    ----------
    conv, pool : Application
        The convolution and the pooling.
    activations : sequence of Activation
        The activation between convolution and pooling, or none.
    """

    __slots__ = ("activations", "conv", "pool")

    def __init__(
        self, conv: Application, pool: Application, activations: Sequence[Activation]
    ) -> None:
        super().__init__(conv.layer, conv.path, conv.inputs, pool.output)
        self.bind(conv.instance)
        self.conv: Any = conv.instance
        self.pool: Any = pool.instance
        self.activations = activations

    @property
    def output_shape(self) -> tuple[int, ...]:
        """The shape of a sample of the maxima."""
        shape: tuple[int, ...] = self.pool.output_shape
        return shape

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any] | None, ...]:
        """Write the gradients of the convolution's parameters.

        Parameters
        ----------
        dy : ndarray
            The gradient with respect to the maxima.

        Returns
        -------
        tuple of ndarray or None
            The gradient with respect to the images, if it is needed.
        """
        dz = dy.reshape(self.pool.shape)
        for activation in self.activations:
            dz = activation.derived(dz, self.pool.y)
        return (self.conv.backward_from_sums(dz, self.pool.argmax),)


def paired(applications: Sequence[Application], outputs: Sequence[int]) -> list[Application]:
    """Return the applications of a backward pass, with pairs as single applications.

    Parameters
    ----------
    applications : sequence of Application
        The applications of the forward pass.
    outputs : sequence of int
        Indices of the output values.

    Returns
    -------
    list of Application
        The applications, with a `Pair` in place of each pooling of a pair and without its other
        members.
    """
    made = {use.output: use for use in applications}
    used = Counter([*outputs, *(value for use in applications for value in use.inputs)])

    def before(use: Application) -> Application | None:
        """Return the application whose output has no other use."""
        return made.get(use.source) if used[use.source] == 1 else None

    pairs: dict[int, Pair] = {}
    inside: set[int] = set()
    for pool in applications:
        conv, parts, activations = before(pool), [pool], []
        if conv and isinstance(conv.instance, Activation):
            parts, activations = [pool, conv], [conv.instance]
            conv = before(conv)
        if conv and _is_pair(conv.instance, activations, pool.instance):
            pairs[pool.output] = Pair(conv, pool, activations)
            inside.update(use.output for use in (*parts, conv))
    return [
        pairs.get(use.output, use)
        for use in applications
        if use.output in pairs or use.output not in inside
    ]


def _is_pair(conv: Any, activations: list[Activation], pool: Any) -> bool:
    """Return whether kernels exist for the pair; subclasses are excluded."""
    if type(conv) is not Conv2D or type(pool) is not MaxPool2D:
        return False
    if conv.applied:
        activations.insert(0, conv.applied)
    if len(activations) > 1 or not all(map(_by_output, activations)):
        return False
    side_by_side = all(
        (axis.taps, axis.stride, axis.dilation, axis.before) == (2, 2, 1, 0)
        and axis.windows == axis.size // 2
        for axis in pool.axes
    )
    shape = conv.params["weight"].shape
    return side_by_side and takes_maxima(conv.axes, shape, conv.groups, conv.dtype)


def _by_output(activation: Activation) -> bool:
    """Return whether the derivative at an output depends on that output alone."""
    known = type(activation) in ACTIVATIONS.values()
    return known and activation.is_fused
