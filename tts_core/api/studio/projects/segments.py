"""Routes about a project's segments and chapters: pages of them, and every edit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from tts_core.api.context import UseServices
from tts_core.api.errors import failures
from tts_core.api.schemas import Success
from tts_core.api.studio.projects.bodies import (
    AcceptBody,
    ChapterBody,
    ChapterMoveBody,
    ChapterSplitBody,
    InsertBody,
    ManySegmentsBody,
    MoveBody,
    PageNumber,
    PageSize,
    RevisionBody,
    SegmentChangesBody,
    SplitBody,
    filters,
)
from tts_core.api.studio.projects.library import EDIT_FAILURES, OPEN_FAILURES, answer
from tts_core.api.studio.projects.shapes import (
    PREFIX,
    CountsObject,
    EditedObject,
    ProjectObject,
    SegmentObject,
    SegmentsObject,
)
from tts_core.studio.edits import segments as edits, whole
from tts_core.studio.faults import (
    NothingToMerge,
    ProjectTooLong,
    SplitOutside,
    TooManySegments,
    UnknownChapter,
    UnknownSegment,
    UnknownSegmentTake,
)
from tts_core.studio.index import PAGE, Filters
from tts_core.studio.model import Project
from tts_core.studio.store import OpenProject

router = APIRouter(prefix=PREFIX, tags=["projects"], responses=failures(*OPEN_FAILURES))

_EDIT = failures(UnknownSegment, *EDIT_FAILURES)
_GROW = failures(UnknownSegment, UnknownChapter, TooManySegments, ProjectTooLong, *EDIT_FAILURES)
_CHAPTER = failures(UnknownChapter, *EDIT_FAILURES)
UseFilters = Annotated[Filters, Depends(filters)]


@router.get("/{project_id}/segments")
def list_segments(
    project_id: str,
    request: Request,
    services: UseServices,
    wanted: UseFilters,
    page: PageNumber = 1,
    size: PageSize = PAGE,
) -> Success[SegmentsObject]:
    """A page of segments in order, of all chapters or one; a page beyond the last one is the last one."""
    opened = services.projects.open(project_id)
    found = opened.page(wanted, page=page, size=size)
    data = SegmentsObject.of(opened, found, url_of(request, opened))
    return Success(data=data, message=f"Page {data.page} of {data.pages}: {data.total} segments.")


@router.patch("/{project_id}/segments", responses=_EDIT)
def change_segments(
    project_id: str, body: ManySegmentsBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Change values of many segments at once; one undo takes it back."""
    change = partial(edits.with_changes, segment_ids=body.segments, changes=body.changes())
    return edited(request, services.projects.open(project_id), "change", change, body.revision)


@router.get("/{project_id}/segments/{segment_id}", responses=failures(UnknownSegment))
def get_segment(project_id: str, segment_id: str, request: Request, services: UseServices) -> Success[SegmentObject]:
    """Read one segment as it is now, with its takes."""
    opened = services.projects.open(project_id)
    data = SegmentObject.of(opened, opened.row(segment_id), url_of(request, opened))
    return Success(data=data, message=f"The segment is {data.state}.")


