"""Forward pass of a model as elementary steps, for writers of source code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ForwardPass", "Lengths", "Step", "Value"]


@dataclass(frozen=True)
class Value:
    """Value of a forward pass.

    Parameters
    ----------
    name : str
        Path of the layer that makes it, or the name of the input.
    shape : tuple of int
        Its sample shape.
    repeat : int
        Number of such samples in one sample of the model: steps of a `TimeDistributed`.
    """

    name: str
    shape: tuple[int, ...]
    repeat: int = 1


@dataclass(frozen=True)
class Step:
    """Elementary step of a forward pass.

    Parameters
    ----------
    kind : str
        What it computes, such as "dense".
    inputs, outputs : tuple of int
        Indices of values.
    arrays : dict of str to str
        The name of the array in each role, such as "weight".
    settings : dict
        Constants.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arrays: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Lengths:
    """Lengths of padded sequences.

    Parameters
    ----------
    value : int
        Index of the value in which they are found.
    padding : float or None
        Value of all features of a padded step, None for sequences of ids, which 0 pads.
    """

    value: int
    padding: float | None


class ForwardPass:
    """Forward pass under construction.

    Parameters
    ----------
    owner : str
        The function for whose user this is, for errors.
    dtype : dtype
        That of values and arrays.

    Attributes
    ----------
    values : list of Value
        Inputs, then the outputs of the steps.
    steps : list of Step
        The steps in their order.
    arrays : dict of str to ndarray
        Constant arrays by name.
    inputs, outputs : list of int
        Indices of the values that go in and come out.
    indices : set of int
        Values that hold indices.
    vocabulary : dict of int to int
        For each of these the number of ids.
    scope : str
        Path of the layer being written, the beginning of names.
    repeat : int
        Number of samples of that layer in one sample of the model.
    length : Lengths or None
        The lengths of the sequences, if they are padded.
    """

    def __init__(self, owner: str, dtype: np.dtype[Any]) -> None:
        self.owner = owner
        self.dtype = dtype
        self.values: list[Value] = []
        self.steps: list[Step] = []
        self.arrays: dict[str, NDArray[Any]] = {}
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.indices: set[int] = set()
        self.vocabulary: dict[int, int] = {}
        self.scope = ""
        self.repeat = 1
        self.length: Lengths | None = None

    def value(self, name: str, shape: tuple[int, ...]) -> int:
        """Append a value.

        Parameters
        ----------
        name : str
            Its name.
        shape : tuple of int
            Its sample shape.

        Returns
        -------
        int
            Its index.
        """
        self.values.append(Value(name, tuple(shape), self.repeat))
        return len(self.values) - 1

    def step(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: tuple[int, ...],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        **settings: Any,
    ) -> int:
        """Append a step of one output.

        Parameters
        ----------
        kind : str
            What it computes.
        inputs : sequence of int
            Indices of values.
        shape : tuple of int
            Sample shape of the output.
        arrays : mapping of str to ndarray, optional
            Its arrays by role.
        **settings : object
            Its constants.

        Returns
        -------
        int
            Index of the output.
        """
        return self.step_of_several(kind, inputs, [shape], arrays, **settings)[0]

    def step_of_several(
        self,
        kind: str,
        inputs: Sequence[int],
        shapes: Sequence[tuple[int, ...]],
        arrays: Mapping[str, NDArray[Any]] | None = None,
        **settings: Any,
    ) -> list[int]:
        """Append a step of several outputs.

        Parameters
        ----------
        kind : str
            What it computes.
        inputs : sequence of int
            Indices of values.
        shapes : sequence of tuple of int
            Sample shapes of the outputs.
        arrays : mapping of str to ndarray, optional
            Its arrays by role.
        **settings : object
            Its constants.

        Returns
        -------
        list of int
            Indices of the outputs.
        """
        named = {role: self._stored(role, each) for role, each in (arrays or {}).items()}
        outputs = [self.value(self.scope, shape) for shape in shapes]
        self.steps.append(Step(kind, tuple(inputs), tuple(outputs), named, settings))
        return outputs

    def _stored(self, role: str, array: NDArray[Any]) -> str:
        """Return the name of an array; a layer that is used twice has it once."""
        name = f"{self.scope}.{role}"
        self.arrays[name] = array.astype(self.dtype, order="C")
        return name
