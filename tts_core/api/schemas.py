"""The shapes that travel over HTTP. Requests are strict and become domain values; answers are made from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tts_core.domain.values import (
    AUTO_LANGUAGE,
    Capabilities,
    ReadAs,
    Sampling,
    SplitMode,
    StopReason,
    SynthesisRequest,
    Take,
    Voice,
)
from tts_core.models.cached_model import CachedModel
from tts_core.models.catalogue import ModelKind
from tts_core.models.files.findings import ModelState, Verification
from tts_core.models.status import ModelStatus
from tts_core.platform.acceleration import Acceleration

Data = TypeVar("Data")
ReadAsName = Literal["markdown", "plain"]
"""The names of `ReadAs`."""
READ_AS = "markdown (if left out): signs of Markdown and HTML are not said; plain: every sign is a part of the text."

SplitName = Literal["auto", "never"]
"""The names of `SplitMode`."""
SPLIT = "auto (if left out): a long text is spoken in segments, and `[pause 1s]` and `[[term|reading]]` are understood;\
 never: the model gets the text as a whole, tags included."


def finish_reason(reason: StopReason) -> str:
    """The reason why a take ended in the word of OpenAI's answers: stop or length; ours where they have none."""
    return {StopReason.COMPLETE: "stop", StopReason.MAX_LENGTH: "length"}.get(reason, reason.value)


class Success(BaseModel, Generic[Data]):
    """The body of every answer of `/api/tts/qwen3` that is not a failure or a file."""

    success: Literal[True] = True
    data: Data
    message: str = Field(description="One English sentence about what was done.")


class Failure(BaseModel):
    """The body of every failure, with the fitting 4xx or 5xx status."""

    success: Literal[False] = False
    detail: str = Field(description="Stable code of the error.", examples=["unknown_model_key"])
    message: str = Field(description="What happened and what to do.")


class RequestBody(BaseModel):
    # Strict: "1" is no number and true is no seed. A misspelt field is an error instead of being dropped in silence.
    model_config = ConfigDict(extra="forbid", strict=True)

    def given(self) -> dict[str, Any]:
        """The fields that have a value; null counts as left out."""
        return {name: value for name, value in self if value is not None}


class SamplingBody(RequestBody):
    """Settings of how tokens are drawn; those left out keep their published defaults. The built-in voice draws none."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    predictor_temperature: float | None = None
    predictor_top_k: int | None = None
    predictor_top_p: float | None = None

    def to_domain(self) -> Sampling:
        return Sampling(**self.given())


class SynthesizeBody(RequestBody):
    """A text and how to speak it. Only `text` is needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "Hello. This is spoken on your own machine."},
                {"text": "你好。", "language": "zh", "speaker": "Clara", "speed": 1.2, "format": "mp3"},
            ]
        }
    )

    text: str
    model_key: str | None = Field(
        None, description='A model\'s key or "builtin"; left out, the best model that is ready speaks.'
    )
    voice_id: str | None = Field(None, description="A `voice_id` of `/speakers`, or the `id` of one of `/voices`.")
    speaker: str | None = Field(None, description="A speaker's or a saved voice's name, instead of `voice_id`.")
    language: str | None = Field(None, description='Code or English name, e.g. "auto", "zh", "English".')
    instruct: str | None = Field(None, description="How to speak, for models that follow instructions.")
    seed: int | None = Field(None, description="The same seed gives the same take. Left out or -1, a new one is drawn.")
    sampling: SamplingBody | None = None
    format: str | None = Field(None, description="wav, flac, mp3, ogg or opus. Left out: what `Accept` names, or wav.")
    speed: float | None = Field(None, description="2.0 is twice as fast; 0.5 to 2.0.")
    max_seconds: float | None = Field(None, description="Longest audio to make, seconds.")
    read_as: ReadAsName | None = Field(None, description=READ_AS)
    split: SplitName | None = Field(None, description=SPLIT)

    def to_domain(self, voice_id: str | None) -> SynthesisRequest:
        """The request for the voice `voice_id`, which was found for model, voice and speaker. Raises InvalidValue."""
        return SynthesisRequest(
            text=self.text,
            voice=voice_id,
            language=self.language or AUTO_LANGUAGE,
            instruct=self.instruct or "",
            speed=1.0 if self.speed is None else self.speed,
            seed=self.seed,
            sampling=(self.sampling or SamplingBody()).to_domain(),
            max_seconds=self.max_seconds,
            read_as=ReadAs.named(self.read_as),
            split=SplitMode.named(self.split),
        )


