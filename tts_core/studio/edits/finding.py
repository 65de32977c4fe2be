"""Find and replace in the texts of segments. Counting changes nothing, so that a person sees the number first."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tts_core.studio.edits.segments import checked_text, with_segments
from tts_core.studio.faults import SearchEmpty
from tts_core.studio.model import Project, TextSegment


@dataclass(frozen=True, slots=True)
class TextSearch:
    """A text to look for, as it is written."""

    text: str
    match_case: bool = False
    whole_words: bool = False
    chapter: str = ""
    """The only chapter that is searched; "" is all."""

    def pattern(self) -> re.Pattern[str]:
        """Raises SearchEmpty."""
        if not self.text:
            raise SearchEmpty
        escaped = re.escape(self.text)
        if self.whole_words:
            start = r"\b" if re.match(r"\w", self.text) else ""
            end = r"\b" if re.search(r"\w\Z", self.text) else ""
            escaped = f"{start}{escaped}{end}"
        return re.compile(escaped, 0 if self.match_case else re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundPlaces:
    segments: tuple[str, ...]
    """The ids of the segments in which the text is, in order."""
    places: int
    """The number of times in all."""


def found(project: Project, search: TextSearch) -> FoundPlaces:
    """Where the text is. Raises SearchEmpty."""
    pattern = search.pattern()
    segments, places = [], 0
    for segment in _searched(project, search):
        if count := sum(1 for _ in pattern.finditer(segment.text)):
            segments.append(segment.id)
            places += count
    return FoundPlaces(tuple(segments), places)


def replaced(project: Project, search: TextSearch, replacement: str) -> Project:
    """The project with another text in those places. Raises SearchEmpty, InvalidValue where one grows too long."""
    pattern = search.pattern()

    def change(segment: TextSegment) -> TextSegment:
        return replace(segment, text=checked_text(pattern.sub(lambda _match: replacement, segment.text)))

    return with_segments(project, found(project, search).segments, change)


def _searched(project: Project, search: TextSearch) -> tuple[TextSegment, ...]:
    chapters = (one for one in project.chapters if search.chapter in ("", one.id))
    return tuple(segment for chapter in chapters for segment in chapter.segments)
