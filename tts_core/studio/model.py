"""The document of a project: chapters of segments with their takes. All of them are values; a change makes new ones.

A segment's state, and the take that counts, are never stored: `states` derives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

from tts_core.domain.values import AUTO_LANGUAGE, Decoding, Sampling
from tts_core.speech.plan.lexicon import LexiconEntry
from tts_core.speech.plan.split import PauseReason

FORMAT = 1
"""The number of the form in which projects lie on the disk."""


class ProjectKind(str, Enum):
    NARRATION = "narration"
    DIALOGUE = "dialogue"
    SUBTITLES = "subtitles"
    BATCH = "batch"
    """Rows that each become a file."""


class SegmentState(str, Enum):
    EMPTY = "empty"
    """There is nothing to say."""
    WAITING = "waiting"
    """No take is made yet."""
    MAKING = "making"
    READY = "ready"
    FLAGGED = "flagged"
    """The take may be wrong; a person should listen."""
    STALE = "stale"
    """The take says an earlier text, or says it in an earlier way."""
    FAILED = "failed"
    """No take could be made of the text as it is now."""
    SKIPPED = "skipped"


TO_MAKE = frozenset({SegmentState.WAITING, SegmentState.STALE, SegmentState.FAILED})
"""The states of segments that need a new take."""
IN_EXPORT = frozenset({SegmentState.READY, SegmentState.FLAGGED, SegmentState.STALE})
"""The states of segments that have a take to join."""


class TakeOrigin(str, Enum):
    AUTO = "auto"
    AGAIN = "again"
    """A person asked for another one."""
    RETRY = "retry"
    """The check of the take before refused it."""
    RECORDED = "recorded"
    """A person's own recording."""


class CheckMode(str, Enum):
    OFF = "off"
    FLAGGED = "flagged"
    """Transcribed is only the take that looks wrong already."""
    ALL = "all"


class Continuity(str, Enum):
    SAME_PROMPT = "same_prompt"
    CONTINUE = "continue"
    """A clone goes on from its last segments."""


class TakeFlag(str, Enum):
    """A reason to listen to a take."""

    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    CUT_END = "cut_end"
    SILENT = "silent"
    CLIPPED = "clipped"
    OFFSET = "offset"
    """The wave does not swing around zero."""
    OTHER_VOICE = "other_voice"
    LOST = "lost"
    """The model missed its end or repeats itself."""
    MAX_LENGTH = "max_length"
    WRONG_WORDS = "wrong_words"
    WRONG_RUN = "wrong_run"
    """Many words in a row are wrong."""
    END_MISSING = "end_missing"
    END_ADDED = "end_added"
    """More is spoken after the end."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a transcript differs from the text."""

    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class TakeCheck:
    """The findings about one take."""

    flags: tuple[TakeFlag, ...] = ()
    errors: int | None = None
    """Wrong words or characters; None where no transcript was made."""
    units: int = 0
    """Words or characters of the text."""
    differences: tuple[Difference, ...] = ()
    tail_db: float | None = None
    """The level of the last 10 ms before trimming, dBFS."""
    level_db: float | None = None
    similarity: float | None = None
    """The likeness to the voice, where it was measured."""

    @property
    def rate(self) -> float | None:
        """The share of wrong units."""
        return None if self.errors is None else self.errors / max(1, self.units)


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word's place in a take."""

    text: str
    start_s: float
    end_s: float
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class SegmentTake:
    """A recording of one segment, as it was made: at tempo 1, untrimmed."""

    id: str
    file: str
    """The name of the sound file in the segment's folder of takes."""
    number: int
    """The takes of a segment are counted from 1; the seed follows from it."""
    key: str
    """The hash of the spoken text and the way of speaking: see `states.Keys`."""
    duration_s: float
    sample_rate: int
    frames: int = 0
    """The frames that the model made; 0 for engines that make none."""
    seed: int | None = None
    made_at: str = ""
    """ISO 8601, UTC."""
    voice: str = ""
    engine: str = ""
    """The engine, with the id of its weights where it has any."""
    origin: TakeOrigin = TakeOrigin.AUTO
    stop_reason: str = "complete"
    wall_s: float = 0.0
    """The seconds that making it took."""
    check: TakeCheck | None = None
    tempo: float = 1.0
    words: tuple[SpokenWord, ...] | None = None


@dataclass(frozen=True, slots=True)
class TakeFailure:
    """The reason why a segment has no take. A changed text or voice makes it void."""

    code: str
    """The code of the error."""
    key: str
    """The key of the take that could not be made."""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A way of speaking; what is left out comes from the row of the cast, then from the project."""

    voice: str | None = None
    """A voice's id."""
    style: str | None = None
    """A style instruction; "" is none."""
    language: str | None = None
    speed: float | None = None

    def over(self, other: Delivery) -> Delivery:
        """Complete this way of speaking by the other one."""
        return Delivery(
            voice=other.voice if self.voice is None else self.voice,
            style=other.style if self.style is None else self.style,
            language=other.language if self.language is None else self.language,
            speed=other.speed if self.speed is None else self.speed,
        )


