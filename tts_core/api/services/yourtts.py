"""The surface that voice-translation programs know as YourTTS: sound as lists of numbers. Also served alone."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.faults import BodyTooLarge
from tts_core.api.schemas import finish_reason
from tts_core.api.services.numbers import Numbers, NumbersResponse, NumbersRoute, written
from tts_core.api.services.sounds import DEFAULT_RATE, clip_of
from tts_core.audio.faults import OutputFailed, RecordingSilent, RecordingTooLong
from tts_core.audio.reading import Clip
from tts_core.audio.streaming import MAX_TEMPO
from tts_core.domain.errors import EngineFailed, InvalidRequest, QueueFull, ReferenceRequired
from tts_core.domain.events import Samples
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.engines.yourtts.faults import LanguageNotServed, SpeakerServiceUnavailable, SpeakerVectorMisfit
from tts_core.engines.yourtts.speaker_service import (
    CHINESE_RATE,
    NORMAL_RATE,
    EngineName,
    ImitatedSpeech,
    SpeakerRequest,
)
from tts_core.services import Services

router = APIRouter(tags=["yourtts"], responses=failures(), route_class=NumbersRoute)
health_router = APIRouter(tags=["system"])


class Vector(Numbers):
    """A speaker as numbers."""

    MAX = 4096


_SpeakerId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
_RATE = Field(None, description=f"Hertz; left out, {DEFAULT_RATE}.")
_VECTOR = Field(None, description="A vector of YourTTS's speaker encoder (512 numbers), or of /extract.")
_FAILURES = (
    LanguageNotServed,
    ReferenceRequired,
    RecordingTooLong,
    RecordingSilent,
    BodyTooLarge,
    QueueFull,
    SpeakerVectorMisfit,
)


class _Body(BaseModel):
    """A body whose unknown fields are ignored: programs of several releases send them."""

    model_config = ConfigDict(strict=True)


class SpeakBody(_Body):
    text: str
    speaker_id: str | None = Field(None, description="An id given to /register_speaker. An unknown one is ignored.")
    reference_audio: Numbers | None = Field(None, description="Somebody to imitate: mono samples, up to 60 s.")
    reference_sample_rate: int | None = _RATE
    voice_embedding: Vector | None = _VECTOR
    speaker: str | None = Field(None, description="A preset speaker's name; for an unknown one the first speaks.")
    language: str | None = Field(
        None,
        description="en, fr-fr or pt-br; where Qwen3-TTS speaks, its ten, such as zh; left out, the text decides.",
    )
    speech_rate: float | None = Field(
        None,
        description=f"Above {MAX_TEMPO:g} characters a second: {NORMAL_RATE:g} is normal, {CHINESE_RATE:g} in Chinese. "
        f"Up to {MAX_TEMPO:g} a tempo: 2 is twice as fast.",
    )

    def to_domain(self) -> SpeakerRequest:
        """The request. Raises the errors of `clip_of`."""
        return SpeakerRequest(
            text=self.text,
            speaker_id=self.speaker_id or "",
            reference=clip_of(self.reference_audio, self.reference_sample_rate) if self.reference_audio else None,
            vector=_vector(self.voice_embedding),
            speaker=self.speaker or "",
            language=self.language or AUTO_LANGUAGE,
            speech_rate=1.0 if self.speech_rate is None else self.speech_rate,
        )


class SpokenAnswer(BaseModel):
    audio: list[float] = Field(description="Mono samples between -1 and 1.")
    sample_rate: int
    text: str
    used_reference: bool = Field(description="A recording or a vector was imitated.")
    speaker_applied: bool = Field(description="The requested speaker speaks; false: it is the first voice there is.")
    engine: EngineName
    finish_reason: str = Field(description="stop, or length, runaway or loop: it may not say the whole text.")


class RegisterBody(_Body):
    speaker_id: _SpeakerId
    reference_audio: Numbers = Field(description="Mono samples between -1 and 1, up to 60 s.")
    reference_sample_rate: int | None = _RATE
    voice_embedding: Vector | None = _VECTOR

    def to_domain(self) -> tuple[Clip, Samples | None]:
        """The recording and the vector. Raises the errors of `clip_of`."""
        if not self.reference_audio:
            raise InvalidRequest(reason="reference_audio: it holds no sound.")
        return clip_of(self.reference_audio, self.reference_sample_rate), _vector(self.voice_embedding)


class Registered(BaseModel):
    status: Literal["ok"] = "ok"
    speaker_id: str
    message: str
    cache_size: int = Field(description="Number of registered speakers.")


class SpeakerHealth(BaseModel):
    status: Literal["ok"] = "ok"
    model_loaded: bool
    device: str
    cached_speakers: int
    engine: EngineName | None = Field(
        description="The engine that speaks: YourTTS, or Qwen3-TTS in its place; null: there is none."
    )


@router.post(
    "/synthesize",
    response_model=SpokenAnswer,
    responses=failures(*_FAILURES, EngineFailed, SpeakerServiceUnavailable),
)
async def synthesize(request: Request, body: SpeakBody, services: UseServices, workers: UseWorkers) -> NumbersResponse:
    """Speak a text as a registered speaker, as whoever is heard in `reference_audio`, or as a preset speaker."""
    wanted = await workers.decode(body.to_domain)
    return NumbersResponse(
        await workers.run(request, lambda gone: _answer(body.text, services.speaker_service.speak(wanted, gone)))
    )


@router.post("/register_speaker", responses=failures(RecordingTooLong, BodyTooLarge, OutputFailed))
async def register_speaker(
    request: Request, body: RegisterBody, services: UseServices, workers: UseWorkers
) -> Registered:
    """Remember somebody by an id of the program's own; restarts don't forget. An id that exists gets the new voice."""
    clip, vector = await workers.decode(body.to_domain)
    known = await workers.run(request, lambda _gone: services.speaker_service.register(body.speaker_id, clip, vector))
    return Registered(speaker_id=body.speaker_id, message="The speaker is registered.", cache_size=known)


@health_router.get("/health")
def health(services: UseServices) -> SpeakerHealth:
    """Whether the server answers, and who would speak. Never waits for anything."""
    return speaker_health(services)


def speaker_health(services: Services) -> SpeakerHealth:
    """The facts about this service that both `/health` routes tell."""
    service, found = services.speaker_service, services.system.acceleration_if_known()
    engine = service.engine()
    loaded = services.yourtts.loaded() if engine == "yourtts" else next(iter(services.qwen_models.statuses()), None)
    device = loaded.device if loaded is not None else None
    return SpeakerHealth(
        model_loaded=loaded is not None and loaded.is_loaded,
        device=device or (found.preferred_device if found else "cpu"),
        cached_speakers=service.registered(),
        engine=engine,
    )


def _vector(numbers: Numbers | None) -> Samples | None:
    """The vector as an array; None if there is none. Raises InvalidRequest."""
    if not numbers:
        return None
    vector = numbers.values()
    if not np.isfinite(vector).all() or not np.abs(vector).max() < np.finfo(np.float32).max:
        raise InvalidRequest(reason="voice_embedding holds values that are no numbers.")
    return vector.astype(np.float32)


def _answer(text: str, spoken: ImitatedSpeech) -> bytes:
    facts = SpokenAnswer.model_construct(
        sample_rate=spoken.sample_rate,
        text=text,
        used_reference=spoken.used_reference,
        speaker_applied=spoken.speaker_applied,
        engine=spoken.engine,
        finish_reason=finish_reason(spoken.stop_reason),
    )
    return written(facts.model_dump(exclude={"audio"}), "audio", spoken.samples)
