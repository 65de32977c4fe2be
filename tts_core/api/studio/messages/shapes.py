"""The shapes of messages about jobs. The WebSocket has one for downloads, one for the preparation of voices, and one
for all other jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.schemas import Model
from tts_core.api.studio.messages.facts import (
    CLONE_KINDS,
    PROJECT_KINDS,
    download_facts,
    job_event_facts,
    job_facts,
    model_event_facts,
    public_facts,
    socket_facts,
)
from tts_core.models.download_task import DownloadTask, Phase, Provider, TaskState
from tts_core.models.files.findings import ModelState
from tts_core.models.status import ModelStatus
from tts_core.platform.job import Job, JobKind, JobState

MODELS_SCOPE: Literal["qwen3_tts_models"] = "qwen3_tts_models"
CLONE_SCOPE: Literal["qwen3_tts_voice_clone"] = "qwen3_tts_voice_clone"
MessageType = Literal["progress", "completed", "error", "cancelled"]
JobStatus = Literal["waiting", "running", "done", "error", "cancelled", "interrupted"]
"""The status of a job. One that is paused has the status "waiting" and the phase "paused"."""
ClonePhase = Literal["clone_start", "design_generate", "load_audio", "write_wav", "clone_done", "clone_error"]
_DOWNLOAD: Mapping[str, Any] = MappingProxyType(
    {
        "key": "custom_0_6b",
        "provider": "auto",
        "source": "modelscope",
        "status": "running",
        "download_status": "downloading",
        "phase": "transferring",
        "progress": 41.3,
        "message": "Downloading model.safetensors from ModelScope.",
        "downloaded_bytes": 1031832431,
        "total_bytes": 2498383610,
        "bytes_per_second": 11534336,
        "eta_seconds": 127.2,
        "stalled": False,
        "position": 0,
        "file": "model.safetensors",
        "code": "",
        "notes": [
            {
                "code": "NET_STALLED",
                "message": "huggingface.co stopped sending. ModelScope takes over; nothing that was fetched is lost.",
                "source": "hf",
                "next_source": "modelscope",
            }
        ],
        "foreign": False,
        "seq": 1718,
        "timestamp": "2026-03-04T05:06:07.890+00:00",
    }
)
_JOB: Mapping[str, Any] = MappingProxyType(
    {
        "id": "5f0c9a1be2d34c77",
        "kind": "clone_prepare",
        "subject": "a3d2f1b09c8e7f64",
        "status": "running",
        "phase": "load_audio",
        "progress": 20.0,
        "message": "Listening to the recording.",
        "position": 0,
        "eta_seconds": None,
        "code": "",
        "result": {},
        "created_at": "2026-03-04T05:06:07.000+00:00",
        "updated_at": "2026-03-04T05:06:07.890+00:00",
        "seq": 1718,
    }
)


DownloadStatus = Literal["waiting", "running", "paused", "ready", "error", "cancelled"]
_STATUS = Field(description='"running" while a download runs: programs show their Stop button then.')
_OWN_STATUS = Field(
    description='An addition of ours: as `status`, but "downloading", a model\'s status, while it runs.'
)


class DownloadNote(BaseModel):
    """A source's fault and what followed."""

    code: str = Field(description="Stable code, e.g. NET_STALLED, HTTP_401, HASH_MISMATCH.")
    message: str
    source: str = Field(description="The source that failed.")
    next_source: str = Field(description='The source that took over; "" if none has (yet).')


class Progress(BaseModel):
    """The numbers of a download; every view shows these."""

    provider: Provider = Field(description="The provider that was asked for.")
    source: str = Field(
        description='The source at work, or the one that finished: hf, mirror, modelscope, local; "" while unknown.'
    )
    phase: str
    progress: float = Field(description="0 to 100; 100 only when the model is ready.")
    message: str = Field(description="One English sentence.")
    downloaded_bytes: int
    total_bytes: int
    bytes_per_second: int = Field(description="Average of the last seconds; 0 while nothing comes.")
    eta_seconds: float | None = Field(description="null while unknown or while nothing comes.")
    stalled: bool = Field(description="Nothing came for some seconds.")
    position: int = Field(description="Place in the queue: 1 is next, 0 is not waiting.")
    file: str = Field(description="The file at work: a path inside the model's folder.")
    code: str = Field(description='Code of the fault that paused or ended it; "" where there is none.')
    notes: list[DownloadNote] = Field(description="Oldest first: what failed, and who took over.")
    foreign: bool = Field(description="Another process on the same folder does the work.")
    seq: int = Field(description="Grows with every change.")
    timestamp: str = Field(description="ISO 8601.")