class ValidateBody(RequestBody):
    key: str = Field(examples=["tokenizer_12hz"])
    deep: bool | None = Field(None, description="Read every byte and compare the sha256 of every file.")


class KeyBody(RequestBody):
    key: str = Field(examples=["custom_0_6b"])


class DownloadBody(KeyBody):
    provider: str | None = Field(
        None,
        description="hf, mirror, modelscope or auto. A named one is tried first; another may take over, and says so.",
        examples=["auto", "modelscope"],
    )


class PositionBody(RequestBody):
    position: int = Field(ge=1, le=1000, description="1 is next.", examples=[1])


class Problem(BaseModel):
    file: str = Field(description="Path inside the model's folder.")
    code: str
    message: str


class HintNote(BaseModel):
    code: str
    message: str


class Validation(BaseModel):
    """The findings of a look into a model's folder."""

    key: str
    path: str
    valid: bool = Field(description="The model can be used.")
    missing: list[str]
    problems: list[Problem]
    status: ModelState
    verification: Verification
    hints: list[HintNote]

    @classmethod
    def of(cls, status: ModelStatus) -> Validation:
        return cls(**_findings(status))


class Sources(BaseModel):
    hf: str = Field(description="Repository on Hugging Face.")
    ms: str = Field(description="Repository on ModelScope.")
    local: str = Field(description="Name of its folder below the models folder.")


class Model(Validation):
    exists: bool = Field(description="The folder is there.")
    model_type: ModelKind
    size: str = Field(description="Parameters of the talker; Whisper's own name of the size; empty if not known.")
    display_names: list[str]
    sources: Sources
    bytes_done: int
    bytes_total: int
    reason: str | None = None
    reason_code: str | None = Field(None, description='E.g. "paused", "missing", DISK_FULL.')

    @classmethod
    def of(cls, status: ModelStatus) -> Model:
        entry = status.entry
        return cls(
            **_findings(status),
            exists=status.exists,
            model_type=entry.kind,
            size=entry.size,
            display_names=[entry.display_name],
            sources=Sources(hf=entry.hf, ms=entry.modelscope, local=entry.local),
            bytes_done=status.bytes_done,
            bytes_total=status.bytes_total,
            reason=status.reason,
            reason_code=status.reason_code or None,
        )


class ModelFolder(BaseModel):
    key: str
    path: str
    opened: bool = Field(description="The file manager of this machine shows it.")


class ModelCapabilities(BaseModel):
    languages: list[str] = Field(description='English names, "Auto" first; `synthesize` takes them.')
    speakers: list[str]
    supports_instruct: bool
    supports_sampling: bool = Field(description="Sampling values and the seed have an effect.")
    supports_speed: bool
    can_clone: bool
    can_design: bool

    @classmethod
    def of(cls, capabilities: Capabilities) -> ModelCapabilities:
        return cls(
            languages=[language.name for language in capabilities.languages],
            speakers=list(capabilities.speakers),
            supports_instruct=capabilities.supports_instruct,
            supports_sampling=capabilities.supports_sampling,
            supports_speed=capabilities.supports_speed,
            can_clone=capabilities.can_clone,
            can_design=capabilities.can_design,
        )


class Speaker(BaseModel):
    """A voice that can speak now, in the words that `synthesize` takes."""

    voice_id: str = Field(examples=["builtin/aria"])
    speaker: str = Field(examples=["Aria"])
    model_key: str = Field(examples=["builtin"])
    description: str

    @classmethod
    def of(cls, voice: Voice, model_key: str) -> Speaker:
        return cls(voice_id=voice.id, speaker=voice.name, model_key=model_key, description=voice.description)


