"""Normalisation of a sample by itself: over groups of channels, rows, and neighbouring channels.

These are equations in NumPy, which programs call as they are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gyaku.checks import number, whole
from gyaku.ops.arrays import check_same_shape, check_shape, floating, floats, results
from gyaku.ops.op import in_numpy, like_first, operation, per_element, prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gyaku.ops.op import Shape, Shapes

    Out = tuple[NDArray[Any] | None, ...]

__all__ = ["group_norm", "group_norm_backward", "local_response_norm"]
__all__ += ["local_response_norm_backward", "rms_norm", "rms_norm_backward"]


def _elements(inputs: Shapes, outputs: Shapes) -> int:
    del inputs
    return math.prod(outputs[0])


def _group_shapes(shapes: Shapes, *, groups: int, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    x, *_ = shapes
    return x, (x[0], groups), (x[0], groups)


def _gradient_shapes(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    _, x, gamma, *_ = shapes
    return x, gamma, gamma


def _row_shapes(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    del keywords
    x, gamma = shapes
    return x, x[: len(x) - len(gamma)]


def _row_gradient_shapes(shapes: Shapes, **keywords: Any) -> tuple[Shape, ...]:
    return _gradient_shapes(shapes, **keywords)[:2]


def _check_groups(op: str, x: NDArray[Any], groups: int) -> int:
    groups = whole(op, "groups", groups)
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise ValueError(f"{op}: x must have the shape (samples, ..., channels), got {x.shape}")
    if x.shape[-1] % groups:
        raise ValueError(
            f"{op}: the channels ({x.shape[-1]}) must be divisible by groups ({groups})"
        )
    return groups


def _check_features(op: str, x: NDArray[Any], gamma: NDArray[Any]) -> None:
    if not gamma.size or x.shape[max(x.ndim - gamma.ndim, 0) :] != gamma.shape:
        raise ValueError(
            f"{op}: the last axes of x must be those of gamma, got shapes {x.shape} and"
            f" {gamma.shape}"
        )


@operation(
    in_numpy("group_norm"),
    check_first=True,
    kernel=None,
    inputs="x gamma beta",
    outputs="y mean inverse",
    shapes=_group_shapes,
    flops=per_element(8),
    saves="input",
    gradient="group_norm_backward",
    roundings=8,
    terms=_elements,
)
def group_norm(
    x: ArrayLike, gamma: ArrayLike, beta: ArrayLike, *, groups: int, epsilon: float = 1e-5
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Normalise groups of channels of each sample, then scale and shift the channels.

    Parameters
    ----------
    x : array_like
        Input of shape (n, ..., c).
    gamma : array_like
        Scale, of shape (c,).
    beta : array_like
        Shift, of shape (c,).
    groups : int
        Number of groups of neighbouring channels; c is instance normalisation.
    epsilon : float, default 1e-5
        Small constant added to the variance.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    mean : ndarray
        Mean of each sample's groups, of shape (n, groups).
    inverse : ndarray
        Inverse standard deviation of each sample's groups, of the same shape.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not fit, or the channels are not divisible by groups.

    Notes
    -----
    As `batch_norm`, with the statistics over the positions and channels of a sample's group:
    y = γ (x - μ) r + β. Wu and He, "Group normalization", ECCV 2018.

    Examples
    --------
    >>> from gyaku import ops
    >>> y, mean, inverse = ops.group_norm(
    ...     [[1.0, 3.0, 5.0, 5.0]], [1.0] * 4, [0.0] * 4, groups=2, epsilon=3
    ... )
    >>> y, mean, inverse.round(4)
    (array([[-0.5,  0.5,  0. ,  0. ]]), array([[2., 5.]]), array([[0.5   , 0.5774]]))
    """
    op = "group_norm"
    x, gamma, beta = floats(op, x=x, gamma=gamma, beta=beta)
    groups = _check_groups(op, x, groups)
    check_shape(op, "gamma", gamma, x.shape[-1:])
    check_shape(op, "beta", beta, x.shape[-1:])
    return prepared(x=x, gamma=gamma, beta=beta, groups=groups)