class Download(Progress):
    """A model's download."""

    model_config = ConfigDict(json_schema_extra={"examples": [dict(_DOWNLOAD)]})

    key: str
    status: DownloadStatus = _STATUS
    download_status: TaskState = _OWN_STATUS
    phase: Phase

    @classmethod
    def of(cls, task: DownloadTask) -> Download:
        return cls.model_validate(download_facts(task))


class StartedDownload(BaseModel):
    """The answer to a request for a model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "custom_0_6b",
                    "path": "/home/me/.local/share/SuperAutoCutVideo/models/Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
                    "status": "waiting",
                    "download_status": "waiting",
                    "downloaded_bytes": 0,
                    "total_bytes": 2498383610,
                    "position": 1,
                }
            ]
        }
    )

    key: str
    path: str = Field(description="The model's folder.")
    status: DownloadStatus = _STATUS
    download_status: TaskState = _OWN_STATUS
    downloaded_bytes: int
    total_bytes: int
    position: int | None = Field(None, description="Place in the queue while it waits; 1 is next.")

    @classmethod
    def of(cls, task: DownloadTask, path: str) -> StartedDownload:
        return cls.model_validate({**download_facts(task), "path": path, "position": task.position or None})


class SocketMessage(Progress):
    """A message of `/ws` about a model's download."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "progress",
                    "scope": MODELS_SCOPE,
                    "project_id": None,
                    "model_key": "custom_0_6b",
                    **{name: value for name, value in _DOWNLOAD.items() if name != "key"},
                    "phase": "download_running",
                }
            ]
        }
    )

    type: MessageType
    scope: Literal["qwen3_tts_models"] = MODELS_SCOPE
    phase: Literal[
        "download_start",
        "download_running",
        "download_verify",
        "download_done",
        "download_error",
        "download_cancelled",
    ]
    project_id: None = None
    model_key: str
    status: DownloadStatus = _STATUS
    download_status: TaskState = _OWN_STATUS


class ModelEvent(Progress):
    """An event of `/api/models/events` about a model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "model_progress",
                    "model_id": "custom_0_6b",
                    **{name: value for name, value in _DOWNLOAD.items() if name != "key"},
                    "status": "downloading",
                }
            ]
        }
    )

    type: Literal["model_progress", "model_complete", "model_error", "model_incomplete"]
    model_id: str
    status: ModelState = Field(description="The model's status, one of the six of `/models`.")
    phase: Phase
    download_status: TaskState = Field(
        description="The download's status; a paused or cancelled one leaves an incomplete model."
    )

    @classmethod
    def of(cls, task: DownloadTask) -> ModelEvent:
        return cls.model_validate(model_event_facts(task))


class JobFacts(BaseModel):
    """The numbers of a job; every view shows these."""

    status: JobStatus
    phase: str = Field(
        description="A phase of the job's kind; clone jobs have the WebSocket's phases, downloads their own."
    )
    progress: float = Field(description="0 to 100; 100 only when it is done.")
    message: str = Field(description="One English sentence: what it does, or why it ended.")
    position: int = Field(description="Place in the queue: 1 is next, 0 is not waiting.")
    eta_seconds: float | None
    code: str = Field(description='Stable code of the error that ended it; "" where there is none.')
    seq: int = Field(description="Grows with every change.")


class JobObject(JobFacts):
    """A job."""

    model_config = ConfigDict(json_schema_extra={"examples": [dict(_JOB)]})

    id: str
    kind: JobKind
    subject: str = Field(description="The job's subject: a voice's id, a model's key.")
    result: dict[str, Any]
    created_at: str = Field(description="ISO 8601.")
    updated_at: str = Field(description="ISO 8601.")

    @classmethod
    def of(cls, job: Job) -> JobObject:
        """The job with its whole result, as the answer to a request for this job."""
        return cls.model_validate(job_facts(job))

    @classmethod
    def listed(cls, job: Job) -> JobObject:
        """The job as anyone may see it; private results are left out."""
        return cls.model_validate(public_facts(job))


class JobEvent(JobObject):
    """An event of `/api/jobs/events` about a job."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "job_progress", **_JOB}]})

    type: Literal["job_progress", "job_complete", "job_error", "job_cancelled"]

    @classmethod
    def of(cls, job: Job) -> JobEvent:
        return cls.model_validate(job_event_facts(job))


