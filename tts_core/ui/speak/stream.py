"""The page's own way to speak: one request whose answer holds everything, sound included, while it is made.

An event of Gradio takes several requests and its queue, half a second in a browser, before a first sound could be
fetched. Programs use those events; both run the same handler.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import MISSING, fields
from threading import Event, Thread
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from tts_core.access.quotas import Quotas
from tts_core.access.visitor import Visitor, visitor_in
from tts_core.domain.errors import Cancelled, InvalidRequest, StudioError
from tts_core.domain.values import StopReason, Take
from tts_core.services import Services
from tts_core.ui.faults import UnknownFile
from tts_core.ui.page_files import PageFiles
from tts_core.ui.speak.handler import SpeakEndpoint, SpeakHandler, SpeakView
from tts_core.ui.widgets.forms import SpeakingForm
from tts_core.ui.widgets.visitors import owner_of
from tts_core.ui.words import Words

logger = logging.getLogger(__name__)

HEADERS: Mapping[str, str] = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""nginx would else hold the sound back until it is complete."""
_SESSION = re.compile("[0-9a-f]{32}")
_FILE_FIELDS = frozenset({"file"})
"""Fields of forms that name a file of the page."""
_KINDS: Mapping[str, type | tuple[type, ...]] = {"str": str, "bool": bool, "float": (int, float)}
"""The kinds of fields by their annotation."""
_Message = Mapping[str, Any]


def routes_of(services: Services, handler: SpeakHandler, files: PageFiles) -> list[BaseRoute]:
    """The routes of a page. `files`: whose the files are that forms name."""
    way = _Speaking(services, handler, files)
    return [
        Route("/speak/stop", way.stop, methods=["POST"]),
        Route("/speak/prepare", way.prepare, methods=["POST"]),
        Route("/speak/{name}", way.speak, methods=["POST"]),
    ]


class _Speaking:
    def __init__(self, services: Services, handler: SpeakHandler, files: PageFiles) -> None:
        self._services = services
        self._handler = handler
        self._files = files

    async def speak(self, request: Request) -> Response:
        """Speak a form, `{"session": …, "form": {…}}`. The answer is a stream of server-sent events."""
        try:
            asked = await _object(request)
            session = _session(asked)
            endpoint, form = await self._form(request, asked.get("form"))
        except StudioError as error:
            return _stream(_once(_failure(self._handler.words, error)))
        run = _Run(self._services.login.quotas, self._handler, visitor_in(request.scope))
        return _stream(run.messages(lambda: endpoint.to_speak(form), session))

    async def stop(self, request: Request) -> Response:
        """Stop what the page has being spoken; what was made is kept."""
        try:
            return JSONResponse({"stopped": self._handler.stop(_session(await _object(request)))})
        except StudioError as error:
            return JSONResponse({"detail": self._handler.words.error(error)}, 422)

    async def prepare(self, request: Request) -> Response:
        """Load the built-in voice, which is small, where it is the one that speaks for who chooses none."""
        del request
        builtin = self._services.builtin
        if self._services.synthesis.voice(None).engine == builtin.name:
            Thread(target=builtin.prepare, name="prepare-builtin", daemon=True).start()
        return Response(status_code=204)

    async def _form(self, request: Request, given: object) -> tuple[SpeakEndpoint, Any]:
        endpoint = self._handler.endpoints.get(request.path_params["name"])
        if endpoint is None or not isinstance(given, dict):
            raise InvalidRequest(reason="there is no such form.")
        values = {name: value for name, value in given.items() if value is not None}
        for name in _FILE_FIELDS & values.keys():
            values[name] = await self._path(request, values[name])
        return endpoint, _filled(endpoint.form, values)

    async def _path(self, request: Request, named: object) -> str:
        """The path of a file that was uploaded to the page or given to it. Raises UnknownFile."""
        path = named.get("path") if isinstance(named, dict) else None
        if not isinstance(path, str) or not await asyncio.to_thread(self._files.may_be_read, owner_of(request), [path]):
            raise UnknownFile
        return path


