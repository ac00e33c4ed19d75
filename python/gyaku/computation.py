"""Computational graphs of small expressions, with values and gradients on the edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gyaku.diagram import Diagram, Edge, Node
from gyaku.reference import activation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["Variable"]

_LEGENDS = {
    "en": ("forward: value", "backward: gradient"),
    "ja": ("順伝播: 値", "逆伝播: 勾配"),
}
_OUTPUTS = {"en": "output", "ja": "出力"}


class Variable:
    """Value in a computational graph, which remembers the operation that gave it.

    Parameters
    ----------
    value : array_like
        A number, or an array of any shape; kept in float64.
    name : str
        Name in the diagram.

    Attributes
    ----------
    value : ndarray of float64
        The value.
    gradient : ndarray of float64
        Gradient of the last `backward` with respect to this value, in its shape; zero before.

    Raises
    ------
    TypeError
        If the value does not hold real numbers.

    Notes
    -----
    The operators ``+ - * /``, a minus sign, `exp`, `log`, `sum`, `relu`, `sigmoid` and `tanh` make
    new variables; arrays are broadcast as in NumPy. `backward` follows the chain rule from the
    result to the inputs, and `graph` draws both directions. It explains how back-propagation works;
    models are trained by `Model.fit`, which is many times faster.

    Examples
    --------
    >>> import gyaku as gk
    >>> apple, count, tax = gk.Variable(100, "apple"), gk.Variable(2, "count"), gk.Variable(1.1)
    >>> price = apple * count * tax
    >>> price.backward()
    >>> print(f"{price.value:g}: {apple.gradient:g} {count.gradient:g} {tax.gradient:g}")
    220: 2.2 110 200
    """

    __array_ufunc__ = None  # so that NumPy leaves array * variable to this class

    def __init__(self, value: ArrayLike, name: str = "") -> None:
        given = np.asarray(value)
        if given.dtype.kind not in "iufb":
            raise TypeError(f"Variable: value must hold real numbers, got {value!r}")
        self.value: Array = given.astype(np.float64)
        self.name = name
        self.gradient: Array = np.zeros_like(self.value)
        self.operation = ""
        self.inputs: tuple[Variable, ...] = ()
        self._slopes: Callable[[Array], Sequence[Array]] = lambda dy: ()
        self._gradients: list[Array] = []  # with respect to each input

    def __repr__(self) -> str:
        name = f", {self.name!r}" if self.name else ""
        return f"Variable({_shown(self.value)}{name})"

    def __add__(self, other: Any) -> Variable:
        return _made("+", self, other, lambda a, b: a + b, lambda dy, a, b: (dy, dy))

    def __sub__(self, other: Any) -> Variable:
        return _made("-", self, other, lambda a, b: a - b, lambda dy, a, b: (dy, -dy))

    def __mul__(self, other: Any) -> Variable:
        return _made("×", self, other, lambda a, b: a * b, lambda dy, a, b: (dy * b, dy * a))

    def __truediv__(self, other: Any) -> Variable:
        return _made("÷", self, other, np.divide, lambda dy, a, b: (dy / b, -dy * a / b**2))

    def __radd__(self, other: Any) -> Variable:
        return _variable(other) + self

    def __rsub__(self, other: Any) -> Variable:
        return _variable(other) - self

    def __rmul__(self, other: Any) -> Variable:
        return _variable(other) * self

    def __rtruediv__(self, other: Any) -> Variable:
        return _variable(other) / self

    def __neg__(self) -> Variable:
        return self * -1

    def exp(self) -> Variable:
        """Return the exponential function, whose derivative is itself.

        Returns
        -------
        Variable
            ``exp(x)``.
        """
        y = np.exp(self.value)
        return _of("exp", (self,), y, lambda dy: (dy * y,))

    def log(self) -> Variable:
        """Return the natural logarithm, whose derivative is ``1 / x``.

        Returns
        -------
        Variable
            ``log(x)``.
        """
        return _of("log", (self,), np.log(self.value), lambda dy: (dy / self.value,))

    def sum(self) -> Variable:
        """Return the sum of all elements, whose gradient is copied to each of them.

        Returns
        -------
        Variable
            The sum, a number.
        """
        shape = self.value.shape
        return _of("Σ", (self,), self.value.sum(), lambda dy: (np.broadcast_to(dy, shape),))

    def relu(self) -> Variable:
        """Return ``max(x, 0)``.

        Returns
        -------
        Variable
            The result.
        """
        return self._activated("relu")

    def sigmoid(self) -> Variable:
        """Return ``y = 1 / (1 + exp(-x))``, whose derivative is ``y (1 - y)``.

        Returns
        -------
        Variable
            The result.
        """
        return self._activated("sigmoid")

    def tanh(self) -> Variable:
        """Return ``y = tanh(x)``, whose derivative is ``1 - y²``.

        Returns
        -------
        Variable
            The result.
        """
        return self._activated("tanh")

    def _activated(self, name: str) -> Variable:
        y = getattr(activation, name)(self.value)
        backward = getattr(activation, f"{name}_backward")
        return _of(name, (self,), y, lambda dy: (backward(dy, y),))

    def backward(self) -> None:
        """Compute the gradients of this number with respect to all values that it depends on.

        Raises
        ------
        ValueError
            If it is no single number.
        """
        if self.value.size != 1:
            raise ValueError(
                f"backward: begin with one number, such as y.sum(), got shape {self.value.shape}"
            )
        order = self._order()
        for each in order:
            each.gradient = np.zeros_like(each.value)
        self.gradient = np.ones_like(self.value)
        for each in reversed(order):
            each._gradients = [
                _unbroadcast(np.asarray(part), source.value.shape)
                for source, part in zip(each.inputs, each._slopes(each.gradient), strict=True)
            ]
            for source, part in zip(each.inputs, each._gradients, strict=True):
                source.gradient = source.gradient + part

    def graph(self, lang: Literal["en", "ja"] = "en") -> Diagram:
        """Return the diagram: values above the edges, gradients of this number below them.

        Parameters
        ----------
        lang : {"en", "ja"}
            Language of the legend.

        Returns
        -------
        Diagram
            The diagram, which a notebook shows; `svg`, `mermaid` and `save` give it as text.

        Raises
        ------
        ValueError
            If this is no single number, or the language is unknown.
        """
        if lang not in _LEGENDS:
            raise ValueError(f"graph: lang must be 'en' or 'ja', got {lang!r}")
        self.backward()
        order = self._order()
        numbers = {id(each): place for place, each in enumerate(order)}
        nodes = [
            Node([each.operation], "operation")
            if each.operation
            else Node([each.name or _shown(each.value)], "input")
            for each in order
        ]
        edges = [
            Edge(numbers[id(source)], numbers[id(each)], _shown(source.value), _shown(part))
            for each in order
            for source, part in zip(each.inputs, each._gradients, strict=True)
        ]
        edges.append(Edge(len(nodes) - 1, len(nodes), _shown(self.value), _shown(self.gradient)))
        nodes.append(Node([self.name or _OUTPUTS[lang]], "input"))
        return Diagram(*(nodes, edges), direction="right", title=repr(self), legend=_LEGENDS[lang])

    def _order(self) -> list[Variable]:
        """Return all variables that this one depends on, inputs first, itself last."""
        found: dict[int, Variable] = {}
        waiting: list[tuple[Variable, bool]] = [(self, False)]
        while waiting:
            each, is_ready = waiting.pop()
            if id(each) in found:
                continue
            if is_ready:
                found[id(each)] = each
            else:
                waiting.append((each, True))
                waiting += [(source, False) for source in reversed(each.inputs)]
        return list(found.values())


def _of(
    operation: str,
    inputs: tuple[Variable, ...],
    value: ArrayLike,
    slopes: Callable[[Array], Sequence[Array]],
) -> Variable:
    result = Variable(value)
    result.operation, result.inputs, result._slopes = operation, inputs, slopes
    return result


def _variable(given: Any) -> Variable:
    return given if isinstance(given, Variable) else Variable(given)


def _made(
    operation: str,
    left: Variable,
    right: Any,
    value: Callable[..., Any],
    slopes: Callable[..., Any],
) -> Variable:
    other = _variable(right)
    a, b = left.value, other.value
    return _of(operation, (left, other), value(a, b), lambda dy: slopes(dy, a, b))


def _unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Add a gradient over the axes along which the value was broadcast."""
    total = np.asarray(gradient.sum(axis=tuple(range(gradient.ndim - len(shape)))))
    stretched = tuple(i for i, n in enumerate(shape) if n == 1 and total.shape[i] > 1)
    return np.asarray(total.sum(axis=stretched, keepdims=True))


def _shown(value: Array) -> str:
    if value.ndim == 0:
        return f"{value:.4g}"
    if value.size <= 3 and value.ndim == 1:
        return "[" + " ".join(f"{each:.3g}" for each in value) + "]"
    return f"array {value.shape}"
