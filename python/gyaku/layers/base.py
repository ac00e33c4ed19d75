"""Base of all layers: parameters, a forward pass and a backward pass."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gyaku import memory
from gyaku.checks import check_bytes, truth
from gyaku.components import Component, Table
from gyaku.init import initializer
from gyaku.symbolic import Block, label

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from gyaku.init import Initialize

__all__ = ["Layer"]

LAYERS: Table[Layer] = Table(lambda cls: cls.__name__)
_VARARGS = 4  # flag of a function with *args


class Views(dict[str, "NDArray[Any]"]):
    """Arrays by name; assignment copies into the array.

    Examples
    --------
    >>> views = Views(w=np.zeros(2))
    >>> array = views["w"]
    >>> views["w"] = [1, 2]
    >>> array
    array([1., 2.])
    """

    def __setitem__(self, name: str, value: object) -> None:
        """Copy `value` into the array called `name`."""
        array = self[name]
        given = np.asarray(value)
        if given.shape != array.shape:
            raise ValueError(f"{name!r} has shape {array.shape}, cannot take {given.shape}")
        np.copyto(array, given, casting="same_kind")

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the arrays themselves, not through `__setitem__`."""
        return Views, (dict(self),)

    def __missing__(self, name: str) -> NDArray[Any]:
        """Raise, with the known names."""
        raise KeyError(f"there is no parameter {name!r} here, only {', '.join(self) or 'none'}")

    def place(self, name: str, array: NDArray[Any]) -> None:
        """Set the array of a name, without a copy.

        Parameters
        ----------
        name : str
            The name, known or new.
        array : ndarray
            The array.
        """
        super().__setitem__(name, array)


