"""A draft: what was read from a file, before it is a project. It becomes chapters of segments in one place, for all
kinds of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tts_core.domain.text import speakable
from tts_core.domain.values import AUTO_LANGUAGE, ReadAs
from tts_core.speech.plan.markup import tagged_text
from tts_core.speech.plan.split import PauseReason, Piece, SplitPreset, split
from tts_core.studio.edits.segments import MAX_SEGMENT_CHARS
from tts_core.studio.edits.whole import clean_name
from tts_core.studio.model import Chapter, TextSegment

MAX_CHAPTERS = 2_000
LONG_CHAPTER_S = 3 * 3600.0
"""The expected seconds beyond which a chapter is worth a warning."""
_FIRST_LINE_CHARS = 120
_MIXED_SHARE = 0.1
"""The share of a chapter's seconds in another language that is worth a warning."""


@dataclass(frozen=True, slots=True)
class DraftChapter:
    title: str
    text: str
    """Paragraphs, one a line. A line of stars or dashes alone parts scenes."""
    is_included: bool = True
    read_as: ReadAs = ReadAs.PLAIN


@dataclass(frozen=True, slots=True)
class Skipped:
    """Parts of a file that are not read, by what they are: "code", "table", "image", "link", "contents"."""

    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Draft:
    """The content of a file or a pasted text, as it was read."""

    chapters: tuple[DraftChapter, ...]
    title: str = ""
    author: str = ""
    language: str = AUTO_LANGUAGE
    encoding: str = ""
    """The encoding that the file was read in; "" where there was no question."""
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadChapterPreview:
    """A chapter as the preview of an import shows it."""

    title: str
    first_line: str
    is_included: bool
    characters: int
    segments: int
    expected_s: float
    languages: tuple[str, ...]
    """The languages of its text, the most frequent first."""
    warnings: tuple[str, ...]
    """Words for what is worth a look: "long", "mixed_languages", "unknown_characters", "empty"."""


@dataclass(frozen=True, slots=True)
class Splitting:
    """The way a draft's text is parted into segments."""

    language: str = AUTO_LANGUAGE
    preset: SplitPreset = SplitPreset.BALANCED


@dataclass(frozen=True, slots=True)
class SplitDraft:
    """A draft with its text parted; nothing is kept yet."""

    draft: Draft
    pieces: tuple[tuple[Piece, ...], ...]
    """The pieces of each chapter."""

    @classmethod
    def of(cls, draft: Draft, splitting: Splitting) -> SplitDraft:
        return cls(draft, tuple(tuple(_pieces(chapter, splitting)) for chapter in draft.chapters))

    def previews(self) -> tuple[ReadChapterPreview, ...]:
        return tuple(map(_preview, self.draft.chapters, self.pieces))

    def chapters(
        self, included: Sequence[bool] | None = None, titles: Sequence[str] | None = None
    ) -> tuple[Chapter, ...]:
        """The chapters of a new project, with ids that are the same each time; empty ones are left out. `included` and
        `titles` are what a person chose in the preview."""
        made: list[Chapter] = []
        number = 0
        for place, (chapter, pieces) in enumerate(zip(self.draft.chapters, self.pieces, strict=True)):
            if not pieces:
                continue
            segments = []
            for piece in pieces:
                number += 1
                segments.append(_segment(f"s{number:05d}", piece))
            segments[-1] = replace(segments[-1], pause_reason=PauseReason.CHAPTER, pause_s=None)
            is_included = chapter.is_included if included is None else included[place]
            title = clean_name(chapter.title if titles is None else titles[place])
            made.append(Chapter(f"c{len(made) + 1:03d}", title, is_included, tuple(segments)))
        return tuple(made)


def _pieces(chapter: DraftChapter, splitting: Splitting) -> Iterable[Piece]:
    tagged = tagged_text(chapter.text, chapter.read_as)
    pieces = split(tagged, language=splitting.language, preset=splitting.preset).pieces
    for piece in pieces:
        yield from _not_too_long(piece) if len(piece.text) > MAX_SEGMENT_CHARS else (piece,)


def _not_too_long(piece: Piece) -> Iterable[Piece]:
    """A piece in parts, where a line that is kept as it is holds more than a segment may."""
    for start in range(0, len(piece.text), MAX_SEGMENT_CHARS):
        part = piece.text[start : start + MAX_SEGMENT_CHARS]
        is_last = start + MAX_SEGMENT_CHARS >= len(piece.text)
        seconds = piece.expected_s * len(part) / len(piece.text)
        yield replace(piece, text=part, expected_s=seconds, reason=piece.reason if is_last else PauseReason.CLAUSE)


def _segment(segment_id: str, piece: Piece) -> TextSegment:
    is_own = piece.reason is PauseReason.OWN
    reason = PauseReason.PARAGRAPH if piece.reason is PauseReason.END else piece.reason
    return TextSegment(
        segment_id, piece.text, pause_reason=reason, pause_s=min(piece.own_pause_s, 60.0) if is_own else None
    )


def _preview(chapter: DraftChapter, pieces: Sequence[Piece]) -> ReadChapterPreview:
    seconds: dict[str, float] = {}
    for piece in pieces:
        seconds[piece.language] = seconds.get(piece.language, 0.0) + piece.expected_s
    total = sum(seconds.values())
    languages = tuple(sorted(seconds, key=lambda language: -seconds[language]))
    others = total - max(seconds.values(), default=0.0)
    warnings = [
        word
        for word, is_so in (
            ("empty", not pieces),
            ("long", total > LONG_CHAPTER_S),
            ("mixed_languages", total > 0 and others > _MIXED_SHARE * total),
            ("unknown_characters", "\ufffd" in chapter.text),
        )
        if is_so
    ]
    return ReadChapterPreview(
        title=chapter.title,
        first_line=next((line[:_FIRST_LINE_CHARS] for line in chapter.text.splitlines() if speakable(line)), ""),
        is_included=chapter.is_included,
        characters=sum(len(piece.text) for piece in pieces),
        segments=len(pieces),
        expected_s=round(total, 1),
        languages=languages,
        warnings=tuple(warnings),
    )
