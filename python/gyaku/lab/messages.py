"""Requests that are validated, and refusals in one sentence of plain text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["HANDLERS", "fields_of", "json_of", "parsed", "refused"]


_NAMES = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "a text",
}


def refused(sentence: str, status: int = 400) -> HTTPException:
    """Return the exception that answers a request by a sentence.

    Parameters
    ----------
    sentence : str
        The reason, for the person at the page.
    status : int, default 400
        Status of the response.

    Returns
    -------
    HTTPException
        To be raised by a route.
    """
    return HTTPException(status, sentence)


async def json_of(request: Request) -> Any:
    """Return the body of a request.

    Parameters
    ----------
    request : Request
        The request.

    Returns
    -------
    object
        The values of its JSON.

    Raises
    ------
    HTTPException
        If it is no JSON.
    """
    return parsed(await request.body())


def parsed(text: bytes | str) -> Any:
    """Return the values of a JSON text, such as a message of a socket.

    Parameters
    ----------
    text : bytes or str
        The text.

    Returns
    -------
    object
        The values.

    Raises
    ------
    HTTPException
        If it is no JSON.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise refused("the request is no JSON") from None


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def fields_of(given: object, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return the fields of a message.

    Parameters
    ----------
    given : object
        The message.
    kinds : mapping of str to type
        Type of each field; all are needed, and no others are taken. An int is a float, too.

    Returns
    -------
    dict
        The message.

    Raises
    ------
    HTTPException
        If a field is missing, unexpected or of another type.
    """
    if not isinstance(given, dict):
        raise refused("the request must be a JSON object")
    for name in sorted(kinds.keys() ^ given.keys()):
        state = "is missing" if name in kinds else "is unexpected"
        raise refused(f"the field {name[:40]!r} {state}")
    for name, kind in kinds.items():
        fits = (int, float) if kind is float else (kind,)
        if type(given[name]) not in fits:
            raise refused(f"the field {name!r} must be {_NAMES.get(kind, kind.__name__)}")
    return given


async def _in_words(request: Request, error: Exception) -> Response:
    """Answer by the sentence of a refusal."""
    assert isinstance(error, HTTPException)
    path = request.url.path[:80]
    by_router = {
        "Not Found": f"there is no {path} here",
        "Method Not Allowed": f"{path} does not take {request.method}",
    }
    sentence = by_router.get(error.detail, error.detail)
    return PlainTextResponse(sentence, error.status_code, error.headers)


async def _unheard(_: Request, __: Exception) -> Response:
    """End the work on a request whose page has gone."""
    return PlainTextResponse("")


HANDLERS: dict[Any, Any] = {HTTPException: _in_words, ClientDisconnect: _unheard}
"""Handlers of exceptions, for the application."""
