"""The shapes in which saved voices travel over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from fastapi import UploadFile
from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.schemas import RequestBody
from tts_core.audio.judging import ClipReport, Finding
from tts_core.audio.reading import Clip
from tts_core.engines.qwen.voice_check import Likeness
from tts_core.voices.library import Consent, NewVoice
from tts_core.voices.public import PublicVoice
from tts_core.voices.record import SavedVoice, VoiceKind, VoiceStatus
from tts_core.voices.rules import MAX_NAME

MODEL = "base_0_6b"
ROLE_MODEL = "custom_1_7b"
DESIGN_MODEL = "voice_design_1_7b"
MAX_CONSENT_CHARS = 1000


class VoiceObject(BaseModel):
    """A saved voice."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "id": "a3d2f1b09c8e7f64",
                    "name": "Anna",
                    "kind": "clone",
                    "model_key": MODEL,
                    "language": "english",
                    "speaker": "",
                    "ref_audio_path": "/home/anna/.local/share/…/a3d2f1b09c8e7f64/reference.wav",
                    "ref_audio_url": "/api/tts/qwen3/voices/a3d2f1b09c8e7f64/audio?kind=reference",
                    "ref_text": "What is said in the recording.",
                    "instruct": "",
                    "x_vector_only_mode": False,
                    "status": "ready",
                    "progress": 100,
                    "last_error": "",
                    "meta": {"tags": ["family"], "favourite": True, "duration_s": 7.4},
                    "created_at": "2026-03-04T05:06:07.890+00:00",
                    "updated_at": "2026-03-04T05:06:09.123+00:00",
                }
            ]
        },
    )

    id: str
    name: str
    kind: VoiceKind
    model_key: str = Field(description="Key of the model that speaks it.")
    language: str
    speaker: str = Field(description="The preset speaker of a custom role.")
    ref_audio_path: str = Field(description='The recording as the model hears it; "" where there is none.')
    ref_audio_url: str
    ref_text: str = Field(description="The text spoken in the recording.")
    instruct: str = Field(description="How a role speaks, or what a designed voice was made from.")
    x_vector_only_mode: bool = Field(description="Only the timbre is taken over; no transcript needed.")
    status: VoiceStatus
    progress: int = Field(description="0 to 100.")
    last_error: str
    meta: dict[str, Any] = Field(
        description="Our additions: tags, favourite, consent, deleted_at, facts about the recording."
    )
    created_at: str = Field(description="ISO 8601.")
    updated_at: str = Field(description="ISO 8601.")

    @classmethod
    def of(cls, voice: SavedVoice) -> VoiceObject:
        shown = cls.model_validate(voice)
        if key := voice.design_model_key:  # older records have it under another name
            shown.meta = {**shown.meta, "voice_design_model_key": key}
        return shown


class GuestVoice(BaseModel):
    """The facts about a saved voice that guests see."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    name: str
    kind: VoiceKind
    language: str

    @classmethod
    def of(cls, voice: PublicVoice) -> GuestVoice:
        return cls.model_validate(voice)


class _ConsentFields(BaseModel):
    """The consent of the voice's owner: a tick for one's own voice, or who agreed."""

    model_config = ConfigDict(extra="forbid")

    consent_own_voice: bool = Field(False, description="The voice is the sender's own.")
    consent_who: str = Field("", max_length=MAX_CONSENT_CHARS, description="The owner of the voice, who agreed.")
    consent_note: str = Field("", max_length=MAX_CONSENT_CHARS, description="E.g. where the agreement is kept.")

    def consent(self) -> Consent | None:
        if not (self.consent_own_voice or self.consent_who.strip() or self.consent_note.strip()):
            return None
        return Consent(self.consent_own_voice, self.consent_who.strip(), self.consent_note.strip())


class UploadForm(_ConsentFields):
    file: UploadFile = Field(description="The recording: WAV, FLAC, MP3, OGG, M4A or WebM, a minute at most.")
    name: str = Field("", description="Left out, the file's name.", examples=["Anna"])
    model_key: str = Field(MODEL, description="A Base model, or yourtts_clone.")
    language: str = "Auto"
    ref_text: str = Field("", description="The text spoken in the recording.")
    instruct: str = ""
    x_vector_only_mode: bool | None = Field(None, description="Left out, true where there is no transcript.")

    def new(self) -> NewVoice:
        is_silent = not self.ref_text.strip()
        return NewVoice(
            self.name.strip() or _name_of_file(self.file.filename or ""),
            self.model_key,
            language=self.language,
            ref_text=self.ref_text,
            instruct=self.instruct,
            x_vector_only=is_silent if self.x_vector_only_mode is None else self.x_vector_only_mode,
        )


def _name_of_file(filename: str) -> str:
    """A voice's name made of an upload's; programs send whole paths, and no name at all."""
    stem = PurePosixPath(filename.replace("\\", "/")).stem
    return "".join(filter(str.isprintable, stem)).strip()[:MAX_NAME] or "Voice"


class ImportForm(_ConsentFields):
    file: UploadFile = Field(description="A voice that `/export` gave (zip), or a prompt of qwen-tts (.pt).")
    name: str = Field("", description="Name for a prompt's voice; an exported voice brings its own.")
    model_key: str = Field("", description="A prompt's Base model: the one that it was made with.", examples=[MODEL])
    language: str = "auto"

    def new(self) -> NewVoice:
        return NewVoice(self.name, self.model_key, language=self.language)


class CheckForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    file: UploadFile = Field(description="A recording; nothing of it is kept.")


class ConsentBody(RequestBody):
    own_voice: bool = False
    who: str = Field("", max_length=MAX_CONSENT_CHARS)
    note: str = Field("", max_length=MAX_CONSENT_CHARS)

    def to_domain(self) -> Consent:
        return Consent(self.own_voice, self.who.strip(), self.note.strip())


class VoiceChanges(RequestBody):
    """The fields to change; a field that is left out or null stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Anna, calm", "ref_text": "What is really said."}]}
    )

    name: str | None = None
    model_key: str | None = None
    language: str | None = None
    ref_text: str | None = None
    instruct: str | None = None
    x_vector_only_mode: bool | None = None
    speaker: str | None = None
    tags: list[str] | None = Field(None, max_length=50, description="An addition of ours.")
    favourite: bool | None = Field(None, description="An addition of ours.")
    consent: ConsentBody | None = Field(
        None, description="An addition of ours: confirmed later, for a voice that came without."
    )

    def changes(self) -> Mapping[str, Any]:
        return {name: value for name, value in self.given().items() if name != "consent"}


