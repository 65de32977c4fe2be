"""Sizes and pauses of projects, and the search in them for what an id names."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from tts_core.platform.settings.projects import ProjectLimits
from tts_core.speech.plan.join import PAUSE_FACTORS, pause_seconds
from tts_core.speech.plan.script import language_of
from tts_core.speech.plan.split import PauseReason
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


def pause_after(project: Project, segment: TextSegment, reason: PauseReason | None = None) -> float:
    """The seconds of silence after a segment: its own, else the usual ones of `reason` (None: the segment's own)."""
    if segment.pause_s is not None:
        return segment.pause_s
    language = language_of(segment.text, project.delivery_of(segment).language or "")
    return pause_seconds(reason or segment.pause_reason, language, PAUSE_FACTORS.get(project.pauses, 1.0))


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
    """The bytes of all files in a folder."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            total += bytes_below(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else entry.stat().st_size
    return total


def _segments_in(project: Project) -> int:
    return sum(len(chapter.segments) for chapter in project.chapters)


def _characters_in(project: Project) -> int:
    return sum(len(segment.text) for chapter in project.chapters for segment in chapter.segments)
