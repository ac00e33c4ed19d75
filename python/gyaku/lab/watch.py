"""Routes of the page on trainings: news of all runs, of other processes too; pause, go on, stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from gyaku.lab.guests import Guests
from gyaku.lab.messages import fields_of, json_of, refused

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gyaku.lab.runs import Runs

__all__ = ["routes"]

_LONGEST = 40  # characters of a place in the news
_NEWS = {"session": str, "since": int, "change": int, "kept": list, "runs": list}


def routes(runs: Runs) -> list[BaseRoute]:
    """Return the routes of the page.

    Parameters
    ----------
    runs : Runs
        The runs.

    Returns
    -------
    list of BaseRoute
        ``GET /api/watch/news?since=PLACE``, ``POST /api/watch/run/NUMBER/ACTION`` to pause, go on
        and stop, and ``POST /api/watch/join`` for news of other processes.
    """
    guests = Guests(runs)

    async def news(request: Request) -> Response:
        guests.note_page()
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

    async def join(request: Request) -> Response:
        sent = fields_of(await json_of(request), _NEWS)
        session = sent["session"][:_LONGEST]
        try:
            return JSONResponse(guests.take(session, sent["since"], sent["change"], sent["runs"]))
        except OverflowError as error:
            raise refused(str(error), 429) from None
        except (LookupError, TypeError, ValueError, AttributeError):
            raise refused("the news are not those of trainings") from None

    return [
        Route("/api/watch/news", news),
        Route("/api/watch/run/{number:int}/{action:str}", act, methods=["POST"]),
        Route("/api/watch/join", join, methods=["POST"]),
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
