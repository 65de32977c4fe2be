"""Drafts become projects, or more chapters of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tts_core.domain.errors import InvalidRequest
from tts_core.studio.edits.whole import clean_name, with_chapters_after
from tts_core.studio.model import Chapter, Delivery, Project, ProjectKind
from tts_core.studio.readers.draft import SplitDraft, Splitting


@dataclass(frozen=True, slots=True)
class Wishes:
    """The facts about a project that a person gives with its text; what is left out comes from the file."""

    title: str = ""
    author: str = ""
    kind: ProjectKind = ProjectKind.NARRATION
    delivery: Delivery = field(default_factory=Delivery)
    pauses: str = "normal"
    seed: int = 0
    included: Sequence[bool] | None = None
    """The chapters that are included, all of the draft's in order."""
    titles: Sequence[str] | None = None
    """The titles of all chapters of the draft."""


def new_project(split: SplitDraft | None, splitting: Splitting, wishes: Wishes) -> Project:
    """A project, not kept yet; without a draft an empty one. Raises InvalidRequest, InvalidValue."""
    chapters: tuple[Chapter, ...] = ()
    if split is not None:
        _check(split, wishes)
        chapters = split.chapters(wishes.included, wishes.titles)
    draft = None if split is None else split.draft
    language = splitting.language
    if draft is not None and language == "auto" and draft.language:
        language = draft.language
    return Project(
        id="",
        title=title_of(split, wishes),
        kind=wishes.kind,
        author=clean_name(wishes.author or (draft.author if draft else "")),
        language=language,
        defaults=wishes.delivery,
        pauses=wishes.pauses,
        split=splitting.preset.value,
        seed=wishes.seed,
        chapters=chapters,
    )


def with_imported(project: Project, split: SplitDraft, wishes: Wishes) -> Project:
    """The project with the draft's chapters at its end. Raises InvalidRequest, InvalidValue."""
    _check(split, wishes)
    return with_chapters_after(project, split.chapters(wishes.included, wishes.titles))


def title_of(split: SplitDraft | None, wishes: Wishes) -> str:
    """The title that a person gave, else the draft's, else the begin of its text."""
    if title := clean_name(wishes.title or (split.draft.title if split else "")):
        return title
    first = next((pieces[0].text for pieces in split.pieces if pieces), "") if split else ""
    return clean_name(" ".join(first.split()[:8])[:60]) or "Untitled"


def _check(split: SplitDraft, wishes: Wishes) -> None:
    for name in ("included", "titles"):
        chosen = getattr(wishes, name)
        if chosen is not None and len(chosen) != len(split.draft.chapters):
            raise InvalidRequest(reason=f"{name} must name all {len(split.draft.chapters)} chapters of the preview.")