class JobMessage(JobFacts):
    """A message of `/ws` about other jobs: speech, transcription."""

    type: MessageType
    scope: Literal["qwen3_tts_jobs"] = "qwen3_tts_jobs"
    project_id: None = None
    job_id: str
    kind: JobKind
    subject: str
    timestamp: str = Field(description="ISO 8601.")


class ProjectMessage(JobFacts):
    """A message of `/ws` about the making of a project, or of a file of it."""

    type: MessageType
    scope: Literal["studio"] = "studio"
    project_id: str
    job_id: str
    kind: JobKind
    subject: str
    timestamp: str = Field(description="ISO 8601.")


class CloneMessage(JobFacts):
    """A message of `/ws` about the preparation of a voice."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "progress",
                    "scope": CLONE_SCOPE,
                    "project_id": None,
                    "voice_id": _JOB["subject"],
                    "job_id": _JOB["id"],
                    "timestamp": _JOB["updated_at"],
                    **{name: _JOB[name] for name in JobFacts.model_fields},
                }
            ]
        }
    )

    type: MessageType
    scope: Literal["qwen3_tts_voice_clone"] = CLONE_SCOPE
    phase: ClonePhase
    project_id: None = None
    voice_id: str
    job_id: str
    timestamp: str = Field(description="ISO 8601.")


AnyMessage = SocketMessage | CloneMessage | ProjectMessage | JobMessage


def socket_message(job: Job) -> AnyMessage:
    """The message of the WebSocket about a job of any kind."""
    facts = socket_facts(job)
    if isinstance(job, DownloadTask):
        return SocketMessage.model_validate(facts)
    if job.kind in PROJECT_KINDS:
        return ProjectMessage.model_validate({**facts, "project_id": job.subject})
    return (CloneMessage if job.kind in CLONE_KINDS else JobMessage).model_validate(facts)


def socket_messages(job: Job, after_seq: int) -> list[AnyMessage]:
    """The messages for a client whose last one about the job had the number `after_seq`: one for each phase that the
    preparation of a voice came to since, however quick it was, then one about the present state."""
    if job.kind not in CLONE_KINDS:
        return [socket_message(job)]
    passed = [phase for phase in job.passed if phase.after_seq >= after_seq]
    if passed and job.state is JobState.RUNNING:
        passed.pop()  # the present one
    return [socket_message(job.at(phase)) for phase in passed] + [socket_message(job)]


def initial_jobs(jobs: tuple[Job, ...]) -> dict[str, Any]:
    """The present state of all jobs, for a client that has just come."""
    return {"type": "initial_state", "jobs": [JobObject.listed(job).model_dump(mode="json") for job in jobs]}


def initial_state(statuses: Iterable[ModelStatus]) -> dict[str, Any]:
    """The present state of all models, for a client that has just come."""
    return {"type": "initial_state", "models": [_model(status) for status in statuses]}


def _model(status: ModelStatus) -> dict[str, Any]:
    model = Model.of(status).model_dump(mode="json")
    share = 100.0 * status.bytes_done / status.bytes_total if status.bytes_total else 0.0
    progress = {
        "model_id": status.key,
        "progress": 100.0 if status.valid else round(min(share, 99.9), 1),
        "message": status.reason or "",
    }
    if status.download is not None and not status.valid:
        event = ModelEvent.of(status.download).model_dump(mode="json")
        progress |= {name: value for name, value in event.items() if name not in ("type", "status")}
    return model | progress