@dataclass(frozen=True, slots=True)
class Slot:
    """The time that a cue of subtitles has, seconds."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class TextSegment:
    """A piece of text that is spoken at once."""

    id: str
    text: str
    speaker: str = ""
    """The name of a row of the cast; "" is the narrator."""
    delivery: Delivery = Delivery()
    pause_reason: PauseReason = PauseReason.SENTENCE
    """The kind of place that follows."""
    pause_s: float | None = None
    """The pause after it; None: the reason's usual one."""
    slot: Slot | None = None
    seed: int | None = None
    """The seed of the next take; None: it follows from the project's."""
    file_name: str = ""
    """The name of its own file, where each row becomes one."""
    note: str = ""
    is_skipped: bool = False
    chosen: str = ""
    """The take that a person chose; "" takes the best one."""
    starred: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    """Takes that a person deleted; undo brings them back until their files are cleared."""
    accepted: tuple[str, ...] = ()
    """Takes that a person found right in spite of their flags."""
    tolerated: tuple[Difference, ...] = ()
    """Differences of transcripts that a person found right; they stay so in later takes."""
    revision: int = 0
    """The project's revision in which a person last changed it."""
    all_takes: tuple[SegmentTake, ...] = ()
    """The takes on the disk, by number; kept in files of their own."""
    failure: TakeFailure | None = None
    """Kept in a file of its own as well."""

    @property
    def takes(self) -> tuple[SegmentTake, ...]:
        """The takes that were not deleted."""
        return tuple(take for take in self.all_takes if take.id not in self.deleted)

    @property
    def next_number(self) -> int:
        """The number of the next take."""
        return max((take.number for take in self.all_takes), default=0) + 1


@dataclass(frozen=True, slots=True)
class Chapter:
    id: str
    title: str = ""
    is_included: bool = True
    """Whether it is made and exported with the rest."""
    segments: tuple[TextSegment, ...] = ()


@dataclass(frozen=True, slots=True)
class CastMember:
    """A speaker of the project."""

    name: str
    delivery: Delivery = Delivery()
    aliases: tuple[str, ...] = ()
    colour: str = ""
    gain_db: float = 0.0
    pan: float = 0.0
    """The place in stems, -1 left to 1 right."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project with everything in it."""

    id: str
    title: str
    kind: ProjectKind = ProjectKind.NARRATION
    revision: int = 0
    """The number of the newest change."""
    header_revision: int = 0
    """The revision that last changed something other than segments."""
    author: str = ""
    language: str = AUTO_LANGUAGE
    cover: str = ""
    """The name of the picture's file among the sources."""
    cast: tuple[CastMember, ...] = ()
    defaults: Delivery = Delivery()
    sampling: Sampling = field(default_factory=Sampling)
    decoding: Decoding = field(default_factory=Decoding)
    pauses: str = "normal"
    """The name of the preset of pauses."""
    split: str = "balanced"
    """The name of the preset by which texts were split."""
    seed: int = 0
    check: CheckMode | None = None
    """The extent of the check; None takes what fits the machine."""
    continuity: Continuity = Continuity.SAME_PROMPT
    lexicon: tuple[LexiconEntry, ...] = ()
    """The project's own entries; they win over those for all projects."""
    settings: dict[str, dict[str, object]] = field(default_factory=dict)
    """The settings that exports, fitting and marks remember, each under its own name."""
    created_at: str = ""
    updated_at: str = ""
    deleted_at: str = ""
    """The time of deletion; "" for a project that is there."""
    chapters: tuple[Chapter, ...] = ()

    @property
    def segments(self) -> tuple[TextSegment, ...]:
        """The segments of all chapters in order."""
        return tuple(segment for chapter in self.chapters for segment in chapter.segments)

    def member(self, name: str) -> CastMember | None:
        """The row of the cast that has this name or alias."""
        return next((member for member in self.cast if name == member.name or name in member.aliases), None)

    def delivery_of(self, segment: TextSegment) -> Delivery:
        """The way that the segment is spoken, without gaps but for a voice that nobody chose."""
        member = self.member(segment.speaker) if segment.speaker else None
        own = segment.delivery if member is None else segment.delivery.over(member.delivery)
        return own.over(self.defaults).over(Delivery(style="", language=self.language, speed=1.0))

    def with_voice(self, voice: str) -> Project:
        """The project spoken by that voice, wherever no other one is named."""
        return replace(self, defaults=replace(self.defaults, voice=voice))

    def with_chapter(self, chapter: Chapter) -> Project:
        """The project with this chapter in the place of the one with its id."""
        return replace(self, chapters=tuple(chapter if one.id == chapter.id else one for one in self.chapters))
