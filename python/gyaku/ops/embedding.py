"""Embeddings: rows of a table by their ids, and the lengths of padded sequences of ids."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.checks import first_element, whole
from gyaku.ops.arrays import INT32, INT64, convert, floating, matrix, real_numbers, result
from gyaku.ops.op import operation, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["embedding", "embedding_backward", "sequence_lengths"]


def _ids(op: str, ids: ArrayLike) -> NDArray[Any]:
    """Return ids as int32 or int64 in the form of a kernel's input."""
    array = real_numbers(op, "ids", ids)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{op}: ids must be integers, got {array.dtype}")
    return convert(op, array, INT32 if np.can_cast(array.dtype, INT32) else INT64)


def check_ids(owner: str, name: str, ids: NDArray[Any], vocabulary_size: int) -> None:
    """Raise if an id is outside the vocabulary, with its place.

    Parameters
    ----------
    owner, name : str
        Function and argument, for the error.
    ids : ndarray
        Integers.
    vocabulary_size : int
        Number of ids.

    Raises
    ------
    ValueError
        If an id is negative or too large.
    """
    if not ids.size or (ids.min() >= 0 and ids.max() < vocabulary_size):
        return
    value, where = first_element(ids, (ids < 0) | (ids >= vocabulary_size))
    raise ValueError(
        f"{owner}: the id {value} in {where} of {name} is outside the vocabulary of"
        f" {vocabulary_size}, whose ids go from 0 to {vocabulary_size - 1}"
    )


@operation(
    _core.embedding,
    inputs="ids table",
    outputs="y",
    shapes=lambda shapes: ((*shapes[0], shapes[1][1]),),
    flops=lambda _inputs, _outputs: 0,
    elements=lambda inputs, outputs: math.prod(inputs[0]) + 2 * math.prod(outputs[0]),
    saves="input",
    gradient="embedding_backward",
    exact="it copies",
)
def embedding(ids: ArrayLike, table: ArrayLike) -> NDArray[Any]:
    """Look up rows of a table by their ids.

    Parameters
    ----------
    ids : array_like
        Integers, of any shape.
    table : array_like
        Matrix of shape (vocabulary_size, d), a row for each id.

    Returns
    -------
    ndarray
        The rows, (..., d) for ids (...): float64 if the table is, else float32.

    Raises
    ------
    TypeError
        If ids are no integers, or the table does not hold real numbers.
    ValueError
        If the table is no matrix, or an id is outside of it.

    Notes
    -----
    y_i = table[ids_i]. In a program whose data change, an id outside the table gives a row of NaN.
    Bengio, Ducharme, Vincent and Janvin, "A neural probabilistic language model", JMLR 3 (2003).

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.embedding([2, 0], [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    array([[5., 6.],
           [1., 2.]])
    """
    ids, table = _ids("embedding", ids), matrix("embedding", "table", table)
    check_ids("embedding", "ids", ids, len(table))
    return prepared(ids=ids, table=table)


@operation(
    lambda dy, ids, vocabulary_size, padding, out: _core.embedding_backward(
        dy, ids, vocabulary_size, padding, out
    ),
    inputs="dy ids",
    outputs="dtable",
    shapes=lambda shapes, *, vocabulary_size, **_keywords: ((vocabulary_size, shapes[0][-1]),),
    flops=lambda inputs, _outputs: math.prod(inputs[0]),
    no_gradient="it is a gradient",
    roundings=1,
    terms=lambda inputs, _outputs: math.prod(inputs[1]),
)
def embedding_backward(
    dy: ArrayLike,
    ids: ArrayLike,
    *,
    vocabulary_size: int,
    padding: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Compute the gradient of `embedding` with respect to its table.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, (..., d) for ids (...).
    ids : array_like
        The ids.
    vocabulary_size : int
        Number of rows of the table.
    padding : int or None, optional
        An id whose row gets no gradient.
    out : ndarray or None, optional
        Array of shape (vocabulary_size, d) that the result is written to.

    Returns
    -------
    ndarray
        Gradient of shape (vocabulary_size, d); zeros for ids that do not occur.

    Raises
    ------
    TypeError
        If ids are no integers, dy does not hold real numbers, or out has another dtype.
    ValueError
        If shapes do not match, an id is outside the vocabulary, or out overlaps an input.

    Notes
    -----
    dtable_k = Σ dy_i over the positions i with ids_i = k, added in ascending order of i, whatever
    the number of threads.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.embedding_backward([[1.0], [2.0], [4.0]], [1, 0, 1], vocabulary_size=3)
    array([[2.],
           [5.],
           [0.]])
    """
    op = "embedding_backward"
    dy, ids = floating(op, "dy", dy), _ids(op, ids)
    whole(op, "vocabulary_size", vocabulary_size)
    if dy.shape[:-1] != ids.shape or not dy.ndim:
        raise ValueError(
            f"{op}: dy must have a row for each id, got shapes {dy.shape} and {ids.shape}"
        )
    check_ids(op, "ids", ids, vocabulary_size)
    y = result(op, out, (vocabulary_size, dy.shape[-1]), dy.dtype, dy=dy, ids=ids)
    return prepared(dy=dy, ids=ids, out=y)


@operation(
    _core.sequence_lengths,
    inputs="ids",
    outputs="lengths",
    shapes=lambda shapes: (shapes[0][:1],),
    flops=lambda _inputs, _outputs: 0,
    no_gradient="it counts",
    exact="it counts",
)
def sequence_lengths(ids: ArrayLike) -> NDArray[np.int64]:
    """Return the lengths of sequences of ids that are padded with zeros behind their ends.

    Parameters
    ----------
    ids : array_like
        Integers of shape (n, t, ...).

    Returns
    -------
    ndarray of int64
        Length of each sequence, of shape (n,).

    Raises
    ------
    TypeError
        If ids are no integers.
    ValueError
        If there is no time axis.

    Notes
    -----
    The index of the last step with an id other than 0, plus 1; 0 if there is none.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.sequence_lengths([[5, 0, 7, 0], [1, 0, 0, 0]])
    array([3, 1])
    """
    ids = _ids("sequence_lengths", ids)
    if ids.ndim < 2:
        raise ValueError(
            f"sequence_lengths: ids must have a sample axis and a time axis, got shape {ids.shape}"
        )
    return prepared(ids=ids)