@operation(
    in_numpy("group_norm_backward"),
    check_first=True,
    kernel=None,
    inputs="dy x gamma mean inverse",
    outputs="dx dgamma dbeta",
    shapes=_gradient_shapes,
    flops=per_element(14),
    no_gradient="it is a gradient",
    roundings=10,
    terms=_elements,
)
def group_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    mean: ArrayLike,
    inverse: ArrayLike,
    *,
    out: Out | None = None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the gradients of group normalisation.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (n, ..., c).
    x : array_like
        The input, of the same shape.
    gamma : array_like
        Scale, of shape (c,).
    mean : array_like
        Mean of each sample's groups, of shape (n, groups).
    inverse : array_like
        Inverse standard deviation of each sample's groups.
    out : tuple of (ndarray or None) or None, optional
        Arrays that the three results are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the input.
    dgamma : ndarray
        Gradient with respect to the scale, of shape (c,).
    dbeta : ndarray
        Gradient with respect to the shift, of shape (c,).

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or an array of out has another dtype.
    ValueError
        If shapes do not fit, or an array of out overlaps an argument.

    Notes
    -----
    With z = (x - μ) r, g = γ dy, and means over a sample's group:
    dx = r (g - mean(g) - z mean(g z)), dγ = Σ dy z, dβ = Σ dy.

    Examples
    --------
    >>> from gyaku import ops
    >>> x, dy = [[-1.0, 1.0]], [[3.0, 1.0]]
    >>> dx, dgamma, dbeta = ops.group_norm_backward(dy, x, [1.0, 1.0], [[0.0]], [[1.0]])
    >>> dx, dgamma, dbeta
    (array([[0., 0.]]), array([-3.,  1.]), array([3., 1.]))
    """
    op = "group_norm_backward"
    arrays = dy, x, gamma, mean, inverse = floats(
        op, dy=dy, x=x, gamma=gamma, mean=mean, inverse=inverse
    )
    if mean.ndim != 2:
        raise ValueError(f"{op}: mean must have the shape (samples, groups), got {mean.shape}")
    groups = _check_groups(op, x, mean.shape[1])
    check_shape(op, "dy", dy, x.shape)
    check_shape(op, "gamma", gamma, x.shape[-1:])
    for name, statistic in (("mean", mean), ("inverse", inverse)):
        check_shape(op, name, statistic, (len(x), groups))
    read = dict(zip(("dy", "x", "gamma", "mean", "inverse"), arrays, strict=True))
    shapes = [x.shape, gamma.shape, gamma.shape]
    return prepared(**read, out=results(op, "dx dgamma dbeta", out, shapes, **read))


@operation(
    in_numpy("rms_norm"),
    check_first=True,
    kernel=None,
    inputs="x gamma",
    outputs="y inverse",
    shapes=_row_shapes,
    flops=per_element(4),
    saves="input",
    gradient="rms_norm_backward",
    roundings=8,
    terms=_elements,
)
def rms_norm(
    x: ArrayLike, gamma: ArrayLike, *, epsilon: float = 1e-6
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Divide the features of each sample by the root of their mean square, then scale them.

    Parameters
    ----------
    x : array_like
        Input of shape ``(..., *gamma.shape)``.
    gamma : array_like
        Scale of the features, of one or more dimensions.
    epsilon : float, default 1e-6
        Small constant added to the mean square.

    Returns
    -------
    y : ndarray
        Output, of the shape of x.
    inverse : ndarray
        Inverse root of each sample's mean square, of the shape of x without the axes of the
        features.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not fit, or there are no features.

    Notes
    -----
    r = 1 / √(Σ x² / f + ε), y = γ x r. Zhang and Sennrich, "Root mean square layer normalization",
    NeurIPS 2019.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.rms_norm([[1.0, 7.0]], [1.0, 2.0], epsilon=0)
    (array([[0.2, 2.8]]), array([0.2]))
    """
    op = "rms_norm"
    x, gamma = floats(op, x=x, gamma=gamma)
    _check_features(op, x, gamma)
    return prepared(x=x, gamma=gamma)


