"""Convolutions of volumes, as convolutions of images whose channels are depths of the kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory, ops
from gyaku.layers.conv import Convolution
from gyaku.layers.window import as_tuples, checked_shape, for_two_axes
from gyaku.windows import sides, transposed_conv_axes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize
    from gyaku.layers.activation import Activation
    from gyaku.windows import Axis, Padding, Sides

    Array = NDArray[Any]

__all__ = ["Conv3D", "Conv3DTranspose"]


class _Volumes(Convolution, abstract=True):
    """Base of the convolutions of volumes, in the form of images.

    The windows along the depth are gathered in NumPy: each becomes an image, with a channel for
    each depth of the kernel, within its group. The rest is a convolution of images.
    """

    dimensions = 3
    folded: Array

    def _gathered(self, volumes: Array) -> Array:
        """Return an image for each window along the depth."""
        depth, groups = self.axes[0], self.groups
        n, _, *size, channels = volumes.shape
        shape = (n, depth.windows, *size, groups, depth.taps, channels // groups)
        images = memory.empty(shape, volumes.dtype)
        each = volumes.reshape(*volumes.shape[:-1], groups, channels // groups)

        def gather() -> None:
            images.fill(0)
            for tap, windows, positions in _each_tap(depth):
                images[:, windows, :, :, :, tap] = each[:, positions]

        memory.host(gather, [volumes], [images])
        return images.reshape(n * depth.windows, *size, depth.taps * channels)

    def _scattered(self, images: Array, samples: int) -> Array:
        """Return volumes from an image for each window along the depth: the adjoint."""
        depth, groups = self.axes[0], self.groups
        _, *size, channels = images.shape
        channels //= depth.taps
        volumes = memory.empty((samples, depth.size, *size, channels), images.dtype)
        each = images.reshape(samples, depth.windows, *size, groups, depth.taps, channels // groups)
        sums = volumes.reshape(*volumes.shape[:-1], groups, channels // groups)

        def scatter() -> None:
            volumes.fill(0)
            for tap, windows, positions in _each_tap(depth):
                sums[:, positions] += each[:, windows, :, :, :, tap]

        memory.host(scatter, [images], [volumes])
        return volumes

    def _weight(self) -> Array:
        """Return the weight of the convolution of images."""
        return self._copied(self.params["weight"], _of_images(self.params["weight"]))

    def _copied(self, source: Array, values: Array) -> Array:
        copy = memory.empty(values.shape, values.dtype)
        memory.host(lambda: np.copyto(copy, values), [source], [copy])
        return copy.reshape(*copy.shape[:2], -1, copy.shape[-1])

    def _write_gradient(self, dw: Array) -> None:
        """Write the gradient of the weight from that of the convolution of images."""
        gradient = self.grads["weight"]
        places = _of_images(gradient)
        memory.host(lambda: np.copyto(places, dw.reshape(places.shape)), [dw], [gradient])


def _of_images(weight: Array) -> Array:
    """Return a view of (depth, height, width, ...) with the depth before the channels."""
    return weight.transpose(1, 2, 0, 3, 4)


def _each_tap(depth: Axis) -> Iterator[tuple[int, slice, slice]]:
    """Yield each tap, the windows whose tap lies inside the volume, and the positions there."""
    for tap in range(depth.taps):
        first = tap * depth.dilation - depth.before
        start = -(min(first, 0) // depth.stride)
        stop = min((depth.size - 1 - first) // depth.stride + 1, depth.windows)
        if start < stop:
            begin = first + start * depth.stride
            end = begin + (stop - start - 1) * depth.stride + 1
            yield tap, slice(start, stop), slice(begin, end, depth.stride)


class Conv3D(_Volumes):
    """Convolution of volumes: each filter is a kernel that slides over all channels.

    Parameters
    ----------
    filters : int
        The number of filters: the channels of the output.
    kernel_size : int or triple of int
        Depth, height and width of the kernel.
    stride : int or triple of int
        Step from one position of the kernel to the next.
    padding : int, triple, triple of pairs, "same" or "valid"
        Zeros around the volume: for all sides, for each axis, or before and after each axis.
    dilation : int or triple of int
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
    Volumes are (depth, height, width, channels), the weight (depth, height, width, channels /
    groups, filters); the equation is that of `Conv2D` with one more axis. It is computed as a
    convolution of images, whose channels are those of all depths of the kernel.

    Examples
    --------
    >>> Conv3D(20, 3).build((8, 28, 28, 1))
    (6, 26, 26, 20)
    """

    native = True

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight`` and ``bias``; see `Layer.build`."""
        checked_shape(str(self), input_shape, self.dimensions)
        return self._built(input_shape, self.filters, self.groups)

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return the activated convolution; see `Layer.forward`."""
        self.x, self.folded = self._gathered(x), self._weight()
        bias = self.params.get("bias")
        y = ops.conv2d(self.x, self.folded, bias, **self._options, **self.epilogue)
        y = self.activate(y, training)
        self.shape = y.shape
        return y.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array) -> Array | None:
        """Write the gradients of weight and bias, return dx; see `Layer.backward`."""
        dz = self.gradient_of_sums(dy.reshape(self.shape))
        if self.trainable:
            out = memory.empty(self.folded.shape, self.folded.dtype), self.grads.get("bias")
            size = self.folded.shape[:2]
            ops.conv2d_backward_weights(dz, self.x, size, **self._options, out=out)
            self._write_gradient(out[0])
        if not self.needs_input_gradient:
            return None
        size = self.x.shape[1:3]
        images = ops.conv2d_backward_data(dz, self.folded, size, **self._options)
        return self._scattered(images, len(dy))

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each kernel element at each position."""
        return self.work(math.prod(self.params["weight"].shape[:-1]))


