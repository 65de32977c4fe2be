"""Answers of Gradio's routes to requests that name what does not exist: short, and one line in the log, no stack."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gradio import queueing, route_utils, routes
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Send

from tts_core.access.faults import TooManyAtOnce
from tts_core.audio.faults import OutputFailed
from tts_core.domain.errors import StudioError

logger = logging.getLogger(__name__)


class QuietStream(StreamingResponse):
    """A stream of Gradio's events, whose last one reports a failure. Gradio then raises the failure as well, which
    would cut the stream off; here it is logged instead."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except (HTTPException, KeyError) as error:  # KeyError: another stream has just ended the session
            logger.warning("A page's stream ended early (%s)", _place(error))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _nothing_there(_request: Request, error: Exception) -> Response:
    logger.warning("A request named what no page has (%s)", _place(error))
    return JSONResponse({"detail": "There is nothing of that name or number."}, 404)


async def _misfit(_request: Request, error: Exception) -> Response:
    if not is_misfit(error):
        raise error
    logger.warning("A request's inputs did not fit (%s)", _place(error))
    return JSONResponse({"detail": "The inputs are not those of this endpoint."}, 422)


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, StudioError):
        raise error
    is_full = isinstance(error, OutputFailed)
    return JSONResponse({"detail": request.app.get_blocks().words.error(error)}, 507 if is_full else 429)


HANDLERS: Mapping[Any, Any] = MappingProxyType(
    {KeyError: _nothing_there, route_utils.FnIndexInferError: _nothing_there, TypeError: _misfit}
    | {TooManyAtOnce: _refused, OutputFailed: _refused}
)
"""Handlers for the errors that Gradio's routes raise when they look up what a request names; for the application of
each page. Errors of the page's functions do not come here."""


def is_misfit(error: BaseException) -> bool:
    """Whether Gradio raised it because a request's inputs are too few, too many or none of the endpoint's."""
    return _frame(error).name in ("construct_args", "validate_inputs")


def answer_shortly() -> None:
    """Replace parts of Gradio that have no setting: how its streams end, and that its modules print requests."""
    routes.StreamingResponse = QuietStream  # type: ignore[attr-defined]
    for module in (queueing, routes):
        module.print = _say_nothing  # type: ignore[attr-defined]


def _say_nothing(*_values: object) -> None:
    pass


def _place(error: BaseException) -> str:
    """The place where an error was raised and its type. Its message is left out, as it may quote the request."""
    frame = _frame(error)
    return f"{type(error).__name__}, {Path(frame.filename).name}:{frame.lineno}"


def _frame(error: BaseException) -> traceback.FrameSummary:
    return traceback.extract_tb(error.__traceback__)[-1]
