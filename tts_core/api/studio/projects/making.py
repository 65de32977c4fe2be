"""Routes that make a project: begin, stop, how far it is, its events, and joined files."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.context import UseServices, UseStreams
from tts_core.api.errors import failures
from tts_core.api.faults import OriginNotAllowed, TooManyStreams
from tts_core.api.schemas import Success
from tts_core.api.streams import RECONNECT_MS, Beats, HeldResponse, Streams, server_event
from tts_core.api.studio.projects.library import OPEN_FAILURES, WRITE_FAILURES
from tts_core.api.studio.projects.segments import url_of
from tts_core.api.studio.projects.shapes import PREFIX
from tts_core.api.studio.projects.takes import SOUND_FILE
from tts_core.audio.faults import UnsupportedFormat
from tts_core.audio.files import FORMATS
from tts_core.domain.errors import UnknownVoice
from tts_core.services import Services
from tts_core.studio.export.assembly import JoinChoices
from tts_core.studio.export.exporter import ExportRecord
from tts_core.studio.faults import (
    DesignNotLocked,
    NothingToExport,
    RunInProgress,
    SegmentsMissing,
    UnknownExport,
    VoiceNeedsRecording,
)
from tts_core.studio.making.runs import RunStatus, Scope

router = APIRouter(prefix=f"{PREFIX}/{{project_id}}", tags=["projects"], responses=failures(*OPEN_FAILURES))
RunStateName = Literal["idle", "waiting", "running", "stopping", "stopped", "done", "failed"]
_M4A_MIME = "audio/mp4"
_EVENTS = (
    'event: run\ndata: {"type": "run", "project_id": "…", "state": "running", "done": 12, "total": 90, …}\nid: 1718\n\n'
    'event: changed\ndata: {"type": "changed", "revision": 4, "segments": ["s00012"], "is_wider": false, …}\n\n'
)


class RenderBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    scope: Literal["", "all", "chapters", "segments", "flagged"] = Field(
        "",
        description="What is made; left out: it goes on with what was stopped, else makes everything that is missing.",
    )
    chapters: list[str] = Field([], max_length=2_000)
    segments: list[str] = Field([], max_length=20_000)
    again: int = Field(0, ge=0, le=4, description="New takes of each of `segments`, whatever there is already.")


class RunObject(BaseModel):
    project_id: str
    state: RunStateName
    total: int
    done: int
    flagged: int
    failed: int
    eta_s: float | None = Field(description="Seconds left; null while nothing can be known about it.")
    is_rough: bool = Field(description="The time left is a first guess.")
    code: str = Field(description='Code of the error that ended it; "" where there is none.')
    message: str

    @classmethod
    def of(cls, status: RunStatus) -> RunObject:
        return cls.model_validate(status.as_json())


class ExportBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: str = Field("mp3", description="wav, flac, mp3, ogg, opus or m4a.")
    chapters: list[str] = Field([], max_length=2_000, description="Left out: all that are included.")
    missing: Literal["stop", "skip", "silence"] = Field("stop", description="What becomes of segments without a take.")
    name: str = Field("", max_length=100, description="Name of the file without its ending; left out: the title.")


class ExportObject(BaseModel):
    id: str
    format: str
    name: str
    state: Literal["making", "done", "failed", "stopped"]
    percent: float
    created_at: str
    size_bytes: int
    duration_seconds: float
    missing: list[str] = Field(description="Segments that have no take.")
    url: str = Field(description='Address of the file; "" until it is done.')
    code: str
    message: str

    @classmethod
    def of(cls, record: ExportRecord, project_url: str) -> ExportObject:
        return cls(
            id=record.id,
            format=record.format,
            name=record.name,
            state=record.state,  # type: ignore[arg-type]  # the exporter has no other words
            percent=record.percent,
            created_at=record.created_at,
            size_bytes=record.size_bytes,
            duration_seconds=round(record.duration_s, 3),
            missing=list(record.missing),
            url=f"{project_url}/exports/{record.id}/file" if record.state == "done" else "",
            code=record.code,
            message=record.message,
        )


@router.post(
    "/render",
    status_code=202,
    responses=failures(RunInProgress, UnknownVoice, DesignNotLocked, VoiceNeedsRecording, *WRITE_FAILURES),
)
def render(project_id: str, body: RenderBody, services: UseServices) -> Success[RunObject]:
    """Begin to make the takes that are wanted, in the background: whoever speaks in the meantime does not wait for it.
    What is made is kept whatever happens, and the same call goes on."""
    runner = services.making.runner
    if body.scope:
        scope = Scope.of(body.scope, tuple(body.chapters), tuple(body.segments), body.again)
        status = runner.start(project_id, scope)
    else:
        status = runner.resume(project_id)
    return Success(data=RunObject.of(status), message=f"{status.total} segments are being made.")


@router.post("/stop")
def stop(project_id: str, services: UseServices) -> Success[RunObject]:
    """Stop after the segment that is being made."""
    services.projects.open(project_id)
    return Success(data=RunObject.of(services.making.runner.stop(project_id)), message="It stops after this segment.")


@router.get("/run")
def get_run(project_id: str, services: UseServices) -> Success[RunObject]:
    """Read how far the making of a project is."""
    services.projects.open(project_id)
    return Success(data=RunObject.of(services.making.runner.status(project_id)), message="This is how far it is.")


@router.get(
    "/events",
    status_code=200,
    response_class=HeldResponse,
    responses={
        **failures(TooManyStreams, OriginNotAllowed),
        200: {
            "description": "Server-sent events.",
            "content": {"text/event-stream": {"examples": {"stream": {"value": _EVENTS}}}},
        },
    },
)
async def project_events(
    project_id: str, services: UseServices, streams: UseStreams, last_event_id: Annotated[str | None, Header()] = None
) -> HeldResponse:
    """Server-sent events: first `run`, then `changed` with the segments to load anew (all where `is_wider`), `run`
    with the progress, and `reload` for who was away too long; every 30 s `heartbeat`."""
    services.projects.open(project_id)
    return HeldResponse(streams, _events(project_id, services, streams, last_event_id))


@router.post(
    "/exports",
    status_code=202,
    responses=failures(UnsupportedFormat, SegmentsMissing, NothingToExport, *WRITE_FAILURES),
)
def start_export(project_id: str, body: ExportBody, request: Request, services: UseServices) -> Success[ExportObject]:
    """Join the takes into one file, in the background. It is kept for a week."""
    choices = JoinChoices.of(body.format, body.missing, tuple(body.chapters), body.name)
    record = services.making.exporter.start(project_id, choices)
    return Success(data=ExportObject.of(record, _url(request, project_id, services)), message="The file is being made.")


@router.get("/exports")
def list_exports(project_id: str, request: Request, services: UseServices) -> Success[list[ExportObject]]:
    """List a project's files, newest first."""
    url = _url(request, project_id, services)
    records = services.making.exporter.list(project_id)
    return Success(data=[ExportObject.of(one, url) for one in records], message=f"{len(records)} files.")


