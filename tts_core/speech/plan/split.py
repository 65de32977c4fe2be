"""Parts a text into pieces that a voice speaks well: paragraphs, sentences, packed together, cut where too long.

The parting follows from the text, its language, and SPLIT_VERSION alone, never from how fast a voice or a machine is:
the same text gives the same pieces, and with the same seed the same sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from tts_core.domain.sentences import sentence_ends
from tts_core.domain.text import speakable
from tts_core.speech.plan.cut import shortened
from tts_core.speech.plan.markup import TagKind, find_tags, parts_between_tags
from tts_core.speech.plan.pace import count_units, expected_seconds
from tts_core.speech.plan.script import language_of

SPLIT_VERSION = 1
"""Changes whenever the same text would give other pieces."""
HARD_S = 25.0
"""The most seconds of a piece by its expected length: 312 frames of Qwen3-TTS, and inside a window of Whisper."""
TARGET_S = (6.0, 16.0)
_MOST_CHARS = MappingProxyType({"zh": 120, "yue": 120, "ja": 150, "ko": 140})
_MOST_OTHER_CHARS = 320
_FEW_UNITS = 3
"""The words, or letters of Chinese, Japanese and Korean, below which a sentence joins its neighbour: models run away
on a request of one word."""
_SCENE = re.compile(r"\s*(?:[*⁂•◇◆※]\s*){1,10}|\s*(?:[-—–_=~]\s*){3,80}|\s*#\s*")


class PauseReason(str, Enum):
    """The reason of a pause after a piece."""

    CLAUSE = "clause"
    SENTENCE = "sentence"
    PARAGRAPH = "paragraph"
    SCENE = "scene"
    CHAPTER = "chapter"
    SPEAKER = "speaker"
    OWN = "own"
    """A pause that the text asks for."""
    END = "end"
    """Nothing follows."""


class SplitPreset(str, Enum):
    """The way sentences are put together."""

    SENTENCES = "sentences"
    """A piece for every sentence."""
    BALANCED = "balanced"
    """Six to sixteen seconds."""
    LONG = "long"
    """Sixteen to twenty-five seconds."""
    PARAGRAPH = "paragraph"
    """A piece for every line, however long: for dialogues, subtitles and tables."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a tagged text that is spoken at once."""

    text: str
    """The part of the text as it stands there, tags of readings in it."""
    start: int
    end: int
    """The place in the text: `text` is what stands from `start` to `end`."""
    language: str
    """The short code of the language it is written in, such as "en" or "zh"."""
    expected_s: float
    """The seconds it takes to say at speed 1, by its letters."""
    reason: PauseReason
    """The reason of the pause after it."""
    own_pause_s: float = 0.0
    """The pause after it that the text asks for; counts where the reason is OWN."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """A text in pieces."""

    pieces: tuple[Piece, ...]
    lead_s: float = 0.0
    """The pause before the first piece."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A sentence, or several."""

    start: int
    end: int
    seconds: float
    units: int
    reason: PauseReason = PauseReason.SENTENCE


def split(tagged: str, *, language: str = "auto", preset: SplitPreset = SplitPreset.BALANCED) -> Pieces:
    """Part a text, whose tags are kept whole; a pause tag parts it, too, and is in none of the pieces.

    `language` decides where the letters of a paragraph fit several. Every line is a paragraph; no piece crosses one.

    >>> [piece.text for piece in split("One line here. [pause 1s] And more.\\nNext one.").pieces]
    ['One line here.', 'And more.', 'Next one.']
    """
    pieces: list[Piece] = []
    lead_s, at = 0.0, 0
    for line in tagged.split("\n"):
        if _SCENE.fullmatch(line) and pieces:
            if pieces[-1].reason is not PauseReason.OWN:
                pieces[-1] = replace(pieces[-1], reason=PauseReason.SCENE)
        else:
            spoken_as = ""
            for start, end, pause_s in _between_pauses(tagged, at, at + len(line)):
                if speakable(_spoken(tagged[start:end])):
                    spoken_as = spoken_as or language_of(line, language)
                    pieces += _pieces(tagged, start, end, spoken_as, preset)
                if pause_s and pieces:
                    pieces[-1] = _with_pause(pieces[-1], pause_s)
                else:
                    lead_s += pause_s
        at += len(line) + 1
    if pieces and pieces[-1].reason is not PauseReason.OWN:
        pieces[-1] = replace(pieces[-1], reason=PauseReason.END)
    return Pieces(tuple(pieces), lead_s)


