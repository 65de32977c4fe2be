"""Failures as HTTP answers: a table from error type to status, the envelope, handlers for what frameworks raise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from tts_core.access.faults import LoginRequired
from tts_core.api.faults import (
    BodyTooLarge,
    BodyTooSlow,
    HostNotAllowed,
    MethodNotAllowed,
    OriginNotAllowed,
    ServerStopping,
    UpgradeRequired,
)
from tts_core.api.openai.errors import is_openai, openai_response
from tts_core.api.protection.proxy import route_path
from tts_core.api.schemas import Failure
from tts_core.audio.faults import OutputFailed
from tts_core.domain.errors import (
    Busy,
    Cancelled,
    Conflict,
    EngineFailed,
    InvalidRequest,
    NotFound,
    OutOfMemory,
    Refused,
    StudioError,
)
from tts_core.engines.yourtts.faults import LanguageNotServed
from tts_core.models.download_faults import DiskFault, DownloadFault, OwnedByOther
from tts_core.models.faults import CatalogueInvalid, UnknownProvider
from tts_core.platform.faults import InvalidSetting, PreferencesUnwritable
from tts_core.platform.paths import shared_temporary_dir
from tts_core.speech.faults import LexiconUnwritable
from tts_core.studio.faults import ProjectUnwritable
from tts_core.voices.faults import LibraryUnwritable

CLIENT_CLOSED_REQUEST = 499
"""The common name for an answer that nobody waits for any more; HTTP itself has none."""
RETRY_AFTER_S = 2
MEMORY_RETRY_AFTER_S = 30
"""The seconds after which memory may be free: other work ends, or an idle model is unloaded."""
CHALLENGE = 'Bearer realm="TTS Studio"'

STATUS: Mapping[type[StudioError], int] = MappingProxyType(
    {
        InvalidRequest: HTTPStatus.UNPROCESSABLE_ENTITY,
        UnknownProvider: HTTPStatus.BAD_REQUEST,
        LanguageNotServed: HTTPStatus.BAD_REQUEST,
        NotFound: HTTPStatus.NOT_FOUND,
        Conflict: HTTPStatus.CONFLICT,
        Busy: HTTPStatus.TOO_MANY_REQUESTS,
        Refused: HTTPStatus.FORBIDDEN,
        HostNotAllowed: HTTPStatus.BAD_REQUEST,
        OriginNotAllowed: HTTPStatus.FORBIDDEN,
        LoginRequired: HTTPStatus.UNAUTHORIZED,
        MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
        BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        BodyTooSlow: HTTPStatus.REQUEST_TIMEOUT,
        UpgradeRequired: HTTPStatus.UPGRADE_REQUIRED,
        Cancelled: CLIENT_CLOSED_REQUEST,
        OutputFailed: HTTPStatus.INSUFFICIENT_STORAGE,
        PreferencesUnwritable: HTTPStatus.INSUFFICIENT_STORAGE,
        LexiconUnwritable: HTTPStatus.INSUFFICIENT_STORAGE,
        LibraryUnwritable: HTTPStatus.INSUFFICIENT_STORAGE,
        ProjectUnwritable: HTTPStatus.INSUFFICIENT_STORAGE,
        DownloadFault: HTTPStatus.BAD_GATEWAY,
        DiskFault: HTTPStatus.INSUFFICIENT_STORAGE,
        OwnedByOther: HTTPStatus.CONFLICT,
        EngineFailed: HTTPStatus.SERVICE_UNAVAILABLE,
        OutOfMemory: HTTPStatus.SERVICE_UNAVAILABLE,
        InvalidSetting: HTTPStatus.INTERNAL_SERVER_ERROR,
        CatalogueInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
        ServerStopping: HTTPStatus.SERVICE_UNAVAILABLE,
    }
)
"""The HTTP status of each error type; a type that is not listed has that of its nearest ancestor."""

ERROR_FIELD_ROUTES = frozenset({"/synthesize", "/register_speaker", "/extract", "/similarity", "/similarity/files"})
"""Routes whose old clients read what went wrong in the field `error`."""
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}")
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def status_of(kind: type[StudioError]) -> int:
    """The HTTP status of an error type."""
    return next((int(STATUS[base]) for base in kind.__mro__ if base in STATUS), 500)


class FailureResponse(JSONResponse):
    """An answer with the envelope of a failure, which has one more field on ERROR_FIELD_ROUTES; below /v1 with the one
    that OpenAI's clients know."""

    def __init__(self, error: StudioError, headers: Mapping[str, str]) -> None:
        body = Failure(detail=error.code, message=error.message)
        super().__init__(body.model_dump(), status_of(type(error)), headers=dict(headers))
        self._error = error
        self._extra_headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_openai(scope):
            await openai_response(self._error, self.status_code, self._extra_headers)(scope, receive, send)
        elif route_path(scope) in ERROR_FIELD_ROUTES:
            body = {
                **Failure(detail=self._error.code, message=self._error.message).model_dump(),
                "error": self._error.message,
            }
            await JSONResponse(body, self.status_code, dict(self._extra_headers))(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def failure_response(error: StudioError, headers: Mapping[str, str] | None = None) -> FailureResponse:
    """The answer for a failure, with the headers that belong to it."""
    return FailureResponse(error, {**(headers or {}), **_headers_of(error)})


def _headers_of(error: StudioError) -> dict[str, str]:
    if isinstance(error, Busy | ServerStopping):
        return {"Retry-After": str(error.params.get("retry_after_s", RETRY_AFTER_S))}
    if isinstance(error, OutOfMemory):
        return {"Retry-After": str(MEMORY_RETRY_AFTER_S)}
    return {"WWW-Authenticate": CHALLENGE} if isinstance(error, LoginRequired) else {}


def failures(*kinds: type[StudioError]) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for a route that may end with these errors; every route may end with InvalidRequest."""
    documented: dict[int | str, dict[str, Any]] = {}
    possible: tuple[type[StudioError], ...] = (InvalidRequest, *kinds)
    for kind in possible:
        response = documented.setdefault(
            status_of(kind), {"model": Failure, "description": "", "content": {"application/json": {"examples": {}}}}
        )
        value = {"success": False, "detail": kind.code, "message": kind.template}
        response["content"]["application/json"]["examples"][kind.code] = {"value": value}
        response["description"] += f"{' · ' if response['description'] else ''}`{kind.code}`"
    return documented


def add_handlers(app: FastAPI) -> None:
    """Answer every failure of `app`'s routes with the envelope. Unforeseen errors are answered by the guard."""

    @app.exception_handler(StudioError)
    async def on_studio_error(_request: Request, error: StudioError) -> JSONResponse:
        return failure_response(error)

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        reason = _wrong_header(request, error) or _explain(error)
        return failure_response(InvalidRequest(reason=reason, field=_field(error)))

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
        return failure_response(_typed(request, error), error.headers)


def _wrong_header(request: Request, error: RequestValidationError) -> str:
    """The reason that names the header, where a body is refused for its Content-Type; "" otherwise."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    named = f"it is {kind!r}" if _MEDIA_TYPE.fullmatch(kind) else "it is missing"
    whole_body = any(tuple(one["loc"]) == ("body",) and one["type"] != "missing" for one in error.errors())
    if whole_body and kind != "application/json" and not kind.endswith("+json"):
        return f"the header Content-Type must be application/json for a JSON body; {named}."
    if kind == "application/json" and _takes_a_form(request):
        return f"the header Content-Type must be multipart/form-data, with the fields as a form; {named}."
    return ""


def _takes_a_form(request: Request) -> bool:
    field = getattr(request.scope.get("route"), "body_field", None)
    return isinstance(getattr(field, "field_info", None), Form)


def _explain(error: RequestValidationError) -> str:
    """A text with every problem and its field's name. The values are left out: one may be the text to speak."""
    return "; ".join(_explain_one(problem) for problem in error.errors()[:5])


def _field(error: RequestValidationError) -> str | None:
    """The name of the first field that has a problem; None if it has no plain name."""
    _where, *path = error.errors()[0]["loc"]
    return path[0] if path and isinstance(path[0], str) and _FIELD_NAME.fullmatch(path[0]) else None


def _explain_one(problem: Mapping[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        return f"the body is not JSON (position {problem['loc'][-1]})."
    _where, *path = problem["loc"]
    known = all(isinstance(part, int) or _FIELD_NAME.fullmatch(part) for part in path)
    name = ".".join(map(str, path)) if known else "a field"
    return f"{name or 'the body'}: {problem['msg']}."


def _typed(request: Request, error: HTTPException) -> StudioError:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return NotFound()
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed(method=request.method)
        case _ if isinstance(error.__cause__, OSError):  # a form's files are on the disk
            reason = error.__cause__.strerror or type(error.__cause__).__name__
            return OutputFailed(folder=shared_temporary_dir(), reason=reason)
        case _:  # FastAPI's 400 for a body that can't even be decoded
            is_form = request.headers.get("content-type", "").lower().startswith("multipart/")
            return InvalidRequest(reason=f"the body can't be read as {'a form' if is_form else 'JSON'}.")
