"""Operations of activation functions, made from the rows of their list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gyaku import _core
from gyaku.checks import number
from gyaku.ops.activation_row import Activation
from gyaku.ops.arrays import check_same_shape, floating
from gyaku.ops.op import in_numpy, like_first, operation, per_element, prepared

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Operation = Callable[..., NDArray[Any]]

__all__ = ["ACTIVATIONS", "check_activation", "operations", "with_parameters"]

ACTIVATIONS: dict[str, Activation] = {}
"""The activation functions by name; the operations, the layers and the tests follow from it."""


def check_activation(op: str, name: str | None, alpha: float | None) -> float | None:
    """Return the parameter of an operation's fused activation.

    Parameters
    ----------
    op : str
        Operation, for errors.
    name : str or None
        Name of the activation; None is the identity.
    alpha : float or None
        Its parameter; None is the default.

    Returns
    -------
    float or None
        The parameter; None if there is none.

    Raises
    ------
    ValueError
        If there is no such activation, or its parameter is out of range.
    """
    row = ACTIVATIONS.get(name or "identity")
    if row is None:
        known = ", ".join(ACTIVATIONS)
        raise ValueError(f"{op}: unknown activation {name!r}, known are {known}")
    if alpha is not None:
        row.check_alpha(op, alpha)
    return row.alpha if alpha is None or row.alpha is None else alpha


def _forward(row: Activation) -> Operation:
    name = row.name

    def without_alpha(x: ArrayLike) -> NDArray[Any]:
        return prepared(x=floating(name, "x", x))

    def with_alpha(x: ArrayLike, *, alpha: float = row.alpha or 0.0) -> NDArray[Any]:
        row.check_alpha(name, alpha)
        return prepared(x=floating(name, "x", x))

    return without_alpha if row.alpha is None else with_alpha


def _backward(row: Activation) -> Operation:
    op = row.name + "_backward"

    def without_alpha(dy: ArrayLike, saved: ArrayLike) -> NDArray[Any]:
        saved = floating(op, "saved", saved)
        dy = floating(op, "dy", dy, saved.dtype)
        check_same_shape(op, "dy and saved", dy, saved)
        return prepared(dy=dy, saved=saved)

    def with_alpha(
        dy: ArrayLike, saved: ArrayLike, *, alpha: float = row.alpha or 0.0
    ) -> NDArray[Any]:
        row.check_alpha(op, alpha)
        return without_alpha(dy, saved)

    return without_alpha if row.alpha is None else with_alpha


def with_parameters(
    name: str, parameters: dict[str, float | None], *arrays: ArrayLike
) -> NDArray[Any]:
    """Return the converted arguments of a function with parameters that the kernels do not have.

    Parameters
    ----------
    name : str
        Name of the activation.
    parameters : dict
        Values by name; None is the default.
    *arrays : array_like
        The input, or for the gradient dy and the saved tensor.

    Returns
    -------
    dict
        The arguments, see `prepared`: with any parameter given, the equation is evaluated.
    """
    row = ACTIVATIONS[name]
    op, names = (name, ("x",)) if len(arrays) == 1 else (name + "_backward", ("dy", "saved"))
    converted = [floating(op, each, x) for each, x in zip(names, arrays, strict=True)]
    if len(converted) == 2:
        converted[0] = floating(op, "dy", converted[0], converted[1].dtype)
        check_same_shape(op, "dy and saved", *converted)
    given = {key: value for key, value in parameters.items() if value is not None}
    for key, value in given.items():
        number(op, key, value, **row.parameters[key].limits)
    by = in_numpy(op) if given else None
    return prepared(by, **dict(zip(names, converted, strict=True)))


def operations(
    name: str, summary: str, *, careful: tuple[Operation, Operation] | None = None, **columns: Any
) -> tuple[Operation, Operation]:
    """Enter an activation into the list.

    Parameters
    ----------
    name, summary : str
        Name, and first line of the docstring.
    careful : tuple of callable or None, optional
        Careful paths of the operation and its gradient, of functions with `parameters`.
    **columns
        Further columns of the row, see `Activation`.

    Returns
    -------
    tuple of callable
        The operation, and that of its gradient.
    """
    row = ACTIVATIONS[name] = Activation(name, summary, **columns)
    forward, backward = (
        _operation(row, op, careful, doc, **more)
        for op, careful, doc, more in zip(
            (name, name + "_backward"),
            careful or (_forward(row), _backward(row)),
            (row.documentation(), row.documentation_backward()),
            (
                {"inputs": "x", "outputs": "y", "gradient": name + "_backward", "saves": row.saves},
                {"inputs": "dy saved", "outputs": "dx", "no_gradient": "it is a gradient"},
            ),
            strict=True,
        )
    )
    return forward, backward


def _operation(
    row: Activation,
    op: str,
    careful: Operation,
    documentation: str,
    **columns: Any,
) -> Operation:
    careful.__name__ = careful.__qualname__ = op
    careful.__module__ = __name__.replace("_operations", "")
    careful.__doc__ = documentation
    direction = int(op != row.name)
    roundings = row.roundings[direction]
    return operation(
        _core.activation_backward if direction else _core.activation,
        before=(row.name,),
        kernel="activation_backward" if direction else "activation",
        shapes=like_first,
        flops=per_element(row.flops[direction]),
        roundings=roundings,
        exact="" if roundings else "elements are selected, not computed",
        **columns,
    )(careful)
