"""Routes that tell speakers apart: `/extract` as existing clients speak it, and `/similarity`. Also served alone."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.faults import BodyTooLarge
from tts_core.api.schemas import RequestBody
from tts_core.api.services.numbers import Numbers, NumbersRoute
from tts_core.api.services.sounds import SoundBody, clip_of
from tts_core.api.uploads import kept_upload
from tts_core.audio.faults import AudioUnreadable, RecordingTooLong
from tts_core.audio.gender import Gender
from tts_core.audio.reading import Clip, read_recording
from tts_core.domain.errors import EngineFailed, InvalidRequest, ModelNotReady, UnknownModelKey, UnknownVoice
from tts_core.engines.faults import EmbedderMissing
from tts_core.engines.qwen.speaker_embedding import OTHER_BELOW, SAME_FROM, Similarity
from tts_core.services import Services
from tts_core.voices.faults import AmbiguousVoice, LibraryUnwritable

router = APIRouter(tags=["speakers"], responses=failures(), route_class=NumbersRoute)
health_router = APIRouter(tags=["system"])

_MODEL_FAILURES = (EmbedderMissing, UnknownModelKey, ModelNotReady, EngineFailed)
_SOUND_FAILURES = (RecordingTooLong, BodyTooLarge)
_MODEL = Field("", description="A Base model; left out, the smallest that is ready.", examples=["base_0_6b"])
_NOTE = (
    f"From {SAME_FROM} on the same speaker is likely, below {OTHER_BELOW} another one. These are rules of thumb: "
    "nobody has measured error rates of this encoder, so prove nobody's identity with it."
)


class ExtractBody(SoundBody):
    model_key: str = _MODEL


class Extracted(BaseModel):
    """A speaker as a vector. Vectors of one model can be compared, by their cosine."""

    embedding: list[float] | None = Field(None, description="Left out where the recording is too short.")
    dimension: int = Field(description="Numbers in the embedding; 0 without one.")
    input_samples: int
    sample_rate: int
    too_short: bool
    use_default: bool = Field(description="There is no embedding: use a default voice.")
    estimated_gender: Gender | None = Field(description="A guess by the pitch; null where the pitch doesn't tell.")
    message: str
    model_key: str


class SpeakerBody(RequestBody):
    """A recording, or a saved voice."""

    audio: Numbers | None = Field(None, description="Mono samples between -1 and 1.")
    sample_rate: int | None = None
    voice_id: str | None = Field(None, description="Id or name of a saved voice, instead of `audio`.")


class SimilarityBody(RequestBody):
    first: SpeakerBody
    second: SpeakerBody
    model_key: str = _MODEL


class SimilarityForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: UploadFile = Field(description="A recording of one person: WAV, FLAC, MP3, OGG, M4A or WebM, up to 60 s.")
    second: UploadFile
    model_key: str = _MODEL


class Likeness(BaseModel):
    similarity: float = Field(description="Cosine of the two embeddings, -1 to 1.")
    same_speaker: bool | None = Field(description="A guess; null where the similarity allows none.")
    model_key: str
    note: str = _NOTE

    @classmethod
    def of(cls, found: Similarity) -> Likeness:
        return cls(similarity=found.cosine, same_speaker=found.same_speaker, model_key=found.model_key)


class EmbeddingHealth(BaseModel):
    status: Literal["ok"] = "ok"
    model_loaded: bool
    model_ready: bool = Field(description="A Base model is on the disk, so that `/extract` can work.")
    device: str


@router.post("/extract", response_model_exclude_unset=True, responses=failures(*_MODEL_FAILURES, *_SOUND_FAILURES))
async def extract(request: Request, body: ExtractBody, services: UseServices, workers: UseWorkers) -> Extracted:
    """The speaker of a recording as a vector, by the speaker encoder of a Base model."""
    clip = await workers.decode(body.to_clip)
    found = await workers.run(request, lambda _gone: services.embedder.extract(clip, body.model_key))
    embedding = None if found.embedding is None else found.embedding.tolist()
    return Extracted(
        **({} if embedding is None else {"embedding": embedding}),
        dimension=len(embedding or ()),
        input_samples=len(clip.samples),
        sample_rate=clip.sample_rate,
        too_short=embedding is None,
        use_default=embedding is None,
        estimated_gender=found.gender,
        message=found.message,
        model_key=found.model_key,
    )


@router.post("/similarity", responses=failures(UnknownVoice, AmbiguousVoice, *_MODEL_FAILURES, *_SOUND_FAILURES))
async def similarity(request: Request, body: SimilarityBody, services: UseServices, workers: UseWorkers) -> Likeness:
    """How alike two speakers sound, each given as samples or as a saved voice."""

    one, other = await workers.decode(lambda: (_clip(services, body.first), _clip(services, body.second)))
    return Likeness.of(await workers.run(request, lambda _gone: services.embedder.compare(one, other, body.model_key)))


@router.post(
    "/similarity/files",
    responses=failures(AudioUnreadable, LibraryUnwritable, *_MODEL_FAILURES, *_SOUND_FAILURES),
)
async def similarity_of_files(
    body: Annotated[SimilarityForm, Form(media_type="multipart/form-data")],
    services: UseServices,
    workers: UseWorkers,
) -> Likeness:
    """How alike the speakers of two sound files sound."""
    services.embedder.choose(body.model_key)  # cheap, so before the decoding
    one, other = await workers.decode(lambda: (_read(body.first), _read(body.second)))
    return Likeness.of(await workers.decode(lambda: services.embedder.compare(one, other, body.model_key)))


@health_router.get("/health")
def health(services: UseServices) -> EmbeddingHealth:
    """Whether the server answers. Never waits for anything."""
    loaded, found = services.embedder.loaded(), services.system.acceleration_if_known()
    device = loaded.device if loaded is not None and loaded.device else found.preferred_device if found else "cpu"
    is_loaded = loaded is not None and loaded.is_loaded
    return EmbeddingHealth(model_loaded=is_loaded, model_ready=bool(services.embedder.ready()), device=device)


def _clip(services: Services, speaker: SpeakerBody) -> Clip:
    """The speaker's recording. Raises InvalidRequest and its like, UnknownVoice, AmbiguousVoice, AudioUnreadable."""
    if (speaker.audio is None) == (speaker.voice_id is None):
        raise InvalidRequest(reason="give each speaker either audio or voice_id.")
    if speaker.audio is not None:
        return clip_of(speaker.audio, speaker.sample_rate)
    voice = services.finder.saved(speaker.voice_id or "")
    recording = services.voices.reference(voice.id)
    if recording is None:
        raise AudioUnreadable(path=voice.name, reason="the voice has no recording")
    return read_recording(recording)


def _read(file: UploadFile) -> Clip:
    with kept_upload(file.file) as upload:
        return read_recording(upload)
