"""Updates of flat parameters, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gyaku import _core
from gyaku.ops.arrays import FLOAT32, FLOAT64, buffer, real_buffer
from gyaku.ops.op import like_first, operation, per_element

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["adadelta", "adagrad", "adam", "adamax", "adamw", "amsgrad", "momentum", "nadam"]
__all__ += ["optimizer_tick", "radam", "rmsprop", "rmsprop_momentum", "rprop", "sgd"]


@operation(
    _core.optimizer_tick,
    inputs="clock rates",
    outputs="clock",
    shapes=like_first,
    flops=lambda _inputs, _outputs: 3,
    elements=lambda _inputs, _outputs: 10,
    in_place=True,
    no_gradient="bookkeeping",
    roundings=1,
)
def optimizer_tick(
    clock: NDArray[Any],
    rates: NDArray[Any],
    *,
    beta1: float = 1.0,
    beta2: float = 1.0,
    warmup: float = 0.0,
) -> None:
    """Advance the step state of an optimizer, in place.

    Parameters
    ----------
    clock : ndarray
        Step state: step counter, learning rate, and beta1 and beta2 to the power of the step,
        float64 of shape (4,); it starts as [0, 0, 1, 1].
    rates : ndarray
        Index (from zero) of the first step, then the learning rates of this step and the next ones,
        float64 of shape (2 or more,); later steps have the last rate.
    beta1 : float, default 1.0
        Decay of the first moment.
    beta2 : float, default 1.0
        Decay of the second moment.
    warmup : float, default 0.0
        Base q of a rising beta1, for `nadam`: β₁ (1 - qᵗ / 2) in step t.

    Raises
    ------
    TypeError
        If an argument is no float64 array.
    ValueError
        If an argument has another shape, or the rates begin after this step.

    Notes
    -----
    step' = step + 1, learning rate = rates[1 + min(step - rates[0], len(rates) - 2)],
    powers multiplied by beta1 (of this step) and beta2.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> clock = np.array([0.0, 0.0, 1.0, 1.0])
    >>> ops.optimizer_tick(clock, np.array([0.0, 0.1]), beta1=0.5)
    >>> clock
    array([1. , 0.1, 0.5, 1. ])
    """
    op = "optimizer_tick"
    buffer(op, "clock", clock, FLOAT64, (4,))
    buffer(op, "rates", rates, FLOAT64, written=False)
    if rates.ndim != 1 or len(rates) < 2:
        raise ValueError(
            f"{op}: rates must hold a first step and a learning rate, got shape {rates.shape}"
        )
    if not rates.item(0) <= clock.item(0):
        raise ValueError(
            f"{op}: rates begin with step {rates.item(0):g},"
            f" the step counter is at step {clock.item(0):g}"
        )


def _row(*, state: str = "", flops: int, roundings: int) -> dict[str, Any]:
    outputs = f"params {state}"
    return {
        "kernel": "update",
        "inputs": f"params grads {state} clock",
        "outputs": outputs,
        "shapes": lambda shapes, **_keywords: (shapes[0],) * len(outputs.split()),
        "flops": per_element(flops),
        "in_place": True,
        "no_gradient": "an update ends the step",
        "roundings": roundings,
    }


def _check_update(
    op: str,
    params: NDArray[Any],
    grads: NDArray[Any],
    clock: NDArray[Any],
    *,
    may_be_coarse: bool = False,
    **state: NDArray[Any],
) -> None:
    real_buffer(op, "params", params)
    buffer(op, "grads", grads, params.dtype, params.shape, written=False)
    dtype = params.dtype
    if may_be_coarse and dtype == FLOAT32 and all(x.dtype == np.uint16 for x in state.values()):
        dtype = np.dtype(np.uint16)  # the upper halves of float32
    for name, x in state.items():
        buffer(op, name, x, dtype, params.shape)
    buffer(op, "clock", clock, FLOAT64, (4,), written=False)
    if not clock.item(0) >= 1:
        raise ValueError(
            f"{op}: the step counter must be at step 1 or later, call optimizer_tick first"
        )


@operation(
    lambda params, grads, clock, weight_decay: _core.update(
        "sgd", params, grads, [], clock, weight_decay
    ),
    **_row(flops=2, roundings=6),
)
def sgd(
    params: NDArray[Any], grads: NDArray[Any], clock: NDArray[Any], *, weight_decay: float = 0.0
) -> None:
    """Update parameters by gradient descent, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    p' = p - η (g + λ p); Robbins and Monro, "A stochastic approximation method", Annals of
    Mathematical Statistics 22 (1951).

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params = np.array([1.0])
    >>> ops.sgd(params, np.array([2.0]), np.array([1.0, 0.25, 1.0, 1.0]))
    >>> params
    array([0.5])
    """
    _check_update("sgd", params, grads, clock)


@operation(
    lambda params, grads, velocity, clock, momentum, nesterov, rate_in_velocity, dampening, weight_decay: (  # noqa: E501
        _core.update(
            *("momentum", params, grads, [velocity], clock, weight_decay, momentum, dampening),
            nesterov=nesterov,
            variant=not rate_in_velocity,
        )
    ),
    **_row(state="velocity", flops=4, roundings=10),
)
def momentum(
    params: NDArray[Any],
    grads: NDArray[Any],
    velocity: NDArray[Any],
    clock: NDArray[Any],
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    rate_in_velocity: bool = True,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> None:
    """Update parameters by gradient descent with momentum, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    velocity : ndarray
        Velocity, of the same shape and dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`.
    momentum : float, default 0.9
        Decay of the velocity.
    nesterov : bool, default False
        Whether to use Nesterov's look-ahead.
    rate_in_velocity : bool, default True
        Whether the velocity contains the learning rate; otherwise that of the present step
        multiplies the whole velocity.
    dampening : float, default 0.0
        Fraction τ of the gradient that the velocity does not get after the first step, if it does
        not contain the learning rate.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    v' = μ v - η g, p' = p + v', or p' = p + μ v' - η g with Nesterov's look-ahead; Polyak, "Some
    methods of speeding up the convergence of iteration methods", 1964; Sutskever, Martens, Dahl and
    Hinton, "On the importance of initialization and momentum in deep learning", ICML 2013. Without
    the learning rate in the velocity, v' = μ v + (1 - τ) g, p' = p - η v', or p' = p - η (μ v' +
    g).

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, velocity = np.array([1.0]), np.array([1.0])
    >>> clock = np.array([1.0, 0.25, 1.0, 1.0])
    >>> ops.momentum(params, np.array([1.0]), velocity, clock, momentum=0.5)
    >>> params, velocity
    (array([1.25]), array([0.25]))
    """
    _check_update("momentum", params, grads, clock, velocity=velocity)


@operation(
    lambda params, grads, m, v, clock, beta1, beta2, epsilon, weight_decay: _core.update(
        "adam", params, grads, [m, v], clock, weight_decay, beta1, beta2, epsilon
    ),
    **_row(state="m v", flops=14, roundings=22),
)
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
) -> None:
    """Update parameters by Adam, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    m : ndarray
        Running mean of the gradients, of the same shape and dtype, or as bfloat16: uint16, the
        upper halves of float32. It starts as zeros.
    v : ndarray
        Running mean of their squares, of the dtype of m; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`; with the same beta1 and beta2.
    beta1 : float, default 0.9
        Decay of the mean.
    beta2 : float, default 0.999
        Decay of the mean of squares.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    m' = β₁ m + (1 - β₁) g, v' = β₂ v + (1 - β₂) g², p' = p - η m̂ / (√v̂ + ε) with
    m̂ = m' / (1 - β₁ᵗ), v̂ = v' / (1 - β₂ᵗ); Kingma and Ba, "Adam: a method for stochastic
    optimization", ICLR 2015, algorithm 1. Means in bfloat16 are rounded stochastically, up with the
    probability of what is cut off, by a hash of step and element: most steps change them by less
    than their last bit.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> ops.adam(params, np.array([2.0]), m, v, np.array([1.0, 0.25, 0.9, 0.999]))
    >>> params.round(4)
    array([0.75])
    """
    _check_update("adam", params, grads, clock, may_be_coarse=True, m=m, v=v)


@operation(
    lambda params, grads, m, v, clock, beta1, beta2, epsilon, weight_decay: _core.update(
        "adamw", params, grads, [m, v], clock, weight_decay, beta1, beta2, epsilon
    ),
    **_row(state="m v", flops=14, roundings=22),
)
def adamw(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
) -> None:
    """Update parameters by Adam with decoupled weight decay, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    m : ndarray
        Running mean of the gradients, of the same shape and dtype, or as bfloat16: uint16, the
        upper halves of float32. It starts as zeros.
    v : ndarray
        Running mean of their squares, of the dtype of m; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`; with the same beta1 and beta2.
    beta1 : float, default 0.9
        Decay of the mean.
    beta2 : float, default 0.999
        Decay of the mean of squares.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    weight_decay : float, default 0.01
        Fraction of the parameters, times the learning rate, to subtract.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    p' = (1 - η λ) p - η m̂ / (√v̂ + ε), with the moments of `adam`, in which the decay λ has no
    part; Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> clock = np.array([1.0, 0.25, 0.9, 0.999])
    >>> ops.adamw(params, np.array([2.0]), m, v, clock, weight_decay=0.4)
    >>> params.round(4)
    array([0.65])
    """
    _check_update("adamw", params, grads, clock, may_be_coarse=True, m=m, v=v)


@operation(
    lambda params, grads, m, v, v_max, clock, beta1, beta2, epsilon, weight_decay, decoupled: (
        _core.update(
            *("amsgrad", params, grads, [m, v, v_max], clock, weight_decay, beta1, beta2, epsilon),
            variant=decoupled,
        )
    ),
    **_row(state="m v v_max", flops=15, roundings=22),
)
def amsgrad(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    v_max: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Update parameters by AMSGrad, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    m : ndarray
        Running mean of the gradients, of the same shape and dtype; it starts as zeros.
    v : ndarray
        Running mean of their squares, of the same shape and dtype; it starts as zeros.
    v_max : ndarray
        The largest of these means so far, of the same shape and dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`; with the same beta1 and beta2.
    beta1 : float, default 0.9
        Decay of the mean.
    beta2 : float, default 0.999
        Decay of the mean of squares.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.
    decoupled : bool, default False
        Whether weight decay scales the parameters instead, as in `adamw`.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    m' and v' as in `adam`, v_max' = max(v_max, v'), p' = p - η m̂ / (√(v_max' / (1 - β₂ᵗ)) + ε);
    Reddi, Kale and Kumar, "On the convergence of Adam and beyond", ICLR 2018, with the bias
    corrections of Adam.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, m, v, v_max = np.array([1.0]), np.zeros(1), np.zeros(1), np.array([0.016])
    >>> ops.amsgrad(params, np.array([2.0]), m, v, v_max, np.array([1.0, 0.25, 0.9, 0.999]))
    >>> params.round(4)
    array([0.875])
    """
    _check_update("amsgrad", params, grads, clock, m=m, v=v, v_max=v_max)


@operation(
    lambda params, grads, m, v, clock, beta1, beta2, epsilon, warmup, weight_decay, decoupled: (
        _core.update(
            *("nadam", params, grads, [m, v], clock, weight_decay, beta1, beta2, epsilon, warmup),
            variant=decoupled,
        )
    ),
    **_row(state="m v", flops=17, roundings=30),
)
def nadam(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    v: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    warmup: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Update parameters by NAdam, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    m : ndarray
        Running mean of the gradients, of the same shape and dtype; it starts as zeros.
    v : ndarray
        Running mean of their squares, of the same shape and dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`; with the same beta1, beta2 and
        warmup.
    beta1 : float, default 0.9
        Decay of the mean.
    beta2 : float, default 0.999
        Decay of the mean of squares.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    warmup : float, default 0.0
        Base q of a rising beta1: μ = β₁ (1 - qᵗ / 2) in step t; 0.96 in the paper.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.
    decoupled : bool, default False
        Whether weight decay scales the parameters instead, as in `adamw`.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    With μ of this step, μ' of the next one, and the product P of all so far: m' and v' as in
    `adam`, p' = p - η (μ' m' / (1 - P μ') + (1 - μ) g / (1 - P)) / (√v̂ + ε); Dozat, "Incorporating
    Nesterov momentum into Adam", ICLR workshop 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> clock = np.array([1.0, 0.25, 0.5, 0.999])
    >>> ops.nadam(params, np.array([2.0]), m, v, clock, beta1=0.5)
    >>> params.round(4)
    array([0.6667])
    """
    _check_update("nadam", params, grads, clock, m=m, v=v)


