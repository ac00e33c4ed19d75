"""Validation of arguments: each error names the owner, the argument and the given value."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import DTypeLike, NDArray

__all__ = [
    "check_bytes",
    "checked_dtype",
    "duration",
    "each_of",
    "first_element",
    "from_dlpack",
    "is_masked",
    "no_class",
]
__all__ += ["number", "texts", "whole"]


_CPU = 1  # the numbers of DLPack
_DEVICES = {2: "a CUDA device", 7: "a Vulkan device", 8: "a Metal device", 10: "a ROCm device"}


def is_masked(given: object) -> bool:
    """Return whether something is a masked array, without importing `numpy.ma` to find out.

    Parameters
    ----------
    given : object
        Anything.

    Returns
    -------
    bool
        Whether it is a `numpy.ma.MaskedArray`.
    """
    masked = sys.modules.get("numpy.ma")  # no masked array exists before somebody imported it
    return masked is not None and isinstance(given, masked.MaskedArray)


def from_dlpack(owner: str, name: str, given: Any) -> Any:
    """Return the array of a tensor of another library, in its memory.

    Parameters
    ----------
    owner, name : str
        Function and argument, for the error.
    given : object
        Any value.

    Returns
    -------
    object
        The array, of the memory of a tensor of PyTorch, JAX or TensorFlow; other values unchanged.

    Raises
    ------
    ValueError
        If the tensor is on another device than the CPU.
    TypeError
        If NumPy lacks its dtype.

    Examples
    --------
    >>> from_dlpack("fit", "x", [1, 2])
    [1, 2]
    """
    if isinstance(given, (np.ndarray, np.generic)) or not hasattr(given, "__dlpack_device__"):
        return given
    device, _ = given.__dlpack_device__()
    if device != _CPU:
        known = _DEVICES.get(int(device), f"device type {int(device)} of DLPack")
        raise ValueError(
            f"{owner}: {name} is a {type(given).__name__} on {known}, gyaku computes on the CPU;"
            " move it there first"
        )
    if getattr(given, "requires_grad", False):
        given = given.detach()
    for read in (np.from_dlpack, np.asarray):  # a column of pyarrow with missing values is copied
        try:
            return read(given)
        except (BufferError, RuntimeError, TypeError):
            continue
    kind, dtype = type(given).__name__, getattr(given, "dtype", "unknown")
    raise TypeError(f"{owner}: {name} is a {kind} of dtype {dtype}, which NumPy lacks")


def each_of(owner: str, name: str, given: object, names: Sequence[str]) -> tuple[Any, ...]:
    """Return the values of several inputs or outputs in their order.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    given : object
        The value: itself if there is one name, otherwise a tuple, a list or a dict.
    names : sequence of str
        Names of the inputs or outputs.

    Returns
    -------
    tuple
        One for each name.

    Raises
    ------
    TypeError
        If it is no tuple, list or dict where there are several.
    ValueError
        If there are too many or too few, or a name is another.

    Examples
    --------
    >>> each_of("fit", "x", {"b": 2, "a": 1}, ["a", "b"])
    (1, 2)
    >>> each_of("fit", "x", (1, 2, 3), ["a", "b"])
    Traceback (most recent call last):
    ...
    ValueError: fit: x must hold one for each of a, b, got 3
    """
    if len(names) == 1 and not isinstance(given, dict):
        return (given,)
    if isinstance(given, dict):
        if set(given) != set(names):
            raise ValueError(
                f"{owner}: {name} must have the keys {', '.join(names)}, got"
                f" {', '.join(map(str, given)) or 'none'}"
            )
        return tuple(given[key] for key in names)
    if not isinstance(given, (tuple, list)):
        raise TypeError(
            f"{owner}: {name} must be a tuple or a dict, one for each of {', '.join(names)}, got"
            f" {type(given).__name__}"
        )
    if len(given) != len(names):
        raise ValueError(
            f"{owner}: {name} must hold one for each of {', '.join(names)}, got {len(given)}"
        )
    return tuple(given)


def no_class(kind: str, given: object) -> None:
    """Raise if a class was given instead of an instance.

    Parameters
    ----------
    kind : str
        Name of the argument, for the error.
    given : object
        The value.

    Raises
    ------
    TypeError
        If it is a class.

    Examples
    --------
    >>> no_class("optimizer", dict)
    Traceback (most recent call last):
    ...
    TypeError: optimizer is the class dict, write dict()
    """
    if isinstance(given, type):
        raise TypeError(f"{kind} is the class {given.__name__}, write {given.__name__}()")


def first_element(array: NDArray[Any], found: NDArray[np.bool_]) -> tuple[Any, str]:
    """Return the first of the elements that a check found, and its place in words.

    Parameters
    ----------
    array : ndarray
        The array, (samples, ...).
    found : ndarray of bool
        The elements that were found, at least one.

    Returns
    -------
    element : object
        The element.
    where : str
        Its place, as errors name it.

    Examples
    --------
    >>> import numpy as np
    >>> ids = np.array([[1, 2], [3, 9]])
    >>> first_element(ids, ids > 5)
    (9, 'row 1, step 1')
    """
    place = tuple(np.argwhere(found)[0].tolist())
    if len(place) < 2:
        return array[place].item(), f"row {place[0] if place else 0}"
    inner = f"step {place[1]}" if len(place) == 2 else f"position {place[1:]}"
    return array[place].item(), f"row {place[0]}, {inner}"


def whole(owner: str, name: str, value: object, *, least: int = 1) -> int:
    """Validate an integer argument.

    Parameters
    ----------
    owner : str
        Owner of the argument, for the error.
    name : str
        Name of the argument.
    value : object
        The value: any integer type, but no bool.
    least : int
        Smallest valid value.

    Returns
    -------
    int
        The value.

    Raises
    ------
    TypeError
        If it is not an integer.
    ValueError
        If it is too small.
    """
    try:
        result = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        result = None
    if result is None or isinstance(value, bool):
        raise TypeError(f"{owner}: {name} must be an integer, got {value!r}")
    if result < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, got {value!r}")
    return result


def truth(owner: str, name: str, value: object) -> bool:
    """Validate a bool argument.

    Parameters
    ----------
    owner : str
        Owner of the argument, for the error.
    name : str
        Name of the argument.
    value : object
        The value.

    Returns
    -------
    bool
        The value.

    Raises
    ------
    TypeError
        If it is neither True nor False.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{owner}: {name} must be True or False, got {value!r}")
    return bool(value)


