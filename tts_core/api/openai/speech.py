"""POST /v1/audio/speech, as OpenAI's clients speak it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from urllib.parse import quote

from fastapi import APIRouter, Response

from tts_core.api.context import UseServices, UseStreams, UseWorkers
from tts_core.api.openai.errors import FAILURES, PREFIX
from tts_core.api.openai.speech_request import SpeechBody, speaking_as
from tts_core.api.openai.stream import SSE, SpokenResponse, StreamedSpeech
from tts_core.api.uploads import kept_upload
from tts_core.audio.stream_formats import STREAM_FORMATS
from tts_core.audio.streaming import MAX_TEMPO, MIN_TEMPO, split_speed
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import InvalidValue
from tts_core.domain.events import SpeakEvent
from tts_core.domain.values import ReadAs, Recording, SynthesisRequest
from tts_core.services import Services
from tts_core.speech.jobs import speak_as_job

DEFAULT_FORMAT = "mp3"

router = APIRouter(prefix=PREFIX, tags=["openai"], responses=FAILURES)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_AUDIO = {kind.mime.partition(";")[0]: _BINARY for kind in STREAM_FORMATS.values()}


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
    cancelling its job in `/api/jobs`. `X-Voice-Id` says who speaks, `X-Sample-Rate` the samples of a second. A model
    that loses its way ends the answer there.
    """
    reference = body.reference()
    voice = speaking_as(body, services, is_imitation=reference is not None)
    can = services.synthesis.capabilities(voice)
    speed = 1.0 if body.speed is None else body.speed
    if not MIN_TEMPO <= speed <= MAX_TEMPO:  # also refuses nan
        raise InvalidValue(name="speed", low=MIN_TEMPO, high=MAX_TEMPO)
    engine_speed, tempo = split_speed(speed, is_known=can.supports_speed)
    request = SynthesisRequest(
        text=body.input,
        voice=voice,
        language=body.spoken_language(),
        instruct=body.how() if can.supports_instruct else "",
        speed=engine_speed,
        seed=body.seed,
        sampling=body.sampling(),
        decoding=body.decoding(),
        read_as=ReadAs.named(body.read_as),
    )
    return SpokenResponse(
        StreamedSpeech(
            lambda gone: _spoken(services, request, reference, gone),
            body.response_format or DEFAULT_FORMAT,
            tempo,
            body.rate(),
        ),
        workers,
        headers=_headers(services, voice, body, is_obeyed=can.supports_instruct),
        events_for=body.input if body.stream_format == "sse" else None,
        send_timeout_s=streams.send_timeout_s,
    )


def _spoken(
    services: Services, request: SynthesisRequest, reference: tuple[BytesIO, str | None] | None, gone: CancelCheck
) -> Generator[SpeakEvent, None, None]:
    """Speak, with the voice in a recording where there is one, which is kept no longer than that takes."""
    with ExitStack() as held:
        if reference is not None:
            audio, text = reference
            source = Recording(held.enter_context(kept_upload(audio)), text, append_silence=True)
            request = replace(request, source=source)
        yield from speak_as_job(services.synthesis, services.jobs, request, cancelled=gone)


def _headers(services: Services, voice: str | None, body: SpeechBody, *, is_obeyed: bool) -> dict[str, str]:
    headers = {
        "X-Voice-Id": quote(services.synthesis.voice(voice).id, safe="/"),
        "X-Sample-Rate": str(body.rate()),
    }
    if body.how().strip() and not is_obeyed:
        headers["X-Ignored"] = "instructions"
    return headers
