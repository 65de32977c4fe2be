"""The facts about a job that its messages show. A download is a job with facts of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from tts_core.models import download_report
from tts_core.models.download_task import DownloadTask, Phase, TaskState
from tts_core.models.files.findings import ModelState
from tts_core.platform.job import Job, JobKind, JobState

CLONE_KINDS = frozenset({JobKind.CLONE_PREPARE, JobKind.DESIGN_CLONE})
PROJECT_KINDS = frozenset({JobKind.PROJECT_RENDER, JobKind.PROJECT_EXPORT})
"""The kinds of jobs that the WebSocket reports as the preparation of a voice."""
_PRIVATE_RESULTS = MappingProxyType({JobKind.TRANSCRIPTION: frozenset({"text", "segments"})})
"""The results that are sent only to those who ask for that job, not to everybody who looks at the list: spoken text is
private."""
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
_ENDS: Mapping[JobState, str] = MappingProxyType(
    {
        JobState.DONE: "completed",
        JobState.ERROR: "error",
        JobState.INTERRUPTED: "error",
        JobState.CANCELLED: "cancelled",
    }
)
_END_PHASES = MappingProxyType(
    {"completed": "download_done", "error": "download_error", "cancelled": "download_cancelled"}
)
_RUNNING_PHASES = MappingProxyType(
    {
        Phase.QUEUED: "download_start",
        Phase.RESOLVING: "download_start",
        Phase.ADOPTING: "download_running",
        Phase.TRANSFERRING: "download_running",
        Phase.VERIFYING: "download_verify",
        Phase.DONE: "download_verify",
    }
)
_EVENTS = MappingProxyType(
    {
        TaskState.WAITING: ("model_progress", ModelState.WAITING),
        TaskState.RUNNING: ("model_progress", ModelState.DOWNLOADING),
        TaskState.PAUSED: ("model_incomplete", ModelState.INCOMPLETE),
        TaskState.CANCELLED: ("model_incomplete", ModelState.INCOMPLETE),
        TaskState.ERROR: ("model_error", ModelState.ERROR),
        TaskState.READY: ("model_complete", ModelState.READY),
    }
)


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


def job_facts(job: Job) -> dict[str, Any]:
    """The facts that every kind of job has."""
    is_paused = job.state is JobState.PAUSED
    updated_at = _time(job.updated_at)
    return {
        "id": job.key,
        "job_id": job.key,
        "kind": job.kind,
        "subject": job.subject,
        "status": (JobState.WAITING if is_paused else job.state).value,
        "phase": "paused" if is_paused else job.phase,
        "progress": round(job.progress, 1),
        "message": summary(job),
        "position": job.position,
        "eta_seconds": None if job.eta_s is None else round(job.eta_s, 1),
        "code": job.code,
        "result": dict(job.result),
        "created_at": _time(job.created_at),
        "updated_at": updated_at,
        "timestamp": updated_at,
        "seq": job.seq,
    }


def public_facts(job: Job) -> dict[str, Any]:
    """The facts that anyone may see: private results are left out."""
    hidden = _PRIVATE_RESULTS.get(job.kind, frozenset())
    return {**job_facts(job), "result": {name: value for name, value in job.result.items() if name not in hidden}}


def job_event_facts(job: Job) -> dict[str, Any]:
    end = "complete" if job.state is JobState.DONE else _ENDS.get(job.state, "progress")
    return {**public_facts(job), "type": f"job_{end}"}


def model_event_facts(task: DownloadTask) -> dict[str, Any]:
    kind, status = _EVENTS[task.status]
    event = {"type": kind, "status": status, "model_id": task.subject, "download_status": task.status}
    return {**download_report.facts(task), **event}


def download_facts(task: DownloadTask) -> dict[str, Any]:
    """The facts of a download as programs know them: its status is "running" while it runs, ours has a field beside."""
    status = "running" if task.status is TaskState.RUNNING else task.status.value
    return {**download_report.facts(task), "status": status, "download_status": task.status}


def socket_facts(job: Job) -> dict[str, Any]:
    """The facts of the WebSocket's message about a job of any kind."""
    if isinstance(job, DownloadTask):
        kind = _download_type(job)
        facts = {**download_facts(job), "model_key": job.subject}
        return {**facts, "type": kind, "phase": _END_PHASES.get(kind) or _running_phase(job)}
    facts = {**job_facts(job), "type": _ENDS.get(job.state, "progress")}
    return {**facts, "voice_id": job.subject, "phase": _clone_phase(job)} if job.kind in CLONE_KINDS else facts


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")


def _download_type(task: DownloadTask) -> str:
    """The type of a message. Clients wait for an end, so a download that doesn't go on by itself is reported as one."""
    if task.status is TaskState.PAUSED:
        return "error" if task.code else "cancelled"
    return _ENDS.get(task.state, "progress")


def _running_phase(task: DownloadTask) -> str:
    return "download_start" if task.status is TaskState.WAITING else _RUNNING_PHASES[task.phase]


def _clone_phase(job: Job) -> str:
    if job.state is JobState.DONE:
        return "clone_done"
    return "clone_error" if job.state.is_over else job.phase or "clone_start"
