"""The voices below /v1: which there are, and saved ones made and deleted, as clients of OpenAI and vLLM-Omni do it."""

from __future__ import annotations

from threading import Event
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, UploadFile
from pydantic import BaseModel, Field

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.openai.errors import FAILURES, PREFIX
from tts_core.api.openai.names import openai_names, speech_models
from tts_core.api.uploads import kept_upload
from tts_core.audio.reading import MAX_REFERENCE_S, read_recording
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, InvalidRequest
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.models.catalogue import ModelKind
from tts_core.platform.job import JobState
from tts_core.services import Services
from tts_core.voices.faults import ConsentMissing, VoiceNotReady
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.record import SavedVoice, seconds_of

router = APIRouter(prefix=PREFIX, tags=["openai"], responses=FAILURES)

MAX_CONSENT_CHARS = 1000
_POLL_S = 0.2


class NamedVoice(BaseModel):
    id: str = Field(examples=["builtin/aria"])
    name: str = Field(examples=["Aria"])
    model: str = Field(examples=["builtin"])
    description: str
    aliases: list[str] = Field(description="OpenAI's names for it, where no better model is ready.")


class NamedVoices(BaseModel):
    object: Literal["list"] = "list"
    voices: list[NamedVoice]


class VoiceForm(BaseModel):
    """A voice to be made from a recording. Fields that are not listed here are ignored."""

    audio_sample: UploadFile = Field(description="The recording: WAV, FLAC, MP3, OGG, M4A or WebM, a minute at most.")
    name: str = Field(examples=["Anna"])
    consent: str = Field(
        "",
        max_length=MAX_CONSENT_CHARS,
        description="Who agreed that this voice is cloned, or the id of the recording of the consent. It is kept with "
        "the voice; without it the voice is refused.",
    )
    type: str = "audio_sample"
    ref_text: str = Field("", description="The text in the recording; without it only the timbre is taken over.")
    language: str = AUTO_LANGUAGE
    model: str = Field("", description="A Base model; if left out, the best one that is ready.")

    def new(self, model_key: str) -> NewVoice:
        """The facts about the voice. Raises InvalidRequest for one that is not made from a recording."""
        if self.type != "audio_sample":
            raise InvalidRequest(reason="a voice is made from an audio_sample here.", field="type")
        return NewVoice(
            self.name,
            model_key,
            language=self.language,
            ref_text=self.ref_text,
            x_vector_only=not self.ref_text.strip(),
        )


class CreatedVoice(BaseModel):
    id: str
    object: Literal["audio.voice"] = "audio.voice"
    type: Literal["audio_sample"] = "audio_sample"
    name: str
    created_at: int
    success: Literal[True] = True
    voice: dict[str, Any] = Field(description="The same once more, where clients of vLLM-Omni look for it.")


class DeletedVoice(BaseModel):
    id: str
    object: Literal["audio.voice.deleted"] = "audio.voice.deleted"
    deleted: Literal[True] = True
    success: Literal[True] = True


@router.get("/voices")
@router.get("/audio/voices")
def list_voices(services: UseServices) -> NamedVoices:
    """The voices that can speak now, best first: preset, saved and designed ones. `voice` takes id, name or alias."""
    names = openai_names()
    voices = [
        NamedVoice(
            id=voice.id,
            name=voice.name,
            model=services.finder.model_of(voice),
            description=voice.description,
            aliases=names.aliases(voice),
        )
        for voice in services.synthesis.voices()
    ]
    return NamedVoices(voices=voices)


@router.post("/audio/voices")
async def create_voice(
    request: Request,
    body: Annotated[VoiceForm, Form(media_type="multipart/form-data")],
    services: UseServices,
    workers: UseWorkers,
) -> CreatedVoice:
    """Keep a recording as a voice and make it ready to speak. Whatever fails after the recording was read, it is kept
    in the library, and so it is when the connection closes."""
    consent = body.consent.strip()
    if not consent:
        raise ConsentMissing
    model_key = speech_models(services, body.model, ModelKind.BASE)[0]
    new, agreed = body.new(model_key), Consent(own_voice=False, note=consent)
    voice = await workers.decode(lambda: _kept(services, body, new, agreed))
    await workers.run(request, lambda gone: _prepare(services, voice, gone))
    created_at = int(seconds_of(voice.created_at))
    shown = {"id": voice.id, "name": voice.name, "created_at": created_at, "consent": consent}
    text = {"ref_text": voice.ref_text} if voice.ref_text else {}
    return CreatedVoice(id=voice.id, name=voice.name, created_at=created_at, voice={**shown, **text})


@router.delete("/audio/voices/{voice:path}")
def delete_voice(voice: str, services: UseServices) -> DeletedVoice:
    """Delete a saved voice by id or name. It can be restored in the library for 30 days."""
    saved = services.finder.saved(voice)
    services.voices.delete(saved.id)
    return DeletedVoice(id=saved.id)


def _kept(services: Services, body: VoiceForm, new: NewVoice, consent: Consent) -> SavedVoice:
    with kept_upload(body.audio_sample.file) as upload:
        services.voices.check(new)  # cheap, so before the decoding
        clip = read_recording(upload, max_seconds=MAX_REFERENCE_S)
        named = upload.rename(upload.with_suffix(f".{clip.container}"))
        return services.voices.add_clone(named, new, consent, clip=clip)


def _prepare(services: Services, voice: SavedVoice, gone: CancelCheck) -> None:
    """Wait until the voice can speak. Raises VoiceNotReady where its preparation failed."""
    over = Event()
    job = services.voices.prepare(voice.id)
    services.jobs.when_over(job.key, over.set)
    while not over.wait(_POLL_S):
        if gone():
            raise Cancelled  # the job goes on
    if services.jobs.job(job.key).state is not JobState.DONE:
        raise VoiceNotReady(voice=voice.name)
