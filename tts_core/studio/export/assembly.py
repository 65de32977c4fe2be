"""The pieces of a joined file: which takes in which order, and how each is changed where they are joined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from tts_core.domain.values import choice_named
from tts_core.speech.plan.join import PAUSE_FACTORS, level_gains
from tts_core.speech.plan.pace import expected_seconds
from tts_core.speech.plan.script import language_of
from tts_core.speech.plan.split import PauseReason
from tts_core.studio.faults import NothingToExport, SegmentsMissing
from tts_core.studio.index import SegmentRow
from tts_core.studio.measures import pause_after
from tts_core.studio.model import IN_EXPORT, Project, SegmentState
from tts_core.studio.speaking import VoiceFacts
from tts_core.studio.store import OpenProject

OTHER_SPEAKER_S = 0.15
"""The seconds that a pause is longer where somebody else goes on."""
_LEFT_OUT = frozenset({SegmentState.EMPTY, SegmentState.SKIPPED})


class Missing(str, Enum):
    """The handling of segments that have no take."""

    STOP = "stop"
    SKIP = "skip"
    SILENCE = "silence"
    """Silence takes their place, as long as they would be."""


@dataclass(frozen=True, slots=True)
class JoinChoices:
    """The choices for one joined file."""

    format: str = "wav"
    chapters: tuple[str, ...] = ()
    """The ids of the chapters in it; () for all that are included."""
    missing: Missing = Missing.STOP
    name: str = ""
    """The name of the file without its ending; "" takes the project's title."""

    @classmethod
    def of(cls, format: str, missing: str, chapters: tuple[str, ...] = (), name: str = "") -> JoinChoices:  # noqa: A002
        """Raises InvalidChoice."""
        return cls(format, chapters, choice_named(Missing, "missing", missing), name)


@dataclass(frozen=True, slots=True)
class JoinPiece:
    """A take, or the silence in its place, and what is done to it."""

    segment_id: str
    sound: Path | None
    seconds: float
    """The length of the take as it was made, or of the silence."""
    rate: int
    """The rate of the sound, hertz; 0 for silence."""
    tempo: float = 1.0
    gain_db: float = 0.0
    pause_s: float = 0.0
    """The pause after it."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that a joined file is made of."""

    pieces: tuple[JoinPiece, ...]
    missing: tuple[str, ...] = ()
    """The segments that have no take."""
    counts: dict[str, int] = field(default_factory=dict)
    """The segments by state."""


def assembled(project: OpenProject, choices: JoinChoices, voices: VoiceFacts) -> Assembly:
    """The pieces of the chosen chapters. Raises SegmentsMissing where the choice is to stop, NothingToExport."""
    document = project.project
    rows = [row for row in _rows(project, choices) if row.state not in _LEFT_OUT]
    missing = tuple(row.segment.id for row in rows if not _has_take(row))
    if missing and choices.missing is Missing.STOP:
        raise SegmentsMissing(count=len(missing), segments=missing[:100])
    if choices.missing is Missing.SKIP:
        rows = [row for row in rows if _has_take(row)]
    if not any(map(_has_take, rows)):
        raise NothingToExport
    pieces = _with_levels(rows, [_piece(project, row, voices) for row in rows])
    counts = {state.value: sum(row.state is state for row in rows) for state in {row.state for row in rows}}
    return Assembly(tuple(_with_pauses(document, rows, pieces)), missing, counts)


def _rows(project: OpenProject, choices: JoinChoices) -> list[SegmentRow]:
    included = {chapter.id for chapter in project.project.chapters if chapter.is_included}
    wanted = set(choices.chapters) or included
    return [row for row in project.rows() if row.chapter in wanted]


def _has_take(row: SegmentRow) -> bool:
    return row.take is not None and row.state in IN_EXPORT


def _piece(project: OpenProject, row: SegmentRow, voices: VoiceFacts) -> JoinPiece:
    take, segment = row.take, row.segment
    if take is None or not _has_take(row):
        spoken = project.spoken(segment)
        language = language_of(spoken, project.project.delivery_of(segment).language or "")
        return JoinPiece(segment.id, None, expected_seconds(spoken, language), 0)
    delivery, member = project.project.delivery_of(segment), project.project.member(segment.speaker)
    is_own_speed = bool(delivery.voice) and voices.speaks_at_speeds(delivery.voice or "")
    return JoinPiece(
        segment.id,
        project.sound_of(segment.id, take.id),
        take.duration_s,
        take.sample_rate,
        tempo=take.tempo * (1.0 if is_own_speed else delivery.speed or 1.0),
        gain_db=0.0 if member is None or not segment.speaker else member.gain_db,
    )


def _with_levels(rows: Sequence[SegmentRow], pieces: Sequence[JoinPiece]) -> list[JoinPiece]:
    """The pieces with the gains that bring what is too loud or too quiet for its voice nearer to the rest."""
    levels: dict[str, list[tuple[int, float]]] = {}
    for place, row in enumerate(rows):
        check = None if row.take is None else row.take.check
        if row.take is not None and check is not None and check.level_db is not None:
            levels.setdefault(row.take.voice, []).append((place, check.level_db))
    gains = [0.0] * len(rows)
    for measured in levels.values():
        for (place, _level), gain in zip(measured, level_gains(level for _, level in measured), strict=True):
            gains[place] = gain
    return [replace(piece, gain_db=piece.gain_db + gain) for piece, gain in zip(pieces, gains, strict=True)]


def _with_pauses(project: Project, rows: Sequence[SegmentRow], pieces: Sequence[JoinPiece]) -> Iterator[JoinPiece]:
    factor = PAUSE_FACTORS.get(project.pauses, 1.0)
    for place, (row, piece) in enumerate(zip(rows, pieces, strict=True)):
        following = rows[place + 1] if place + 1 < len(rows) else None
        yield replace(piece, pause_s=_pause_s(project, row, following, factor))


def _pause_s(project: Project, row: SegmentRow, following: SegmentRow | None, factor: float) -> float:
    segment = row.segment
    if segment.pause_s is not None or following is None:
        return segment.pause_s or 0.0
    reason = PauseReason.CHAPTER if following.chapter != row.chapter else segment.pause_reason
    pause_s = pause_after(project, segment, reason)
    return pause_s + (OTHER_SPEAKER_S * factor if following.segment.speaker != segment.speaker else 0.0)