@operation(
    in_numpy("rms_norm_backward"),
    check_first=True,
    kernel=None,
    inputs="dy x gamma inverse",
    outputs="dx dgamma",
    shapes=_row_gradient_shapes,
    flops=per_element(9),
    no_gradient="it is a gradient",
    roundings=9,
    terms=_elements,
)
def rms_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    gamma: ArrayLike,
    inverse: ArrayLike,
    *,
    out: Out | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the gradients of normalisation by the root of the mean square.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape ``(..., *gamma.shape)``.
    x : array_like
        The input, of the same shape.
    gamma : array_like
        Scale of the features.
    inverse : array_like
        Inverse root of each sample's mean square.
    out : tuple of (ndarray or None) or None, optional
        Arrays that the two results are written to; None is a new array.

    Returns
    -------
    dx : ndarray
        Gradient with respect to the input.
    dgamma : ndarray
        Gradient with respect to the scale, summed over the samples.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers, or an array of out has another dtype.
    ValueError
        If shapes do not fit, or an array of out overlaps an argument.

    Notes
    -----
    With z = x r, g = γ dy, and a mean over the features of a sample: dx = r (g - z mean(g z)),
    dγ = Σ dy z.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.rms_norm_backward([[3.0, 1.0]], [[-1.0, 1.0]], [1.0, 1.0], [1.0])
    (array([[2., 2.]]), array([-3.,  1.]))
    """
    op = "rms_norm_backward"
    arrays = dy, x, gamma, inverse = floats(op, dy=dy, x=x, gamma=gamma, inverse=inverse)
    _check_features(op, x, gamma)
    check_shape(op, "dy", dy, x.shape)
    check_shape(op, "inverse", inverse, x.shape[: x.ndim - gamma.ndim])
    read = dict(zip(("dy", "x", "gamma", "inverse"), arrays, strict=True))
    return prepared(**read, out=results(op, "dx dgamma", out, [x.shape, gamma.shape], **read))


def _check_window(op: str, size: int, alpha: float, beta: float, k: float) -> dict[str, float]:
    return {
        "size": whole(op, "size", size),
        "alpha": number(op, "alpha", alpha, least=0),
        "beta": number(op, "beta", beta, least=0),
        "k": number(op, "k", k, above=0),
    }


@operation(
    in_numpy("local_response_norm"),
    check_first=True,
    kernel=None,
    inputs="x",
    outputs="y",
    shapes=like_first,
    flops=per_element(8),
    saves="input",
    gradient="local_response_norm_backward",
    roundings=12,
    terms=lambda inputs, _outputs: inputs[0][-1],
)
def local_response_norm(
    x: ArrayLike, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> NDArray[Any]:
    """Divide each channel by a power of the mean square of its neighbours.

    Parameters
    ----------
    x : array_like
        Input of shape (..., c).
    size : int
        Number of neighbouring channels, with the channel itself: size // 2 before it.
    alpha : float, default 1e-4
        Factor of the mean square.
    beta : float, default 0.75
        Exponent.
    k : float, default 1.0
        Constant added to the mean square.

    Returns
    -------
    ndarray
        Output, of the shape of x.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not fit, or a keyword is out of range.

    Notes
    -----
    y = x / (k + α / size Σ x²)^β, with the sum over the neighbours, of which those beyond the ends
    are zero. Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
    neural networks", NIPS 2012, where α is not divided by size.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.local_response_norm([[1.0, 2.0, 0.0]], size=3, alpha=3.0, beta=1.0).round(4)
    array([[0.1667, 0.3333, 0.    ]])
    """
    op = "local_response_norm"
    x = floating(op, "x", x)
    if not x.ndim:
        raise ValueError(f"{op}: x must have at least one dimension, got a single number")
    return prepared(x=x, **_check_window(op, size, alpha, beta, k))


@operation(
    in_numpy("local_response_norm_backward"),
    check_first=True,
    kernel=None,
    inputs="dy x",
    outputs="dx",
    shapes=like_first,
    flops=per_element(16),
    no_gradient="it is a gradient",
    roundings=24,
    terms=lambda inputs, _outputs: inputs[0][-1],
)
def local_response_norm_backward(
    dy: ArrayLike,
    x: ArrayLike,
    *,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> NDArray[Any]:
    """Return the gradient of local response normalisation.

    Parameters
    ----------
    dy : array_like
        Gradient with respect to the output, of shape (..., c).
    x : array_like
        The input, of the same shape.
    size : int
        Number of neighbouring channels, with the channel itself.
    alpha : float, default 1e-4
        Factor of the mean square.
    beta : float, default 0.75
        Exponent.
    k : float, default 1.0
        Constant added to the mean square.

    Returns
    -------
    ndarray
        Gradient with respect to the input.

    Raises
    ------
    TypeError
        If an argument does not hold real numbers.
    ValueError
        If shapes do not fit, or a keyword is out of range.

    Notes
    -----
    With d = k + α / size Σ x²: dx = dy d^-β - 2 α β / size x Σ dy x d^(-β-1), where the second sum
    is over the channels that have this one as a neighbour.

    Examples
    --------
    >>> from gyaku import ops
    >>> ops.local_response_norm_backward([[1.0]], [[1.0]], size=1, alpha=1.0, beta=1.0)
    array([[0.]])
    """
    op = "local_response_norm_backward"
    dy, x = floats(op, dy=dy, x=x)
    check_same_shape(op, "dy and x", dy, x)
    if not x.ndim:
        raise ValueError(f"{op}: x must have at least one dimension, got a single number")
    return prepared(dy=dy, x=x, **_check_window(op, size, alpha, beta, k))
