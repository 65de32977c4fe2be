"""POST /v1/audio/speech, as OpenAI's clients speak it."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.context import UseServices, UseStreams, UseWorkers
from tts_core.api.openai.errors import FAILURES, PREFIX
from tts_core.api.openai.names import speaking_voice
from tts_core.api.openai.stream import SSE, SpokenResponse, StreamedSpeech
from tts_core.api.schemas import READ_AS, ReadAsName
from tts_core.audio.stream_formats import STREAM_FORMATS, stream_format
from tts_core.audio.streaming import MAX_TEMPO, MIN_TEMPO, split_speed
from tts_core.domain.errors import InvalidValue
from tts_core.domain.values import AUTO_LANGUAGE, ReadAs, SynthesisRequest
from tts_core.services import Services
from tts_core.speech.jobs import speak_as_job

DEFAULT_FORMAT = "mp3"

router = APIRouter(prefix=PREFIX, tags=["openai"], responses=FAILURES)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_AUDIO = {kind.mime.partition(";")[0]: _BINARY for kind in STREAM_FORMATS.values()}


class VoiceId(BaseModel):
    id: str


class SpeechBody(BaseModel):
    """Only `input` is needed. Fields that are not listed here are ignored, as clients send many."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "tts-1", "voice": "alloy", "input": "Hello from my own machine."},
                {"model": "custom_1_7b", "voice": "Ryan", "input": "Hello!", "instructions": "Cheerful.", "speed": 1.2},
            ]
        }
    )

    input: str
    model: str | None = Field(
        None, description="The key of a model of ours; a name of OpenAI's leaves it to the voice."
    )
    voice: str | VoiceId | None = Field(
        None, description="Id or name of a voice, preset or saved; OpenAI's names (alloy, …) have stand-ins."
    )
    instructions: str | None = Field(
        None, description="How to speak. Ignored, as `X-Ignored` then says, where the voice follows no instructions."
    )
    response_format: str | None = Field(
        None, description="mp3 (if left out), opus, aac, flac, wav or pcm; 24 kHz mono."
    )
    speed: float | None = Field(None, description="Tempo, 0.25 to 4, for any voice.")
    stream_format: Literal["audio", "sse"] | None = None
    language: str | None = Field(
        None, description="An addition of ours: code or English name; if left out, it is detected."
    )
    seed: int | None = Field(
        None, description="An addition of ours: the same seed gives the same take; -1 draws a new one."
    )
    read_as: ReadAsName | None = Field(None, description=f"An addition of ours: {READ_AS}")


@router.post(
    "/audio/speech",
    response_class=Response,
    responses={
        200: {
            "content": {**_AUDIO, SSE: {"schema": {"type": "string"}}},
            "description": "The sound while it is made; with `stream_format` sse as events `speech.audio.delta` (the "
            "next bytes of the file, base64) and `speech.audio.done` (`usage`: characters in, 80 ms frames out).",
        }
    },
)
def create_speech(body: SpeechBody, services: UseServices, workers: UseWorkers, streams: UseStreams) -> Response:
    """Speak a text. The first bytes leave with the first frames; closing the connection stops the work, and so does
    cancelling its job in `/api/jobs`. `X-Voice-Id` says who speaks. A model that loses its way ends the answer there.
    """
    voice = speaking_voice(services, body.model or "", _wanted(body.voice))
    can = services.synthesis.capabilities(voice)
    speed = 1.0 if body.speed is None else body.speed
    if not MIN_TEMPO <= speed <= MAX_TEMPO:  # also refuses nan
        raise InvalidValue(name="speed", low=MIN_TEMPO, high=MAX_TEMPO)
    engine_speed, tempo = split_speed(speed, is_known=can.supports_speed)
    request = SynthesisRequest(
        text=body.input,
        voice=voice,
        language=body.language or AUTO_LANGUAGE,
        instruct=(body.instructions or "") if can.supports_instruct else "",
        speed=engine_speed,
        seed=body.seed,
        read_as=ReadAs.named(body.read_as),
    )
    format_name = body.response_format or DEFAULT_FORMAT
    stream_format(format_name)
    jobs = services.jobs
    return SpokenResponse(
        StreamedSpeech(
            lambda gone: speak_as_job(services.synthesis, jobs, request, cancelled=gone),
            format_name,
            tempo,
        ),
        workers,
        headers=_headers(services, voice, body, is_obeyed=can.supports_instruct),
        events_for=body.input if body.stream_format == "sse" else None,
        send_timeout_s=streams.send_timeout_s,
    )


def _wanted(voice: str | VoiceId | None) -> str:
    return voice.id if isinstance(voice, VoiceId) else (voice or "")


def _headers(services: Services, voice: str | None, body: SpeechBody, *, is_obeyed: bool) -> dict[str, str]:
    headers = {"X-Voice-Id": quote(services.synthesis.voice(voice).id, safe="/")}
    if (body.instructions or "").strip() and not is_obeyed:
        headers["X-Ignored"] = "instructions"
    return headers
