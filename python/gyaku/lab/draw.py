"""The page on which a digit is drawn: what a model answers, sees, and decides by."""

from __future__ import annotations

from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gyaku.classifier import DOUBTFUL
from gyaku.lab.messages import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from numpy.typing import NDArray
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from gyaku.lab.digit_reader import DigitReader, LayerMaps
    from gyaku.lab.models import Models

__all__ = ["routes"]

_SIDE = 112  # of the drawing that the page sends
_MOST_MAPS = 128  # of a layer
_MOST_UNITS = 1024
_LONGEST_TITLE = 80


def routes(models: Models) -> list[BaseRoute]:
    """Return the routes of the drawing page.

    Parameters
    ----------
    models : Models
        The models that may be chosen.

    Returns
    -------
    list of BaseRoute
        Routes below ``/api/draw``. Drawings are 112 × 112 bytes, from 0 (paper) to 255 (ink).
    """

    def answering(answer: Callable[[_Question], dict[str, Any]]) -> Callable[..., Any]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            with _failures_in_words():
                asked = _Question(models, request, body)
                return JSONResponse(await run_in_threadpool(answer, asked))

        return endpoint

    async def listed(_: Request) -> Response:
        return JSONResponse(models.described())

    async def upload(request: Request) -> Response:
        title = request.query_params.get("title", "")[:_LONGEST_TITLE] or "model.safetensors"
        with TemporaryDirectory(prefix="gyaku-lab-") as folder:
            path = Path(folder) / "model.safetensors"
            with path.open("wb") as file:
                async for piece in request.stream():
                    file.write(piece)
            with _failures_in_words(str(path), title):
                return JSONResponse(await run_in_threadpool(models.upload, path, title))

    return [
        Route("/api/draw/models", listed),
        Route("/api/draw/upload", upload, methods=["POST"]),
        Route("/api/draw/read", answering(_read), methods=["POST"]),
        Route("/api/draw/maps", answering(_maps), methods=["POST"]),
        Route("/api/draw/why", answering(_why), methods=["POST"]),
        Route("/api/draw/filter", answering(_filter)),
    ]


@contextmanager
def _failures_in_words(path: str = "", title: str = "") -> Iterator[None]:
    """Answer by the sentence of an error that a request or a file causes; a path has a title."""
    try:
        yield
    except (ValueError, ArithmeticError, TypeError, RuntimeError, MemoryError) as error:
        sentence = " ".join(str(error).split()) or "not enough memory"
        raise refused(sentence.replace(path, title) if path else sentence) from None


class _Question:
    """A request about a drawing or a filter."""

    def __init__(self, models: Models, request: Request, body: bytes) -> None:
        self.fields = request.query_params
        self.reader: DigitReader = models.reader(self.fields.get("model", ""))
        self.in_unit = self.fields.get("pixels", "own") == "unit"
        self._body = body

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the drawing as the model's input, None if nothing is drawn."""
        if len(self._body) != _SIDE * _SIDE:
            raise ValueError(
                f"a drawing has {_SIDE} x {_SIDE} bytes, the request {len(self._body)}"
            )
        return self.reader.picture(np.frombuffer(self._body, np.uint8).reshape(_SIDE, _SIDE))


def _read(asked: _Question) -> dict[str, Any]:
    """Return the probabilities, and the picture that the model gets."""
    picture = asked.picture()
    if picture is None:
        return {"probabilities": None, "picture": None, "doubt": True}
    sure = asked.reader.probabilities(picture, asked.in_unit)
    return {
        "probabilities": [round(float(each), 6) for each in sure],
        "picture": picture.ravel().tolist(),
        "doubt": bool(sure.max() < DOUBTFUL),
    }


def _maps(asked: _Question) -> dict[str, Any]:
    """Return the outputs of the layers."""
    picture = asked.picture()
    found = [] if picture is None else asked.reader.maps(picture, asked.in_unit)
    return {"layers": [_layer(each) for each in found]}


def _layer(maps: LayerMaps) -> dict[str, Any]:
    height, width, channels = (
        maps.values.shape if maps.values.ndim == 3 else (0, 0, *maps.values.shape)
    )
    shown = min(channels, _MOST_MAPS if height else _MOST_UNITS)
    return {
        "name": maps.name,
        "kind": maps.kind,
        "height": height,
        "width": width,
        "channels": channels,
        "shown": shown,
        "filters": maps.has_filters,
        "values": _as_text(np.moveaxis(maps.values[..., :shown], -1, 0)),
    }


def _why(asked: _Question) -> dict[str, Any]:
    """Return which pixels speak for and against the answer."""
    picture, by = asked.picture(), asked.fields.get("by", "")
    if by not in ("gradient", "occlusion"):
        raise ValueError(f"by must be gradient or occlusion, got {by[:40]!r}")
    if picture is None:
        raise ValueError("nothing is drawn")
    label = int(asked.reader.probabilities(picture, asked.in_unit).argmax())
    values = getattr(asked.reader, by)(picture, label, asked.in_unit)
    return {
        "by": by,
        "label": label,
        "window": asked.reader.window,
        "values": [round(float(each), 3) for each in values.ravel()],
    }


def _filter(asked: _Question) -> dict[str, Any]:
    """Return the kernels of a filter."""
    number = asked.fields.get("number", "")
    if not (number.isascii() and number.isdecimal() and len(number) < 8):
        raise ValueError(f"number must be a whole number from 0, got {number[:40]!r}")
    kernels = asked.reader.kernels(asked.fields.get("layer", ""), int(number))
    count, height, width = (shown := kernels[:_MOST_MAPS]).shape
    return {"count": count, "height": height, "width": width, "values": _as_text(shown)}


def _as_text(values: NDArray[Any]) -> str:
    """Return values as bytes in base 64: 128 for zero, 1 and 255 for the largest."""
    finite = np.nan_to_num(np.asarray(values, np.float64))
    largest = max(float(np.abs(finite).max(initial=0)), 1e-30)
    scaled = np.round(finite / largest * 127 + 128).astype(np.uint8)
    return b64encode(scaled.tobytes()).decode()