def texts(owner: str, name: str, value: Iterable[object]) -> list[str]:
    """Return the texts of an argument.

    Parameters
    ----------
    owner, name : str
        Function and argument, for errors.
    value : iterable of object
        The argument: texts, or what has one, and no single text.

    Returns
    -------
    list of str
        The texts.

    Raises
    ------
    TypeError
        If it is a single text, or no iterable.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{owner}: {name} must be a list of texts, got {value!r}")
    return [str(each) for each in value]


def number(
    owner: str,
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """Validate a real argument.

    Parameters
    ----------
    owner : str
        Owner of the argument, for the error.
    name : str
        Name of the argument.
    value : object
        The value: any real number type, but no bool.
    least, above, below, most : float
        The range: least <= value <= most, above < value < below.

    Returns
    -------
    float
        The value.

    Raises
    ------
    TypeError
        If it is not a real number.
    ValueError
        If it lies outside the range.
    """
    if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
        raise TypeError(f"{owner}: {name} must be a number, got {value!r}")
    result = float(value)
    if math.isfinite(result) and least <= result <= most and above < result < below:
        return result
    if most < math.inf:
        wanted = f"above {above:g}" if above > -math.inf else f"at least {least:g}"
        wanted += f" and at most {most:g}"
    elif below < math.inf:
        wanted = f"above {above:g}" if above > -math.inf else f"at least {least:g}"
        wanted += f" and below {below:g}"
    elif above > -math.inf:
        wanted = f"above {above:g}" if above else "positive"
    else:
        wanted = "finite" if least == -math.inf else f"at least {least:g}"
    raise ValueError(f"{owner}: {name} must be {wanted}, got {value!r}")


def duration(owner: str, name: str, value: object) -> float:
    """Validate a time span.

    Parameters
    ----------
    owner : str
        Owner of the argument, for the error.
    name : str
        Name of the argument.
    value : object
        Seconds, or text of numbers with the units d, h, m and s.

    Returns
    -------
    float
        The seconds.

    Raises
    ------
    TypeError
        If it is neither a number nor text.
    ValueError
        If it is no such text, or not positive.

    Examples
    --------
    >>> duration("fit", "max_time", "1h30m")
    5400.0
    """
    if not isinstance(value, str):
        return number(owner, name, value, above=0)
    import re  # deferred: few need it

    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([dhms])", value.lower())
    if not parts or re.sub(r"[\d.]+\s*[dhms]|\s", "", value.lower()):
        raise ValueError(
            f'{owner}: {name} must be seconds, or text such as "1h30m" or "45s", got {value!r}'
        )
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return number(owner, name, sum(float(each) * units[unit] for each, unit in parts), above=0)


def check_bytes(owner: str, name: str, shape: tuple[int, ...], beside: str) -> None:
    """Raise if a shape is too large for 64-bit arithmetic, whatever the dtype.

    Parameters
    ----------
    owner : str
        Operation or layer, for the error.
    name : str
        Array of this shape, for the error.
    shape : tuple of int
        The shape.
    beside : str
        Shapes that it follows from, for the error.

    Raises
    ------
    ValueError
        If its size in bytes is beyond 64 bits.

    Examples
    --------
    >>> check_bytes("Dense", "the output", (2**60,), "input (3,)")
    Traceback (most recent call last):
    ...
    ValueError: Dense: the output of shape (1152921504606846976,) would be beyond 2^63 bytes
    (input (3,))
    """
    if 8 * math.prod(max(length, 1) for length in shape) >= 2**63:
        raise ValueError(f"{owner}: {name} of shape {shape} would be beyond 2^63 bytes ({beside})")


def checked_dtype(given: DTypeLike) -> np.dtype[Any]:
    """Validate a model's dtype.

    Parameters
    ----------
    given : dtype
        The dtype asked for.

    Returns
    -------
    numpy.dtype
        Either float32 or float64.

    Raises
    ------
    ValueError
        If it is neither.
    """
    try:
        dtype = np.dtype(given)
    except TypeError:
        dtype = np.dtype(object)
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"a model's dtype must be float32 or float64, got {given!r}")
    return dtype
