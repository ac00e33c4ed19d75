"""Backends of the operations: compiled kernels or NumPy equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gyaku import _core as _core

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Literal

__all__ = ["use_backend"]

NAMES = ("native", "reference")


class _Active:
    __slots__ = ()

    @property
    def native(self) -> bool:
        return _core.is_native()

    @native.setter
    def native(self, native: bool) -> None:
        _core.set_native(native)


active = _Active()
"""The present choice, which each call of an operation asks for."""


class _Late:
    """`gyaku.reference`, imported on first access, since it is rarely needed."""

    def __getattr__(self, name: str) -> Any:
        from gyaku import reference

        value = getattr(reference, name)
        setattr(self, name, value)
        return value


if TYPE_CHECKING:
    from gyaku import reference as reference
else:
    reference = _Late()


class _Choice:
    """The chosen backend, and the previous one for the end of a `with` block."""

    __slots__ = ("name", "previous")

    def __init__(self, name: str) -> None:
        self.name = name
        self.previous = active.native
        active.native = name == "native"

    def __enter__(self) -> str:
        return self.name

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        active.native = self.previous

    def __repr__(self) -> str:
        return f"use_backend({self.name!r})"


def use_backend(name: Literal["native", "reference"]) -> _Choice:
    """Choose the backend of the operations.

    Parameters
    ----------
    name : {"native", "reference"}
        The compiled kernels (the default), or the equations of `gyaku.reference` in NumPy.

    Returns
    -------
    context manager
        The choice takes effect at the call, for the whole process; the end of a `with` block
        restores the previous one.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> with use_backend("reference") as name:
    ...     print(name, active_backend())
    reference reference
    """
    if name not in NAMES:
        raise ValueError(f'use_backend: name must be "native" or "reference", got {name!r}')
    return _Choice(name)


def active_backend() -> str:
    """Return the name of the present backend.

    Returns
    -------
    str
        Either "native" or "reference".

    Examples
    --------
    >>> active_backend() in ("native", "reference")
    True
    """
    return "native" if active.native else "reference"
