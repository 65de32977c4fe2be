"""Routes that make projects of pasted texts and of files, and show before what they would make."""

from __future__ import annotations

import json
from typing import Annotated, TypeVar

from fastapi import APIRouter, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from tts_core.api.context import UseServices, UseWorkers
from tts_core.api.errors import failures
from tts_core.api.faults import BodyTooLarge
from tts_core.api.schemas import Success
from tts_core.api.studio.projects.bodies import NewProjectBody
from tts_core.api.studio.projects.library import EDIT_FAILURES, OPEN_FAILURES, usual_voice
from tts_core.api.studio.projects.previews import ImportedObject, ImportPreviewObject
from tts_core.api.studio.projects.shapes import (
    PREFIX,
    KindName,
    PausesName,
    ProjectObject,
    SplitName,
)
from tts_core.domain.errors import InvalidRequest, UnknownVoice
from tts_core.domain.values import AUTO_LANGUAGE
from tts_core.services import Services
from tts_core.speech.plan.split import SplitPreset
from tts_core.studio.faults import (
    FileNotRead,
    NothingToImport,
    ProjectTooLong,
    ProjectUnwritable,
    TextUnreadable,
    TooManyProjects,
    TooManySegments,
)
from tts_core.studio.model import Delivery, Project, ProjectKind
from tts_core.studio.readers.draft import Draft, SplitDraft, Splitting
from tts_core.studio.readers.importing import Wishes, new_project, title_of, with_imported
from tts_core.studio.readers.text import read_file, read_markdown, read_text

router = APIRouter(prefix=PREFIX, tags=["projects"], responses=failures())

_READ_FAILURES = (TextUnreadable, FileNotRead, NothingToImport, TooManySegments, ProjectTooLong, BodyTooLarge)
_NEW_FAILURES = (UnknownVoice, TooManyProjects, ProjectUnwritable, *_READ_FAILURES)
_MAX_CHOSEN = 200_000
_PASTED = "pasted.txt"
Value = TypeVar("Value", bool, str)


class ImportProjectForm(BaseModel):
    """A file, or a text of any length, and how to read it."""

    model_config = ConfigDict(extra="forbid")

    file: UploadFile | None = Field(None, description="Plain text in any encoding, or Markdown.")
    text: str = Field("", description="A pasted text, in place of a file.")
    dry_run: bool = Field(False, description="Only show what would be made.")
    title: str = Field("", description="Left out, the file's.")
    author: str = ""
    language: str = AUTO_LANGUAGE
    kind: KindName = "narration"
    voice: str = Field("", description="A voice's id; left out, the best one that speaks now.")
    style: str = ""
    speed: float = Field(1.0, ge=0.5, le=2.0)
    split: SplitName = "balanced"
    pauses: PausesName = "normal"
    seed: int = Field(0, ge=0, le=2**32 - 1)
    included: str = Field("", max_length=_MAX_CHOSEN, description="JSON: true or false for each chapter.")
    titles: str = Field("", max_length=_MAX_CHOSEN, description="JSON: a title for each chapter.")

    def source(self) -> tuple[str, bytes]:
        """The name and the bytes of what is imported. Raises InvalidRequest."""
        if self.file is not None:
            return self.file.filename or "", self.file.file.read()
        if not self.text.strip():
            raise InvalidRequest(reason="give a file or a text.")
        return _PASTED, self.text.encode("utf-8", "replace")

    def draft(self, source: tuple[str, bytes]) -> Draft:
        """Raises TextUnreadable and its like."""
        return read_text(self.text) if self.file is None else read_file(*source)

    def splitting(self) -> Splitting:
        return Splitting(self.language, SplitPreset(self.split))

    def wishes(self) -> Wishes:
        """Raises InvalidRequest."""
        return Wishes(
            title=self.title,
            author=self.author,
            kind=ProjectKind(self.kind),
            delivery=Delivery(self.voice or None, self.style or None, None, self.speed if self.speed != 1.0 else None),
            pauses=self.pauses,
            seed=self.seed,
            included=_listed("included", self.included, bool),
            titles=_listed("titles", self.titles, str),
        )


