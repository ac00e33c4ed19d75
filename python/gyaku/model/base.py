"""What one does with a model, whatever its layers are connected like."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from gyaku import memory
from gyaku.checks import checked_dtype
from gyaku.components import Documented
from gyaku.layers.base import Views
from gyaku.symbolic import Block

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from numpy.typing import DTypeLike

    from gyaku.callbacks import Callback
    from gyaku.data import Augment
    from gyaku.history import History
    from gyaku.losses import Loss
    from gyaku.metrics import Metric
    from gyaku.model.graph import Model
    from gyaku.model.table import Table
    from gyaku.optim import Optimizer

__all__ = ["Trainable"]


class Trainable(Documented, Block):
    """What one does with a model: training, evaluation, prediction, tables and files.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        The dtype of parameters and outputs.
    name : str
        The model's name.

    Attributes
    ----------
    layers : tuple of Layer or Model
        The parts, in the order of the forward pass.
    built : bool
        Whether the parameters are there.
    input_shape, output_shape : tuple of int
        The shapes of samples, without the batch axis; of several inputs or outputs a tuple of
        shapes. `input_shape` is None while it is not known.
    input_shapes, output_shapes : tuple of tuple of int
        The same, a tuple also of one.
    params, grads, buffers : Views
        Parameters, gradients, and what is kept but not trained, by name, such as "dense.weight".
    flat_params, flat_grads, flat_buffers : ndarray
        One buffer for all of each; the arrays of `params`, `grads` and `buffers` are views that
        begin at multiples of 64 bytes, and what lies between them is zero.
    clock : ndarray of int64, of shape (1,)
        The number of training steps, which random layers draw by.
    loss, loss_weights, optimizer, metrics : object
        Those of the last `fit`.
    stop_training : bool
        Whether a callback wants the training to end; `fit` begins with False.
    scales_bytes : bool
        Whether inputs of uint8 are divided by 255, as in models from files of format 1; others
        take them at their value, and begin with `Rescaling` where they are to be scaled.

    Examples
    --------
    >>> from gyaku.layers import Dense
    >>> from gyaku.model import Sequential
    >>> model = Sequential(Dense(2))
    >>> model.forward([[1.0, 2.0, 3.0]]).shape, list(model.params)
    ((1, 2), ['dense.weight', 'dense.bias'])
    """

    layers: tuple[Any, ...]
    built: bool = False
    scales_bytes: bool = False
    input_shape: Any = None
    output_shape: Any = ()
    input_shapes: tuple[tuple[int, ...], ...] | None = None
    output_shapes: tuple[tuple[int, ...], ...] = ()
    loss: Loss | tuple[Loss, ...] | None = None
    loss_weights: tuple[float, ...] | None = None
    optimizer: Optimizer | None = None
    metrics: tuple[Metric, ...] | dict[str, tuple[Metric, ...]] = ()
    stop_training: bool = False

    def __init__(self, *, dtype: DTypeLike = "float32", name: str | None = "") -> None:
        from threading import RLock

        self.dtype = checked_dtype(dtype)
        self.name = name or ""
        self.clock = memory.zeros((1,), np.int64)
        self.params, self.grads, self.buffers = Views(), Views(), Views()
        self.flat_params = self.flat_grads = memory.zeros((0,), self.dtype)
        self.flat_buffers = self.flat_params
        self.captured: dict[str, Any] = {}
        self._lock = RLock()

    def build(
        self,
        input_shape: Any = None,
        dtype: DTypeLike | None = None,
        seed: int = 0,
    ) -> None:
        """Make the parameters; `fit` and `predict` do it when they first see data.

        Parameters
        ----------
        input_shape : tuple of int, optional
            The shape of an input sample, without the batch axis; a tuple of shapes of several
            inputs. Where it was said by `gyaku.Input`, it can be left out.
        dtype : {"float32", "float64"}, optional
            The dtype of parameters and outputs, instead of the constructor's.
        seed : int
            What the initial weights depend on, unless the constructor was told.

        Raises
        ------
        ValueError
            If a layer cannot take what the one before it gives.
        """
        raise NotImplementedError

    def forward(self, x: object, training: bool = False) -> Any:
        """Return the outputs of a batch.

        Parameters
        ----------
        x : array_like
            The inputs, (samples, ...), at their value. Several are given as a tuple or by their
            names.
        training : bool
            Whether this belongs to a training step: dropout then drops.

        Returns
        -------
        ndarray or tuple of ndarray
            The outputs, (samples, ...).

        Raises
        ------
        ValueError
            If the samples' shape is not what the model expects.
        """
        raise NotImplementedError

    def backward(self, dy: object, *, input_gradient: bool = False) -> Any:
        """Write the gradients of all parameters into `grads`.

        Parameters
        ----------
        dy : array_like
            The loss's gradient by the outputs of the last `forward`, a tuple of several.
        input_gradient : bool
            Whether the gradient by the inputs is wanted too.

        Returns
        -------
        ndarray or tuple of ndarray or None
            The gradient by the inputs, if wanted; None for inputs that are indices.
        """
        raise NotImplementedError

    def fit(
        self,
        x: object,
        y: object,
        *,
        loss: str | Loss | Callable[..., Any] | Sequence[Any] | Mapping[str, Any],
        loss_weights: Sequence[float] | Mapping[str, float] | None = None,
        optimizer: str | Optimizer | None = "adam",
        epochs: int = 1,
        batch_size: int | None = 32,
        validation_data: tuple[object, object] | None = None,
        validation_split: float = 0.0,
        validation_freq: int = 1,
        metrics: str | Metric | Iterable[Any] | None = (),
        seed: int | None = 0,
        shuffle: bool = True,
        augment: Augment | None = None,
        callbacks: Callback | Callable[..., object] | Iterable[Any] | None = (),
        verbose: int | str = "auto",
    ) -> History:
        """Train the model.

        Parameters
        ----------
        x : array_like
            The inputs, (samples, ...), at their value. float32, float64 and uint8 are used where
            they lie; a model that begins with `Rescaling` scales bytes while a batch is gathered.
            Several inputs are given as a tuple, or as a dict by their names.
        y : array_like
            The targets: rows like the outputs, or class numbers for a cross-entropy; of several
            outputs a tuple or a dict.
        loss : str or Loss or callable
            What is to become small: a name, an object, or a function of outputs and targets that
            returns the mean loss and its gradient by the outputs. Several outputs can have one
            each, in a tuple or a dict.
        loss_weights : sequence or mapping of float, optional
            What the losses of several outputs are multiplied by before they are added.
        optimizer : str or Optimizer
            What changes the weights. An object goes on where it was if it trained this model.
        epochs : int
            How often each sample is seen.
        batch_size : int or None
            The samples of a step: 1 is on-line, None the whole set.
        validation_data : pair of array_like, optional
            Inputs and targets to measure, not to train on.
        validation_split : float
            The share of the samples to set aside for that instead, of each class alike.
        validation_freq : int
            After how many epochs it is measured; and after the last.
        metrics : sequence of str or Metric or callable
            What else to measure: names, objects, or functions of outputs and targets.
        seed : int or None
            What initial weights, order, dropout and augmentation depend on; None is a new one
            each time.
        shuffle : bool
            Whether each epoch has an order of its own.
        augment : Augment, optional
            How images, (samples, height, width, channels), are moved and mirrored at random while a
            batch is collected; a `gyaku.data.Augment`.
        callbacks : sequence of Callback or callable
            Whom to call between epochs and steps; a function is called with epoch and logs after
            each epoch. Returning True, or a reason as text, ends the training.
        verbose : {0, 1, 2, "auto"}
            Nothing, a bar, a line an epoch; "auto" is a bar where somebody watches.

        Returns
        -------
        History
            Loss and metrics of each epoch. Ctrl-C ends the training, not the program: the model
            keeps the weights of the last finished step.

        Raises
        ------
        ValueError
            If data or arguments do not make sense.
        TypeError
            If one of them is of the wrong kind.
        NonFiniteError
            If loss or weights become NaN or infinite; the model keeps the last good weights.
        RuntimeError
            If another thread uses the model.
        """
        from gyaku.train import start

        with self._used("fit"):
            return start.fit(
                self._model,
                x,
                y,
                loss=loss,
                loss_weights=loss_weights,
                optimizer=optimizer,
                epochs=epochs,
                batch_size=batch_size,
                validation_data=validation_data,
                validation_split=validation_split,
                validation_freq=validation_freq,
                metrics=metrics,
                seed=seed,
                shuffle=shuffle,
                augment=augment,
                callbacks=callbacks,
                verbose=verbose,
            )

    def evaluate(
        self,
        x: object,
        y: object,
        *,
        loss: str | Loss | Callable[..., Any] | None = None,
        metrics: str | Metric | Iterable[Any] | None = None,
        batch_size: int = 512,
    ) -> dict[str, float]:
        """Measure loss and metrics.

        Parameters
        ----------
        x, y : array_like
            Inputs and targets, as in `fit`.
        loss : str or Loss or callable, optional
            The loss; by default that of `fit`.
        metrics : sequence of str or Metric or callable, optional
            The metrics; by default those of `fit`.
        batch_size : int
            How many samples are worked on at once.

        Returns
        -------
        dict of str to float
            "loss" and each metric.

        Raises
        ------
        ValueError
            If data or arguments do not make sense.
        TypeError
            If one of them is of the wrong kind.
        """
        from gyaku.train import start

        with self._used("evaluate"):
            return start.evaluate(
                self._model, x, y, loss=loss, metrics=metrics, batch_size=batch_size
            )

    def predict(self, x: object, *, batch_size: int = 512) -> Any:
        """Return the outputs of any number of samples.

        Parameters
        ----------
        x : array_like
            The inputs, (samples, ...).
        batch_size : int
            How many samples are worked on at once.

        Returns
        -------
        ndarray or tuple of ndarray
            The outputs, (samples, ...).

        Raises
        ------
        ValueError
            If the data do not make sense.
        TypeError
            If they do not hold real numbers.
        """
        from gyaku.train import start

        with self._used("predict"):
            return start.predict(self._model, x, batch_size=batch_size)

    def summary(self) -> str:
        """Print a table of the layers: shapes, parameters, work and memory.

        Returns
        -------
        str
            The table.
        """
        from gyaku.model.report import Printed, summary

        text = Printed(summary(self._model))
        print(text)
        return text

    def _repr_html_(self) -> str:
        from gyaku.model.report import summary

        return summary(self._model)._repr_html_()

    def program(self) -> Table:
        """Return what a training step consists of, as the last `fit` captured it.

        Returns
        -------
        Table
            One row a task; it prints.

        Raises
        ------
        RuntimeError
            If nothing was captured: before the first `fit`, or with the reference backend.
        """
        from gyaku.model.report import listing

        if not self.captured:
            raise RuntimeError(
                "program: nothing is captured yet; call fit first, with the native backend"
            )
        return listing(**self.captured)

    def profile(
        self,
        x: object,
        y: object,
        *,
        loss: str | Loss | Callable[..., Any] | None = None,
        optimizer: str | Optimizer | None = None,
        batch_size: int = 32,
        steps: int = 100,
    ) -> Table:
        """Measure what each task of a training step costs; the model stays as it was.

        Parameters
        ----------
        x, y : array_like
            Inputs and targets, as in `fit`.
        loss : str or Loss or callable, optional
            The loss; by default that of `fit`.
        optimizer : str or Optimizer, optional
            The optimizer; by default that of `fit`, or else Adam.
        batch_size : int
            The samples of a step.
        steps : int
            How many steps are measured.

        Returns
        -------
        Table
            One row a task: its time, and how much of what the machine could do in that time.

        Raises
        ------
        RuntimeError
            With the reference backend, which has no programs.
        """
        from gyaku.model.report import profile
        from gyaku.train import start

        with self._used("profile"):
            return profile(
                start.training(
                    self._model,
                    x,
                    y,
                    loss=loss,
                    optimizer=optimizer,
                    batch_size=batch_size,
                    steps=steps,
                ),
                steps,
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write architecture and weights to a safetensors file, whole or not at all.

        Parameters
        ----------
        path : str or path-like
            The file; `gyaku.load` reads it back.

        Raises
        ------
        ValueError
            If the model has no weights yet.
        TypeError
            If a layer was made with something that a file cannot hold, such as a function.
        """
        from gyaku.model.storage import save

        save(self._model, path)

    @property
    def _model(self) -> Model:
        return self  # type: ignore[return-value]  # the one subclass, from which all others come

    @contextmanager
    def _used(self, what: str) -> Iterator[None]:
        """Let one thread at a time use the layers' memory."""
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                f"{what}: another thread uses this model; wait for it, or give each thread a model"
            )
        try:
            yield
        finally:
            self._lock.release()
