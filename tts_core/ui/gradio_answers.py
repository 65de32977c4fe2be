"""What Gradio's routes answer to requests that name what does not exist: short, and one line in the log, no stack."""

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

logger = logging.getLogger(__name__)


class ToldStream(StreamingResponse):
    """Gradio's events, whose last one tells what failed. Gradio then raises it as well, which would cut them off."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except (HTTPException, KeyError) as error:  # the second for a session that another stream has just ended
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


HANDLERS: Mapping[Any, Any] = MappingProxyType(
    {KeyError: _nothing_there, route_utils.FnIndexInferError: _nothing_there, TypeError: _misfit}
)
"""For the application of each page: what Gradio's routes raise where they look up what was asked for. What functions of
the page raise does not come here."""


def is_misfit(error: BaseException) -> bool:
    """Whether Gradio raised it because a request's inputs are too few, too many or none of the endpoint's."""
    return _frame(error).name in ("construct_args", "validate_inputs")


def answer_shortly() -> None:
    """Replace what Gradio has no setting for: how its streams end, and that its modules print what was asked."""
    routes.StreamingResponse = ToldStream  # type: ignore[attr-defined]
    for module in (queueing, routes):
        module.print = _say_nothing  # type: ignore[attr-defined]


def _say_nothing(*_told: object) -> None:
    pass


def _place(error: BaseException) -> str:
    """Where it was raised and its type: its message may quote the request."""
    frame = _frame(error)
    return f"{type(error).__name__}, {Path(frame.filename).name}:{frame.lineno}"


def _frame(error: BaseException) -> traceback.FrameSummary:
    return traceback.extract_tb(error.__traceback__)[-1]
