"""POST /v1/audio/transcriptions and /v1/audio/translations, as OpenAI's clients speak them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel, BeforeValidator, Field

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.listening import WantedTranscript, listen_as_job
from tts_core.api.openai.errors import FAILURES, PREFIX
from tts_core.api.openai.names import listening_model
from tts_core.api.openai.speech_request import lower_case
from tts_core.api.openai.stream import SSE
from tts_core.api.streams import data_event
from tts_core.api.uploads import kept_upload
from tts_core.audio.reading import Clip
from tts_core.domain.engine import CancelCheck
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.whisper.languages import LANGUAGES
from tts_core.engines.whisper.transcriber import read_speech
from tts_core.engines.whisper.transcript import Transcript, TranscriptOptions, as_srt, as_vtt
from tts_core.services import Services

router = APIRouter(prefix=PREFIX, tags=["openai"], responses=FAILURES)

_NOT_MEASURED: dict[str, Any] = {
    **{"seek": 0, "tokens": [], "temperature": 0.0},
    **{"avg_logprob": 0.0, "compression_ratio": 0.0, "no_speech_prob": 0.0},
}
"""The other facts of a segment in OpenAI's answers. They are not measured here, but strict clients need them."""
MAX_PROMPT = 10_000
"""Characters; Whisper reads some hundreds of them, the last."""
_SUBJECT = "openai"
"""The subject of the job, where the recording has no name that means anything here."""


class OpenAITranslationForm(BaseModel):
    """The form of a translation. Fields that are not listed here are ignored, as clients send many."""

    file: UploadFile = Field(description="The recording: WAV, FLAC, MP3, OGG, M4A, AAC or WebM, half an hour at most.")
    model: str = Field(
        "whisper-1", description="A Whisper model of ours; a name of OpenAI's is the best that is ready."
    )
    response_format: Annotated[Literal["json", "text", "srt", "verbose_json", "vtt"], BeforeValidator(lower_case)] = (
        "json"
    )
    prompt: str = Field(
        "",
        max_length=MAX_PROMPT,
        description="Text before the recording: names and terms in it are spelled in its way. Its end counts.",
    )
    temperature: float = Field(0.0, ge=0, le=1, description="The chance in the choice of words.")

    def options(self) -> TranscriptOptions:
        return TranscriptOptions(in_english=True, prompt=self.prompt, temperature=self.temperature)


class OpenAITranscriptionForm(OpenAITranslationForm):
    """The form of a transcription; fields that are not listed here are ignored, too."""

    language: str = Field("", description="Code or English name; if left out, it is detected.", examples=["en"])
    timestamp_granularities: list[str] = Field([], description='"word" and "segment", for verbose_json.')
    timestamp_granularities_array: list[str] = Field([], alias="timestamp_granularities[]")
    stream: bool = Field(False, description="Answer as events: a `transcript.text.delta` for each segment.")

    def options(self) -> TranscriptOptions:
        wanted = {*self.timestamp_granularities, *self.timestamp_granularities_array}
        with_words = "word" in wanted and self.response_format == "verbose_json"
        return TranscriptOptions(with_words=with_words, prompt=self.prompt, temperature=self.temperature)


@dataclass(frozen=True, slots=True)
class _Transcribed:
    transcript: Transcript
    options: TranscriptOptions
    duration_s: float

    @property
    def usage(self) -> dict[str, Any]:
        return {"type": "duration", "seconds": round(self.duration_s, 3)}


_TEXTS: dict[str, Any] = {
    "application/json": {"schema": {"type": "object"}, "example": {"text": "Hello."}},
    "text/plain": {"schema": {"type": "string"}},
}
_RESULT = "What is said, as `response_format` asks for it"


@router.post(
    "/audio/transcriptions",
    response_class=Response,
    responses={200: {"content": {**_TEXTS, SSE: {"schema": {"type": "string"}}}, "description": _RESULT}},
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
    model_key = services.transcriber.choose(listening_model(services, body.model)).key
    clip = await workers.decode(lambda: _read(body))
    wanted = WantedTranscript(model_key, body.language or AUTO_LANGUAGE, body.options())
    transcribed = await workers.run(request, lambda gone: _listen(services, clip, wanted, gone))
    if body.stream:
        return StreamingResponse(_events(transcribed), media_type=SSE, headers={"Cache-Control": "no-store"})
    return _answer(transcribed, body.response_format)


@router.post(
    "/audio/translations", response_class=Response, responses={200: {"content": _TEXTS, "description": _RESULT}}
)
async def create_translation(
    request: Request,
    body: Annotated[OpenAITranslationForm, Form(media_type="multipart/form-data")],
    services: UseServices,
    workers: UseWorkers,
) -> Response:
    """Write down in English what is said in any language; else like a transcription."""
    model_key = services.transcriber.choose_translator(listening_model(services, body.model)).key
    clip = await workers.decode(lambda: _read(body))
    wanted = WantedTranscript(model_key, AUTO_LANGUAGE, body.options())
    transcribed = await workers.run(request, lambda gone: _listen(services, clip, wanted, gone))
    return _answer(transcribed, body.response_format)


def _read(body: OpenAITranslationForm) -> Clip:
    with kept_upload(body.file.file) as upload:
        return read_speech(upload)


def _listen(services: Services, clip: Clip, wanted: WantedTranscript, gone: CancelCheck) -> _Transcribed:
    return _Transcribed(listen_as_job(services, clip, wanted, _SUBJECT, gone), wanted.options, clip.duration_s)


def _answer(transcribed: _Transcribed, response_format: str) -> Response:
    match response_format:
        case "text":
            return PlainTextResponse(f"{transcribed.transcript.text}\n")
        case "srt":
            return PlainTextResponse(as_srt(transcribed.transcript))
        case "vtt":
            return PlainTextResponse(as_vtt(transcribed.transcript))
        case "verbose_json":
            return JSONResponse(_verbose(transcribed))
        case _:
            return JSONResponse({"text": transcribed.transcript.text, "usage": transcribed.usage})


def _verbose(transcribed: _Transcribed) -> dict[str, Any]:
    transcript, options = transcribed.transcript, transcribed.options
    words = [
        {"word": word.text, "start": word.start_s, "end": word.end_s}
        for one in transcript.segments
        for word in one.words
    ]
    return {
        "task": "translate" if options.in_english else "transcribe",
        "language": LANGUAGES.get(transcript.language, transcript.language).lower(),
        "duration": round(transcribed.duration_s, 3),
        "text": transcript.text,
        "segments": [
            {"id": number, "start": one.start_s, "end": one.end_s, "text": one.text, **_NOT_MEASURED}
            for number, one in enumerate(transcript.segments)
        ],
        **({"words": words} if options.with_words else {}),
        "usage": transcribed.usage,
    }


async def _events(transcribed: _Transcribed) -> AsyncIterator[bytes]:
    for piece in transcribed.transcript.pieces():
        yield data_event({"type": "transcript.text.delta", "delta": piece})
    yield data_event({"type": "transcript.text.done", "text": transcribed.transcript.text, "usage": transcribed.usage})
