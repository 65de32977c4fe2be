"""Where Gradio would do what the studio never does: print what was asked, and fetch an address for a caller."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import NoReturn

import gradio as gr
from gradio import processing_utils, queueing, route_utils, routes
from starlette.exceptions import HTTPException

from tts_core.ui.gradio_answers import answer_shortly, is_misfit
from tts_core.ui.gradio_queue import let_queues_wait

logger = logging.getLogger(__name__)


def guard_gradio() -> None:
    """Gradio 6 has no settings for these, so its own functions are replaced once, before a page is built.

    - Its modules print tracebacks that quote the request. They go to our log instead, which writes the stack and no
      message that may hold a text. Of `traceback` these modules use nothing but `print_exc`.
    - A file given by a public address would be downloaded whole, whatever its size, or passed on to whoever asks.
    - Its queues look for work a thousand times a second.
    """
    for module in (queueing, route_utils, routes):
        module.traceback = SimpleNamespace(print_exc=_log)  # type: ignore[attr-defined]
    processing_utils.async_ssrf_protected_get = _refuse
    routes.secure_url_stream_response = _refuse_file  # type: ignore[attr-defined]
    let_queues_wait()
    answer_shortly()


def _log() -> None:
    error = sys.exc_info()[1]
    if isinstance(error, gr.Error) or (error is not None and is_misfit(error)):  # of the one who asked, and told
        logger.warning("A page event was refused")
    else:
        logger.error("A page event failed", exc_info=True)


async def _refuse(url: str) -> NoReturn:
    del url
    raise gr.Error("Addresses are not fetched. Upload the file.", print_exception=False)


async def _refuse_file(url: str, request: object) -> NoReturn:
    del url, request
    raise HTTPException(403, "Addresses are not fetched.")
