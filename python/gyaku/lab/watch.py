"""Routes of the page on trainings: what is new of all runs; pause, go on and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from gyaku.lab.runs import Runs

__all__ = ["routes"]

_LONGEST = 40  # characters of a place in the news


def routes(runs: Runs) -> list[Route]:
    """Return the routes of the page.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    list of Route
        ``GET /api/watch/news?since=PLACE``, and ``POST /api/watch/run/NUMBER/pause``, ``go`` and
        ``stop``.
    """
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route

    async def news(request: Request) -> Response:
        place = request.query_params.get("since", "")
        since = _since(place, runs.session)
        if since is None:
            return PlainTextResponse("since must be the place of earlier news", 400)
        return JSONResponse(runs.news(since))

    async def act(request: Request) -> Response:
        run = runs.find(request.path_params["number"])
        if run is None:
            return PlainTextResponse("there is no such run", 404)
        actions = {"pause": run.pause, "go": run.go, "stop": run.stop}
        action = actions.get(request.path_params["action"])
        if action is None:
            return PlainTextResponse("the action must be pause, go or stop", 404)
        action()
        return JSONResponse({"state": run.state})

    return [
        Route("/api/watch/news", news),
        Route("/api/watch/run/{number:int}/{action:str}", act, methods=["POST"]),
    ]


def _since(place: str, session: str) -> int | None:
    """Return the number of the last change that a page knows, None for an invalid place.

    A page of an earlier session, whose numbers mean nothing here, begins anew.
    """
    if not place:
        return 0
    known, colon, number = place.partition(":")
    if len(place) > _LONGEST or not colon or not (number.isascii() and number.isdigit()):
        return None
    return int(number) if known == session else 0
