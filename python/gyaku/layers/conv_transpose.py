"""Transposed convolution, which upsamples images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gyaku import ops
from gyaku.layers.conv import Conv2D
from gyaku.layers.window import as_tuples, checked_shape
from gyaku.windows import sides, transposed_conv_axes

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize
    from gyaku.layers.activation import Activation
    from gyaku.windows import Padding, Sides

__all__ = ["Conv2DTranspose"]


class Conv2DTranspose(Conv2D):
    """Transposed convolution, the adjoint of `Conv2D`: each pixel adds a weighted kernel.

    Parameters
    ----------
    filters : int
        The number of filters: the channels of the output.
    kernel_size : int or pair of int
        Height and width of the kernel.
    stride : int or pair of int
        Step from the kernel of one pixel to that of the next.
    padding : int, pair, pair of pairs, "same" or "valid"
        Rows and columns cut off the output: on all sides, for each axis, or before and after
        each axis. ``"same"`` leaves size times stride.
    output_padding : int or pair of int
        Rows and columns that are added at the end of the output.
    dilation : int or pair of int
        Distance between neighbouring kernel elements.
    groups : int
        Number of groups of channels and filters; a filter reads the channels of its group.
    activation : str or Activation, optional
        The activation of the sums, by name or as a layer; by default none.
    use_bias : bool
        Whether each filter has a bias.
    weight_init, bias_init : str or callable
        Initialisers, by name or as objects, as in `Conv2D`.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range or a name unknown.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    The weight, (height, width, filters / groups, channels), is that of the convolution which this
    is the adjoint of: see `gyaku.ops.conv2d_transpose`.

    Examples
    --------
    >>> Conv2DTranspose(16, 4, stride=2, padding=1).build((7, 7, 32))
    (14, 14, 16)
    """

    native = True

    def __init__(
        self,
        filters: int,
        kernel_size: Sides,
        *,
        stride: Sides = 1,
        padding: Padding = 0,
        output_padding: Sides = 0,
        dilation: Sides = 1,
        groups: int = 1,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        weight_init: str | Initialize = "auto",
        bias_init: str | Initialize = "zeros",
        name: str | None = "",
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            activation=activation,
            use_bias=use_bias,
            weight_init=weight_init,
            bias_init=bias_init,
            name=name,
        )
        self.output_padding = as_tuples(output_padding)
        extra = sides(str(self), "output_padding", self.output_padding, least=0)
        self._where["output_padding"] = extra
        if self.filters % self.groups:
            raise ValueError(f"{self}: filters ({filters}) must be divisible by groups ({groups})")

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight`` and ``bias``; see `Layer.build`."""
        channels = checked_shape(str(self), input_shape)[-1]
        shape = (*self._window, self.filters // self.groups, channels)
        self._options = {**self._where, "groups": self.groups}
        self.axes = axes = transposed_conv_axes(
            str(self), (1, *input_shape), shape, **self._options
        )
        self.add_weights(shape, self.filters, groups=self.groups, transposed=True)
        return (*(axis.size for axis in axes), self.filters)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the activated transposed convolution; see `Layer.forward`."""
        self.x = x
        weight, bias = self.params["weight"], self.params.get("bias")
        y = ops.conv2d_transpose(x, weight, bias, **self._options, **self.epilogue)
        return self.activate(y, training)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any] | None:
        """Write the gradients of weight and bias, return dx; see `Layer.backward`."""
        dz = self.gradient_of_sums(dy)
        dx, _, _ = ops.conv2d_transpose_backward(
            dz,
            self.x,
            self.params["weight"],
            **self._options,
            out=(None, *self._gradients) if self.trainable else None,
        )
        return dx

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each kernel element of each pixel, and the bias."""
        pixels = math.prod(self.input_shape[:-1])
        ending = math.prod(self.output_shape) * self.ending_flops
        return 2 * pixels * self.params["weight"].size + ending