class Conv3DTranspose(_Volumes):
    """Transposed convolution of volumes, the adjoint of `Conv3D`.

    Parameters
    ----------
    filters : int
        The number of filters: the channels of the output.
    kernel_size : int or triple of int
        Depth, height and width of the kernel.
    stride : int or triple of int
        Step from the kernel of one element to that of the next.
    padding : int, triple, triple of pairs, "same" or "valid"
        Elements cut off the output: on all sides, for each axis, or before and after each axis.
    output_padding : int or triple of int
        Elements that are added at the end of each axis of the output.
    dilation : int or triple of int
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
    The weight, (depth, height, width, filters / groups, channels), is that of the convolution which
    this is the adjoint of; see `Conv2DTranspose`.

    Examples
    --------
    >>> Conv3DTranspose(16, 4, stride=2, padding=1).build((4, 7, 7, 32))
    (8, 14, 14, 16)
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
            *(filters, kernel_size),
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
        self._fused, self.epilogue = False, {}  # the depths of the kernel are added up first
        self.output_padding = as_tuples(output_padding)
        extra = sides(str(self), "output_padding", self.output_padding, 3, least=0)
        self._where["output_padding"] = extra
        if self.filters % self.groups:
            raise ValueError(f"{self}: filters ({filters}) must be divisible by groups ({groups})")

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight`` and ``bias``; see `Layer.build`."""
        channels = checked_shape(str(self), input_shape, self.dimensions)[-1]
        shape = (*self._window, self.filters // self.groups, channels)
        options = {**self._where, "groups": self.groups}
        self.axes = axes = transposed_conv_axes(
            str(self), (1, *input_shape), shape, **options, dimensions=self.dimensions
        )
        images = {name: for_two_axes(value) for name, value in self._where.items()}
        self._options = images | {"groups": self.groups}
        self.add_weights(shape, self.filters, groups=self.groups, transposed=True)
        return (*(axis.size for axis in axes), self.filters)

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return the activated transposed convolution; see `Layer.forward`."""
        self.x, self.folded = x.reshape(-1, *x.shape[2:]), self._weight()
        images = ops.conv2d_transpose(self.x, self.folded, **self._options)
        y = self._scattered(images, len(x))
        if self.use_bias:
            y = ops.add(y, self.params["bias"])
        return self.activate(y, training)

    def backward(self, dy: Array) -> Array | None:
        """Write the gradients of weight and bias, return dx; see `Layer.backward`."""
        dz = self.gradient_of_sums(dy)
        dx, dw, _ = ops.conv2d_transpose_backward(
            *(self._gathered(dz), self.x, self.folded), **self._options
        )
        if self.trainable:
            self._write_gradient(dw)
            if self.use_bias:
                ops.sum_rows(dz.reshape(-1, dz.shape[-1]), out=self.grads["bias"])
        return dx.reshape(len(dy), *self.input_shape)

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each weight at each element, and the bias."""
        elements = math.prod(self.input_shape[:-1])
        ending = math.prod(self.output_shape) * self.ending_flops
        return 2 * elements * self.params["weight"].size + ending
