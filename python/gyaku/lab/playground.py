"""The playground: small networks on two-dimensional data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

__all__ = ["routes"]


def routes() -> list[BaseRoute]:
    """Return the routes of the playground.

    Returns
    -------
    list of BaseRoute
        Routes below ``/api/playground``.
    """
    return []