@operation(
    lambda params, grads, m, v, clock, beta1, beta2, epsilon, weight_decay, decoupled: _core.update(
        *("radam", params, grads, [m, v], clock, weight_decay, beta1, beta2, epsilon),
        variant=decoupled,
    ),
    **_row(state="m v", flops=14, roundings=40),
)
def radam(
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
    decoupled: bool = False,
) -> None:
    """Update parameters by RAdam, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    m : ndarray
        Running mean of the gradients, of the same shape and dtype; it starts as zeros.
    v : ndarray
        Running mean of their squares, of the same shape and dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`; with the same beta1 and beta2.
    beta1 : float, default 0.9
        Decay of the mean.
    beta2 : float, default 0.999
        Decay of the mean of squares.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.
    decoupled : bool, default False
        Whether weight decay scales the parameters instead, as in `adamw`.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    m' and v' as in `adam`, ρ∞ = 2 / (1 - β₂) - 1, ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ). If ρ > 5,
    p' = p - η r m̂ √(1 - β₂ᵗ) / (√v' + ε) with r² = (ρ - 4) (ρ - 2) ρ∞ / ((ρ∞ - 4) (ρ∞ - 2) ρ);
    before, while the variance of the root is infinite, p' = p - η m̂; Liu and others, "On the
    variance of the adaptive learning rate and beyond", ICLR 2020, algorithm 2, with PyTorch's ε.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, m, v = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> ops.radam(params, np.array([2.0]), m, v, np.array([1.0, 0.25, 0.9, 0.999]))
    >>> params.round(4)
    array([0.5])
    """
    _check_update("radam", params, grads, clock, m=m, v=v)