def is_too_long(text: str, seconds: float, language: str) -> bool:
    """Whether a piece is longer than any may be."""
    return seconds > HARD_S or len(text) > _MOST_CHARS.get(language, _MOST_OTHER_CHARS)


def _between_pauses(tagged: str, start: int, end: int) -> Iterator[tuple[int, int, float]]:
    """The parts of a line between its pauses, each with the pause after it."""
    at = start
    for tag in find_tags(tagged[start:end]):
        if tag.kind is TagKind.PAUSE:
            yield at, start + tag.start, tag.seconds
            at = start + tag.end
    yield at, end, 0.0


def _with_pause(piece: Piece, pause_s: float) -> Piece:
    return replace(piece, reason=PauseReason.OWN, own_pause_s=piece.own_pause_s + pause_s)


def _pieces(tagged: str, start: int, end: int, language: str, preset: SplitPreset) -> list[Piece]:
    """The pieces of a part of a paragraph."""
    if preset is SplitPreset.PARAGRAPH:
        spans = [_span(tagged, start, end, language)]
    else:
        sentences = _sentences(tagged, start, end, language)
        spans = _packed([part for one in sentences for part in _not_too_long(tagged, one, language)], language, preset)
    pieces = [_piece(tagged, span, language) for span in spans]
    pieces[-1] = replace(pieces[-1], reason=PauseReason.PARAGRAPH)
    return pieces


def _sentences(tagged: str, start: int, end: int, language: str) -> list[_Span]:
    text = tagged[start:end]
    whole = [(tag.start, tag.end) for tag in find_tags(text)]
    spans, at = [], 0
    for stop in sentence_ends(text, longest_quote=_MOST_CHARS.get(language, _MOST_OTHER_CHARS)):
        if not any(first < stop < last for first, last in whole) and text[at:stop].strip():
            spans.append(_span(tagged, start + at, start + stop, language))
            at = stop
    return spans


def _not_too_long(tagged: str, span: _Span, language: str) -> Iterator[_Span]:
    text = tagged[span.start : span.end]
    if not is_too_long(text.strip(), span.seconds, language):
        yield span
        return

    def is_long(part: str) -> bool:
        return is_too_long(part.strip(), expected_seconds(_spoken(part), language), language)

    stops = [*shortened(text, is_long), len(text)]
    for number, stop in enumerate(stops):
        part = _span(tagged, span.start + (stops[number - 1] if number else 0), span.start + stop, language)
        yield part if stop == len(text) else replace(part, reason=PauseReason.CLAUSE)


def _packed(spans: Sequence[_Span], language: str, preset: SplitPreset) -> list[_Span]:
    """Sentences put together, in order, from the first on: what is added to a text leaves the pieces before it."""
    packed: list[_Span] = []
    for span in spans:
        if packed and _belong_together(packed[-1], span, language, preset):
            packed[-1] = _joined(packed[-1], span)
        else:
            packed.append(span)
    return packed


def _belong_together(before: _Span, after: _Span, language: str, preset: SplitPreset) -> bool:
    both = _joined(before, after)
    if both.seconds > HARD_S or both.end - both.start > _MOST_CHARS.get(language, _MOST_OTHER_CHARS):
        return False
    if min(before.units, after.units) < _few(language):
        return True
    if preset is SplitPreset.SENTENCES:
        return before.reason is PauseReason.CLAUSE and both.seconds <= TARGET_S[1]
    least, most = TARGET_S if preset is SplitPreset.BALANCED else (TARGET_S[1], HARD_S)
    return both.seconds <= most or least - before.seconds > both.seconds - most  # too short is worse than too long


def _few(language: str) -> int:
    return _FEW_UNITS + 1 if language in _MOST_CHARS else _FEW_UNITS


def _joined(before: _Span, after: _Span) -> _Span:
    return _Span(
        before.start, after.end, before.seconds + after.seconds, before.units + after.units, reason=after.reason
    )


def _span(tagged: str, start: int, end: int, language: str) -> _Span:
    spoken = _spoken(tagged[start:end])
    return _Span(start, end, expected_seconds(spoken, language), count_units(spoken))


def _piece(tagged: str, span: _Span, language: str) -> Piece:
    text = tagged[span.start : span.end]
    start = span.start + len(text) - len(text.lstrip())
    text = text.strip()
    return Piece(text, start, start + len(text), language, round(span.seconds, 3), span.reason)


def _spoken(tagged: str) -> str:
    if "[" not in tagged:
        return tagged
    return "".join(part if isinstance(part, str) else part.spoken for part in parts_between_tags(tagged))
