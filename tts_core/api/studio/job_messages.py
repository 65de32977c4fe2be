"""A job in the three shapes that clients know: REST, server-sent events, WebSocket, all made from the same facts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tts_core.models import download_report
from tts_core.models.download_task import DownloadTask
from tts_core.platform.job import Job, JobKind, JobState

SCOPE: Literal["qwen3_tts_voice_clone"] = "qwen3_tts_voice_clone"
CLONE_KINDS = frozenset({JobKind.CLONE_PREPARE, JobKind.DESIGN_CLONE})
"""The kinds of jobs that the WebSocket reports in SCOPE; the others are reported in scopes of their own."""
_PRIVATE_RESULTS = MappingProxyType({JobKind.TRANSCRIPTION: frozenset({"text", "segments"})})
"""The results that are sent only to those who ask for that job, not to everybody who looks at the list: spoken text is
private."""
JobStatus = Literal["waiting", "running", "done", "error", "cancelled", "interrupted"]
"""The status of a job. One that is paused has the status "waiting" and the phase "paused"."""
ClonePhase = Literal["clone_start", "design_generate", "load_audio", "write_wav", "clone_done", "clone_error"]
_EXAMPLE: Mapping[str, Any] = MappingProxyType(
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
_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "clone_start": "Starting.",
        "design_generate": "The model speaks with the described voice.",
        "load_audio": "Listening to the recording.",
        "write_wav": "Saving the voice.",
        "read_audio": "Reading the recording.",
        "load_model": "Loading the model.",
        "transcribe": "Writing down what is said.",
        "queued": "Waiting for its turn to speak.",
        "loading": "Loading the model.",
        "speaking": "Speaking.",
    }
)
"""The sentences about a running job, by phase."""
_END_SENTENCES: Mapping[JobState, str] = MappingProxyType(
    {
        JobState.DONE: "Done.",
        JobState.CANCELLED: "Stopped.",
        JobState.INTERRUPTED: "The app ended in the middle of it. Start it again.",
    }
)


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

    model_config = ConfigDict(json_schema_extra={"examples": [dict(_EXAMPLE)]})

    id: str
    kind: JobKind
    subject: str = Field(description="The job's subject: a voice's id, a model's key.")
    result: dict[str, Any]
    created_at: str = Field(description="ISO 8601.")
    updated_at: str = Field(description="ISO 8601.")

    @classmethod
    def of(cls, job: Job) -> JobObject:
        """The job with its whole result, as the answer to a request for this job."""
        return cls.model_validate(_object(job))

    @classmethod
    def listed(cls, job: Job) -> JobObject:
        """The job as anyone may see it; private results are left out."""
        return cls.model_validate(_for_everybody(job))


class JobEvent(JobObject):
    """An event of `/api/jobs/events` about a job."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"type": "job_progress", **_EXAMPLE}]})

    type: Literal["job_progress", "job_complete", "job_error", "job_cancelled"]

    @classmethod
    def of(cls, job: Job) -> JobEvent:
        kind = "complete" if job.state is JobState.DONE else _socket_type(job)
        return cls.model_validate({**_for_everybody(job), "type": f"job_{kind}"})


class JobMessage(JobFacts):
    """A message of `/ws` about other jobs: speech, transcription."""

    type: Literal["progress", "completed", "error", "cancelled"]
    scope: Literal["qwen3_tts_jobs"] = "qwen3_tts_jobs"
    project_id: None = None
    job_id: str
    kind: JobKind
    subject: str
    timestamp: str = Field(description="ISO 8601.")

    @classmethod
    def of(cls, job: Job) -> JobMessage:
        fields = {"job_id": job.key, "kind": job.kind, "subject": job.subject, "timestamp": _time(job.updated_at)}
        return cls.model_validate({**_facts(job), **fields, "type": _socket_type(job)})


class CloneMessage(JobFacts):
    """A message of `/ws` about the preparation of a voice."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "progress",
                    "scope": SCOPE,
                    "project_id": None,
                    "voice_id": _EXAMPLE["subject"],
                    "job_id": _EXAMPLE["id"],
                    "timestamp": _EXAMPLE["updated_at"],
                    **{name: _EXAMPLE[name] for name in JobFacts.model_fields},
                }
            ]
        }
    )

    type: Literal["progress", "completed", "error", "cancelled"]
    scope: Literal["qwen3_tts_voice_clone"] = SCOPE
    phase: ClonePhase
    project_id: None = None
    voice_id: str
    job_id: str
    timestamp: str = Field(description="ISO 8601.")

    @classmethod
    def of(cls, job: Job) -> CloneMessage:
        """The message about a job of one of CLONE_KINDS."""
        fields = {"voice_id": job.subject, "job_id": job.key, "timestamp": _time(job.updated_at)}
        return cls.model_validate({**_facts(job), **fields, "type": _socket_type(job), "phase": _clone_phase(job)})

    @classmethod
    def since(cls, job: Job, seq: int) -> list[CloneMessage]:
        """A message for each phase that the job came to since its state with that number, and one about its present
        state."""
        passed = [phase for phase in job.passed if phase.after_seq >= seq]
        if passed and job.state is JobState.RUNNING:
            passed.pop()  # the present one
        return [cls.of(job.at(phase)) for phase in passed] + [cls.of(job)]


def initial_jobs(jobs: tuple[Job, ...]) -> dict[str, Any]:
    """The present state of all jobs, for a client that has just come."""
    return {"type": "initial_state", "jobs": [JobObject.listed(job).model_dump(mode="json") for job in jobs]}


def summary(job: Job) -> str:
    """A sentence about where the job stands."""
    if isinstance(job, DownloadTask):
        return download_report.summary(job)
    if job.state is JobState.ERROR:
        return job.message
    if job.state is JobState.RUNNING:
        return _SENTENCES.get(job.phase, "At work.")
    return _END_SENTENCES.get(job.state) or (
        f"Waiting, number {job.position} in the queue." if job.position else "Waiting."
    )


def _object(job: Job) -> dict[str, Any]:
    fields = {"id": job.key, "kind": job.kind, "subject": job.subject, "result": dict(job.result)}
    return {**_facts(job), **fields, "created_at": _time(job.created_at), "updated_at": _time(job.updated_at)}


def _for_everybody(job: Job) -> dict[str, Any]:
    hidden = _PRIVATE_RESULTS.get(job.kind, frozenset())
    return {**_object(job), "result": {name: value for name, value in job.result.items() if name not in hidden}}


def _facts(job: Job) -> dict[str, Any]:
    is_paused = job.state is JobState.PAUSED
    return {
        "status": (JobState.WAITING if is_paused else job.state).value,
        "phase": "paused" if is_paused else job.phase,
        "progress": round(job.progress, 1),
        "message": summary(job),
        "position": job.position,
        "eta_seconds": None if job.eta_s is None else round(job.eta_s, 1),
        "code": job.code,
        "seq": job.seq,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _socket_type(job: Job) -> str:
    return _SOCKET_TYPES.get(job.state, "progress")


def _clone_phase(job: Job) -> str:
    if job.state is JobState.DONE:
        return "clone_done"
    return "clone_error" if job.state.is_over else job.phase or "clone_start"


_SOCKET_TYPES: Mapping[JobState, str] = MappingProxyType(
    {
        JobState.DONE: "completed",
        JobState.ERROR: "error",
        JobState.INTERRUPTED: "error",
        JobState.CANCELLED: "cancelled",
    }
)
