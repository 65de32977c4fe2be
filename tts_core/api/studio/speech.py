"""Routes that speak: make a take, hear it while it is made, fetch the finished file."""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.background import BackgroundTask

from tts_core.access.faults import TooManyAtOnce
from tts_core.api.context import UseServices, UseVisitor, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.schemas import Speaker, Success, SynthesizeBody, Synthesized, finish_reason
from tts_core.api.studio.accept import wanted_audio
from tts_core.audio.faults import AudioUnreadable, OutputFailed, UnsupportedFormat
from tts_core.audio.files import FORMATS, audio_format, convert
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import (
    Cancelled,
    EngineFailed,
    InvalidRequest,
    ModelNotReady,
    QueueFull,
    UnknownModelKey,
    UnknownVoice,
)
from tts_core.domain.values import StopReason, Take
from tts_core.services import Services
from tts_core.speech.faults import UnknownTake
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.synthesis import collect
from tts_core.voices.faults import AmbiguousVoice, ModelNotLoadable, VoiceNotReady

DEFAULT_FORMAT = "wav"

router = APIRouter(prefix="/api/tts/qwen3", tags=["speech"], responses=failures())

_AUDIO = {kind.mime.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in FORMATS.values()}
_SPEAK_FAILURES = (
    *(UnknownModelKey, UnknownVoice, AmbiguousVoice, ModelNotReady, VoiceNotReady),
    *(QueueFull, EngineFailed, ModelNotLoadable, OutputFailed),
)


@router.get("/speakers")
def list_speakers(services: UseServices) -> Success[list[Speaker]]:
    """The voices that can speak now, best first."""
    speakers = [Speaker.of(voice, services.finder.model_of(voice)) for voice in services.synthesis.voices()]
    return Success(data=speakers, message=f"{len(speakers)} voices can speak.")


@router.post(
    "/synthesize",
    response_model=Success[Synthesized],
    responses={200: {"content": _AUDIO, "description": "The take, or its file"}, **failures(*_SPEAK_FAILURES)},
)
async def synthesize(request: Request, body: SynthesizeBody, services: UseServices, workers: UseWorkers) -> Any:
    """Speak a text. Closing the connection stops the work, and so does cancelling its job in `/api/jobs`.

    Answers with the take's address, or with the file itself where `Accept` asks for audio (`audio/*`, `audio/mpeg`, …);
    then `X-Seed`, `X-Duration-Seconds`, `X-Sample-Rate`, `X-Voice-Id` and `X-Finish-Reason` say what the body can't.
    """
    wanted = wanted_audio(request.headers.getlist("accept"))
    format_name = body.format or wanted or DEFAULT_FORMAT
    take = await workers.run(request, lambda gone: _speak(services, body, format_name, gone))
    if wanted is not None:
        return _whole_file(take)
    url = request.scope.get("root_path", "") + request.app.url_path_for("read_audio", take_id=take.id)
    data = Synthesized.of(take, services.finder.model_of(take.voice), url)
    return Success(data=data, message=_outcome(take))


@router.head("/audio/{take_id}", include_in_schema=False)
@router.get(
    "/audio/{take_id}",
    response_class=FileResponse,
    responses={
        200: {"content": _AUDIO, "description": "The file"},
        **failures(UnknownTake, UnsupportedFormat, AudioUnreadable, OutputFailed, TooManyAtOnce),
    },
)
async def read_audio(
    take_id: str,
    request: Request,
    services: UseServices,
    workers: UseWorkers,
    visitor: UseVisitor,
    wanted: Annotated[
        str | None, Query(alias="format", description="Another format than the take was made in.")
    ] = None,
) -> Response:
    """A finished take's file. Understands `Range`, so players can seek. Another `format` is made anew each time; a file
    that is downloaded by a link has the name that the link gives."""
    path = await run_sync(services.outputs.find, take_id)
    kind = next(kind for kind in FORMATS.values() if kind.extension == path.suffix)
    headers = {"Cache-Control": "private, max-age=86400, immutable"}
    if wanted is None:
        return FileResponse(
            path, media_type=kind.mime, filename=path.name, content_disposition_type="inline", headers=headers
        )
    if audio_format(wanted) is kind:
        return FileResponse(path, media_type=kind.mime, headers=headers)
    copy = services.settings.paths.page_cache_dir / secrets.token_hex(16) / f"take{FORMATS[wanted].extension}"
    with services.login.quotas.work(visitor):
        await workers.run(request, lambda _gone: convert(path, copy, wanted))
    return FileResponse(
        copy,
        media_type=FORMATS[wanted].mime,
        headers={"Cache-Control": "no-store"},
        background=BackgroundTask(_remove, copy),
    )


@router.delete("/audio/{take_id}", responses=failures(UnknownTake, OutputFailed))
def delete_audio(take_id: str, services: UseServices) -> Success[dict[str, str]]:
    """Delete a finished take for good."""
    services.outputs.delete(take_id)
    return Success(data={}, message="The take is deleted.")


@router.get(
    "/live/{stream_id}",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
        **failures(UnknownTake),
    },
)
def listen_live(stream_id: str, services: UseServices, workers: UseWorkers) -> Response:
    """The page's sound while it is being made: raw mono 16-bit little-endian samples, `X-Sample-Rate` a second."""
    stream = services.live.get(stream_id)
    return StreamingResponse(
        workers.stream(stream.read()),
        media_type="application/octet-stream",
        # X-Accel-Buffering: nginx would else hold the sound back until it is complete.
        headers={"X-Sample-Rate": str(stream.sample_rate), "Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _remove(copy: Path) -> None:
    copy.unlink(missing_ok=True)
    with suppress(OSError):
        copy.parent.rmdir()


def _speak(services: Services, body: SynthesizeBody, format_name: str, cancelled: CancelCheck) -> Take:
    if body.voice_id and body.speaker:
        raise InvalidRequest(reason="give voice_id or speaker, not both.")
    voice = services.finder.find(voice_id=body.voice_id, name=body.speaker, model=body.model_key)
    request, jobs = body.to_domain(voice), services.jobs
    take = collect(speak_as_job(services.synthesis, jobs, request, format=format_name, cancelled=cancelled))
    if take.stop_reason is StopReason.CANCELLED:
        take.path.unlink(missing_ok=True)  # the client that would have got its address has gone
        raise Cancelled
    return take


def _outcome(take: Take) -> str:
    return f"{take.voice.name} spoke {take.duration_s:.1f} s. {take.stop_reason.warning}".rstrip()


def _whole_file(take: Take) -> FileResponse:
    headers = {
        "X-Duration-Seconds": f"{take.duration_s:.3f}",
        "X-Sample-Rate": str(take.sample_rate),
        "X-Voice-Id": take.voice.id,
        "X-Stop-Reason": take.stop_reason.value,
        "X-Finish-Reason": finish_reason(take.stop_reason),
        "Cache-Control": "no-store",
    }
    if take.seed is not None:
        headers["X-Seed"] = str(take.seed)
    return FileResponse(take.path, media_type=FORMATS[take.format].mime, filename=take.path.name, headers=headers)
