"""Routes about the takes of a segment: choose, star, delete, hear, and a person's own recording."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.faults import BodyTooLarge
from tts_core.api.schemas import Success
from tts_core.api.studio.projects.bodies import TakeChangesBody
from tts_core.api.studio.projects.library import EDIT_FAILURES, OPEN_FAILURES
from tts_core.api.studio.projects.segments import edited, url_of
from tts_core.api.studio.projects.shapes import PREFIX, EditedObject, SegmentObject
from tts_core.api.studio.voice_files import MIMES
from tts_core.api.uploads import kept_upload
from tts_core.audio.faults import AudioUnreadable, RecordingSilent, RecordingTooLong
from tts_core.speech.faults import UnknownTake
from tts_core.studio.edits import segments as edits
from tts_core.studio.faults import UnknownSegment, UnknownSegmentTake
from tts_core.studio.model import Project
from tts_core.studio.recorded import keep_recording, peaks_of

router = APIRouter(
    prefix=f"{PREFIX}/{{project_id}}/segments/{{segment_id}}/takes",
    tags=["projects"],
    responses=failures(*OPEN_FAILURES, UnknownSegment),
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
SOUND_FILE = {"content": dict.fromkeys(MIMES.values(), _BINARY), "description": "The file"}
"""The description of an answer that is a sound file."""
_TAKE = failures(UnknownSegmentTake, *EDIT_FAILURES)


class RecordingForm(BaseModel):
    model_config = ConfigDict(extra="forbid")

    file: UploadFile = Field(description="What a person says in place of a voice.")


class PeaksObject(BaseModel):
    duration_seconds: float
    peaks: list[float] = Field(description="The loudest sample of each part of the take, 0 to 1.")


@router.post("", responses=failures(AudioUnreadable, RecordingTooLong, RecordingSilent, BodyTooLarge, *EDIT_FAILURES))
async def add_recording(
    project_id: str,
    segment_id: str,
    body: Annotated[RecordingForm, Form(media_type="multipart/form-data")],
    request: Request,
    services: UseServices,
    workers: UseWorkers,
) -> Success[SegmentObject]:
    """Keep a recording of one's own as a take. It counts before those of a voice, and outlives a change of the
    voice."""
    opened = services.projects.open(project_id)

    def kept() -> None:
        with kept_upload(body.file.file) as upload:
            keep_recording(opened, segment_id, upload)

    opened.segment(segment_id)
    await workers.decode(kept)
    data = SegmentObject.of(opened, opened.row(segment_id), url_of(request, opened))
    return Success(data=data, message="The recording is kept as a take.")


@router.patch("/{take_id}", responses=_TAKE)
def change_take(
    project_id: str, segment_id: str, take_id: str, body: TakeChangesBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Choose a take, or give it a star: then it is kept whatever happens."""

    def change(project: Project) -> Project:
        if body.chosen is not None:
            project = edits.with_chosen(project, segment_id, take_id if body.chosen else "")
        if body.starred is not None:
            project = edits.with_star(project, segment_id, take_id, is_on=body.starred)
        return project

    return edited(request, services.projects.open(project_id), "take", change, body.revision)


@router.delete("/{take_id}", responses=_TAKE)
def delete_take(
    project_id: str,
    segment_id: str,
    take_id: str,
    request: Request,
    services: UseServices,
    revision: int | None = None,
) -> Success[EditedObject]:
    """Delete a take. Undo brings it back, until unchosen takes are dropped."""
    change = partial(edits.without_take, segment_id=segment_id, take_id=take_id)
    return edited(request, services.projects.open(project_id), "delete_take", change, revision)


@router.head("/{take_id}/audio", include_in_schema=False)
@router.get(
    "/{take_id}/audio",
    response_class=FileResponse,
    responses={
        200: SOUND_FILE,
        **failures(UnknownSegment, UnknownSegmentTake, UnknownTake),
    },
)
def take_audio(project_id: str, segment_id: str, take_id: str, services: UseServices) -> Response:
    """Hear a take as it was made. Understands `Range`, so players can seek."""
    path = _sound(services.projects.open(project_id).sound_of(segment_id, take_id))
    return FileResponse(
        path,
        media_type=MIMES.get(path.suffix.lower(), "application/octet-stream"),
        filename=f"{segment_id}-{take_id}{path.suffix}",
        content_disposition_type="inline",
        headers={"Cache-Control": "private, max-age=31536000, immutable"},
    )


@router.get("/{take_id}/peaks", responses=failures(UnknownSegment, UnknownSegmentTake, UnknownTake, AudioUnreadable))
async def take_peaks(
    project_id: str,
    segment_id: str,
    take_id: str,
    services: UseServices,
    workers: UseWorkers,
    count: Annotated[int, Query(ge=1, le=2_000)] = 200,
) -> Success[PeaksObject]:
    """Show how loud a take is along its length, for a picture of it."""
    path = _sound(services.projects.open(project_id).sound_of(segment_id, take_id))
    seconds, peaks = await workers.decode(lambda: peaks_of(path, count))
    data = PeaksObject(duration_seconds=round(seconds, 3), peaks=peaks)
    return Success(data=data, message=f"{len(peaks)} parts of {seconds:.1f} s.")


def _sound(path: Path) -> Path:
    """Raises UnknownTake for a file that was removed since the project was opened."""
    if not path.is_file():
        raise UnknownTake
    return path
