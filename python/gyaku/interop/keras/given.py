"""A layer of Keras as it is given: class, configuration, arrays and input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.interop.keras.activations import Unreadable, activation_layers
from gyaku.interop.keras.layout import variables
from gyaku.layers.activation import Activation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, NoReturn

    from numpy.typing import NDArray

    from gyaku.layers import Layer

__all__ = ["Given", "inner"]


class Given:
    """Layer of Keras, as it is given.

    Parameters
    ----------
    kind : str
        Its class.
    config : dict
        Its configuration.
    arrays : list of ndarray
        Its arrays.
    shapes : sequence of tuple of int
        Shapes of the input samples.
    version : int
        Major version of Keras.

    Attributes
    ----------
    placed : list of (Layer, list of ndarray)
        Layers and their arrays; by default the last layer that has weights gets all.
    dropped : list of str
        Options that act in training alone and are left out.
    """

    def __init__(
        self,
        kind: str,
        config: dict[str, Any],
        arrays: list[NDArray[Any]],
        shapes: Sequence[tuple[int, ...]],
        version: int,
    ) -> None:
        self.kind, self.config, self.arrays = kind, config, arrays
        self.shapes, self.version = shapes, version
        self.placed: list[tuple[Layer, list[NDArray[Any]]]] = []
        self.dropped: list[str] = []

    def __getitem__(self, option: str) -> Any:
        if option not in self.config:
            raise Unreadable(f"lacks {option} in its configuration")
        return self.config[option]

    def get(self, option: str, default: Any = None) -> Any:
        """Return an option, or a default.

        Parameters
        ----------
        option : str
            The option.
        default : object
            Value of an option that the configuration lacks.

        Returns
        -------
        object
            The value.
        """
        return self.config.get(option, default)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sample of the first input, () without inputs."""
        return self.shapes[0] if self.shapes else ()

    def arrays_of(self, made: Iterable[Layer]) -> dict[int, list[NDArray[Any]]]:
        """Return the arrays of each layer that has some, by its id.

        Parameters
        ----------
        made : iterable of Layer
            The layers of this layer of Keras.

        Returns
        -------
        dict of int to list of ndarray
            The arrays.
        """
        owners = [each for each in made if variables(each)]
        if self.placed or not owners:
            return {id(layer): arrays for layer, arrays in self.placed}
        return {id(owners[-1]): self.arrays}

    @property
    def name(self) -> str:
        """The name, as gyaku may have it."""
        return str(self.config.get("name", "")).replace("/", "_").replace(".", "_")

    def refuse(self, reason: str = "has no counterpart") -> NoReturn:
        """Raise with a reason.

        Parameters
        ----------
        reason : str
            The reason, as the end of a sentence.
        """
        raise Unreadable(reason)

    def only(self, **wanted: Any) -> None:
        """Raise if an option has another value than the one with a counterpart.

        Parameters
        ----------
        **wanted : object
            The values by option.
        """
        for option, value in wanted.items():
            given = self.config.get(option, value)
            if given != value:
                self.refuse(f"has {option}={given!r}, the counterpart has {value!r}")

    def leave_out(self, *options: str) -> None:
        """Note options that act in training alone.

        Parameters
        ----------
        *options : str
            The options, of which those that are set count.
        """
        self.dropped += [
            f"{option}={given}" if isinstance(given, (int, float)) else option
            for option in options
            if (given := self.config.get(option)) not in (None, 0, False)
        ]

    def is_last(self, axis: Any) -> bool:
        """Return whether an axis of the batch is the last one.

        Parameters
        ----------
        axis : int or list of int
            The axis.

        Returns
        -------
        bool
            Whether it is.
        """
        single = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        return single in (-1, len(self.shape))

    def inline(self) -> tuple[Activation | None, list[Layer]]:
        """Return the activation within a layer.

        Returns
        -------
        activation : Activation or None
            The activation, None without.
        behind : list of Layer
            Layers behind the layer, if the activation takes several.
        """
        made = activation_layers(self.get("activation"), self.version)
        if len(made) == 1 and isinstance(made[0], Activation):
            return made[0], []
        return None, made


def inner(given: Given, option: str, shape: tuple[int, ...] | None = None) -> Given:
    """Return the layer within a layer.

    Parameters
    ----------
    given : Given
        The layer.
    option : str
        Its option that is a layer.
    shape : tuple of int, optional
        Shape of its input samples, by default that of the layer around it.

    Returns
    -------
    Given
        The layer within, without arrays.
    """
    described = given[option]
    kind, config = described.get("class_name"), described.get("config")
    if not isinstance(config, dict):
        given.refuse(f"has a {option} that is none")
    return Given(str(kind), dict(config), [], [shape or given.shape], given.version)
