"""Routes of the page on trainings: what is new of all runs; pause, go on and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from gyaku.lab.messages import refused

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gyaku.lab.runs import Runs

__all__ = ["routes"]

_LONGEST = 40  # characters of a place in the news


def routes(runs: Runs) -> list[BaseRoute]:
    """Return the routes of the page.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    list of BaseRoute
        ``GET /api/watch/news?since=PLACE``, and ``POST /api/watch/run/NUMBER/ACTION`` to pause, go
        on and stop.
    """

    async def news(request: Request) -> Response:
        since = _since(request.query_params.get("since", ""), runs.session)
        return JSONResponse(runs.news(since))

    async def act(request: Request) -> Response:
        run = runs.find(request.path_params["number"])
        if run is None:
            raise refused("there is no such training", 404)
        actions = {"pause": run.pause, "go": run.go, "stop": run.stop}
        action = actions.get(request.path_params["action"])
        if action is None:
            raise refused("the action must be pause, go or stop", 404)
        action()
        return JSONResponse({"state": run.state})

    return [
        Route("/api/watch/news", news),
        Route("/api/watch/run/{number:int}/{action:str}", act, methods=["POST"]),
    ]


def _since(place: str, session: str) -> int:
    """Return the number of the last change that a page knows.

    A page of an earlier session, whose numbers mean nothing here, begins anew.
    """
    if not place:
        return 0
    known, colon, number = place.partition(":")
    if len(place) > _LONGEST or not colon or not (number.isascii() and number.isdigit()):
        raise refused("since must be the place of earlier news")
    return int(number) if known == session else 0