@router.patch("/{project_id}/segments/{segment_id}", responses=_GROW)
def change_segment(
    project_id: str, segment_id: str, body: SegmentChangesBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Change a segment's text, speaker or way of speaking. Its takes stay, and fit again once it is put back."""
    changes = body.changes()

    def change(project: Project) -> Project:
        if body.text is not None:
            project = edits.with_text(project, segment_id, body.text)
        return edits.with_changes(project, (segment_id,), changes)

    label = "edit_text" if body.text is not None else "change"
    return edited(request, services.projects.open(project_id), label, change, body.revision)


@router.delete("/{project_id}/segments/{segment_id}", responses=_EDIT)
def remove_segment(
    project_id: str, segment_id: str, request: Request, services: UseServices, revision: int | None = None
) -> Success[EditedObject]:
    """Remove a segment; undo brings it back with its takes."""
    change = partial(edits.removed, segment_ids=(segment_id,))
    return edited(request, services.projects.open(project_id), "remove", change, revision)


@router.post(
    "/{project_id}/segments/{segment_id}/split",
    responses=failures(UnknownSegment, SplitOutside, TooManySegments, *EDIT_FAILURES),
)
def split_segment(
    project_id: str, segment_id: str, body: SplitBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Make two segments of one, parted at a place in its text."""
    change = partial(edits.split_at, segment_id=segment_id, place=body.place)
    return edited(request, services.projects.open(project_id), "split", change, body.revision)


@router.post(
    "/{project_id}/segments/{segment_id}/merge", responses=failures(UnknownSegment, NothingToMerge, *EDIT_FAILURES)
)
def merge_segment(
    project_id: str, segment_id: str, body: RevisionBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Make one segment of this one and the next of its chapter."""
    change = partial(edits.merged_with_next, segment_id=segment_id)
    return edited(request, services.projects.open(project_id), "merge", change, body.revision)


@router.post("/{project_id}/segments/{segment_id}/insert", responses=_GROW)
def insert_after(
    project_id: str, segment_id: str, body: InsertBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Add a segment after this one."""

    def change(project: Project) -> Project:
        chapter, _ = edits.place_of(project, segment_id)
        return edits.inserted(project, chapter.id, segment_id, body.text, body.speaker or "")

    return edited(request, services.projects.open(project_id), "insert", change, body.revision)


@router.post("/{project_id}/segments/{segment_id}/move", responses=_GROW)
def move_segment(
    project_id: str, segment_id: str, body: MoveBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Put a segment somewhere else, in any chapter."""
    change = partial(edits.moved, segment_id=segment_id, chapter_id=body.chapter, after=body.after or "")
    return edited(request, services.projects.open(project_id), "move", change, body.revision)


@router.post(
    "/{project_id}/segments/{segment_id}/accept", responses=failures(UnknownSegment, UnknownSegmentTake, *EDIT_FAILURES)
)
def accept_segment(
    project_id: str, segment_id: str, body: AcceptBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Say that a take is right in spite of its flags; what its transcript differs in is right in later takes, too."""
    opened = services.projects.open(project_id)
    take = opened.row(segment_id).take
    if not body.take and take is None:
        raise UnknownSegmentTake(take="")
    take_id = body.take or (take.id if take else "")
    change = partial(edits.accepted, segment_id=segment_id, take_id=take_id)
    return edited(request, opened, "accept", change, body.revision)


@router.post("/{project_id}/chapters/{chapter_id}/insert", responses=_GROW)
def insert_first(
    project_id: str, chapter_id: str, body: InsertBody, request: Request, services: UseServices
) -> Success[EditedObject]:
    """Add a segment at the start of a chapter."""
    change = partial(edits.inserted, chapter_id=chapter_id, after="", text=body.text, speaker=body.speaker or "")
    return edited(request, services.projects.open(project_id), "insert", change, body.revision)


@router.post("/{project_id}/chapters", responses=_EDIT)
def begin_chapter(project_id: str, body: ChapterSplitBody, services: UseServices) -> Success[ProjectObject]:
    """Begin a new chapter with a segment."""
    change = partial(whole.chapter_split, segment_id=body.segment, title=body.title or "")
    return _rearranged(services.projects.open(project_id), "chapter", change, body.revision)


@router.patch("/{project_id}/chapters/{chapter_id}", responses=_CHAPTER)
def change_chapter(
    project_id: str, chapter_id: str, body: ChapterBody, services: UseServices
) -> Success[ProjectObject]:
    """Change a chapter's title, or whether it is made and exported with the rest."""

    def change(project: Project) -> Project:
        if body.title is not None:
            project = whole.with_chapter_named(project, chapter_id, body.title)
        if body.included is not None:
            project = whole.with_chapter_included(project, chapter_id, is_included=body.included)
        return project

    return _rearranged(services.projects.open(project_id), "chapter", change, body.revision)


@router.post("/{project_id}/chapters/{chapter_id}/move", responses=_CHAPTER)
def move_chapter(
    project_id: str, chapter_id: str, body: ChapterMoveBody, services: UseServices
) -> Success[ProjectObject]:
    """Put a chapter somewhere else."""
    change = partial(whole.chapter_moved, chapter_id=chapter_id, after=body.after or "")
    return _rearranged(services.projects.open(project_id), "chapter", change, body.revision)


@router.post(
    "/{project_id}/chapters/{chapter_id}/merge", responses=failures(UnknownChapter, NothingToMerge, *EDIT_FAILURES)
)
def merge_chapter(
    project_id: str, chapter_id: str, body: RevisionBody, services: UseServices
) -> Success[ProjectObject]:
    """Make one chapter of this one and the next."""
    change = partial(whole.chapter_merged_with_next, chapter_id=chapter_id)
    return _rearranged(services.projects.open(project_id), "chapter", change, body.revision)


@router.delete("/{project_id}/chapters/{chapter_id}", responses=_CHAPTER)
def remove_chapter(
    project_id: str, chapter_id: str, services: UseServices, revision: int | None = None
) -> Success[ProjectObject]:
    """Remove a chapter with its segments; undo brings it back with their takes."""
    change = partial(whole.chapter_removed, chapter_id=chapter_id)
    return _rearranged(services.projects.open(project_id), "chapter", change, revision)


def url_of(request: Request, opened: OpenProject) -> str:
    """The project's address, with what a proxy puts before it."""
    return f"{request.scope.get('root_path', '')}{PREFIX}/{opened.id}"


def edited(
    request: Request, opened: OpenProject, label: str, change: Callable[[Project], Project], seen: int | None
) -> Success[EditedObject]:
    """Do an edit, and answer with the segments that it changed."""
    before = {segment.id: segment for segment in opened.project.segments}
    project = opened.edit(label, change, seen=seen)
    url = url_of(request, opened)
    changed = [row for row in opened.rows() if before.get(row.segment.id) is not row.segment]
    data = EditedObject(
        revision=project.revision,
        rows=[SegmentObject.of(opened, row, url) for row in changed[:PAGE]],
        counts=CountsObject.of(opened.counts()[""]),
        undo=opened.undoable,
        redo=opened.redoable,
    )
    return Success(data=data, message=f"{len(changed)} segments are changed.")


def _rearranged(
    opened: OpenProject, label: str, change: Callable[[Project], Project], seen: int | None
) -> Success[ProjectObject]:
    opened.edit(label, change, seen=seen)
    return answer(opened, "The chapters are changed.")