class Synthesized(BaseModel):
    """A finished take."""

    url: str = Field(description="Address of its file on this server; kept for some days.")
    format: str
    sample_rate: int = Field(description="Hertz.")
    duration_seconds: float
    seed: int | None = Field(description="null where the model draws nothing.")
    voice_id: str
    model_key: str
    language: str
    first_audio_seconds: float = Field(
        description="From the request's turn until its first sound was made; the way to a loudspeaker comes on top."
    )
    wall_seconds: float = Field(description="From the request's turn until its last sound was made.")
    rtf: float = Field(description="Audio seconds made per second; more is faster.")
    stop_reason: str = Field(description="complete, max_length, or runaway or loop: the model lost its way.")
    finish_reason: str = Field(description="stop, or length, runaway or loop: it may not say the whole text.")
    retried: bool = Field(description="The first attempt lost its way; this is the second, with another seed.")

    @classmethod
    def of(cls, take: Take, model_key: str, url: str) -> Synthesized:
        return cls(
            url=url,
            format=take.format,
            sample_rate=take.sample_rate,
            duration_seconds=round(take.duration_s, 3),
            seed=take.seed,
            voice_id=take.voice.id,
            model_key=model_key,
            language=take.language,
            first_audio_seconds=round(take.first_audio_s, 4),
            wall_seconds=round(take.wall_s, 4),
            rtf=round(take.rtf, 2),
            stop_reason=take.stop_reason.value,
            finish_reason=finish_reason(take.stop_reason),
            retried=take.retried,
        )


class ComputeCapability(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    major: int
    minor: int


class Gpu(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    index: int
    name: str
    total_memory_bytes: int
    compute_capability: ComputeCapability


class Device(BaseModel):
    supported: bool = Field(description="A graphics processor computes.")
    preferred_device: str = Field(examples=["cuda:0"])
    backend: str = Field(examples=["cuda"])
    reasons: list[str]
    gpu: Gpu | None

    @classmethod
    def of(cls, found: Acceleration) -> Device:
        return cls(
            supported=found.supported,
            preferred_device=found.preferred_device,
            backend=found.backend,
            reasons=[reason.message for reason in found.reasons],
            gpu=None if found.gpu is None else Gpu.model_validate(found.gpu),
        )


class LoadedModel(BaseModel):
    """A model in memory, or on its way there."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    is_loaded: bool = Field(description="false while it loads")
    users: int = Field(description="Requests that hold it now.")
    device: str | None
    memory_bytes: int
    done_bytes: int = Field(description="Bytes loaded so far.")
    total_bytes: int
    unload_in_s: float | None = Field(description="Seconds until it is unloaded for lack of use.")
    warming: tuple[int, int] | None = Field(
        default=None, description="Progress of what it prepares in the background to be faster: done, of how many."
    )
    device_reason: str = Field(default="", description="Why it computes elsewhere than was asked for; mostly empty.")


class Runtime(BaseModel):
    """The Qwen3-TTS model that was used last, of those in memory."""

    loaded: bool
    model_key: str | None
    model_path: str | None
    device: str = Field(description="The device that it computes on; where none is loaded, the one that would.")
    last_device_error: str | None = Field(description="Why the last load failed.")

    @classmethod
    def of(
        cls,
        models: Sequence[CachedModel],
        folder_of: Callable[[str], Path],
        last_error: str | None,
        preferred_device: str,
    ) -> Runtime:
        last = next((model for model in models if model.is_loaded), None)
        return cls(
            loaded=last is not None,
            model_key=None if last is None else last.key,
            model_path=None if last is None else str(folder_of(last.key)),
            device=(last and last.device) or preferred_device,
            last_device_error=last_error,
        )


class AccelerationStatus(BaseModel):
    acceleration: Device
    runtime: Runtime
    models: list[LoadedModel] = Field(description="All models in memory or on their way, the one used last first.")


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    version: str
    model_loaded: Annotated[bool, Field(description="A model is in memory; the built-in voice needs none.")]
    device: str
    cached_speakers: int
    engine: Annotated[
        Literal["yourtts", "qwen3"] | None,
        Field(description="The engine that serves /synthesize now; null: there is none."),
    ]


def _findings(status: ModelStatus) -> dict[str, Any]:
    return {
        "key": status.key,
        "path": str(status.path),
        "valid": status.valid,
        "missing": list(status.missing),
        "problems": [Problem(file=found.file, code=found.code, message=found.message) for found in status.problems],
        "status": status.state,
        "verification": status.verification,
        "hints": [HintNote(code=hint.code, message=hint.message) for hint in status.hints],
    }
