"""The edits of a project as a whole: chapters, cast, what it is called and how it speaks. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tts_core.domain.errors import InvalidRequest, InvalidValue
from tts_core.domain.text import clean
from tts_core.studio.edits.segments import changed_delivery, new_id, place_of
from tts_core.studio.faults import NothingToMerge
from tts_core.studio.measures import chapter_in
from tts_core.studio.model import CastMember, Chapter, Project

MAX_TITLE_CHARS = 300
MAX_CAST = 500
_CHANGEABLE = frozenset(
    {"title", "author", "language", "sampling", "pauses", "seed", "check", "continuity", "lexicon", "settings", "kind"}
)


def with_settings(project: Project, changes: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Project:
    """Other values of the project itself, by their names; `defaults` are those of its delivery. Raises InvalidValue."""
    if unknown := sorted(changes.keys() - _CHANGEABLE):
        raise InvalidRequest(reason=f"{unknown[0]} can't be changed.")
    values: dict[str, Any] = {
        name: clean_name(value) if name in ("title", "author") else value for name, value in changes.items()
    }
    if "title" in values and not values["title"]:
        raise InvalidRequest(reason="a project needs a title.")
    if not 0 <= values.get("seed", 0) < 2**32:
        raise InvalidValue(name="seed", low=0, high=2**32 - 1)
    return replace(project, **values, defaults=changed_delivery(project.defaults, defaults or {}))


def with_cast(project: Project, cast: Sequence[CastMember]) -> Project:
    """Another cast. Only takes of speakers whose row has changed don't fit any more. Raises InvalidRequest."""
    names = [name for member in cast for name in (member.name, *member.aliases)]
    if len(set(names)) < len(names) or not all(names):
        raise InvalidRequest(reason="each name of the cast must be there once, and not be empty.")
    if len(cast) > MAX_CAST:
        raise InvalidValue(name="the number of speakers", low=0, high=MAX_CAST)
    return replace(project, cast=tuple(cast))


def with_chapter_named(project: Project, chapter_id: str, title: str) -> Project:
    """Raises UnknownChapter."""
    return project.with_chapter(replace(chapter_in(project, chapter_id), title=clean_name(title)))


def with_chapter_included(project: Project, chapter_id: str, *, is_included: bool) -> Project:
    """Raises UnknownChapter."""
    return project.with_chapter(replace(chapter_in(project, chapter_id), is_included=is_included))


def with_chapters_after(project: Project, chapters: Sequence[Chapter]) -> Project:
    """The project with more chapters at its end; they get ids of their own."""
    added = tuple(
        replace(
            chapter,
            id=new_id("c"),
            segments=tuple(replace(segment, id=new_id("s")) for segment in chapter.segments),
        )
        for chapter in chapters
    )
    return replace(project, chapters=(*project.chapters, *added))


def chapter_moved(project: Project, chapter_id: str, after: str) -> Project:
    """The chapter after another one, or with "" at the start. Raises UnknownChapter."""
    if after == chapter_id:
        return project
    chapter = chapter_in(project, chapter_id)
    others = [one for one in project.chapters if one.id != chapter_id]
    place = 0 if not after else others.index(chapter_in(project, after)) + 1
    return replace(project, chapters=(*others[:place], chapter, *others[place:]))


def chapter_split(project: Project, segment_id: str, title: str = "") -> Project:
    """A new chapter that begins with the segment. Raises UnknownSegment."""
    chapter, place = place_of(project, segment_id)
    if place == 0:
        return project
    left = replace(chapter, segments=chapter.segments[:place])
    right = Chapter(new_id("c"), clean_name(title), chapter.is_included, chapter.segments[place:])
    return _replaced(project, chapter, (left, right))


def chapter_merged_with_next(project: Project, chapter_id: str) -> Project:
    """A chapter in the place of two. Raises UnknownChapter, NothingToMerge."""
    chapter = chapter_in(project, chapter_id)
    place = project.chapters.index(chapter)
    if place + 1 >= len(project.chapters):
        raise NothingToMerge
    merged = replace(chapter, segments=(*chapter.segments, *project.chapters[place + 1].segments))
    return replace(project, chapters=(*project.chapters[:place], merged, *project.chapters[place + 2 :]))


def chapter_removed(project: Project, chapter_id: str) -> Project:
    """The project without a chapter; undo brings it back with its takes. Raises UnknownChapter."""
    chapter = chapter_in(project, chapter_id)
    return replace(project, chapters=tuple(one for one in project.chapters if one is not chapter))


def clean_name(name: str) -> str:
    """A title or a name on one line. Raises InvalidValue."""
    cleaned = " ".join(clean(name).split())
    if len(cleaned) > MAX_TITLE_CHARS:
        raise InvalidValue(name="the length of a name", low=0, high=MAX_TITLE_CHARS)
    return cleaned


def _replaced(project: Project, chapter: Chapter, chapters: tuple[Chapter, ...]) -> Project:
    place = project.chapters.index(chapter)
    return replace(project, chapters=(*project.chapters[:place], *chapters, *project.chapters[place + 1 :]))