@router.post("", responses=failures(*_NEW_FAILURES))
async def create_project(body: NewProjectBody, services: UseServices, workers: UseWorkers) -> Success[ImportedObject]:
    """Make a project from a pasted text, or an empty one. Nothing is spoken yet."""
    text = body.text or ""
    wishes = Wishes(
        title=body.title or "",
        author=body.author or "",
        kind=ProjectKind(body.kind or "narration"),
        delivery=Delivery(body.voice, body.style, None, body.speed),
        pauses=body.pauses or "normal",
        seed=body.seed or 0,
    )

    def made() -> ImportedObject:
        read = read_markdown if body.format == "markdown" else read_text
        made = _preview(services, read(text) if text.strip() else None, body.splitting(), wishes)
        return made[0] if body.dry_run else _kept(services, *made, (_PASTED, text.encode("utf-8", "replace")))

    return _answer(await workers.decode(made))


@router.post("/import", responses=failures(*_NEW_FAILURES))
async def import_project(
    body: Annotated[ImportProjectForm, Form(media_type="multipart/form-data")],
    services: UseServices,
    workers: UseWorkers,
) -> Success[ImportedObject]:
    """Make a project of a file. With `dry_run`, only its chapters are shown: their titles, lengths, and what is worth
    a look."""

    def made() -> ImportedObject:
        source = body.source()
        made = _preview(services, body.draft(source), body.splitting(), body.wishes())
        return made[0] if body.dry_run else _kept(services, *made, source)

    return _answer(await workers.decode(made))


@router.post("/{project_id}/import", responses=failures(*_READ_FAILURES, *OPEN_FAILURES, *EDIT_FAILURES))
async def import_chapters(
    project_id: str,
    body: Annotated[ImportProjectForm, Form(media_type="multipart/form-data")],
    services: UseServices,
    workers: UseWorkers,
) -> Success[ImportedObject]:
    """Add a file's chapters at the end of a project; one undo takes them back."""

    def made() -> ImportedObject:
        opened = services.projects.open(project_id)
        source, wishes = body.source(), body.wishes()
        draft = body.draft(source)
        services.projects.check_draft(draft)
        split = SplitDraft.of(draft, body.splitting())
        preview = ImportPreviewObject.of(split, title_of(split, wishes))
        if body.dry_run:
            return ImportedObject(preview=preview, project=None)
        opened.add_source(*source)
        opened.edit("import", lambda project: with_imported(project, split, wishes))
        return ImportedObject(preview=preview, project=ProjectObject.of(opened))

    return _answer(await workers.decode(made))


def _preview(
    services: Services, draft: Draft | None, splitting: Splitting, wishes: Wishes
) -> tuple[ImportedObject, Project]:
    """The answer to a dry run, and the project that would be made."""
    draft = draft or Draft(())
    services.projects.check_draft(draft)
    split = SplitDraft.of(draft, splitting)
    preview = ImportPreviewObject.of(split, title_of(split, wishes))
    return ImportedObject(preview=preview, project=None), new_project(
        split if draft.chapters else None, splitting, wishes
    )


def _kept(services: Services, made: ImportedObject, project: Project, source: tuple[str, bytes]) -> ImportedObject:
    if project.defaults.voice is None:
        project = project.with_voice(usual_voice(services))
    services.synthesis.voice(project.defaults.voice)
    opened = services.projects.create(project, {source[0]: source[1]} if source[1] else {})
    return ImportedObject(preview=made.preview, project=ProjectObject.of(opened))


def _answer(made: ImportedObject) -> Success[ImportedObject]:
    found = f"{made.preview.segments} segments in {len(made.preview.chapters)} chapters."
    return Success(data=made, message=f"Nothing is kept: {found}" if made.project is None else found)


def _listed(name: str, text: str, kind: type[Value]) -> list[Value] | None:
    """The list in a JSON field; None where it is left out. Raises InvalidRequest."""
    if not text:
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(reason=f"{name} is no JSON.", field=name) from error
    if not isinstance(data, list) or not all(isinstance(one, kind) for one in data):
        raise InvalidRequest(reason=f"{name} must be a list of {'true and false' if kind is bool else 'texts'}.")
    return data
