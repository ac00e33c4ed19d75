"""Operations on elements as expressions of NumPy and of C."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["EXPRESSIONS", "Expression"]


class Expression(NamedTuple):
    """Operation on the elements of arrays a, b and c, and on options by their names.

    Parameters
    ----------
    numpy : str
        Expression of NumPy.
    c : str
        Expression of C99 in single precision.
    """

    numpy: str
    c: str

    def of_numpy(self, arrays: Sequence[str], options: Mapping[str, str]) -> str:
        """Return the expression of NumPy for these arrays.

        Parameters
        ----------
        arrays : sequence of str
            The arrays.
        options : mapping of str to str
            The options as they are printed.

        Returns
        -------
        str
            The expression.
        """
        return _filled(self.numpy, arrays, options)

    def of_c(self, arrays: Sequence[str], options: Mapping[str, str]) -> str:
        """Return the expression of C for elements.

        Parameters
        ----------
        arrays : sequence of str
            The elements.
        options : mapping of str to str
            The options as literals.

        Returns
        -------
        str
            The expression.
        """
        return _filled(self.c, arrays, options)


def _filled(text: str, arrays: Sequence[str], options: Mapping[str, str]) -> str:
    known = dict(zip("abc", arrays, strict=False))
    known |= {name: f"({each})" if each[:1] == "-" else each for name, each in options.items()}
    named: Callable[[re.Match[str]], str] = lambda found: known.get(found[0], found[0])  # noqa: E731
    return re.sub(r"\b[a-z]+\b", named, text)


def _flag(operator: str) -> Expression:
    """Return a comparison, which is 1 or 0."""
    return Expression(f"(a {operator} b)", f"(float)(a {operator} b)")


def _both_flags(name: str, operator: str) -> Expression:
    return Expression(f"np.logical_{name}(a, b)", f"(float)((a != 0.0f) {operator} (b != 0.0f))")


_TANH = "0.7978845608028654{f} * (a + 0.044715{f} * a * a * a)"
_PLAIN = {
    **{name: f"arc{name[1:]}" for name in ("acos", "acosh", "asin", "asinh", "atan", "atanh")},
    **{name: name for name in ("ceil", "cos", "cosh", "exp", "floor", "log", "sin", "sinh")},
    **{name: name for name in ("sqrt", "tan")},
}
EXPRESSIONS: dict[str, Expression] = {
    **{name: Expression(f"np.{of_numpy}(a)", f"{name}f(a)") for name, of_numpy in _PLAIN.items()},
    "abs": Expression("np.abs(a)", "fabsf(a)"),
    "clip": Expression(
        "np.minimum(np.maximum(a, least), most)", "a < least ? least : a > most ? most : a"
    ),
    "elu": Expression(
        "gamma * np.where(a > 0, a, alpha * np.expm1(np.minimum(a, 0)))",
        "gamma * (a > 0.0f ? a : alpha * expm1f(a))",
    ),
    "erf": Expression("2 * normal_cdf(a * np.sqrt(2)) - 1", "erff(a)"),
    "gelu_tanh": Expression(
        f"0.5 * a * (1 + np.tanh({_TANH.format(f='')}))",
        f"0.5f * a * (1.0f + tanhf({_TANH.format(f='f')}))",
    ),
    "hard_sigmoid": Expression(
        "np.clip(alpha * a + beta, 0, 1)", "fminf(fmaxf(alpha * a + beta, 0.0f), 1.0f)"
    ),
    "invert": Expression("(a == 0)", "(float)(a == 0.0f)"),
    "is_inf": Expression("np.isinf(a)", "(float)(a == INFINITY || a == -INFINITY)"),
    "is_nan": Expression("np.isnan(a)", "(float)(a != a)"),
    "negative": Expression("-a", "-a"),
    "reciprocal": Expression("1 / a", "1.0f / a"),
    "round": Expression("np.round(a)", "rintf(a)"),
    "shrink": Expression(
        "np.where(a < -limit, a + bias, np.where(a > limit, a - bias, 0))",
        "a < -limit ? a + bias : a > limit ? a - bias : 0.0f",
    ),
    "sign": Expression("np.sign(a)", "a != a ? a : (float)((a > 0.0f) - (a < 0.0f))"),
    "softplus": Expression(
        "np.log1p(np.exp(-np.abs(a))) + np.maximum(a, 0)",
        "log1pf(expf(-fabsf(a))) + (a > 0.0f ? a : 0.0f)",
    ),
    "swish": Expression("a / (1 + np.exp(-alpha * a))", "a / (1.0f + expf(-alpha * a))"),
    "threshold": Expression("np.where(a > limit, a, 0)", "a > limit ? a : 0.0f"),
    "truncate": Expression("np.trunc(a)", "truncf(a)"),
    # Of two arrays.
    "maximum": Expression("np.maximum(a, b)", "a > b || a != a ? a : b"),
    "minimum": Expression("np.minimum(a, b)", "a < b || a != a ? a : b"),
    "modulo": Expression("np.mod(a, b)", "fmodf(a, b) + (fmodf(a, b) * b < 0.0f ? b : 0.0f)"),
    "remainder": Expression("np.fmod(a, b)", "fmodf(a, b)"),
    "power": Expression("np.power(a, b)", "powf(a, b)"),
    "slope": Expression("np.where(a < 0, b * a, a)", "a < 0.0f ? b * a : a"),
    "equal": _flag("=="),
    "greater": _flag(">"),
    "greater_equal": _flag(">="),
    "less": _flag("<"),
    "less_equal": _flag("<="),
    "logical_and": _both_flags("and", "&&"),
    "logical_or": _both_flags("or", "||"),
    "logical_xor": _both_flags("xor", "!="),
    "where": Expression("np.where(a != 0, b, c)", "a != 0.0f ? b : c"),
}
"""The expressions by operation of `ArrayOperation`."""
