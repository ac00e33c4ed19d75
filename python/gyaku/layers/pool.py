"""Pooling: the maximum, the mean or a norm of each window, channel by channel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import memory, ops
from gyaku.checks import number
from gyaku.layers.base import Layer
from gyaku.layers.window import as_image, as_tuples, channels_last, checked_shape, for_two_axes
from gyaku.ops.pool import checked_divisor
from gyaku.windows import margins, pool_axes, sides

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.windows import Axis, Padding, Sides

__all__ = ["AvgPool1D", "AvgPool2D", "GlobalAvgPool2D", "GlobalMaxPool2D", "MaxPool1D"]
__all__ += ["LPPool2D", "MaxPool2D", "MaxUnpool2D"]


class _Pool(Layer):
    """Base of the poolings with a sliding window."""

    dimensions: ClassVar[int] = 2
    size: tuple[int, int]
    shape: tuple[int, ...]
    axes: Sequence[Axis]
    x: NDArray[Any]
    y: NDArray[Any]
    argmax: NDArray[Any]

    def _slide(
        self,
        kernel_size: Sides,
        stride: Sides | None,
        padding: Padding,
        ceil_mode: bool,
        dilation: Sides = 1,
    ) -> None:
        """Keep and check the arguments."""
        owner, axes = str(self), self.dimensions
        self.kernel_size, self.stride = as_tuples(kernel_size), as_tuples(stride)
        self.padding, self._dilation = as_tuples(padding), as_tuples(dilation)
        self.ceil_mode = bool(ceil_mode)
        self._window = sides(owner, "kernel_size", self.kernel_size, axes)
        places: dict[str, Any] = {
            "stride": self._window if stride is None else sides(owner, "stride", stride, axes),
            "padding": margins(owner, self.padding, axes),
        }
        steps = sides(owner, "dilation", self._dilation, axes)
        if steps != (1,) * axes:
            places["dilation"] = steps
        self._where = places | {"ceil_mode": self.ceil_mode}
        self._options = dict(self._where)
        for name, value in places.items():
            self._options[name] = for_two_axes(value, (0, 0) if name == "padding" else 1)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the pooled images; see `Layer.build`."""
        checked_shape(str(self), input_shape, self.dimensions)
        with channels_last(input_shape):
            axes = pool_axes(
                str(self),
                (1, *input_shape),
                self._window,
                **self._where,
                dimensions=self.dimensions,
            )
        # A window misses the image only if its dilation exceeds the size of the image.
        long = [axis for axis in axes if axis.dilation > axis.size]
        self.advice = ""
        if any(0 in axis.pixels(padded=False) for axis in long):
            self.advice = (
                f"Windows with dilation {self._dilation} see nothing but padding of an image of"
                f" shape {input_shape}, choose a smaller dilation"
            )
        self.axes = axes
        return (*(axis.windows for axis in axes), input_shape[-1])

    @property
    def flops(self) -> int:
        """One for each element of the inputs or the outputs, whichever has more."""
        return max(math.prod(self.input_shape), math.prod(self.output_shape))


