"""The page that watches trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from gyaku.lab.runs import Runs

__all__ = ["routes"]


def routes(runs: Runs) -> list[BaseRoute]:
    """Return the routes of the trainings.

    Parameters
    ----------
    runs : Runs
        The trainings.

    Returns
    -------
    list of BaseRoute
        Routes below ``/api/watch``.
    """
    del runs
    return []
