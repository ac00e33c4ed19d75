"""The playground's network in training: steps, changes of settings, and what a picture shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gyaku import layers, optim
from gyaku.lab.toy_data import LIMIT, features, held_out, toy_data
from gyaku.losses import SigmoidCrossEntropy
from gyaku.model import Sequential
from gyaku.ops import sigmoid
from gyaku.train.arrays import Arrays
from gyaku.train.course import Course
from gyaku.train.criterion import criterion_of
from gyaku.train.dataset import Given
from gyaku.train.nonfinite import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.lab.toy_settings import Settings
    from gyaku.layers.base import Layer
    from gyaku.optim import Optimizer
    from gyaku.train.steps import Training

__all__ = ["SIDE", "UNIT_SIDE", "Picture", "ToyTraining", "layers_of", "optimizer_of"]

SIDE = 50
"""Cells along each side of the picture of the output."""
UNIT_SIDE = 25
"""Cells along each side of the picture of a unit."""

_EPOCHS = 1 << 50  # more than anyone waits for
# Settings that change the network: a training with others starts anew.
_NETWORK = ("data", "features", "hidden", "activation", "seed")
_NO_STEP = ("speed", "rate")  # that are not in the recorded step
_POINTS = ("samples", "noise", "points", "test")


class Picture(NamedTuple):
    """State of the training, as the page shows it.

    Parameters
    ----------
    step, epoch : float
        Number of steps done, and of passes over the training points.
    losses, errors : tuple of float
        Mean loss and fraction of wrong points, of training and test; NaN without points.
    output : ndarray of uint8, of shape (SIDE, SIDE)
        Probability of class 1 times 255; the first row is the top of the square.
    units : ndarray of uint8, of shape (units, UNIT_SIDE, UNIT_SIDE)
        Output of each hidden unit: 128 is zero, 1 and 255 the largest magnitude.
    weights : ndarray of float32
        Weights and biases of the layers, one after the other.
    """

    step: int
    epoch: float
    losses: tuple[float, float]
    errors: tuple[float, float]
    output: NDArray[np.uint8]
    units: NDArray[np.uint8]
    weights: NDArray[np.float32]


def layers_of(settings: Settings) -> Iterator[Layer]:
    """Yield the layers of the network.

    Parameters
    ----------
    settings : Settings
        The settings.

    Yields
    ------
    Layer
        The layers; the outputs are logits.
    """
    for units in settings.hidden:
        yield layers.Dense(units)
        yield getattr(layers, settings.activation)()
        if settings.dropout:
            yield layers.Dropout(settings.dropout)
    yield layers.Dense(1)


def optimizer_of(settings: Settings) -> Optimizer:
    """Return the optimizer.

    Parameters
    ----------
    settings : Settings
        The settings.

    Returns
    -------
    Optimizer
        A new one.
    """
    kind = getattr(optim, settings.optimizer)
    made: Optimizer = kind(settings.rate, weight_decay=settings.decay)
    return made


class ToyTraining:
    """A network of two inputs in training, whose settings may change at any step.

    Parameters
    ----------
    settings : Settings
        The settings.

    Attributes
    ----------
    points : ndarray of shape (samples, 2)
        The points.
    classes : ndarray of shape (samples,)
        Their classes.
    test : ndarray of bool, of shape (samples,)
        Whether they are held out.
    model : Sequential
        The network.

    Examples
    --------
    >>> from gyaku.lab.toy_settings import Settings
    >>> training = ToyTraining(Settings())
    >>> training.advance(1000)
    >>> training.picture().errors[0] < 0.1
    True
    """

    settings: Settings
    points: NDArray[np.float64]
    classes: NDArray[np.float64]
    test: NDArray[np.bool_]
    model: Sequential
    _training: Training | None
    _guard: Guard

    def __init__(self, settings: Settings) -> None:
        self.restart(settings)

    def restart(self, settings: Settings) -> None:
        """Begin anew with untrained weights.

        Parameters
        ----------
        settings : Settings
            The settings.
        """
        self.settings = settings
        self._steps_before, self._epochs_before = 0, 0
        self._draw_points()
        self._make_model()
        self._begin(optimizer_of(settings))

    def change(self, settings: Settings) -> bool:
        """Go on with other settings, or begin anew where the weights have no meaning any more.

        Parameters
        ----------
        settings : Settings
            The settings.

        Returns
        -------
        bool
            Whether the training began anew.
        """
        old, self.settings = self.settings, settings
        changed = {
            name for name in settings._fields if getattr(old, name) != getattr(settings, name)
        }
        if changed & {*_NETWORK}:
            self.restart(settings)
            return True
        if "rate" in changed:
            self.optimizer.learning_rate = settings.rate
        if changed - {*_NO_STEP}:
            self._go_on(draws=bool(changed & {*_POINTS}))
        return False

    def _go_on(self, *, draws: bool) -> None:
        """Record the step anew, with the weights and the state of the optimizer; a new epoch."""
        step, epoch = self.step, -(-self.epoch // 1)
        model, optimizer = self.model, self.optimizer
        self._make_model()
        self.model.flat_params[...] = model.flat_params
        self.model.clock[...] = model.clock
        new = optimizer_of(self.settings)
        if type(new) is type(optimizer) and optimizer.params.size:
            new.resume(self.model, optimizer.state, [*optimizer.clock], optimizer.schedule_begun)
        if draws:
            self._draw_points()
        self._steps_before, self._epochs_before = step, int(epoch)
        self._begin(new)

    def _draw_points(self) -> None:
        settings = self.settings
        if settings.data == "own":
            table = np.array(settings.points, np.float64).reshape(-1, 3)
            self.points, self.classes = table[:, :2], table[:, 2]
        else:
            self.points, self.classes = toy_data(
                settings.data, settings.samples, noise=settings.noise, seed=settings.seed
            )
        self.test = held_out(len(self.points), settings.test)
        rows = np.concatenate([_grid(), self.points[~self.test], self.points[self.test]])
        # In the order of the picture: the square, then the points of training, then of the test.
        self._shown = features(rows, settings.features).astype(np.float32)

    def _make_model(self) -> None:
        settings = self.settings
        self.model = Sequential(*layers_of(settings))
        self.model.adopt(self.model.passes([(len(settings.features),)]), settings.seed)
        self.model.reseed(settings.seed)

    def _begin(self, optimizer: Optimizer) -> None:
        """Prepare the steps, which the first of them records, with the means of `fit`."""
        self.optimizer, self._training = optimizer, None
        if self.test.all():  # no point to train on
            return
        settings, model = self.settings, self.model
        x = features(self.points[~self.test], settings.features)
        data = Arrays("playground", Given(x, self.classes[~self.test]))
        loss = SigmoidCrossEntropy()
        data.validate(model, criterion_of("playground", model.output_names, loss, None, ()))
        course = Course(
            data.size(settings.batch),
            _EPOCHS,
            settings.seed,
            shuffle=True,
            first_epoch=self._epochs_before,
        )
        self._training = data.training(optimizer, course)
        self._guard = Guard(self._training)

    @property
    def can_train(self) -> bool:
        """Whether there are points to train on."""
        return self._training is not None

    @property
    def step(self) -> int:
        """Number of steps since the restart."""
        return self._steps_before + (self._training.step if self._training else 0)

    @property
    def epoch(self) -> float:
        """Number of passes over the training points since the restart."""
        done = self._training.step / self._training.per_epoch if self._training else 0
        return self._epochs_before + done

    @property
    def steps_left(self) -> int:
        """Number of steps to the end of the present epoch."""
        return self._training.per_epoch - self._training.position if self._training else 0

    @property
    def converged(self) -> bool:
        """Whether the optimizer finds no better weights."""
        return bool(self.optimizer.converged)

    def advance(self, steps: int) -> None:
        """Run steps, natively as those of `fit`.

        Parameters
        ----------
        steps : int
            Number of steps.

        Raises
        ------
        NonFiniteError
            If loss or weights become NaN or infinite; those before this step are kept.
        """
        training = self._training
        if training is None:
            return
        if self._guard.is_due:
            self._guard.keep()
        training.advance(steps)
        self._guard.check()

    def recover(self) -> None:
        """Prepare further steps behind an error, from the weights that it left."""
        self._go_on(draws=False)

    def picture(self) -> Picture:
        """Return what the page shows of the present weights.

        Returns
        -------
        Picture
            The picture.
        """
        units: list[NDArray[np.uint8]] = []

        def seen(use: Any, y: NDArray[Any]) -> None:
            if type(use.layer).__name__ == self.settings.activation:
                units.append(_unit_pictures(y))

        logits = self.model.forward(self._shown, seen=seen)
        cells, train = SIDE * SIDE, SIDE * SIDE + int((~self.test).sum())
        measures = [
            _measures(logits[cells:train], self.classes[~self.test]),
            _measures(logits[train:], self.classes[self.test]),
        ]
        (train_loss, train_error), (test_loss, test_error) = measures
        output = np.rint(255 * np.nan_to_num(sigmoid(logits[:cells]))).astype(np.uint8)
        params = [each.ravel() for each in self.model.params.values()]
        return Picture(
            self.step,
            self.epoch,
            (train_loss, test_loss),
            (train_error, test_error),
            output.reshape(SIDE, SIDE),
            np.concatenate([np.zeros((0, UNIT_SIDE, UNIT_SIDE), np.uint8), *units]),
            np.concatenate(params).astype(np.float32),
        )


def _grid() -> NDArray[np.float64]:
    """Return the centres of the cells of the square, from its top left."""
    places = LIMIT * ((2 * np.arange(SIDE) + 1) / SIDE - 1)
    x1, x2 = np.meshgrid(places, -places)
    return np.stack([x1.ravel(), x2.ravel()], axis=1)


def _unit_pictures(y: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the outputs of a layer's units, each relative to its largest magnitude."""
    stride = SIDE // UNIT_SIDE
    cells = y[: SIDE * SIDE].reshape(SIDE, SIDE, -1)[::stride, ::stride].transpose(2, 0, 1)
    cells = np.nan_to_num(cells)  # weights of any size may overflow
    largest = np.abs(cells).max(axis=(1, 2), keepdims=True)
    scaled = np.divide(cells, largest, out=np.zeros_like(cells), where=largest > 0)
    found: NDArray[np.uint8] = np.rint(128 + 127 * scaled).astype(np.uint8)
    return found


def _measures(logits: NDArray[Any], classes: NDArray[np.float64]) -> tuple[float, float]:
    """Return loss and fraction of wrong points; NaN without points."""
    if not len(classes):
        return np.nan, np.nan
    loss, _ = SigmoidCrossEntropy()(logits, classes[:, None].astype(logits.dtype))
    return float(loss), float(((logits[:, 0] > 0) != (classes > 0.5)).mean())