class RoleBody(RequestBody):
    """A preset speaker with a style of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Narrator",
                    "model_key": ROLE_MODEL,
                    "language": "English",
                    "speaker": "Ryan",
                    "instruct": "Slowly, like a bedtime story.",
                }
            ]
        }
    )

    name: str
    model_key: str = Field(description="A CustomVoice model.")
    language: str = "auto"
    speaker: str
    instruct: str | None = None

    def new(self) -> NewVoice:
        return NewVoice(
            self.name, self.model_key, language=self.language, speaker=self.speaker, instruct=self.instruct or ""
        )


class DesignBody(RequestBody):
    """A voice to make from a description: it says `text` once, and that is cloned."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Captain",
                    "model_key": MODEL,
                    "voice_design_model_key": DESIGN_MODEL,
                    "language": "English",
                    "text": "All hands on deck, we sail at dawn.",
                    "instruct": "A gravelly old man, amused and unhurried.",
                }
            ]
        }
    )

    name: str
    model_key: str = Field(description="The Base model, or yourtts_clone, that speaks it from then on.")
    voice_design_model_key: str
    language: str = "auto"
    text: str = Field(description="The text that it says first.")
    instruct: str = Field(description="The description.")

    def new(self) -> NewVoice:
        return NewVoice(self.name, self.model_key, language=self.language, ref_text=self.text, instruct=self.instruct)


class PreviewBody(RequestBody):
    text: str | None = Field(None, description="The sentence; if left out, a greeting in the voice's language.")


class DuplicateBody(RequestBody):
    name: str | None = Field(None, description="Name of the copy; if left out, the name with a 2.")


class CompareBody(RequestBody):
    take: str = Field(description="The `url` of a take, or the id in it.", examples=["/api/tts/qwen3/audio/…"])


class StartedJob(BaseModel):
    voice_id: str
    job_id: str


class CloneStatus(BaseModel):
    voice_id: str
    status: VoiceStatus
    progress: int = Field(description="0 to 100.")
    last_error: str
    ref_audio_path: str
    ref_audio_url: str
    job_id: str | None = Field(description="An addition of ours: the newest job about the voice.")


class RemovedVoice(BaseModel):
    id: str
    removed_files: bool = Field(description="The files went, too.")
    removed_file_names: list[str] = Field(description="An addition of ours: which ones.")


class Preview(BaseModel):
    url: str
    sample_rate: int = Field(description="Hertz.")
    duration_seconds: float


class VoiceLikeness(BaseModel):
    similarity: float = Field(description="Cosine of the two speaker embeddings, -1 to 1. For information.")
    leak: float = Field(description="How much the take's start repeats the reference's end, 0 to 1.")
    has_leak: bool

    @classmethod
    def of(cls, found: Likeness) -> VoiceLikeness:
        return cls(similarity=round(found.similarity, 4), leak=round(found.leak, 4), has_leak=found.has_leak)


class ClipFinding(BaseModel):
    code: str = Field(examples=["too_short"])
    severity: Literal["problem", "advice"]
    message: str
    fix: str | None = Field(description="trim, level or best_part: what the studio can do about it.")

    @classmethod
    def of(cls, finding: Finding) -> ClipFinding:
        fix = None if finding.fix is None else finding.fix.value
        return cls(code=finding.code, severity=finding.severity.value, message=finding.message, fix=fix)


class RecordingReport(BaseModel):
    """The quality of a recording as a model for a voice."""

    container: str = Field(description="Container format of the file, by its content.", examples=["wav", "m4a"])
    channels: int
    duration_seconds: float
    sample_rate: int = Field(description="Hertz.")
    level_db: float = Field(description="Level of the speech, dB of full scale.")
    peak_db: float
    snr_db: float
    speech_seconds: float
    silence_share: float = Field(description="0 to 1.")
    clipped_share: float = Field(description="0 to 1.")
    bandwidth_hz: float
    good: bool = Field(description="No finding is a problem.")
    findings: list[ClipFinding]

    @classmethod
    def of(cls, clip: Clip, report: ClipReport) -> RecordingReport:
        return cls(
            container=clip.container,
            channels=clip.channels,
            duration_seconds=round(report.duration_s, 3),
            sample_rate=report.sample_rate,
            level_db=round(report.level_db, 1),
            peak_db=round(report.peak_db, 1),
            snr_db=round(report.snr_db, 1),
            speech_seconds=round(report.speech_s, 2),
            silence_share=round(report.silence_share, 3),
            clipped_share=round(report.clipped_share, 5),
            bandwidth_hz=round(report.bandwidth_hz),
            good=report.is_good,
            findings=[ClipFinding.of(finding) for finding in report.findings],
        )
