"""Updates of flat parameters; each returns new arrays in the order of its array arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["adam", "momentum", "optimizer_tick", "sgd"]


def optimizer_tick(
    clock: NDArray[Any], rates: NDArray[Any], *, beta1: float = 1.0, beta2: float = 1.0
) -> NDArray[Any]:
    """Move an optimizer's clock to the next step.

    Parameters
    ----------
    clock : ndarray
        Step, learning rate, beta1 to the power of the step, beta2 to that power; it starts as
        [0, 0, 1, 1].
    rates : ndarray
        Index (from zero) of the first step that the rates cover, then a learning rate for each
        step from there on; the last one lasts.
    beta1 : float, default 1.0
        Decay of Adam's first moment.
    beta2 : float, default 1.0
        Decay of Adam's second moment.

    Returns
    -------
    ndarray
        The new clock.

    Notes
    -----
    step' = step + 1, learning rate = rates[1 + min(step - rates[0], len(rates) - 2)],
    powers multiplied on.

    Examples
    --------
    >>> optimizer_tick(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.1]), beta1=0.5)
    array([1. , 0.1, 0.5, 1. ])
    """
    step = clock[0]
    index = min(max(int(step - rates[0]), 0), len(rates) - 2)
    return np.array([step + 1, rates[1 + index], clock[2] * beta1, clock[3] * beta2], clock.dtype)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def sgd(
    params: NDArray[Any], grads: NDArray[Any], clock: NDArray[Any], *, weight_decay: float = 0.0
) -> NDArray[Any]:
    """Step down the gradient.

    Parameters
    ----------
    params : ndarray
        Parameters.
    grads : ndarray
        Gradients of the loss, of the same shape.
    clock : ndarray
        The optimizer's clock; the learning rate is its second number.
    weight_decay : float, default 0.0
        Share of the parameters that is added to the gradient.

    Returns
    -------
    ndarray
        The new parameters.

    Notes
    -----
    p' = p - η (g + λ p); Robbins and Monro, "A stochastic approximation method", Annals of
    Mathematical Statistics 22 (1951).

    Examples
    --------
    >>> sgd(np.array([1.0]), np.array([2.0]), np.array([1.0, 0.25, 1.0, 1.0]))
    array([0.5])
    """
    rate = float(clock[1])
    return params - rate * (grads + weight_decay * params)


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def momentum(
    params: NDArray[Any],
    grads: NDArray[Any],
    velocity: NDArray[Any],
    clock: NDArray[Any],
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Step along a velocity that the gradient accelerates.

    Parameters
    ----------
    params : ndarray
        Parameters.
    grads : ndarray
        Gradients of the loss, of the same shape.
    velocity : ndarray
        Velocity, of the same shape; it starts as zeros.
    clock : ndarray
        The optimizer's clock; the learning rate is its second number.
    momentum : float, default 0.9
        Share of the velocity that is kept.
    nesterov : bool, default False
        Whether to look ahead along the new velocity.
    weight_decay : float, default 0.0
        Share of the parameters that is added to the gradient.

    Returns
    -------
    params : ndarray
        The new parameters.
    velocity : ndarray
        The new velocity.

    Notes
    -----
    v' = μ v - η g, p' = p + v', or p' = p + μ v' - η g with Nesterov's look-ahead; Polyak, "Some
    methods of speeding up the convergence of iteration methods", 1964; Sutskever, Martens, Dahl and
    Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013.

    Examples
    --------
    >>> clock = np.array([1.0, 0.25, 1.0, 1.0])
    >>> momentum(np.array([1.0]), np.array([2.0]), np.array([1.0]), clock, momentum=0.5)
    (array([1.]), array([0.]))
    """
    rate = float(clock[1])
    change = rate * (grads + weight_decay * params)
    velocity = momentum * velocity - change
    return params + (momentum * velocity - change if nesterov else velocity), velocity


@np.errstate(over="ignore", invalid="ignore")  # infinities are values here
def adam(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Step by the mean of the gradients over the root of the mean of their squares.

    Parameters
    ----------
    params : ndarray
        Parameters.
    grads : ndarray
        Gradients of the loss, of the same shape.
    m : ndarray
        Running mean of the gradients; it starts as zeros.
    v : ndarray
        Running mean of their squares; it starts as zeros.
    clock : ndarray
        The optimizer's clock: step, learning rate, beta1 to the power of the step, beta2 likewise.
    beta1 : float, default 0.9
        Decay of the mean.
    beta2 : float, default 0.999
        Decay of the mean of squares.
    epsilon : float, default 1e-8
        Small number that keeps the quotient finite.
    weight_decay : float, default 0.0
        Share of the parameters that is added to the gradient.

    Returns
    -------
    params : ndarray
        The new parameters.
    m : ndarray
        The new running mean.
    v : ndarray
        The new running mean of squares.

    Notes
    -----
    m' = β₁ m + (1 - β₁) g, v' = β₂ v + (1 - β₂) g², p' = p - η m̂ / (√v̂ + ε) with
    m̂ = m' / (1 - β₁ᵗ), v̂ = v' / (1 - β₂ᵗ); Kingma and Ba, "Adam: a method for stochastic
    optimization", ICLR 2015, algorithm 1.

    Examples
    --------
    >>> clock = np.array([1.0, 0.25, 0.9, 0.999])
    >>> zero = np.zeros(1)
    >>> adam(np.array([1.0]), np.array([2.0]), zero, zero, clock)[0]
    array([0.75])
    """
    _, rate, power1, power2 = (float(number) for number in clock)
    grads = grads + weight_decay * params
    m = beta1 * m + (1 - beta1) * grads
    v = beta2 * v + (1 - beta2) * grads * grads
    m_hat, v_hat = m / (1 - power1), v / (1 - power2)
    return params - rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v
