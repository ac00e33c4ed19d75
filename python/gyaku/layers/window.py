"""Arguments and shapes of sliding kernels, with sequences as images of one row."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gyaku.windows import channels_first

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["as_image", "as_tuples", "channels_last", "checked_shape", "for_two_axes"]


def as_tuples(value: Any) -> Any:
    """Return an argument with tuples in place of the lists of model files.

    Parameters
    ----------
    value : object
        The argument.

    Returns
    -------
    object
        The argument, with a tuple for each list.

    Examples
    --------
    >>> as_tuples([[1, 2], [3, 4]]), as_tuples(5)
    (((1, 2), (3, 4)), 5)
    """
    return tuple(map(as_tuples, value)) if isinstance(value, (tuple, list)) else value


def checked_shape(owner: str, shape: tuple[int, ...], dimensions: int = 2) -> tuple[int, ...]:
    """Validate the shape of an image or a sequence.

    Parameters
    ----------
    owner : str
        The layer, for the error.
    shape : tuple of int
        The shape.
    dimensions : int
        The number of axes besides the channels.

    Returns
    -------
    tuple of int
        The shape.

    Raises
    ------
    ValueError
        If the number of axes is wrong.

    Examples
    --------
    >>> checked_shape("Conv2D 'conv1'", (28, 28))
    Traceback (most recent call last):
    ...
    ValueError: Conv2D 'conv1': samples must have the shape (height, width, channels), got (28, 28);
    x[..., None] has one channel
    """
    if len(shape) == dimensions + 1:
        return shape
    axes = {1: "time", 2: "height, width", 3: "depth, height, width"}[dimensions]
    hint = "; x[..., None] has one channel" if len(shape) == dimensions else ""
    if len(shape) == 1 < dimensions:
        hint = "; Reshape makes images of rows"
    if len(shape) == 3 and dimensions == 1:
        hint = "; layers whose names end in 2D take images"
    raise ValueError(f"{owner}: samples must have the shape ({axes}, channels), got {shape}{hint}")


@contextmanager
def channels_last(shape: tuple[int, ...]) -> Iterator[None]:
    """Add a hint to an error for a shape with the channels first.

    Parameters
    ----------
    shape : tuple of int
        The shape of a sample.

    Yields
    ------
    None
        Context whose block may raise ValueError.

    Raises
    ------
    ValueError
        The error of the block, with the hint.

    Examples
    --------
    >>> with channels_last((3, 32, 32)):
    ...     raise ValueError("too small")
    Traceback (most recent call last):
    ...
    ValueError: too small; channels come last, x.transpose(0, 2, 3, 1) puts them there
    """
    try:
        yield
    except ValueError as error:
        if channels_first(shape):
            hint = "; channels come last, x.transpose(0, 2, 3, 1) puts them there"
            raise ValueError(f"{error}{hint}") from None
        raise


def for_two_axes(numbers: Any, fill: Any = 1) -> Any:
    """Return options of axes for the last two, with a first axis of length 1 if needed.

    Parameters
    ----------
    numbers : str or tuple
        A word, or an option for each axis.
    fill : object
        Option of the axis that is added.

    Returns
    -------
    str or tuple
        The word, or an option for each of the last two axes.

    Examples
    --------
    >>> for_two_axes((3,)), for_two_axes((3, 5)), for_two_axes("same")
    ((1, 3), (3, 5), 'same')
    """
    return numbers if isinstance(numbers, str) else (fill,) * (2 - len(numbers)) + numbers[-2:]


def as_image(x: NDArray[Any]) -> NDArray[Any]:
    """Return images unchanged, and sequences as images of one row.

    Parameters
    ----------
    x : ndarray
        Images (samples, height, width, channels) or sequences (samples, time, channels).

    Returns
    -------
    ndarray
        The same elements with four axes.
    """
    return x if x.ndim == 4 else x.reshape(len(x), 1, *x.shape[1:])
