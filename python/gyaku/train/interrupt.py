"""Deferred Ctrl-C and signals: the training ends, or saves, after the present step.

A long step is undone at Ctrl-C, instead of finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku.backend import _core

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType, TracebackType
    from typing import Self

__all__ = ["Interrupt", "Signals"]


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


class Interrupt:
    """Context in which the first Ctrl-C is a request to stop; the second one interrupts.

    Only Python's own handler is replaced, and only in the main thread: a program's own handler
    of the signal stays.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    insisted : bool
        Whether it was pressed again.
    undoes : bool
        Whether a long native step may be undone; False if it is only a part of a step.
    """

    __slots__ = ("_previous", "insisted", "requested", "undoes")

    def __init__(self) -> None:
        self.requested = self.insisted = False
        self.undoes = False
        self._previous: object = None

    def __enter__(self) -> Self:
        """Replace the handler."""
        import signal

        if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the handler."""
        import signal

        _core.stop_work(False)
        if self._previous is not None:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.insisted = True
            raise KeyboardInterrupt
        self.requested = True
        if self.undoes:
            _core.stop_work(True)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C was pressed.
        """
        if self.requested:
            raise KeyboardInterrupt


class Signals:
    """Context in which signals are kept until the training asks; SIGTERM ends the process behind.

    Only the system's own action is replaced, and only in the main thread.

    Parameters
    ----------
    names : iterable of str
        Names of the signals; those that the system does not have are left out.

    Attributes
    ----------
    ended : bool
        Whether SIGTERM has arrived.
    """

    __slots__ = ("_arrived", "_names", "_replaced", "ended")

    def __init__(self, names: Iterable[str]) -> None:
        self.ended = False
        self._names = sorted(names)
        self._arrived: list[str] = []
        self._replaced: list[int] = []

    def __enter__(self) -> Self:
        """Replace the system's action."""
        import signal

        for name in self._names if _in_main_thread() else ():
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._handle)
                self._replaced.append(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the system's action; end the process if it was told to."""
        import signal

        for number in self._replaced:
            signal.signal(number, signal.SIG_DFL)
        if self.ended:
            signal.raise_signal(signal.SIGTERM)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        import signal

        self._arrived.append(signal.Signals(number).name)
        self.ended = self.ended or number == signal.SIGTERM

    def take(self) -> list[str]:
        """Return the names of the signals that have arrived since the last call.

        Returns
        -------
        list of str
            The names, each once.
        """
        if not self._arrived:  # nearly always
            return []
        arrived, self._arrived = list(dict.fromkeys(self._arrived)), []
        return arrived