class Layer(Component, Block, table=LAYERS):
    """Base of all layers, built-in ones and user layers in NumPy.

    A user layer defines `forward` and `backward`, and `build` if it has parameters or changes the
    shape of its samples. It keeps the values for its backward pass in attributes.

    Parameters
    ----------
    name : str, optional
        The layer's name; a model names layers without one.

    Attributes
    ----------
    name : str, optional
        The layer's name.
    params, grads : Views
        Parameters and their gradients by name. The arrays belong to the model's two flat buffers:
        ``self.grads["scale"] = array`` copies into it.
    buffers : Views
        Arrays that are kept with the parameters but not trained, such as running statistics.
    input_shape, output_shape : tuple of int
        Sample shapes, without the batch axis; `input_shape` is that of the first input.
    input_shapes : tuple of tuple of int
        Sample shapes of all inputs.
    output_shapes : tuple of tuple of int
        Sample shapes of all outputs, if there are several.
    dtype : numpy.dtype
        float32 or float64, that of all arrays.
    needs_input_gradient : bool
        Whether `backward` must return the gradient with respect to the input.
    trainable : bool
        Whether training changes the parameters; see the notes.

    Notes
    -----
    A layer with ``trainable = False`` is frozen: `fit` computes no gradients for its parameters and
    leaves them alone, and gradients flow through it only if a layer before it is trained. A frozen
    `BatchNorm` normalises by its running statistics, in training too. It takes effect from the next
    `fit` on, and stays with the layer in files and copies.

    `forward` must not change its input. In training a layer in NumPy is called once a step, on the
    same buffers throughout. A layer of several inputs takes them as arguments of `forward`, their
    shapes as arguments of `build`, and returns a tuple of gradients. A layer with
    ``takes_indices = True`` gets integers, which have no gradient. A layer whose `forward` has the
    argument ``lengths=None`` gets the lengths of padded sequences: int64 of shape (samples,), None
    if all steps are real. They travel to it through layers whose outputs have as many steps as
    their inputs. A layer with ``any_steps = True`` treats all steps alike: a model of such layers
    takes sequences of any number of steps.

    Examples
    --------
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.add_param("scale", input_shape, "ones")
    ...         return input_shape
    ...
    ...     def forward(self, x, training=False):
    ...         self.x = x
    ...         return x * self.params["scale"]
    ...
    ...     def backward(self, dy):
    ...         self.grads["scale"] = (dy * self.x).sum(axis=0)
    ...         return dy * self.params["scale"]
    """

    passes = frozenset({"forward", "backward"})
    _settings = ("trainable",)
    passes_sums: ClassVar[bool] = False
    """Whether the initialiser of the layer before takes the activation behind this layer."""
    takes_training: ClassVar[bool] = True
    """Whether `forward` has the argument ``training``, which is optional in user layers."""
    takes: ClassVar[int | None] = 1
    """Number of inputs of `forward`, None for any."""
    gives: int = 1
    """Number of outputs of `forward`, which returns a tuple of several; only of native layers."""
    takes_indices: ClassVar[bool] = False
    """Whether inputs are indices, which stay int32 or int64."""
    takes_lengths: ClassVar[bool] = False
    """Whether `forward` has the argument ``lengths``, the numbers of real steps of sequences."""
    finds_lengths: bool = False
    """Whether the lengths of sequences are found in the input of the model, by `find_lengths`."""
    any_steps: bool = False
    """Whether all steps of a sequence are treated alike, so that there may be any number of them;
    `forward` takes their number from its argument then."""
    draws: ClassVar[bool] = True
    """Whether the layer draws random numbers, for initial weights or in training."""

    # Class attributes, so that a subclass need not call this constructor.
    name: str = ""
    path: str = ""  # the name, behind those of the models that contain it
    input_shape: tuple[int, ...] = ()
    input_shapes: tuple[tuple[int, ...], ...] = ()
    output_shape: tuple[int, ...] = ()
    output_shapes: tuple[tuple[int, ...], ...] = ()
    dtype: np.dtype[Any] = np.dtype(np.float32)
    needs_input_gradient: bool = True
    activation_after: str = ""
    advice: str = ""  # advice for an output that is not finite
    seed: int = 0
    stream: int = 0
    model: weakref.ref[Any] | None = None
    stored: Mapping[str, NDArray[Any]] | None = None
    sketched: bool = False  # whether only shapes are inferred
    in_steps: bool = False  # whether samples are steps of sequences, which may come one by one
    _frozen: bool = False
    _given: Sequence[tuple[int, ...]] = ()  # shapes of the inputs of the last forward pass

    def __init__(self, *, name: str | None = "") -> None:
        self.name = name or ""

    def __init_subclass__(cls, **options: Any) -> None:
        """Inspect the arguments of `forward`."""
        super().__init_subclass__(**options)
        if "forward" in vars(cls):
            code = cls.forward.__code__
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            cls.takes_training, cls.takes_lengths = "training" in names, "lengths" in names
            optional = len(cls.forward.__defaults__ or ())
            needed = [n for n in names[1 : code.co_argcount - optional] if n != "training"]
            cls.takes = None if code.co_flags & _VARARGS else max(1, len(needed))

    @property
    def arity(self) -> tuple[int | None, int]:
        """Number of inputs, None for any, and of outputs."""
        return self.takes, self.gives

    @property
    def trainable(self) -> bool:
        """Whether training changes the parameters; False freezes the layer."""
        return not self._frozen

    @trainable.setter
    def trainable(self, given: bool) -> None:
        self._frozen = not truth(str(self), "trainable", given)
        model = self.model() if self.model else None
        if model is not None:
            model.refreeze()

    @cached_property
    def params(self) -> Views:
        """Parameters by name."""
        return Views()

    @cached_property
    def grads(self) -> Views:
        """Gradients of the parameters by name."""
        return Views()

    @cached_property
    def buffers(self) -> Views:
        """Arrays that are kept with the parameters but not trained, by name."""
        return Views()

    @cached_property
    def clock(self) -> NDArray[np.int64]:
        """Step counter, the key of random layers; the layers of a model share one."""
        return memory.zeros((1,), np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the arguments of the constructor; the weights belong to the model."""
        state = {"name": self.name, "_frozen": self._frozen}
        return _made, (type(self), self.config()), state

    def __str__(self) -> str:
        """Return class and name, as errors show them."""
        return label(self)

    def build(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Declare parameters and return the shape of an output sample.

        Parameters
        ----------
        input_shape : tuple of int
            The shape of an input sample.

        Returns
        -------
        tuple of int
            The shape of an output sample.

        Notes
        -----
        This default infers the shape by a pass over one sample of zeros.
        """
        shapes = self.input_shapes or (input_shape,)
        for shape in shapes:
            check_bytes(str(self), "the input", shape, "which build passes through forward")
        dtype = np.dtype(np.int64) if self.takes_indices else self.dtype
        x = [np.zeros((1, *shape), dtype) for shape in shapes]
        y = self._forward(*x, training=False)
        if np.ndim(y) == 0:
            raise ValueError(f"{self}: forward must return the outputs, got {y!r}")
        return np.shape(y)[1:]

    def forward(self, x: NDArray[Any], training: bool = False) -> NDArray[Any]:
        """Return the outputs of a batch.

        Parameters
        ----------
        x : ndarray
            The inputs, (samples, ...); not to be changed.
        training : bool
            Whether this pass belongs to a training step.

        Returns
        -------
        ndarray
            The outputs, (samples, ...).
        """
        raise NotImplementedError(f"{type(self).__name__} needs a forward(self, x, training)")

    def backward(self, dy: NDArray[Any]) -> NDArray[Any] | tuple[NDArray[Any], ...] | None:
        """Write the gradients of the parameters and return that of the inputs.

        Parameters
        ----------
        dy : ndarray
            Gradient of the loss with respect to the outputs of the last `forward`.

        Returns
        -------
        ndarray or tuple of ndarray or None
            Gradient of the loss with respect to the input, or to each of several; None is allowed
            if `needs_input_gradient` is false.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a backward(self, dy)")

    def check_indices(self, owner: str, name: str, x: NDArray[Any]) -> None:
        """Raise if a layer that takes indices cannot take these; by default it takes all.

        Parameters
        ----------
        owner, name : str
            Function and argument, for errors.
        x : ndarray
            The indices, (samples, ...).
        """

    def find_lengths(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Return the lengths of padded sequences, if `finds_lengths`.

        Parameters
        ----------
        x : ndarray
            The input, (samples, steps, ...).

        Returns
        -------
        ndarray of int64
            Number of real steps of each sample; the steps behind them are padding.
        """
        raise NotImplementedError(f"{type(self).__name__} needs a find_lengths(self, x)")

    def add_param(
        self, name: str, shape: tuple[int, ...], initial: str | Initialize = "zeros"
    ) -> None:
        """Declare a parameter, in `build`.

        Parameters
        ----------
        name : str
            Its key in `params` and `grads`.
        shape : tuple of int
            Its shape.
        initial : str or callable
            Initialiser, by name or as an object.
        """
        values = self._initial(name, tuple(shape), initial)
        self.params.place(name, values)
        self.grads.place(name, np.zeros_like(values))

    def add_buffer(
        self, name: str, shape: tuple[int, ...], initial: str | Initialize = "zeros"
    ) -> None:
        """Declare an array that is kept with the parameters but not trained, in `build`.

        Parameters
        ----------
        name : str
            Its key in `buffers`.
        shape : tuple of int
            Its shape.
        initial : str or callable
            Initialiser, by name or as an object.
        """
        self.buffers.place(name, self._initial(name, tuple(shape), initial))

    def _initial(
        self, name: str, shape: tuple[int, ...], initial: str | Initialize
    ) -> NDArray[Any]:
        given = f"input {self.input_shape}"
        check_bytes(str(self), f"the parameter {name!r}", shape, given)
        if self.sketched:
            return np.zeros(shape, self.dtype)
        if self.stored is None:
            # The values depend on seed, layer and parameter alone, not on earlier draws.
            key = np.array([self.seed, self.stream << 32 | len(self.params)], np.uint64)
            random = np.random.Generator(np.random.Philox(key=key))
            try:
                values = initializer(initial)(shape, random)
            except MemoryError:
                raise MemoryError(
                    f"{self}: there is no memory for the parameter {name!r} of shape {shape}"
                    f" ({given})"
                ) from None
        elif name in self.stored:
            values = self.stored[name]
        else:
            raise ValueError(f"{self}: there is no {name!r}")
        if np.shape(values) != shape:
            raise ValueError(f"{self}: {name!r} has shape {np.shape(values)}, expected {shape}")
        return np.array(values, self.dtype)

    @property
    def flops(self) -> int:
        """Floating-point operations per sample in the forward pass; 0 if not counted."""
        return 0

    @property
    def varies(self) -> bool:
        """Whether training steps on the same inputs differ, as those with dropout do."""
        return False

    @property
    def least_batch(self) -> int:
        """Smallest batch of a training step."""
        return 1

    def run_forward(
        self, *x: NDArray[Any], training: bool = False, **lengths: NDArray[Any] | None
    ) -> NDArray[Any]:
        """Run the forward pass, recorded for replay.

        Parameters
        ----------
        *x : ndarray
            The inputs.
        training : bool
            Whether this pass belongs to a training step.
        **lengths : ndarray of int64 or None
            The argument ``lengths`` of a layer that takes it.

        Returns
        -------
        ndarray
            The outputs; those of a layer in NumPy are in a buffer that each replay fills again.
        """
        if self.native:
            forward: Callable[..., NDArray[Any]] = self.forward
            return forward(*x, training=training, **lengths)
        self._given, shape = [each.shape for each in x], self.output_shape
        if self.any_steps and len(shape) > 1:
            shape = (x[0].shape[1], *shape[1:])
        y = memory.empty((len(x[0]), *shape), self.dtype)
        # The layers before it may keep these arrays for their own backward pass.
        shown = [each.view() for each in x]
        for each in shown:
            each.flags.writeable = False
        known = [each for each in lengths.values() if each is not None]
        self._run(
            *("forward", lambda: self._forward(*shown, training=training, **lengths)),
            *([*x, *known], [y]),
        )
        return y

    def run_backward(self, dy: NDArray[Any]) -> tuple[NDArray[Any] | None, ...]:
        """Run the backward pass, recorded for replay.

        Parameters
        ----------
        dy : ndarray
            Gradient with respect to the outputs.

        Returns
        -------
        tuple of ndarray or None
            Gradient with respect to each input, if it is needed.
        """
        if self.native:
            dx = self.backward(dy)
            return dx if isinstance(dx, tuple) else (dx,)
        if not self.needs_input_gradient:
            reads = [dy, *self.params.values()]
            memory.host(lambda: self.backward(dy), reads, list(self.grads.values()))
            return (None,) * len(self.input_shapes)
        outs = [memory.empty(shape, self.dtype) for shape in self._given]
        self._run("backward", lambda: self.backward(dy), [dy], outs)
        return tuple(outs)

    def _forward(
        self, *x: NDArray[Any], training: bool, **lengths: NDArray[Any] | None
    ) -> NDArray[Any]:
        forward: Callable[..., NDArray[Any]] = self.forward
        if self.takes_training:
            return forward(*x, training=training, **lengths)
        return forward(*x, **lengths)

    def _run(
        self,
        what: str,
        function: Callable[[], Any],
        given: Sequence[NDArray[Any]],
        outs: Sequence[NDArray[Any]],
    ) -> None:
        """Call a pass of a user layer, now and at each replay, and copy its results."""
        several = len(outs) > 1

        def call() -> None:
            try:
                returned = function()
            except Exception as error:
                shapes = ", ".join(str(each.shape) for each in given)
                error.add_note(f"in {what} of {self}, whose arguments have the shape {shapes}")
                raise
            if several and not (isinstance(returned, tuple) and len(returned) == len(outs)):
                raise ValueError(
                    f"{self}: {what} must return a tuple of {len(outs)} arrays, got {returned!r}"
                )
            for each, out in zip(returned if several else [returned], outs, strict=True):
                result = np.asarray(each)
                if each is None:
                    raise ValueError(f"{self}: {what} returned nothing, expected shape {out.shape}")
                if result.shape != out.shape:
                    raise ValueError(
                        f"{self}: {what} returned shape {result.shape}, expected {out.shape}"
                    )
                np.copyto(out, result, casting="same_kind")

        kept = [*self.params.values(), *self.buffers.values(), *self.grads.values()]
        memory.host(call, [*given, *self.params.values()], [*outs, *kept])


def _made(cls: type[Layer], config: dict[str, Any]) -> Layer:
    return cls(**config)
