"""A text becomes a plan: the segments that a voice speaks one after the other, and the pauses between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tts_core.domain.text import speakable
from tts_core.domain.values import AUTO_LANGUAGE, ReadAs
from tts_core.speech.plan.join import pause_seconds
from tts_core.speech.plan.lexicon import NO_LEXICON, Lexicon, ignored_tags
from tts_core.speech.plan.markup import tagged_text, written_text
from tts_core.speech.plan.pace import expected_seconds
from tts_core.speech.plan.script import language_of, rejoined_lines
from tts_core.speech.plan.split import SPLIT_VERSION, TARGET_S, PauseReason, Piece, SplitPreset, is_too_long, split

MAX_PAUSES_S = 60.0
"""The most seconds of pauses that one text may ask for."""
_SHORT_CHARS = 320
"""The most characters of a text whose paragraphs are spoken at once."""


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    """A part of a text that is spoken at once."""

    text: str
    """The words as they are written."""
    spoken: str
    """The words as they are spoken: readings in place of terms."""
    language: str
    """The short code of the language it is written in."""
    expected_s: float
    """The seconds it takes to say at speed 1, by its letters."""
    pause_after_s: float
    reason: PauseReason
    """The reason of the pause after it."""


@dataclass(frozen=True, slots=True)
class SpeechPlan:
    """A text as it will be spoken."""

    segments: tuple[PlannedSegment, ...]
    lead_s: float = 0.0
    """The pause before the first segment."""
    ignored: tuple[str, ...] = ()
    """The tags that can't be done as they stand, each as it was typed."""
    split_version: int = SPLIT_VERSION

    @property
    def expected_s(self) -> float:
        """The seconds of the whole at speed 1, pauses included."""
        return self.lead_s + sum(segment.expected_s + segment.pause_after_s for segment in self.segments)

    @property
    def has_pauses(self) -> bool:
        """Whether the text asks for pauses."""
        return bool(self.lead_s) or any(segment.reason is PauseReason.OWN for segment in self.segments)

    @property
    def is_one_call(self) -> bool:
        """Whether one call of an engine says it all."""
        return len(self.segments) == 1 and not self.has_pauses


@dataclass(frozen=True, slots=True)
class PlanChoices:
    """The ways in which a text may be planned."""

    language: str = AUTO_LANGUAGE
    voice: str | None = None
    """The id of the voice that speaks, for entries of the lexicon that are for some voices only."""
    read_as: ReadAs = ReadAs.MARKDOWN
    preset: SplitPreset = SplitPreset.BALANCED
    pause_factor: float = 1.0
    """The factor on all pauses that the text does not ask for."""
    keeps_short_whole: bool = False
    """Whether short lines that follow each other stay together, and a text of several paragraphs that is short enough
    and asks for no pauses is one segment: voices speak single words badly."""


_USUAL = PlanChoices()


def plan(text: str, choices: PlanChoices = _USUAL, lexicon: Lexicon = NO_LEXICON) -> SpeechPlan:
    """The plan of a text as a person typed it; without segments where there is nothing to say.

    >>> [(one.spoken, one.pause_after_s) for one in plan("Hello. [pause 2s] Bye.").segments]
    [('Hello.', 2.0), ('Bye.', 0.0)]
    """
    tagged = tagged_text(text, choices.read_as)
    lines = rejoined_lines(tagged)
    parts = split(lines, language=choices.language, preset=choices.preset)
    room_s = MAX_PAUSES_S - parts.lead_s
    segments = []
    for piece in _with_short_lines_together(lines, parts.pieces) if choices.keeps_short_whole else parts.pieces:
        segment = _segment(piece, choices, lexicon, room_s)
        room_s -= segment.pause_after_s if segment.reason is PauseReason.OWN else 0.0
        segments.append(segment)
    if choices.keeps_short_whole and _is_short(segments, parts.lead_s):
        segments = [_whole(tagged, segments, choices, lexicon)]
    return SpeechPlan(tuple(segments), min(parts.lead_s, MAX_PAUSES_S), tuple(ignored_tags(tagged)))


def plan_of_one(text: str, language: str = AUTO_LANGUAGE) -> SpeechPlan:
    """The plan of a text that is spoken as it stands, by one call."""
    if not speakable(text):
        return SpeechPlan(())
    code = language_of(text, language)
    return SpeechPlan((PlannedSegment(text, text, code, expected_seconds(text, code), 0.0, PauseReason.END),))


def words_of(text: str, read_as: ReadAs) -> str:
    """The words of a text as they are written, without its tags: what a check compares with what was heard."""
    return written_text(tagged_text(text, read_as))


def _with_short_lines_together(text: str, pieces: Sequence[Piece]) -> list[Piece]:
    together: list[Piece] = []
    for piece in pieces:
        before = together[-1] if together else None
        if before is not None and _is_next_line(text, before, piece):
            seconds = round(before.expected_s + piece.expected_s, 3)
            whole = text[before.start : piece.end]
            together[-1] = replace(piece, text=whole, start=before.start, expected_s=seconds)
        else:
            together.append(piece)
    return together


def _is_next_line(text: str, before: Piece, piece: Piece) -> bool:
    """Whether a short piece is the line below a piece that has room for it."""
    return (
        before.reason is PauseReason.PARAGRAPH
        and before.language == piece.language
        and piece.expected_s < TARGET_S[0]
        and before.expected_s + piece.expected_s <= TARGET_S[1]
        and text[before.end : piece.start].strip(" ") == "\n"
        and not is_too_long(text[before.start : piece.end], 0.0, piece.language)
    )


def _is_short(segments: Sequence[PlannedSegment], lead_s: float) -> bool:
    seconds, chars = sum(one.expected_s for one in segments), sum(len(one.text) for one in segments)
    asks_for_pauses = lead_s or any(one.reason in (PauseReason.OWN, PauseReason.SCENE) for one in segments)
    return len(segments) > 1 and not asks_for_pauses and seconds <= TARGET_S[1] and chars <= _SHORT_CHARS


def _whole(tagged: str, segments: Sequence[PlannedSegment], choices: PlanChoices, lexicon: Lexicon) -> PlannedSegment:
    """The text as one segment, its paragraphs apart."""
    language = segments[0].language
    spoken = lexicon.spoken(tagged, language=language, voice=choices.voice)
    seconds = round(sum(one.expected_s for one in segments), 3)
    return PlannedSegment(written_text(tagged), spoken, language, seconds, 0.0, PauseReason.END)


def _segment(piece: Piece, choices: PlanChoices, lexicon: Lexicon, room_s: float) -> PlannedSegment:
    spoken = lexicon.spoken(piece.text, language=piece.language, voice=choices.voice)
    is_own = piece.reason is PauseReason.OWN
    own_s = max(0.0, min(piece.own_pause_s, room_s))
    pause_s = own_s if is_own else pause_seconds(piece.reason, piece.language, choices.pause_factor)
    written = written_text(piece.text)
    seconds = piece.expected_s if spoken == written else round(expected_seconds(spoken, piece.language), 3)
    return PlannedSegment(written, spoken, piece.language, seconds, pause_s, piece.reason)
