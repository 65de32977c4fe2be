"""Routes about projects as a whole: which there are, their settings, undo, find and replace, space on the disk."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tts_core.api.context import UseServices
from tts_core.api.errors import failures
from tts_core.api.schemas import Success
from tts_core.api.studio.projects.bodies import ProjectChangesBody, ReplaceBody, SearchBody
from tts_core.api.studio.projects.shapes import PREFIX, ProjectCardObject, ProjectObject, SpaceObject
from tts_core.domain.errors import InvalidRequest
from tts_core.services import Services
from tts_core.studio.edits import finding, whole
from tts_core.studio.faults import (
    EditConflict,
    NothingToRedo,
    NothingToUndo,
    ProjectBusy,
    ProjectDamaged,
    ProjectInUse,
    ProjectNewer,
    ProjectUnwritable,
    SearchEmpty,
    UnknownProject,
)
from tts_core.studio.model import Project
from tts_core.studio.store import OpenProject

OPEN_FAILURES = (UnknownProject, ProjectDamaged, ProjectNewer)
WRITE_FAILURES = (ProjectInUse, ProjectUnwritable)
EDIT_FAILURES = (EditConflict, *WRITE_FAILURES)

router = APIRouter(prefix=PREFIX, tags=["projects"], responses=failures(*OPEN_FAILURES))


class DeletedProject(BaseModel):
    id: str
    removed: bool = Field(description="Its files are gone, too.")


class UndoneObject(BaseModel):
    label: str = Field(description="What was taken back, or done again.")
    project: ProjectObject


class FoundObject(BaseModel):
    places: int
    segments: list[str]


class FreedObject(BaseModel):
    freed_bytes: int


@router.get("")
def list_projects(services: UseServices, deleted: bool = False) -> Success[list[ProjectCardObject]]:
    """List all projects, those that changed last first; with `deleted` those that can be restored."""
    cards = services.projects.cards(deleted=deleted)
    return Success(data=[ProjectCardObject.of(card) for card in cards], message=f"{len(cards)} projects.")


@router.get("/{project_id}")
def get_project(project_id: str, services: UseServices) -> Success[ProjectObject]:
    """Read a project: settings, cast, chapters and how far they are. Its segments come in pages."""
    return answer(services.projects.open(project_id), "This is the project.")


@router.patch("/{project_id}", responses=failures(*EDIT_FAILURES))
def change_project(project_id: str, body: ProjectChangesBody, services: UseServices) -> Success[ProjectObject]:
    """Change some values. Takes that say something in another way than is asked for now become stale, and fit again
    once it is put back."""
    opened = services.projects.open(project_id)
    cast = None if body.cast is None else [member.to_domain() for member in body.cast]
    values, defaults = body.values(), body.defaults()

    def change(project: Project) -> Project:
        changed = whole.with_settings(project, values, defaults)
        return changed if cast is None else whole.with_cast(changed, cast)

    opened.edit("settings" if cast is None else "cast", change, seen=body.revision)
    return answer(opened, "The project is changed.")


@router.delete("/{project_id}", responses=failures(ProjectBusy, *WRITE_FAILURES))
def delete_project(project_id: str, services: UseServices, remove_files: bool = False) -> Success[DeletedProject]:
    """Delete a project. `POST …/restore` brings it back for 30 days, unless `remove_files=1`: then it is gone."""
    if remove_files:
        services.projects.remove(project_id)
    else:
        services.projects.delete(project_id)
    message = "The project and its files are removed." if remove_files else "The project is deleted, not yet removed."
    return Success(data=DeletedProject(id=project_id, removed=remove_files), message=message)


@router.post("/{project_id}/restore", responses=failures(*WRITE_FAILURES))
def restore_project(project_id: str, services: UseServices) -> Success[ProjectObject]:
    """Bring back a deleted project. One that was not deleted stays as it is."""
    return answer(services.projects.restore(project_id), "The project is back.")


@router.post("/{project_id}/undo", responses=failures(NothingToUndo, *WRITE_FAILURES))
def undo(project_id: str, services: UseServices) -> Success[UndoneObject]:
    """Take back the last change; the last fifty can be."""
    opened = services.projects.open(project_id)
    label = opened.undoable
    opened.undo()
    return Success(
        data=UndoneObject(label=label, project=ProjectObject.of(opened)), message="The change is taken back."
    )


@router.post("/{project_id}/redo", responses=failures(NothingToRedo, *WRITE_FAILURES))
def redo(project_id: str, services: UseServices) -> Success[UndoneObject]:
    """Do again what was taken back last."""
    opened = services.projects.open(project_id)
    label = opened.redoable
    opened.redo()
    return Success(
        data=UndoneObject(label=label, project=ProjectObject.of(opened)), message="The change is done again."
    )


@router.post("/{project_id}/find", responses=failures(SearchEmpty))
def find(project_id: str, body: SearchBody, services: UseServices) -> Success[FoundObject]:
    """Count where a text is, before it is replaced."""
    return _found(finding.found(services.projects.open(project_id).project, body.search()))


@router.post("/{project_id}/replace", responses=failures(SearchEmpty, *EDIT_FAILURES))
def replace(project_id: str, body: ReplaceBody, services: UseServices) -> Success[FoundObject]:
    """Replace a text wherever it is; one undo takes all of it back."""
    opened, search = services.projects.open(project_id), body.search()
    places = finding.found(opened.project, search)

    def change(project: Project) -> Project:
        nonlocal places
        places = finding.found(project, search)
        return finding.replaced(project, search, body.replacement)

    opened.edit("replace", change, seen=body.revision)
    return _found(places)


@router.get("/{project_id}/space")
def space(project_id: str, services: UseServices) -> Success[SpaceObject]:
    """Report what the project takes on the disk."""
    found = SpaceObject.of(services.projects.open(project_id).space())
    return Success(data=found, message=f"{found.total_bytes} bytes.")


@router.post("/{project_id}/drop-takes", responses=failures(*WRITE_FAILURES))
def drop_takes(project_id: str, services: UseServices) -> Success[FreedObject]:
    """Remove the takes that are neither heard nor starred. That can't be taken back."""
    freed = services.projects.open(project_id).drop_unchosen()
    return Success(data=FreedObject(freed_bytes=freed), message=f"{freed} bytes are free again.")


def answer(opened: OpenProject, message: str) -> Success[ProjectObject]:
    return Success(data=ProjectObject.of(opened), message=message)


def usual_voice(services: Services) -> str:
    """The id of the voice of somebody who chose none. Raises InvalidRequest where nothing speaks."""
    voices = services.synthesis.voices()
    if not voices:
        raise InvalidRequest(reason="no voice is ready; download one first.")
    return voices[0].id


def _found(places: finding.FoundPlaces) -> Success[FoundObject]:
    data = FoundObject(places=places.places, segments=list(places.segments))
    return Success(data=data, message=f"{places.places} places in {len(places.segments)} segments.")