class _Run:
    """A take: made in a thread, sent as fast as the page takes it. A page that leaves ends it and drops it."""

    def __init__(self, quotas: Quotas, handler: SpeakHandler, visitor: Visitor) -> None:
        self._quotas = quotas
        self._handler = handler
        self._visitor = visitor
        self._gone = Event()
        self._views: deque[SpeakView | _Message | None] = deque()
        """The views that are not sent yet, messages about a failure, and None at the end."""

    async def messages(self, form: Callable[[], SpeakingForm], session: str) -> AsyncIterator[bytes]:
        """Yield server-sent events until the take is finished or has failed."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()

        def put(view: SpeakView | _Message | None) -> None:
            self._views.append(view)
            with suppress(RuntimeError):  # the loop has ended with the server
                loop.call_soon_threadsafe(changed.set)

        Thread(target=self._work, args=(form, session, put), name="speak-to-page", daemon=True).start()
        live, sent_bytes = None, 0
        try:
            while True:
                await changed.wait()
                changed.clear()
                while self._views:
                    view = self._views.popleft()
                    if isinstance(view, SpeakView) and view.live is not None:
                        live, sent_bytes = view.live, 0  # what is left of an attempt that went wrong is not sent
                        yield _event({"rate": live.sample_rate})
                    while live is not None and (sound := live.present(sent_bytes)):
                        sent_bytes += len(sound)
                        yield _event({"sound": base64.b64encode(sound).decode()})
                    if view is None:
                        return
                    for message in [view] if not isinstance(view, SpeakView) else _shown(self._handler.words, view):
                        yield _event(message)
        finally:
            self._gone.set()

    def _work(
        self, form: Callable[[], SpeakingForm], session: str, put: Callable[[SpeakView | _Message | None], None]
    ) -> None:
        words = self._handler.words
        try:
            with self._quotas.work(self._visitor), closing(self._run(form(), session)) as views:
                for view in views:
                    if self._gone.is_set():
                        break
                    put(view)
        except Cancelled:
            put({"stopped": words("speak.cancelled")})
        except StudioError as error:
            put(_failure(words, error))
        except Exception:  # the page's edge: the person gets a sentence, the log the stack
            logger.exception("Speaking failed")
            put({"failure": {"title": words("speak.error_title"), "text": words("error.internal_error")}})
        finally:
            put(None)

    def _run(self, form: SpeakingForm, session: str) -> Generator[SpeakView, None, None]:
        for view in self._handler.run(form, session, self._gone.is_set):
            if view.take is not None:
                if self._gone.is_set():
                    view.take.path.unlink(missing_ok=True)  # nobody got its address
                    return
                self._quotas.keep(self._visitor, view.take.path.stat().st_size)
            yield view


def _filled(form: type[Any], values: Mapping[str, Any]) -> Any:
    """The form with these values. Raises InvalidRequest for one that is no field's, or of another kind."""
    kinds = {field.name: _KINDS[str(field.type).partition(" ")[0]] for field in fields(form)}
    for name, value in values.items():
        if name not in kinds:
            raise InvalidRequest(reason="the form has no such field.")
        if not isinstance(value, kinds[name]) or (isinstance(value, bool) and kinds[name] is not bool):
            raise InvalidRequest(reason=f"{name} is of the wrong kind.", field=name)
    missing = [field.name for field in fields(form) if field.default is MISSING and field.name not in values]
    return form(**values, **dict.fromkeys(missing))


def _shown(words: Words, view: SpeakView) -> Iterator[_Message]:
    """The messages that a view becomes."""
    if view.take is not None:
        yield {"take": _take(words, view.take) | {"outcome": view.status, "details": view.details}}
    elif view.status is not None:
        yield {"status": view.status, "percent": view.percent}


def _take(words: Words, take: Take) -> dict[str, Any]:
    return {
        "id": take.id,
        "format": take.format,
        "seconds": take.duration_s,
        "is_whole": take.stop_reason is StopReason.COMPLETE,
        "voice": words.voice(take.voice),
        "engine": words.engine(take.voice),
        "created_at": take.path.stat().st_mtime,
    }


def _failure(words: Words, error: StudioError) -> _Message:
    return {"failure": {"title": words("speak.error_title"), "text": words.error(error)}}


async def _object(request: Request) -> Mapping[str, Any]:
    """The body, a JSON object. Raises InvalidRequest."""
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(reason="the body is not JSON.") from error
    if not isinstance(asked, dict):
        raise InvalidRequest(reason="the body is no object.")
    return asked


def _session(asked: Mapping[str, Any]) -> str:
    """The name that a page has drawn for itself. Raises InvalidRequest."""
    session = asked.get("session")
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        raise InvalidRequest(reason="session is 32 hexadecimal digits.", field="session")
    return session


def _event(message: _Message) -> bytes:
    return f"data: {json.dumps(message)}\n\n".encode()


async def _once(message: _Message) -> AsyncIterator[bytes]:
    yield _event(message)


def _stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)
