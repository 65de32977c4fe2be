"""Sizes of projects, and the search in them for what an id names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tts_core.platform.settings.projects import ProjectLimits
from tts_core.studio.faults import ProjectTooLong, TooManySegments, UnknownChapter, UnknownSegment, UnknownSegmentTake
from tts_core.studio.model import Chapter, Project, SegmentTake, TextSegment


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes on the disk."""

    total: int
    takes: int
    unchosen: int
    """The part of the takes that `drop_unchosen` frees."""
    exports: int


def check_limits(project: Project, limits: ProjectLimits, before: Project | None = None) -> None:
    """Check the size of a project that has grown. Raises TooManySegments, ProjectTooLong."""
    for count, limit, fault in (
        (_segments_in, limits.segments, TooManySegments),
        (_characters_in, limits.chars, ProjectTooLong),
    ):
        size = count(project)
        if size > limit and (before is None or size > count(before)):
            raise fault(count=size, limit=limit)


def chapter_in(project: Project, chapter_id: str) -> Chapter:
    """Raises UnknownChapter."""
    for chapter in project.chapters:
        if chapter.id == chapter_id:
            return chapter
    raise UnknownChapter(chapter=chapter_id)


def segment_in(project: Project, segment_id: str) -> TextSegment:
    """Raises UnknownSegment."""
    for chapter in project.chapters:
        for segment in chapter.segments:
            if segment.id == segment_id:
                return segment
    raise UnknownSegment(segment=segment_id)


def take_in(segment: TextSegment, take_id: str) -> SegmentTake:
    """Raises UnknownSegmentTake."""
    for take in segment.all_takes:
        if take.id == take_id:
            return take
    raise UnknownSegmentTake(take=take_id)


def bytes_below(folder: Path) -> int:
    """The bytes of all files in a folder, names of the same bytes counted once each."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0


def _segments_in(project: Project) -> int:
    return sum(len(chapter.segments) for chapter in project.chapters)


def _characters_in(project: Project) -> int:
    return sum(len(segment.text) for chapter in project.chapters for segment in chapter.segments)
