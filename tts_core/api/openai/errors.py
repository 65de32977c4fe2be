"""Failures below /v1 as OpenAI's clients know them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Scope

from tts_core.api.faults import BodyTooLarge
from tts_core.api.protection.proxy import route_path
from tts_core.audio.faults import AudioUnreadable, RecordingTooLong, RecordingWithoutSound, UnsupportedFormat
from tts_core.domain.errors import (
    Busy,
    CloneNotSupported,
    ModelNotReady,
    ReferenceRequired,
    StudioError,
    UnknownLanguage,
    UnknownModelKey,
    UnknownVoice,
)
from tts_core.engines.faults import TranscriberMissing, UnknownSpokenLanguage
from tts_core.speech.faults import EmptyText, InstructRequired, TextTooLong
from tts_core.voices.faults import AmbiguousVoice, ModelNotLoadable, VoiceNotReady

PREFIX = "/v1"
_PARAMETERS: Mapping[type[StudioError], str] = MappingProxyType(
    {
        **dict.fromkeys((UnknownModelKey, ModelNotReady, ModelNotLoadable, TranscriberMissing), "model"),
        **dict.fromkeys((UnknownVoice, AmbiguousVoice, VoiceNotReady, ReferenceRequired, CloneNotSupported), "voice"),
        **dict.fromkeys((EmptyText, TextTooLong), "input"),
        **dict.fromkeys((UnknownLanguage, UnknownSpokenLanguage), "language"),
        **dict.fromkeys((AudioUnreadable, RecordingWithoutSound, RecordingTooLong, BodyTooLarge), "file"),
        UnsupportedFormat: "response_format",
        InstructRequired: "instructions",
    }
)
"""The request's parameter that an error is about. Other errors name it themselves, as `field` or `name`."""
_TYPES: Mapping[int, str] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: "authentication_error",
        HTTPStatus.FORBIDDEN: "permission_error",
        HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    }
)


class OpenAIFailure(BaseModel):
    message: str = Field(description="What happened and what to do.")
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="The parameter of the request that the error is about.", examples=["voice"])
    code: str = Field(description="Stable code of the error.", examples=["voice_not_found"])


class OpenAIError(BaseModel):
    """Every failure below `/v1`, with the fitting 4xx or 5xx status."""

    model_config = ConfigDict(title="OpenAIError")

    error: OpenAIFailure


FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": OpenAIError, "description": "What the request lacks"},
    "5XX": {"model": OpenAIError, "description": "What went wrong here"},
}
"""The `responses` of every route below /v1, for OpenAPI."""


def is_openai(scope: Scope) -> bool:
    """Whether the request is for an address below /v1."""
    path = route_path(scope)
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def openai_error(error: StudioError, status: int) -> OpenAIError:
    """The failure as OpenAI's clients know it; `status` is the one that the other routes answer with."""
    return OpenAIError(
        error=OpenAIFailure(
            message=error.message, type=_type(_status(status)), param=_parameter(error), code=error.code
        )
    )


def openai_response(error: StudioError, status: int, headers: Mapping[str, str]) -> JSONResponse:
    """The answer for a failure. OpenAI's clients try again after 409 and 5xx; a header tells them not to where the same
    request would only fail again."""
    retry = {} if isinstance(error, Busy) else {"x-should-retry": "false"}
    body = openai_error(error, status).model_dump()
    return JSONResponse(body, _status(status), headers={**headers, **retry})


def _status(status: int) -> int:
    return int(HTTPStatus.BAD_REQUEST) if status == HTTPStatus.UNPROCESSABLE_ENTITY else status


def _type(status: int) -> str:
    return _TYPES.get(status, "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error")


def _parameter(error: StudioError) -> str | None:
    known = next((_PARAMETERS[kind] for kind in type(error).__mro__ if kind in _PARAMETERS), None)
    named = error.params.get("field") or known or error.params.get("name")
    return named if isinstance(named, str) else None