@router.get("/exports/{export_id}", responses=failures(UnknownExport))
def get_export(project_id: str, export_id: str, request: Request, services: UseServices) -> Success[ExportObject]:
    """Read how far a file is."""
    url = _url(request, project_id, services)
    return Success(
        data=ExportObject.of(services.making.exporter.find(project_id, export_id), url), message="This is the file."
    )


@router.get(
    "/exports/{export_id}/file",
    response_class=FileResponse,
    responses={200: SOUND_FILE, **failures(UnknownExport)},
)
def get_export_file(project_id: str, export_id: str, services: UseServices) -> FileResponse:
    """Download a finished file."""
    record, path = (
        services.making.exporter.find(project_id, export_id),
        services.making.exporter.path(project_id, export_id),
    )
    kind = FORMATS.get(record.format)
    return FileResponse(path, media_type=_M4A_MIME if kind is None else kind.mime, filename=record.name)


def _url(request: Request, project_id: str, services: Services) -> str:
    return url_of(request, services.projects.open(project_id))


async def _events(
    project_id: str, services: Services, streams: Streams, last_event_id: str | None
) -> AsyncGenerator[bytes, None]:
    events = services.making.events
    newest = events.newest
    seen = last_event_id[:20] if last_event_id and last_event_id.isascii() and last_event_id.isdecimal() else ""
    after_seq = min(int(seen), newest) if seen else newest
    first = {"type": "run", **services.making.runner.status(project_id).as_json()}
    yield server_event(first, number=str(after_seq), retry=RECONNECT_MS)
    beats = Beats(streams)
    async with aclosing(streams.news(events.subscribe(project_id, after_seq))) as news:
        async for event in news:
            if event is not None:
                yield server_event(dict(event.data), number=str(event.seq))
            if (beat := beats.due()) is not None:
                yield beat
