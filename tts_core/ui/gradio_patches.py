"""Replaces parts of Gradio that do what the studio never does: print requests, fetch an address for a caller, and read
or hand out files that are not the caller's."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from inspect import Parameter, signature
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import gradio as gr
from gradio import processing_utils, queueing, route_utils, routes
from gradio.block_function import BlockFunction
from gradio.data_classes import APIInfo, PredictBodyInternal
from gradio.route_utils import FileUploadProgress, call_process_api, file_fetch, upload_fn
from gradio.state_holder import SessionState
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tts_core.access.visitor import visitor_in
from tts_core.audio.faults import OutputFailed
from tts_core.ui.faults import UnknownFile
from tts_core.ui.gradio_answers import answer_shortly, is_misfit
from tts_core.ui.gradio_queue import let_queues_wait
from tts_core.ui.page_files import PageFiles, named_files, shown_files
from tts_core.ui.widgets.visitors import owner_of
from tts_core.ui.words import Words

TAKES_FILES = (gr.Audio, gr.File)
"""The widgets that take files; no other widget gets any."""
MAX_FILES = 1000
"""The most files of one upload: as many as are imported into the library at once."""
MAX_GUEST_FILES = 10
_MAX_FILES: ContextVar[int] = ContextVar("max_files", default=MAX_GUEST_FILES)
_ASKER: ContextVar[str | None] = ContextVar("asker", default=None)
"""The owner whose event is being answered."""

logger = logging.getLogger(__name__)


class GuardedBlocks(gr.Blocks):
    """A page that knows the owners of its files. `guard_gradio` makes Gradio serve no other page."""

    def __init__(self, words: Words, files_folder: Path) -> None:
        """`files_folder`: where Gradio keeps uploads and copies."""
        super().__init__(title=words("app.title"), analytics_enabled=False, delete_cache=(3600, 86400))
        self.words = words
        self.files = PageFiles(files_folder)
        self.routes: list[BaseRoute] = []
        """The routes that the page's own scripts ask."""
        # Gradio checks paths itself, too, but only where this is set: `launch()` does, mounting does not.
        self.has_launched = True

    def get_api_info(self, all_endpoints: bool = False, page: str | None = None) -> APIInfo:
        """Describe what programs can call. A parameter that is left out has the default of the function, not what the
        page showed when it was built: there may be other voices by now."""
        info = super().get_api_info(all_endpoints, page)
        for event in self.fns.values():
            if event.fn is not None and (endpoint := info["named_endpoints"].get(f"/{event.api_name}")):
                _name_defaults(endpoint["parameters"], event.fn)
        return info

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: list[Any] | dict[Any, Any], state: SessionState | None
    ) -> list[Any]:
        answer = await super().postprocess_data(block_fn, predictions, state)
        asker = _ASKER.get()
        if asker is not None:
            self.files.give(asker, shown_files(answer))
        return answer


def guard_gradio() -> None:
    """Replace functions of Gradio 6 that have no settings; call it once, before a page is built.

    - Its modules print tracebacks that quote the request. They go to our log instead, which writes the stack and no
      message that may hold a text. Of `traceback` these modules use nothing but `print_exc`.
    - A file given by a public address would be downloaded whole, whatever its size, or passed on to whoever asks.
    - Choices would be refused that have come since the page was built: voices, models, their languages. What there is,
      and which numbers fit, the use cases know, as for all other ways in.
    - Its queues look for work a thousand times a second.
    - An upload may have a thousand files, and one that fails leaves on the disk what had come of it.
    - A file given by its path would be read wherever it lies, and whatever lies in Gradio's folder be handed out to
      all. Every event passes `call_process_api`, however it was asked for; every file leaves through `file_fetch`.
    """
    for module in (queueing, route_utils, routes):
        _replace(module, "traceback", SimpleNamespace(print_exc=_log))
    _replace(processing_utils, "async_ssrf_protected_get", _refuse)
    _replace(routes, "secure_url_stream_response", _refuse_file)
    _replace(route_utils, "call_process_api", _answer_event)
    _replace(routes, "upload_fn", _take_upload)
    _replace(route_utils, "GradioMultiPartParser", _UploadParser)
    _replace(routes, "file_fetch", _hand_out)
    _replace(gr.Dropdown, "preprocess", _chosen)
    _replace(gr.HTML, "preprocess", _chosen)  # the choice of a voice
    _replace(gr.Slider, "preprocess", _slid)
    let_queues_wait()
    answer_shortly()


def _name_defaults(parameters: Sequence[Any], function: Callable[..., Any]) -> None:
    defaults = {
        name: one.default for name, one in signature(function).parameters.items() if one.default is not Parameter.empty
    }
    for parameter in parameters:
        if (name := parameter["parameter_name"]) in defaults:
            parameter["parameter_has_default"], parameter["parameter_default"] = True, defaults[name]