class MaxPool2D(_Pool):
    """Maximum pooling of images, channel by channel.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the kernel.
    stride : int or pair of int, optional
        Step from one position of the kernel to the next; by default ``kernel_size``.
    padding : int, pair, pair of pairs, "same" or "valid"
        Padding around the image, less than the kernel; it is never the maximum.
    dilation : int or pair of int
        Distance between neighbouring kernel elements.
    ceil_mode : bool
        Whether the last window may reach beyond the padding.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    The gradient goes to the pixel of the maximum, the first of several: see
    `gyaku.ops.max_pool2d`.

    Examples
    --------
    >>> MaxPool2D(2).build((24, 24, 20))
    (12, 12, 20)
    """

    native = True
    passes_sums = True

    def __init__(
        self,
        kernel_size: Sides = 2,
        stride: Sides | None = None,
        *,
        padding: Padding = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self._slide(kernel_size, stride, padding, ceil_mode, dilation)
        self.dilation = self._dilation

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the maximum of each window; see `Layer.forward`."""
        x = as_image(x)
        self.size = x.shape[1:3]
        self.y, self.argmax = ops.max_pool2d(x, for_two_axes(self._window), **self._options)
        self.shape = self.y.shape
        return self.y.reshape(len(x), *self.output_shape)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Scatter the gradient to the maxima; see `Layer.backward`."""
        dy, window = dy.reshape(self.shape), for_two_axes(self._window)
        dx = ops.max_pool2d_backward(dy, self.argmax, self.size, window, **self._options)
        return dx.reshape(len(dx), *self.input_shape)


class MaxPool1D(MaxPool2D):
    """Maximum pooling of sequences, channel by channel.

    Parameters
    ----------
    kernel_size : int
        Length of the kernel.
    stride : int, optional
        Step from one position of the kernel to the next; by default ``kernel_size``.
    padding : int, pair, "same" or "valid"
        Padding before and after the sequence, less than the kernel.
    dilation : int
        Distance between neighbouring kernel elements.
    ceil_mode : bool
        Whether the last window may reach beyond the padding.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Examples
    --------
    >>> MaxPool1D(2).build((100, 16))
    (50, 16)
    """

    dimensions = 1


class MaxUnpool2D(_Pool):
    """Inverse of maximum pooling: values at the places of the maxima, zero elsewhere.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the pooling's kernel.
    stride : int or pair of int, optional
        Step of the pooling; by default ``kernel_size``.
    padding : int, pair, pair of pairs, "same" or "valid"
        Padding of the pooling.
    dilation : int or pair of int
        Distance between neighbouring kernel elements of the pooling.
    ceil_mode : bool
        Whether the last window of the pooling may reach beyond the padding.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    The layer has two inputs: values, one for each window, and the images that were pooled, whose
    maxima it finds again. If windows share a maximum, the last value counts. There is no gradient
    with respect to the images. Zeiler, Taylor and Fergus, "Adaptive deconvolutional networks for
    mid and high level feature learning", ICCV 2011.

    Examples
    --------
    >>> import gyaku as gk
    >>> images = gk.Input((4, 4, 1))
    >>> pooled = gk.MaxPool2D(2)(images)
    >>> model = gk.Model(images, gk.MaxUnpool2D(2)(pooled, images))
    >>> model.forward([[[[1.0], [2.0], [3.0], [4.0]]] * 4])[0, 0].ravel()
    array([0., 2., 0., 4.], dtype=float32)
    """

    native = True

    def __init__(
        self,
        kernel_size: Sides = 2,
        stride: Sides | None = None,
        *,
        padding: Padding = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self._slide(kernel_size, stride, padding, ceil_mode, dilation)
        self.dilation = self._dilation

    def build(  # type: ignore[override]
        self, input_shape: tuple[int, ...], images: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Return the shape of the images.

        Parameters
        ----------
        input_shape, images : tuple of int
            The shapes of input samples.

        Returns
        -------
        tuple of int
            The shape of an output sample.
        """
        pooled = super().build(images)
        if input_shape != pooled:
            raise ValueError(
                f"{self}: values must have the shape {pooled} of the pooled images, got"
                f" {input_shape}"
            )
        return images

    def forward(  # type: ignore[override]
        self, x: NDArray[Any], images: NDArray[Any], training: bool = False
    ) -> NDArray[Any]:
        """Return the values at the places of the maxima.

        Parameters
        ----------
        x : ndarray
            The values, (samples, rows, columns, channels).
        images : ndarray
            The images that were pooled.
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, in the shape of the images.
        """
        _, self.argmax = ops.max_pool2d(images, self._window, **self._options)
        argmax, y = self.argmax, memory.empty(images.shape, images.dtype)

        def unpool() -> None:
            y.fill(0)
            np.put_along_axis(_pixels(y), self._maxima(argmax), _pixels(x), axis=1)

        memory.host(unpool, [x, argmax], [y])
        return y

    def backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the gradients at the places of the maxima, and zeros; see `Layer.backward`."""
        argmax = self.argmax
        dx, zeros = memory.empty(argmax.shape, dy.dtype), memory.empty(dy.shape, dy.dtype)

        def gather() -> None:
            zeros.fill(0)
            at = self._maxima(argmax)
            _pixels(dx)[...] = np.take_along_axis(_pixels(dy), at, axis=1)

        memory.host(gather, [dy, argmax], [dx, zeros])
        return dx, zeros

    def _maxima(self, argmax: NDArray[Any]) -> NDArray[np.int64]:
        """Return the positions of the maxima in their images."""
        rows, columns = self.axes
        i, j = np.divmod(_pixels(argmax).astype(np.int64), columns.taps)
        row, column = np.divmod(np.arange(argmax.shape[1] * argmax.shape[2]), argmax.shape[2])
        first = [
            (window * axis.stride - axis.before)[:, np.newaxis]
            for window, axis in ((row, rows), (column, columns))
        ]
        return np.asarray(
            (first[0] + i * rows.dilation) * columns.size + first[1] + j * columns.dilation
        )


def _pixels(images: NDArray[Any]) -> NDArray[Any]:
    return images.reshape(len(images), -1, images.shape[-1])


class AvgPool2D(_Pool):
    """Mean pooling of images, channel by channel.

    Parameters
    ----------
    kernel_size : int or pair of int
        Height and width of the kernel.
    stride : int or pair of int, optional
        Step from one position of the kernel to the next; by default ``kernel_size``.
    padding : int, pair, pair of pairs, "same" or "valid"
        Padding around the image, less than the kernel.
    dilation : int or pair of int
        Distance between neighbouring kernel elements.
    ceil_mode : bool
        Whether the last window may reach beyond the padding.
    count_include_pad : bool
        Whether the padding counts as zeros; by default a mean is over pixels alone.
    divisor_override : int, optional
        Divisor of all sums, in place of the number of pixels.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Examples
    --------
    >>> AvgPool2D(3, stride=2, padding=1).build((8, 8, 16))
    (4, 4, 16)
    """

    native = True

    def __init__(
        self,
        kernel_size: Sides = 2,
        stride: Sides | None = None,
        *,
        padding: Padding = 0,
        dilation: Sides = 1,
        ceil_mode: bool = False,
        count_include_pad: bool = False,
        divisor_override: int | None = None,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self._slide(kernel_size, stride, padding, ceil_mode, dilation)
        self.dilation = self._dilation
        self.count_include_pad = bool(count_include_pad)
        self.divisor_override = checked_divisor(str(self), divisor_override)
        self._options["count_include_pad"] = self.count_include_pad
        self._options["divisor_override"] = self.divisor_override

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the mean of each window; see `Layer.forward`."""
        x = as_image(x)
        self.size = x.shape[1:3]
        y = ops.avg_pool2d(x, for_two_axes(self._window), **self._options)
        self.shape = y.shape
        return y.reshape(len(y), *self.output_shape)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Scatter the gradient evenly to each window; see `Layer.backward`."""
        dy, window = dy.reshape(self.shape), for_two_axes(self._window)
        dx = ops.avg_pool2d_backward(dy, self.size, window, **self._options)
        return dx.reshape(len(dx), *self.input_shape)


class AvgPool1D(AvgPool2D):
    """Mean pooling of sequences, channel by channel.

    Parameters
    ----------
    kernel_size : int
        Length of the kernel.
    stride : int, optional
        Step from one position of the kernel to the next; by default ``kernel_size``.
    padding : int, pair, "same" or "valid"
        Padding before and after the sequence, less than the kernel.
    dilation : int
        Distance between neighbouring kernel elements.
    ceil_mode : bool
        Whether the last window may reach beyond the padding.
    count_include_pad : bool
        Whether the padding counts as zeros; by default a mean is over the sequence alone.
    divisor_override : int, optional
        Divisor of all sums, in place of the number of elements.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Examples
    --------
    >>> AvgPool1D(4).build((100, 16))
    (25, 16)
    """

    dimensions = 1


class LPPool2D(_Pool):
    """P-norm pooling of images, channel by channel.

    Parameters
    ----------
    norm_type : float
        Exponent p of the norm, at least 1: 1 sums magnitudes, 2 is the Euclidean norm.
    kernel_size : int or pair of int
        Height and width of the kernel.
    stride : int or pair of int, optional
        Step from one position of the kernel to the next; by default ``kernel_size``.
    padding : int, pair, pair of pairs, "same" or "valid"
        How far windows reach beyond the image, less than their size.
    ceil_mode : bool
        Whether a last window may reach beyond the end.
    name : str, optional
        The layer's name.

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an argument is of the wrong kind.

    Notes
    -----
    ``y = (Σ |x|^p)^(1/p)``, see `gyaku.ops.lp_pool2d`. PyTorch's ``LPPool2d`` leaves out the
    magnitude, which is another function where p is odd and elements are negative.

    Examples
    --------
    >>> LPPool2D(2, 3, stride=2, padding=1).build((8, 8, 16))
    (4, 4, 16)
    >>> LPPool2D(0.5, 3)
    Traceback (most recent call last):
    ...
    ValueError: LPPool2D: norm_type must be at least 1, got 0.5
    """

    native = True

    def __init__(
        self,
        norm_type: float,
        kernel_size: Sides,
        stride: Sides | None = None,
        *,
        padding: Padding = 0,
        ceil_mode: bool = False,
        name: str | None = "",
    ) -> None:
        super().__init__(name=name)
        self.norm_type = number(str(self), "norm_type", norm_type, least=1)
        self._slide(kernel_size, stride, padding, ceil_mode)

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the norm of each window; see `Layer.forward`."""
        self.x, window = as_image(x), for_two_axes(self._window)
        self.y = ops.lp_pool2d(self.x, self.norm_type, window, **self._options)
        return self.y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Share the gradient out by the elements' magnitudes; see `Layer.backward`."""
        window = for_two_axes(self._window)
        return ops.lp_pool2d_backward(dy, self.x, self.y, self.norm_type, window, **self._options)


class _GlobalPool(Layer):
    """Base of the poolings of whole images."""

    size: tuple[int, int]
    argmax: NDArray[Any]

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of channels; see `Layer.build`."""
        checked_shape(str(self), input_shape)
        pool_axes(str(self), (1, *input_shape), input_shape[:2])
        return input_shape[-1:]

    @property
    def flops(self) -> int:
        """One for each element of the image."""
        return math.prod(self.input_shape)


class GlobalMaxPool2D(_GlobalPool):
    """Maximum of each channel of an image.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Examples
    --------
    >>> GlobalMaxPool2D().build((7, 7, 64))
    (64,)
    """

    native = True

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the maximum of each channel; see `Layer.forward`."""
        self.size = x.shape[1:3]
        y, self.argmax = ops.global_max_pool2d(x)
        return y

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Scatter the gradient to the maxima; see `Layer.backward`."""
        return ops.global_max_pool2d_backward(dy, self.argmax, self.size)


class GlobalAvgPool2D(_GlobalPool):
    """Mean of each channel of an image.

    Parameters
    ----------
    name : str, optional
        The layer's name.

    Examples
    --------
    >>> GlobalAvgPool2D().build((7, 7, 64))
    (64,)
    """

    native = True

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the mean of each channel; see `Layer.forward`."""
        self.size = x.shape[1:3]
        return ops.global_avg_pool2d(x)

    def backward(self, dy: NDArray[Any]) -> NDArray[Any]:
        """Scatter the gradient evenly to all pixels; see `Layer.backward`."""
        return ops.global_avg_pool2d_backward(dy, self.size)
