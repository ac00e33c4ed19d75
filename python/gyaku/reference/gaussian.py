"""The standard normal distribution, on which GELU rests, to the last digits of float64."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["normal_cdf", "normal_pdf"]

# Rational approximations of W. J. Cody, highest power first: near 0, up to sqrt(32), and beyond.
_CENTRE = 0.67448975
_CENTRE_P = (
    0.065682337918207449113,
    2.2352520354606839287,
    161.02823106855587881,
    1067.6894854603709582,
    18154.981253343561249,
)
_CENTRE_Q = (
    1.0,
    47.20258190468824187,
    976.09855173777669322,
    10260.932208618978205,
    45507.789335026729956,
)
_MIDDLE = math.sqrt(32)
_MIDDLE_P = (
    1.0765576773720192317e-8,
    0.39894151208813466764,
    8.8831497943883759412,
    93.506656132177855979,
    597.27027639480026226,
    2494.5375852903726711,
    6848.1904505362823326,
    11602.651437647350124,
    9842.7148383839780218,
)
_MIDDLE_Q = (
    1.0,
    22.266688044328115691,
    235.38790178262499861,
    1519.377599407554805,
    6485.558298266760755,
    18615.571640885098091,
    34900.952721145977266,
    38912.003286093271411,
    19685.429676859990727,
)
_TAIL = 160.0  # beyond it the tail is zero in every type up to 80 bits
_TAIL_P = (
    0.02307344176494017303,
    0.21589853405795699,
    0.1274011611602473639,
    0.022235277870649807,
    0.001421619193227893466,
    2.9112874951168792e-5,
)
_TAIL_Q = (
    1.0,
    1.28426009614491121,
    0.468238212480865118,
    0.0659881378689285515,
    0.00378239633202758244,
    7.29751555083966205e-5,
)


def _polynomial(coefficients: tuple[float, ...], x: NDArray[Any]) -> NDArray[Any]:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def _exp_half_square(x: NDArray[Any]) -> NDArray[Any]:
    # Rounding x^2 would cost the result x^2 / 2 ulps; the square of a short s is exact.
    s = np.trunc(65536 * x.real) / 65536
    return np.asarray(np.exp(-s * s / 2) * np.exp(-(x - s) * (x + s) / 2))


def _centre(x: NDArray[Any]) -> NDArray[Any]:
    square = x * x
    return np.asarray(0.5 - x * _polynomial(_CENTRE_P, square) / _polynomial(_CENTRE_Q, square))


def _middle(x: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(_exp_half_square(x) * _polynomial(_MIDDLE_P, x) / _polynomial(_MIDDLE_Q, x))


def _tail(x: NDArray[Any]) -> NDArray[Any]:
    inverse = 1 / (x * x)
    ratio = inverse * _polynomial(_TAIL_P, inverse) / _polynomial(_TAIL_Q, inverse)
    return np.asarray(_exp_half_square(x) * (1 / math.sqrt(2 * math.pi) - ratio) / x)


def normal_cdf(x: NDArray[Any]) -> NDArray[Any]:
    """Return the distribution function of the standard normal distribution.

    Parameters
    ----------
    x : ndarray
        Points, of any float dtype; complex points near the real axis give the analytic
        continuation, so that a complex step differentiates it.

    Returns
    -------
    ndarray
        The probability of a value below x, in x's dtype and with small relative error in both
        tails.

    Notes
    -----
    Φ(x) = (1 + erf(x / √2)) / 2 = erfc(-x / √2) / 2, by the rational approximations of W. J. Cody,
    "Rational Chebyshev approximations for the error function", Mathematics of Computation 23
    (1969), as rescaled for Φ in his Algorithm 715, ACM TOMS 19 (1993). Working in x itself matters:
    rounding x / √2 would cost the digits of the tail.

    Examples
    --------
    >>> normal_cdf(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.1587, 0.5   , 0.8413])
    """
    work = x.astype(np.promote_types(x.dtype, np.float64))
    size = np.where(work.real < 0, -work, work)
    upper = np.piecewise(  # the probability of a value above |x|; NaN is in no interval and stays
        size,
        [
            size.real <= _CENTRE,
            (size.real > _CENTRE) & (size.real <= _MIDDLE),
            (size.real > _MIDDLE) & (size.real <= _TAIL),
            size.real > _TAIL,
        ],
        [_centre, _middle, _tail, 0, lambda z: z],
    )
    return np.where(work.real < 0, upper, 1 - upper).astype(x.dtype)


def normal_pdf(x: NDArray[Any]) -> NDArray[Any]:
    """Return the density of the standard normal distribution.

    Parameters
    ----------
    x : ndarray
        Points, of any float or complex dtype.

    Returns
    -------
    ndarray
        The density at x, in x's dtype.

    Notes
    -----
    φ(x) = exp(-x²/2) / √(2π), the derivative of Φ.

    Examples
    --------
    >>> normal_pdf(np.array([0.0, 1.0])).round(4)
    array([0.3989, 0.242 ])
    """
    work = x.astype(np.promote_types(x.dtype, np.float64))
    size = np.minimum(np.where(work.real < 0, -work, work), _TAIL)
    return (_exp_half_square(size) / math.sqrt(2 * math.pi)).astype(x.dtype)
