"""Routes about jobs: look, cancel, try again, hear what happens."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header

from tts_core.api.context import UseServices, UseStreams
from tts_core.api.errors import failures
from tts_core.api.faults import OriginNotAllowed, TooManyStreams
from tts_core.api.schemas import Success
from tts_core.api.streams import RECONNECT_MS, Beats, HeldResponse, Streams, last_seen, server_event
from tts_core.api.studio.messages.facts import summary
from tts_core.api.studio.messages.shapes import JobEvent, JobObject, initial_jobs
from tts_core.platform.faults import JobNotRetryable, UnknownJob
from tts_core.platform.job import Job, JobKind
from tts_core.services import Services

router = APIRouter(prefix="/api/jobs", tags=["jobs"], responses=failures())

_EXAMPLE = (
    'event: job_progress\ndata: {"type": "job_progress", "id": "5f0c9a1be2d34c77", "kind": "clone_prepare", '
    '"status": "running", "phase": "load_audio", "progress": 20.0, …}\nid: 1718\n\n'
    'event: heartbeat\ndata: {"type": "heartbeat", "count": 1}\n\n'
)


@router.get("")
def list_jobs(services: UseServices, kind: JobKind | None = None, active: bool = False) -> Success[list[JobObject]]:
    """List the jobs that prepare, design, speak, transcribe and download, newest first; with `active` only those that
    have not ended. The text of a transcription is in `GET /api/jobs/{id}` alone.
    """
    jobs = [job for job in services.jobs.jobs() if kind in (None, job.kind) and not (active and job.state.is_over)]
    return Success(data=[JobObject.listed(job) for job in jobs], message=f"{len(jobs)} jobs.")


@router.get(
    "/events",
    status_code=200,
    response_class=HeldResponse,
    responses={
        **failures(TooManyStreams, OriginNotAllowed),
        200: {
            "model": JobEvent,
            "description": "Server-sent events; the schema is that of the `data` of `job_*`.",
            "content": {
                "text/event-stream": {
                    "schema": {"$ref": "#/components/schemas/JobEvent"},
                    "examples": {"stream": {"value": _EXAMPLE}},
                }
            },
        },
    },
)
async def job_events(
    services: UseServices, streams: UseStreams, last_event_id: Annotated[str | None, Header()] = None
) -> HeldResponse:
    """Server-sent events. First `initial_state` with all `jobs`, downloads among them; then, whenever a job changes,
    `job_progress`, `job_complete`, `job_error` or `job_cancelled`; every 30 s `heartbeat`. Who reconnects with
    `Last-Event-ID` is told every end it missed.
    """
    return HeldResponse(streams, _events(services, streams, last_event_id))


@router.get("/{job_id}", responses=failures(UnknownJob))
def get_job(job_id: str, services: UseServices) -> Success[JobObject]:
    """Read one job as it is now."""
    return _answer(services.jobs.job(job_id))


@router.post("/{job_id}/cancel", responses=failures(UnknownJob))
def cancel_job(job_id: str, services: UseServices) -> Success[JobObject]:
    """Stop a job, at the latest after its present step. What has ended stays as it is, and so do files."""
    return _answer(services.jobs.cancel(job_id))


@router.post("/{job_id}/retry", responses=failures(UnknownJob, JobNotRetryable))
def retry_job(job_id: str, services: UseServices) -> Success[JobObject]:
    """Do a job again that failed, was stopped, or was interrupted by the end of the app."""
    return _answer(services.jobs.retry(job_id))


async def _events(services: Services, streams: Streams, last_event_id: str | None) -> AsyncGenerator[bytes, None]:
    jobs = await run_sync(services.jobs.jobs)
    after_seq = last_seen(jobs, last_event_id)
    yield server_event(initial_jobs(jobs), number=str(after_seq), retry=RECONNECT_MS)
    beats = Beats(streams)
    async with aclosing(streams.changes(services.jobs, after_seq)) as changes:
        async for job in changes:
            if job is not None:
                yield server_event(JobEvent.of(job).model_dump(mode="json"), number=str(job.seq))
            if (beat := beats.due()) is not None:
                yield beat


def _answer(job: Job) -> Success[JobObject]:
    return Success(data=JobObject.of(job), message=summary(job))
