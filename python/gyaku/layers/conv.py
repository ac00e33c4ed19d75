"""Convolutions in two dimensions and one, and depthwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from gyaku import ops
from gyaku.checks import whole
from gyaku.layers.weighted import Weighted
from gyaku.layers.window import as_image, as_tuples, channels_last, checked_shape, for_two_axes
from gyaku.windows import conv_axes, margins, sides

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize
    from gyaku.layers.activation import Activation
    from gyaku.windows import Axis, Padding, Sides

__all__ = ["Conv1D", "Conv2D", "DepthwiseConv2D"]


class Convolution(Weighted, abstract=True):
    """Base of the convolutions: arguments, windows and weights.

    Parameters
    ----------
    filters : int
        The number of filters: the channels of the output.
    kernel_size : int or sequence of int
        Size of the kernel.
    stride : int or sequence of int
        Step from one position of the kernel to the next.
    padding : int, sequence, "same" or "valid"
        Zeros around the samples.
    dilation : int or sequence of int
        Distance between neighbouring kernel elements.
    groups : int
        Number of groups of channels and filters.
    activation : str or Activation, optional
        The activation of the sums.
    use_bias : bool
        Whether each filter has a bias.
    weight_init, bias_init : str or callable
        Initialisers.
    name : str, optional
        The layer's name.
    """

    native = True
    x: NDArray[Any]
    shape: tuple[int, ...]
    axes: Sequence[Axis]
    dimensions: ClassVar[int] = 2
    """The number of axes of a sample that the kernel slides along."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sides,
        *,
        stride: Sides = 1,
        padding: Padding = 0,
        dilation: Sides = 1,
        groups: int = 1,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        weight_init: str | Initialize = "auto",
        bias_init: str | Initialize = "zeros",
        name: str | None = "",
    ) -> None:
        super().__init__(
            activation=activation,
            use_bias=use_bias,
            weight_init=weight_init,
            bias_init=bias_init,
            name=name,
        )
        owner, axes = str(self), self.dimensions
        self.filters = whole(owner, "filters", filters)
        self.groups = whole(owner, "groups", groups)
        self.kernel_size, self.stride = as_tuples(kernel_size), as_tuples(stride)
        self.padding, self.dilation = as_tuples(padding), as_tuples(dilation)
        self._window = sides(owner, "kernel_size", self.kernel_size, axes)
        self._where: dict[str, Any] = {
            "stride": sides(owner, "stride", self.stride, axes),
            "padding": margins(owner, self.padding, axes),
            "dilation": sides(owner, "dilation", self.dilation, axes),
        }

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight`` and ``bias``; see `Layer.build`."""
        checked_shape(str(self), input_shape, self.dimensions)
        return self._built(input_shape, self.filters, self.groups)

    def _built(self, input_shape: tuple[int, ...], filters: int, groups: int) -> tuple[int, ...]:
        shape = (*self._window, input_shape[-1] // groups, filters)
        with channels_last(input_shape):
            axes = conv_axes(
                str(self),
                (1, *input_shape),
                shape,
                **self._where,
                groups=groups,
                dimensions=self.dimensions,
            )
        self.add_weights(shape, filters, groups=groups)
        self.axes = axes
        self._options = {
            "stride": for_two_axes(self._where["stride"]),
            "padding": for_two_axes(self._where["padding"], (0, 0)),
            "dilation": for_two_axes(self._where["dilation"]),
            "groups": groups,
        }
        return (*(axis.windows for axis in axes), filters)


class Conv2D(Convolution):
    """Convolution of images: each filter is a kernel that slides over all channels.

    Parameters
    ----------
    filters : int
        The number of filters: the channels of the output.
    kernel_size : int or pair of int
        Height and width of the kernel.
    stride : int or pair of int
        Step from one position of the kernel to the next.
    padding : int, pair, pair of pairs, "same" or "valid"
        Zeros around the image: for all sides, for each axis, or before and after each axis.
        ``"same"`` makes size / stride outputs, rounded up.
    dilation : int or pair of int
        Distance between neighbouring kernel elements.
    groups : int
        Number of groups of channels and filters; a filter reads the channels of its group.
    activation : str or Activation, optional
        The activation of the sums, by name or as a layer; by default none.
    use_bias : bool
        Whether each filter has a bias.
    weight_init, bias_init : str or callable
        Initialisers, by name or as objects. ``"auto"`` is `He` before a rectifier and `Xavier`
        otherwise; the activation may also be the model's next layer.
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
    Images are (height, width, channels), the weight (height, width, channels / groups, filters).
    ``y[o, p, k] = activation(b[k] + Σ_ijc x[o s + i d - top, p s + j d - left, c] w[i, j, c, k])``
    with stride s and dilation d: see `gyaku.ops.conv2d`.

    Examples
    --------
    >>> Conv2D(20, 5).build((28, 28, 1))
    (24, 24, 20)
    >>> Conv2D(32, 3, padding="same", stride=2, activation="relu").build((28, 28, 1))
    (14, 14, 32)
    """

    native = True

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the activated convolution; see `Layer.forward`."""
        self.x = as_image(x)
        weight, bias = _kernel(self.params["weight"]), self.params.get("bias")
        y = self.activate(
            ops.conv2d(self.x, weight, bias, **self._options, **self.epilogue), training
        )
        self.shape = y.shape
        return y.reshape(len(x), *self.output_shape)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any] | None:
        """Write the gradients of weight and bias, return dx; see `Layer.backward`."""
        return self.backward_from_sums(self.gradient_of_sums(dy.reshape(self.shape)))

    def backward_from_sums(
        self, dz: NDArray[Any], argmax: NDArray[Any] | None = None
    ) -> NDArray[Any] | None:
        """Write the gradients of weight and bias, return dx.

        Parameters
        ----------
        dz : ndarray
            The gradient with respect to the sums, before the activation.
        argmax : ndarray of uint8, optional
            Index of the one of 2 × 2 sums with a gradient; see
            `gyaku.ops.conv2d_backward_weights`.

        Returns
        -------
        ndarray or None
            The gradient with respect to the images, if it is needed.
        """
        weight, size = _kernel(self.params["weight"]), self.x.shape[1:3]
        if self.trainable:
            ops.conv2d_backward_weights(
                dz,
                self.x,
                weight.shape[:2],
                **self._options,
                argmax=argmax,
                out=self._gradients,
            )
        if not self.needs_input_gradient:
            return None
        dx = ops.conv2d_backward_data(dz, weight, size, **self._options, argmax=argmax)
        return dx.reshape(len(dx), *self.input_shape)

    @property
    def _gradients(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        return _kernel(self.grads["weight"]), self.grads.get("bias")

    @property
    def flops(self) -> int:
        """A multiplication and an addition for each kernel element at each position."""
        return self.work(math.prod(self.params["weight"].shape[:-1]))


class Conv1D(Conv2D):
    """Convolution of sequences, the one-dimensional `Conv2D`.

    Parameters
    ----------
    filters : int
        The number of filters: the channels of the output.
    kernel_size : int
        Length of the kernel.
    stride : int
        Step from one position of the kernel to the next.
    padding : int, pair, "same" or "valid"
        Zeros before and after the sequence. ``"same"`` makes time / stride outputs, rounded up.
    dilation : int
        Distance between neighbouring kernel elements.
    groups : int
        Number of groups of channels and filters; a filter reads the channels of its group.
    activation : str or Activation, optional
        The activation of the sums, by name or as a layer; by default none.
    use_bias : bool
        Whether each filter has a bias.
    weight_init, bias_init : str or callable
        Initialisers, by name or as objects. ``"auto"`` is `He` before a rectifier and `Xavier`
        otherwise; the activation may also be the model's next layer.
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
    Sequences are (time, channels), the weight (length, channels / groups, filters).

    Examples
    --------
    >>> Conv1D(16, 3, padding="same").build((100, 8))
    (100, 16)
    """

    native = True
    dimensions = 1


class DepthwiseConv2D(Conv2D):
    """Depthwise convolution: each channel has filters of its own.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the kernel.
    multiplier : int
        The number of filters for each channel.
    stride : int or pair of int
        Step from one position of the kernel to the next.
    padding : int, pair, pair of pairs, "same" or "valid"
        Zeros around the image, as in `Conv2D`.
    dilation : int or pair of int
        Distance between neighbouring kernel elements.
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
    A `Conv2D` with as many groups as channels: the weight is (height, width, 1, channels m) with
    m the multiplier, and channel c has the filters c m to c m + m - 1.

    Examples
    --------
    >>> DepthwiseConv2D(3, multiplier=2).build((28, 28, 4))
    (26, 26, 8)
    """

    native = True

    def __init__(
        self,
        kernel_size: Sides,
        multiplier: int = 1,
        *,
        stride: Sides = 1,
        padding: Padding = 0,
        dilation: Sides = 1,
        activation: str | Activation | None = None,
        use_bias: bool = True,
        weight_init: str | Initialize = "auto",
        bias_init: str | Initialize = "zeros",
        name: str | None = "",
    ) -> None:
        super().__init__(
            1,
            kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            activation=activation,
            use_bias=use_bias,
            weight_init=weight_init,
            bias_init=bias_init,
            name=name,
        )
        self.multiplier = whole(str(self), "multiplier", multiplier)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare ``weight`` and ``bias``; see `Layer.build`."""
        channels = max(1, checked_shape(str(self), input_shape)[-1])
        return self._built(input_shape, channels * self.multiplier, channels)


def _kernel(weight: NDArray[Any]) -> NDArray[Any]:
    """Return the weight with a two-dimensional kernel."""
    return weight if weight.ndim == 4 else weight[None]