@operation(
    lambda params, grads, m, u, clock, beta1, beta2, epsilon, weight_decay: _core.update(
        "adamax", params, grads, [m, u], clock, weight_decay, beta1, beta2, epsilon
    ),
    **_row(state="m u", flops=10, roundings=14),
)
def adamax(
    params: NDArray[Any],
    grads: NDArray[Any],
    m: NDArray[Any],
    u: NDArray[Any],
    clock: NDArray[Any],
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """Update parameters by Adamax, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    m : ndarray
        Running mean of the gradients, of the same shape and dtype; it starts as zeros.
    u : ndarray
        Largest gradient, which decays, of the same shape and dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`; with the same beta1 and beta2.
    beta1 : float, default 0.9
        Decay of the mean.
    beta2 : float, default 0.999
        Decay of the largest gradient.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    ``m' = β₁ m + (1 - β₁) g``, ``u' = max(β₂ u, |g| + ε)``,
    ``p' = p - η m' / ((1 - β₁ᵗ) u')``; Kingma and Ba,
    "Adam: a method for stochastic optimization", ICLR 2015, algorithm 2, with PyTorch's ε.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, m, u = np.array([1.0]), np.zeros(1), np.array([8.0])
    >>> ops.adamax(params, np.array([2.0]), m, u, np.array([1.0, 0.25, 0.9, 0.5]), beta2=0.5)
    >>> params.round(4), u
    (array([0.875]), array([4.]))
    """
    _check_update("adamax", params, grads, clock, m=m, u=u)


@operation(
    lambda params, grads, previous, size, clock, shrink, grow, least, most, weight_decay: (
        _core.update(
            "rprop", params, grads, [previous, size], clock, weight_decay, shrink, grow, least, most
        )
    ),
    **_row(state="previous size", flops=8, roundings=6),
)
def rprop(
    params: NDArray[Any],
    grads: NDArray[Any],
    previous: NDArray[Any],
    size: NDArray[Any],
    clock: NDArray[Any],
    *,
    shrink: float = 0.5,
    grow: float = 1.2,
    least: float = 1e-6,
    most: float = 50.0,
    weight_decay: float = 0.0,
) -> None:
    """Update parameters by Rprop, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    previous : ndarray
        The gradients before, zero where they had changed their sign, of the same shape and dtype;
        it starts as zeros.
    size : ndarray
        Size of each parameter's step, of the same shape and dtype; that of the first step is the
        learning rate.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`.
    shrink : float, default 0.5
        Factor η₋ of a step where the gradient changes its sign; the parameter stays there.
    grow : float, default 1.2
        Factor η₊ of a step where it keeps it.
    least : float, default 1e-6
        Smallest step.
    most : float, default 50.0
        Largest step.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    p' = p - s' sign(g), with the steps s' = η₊ s, η₋ s or s, limited, as the product of the
    gradient with the one before is positive, negative or zero; Riedmiller and Braun, "A direct
    adaptive method for faster backpropagation learning: the RPROP algorithm", 1993, without going
    back.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, previous, size = np.array([1.0, 1.0]), np.ones(2), np.full(2, 0.5)
    >>> ops.rprop(params, np.array([3.0, -3.0]), previous, size, np.array([2.0, 0.1, 1.0, 1.0]))
    >>> params, size
    (array([0.4, 1. ]), array([0.6 , 0.25]))
    """
    _check_update("rprop", params, grads, clock, previous=previous, size=size)


@operation(
    lambda params, grads, h, clock, epsilon, weight_decay: _core.update(
        "adagrad", params, grads, [h], clock, weight_decay, epsilon=epsilon
    ),
    **_row(state="h", flops=7, roundings=14),
)
def adagrad(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    clock: NDArray[Any],
    *,
    epsilon: float = 1e-10,
    weight_decay: float = 0.0,
) -> None:
    """Update parameters by AdaGrad, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    h : ndarray
        Sum of the squares of the gradients, of the same shape and dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`.
    epsilon : float, default 1e-10
        Small constant that keeps the quotient finite.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    h' = h + g², p' = p - η g / (√h' + ε); Duchi, Hazan and Singer, "Adaptive subgradient methods
    for online learning and stochastic optimization", JMLR 12 (2011), with the diagonal matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, h = np.array([1.0]), np.array([9.0])
    >>> ops.adagrad(params, np.array([4.0]), h, np.array([1.0, 0.25, 1.0, 1.0]))
    >>> params.round(4), h
    (array([0.8]), array([25.]))
    """
    _check_update("adagrad", params, grads, clock, h=h)


@operation(
    lambda params, grads, h, clock, rho, epsilon, weight_decay: _core.update(
        "rmsprop", params, grads, [h], clock, weight_decay, rho, epsilon=epsilon
    ),
    **_row(state="h", flops=9, roundings=18),
)
def rmsprop(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    clock: NDArray[Any],
    *,
    rho: float = 0.99,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """Update parameters by RMSProp, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    h : ndarray
        Running mean of the squares of the gradients, of the same shape and dtype; it starts as
        zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`.
    rho : float, default 0.99
        Decay of the mean.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    h' = ρ h + (1 - ρ) g², p' = p - η g / (√h' + ε); Tieleman and Hinton, "Lecture 6.5: rmsprop",
    COURSERA: Neural Networks for Machine Learning (2012).

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, h = np.array([1.0]), np.array([9.0])
    >>> ops.rmsprop(params, np.array([4.0]), h, np.array([1.0, 0.25, 1.0, 1.0]), rho=0.0)
    >>> params.round(4), h
    (array([0.75]), array([16.]))
    """
    _check_update("rmsprop", params, grads, clock, h=h)


@operation(
    lambda params, grads, h, mean, velocity, clock, rho, epsilon, momentum, centered, weight_decay: (  # noqa: E501
        _core.update(
            *(
                "rmsprop_momentum",
                params,
                grads,
                [h, mean, velocity],
                clock,
                weight_decay,
                rho,
                0.0,
                epsilon,
                momentum,
            ),
            variant=centered,
        )
    ),
    **_row(state="h mean velocity", flops=14, roundings=24),
)
def rmsprop_momentum(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    mean: NDArray[Any],
    velocity: NDArray[Any],
    clock: NDArray[Any],
    *,
    rho: float = 0.99,
    epsilon: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """Update parameters by RMSProp with momentum, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    h : ndarray
        Running mean of the squares of the gradients, of the same shape and dtype; it starts as
        zeros.
    mean : ndarray
        Running mean of the gradients, of the same shape and dtype; it starts as zeros.
    velocity : ndarray
        Velocity, of the same shape and dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`.
    rho : float, default 0.99
        Decay of the means.
    epsilon : float, default 1e-8
        Small constant that keeps the quotient finite.
    momentum : float, default 0.0
        Decay of the velocity.
    centered : bool, default False
        Whether to divide by the root of the variance in place of the mean square.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    h' = ρ h + (1 - ρ) g², mean' = ρ mean + (1 - ρ) g, v' = μ v + g / (√(h' - mean'²) + ε) if
    centred, otherwise without the mean, p' = p - η v'; Graves, "Generating sequences with recurrent
    neural networks", arXiv:1308.0850, equations 38 to 41.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, h, mean, velocity = np.array([1.0]), np.array([16.0]), np.zeros(1), np.ones(1)
    >>> clock = np.array([1.0, 0.25, 1.0, 1.0])
    >>> ops.rmsprop_momentum(
    ...     params, np.array([4.0]), h, mean, velocity, clock, rho=0.5, momentum=0.5
    ... )
    >>> params.round(4), mean, velocity.round(4)
    (array([0.625]), array([2.]), array([1.5]))
    """
    _check_update("rmsprop_momentum", params, grads, clock, h=h, mean=mean, velocity=velocity)


@operation(
    lambda params, grads, h, e, clock, rho, epsilon, weight_decay: _core.update(
        "adadelta", params, grads, [h, e], clock, weight_decay, rho, epsilon=epsilon
    ),
    **_row(state="h e", flops=15, roundings=40),
)
def adadelta(
    params: NDArray[Any],
    grads: NDArray[Any],
    h: NDArray[Any],
    e: NDArray[Any],
    clock: NDArray[Any],
    *,
    rho: float = 0.9,
    epsilon: float = 1e-6,
    weight_decay: float = 0.0,
) -> None:
    """Update parameters by AdaDelta, in place.

    Parameters
    ----------
    params : ndarray
        Parameters, float32 or float64.
    grads : ndarray
        Gradients, of the same shape and dtype.
    h : ndarray
        Running mean of the squares of the gradients, of the same shape and dtype; it starts as
        zeros.
    e : ndarray
        Running mean of the squares of the changes before the learning rate, of the same shape and
        dtype; it starts as zeros.
    clock : ndarray
        Step state of the optimizer, see `optimizer_tick`.
    rho : float, default 0.9
        Decay of the means.
    epsilon : float, default 1e-6
        Small constant under both roots, which sets the size of the first changes.
    weight_decay : float, default 0.0
        Multiple of the parameters to add to the gradient.

    Raises
    ------
    TypeError
        If an argument is no array of this dtype.
    ValueError
        If shapes differ, an array cannot be used in place, or the step counter is before step 1.

    Notes
    -----
    h' = ρ h + (1 - ρ) g², d = g √(e + ε) / √(h' + ε), e' = ρ e + (1 - ρ) d², p' = p - η d; Zeiler,
    "ADADELTA: an adaptive learning rate method", arXiv:1212.5701 (2012), with η = 1 there.

    Examples
    --------
    >>> import numpy as np
    >>> from gyaku import ops
    >>> params, h, e = np.array([1.0]), np.array([1.0]), np.array([4.0])
    >>> clock = np.array([1.0, 0.5, 1.0, 1.0])
    >>> ops.adadelta(params, np.array([1.0]), h, e, clock, rho=1.0, epsilon=0.0)
    >>> params
    array([0.])
    """
    _check_update("adadelta", params, grads, clock, h=h, e=e)
