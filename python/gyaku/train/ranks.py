"""The processes that train one model together, as seen by a training; by default one alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

__all__ = ["ALONE", "Ranks", "Reduction", "agree", "ranks_of"]

_ADDRESS = re.compile(" at 0x[0-9a-f]+")
"""That of an object, which its text names if its class has none of its own."""


class Reduction:
    """Sum of the gradients of all blocks of a step; that of one block by itself does nothing."""

    def begin(self) -> None:
        """Prepare for the gradients of the first block."""

    def seen(self, use: object, arrays: Iterable[NDArray[Any]]) -> None:
        """Take note of gradients that are complete.

        Parameters
        ----------
        use : object
            The use of a layer.
        arrays : iterable of ndarray
            Its gradients.
        """

    def add(self, block: int) -> None:
        """Add the gradients of a block, all of which are complete.

        Parameters
        ----------
        block : int
            Index of the block in the step.
        """

    def finish(self) -> None:
        """Write the sum over all blocks in place of the gradients."""

    def parts(self) -> Iterator[slice]:
        """Write the sum over all blocks, range by range.

        Yields
        ------
        slice
            A range of the gradients that holds the sum, for this process to update.
        """
        self.finish()
        yield slice(None)

    def updated(self) -> None:
        """Wait for the updates of all processes."""

    def settle(self) -> None:
        """Take the mean of the buffers, between steps."""

    def close(self) -> None:
        """Leave this process what it would have by itself."""


class Ranks:
    """Processes that train one model together, each with its part of every batch.

    This class is one process by itself, and the protocol of those in `gyaku.distributed`. All
    processes call the same methods in the same order.

    Attributes
    ----------
    size, rank : int
        Number of processes, and index of this one.
    blocks : int
        Number of parts of a batch, each with a forward and a backward pass of its own.
    """

    size = 1
    rank = 0
    blocks = 1
    attaches = False
    """Whether layers take the statistics of all processes."""
    own_data = False
    """Whether each process has samples of its own, of which all take the same number in a step."""

    @property
    def is_first(self) -> bool:
        """Whether this process reports, runs the callbacks and writes files."""
        return self.rank == 0

    def shares(self, samples: int) -> list[tuple[int, int, int]]:
        """Return this process's blocks of a batch.

        Parameters
        ----------
        samples : int
            Number of samples in the batch.

        Returns
        -------
        list of (int, int, int)
            Index, first sample and number of samples of each block. Blocks differ by a sample at
            most.
        """
        if self.own_data:
            return [(self.rank, 0, samples)]
        own = self.blocks // self.size
        blocks = range(self.rank * own, self.rank * own + own)
        bounds = [samples * block // self.blocks for block in (*blocks, blocks.stop)]
        return [
            (block, start, stop - start)
            for block, start, stop in zip(blocks, bounds, bounds[1:], strict=False)
        ]

    def of_all(self, samples: int) -> int:
        """Return the number of samples of all processes together.

        Parameters
        ----------
        samples : int
            Number of samples in the data of this process.

        Returns
        -------
        int
            The number.
        """
        return samples * self.size if self.own_data else samples

    def of_first(self, value: Any) -> Any:
        """Return the value of the first process.

        Parameters
        ----------
        value : object
            The value of this process, which can be pickled.

        Returns
        -------
        object
            The value.
        """
        return value

    def any(self, flag: bool) -> bool:
        """Return whether a flag is set in any process.

        Parameters
        ----------
        flag : bool
            The flag of this process.

        Returns
        -------
        bool
            Whether it is.
        """
        return flag

    def sum(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of an array over all processes, in a fixed order.

        Parameters
        ----------
        values : ndarray
            The values of this process.

        Returns
        -------
        ndarray
            The sum.
        """
        return values

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all processes.

        Parameters
        ----------
        value : object
            The value of this process, which can be pickled.

        Returns
        -------
        list
            The values, by rank.
        """
        return [value]

    def exchange(self, given: NDArray[Any], received: NDArray[Any], other: int) -> None:
        """Send an array to another process, and receive its own.

        Parameters
        ----------
        given, received : ndarray
            The arrays, flat and alike.
        other : int
            The rank of the other process.
        """

    def spread(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Overwrite arrays by those of the first process.

        Parameters
        ----------
        arrays : sequence of ndarray
            The arrays, which have the same shapes everywhere.
        """

    def attach(self, layers: Iterable[Any]) -> None:
        """Let layers take the statistics of all processes, if they are to.

        Parameters
        ----------
        layers : iterable of Layer
            Layers, of which some have an attribute ``across``.
        """

    def reduction(
        self, grads: NDArray[Any], buffers: NDArray[Any], updated: Sequence[NDArray[Any]] = ()
    ) -> Reduction:
        """Return the sum of gradients in the steps of a training.

        Parameters
        ----------
        grads : ndarray
            The flat gradients.
        buffers : ndarray
            The flat buffers, such as running statistics, of which the mean is kept.
        updated : sequence of ndarray
            What an update changes, the parameters first, if it may do so range by range.

        Returns
        -------
        Reduction
            The sum.
        """
        return Reduction()

    def check(self) -> None:
        """Raise if a sum has failed."""

    def fail(self, error: BaseException) -> None:
        """Report an error of this process of which the others do not know, and end all of them.

        Parameters
        ----------
        error : BaseException
            The error; one process by itself may go on to raise it.
        """


ALONE = Ranks()
"""One process by itself."""


def ranks_of(owner: str, given: object) -> Ranks:
    """Return the processes from an argument.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    given : object
        See `Model.fit`.

    Returns
    -------
    Ranks
        The processes.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if given is None:
        return ALONE
    if not isinstance(given, Ranks):
        raise TypeError(
            f"{owner}: distributed must be a gyaku.distributed.MPI() or None, got {given!r}"
        )
    return given


def agree(owner: str, ranks: Ranks, **facts: Any) -> None:
    """Raise, in all processes, unless they have the same data and arguments.

    Parameters
    ----------
    owner : str
        The function that was called, for errors.
    ranks : Ranks
        The processes.
    **facts : object
        What they must agree on.

    Raises
    ------
    ValueError
        If they do not.
    """
    each = ranks.gather({name: _ADDRESS.sub("", str(value)) for name, value in facts.items()})
    for rank, found in enumerate(each):
        for name in dict.fromkeys([*each[0], *found]):
            first, other = each[0].get(name), found.get(name)
            if first != other:
                raise ValueError(
                    f"{owner}: the processes differ in {name.replace('_', ' ')}: {first} on rank 0,"
                    f" {other} on rank {rank}; give all of them the same data and arguments"
                )
