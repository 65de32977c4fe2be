"""POST /v1/audio/transcriptions, as OpenAI's clients speak it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from threading import Event
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel, Field

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.openai.errors import FAILURES, PREFIX
from tts_core.api.openai.names import listening_model
from tts_core.api.openai.stream import SSE
from tts_core.api.streams import data_event
from tts_core.api.uploads import kept_upload
from tts_core.audio.reading import Clip
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import InvalidRequest, QueueFull
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.whisper.languages import LANGUAGES
from tts_core.engines.whisper.transcriber import MAX_WAITING_UPLOADS, read_speech
from tts_core.engines.whisper.transcript import Transcript, as_srt, as_vtt
from tts_core.platform.job import JobKind
from tts_core.services import Services

router = APIRouter(prefix=PREFIX, tags=["openai"], responses=FAILURES)

_NOT_MEASURED: dict[str, Any] = {
    **{"seek": 0, "tokens": [], "temperature": 0.0},
    **{"avg_logprob": 0.0, "compression_ratio": 0.0, "no_speech_prob": 0.0},
}
"""The other facts of a segment in OpenAI's answers. They are not measured here, but strict clients need them."""
_SUBJECT = "openai"
"""The subject of the job, where the recording has no name that means anything here."""


class OpenAITranscriptionForm(BaseModel):
    """The form of a transcription. Fields that are not listed here are ignored, as clients send many; so is
    `prompt`."""

    file: UploadFile = Field(description="The recording: WAV, FLAC, MP3, OGG, M4A, AAC or WebM, half an hour at most.")
    model: str = Field(
        "whisper-1", description="A Whisper model of ours; a name of OpenAI's is the best that is ready."
    )
    language: str = Field("", description="Code or English name; if left out, it is detected.", examples=["en"])
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    timestamp_granularities: list[str] = Field([], description='"segment"; words are not timed.')
    timestamp_granularities_array: list[str] = Field([], alias="timestamp_granularities[]")
    stream: bool = Field(False, description="Answer as events: a `transcript.text.delta` for each segment.")


@dataclass(frozen=True, slots=True)
class _Transcribed:
    transcript: Transcript
    duration_s: float

    @property
    def usage(self) -> dict[str, Any]:
        return {"type": "duration", "seconds": round(self.duration_s, 3)}


@router.post(
    "/audio/transcriptions",
    response_class=Response,
    responses={
        200: {
            "content": {
                "application/json": {"schema": {"type": "object"}, "example": {"text": "Hello."}},
                "text/plain": {"schema": {"type": "string"}},
                SSE: {"schema": {"type": "string"}},
            },
            "description": "What is said, as `response_format` asks for it",
        }
    },
)
async def create_transcription(
    request: Request,
    body: Annotated[OpenAITranscriptionForm, Form(media_type="multipart/form-data")],
    services: UseServices,
    workers: UseWorkers,
) -> Response:
    """Write down what is said. Closing the connection stops the work, and so does cancelling its job in `/api/jobs`.
    Segments of `verbose_json` have times and text; their other numbers are not measured and 0.
    """
    if "word" in (*body.timestamp_granularities, *body.timestamp_granularities_array):
        raise InvalidRequest(reason="words are not timed here, only segments.", field="timestamp_granularities")
    model_key = services.transcriber.choose(listening_model(body.model)).key
    clip = await workers.decode(lambda: _read(body))
    transcribed = await workers.run(request, lambda gone: _listen(services, clip, model_key, body.language, gone))
    return _answer(transcribed, body)


def _read(body: OpenAITranscriptionForm) -> Clip:
    with kept_upload(body.file.file) as upload:
        return read_speech(upload)


def _listen(services: Services, clip: Clip, model_key: str, language: str, gone: CancelCheck) -> _Transcribed:
    """Transcribe as a job that everybody sees and that can be cancelled; the text goes to the caller alone."""
    jobs, stop = services.jobs, Event()
    waiting = [job for job in jobs.jobs() if job.kind is JobKind.TRANSCRIPTION and not job.state.is_over]
    if len(waiting) >= MAX_WAITING_UPLOADS:
        raise QueueFull(waiting=len(waiting))
    with jobs.watch(JobKind.TRANSCRIPTION, _SUBJECT, stop) as run:
        transcript = services.transcriber.transcribe(
            clip,
            language=language or AUTO_LANGUAGE,
            model_key=model_key,
            cancelled=lambda: gone() or stop.is_set(),
            say=run.say,
        )
        run.result = {"language": transcript.language, "model_key": model_key}
    return _Transcribed(transcript, clip.duration_s)


def _answer(transcribed: _Transcribed, body: OpenAITranscriptionForm) -> Response:
    if body.stream:
        return StreamingResponse(_events(transcribed), media_type=SSE, headers={"Cache-Control": "no-store"})
    match body.response_format:
        case "text":
            return PlainTextResponse(f"{transcribed.transcript.text}\n")
        case "srt":
            return PlainTextResponse(as_srt(transcribed.transcript))
        case "vtt":
            return PlainTextResponse(as_vtt(transcribed.transcript))
        case "verbose_json":
            return JSONResponse(_verbose(transcribed))
        case "json":
            return JSONResponse({"text": transcribed.transcript.text, "usage": transcribed.usage})


def _verbose(transcribed: _Transcribed) -> dict[str, Any]:
    transcript = transcribed.transcript
    return {
        "task": "transcribe",
        "language": LANGUAGES.get(transcript.language, transcript.language).lower(),
        "duration": round(transcribed.duration_s, 3),
        "text": transcript.text,
        "segments": [
            {"id": number, "start": one.start_s, "end": one.end_s, "text": one.text, **_NOT_MEASURED}
            for number, one in enumerate(transcript.segments)
        ],
        "usage": transcribed.usage,
    }


async def _events(transcribed: _Transcribed) -> AsyncIterator[bytes]:
    for one in transcribed.transcript.segments:
        yield data_event({"type": "transcript.text.delta", "delta": one.text})
    yield data_event({"type": "transcript.text.done", "text": transcribed.transcript.text, "usage": transcribed.usage})
