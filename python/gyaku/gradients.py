"""Numerical gradients, and the check of back-propagation against them."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku.checks import each_of, number, whole
from gyaku.layers.base import Layer
from gyaku.model import Model
from gyaku.model.plan import clone
from gyaku.symbolic import Input, label
from gyaku.table import Table
from gyaku.train.criterion import last_criterion
from gyaku.train.nonfinite import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Index = tuple[int, ...]

__all__ = ["GradientCheck", "GradientRow", "check_gradients", "numerical_gradient"]

_EPS = float(np.finfo(np.float64).eps)
_STEP = _EPS ** (1 / 3)  # balances the rounding ε/h of a difference and its truncation h²
_UNKNOWN = "unknown"
_NOISE = 100 * _EPS ** (2 / 3)  # error of a difference of a function about 1


def numerical_gradient(f: Callable[[Array], Any], x: object) -> NDArray[np.float64]:
    """Return the gradient of a function by central differences.

    Parameters
    ----------
    f : callable
        Function of `x` that returns a number.
    x : array_like of float64
        The point, of any shape. A writable float64 array is changed in place, one element at a
        time, and restored, so that `f` may also read it elsewhere, as a parameter of a model.

    Returns
    -------
    ndarray of float64
        The gradient, in the shape of `x`.

    Raises
    ------
    TypeError
        If `x` is float32 or does not hold real numbers, or `f` does not return a number.

    Notes
    -----
    ``df/dx_i = (f(x + h e_i) - f(x - h e_i)) / 2h`` with ``h = ε^⅓ max(1, |x_i|)``: two evaluations
    of `f` for each element, and an error of about ``ε^⅔ = 4e-11`` times the magnitude of `f`.

    Examples
    --------
    >>> numerical_gradient(lambda x: (x**2).sum(), [1.0, -2.0, 3.0])
    array([ 2., -4.,  6.])
    """
    given = np.asarray(x)
    if given.dtype.kind not in "iufb":
        raise TypeError(
            f"numerical_gradient: x must hold real numbers, got an array of {given.dtype}"
        )
    if given.dtype.kind == "f" and given.dtype != np.float64:
        raise TypeError(
            "numerical_gradient: x must be float64, since differences in"
            f" {given.dtype} are rounding errors; give x.astype(float)"
        )
    in_place = given.dtype == np.float64 and given.flags.writeable
    point: NDArray[np.float64] = given if in_place else given.astype(np.float64)
    places = [*np.ndindex(point.shape)]
    return _differences(lambda: _number(f(point)), point, places).central.reshape(point.shape)


def _number(value: Any) -> float:
    """Return the value of the function as a float; raise if it is no number."""
    if np.shape(value) != () or np.asarray(value).dtype.kind not in "iufb":
        given = f"shape {shape}" if (shape := np.shape(value)) else repr(value)
        raise TypeError(f"numerical_gradient: f must return one real number, got {given}")
    return float(value)


class _Differences(NamedTuple):
    """Difference quotients of a function by some elements: central, and to either side."""

    central: NDArray[np.float64]
    left: NDArray[np.float64]
    right: NDArray[np.float64]


def _differences(f: Callable[[], float], x: Array, places: Sequence[Index]) -> _Differences:
    here = f()
    found = np.empty((3, len(places)))
    for column, place in enumerate(places):
        value = x[place]
        h = _STEP * max(1.0, abs(value))
        try:
            x[place] = value - h
            below = f()
            x[place] = value + h
            above = f()
        finally:
            x[place] = value
        found[:, column] = (above - below) / (2 * h), (here - below) / h, (above - here) / h
    return _Differences(*found)


class GradientRow(NamedTuple):
    """Comparison of one gradient: of a parameter, or with respect to an input.

    Parameters
    ----------
    name : str
        The parameter's name, such as "dense.weight", or the input's.
    shape : tuple of int
        Its shape.
    checked : int
        Number of elements compared.
    error : float
        Largest relative error.
    worst : tuple of int
        Index of the element with this error.
    backward, numerical : float
        Both values of this element.
    cause : str
        Likely cause of an error, "" if the two agree.

    Examples
    --------
    >>> import gyaku as gk
    >>> (row,) = gk.check_gradients(gk.Tanh(), [[0.5, -1.0]]).rows
    >>> row.name, row.shape, row.checked, row.cause
    ('x', (1, 2), 2, '')
    """

    name: str
    shape: tuple[int, ...]
    checked: int
    error: float
    worst: tuple[int, ...]
    backward: float
    numerical: float
    cause: str


class GradientCheck:
    """Result of `check_gradients`, printed as a table.

    Parameters
    ----------
    title : str
        The line above the table.
    rows : sequence of GradientRow
        Parameters and inputs.
    tolerance : float
        Largest relative error of a correct gradient.
    advice : str
        The line below the table.
    seconds : tuple of float
        Time of back-propagation, and of the differences.

    Examples
    --------
    >>> import gyaku as gk
    >>> check = gk.check_gradients(gk.Tanh(), [[0.5, -1.0]])
    >>> check.ok, [row.name for row in check.rows]
    (True, ['x'])
    """

    def __init__(
        self,
        title: str,
        rows: Sequence[GradientRow],
        tolerance: float,
        advice: str = "",
        seconds: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.title = title
        self.rows = rows
        self.tolerance = tolerance
        self.advice = advice
        self.seconds = seconds

    @property
    def ok(self) -> bool:
        """Whether all gradients agree."""
        return not any(row.cause for row in self.rows)

    def _table(self) -> Table:
        rows = [
            [
                row.name,
                f"{row.checked:,} of {int(np.prod(row.shape)):,}",
                f"{row.error:.1e}",
                str(row.worst),
                f"{row.backward:.6g}",
                f"{row.numerical:.6g}",
                row.cause or "ok",
            ]
            for row in self.rows
        ]
        header = ["gradient", "elements", "largest error", "at", "backward", "numerical", "cause"]
        footer = self.advice or f"all agree within {self.tolerance:g}"
        return Table(self.title, header, rows, footer)

    def __repr__(self) -> str:
        return str(self._table())

    def _repr_html_(self) -> str:
        return self._table()._repr_html_()


def check_gradients(
    model: Model | Layer,
    x: object,
    y: object = None,
    loss: Any = None,
    *,
    elements: int | None = 200,
    tolerance: float = 1e-5,
) -> GradientCheck:
    """Compare the gradients of back-propagation with numerical ones.

    Parameters
    ----------
    model : Model or Layer
        A model of float64, which stays unchanged; or a layer, of which a copy is checked alone.
    x : array_like
        Inputs, (samples, ...); a tuple for several inputs. A few samples are enough.
    y : array_like, optional
        Targets. Without targets and loss, a weighted sum of the outputs takes the loss's place.
    loss : str or Loss or callable, optional
        The loss; by default that of the last `fit`.
    elements : int or None
        Number of elements of each parameter to compare, drawn at random; None is all of them.
    tolerance : float
        Largest relative error of a correct gradient.

    Returns
    -------
    GradientCheck
        For each parameter and input the largest relative error, its index, and a likely cause.

    Raises
    ------
    TypeError
        If `model` is neither a model nor a layer.
    ValueError
        If the model is one of float32, or draws other random numbers at each evaluation.

    Notes
    -----
    The relative error of an element is ``|a - n| / max(|a|, |n|, δ)`` for the values `a` of
    back-propagation and `n` of central differences; δ is such that the error of the differences
    themselves stays below the tolerance. At a kink, as in ReLU at 0, any value between the
    differences to either side is right. The passes are those of a training step: dropout has the
    same mask at each evaluation, batch normalisation uses the statistics of the batch. Parameters
    of frozen layers have no gradient and are left out.

    Examples
    --------
    >>> import gyaku as gk
    >>> class Cube(gk.Layer):
    ...     def forward(self, x):
    ...         self.x = x
    ...         return x**3
    ...
    ...     def backward(self, dy):
    ...         return -3 * self.x**2 * dy
    >>> gk.check_gradients(Cube(), [[0.5, -1.0]]).rows[0].cause
    'the sign is wrong'
    """
    within = number("check_gradients", "tolerance", tolerance, above=0)
    most = None if elements is None else whole("check_gradients", "elements", elements)
    if not isinstance(model, (Layer, Model)):
        raise TypeError(f"check_gradients: model must be a Model or a Layer, got {model!r}")
    title = f"Gradients of {label(model)}"
    if isinstance(model, Layer):
        model = _alone(model, x)
    if model.dtype != np.float64:
        raise ValueError(
            f"check_gradients: {label(model)} computes in {model.dtype}, whose rounding hides"
            ' errors of a gradient; make it with dtype="float64"'
        )
    points = [
        np.array(given, np.float64 if not dtype else None, order="C")
        for given, dtype in zip(
            each_of("check_gradients", "x", x, model.input_names), model.input_dtypes, strict=True
        )
    ]
    with model.lock:
        return _Comparison(model, points, y, loss, most, within).run(title)


def _alone(layer: Layer, x: object) -> Model:
    """Return a model of float64 that consists of a clone of a layer."""
    several = isinstance(x, (tuple, list)) and layer.takes != 1
    arrays = [np.asarray(each) for each in (x if several else [x])]  # type: ignore[attr-defined]
    dtype = "int64" if layer.takes_indices else None
    names = [f"x[{place}]" for place in range(len(arrays))] if several else ["x"]
    inputs = [Input(a.shape[1:], dtype, name=name) for a, name in zip(arrays, names, strict=True)]
    alone = clone(layer)
    vars(alone).update(model=None, path="", stored=alone.stored or None)
    return Model(inputs, alone(*inputs), dtype="float64")


class _Comparison:
    """Comparison of all gradients of a model at one batch."""

    def __init__(
        self,
        model: Model,
        points: list[Array],
        y: object,
        loss: Any,
        elements: int | None,
        tolerance: float,
    ) -> None:
        self.model, self.points = model, points
        self.elements, self.tolerance = elements, tolerance
        self.loss_of = self._projection() if y is None and loss is None else self._loss(y, loss)
        self.magnitude = 1.0

    def _loss(self, y: object, loss: Any) -> Callable[[list[Array]], tuple[float, Any, float]]:
        criterion = last_criterion("check_gradients", self.model, loss, ())
        if y is None:
            raise ValueError("check_gradients: the loss needs targets, give y")
        given = each_of("check_gradients", "y", y, self.model.output_names)
        targets = [np.asarray(each) for each in given]
        targets = [t.astype(np.float64) if t.dtype.kind == "f" else t for t in targets]

        def loss_of(outputs: list[Array]) -> tuple[float, Any, float]:
            values, gradients = criterion(outputs, targets)
            total = sum(float(v) * w for v, w in zip(values, criterion.weights, strict=True))
            return total, gradients, abs(total)

        return loss_of

    def _projection(self) -> Callable[[list[Array]], tuple[float, Any, float]]:
        """Return a weighted sum of the outputs as a loss, with weights between 0.5 and 1.5."""

        def loss_of(outputs: list[Array]) -> tuple[float, Any, float]:
            rng = np.random.default_rng(0)
            weights = [rng.uniform(0.5, 1.5, y.shape) for y in outputs]
            terms = [w * y for w, y in zip(weights, outputs, strict=True)]
            magnitude = sum(float(np.abs(term).sum()) for term in terms)
            return sum(float(term.sum()) for term in terms), weights, magnitude

        return loss_of

    def _evaluate(self) -> tuple[float, Any, float]:
        self.model.clock -= 1  # the same step again, so that dropout drops the same
        outputs = self.model.forward(_one_or_all(self.points), training=True)
        return self.loss_of(list(outputs) if isinstance(outputs, tuple) else [outputs])

    def run(self, title: str) -> GradientCheck:
        """Return the result; the model stays unchanged."""
        model = self.model
        if not model.built:
            model.forward(_one_or_all(self.points))
        state = Snapshot([model.flat_params, model.flat_grads, model.flat_buffers, model.clock])
        model.clock += 1
        try:
            start = perf_counter()
            value, dy, self.magnitude = self._evaluate()
            found = model.backward(_one_or_all(dy), input_gradient=True)
            seconds = perf_counter() - start
            if self._evaluate()[0] != value:
                raise ValueError(
                    "check_gradients: the loss changes from one evaluation to the next; seed the"
                    " random numbers of a layer of your own in forward, and make no layer stateful"
                )
            pairs = self._pairs(found if isinstance(found, tuple) else (found,))
            start = perf_counter()
            rows = [self._row(*pair) for pair in pairs]
            advice = self._advice(rows) if any(row.cause for row in rows) else ""
        finally:
            state.restore()
        times = seconds, perf_counter() - start
        return GradientCheck(title, rows, self.tolerance, advice, times)

    def _pairs(self, of_inputs: tuple[Array | None, ...]) -> list[tuple[str, Array, Array]]:
        """Return name, values and gradient of each parameter and input."""
        model = self.model
        frozen = {
            f"{use.path}.{key}"
            for use in model.plan.applications
            if not use.layer.trainable
            for key in use.layer.params
        }
        pairs = [
            (name, view, model.grads[name].copy())
            for name, view in model.params.items()
            if name not in frozen
        ]
        inputs = zip(model.input_names, self.points, of_inputs, strict=True)
        return pairs + [(name, x, np.array(dx)) for name, x, dx in inputs if dx is not None]

    def _row(self, name: str, x: Array, gradient: Array) -> GradientRow:
        places = _drawn(x.shape, self.elements)
        numerical = _differences(lambda: self._evaluate()[0], x, places)
        written = _at(gradient, places)
        errors = self._errors(written, numerical)
        worst = int(errors.argmax()) if errors.size else 0
        cause = ""
        if errors.size and errors[worst] > self.tolerance:
            cause = self._cause(x, gradient, places, numerical, errors)
        return GradientRow(
            name,
            x.shape,
            len(places),
            float(errors[worst]) if errors.size else 0.0,
            places[worst] if errors.size else (),
            float(written[worst]) if errors.size else 0.0,
            float(numerical.central[worst]) if errors.size else 0.0,
            cause,
        )

    def _errors(self, written: Array, numerical: _Differences) -> Array:
        """Return relative errors, 0 where a value lies between the differences at a kink."""
        noise = _NOISE * max(1.0, self.magnitude)
        central, *sides = numerical
        scale = np.maximum(np.abs(written), np.abs(central))
        errors = np.abs(written - central) / np.maximum(scale, noise / self.tolerance)
        least, most = np.minimum(*sides) - noise, np.maximum(*sides) + noise
        between = (least <= written) & (written <= most)
        errors = np.where((errors > self.tolerance) & between, 0, errors)
        return np.where(np.isnan(errors), np.inf, errors)

    def _agree(self, values: Array, numerical: _Differences) -> bool:
        return bool((self._errors(values, numerical) <= self.tolerance).all())

    def _cause(
        self,
        x: Array,
        gradient: Array,
        places: list[Index],
        numerical: _Differences,
        errors: Array,
    ) -> str:
        """Return the likely cause of an error: the change that makes the gradient right."""
        written, right = _at(gradient, places), numerical.central
        if not np.isfinite(written).all():
            return "values that are not finite"
        if not written.any():
            return "backward does not write it"
        factor = float(written @ right / (written @ written))
        if self._agree(factor * written, numerical):
            return _named(factor, len(self.points[0]))
        if any(self._agree(_at(each, places), numerical) for each in self._transposed(x, gradient)):
            return "a transposed product"
        wrong, noise = errors > self.tolerance, _NOISE * max(1.0, self.magnitude)
        if not wrong.all() and (np.abs(right[wrong]) <= noise).all():
            return "a mask is missing"
        if not wrong.all() and not written[wrong].any():
            return "a mask too many"
        return _UNKNOWN

    def _transposed(self, x: Array, gradient: Array) -> list[Array]:
        """Return the gradients that a product with the transpose would have given."""
        found = []
        if gradient.ndim == 2 and len({*gradient.shape}) == 1:
            found.append(gradient.T)
        if any(x is point for point in self.points):
            for w in self.model.params.values():
                if w.shape == (x.shape[-1],) * 2 and np.linalg.cond(w) < 1 / _STEP:
                    found += [gradient @ np.linalg.inv(w) @ w.T, gradient @ np.linalg.inv(w.T) @ w]
        return found

    def _advice(self, rows: Sequence[GradientRow]) -> str:
        """Return where to look: the layer nearest the loss that is wrong by itself."""
        model, values = self.model, list(self.points)
        uses = model.plan.applications
        if len(uses) == 1:
            return _culprit(uses[0].layer, rows)
        model.clock -= 1
        model.run_forward(self.points, True, lambda _, y: values.append(y.copy()))
        for use in reversed(uses):
            given = _one_or_all([values[value] for value in use.inputs])
            alone = check_gradients(use.layer, given, elements=20, tolerance=self.tolerance)
            if not alone.ok:
                return _culprit(use.layer, alone.rows)
        return "each layer is right by itself: look at the gradient that the loss returns"


def _culprit(layer: Layer, rows: Sequence[GradientRow]) -> str:
    name, cause = next((row.name, row.cause) for row in rows if row.cause)
    if cause == _UNKNOWN:
        cause = "the error is no factor, sign, mask or transposed product, so check the derivative"
    return f"look at backward of {layer}, gradient of {name}: {cause}"


def _named(factor: float, samples: int) -> str:
    """Return the cause of gradients that are wrong by a factor."""
    named = {-1.0: "the sign is wrong"}
    if samples > 1:
        named[1 / samples] = f"a missing 1/N, with N = {samples} samples"
        named[float(samples)] = f"1/N once too often, with N = {samples} samples"
    for each, text in ((2.0, "a missing factor 2"), (0.5, "a factor 2 too much")):
        named[each] = f"{named[each]}, or {text}" if each in named else text
    close = [text for value, text in named.items() if abs(factor / value - 1) < 1e-4]
    return close[0] if close else f"a missing factor {factor:.4g}"


def _drawn(shape: tuple[int, ...], elements: int | None) -> list[Index]:
    """Return the indices of all elements, or of some drawn at random."""
    size = int(np.prod(shape))
    flat = np.arange(size)
    if elements is not None and elements < size:
        flat = np.sort(np.random.default_rng(0).choice(size, elements, replace=False))
    return [tuple(int(i) for i in np.unravel_index(each, shape)) for each in flat]


def _at(array: Array, places: Sequence[Index]) -> Array:
    return np.array([array[place] for place in places], np.float64)


def _one_or_all(of_each: Any) -> Any:
    return of_each[0] if len(of_each) == 1 else tuple(of_each)
