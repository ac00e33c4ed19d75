"""Deferred Ctrl-C: the training ends after the present step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Self

__all__ = ["Interrupt"]


class Interrupt:
    """Context in which the first Ctrl-C is a request to stop; the second one interrupts.

    Only Python's own handler is replaced, and only in the main thread: a program's own handler
    of the signal stays.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    """

    __slots__ = ("_previous", "requested")

    def __init__(self) -> None:
        self.requested = False
        self._previous: object = None

    def __enter__(self) -> Self:
        """Replace the handler."""
        import signal
        import threading

        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
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

        if self._previous is not None:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C was pressed.
        """
        if self.requested:
            raise KeyboardInterrupt
