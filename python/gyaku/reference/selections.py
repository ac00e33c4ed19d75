"""Operations that order, select and combine elements of arrays, with their gradients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku.reference.arrays import ArrayFunction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Places = tuple[Array, ...]

__all__ = ["SELECTIONS", "einsum_terms"]


def _none(dy: Array, y: Array, *x: Array, **options: Any) -> Sequence[Array]:
    """Return gradients of zero."""
    return [np.zeros(each.shape, dy.dtype) for each in x]


def _extreme_place(x: Array, largest: bool, axis: int, last: bool) -> Any:
    x = np.flip(x, axis) if last else x
    places = np.argmax(x, axis) if largest else np.argmin(x, axis)
    return x.shape[axis] - 1 - places if last else places


def _arg(largest: bool) -> ArrayFunction:
    def forward(x: Array, *, axis: int, keepdims: bool, last: bool) -> Array:
        places = _extreme_place(x, largest, axis, last).astype(x.dtype)
        return np.expand_dims(places, axis) if keepdims else places

    return ArrayFunction(forward, _none)


def _hardmax(x: Array, *, axis: int) -> Array:
    y = np.zeros_like(x)
    np.put_along_axis(y, np.expand_dims(np.argmax(x, axis), axis), 1, axis)
    return y


def _order(x: Array, axis: int, count: int, largest: bool) -> Array:
    if not 1 <= count <= x.shape[axis]:
        raise ValueError(f"count must be 1 to {x.shape[axis]}, got {count}")
    order = np.argsort(-x if largest else x, axis, kind="stable")
    return order.take(range(count), axis)


def _top(x: Array, *, axis: int, count: int, largest: bool) -> Array:
    return np.take_along_axis(x, _order(x, axis, count, largest), axis)


def _top_backward(
    dy: Array, y: Array, x: Array, *, axis: int, count: int, largest: bool
) -> Sequence[Array]:
    dx = np.zeros_like(x)
    np.put_along_axis(dx, _order(x, axis, count, largest), dy, axis)
    return (dx,)


def _cumulative(f: Any, x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
    x = np.flip(x, axis) if reverse else x
    y = f.accumulate(x, axis)
    if exclusive:
        first = np.full_like(y.take([0], axis), f.identity)
        y = np.concatenate([first, y.take(range(y.shape[axis] - 1), axis)], axis)
    return np.ascontiguousarray(np.flip(y, axis) if reverse else y)


def _products(x: Array, *, axis: int, exclusive: bool, reverse: bool) -> Array:
    return _cumulative(np.multiply, x, axis, exclusive, reverse)


def _products_backward(
    dy: Array, y: Array, x: Array, *, axis: int, exclusive: bool, reverse: bool
) -> Sequence[Array]:
    """Return the sum over later products, each without the element, also beside zeros."""
    rows, dy = (np.moveaxis(each, axis, -1) for each in (x, dy))
    if reverse:
        rows, dy = rows[..., ::-1], dy[..., ::-1]
    dx, length = np.zeros_like(rows), rows.shape[-1]
    before = _cumulative(np.multiply, rows, -1, True, False)
    for n in range(length):
        others = before[..., n : n + 1] * np.ones_like(rows[..., n:])
        others[..., 1:] *= np.multiply.accumulate(rows[..., n + 1 :], -1)
        used = others[..., : length - n - 1] if exclusive else others
        dx[..., n] = (dy[..., n + 1 if exclusive else n :] * used).sum(-1)
    return (np.moveaxis(dx[..., ::-1] if reverse else dx, -1, axis),)


def _triangle(x: Array, *, upper: bool, diagonal: int) -> Array:
    return np.triu(x, diagonal) if upper else np.tril(x, diagonal)


def _one_hot(places: Array, values: Array, *, depth: int, axis: int) -> Array:
    off, on = (_behind(values[:, n], places.ndim + 1) for n in (0, 1))
    return np.asarray(np.where(_is_hot(places, depth, axis), on, off), values.dtype)


def _is_hot(places: Array, depth: int, axis: int) -> Array:
    wanted = places.astype(np.int64)
    wanted = np.where((wanted < -depth) | (wanted >= depth), -1, wanted % depth)
    return np.equal(np.expand_dims(wanted, axis), _along(depth, axis, places.ndim + 1))


def _behind(x: Array, rank: int) -> Array:
    return x.reshape(len(x), *[1] * (rank - 1))


def _one_hot_backward(
    dy: Array, y: Array, places: Array, values: Array, *, depth: int, axis: int
) -> Sequence[Array]:
    hot, axes = _is_hot(places, depth, axis), tuple(range(1, dy.ndim))
    sums = np.stack([(dy * ~hot).sum(axes), (dy * hot).sum(axes)], -1)
    if len(values) == 1:
        sums = sums.sum(0, keepdims=True)
    return np.zeros(places.shape, dy.dtype), sums


def _along(length: int, axis: int, rank: int) -> Array:
    """Return 0, 1, ... along an axis."""
    return np.arange(length).reshape([-1 if n == axis else 1 for n in range(rank)])


def _of_elements(x: Array, places: Array, axis: int) -> Places:
    """Return the indices of an element for each of places along an axis."""
    rank = places.ndim
    return tuple(
        places if n == axis else _along(length, n, rank) for n, length in enumerate(places.shape)
    )


def _of_slices(x: Array, places: Array, axis: int) -> Places:
    """Return the indices of slices of each sample, whose axis those of the places replace."""
    more = places.ndim - 2
    rank = x.ndim + more
    found = [_along(m, n if n < axis else n + more, rank) for n, m in enumerate(x.shape)]
    before, behind = [1] * (axis - 1), [1] * (x.ndim - axis - 1)
    found[axis] = places.reshape(len(places), *before, *places.shape[1:], *behind)
    return tuple(found)


def _of_tuples(x: Array, places: Array, axis: int) -> Places:
    """Return the indices that the last axis of places holds, behind some axes of the batch."""
    depth, rank = places.shape[-1], places.ndim - 1 + x.ndim - axis - places.shape[-1]
    shape = (*places.shape[:-1], *[1] * (x.ndim - axis - depth))
    found = [places[..., n].reshape(shape) for n in range(depth)]
    batch = [_along(length, n, rank) for n, length in enumerate(x.shape[:axis])]
    first = places.ndim - 1
    rest = [_along(length, first + n, rank) for n, length in enumerate(x.shape[axis + depth :])]
    return (*batch, *found, *rest)


def _gather(of: Callable[[Array, Array, int], Places]) -> ArrayFunction:
    """Return an operation that reads elements at places."""

    def forward(x: Array, places: Array, *, axis: int) -> Array:
        return np.asarray(x[of(x, places.astype(np.int64), axis)])

    def backward(dy: Array, y: Array, x: Array, places: Array, *, axis: int) -> Sequence[Array]:
        dx = np.zeros_like(x)
        np.add.at(dx, of(x, places.astype(np.int64), axis), dy)
        return dx, np.zeros(places.shape, dy.dtype)

    return ArrayFunction(forward, backward)


_JOINS: dict[str, Any] = {"add": np.add, "max": np.maximum, "min": np.minimum}


def _scatter(of: Callable[[Array, Array, int], Places]) -> ArrayFunction:
    """Return an operation that replaces elements at places, or joins them with others."""

    def forward(x: Array, places: Array, updates: Array, *, axis: int, join: str) -> Array:
        y, at = x.copy(), of(x, places.astype(np.int64), axis)
        if join in _JOINS:
            _JOINS[join].at(y, at, updates)
        else:
            y[at] = updates
        return y

    def backward(
        dy: Array, y: Array, x: Array, places: Array, updates: Array, *, axis: int, join: str
    ) -> Sequence[Array]:
        dx, at = dy.copy(), of(x, places.astype(np.int64), axis)
        of_updates = dy[at]
        if join in ("max", "min"):  # equal elements share the gradient
            count = (x == y).astype(dy.dtype)
            np.add.at(count, at, updates == y[at])
            share = dy / count
            dx, of_updates = share * (x == y), share[at] * (updates == y[at])
        elif join != "add":
            dx[at] = 0
        return dx, np.zeros(places.shape, dy.dtype), of_updates

    return ArrayFunction(forward, backward)


def einsum_terms(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """Return the letters of each argument and of the result of a sum of products.

    Parameters
    ----------
    equation : str
        The equation, in Einstein's notation.
    ranks : sequence of int
        The number of axes of each argument, for an ellipsis.

    Returns
    -------
    tuple of (list of str, str)
        The letters.

    Raises
    ------
    ValueError
        If the equation does not fit.

    Examples
    --------
    >>> einsum_terms("...i,ij", (3, 2))
    (['ABi', 'ij'], 'ABj')
    """
    given, arrow, result = equation.replace(" ", "").partition("->")
    terms, spare = given.split(","), "ABCDEFGHIJKLMNOP"
    spare = "".join(each for each in spare if each not in equation)
    if len(terms) != len(ranks):
        raise ValueError(f"{equation} is of {len(terms)} arrays, got {len(ranks)}")
    counts = [rank - len(term) + 3 for rank, term in zip(ranks, terms, strict=True)]
    more = max((n for n, term in zip(counts, terms, strict=True) if "..." in term), default=0)
    if more > len(spare):
        raise ValueError(f"{equation} has too many axes")
    found = [
        term.replace("...", spare[more - n : more] if n > 0 else "")
        for n, term in zip(counts, terms, strict=True)
    ]
    if any(len(term) != rank for term, rank in zip(found, ranks, strict=True)):
        raise ValueError(f"{equation} does not fit arrays of {', '.join(map(str, ranks))} axes")
    if not arrow:
        letters = sorted(each for each in {*given} if each.isalpha() and given.count(each) == 1)
        result = ("..." if "..." in given else "") + "".join(letters)
    return found, result.replace("...", spare[:more])


def _einsum(*x: Array, terms: Sequence[str]) -> Array:
    *given, result = terms
    return np.asarray(np.einsum(f"{','.join(given)}->{result}", *x), x[0].dtype)


def _einsum_backward(dy: Array, y: Array, *x: Array, terms: Sequence[str]) -> Sequence[Array]:
    *given, result = terms
    found = []
    for place, (term, array) in enumerate(zip(given, x, strict=True)):
        others = [(t, a) for n, (t, a) in enumerate(zip(given, x, strict=True)) if n != place]
        known = result + "".join(t for t, _ in others)
        own = "".join(dict.fromkeys(term))
        left = "".join(each for each in own if each in known)
        equation = ",".join([result, *(t for t, _ in others)]) + f"->{left}"
        gradient = np.einsum(equation, dy, *(a for _, a in others))
        lengths = dict(zip(term, array.shape, strict=True))
        short = tuple(n for n, each in enumerate(left) if lengths[each] == 1)
        gradient = gradient.sum(short, keepdims=True) if short else gradient
        gradient = gradient.reshape([lengths[each] if each in left else 1 for each in own])
        dx = np.zeros_like(array)
        np.einsum(f"{term}->{own}", dx)[...] = gradient
        found.append(dx)
    return found


def _determinant_backward(dy: Array, y: Array, x: Array) -> Sequence[Array]:
    """Return the cofactors, which a singular matrix has as well."""
    u, s, v = np.linalg.svd(x)
    sign = np.linalg.det(u) * np.linalg.det(v)
    others = _factors_of_others(s) * sign[..., np.newaxis]
    return ((dy[..., np.newaxis, np.newaxis] * (u * others[..., np.newaxis, :]) @ v),)


def _factors_of_others(x: Array) -> Array:
    ones = np.ones_like(x[..., :1])
    before = np.cumprod(np.concatenate([ones, x[..., :-1]], -1), -1)
    return before * np.cumprod(np.concatenate([ones, x[..., :0:-1]], -1), -1)[..., ::-1]


def _constant(x: Array, constant: Array) -> Array:
    return np.ascontiguousarray(np.broadcast_to(constant, (len(x), *constant.shape[1:])), x.dtype)


def _pixels(x: Array) -> Array:
    return x.reshape(len(x), -1, x.shape[-1])


def _in_plane(places: Array, sizes: Sequence[int], wraps: bool) -> Array:
    found = _pixels(places).astype(np.int64)
    if wraps and places.dtype == np.float32 and found.size and found.max() > 2**24:
        raise ValueError("places beyond 16,777,216 in a batch are not exact in float32")
    return found % math.prod(sizes) if wraps else found


def _unpool(x: Array, places: Array, *, sizes: Sequence[int], wraps: bool) -> Array:
    y = np.zeros((len(x), math.prod(sizes), x.shape[-1]), x.dtype)
    np.put_along_axis(y, _in_plane(places, sizes, wraps), _pixels(x), 1)
    return y.reshape(len(x), *sizes, x.shape[-1])


def _unpool_backward(
    dy: Array, y: Array, x: Array, places: Array, *, sizes: Sequence[int], wraps: bool
) -> Sequence[Array]:
    dx = np.take_along_axis(_pixels(dy), _in_plane(places, sizes, wraps), 1)
    return dx.reshape(x.shape), np.zeros(places.shape, dy.dtype)


SELECTIONS: dict[str, ArrayFunction] = {
    "arg_max": _arg(True),
    "arg_min": _arg(False),
    "constant": ArrayFunction(_constant, _none),
    "cumulative_product": ArrayFunction(_products, _products_backward),
    "determinant": ArrayFunction(
        lambda x: np.asarray(np.linalg.det(x), x.dtype), _determinant_backward
    ),
    "einsum": ArrayFunction(_einsum, _einsum_backward),
    "gather": _gather(_of_slices),
    "gather_elements": _gather(_of_elements),
    "gather_tuples": _gather(_of_tuples),
    "hardmax": ArrayFunction(_hardmax, _none),
    "one_hot": ArrayFunction(_one_hot, _one_hot_backward),
    "scatter_elements": _scatter(_of_elements),
    "scatter_tuples": _scatter(_of_tuples),
    "top": ArrayFunction(_top, _top_backward),
    "top_places": ArrayFunction(
        lambda x, axis, count, largest: _order(x, axis, count, largest).astype(x.dtype), _none
    ),
    "triangle": ArrayFunction(
        _triangle,
        lambda dy, y, x, upper, diagonal: (_triangle(dy, upper=upper, diagonal=diagonal),),
    ),
    "unpool": ArrayFunction(_unpool, _unpool_backward),
}
"""The operations by name; arrays have the samples first, and axes count them as axis 0."""
