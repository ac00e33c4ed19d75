"""Row of the list of activation functions, and the docstrings of its operations."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Activation", "Parameter"]

_FORWARD = """{summary}

    Parameters
    ----------
    x : array_like
        Input of any shape.{alpha}

    Returns
    -------
    ndarray
        Output of the same shape.

    Raises
    ------
    TypeError
        If x does not hold real numbers.{negative}

    Notes
    -----
    {equation}

    Examples
    --------
    >>> {name}({arguments}).round(4)
    {result}
    """
_BACKWARD = """Return the gradient of `{function}`.

    Parameters
    ----------
    dy : array_like
        Gradient of the loss with respect to the output.
    saved : array_like
        The {saves} of `{function}`, of the same shape.{alpha}

    Returns
    -------
    ndarray
        Gradient of the loss with respect to the input.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If the shapes differ{negative}.

    Notes
    -----
    {equation}

    Examples
    --------
    >>> {name}({arguments}).round(4)
    {result}
    """
_LAYER = """{summary}

    Parameters
    ----------{parameter}
    name : str
        The layer's name.

    Notes
    -----
    {equation}

    Examples
    --------
    >>> {name}().forward({arguments}).round(4)
    {result}
    """


class Parameter(NamedTuple):
    """A parameter that only the equation in NumPy has; None is its default.

    Parameters
    ----------
    text : str
        Meaning, range and default, for the docstrings.
    least, above : float, optional
        The range: least <= value, above < value.
    """

    text: str
    least: float = -math.inf
    above: float = -math.inf

    @property
    def limits(self) -> dict[str, float]:
        """The range, as keywords of `gyaku.checks.number`."""
        return {"least": self.least, "above": self.above}


class Activation(NamedTuple):
    """An activation function: a row from which its two operations and their docstrings follow.

    Parameters
    ----------
    name : str
        Name of the operation; the gradient's ends in ``_backward``.
    summary : str
        First line of the docstring.
    equation : str
        The output y, from the input x.
    derivative : str
        The gradient dx, from dy and the saved tensor.
    flops : tuple of int
        Floating-point operations for one element, forward and backward.
    roundings : tuple of int
        Rounding errors, forward and backward, see `Op`; 0 where elements are only selected.
    example : tuple of str
        An input, and the output rounded to four digits, for the docstring.
    example_backward : tuple of str
        Arguments of the gradient, and its result.
    source : str, optional
        The publication.
    saves : {"output", "input"}, optional
        The tensor of the forward pass from which the gradient is computed.
    alpha : float or None, optional
        Default of the parameter alpha; None if there is no parameter.
    positive, negative : bool, optional
        Whether alpha must be positive, or may be negative; else it may be 0.
    parameters : mapping of str to Parameter, optional
        Further parameters, which the kernels do not have.
    rectifies : bool, optional
        Whether it grows without bound on one side alone, so that ``"auto"`` initialises the weights
        before it as `He`.
    """

    name: str
    summary: str
    equation: str
    derivative: str
    flops: tuple[int, int]
    roundings: tuple[int, int]
    example: tuple[str, str]
    example_backward: tuple[str, str]
    source: str = ""
    saves: str = "output"
    alpha: float | None = None
    positive: bool = False
    negative: bool = False
    parameters: Mapping[str, Parameter] = MappingProxyType({})
    rectifies: bool = False

    def check_alpha(self, op: str, alpha: float) -> None:
        """Refuse a parameter that is out of range.

        Parameters
        ----------
        op : str
            Operation, for errors.
        alpha : float
            The parameter.

        Raises
        ------
        ValueError
            If it is out of the range.
        """
        fits = alpha > 0 if self.positive else alpha >= 0
        if not (math.isfinite(alpha) if self.negative else fits):
            raise ValueError(f"{op}: alpha must be {self._right}, got {alpha}")

    def documentation(self) -> str:
        """Return the docstring of the operation.

        Returns
        -------
        str
            The docstring.
        """
        return _FORWARD.format(
            name=self.name,
            summary=self.summary,
            alpha=self._parameter(),
            negative=self._wrong_alpha("\n    ValueError\n        If {}."),
            equation=self._equation,
            arguments=self.example[0],
            result=self.example[1],
        )

    def documentation_backward(self) -> str:
        """Return the docstring of the gradient.

        Returns
        -------
        str
            The docstring.
        """
        return _BACKWARD.format(
            name=self.name + "_backward",
            function=self.name,
            saves="input x" if self.saves == "input" else "output y",
            alpha=self._parameter(),
            negative=self._wrong_alpha(", or {}"),
            equation=self.derivative + ".",
            arguments=self.example_backward[0],
            result=self.example_backward[1],
        )

    def documentation_of_layer(self, name: str, summary: str) -> str:
        """Return the docstring of the layer.

        Parameters
        ----------
        name : str
            Name of the class.
        summary : str
            First line of its docstring.

        Returns
        -------
        str
            The docstring.
        """
        return _LAYER.format(
            name=name,
            summary=summary,
            parameter=self._parameter(),
            equation=self._equation,
            arguments=self.example[0],
            result=self.example[1],
        )

    @property
    def _right(self) -> str:
        return "finite" if self.negative else "positive" if self.positive else "at least 0"

    def _parameter(self) -> str:
        text = "".join(
            f"\n    {name} : float or None, optional\n        {each.text}"
            for name, each in self.parameters.items()
        )
        if self.alpha is None:
            return text
        return f"\n    alpha : float, default {self.alpha}\n        Parameter, {self._right}."

    def _wrong_alpha(self, sentence: str) -> str:
        if self.parameters:
            return sentence.format("a parameter is out of range")
        if self.alpha is None:
            return ""
        return sentence.format(f"alpha is not {self._right}")

    @property
    def _equation(self) -> str:
        text = f"{self.equation}; {self.source}." if self.source else self.equation + "."
        lines = [""]
        for word in text.split(" "):
            if len(lines[-1]) + len(word) > 95:
                lines.append("   ")
            lines[-1] += f" {word}"
        return "\n".join(lines)[1:]