def _chosen(_widget: gr.Dropdown | gr.HTML, payload: object) -> str | None:
    if payload is None or isinstance(payload, str):
        return payload
    raise gr.Error("A choice is named by a text.", print_exception=False)


def _slid(_slider: gr.Slider, payload: object) -> float | None:
    if payload is None or (isinstance(payload, (int, float)) and not isinstance(payload, bool)):
        return payload
    raise gr.Error("A number is needed.", print_exception=False)


class _UploadParser(route_utils.GradioMultiPartParser):
    """Gradio's parser of uploads, with a lower number of files and without what is left of an upload that failed."""

    def on_headers_finished(self) -> None:
        if self._current_files >= _MAX_FILES.get() and b"filename" in (self._current_part.content_disposition or b""):
            raise MultiPartException(f"Too many files: one upload has {_MAX_FILES.get()} at most.")
        super().on_headers_finished()

    async def parse(self) -> FormData:
        try:
            return await super().parse()
        except BaseException:
            await asyncio.to_thread(self._remove_files)
            raise

    def _remove_files(self) -> None:
        for file in self._files_to_close_on_error:
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                Path(file.name).unlink()


def _replace(module: ModuleType | type, name: str, stand_in: object) -> None:
    """Replace an attribute of a module or a class. Raises AttributeError where this version of Gradio has nothing of
    that name: better no page than an open one."""
    getattr(module, name)
    setattr(module, name, stand_in)


def _log() -> None:
    error = sys.exc_info()[1]
    if isinstance(error, gr.Error) or (
        error is not None and is_misfit(error)
    ):  # the caller's fault, and reported to the caller
        logger.warning("A page event was refused")
    else:
        logger.error("A page event failed", exc_info=True)


async def _refuse(url: str) -> NoReturn:
    del url
    raise gr.Error("Addresses are not fetched. Upload the file.", print_exception=False)


async def _refuse_file(url: str, request: object) -> NoReturn:
    del url, request
    raise HTTPException(403, "Addresses are not fetched.")


async def _answer_event(
    app: routes.App,
    body: PredictBodyInternal,
    gr_request: gr.Request,
    fn: BlockFunction,
    root_path: str,
    record_history: bool = True,
) -> dict[str, Any]:
    """Answer an event, unless it names a file that is not the caller's."""
    page, owner = _guarded(app.get_blocks()), owner_of(gr_request.request)
    named = list(_named_in(body, fn.inputs))
    if named and not await asyncio.to_thread(page.files.may_be_read, owner, named):
        raise gr.Error(page.words.error(UnknownFile()), print_exception=False)
    before = _ASKER.set(owner)
    try:
        answer: dict[str, Any] = await call_process_api(app, body, gr_request, fn, root_path, record_history)
        return answer
    finally:
        _ASKER.reset(before)


def _named_in(body: PredictBodyInternal, inputs: Sequence[object]) -> Iterator[object]:
    """The files that an event names; None, which belongs to nobody, stands for a file where none belongs."""
    for place, value in enumerate(body.data):
        takes_files = place < len(inputs) and isinstance(inputs[place], TAKES_FILES)
        yield from (path if takes_files else None for path in named_files(value))
    yield from named_files(body.event_data)


async def _take_upload(
    request: Request,
    upload_dir: str,
    max_file_size: float,
    upload_id: str | None,
    force_move: bool = True,
    upload_progress: FileUploadProgress | None = None,
) -> tuple[list[str], list[str], list[str]]:
    page, owner = _guarded(request.app.get_blocks()), owner_of(request)
    before = _MAX_FILES.set(MAX_GUEST_FILES if visitor_in(request.scope).is_guest else MAX_FILES)
    try:
        uploaded, *rest = await upload_fn(request, upload_dir, max_file_size, upload_id, force_move, upload_progress)
    except OSError as error:
        raise OutputFailed(folder=upload_dir, reason=error.strerror or type(error).__name__) from error
    finally:
        _MAX_FILES.reset(before)
    page.files.give(owner, uploaded)
    return (uploaded, *rest)


def _hand_out(path_or_url: str, request: Request, blocks: gr.Blocks, upload_dir: str) -> Response:
    page = _guarded(blocks)
    if not page.files.is_of(owner_of(request), path_or_url):
        raise HTTPException(403, page.words.error(UnknownFile()))
    answer: Response = file_fetch(path_or_url, request, blocks, upload_dir)  # type: ignore[no-untyped-call]
    return answer


def _guarded(blocks: gr.Blocks) -> GuardedBlocks:
    if not isinstance(blocks, GuardedBlocks):
        raise TypeError("Only pages that know whose their files are may be served")
    return blocks
