"""The check of one finished take, with a transcript where the project wants one and Whisper is there."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tts_core.audio.files import read_samples
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, StudioError
from tts_core.domain.values import StopReason
from tts_core.speech.plan.lexicon import LexiconSource, no_lexicon
from tts_core.speech.plan.markup import TagKind, find_tags
from tts_core.studio.making.sound_check import SoundFacts, judged_sound, with_transcript
from tts_core.studio.making.sounds import Pronounce, silent
from tts_core.studio.making.transcripts import Expected, Simplify, compared, is_tiny
from tts_core.studio.model import CheckMode, Project, TakeCheck, TakeFlag, TextSegment

logger = logging.getLogger(__name__)


class TakeListener(Protocol):
    """A transcriber of takes."""

    def is_ready(self) -> bool:
        """Whether there is a model to listen with; a cheap question."""

    def transcript(self, recording: Path, language: str, cancelled: CancelCheck) -> str:
        """The words in a recording of that language (a short code). Raises StudioErrors, Cancelled."""


@dataclass(frozen=True, slots=True)
class Comparing:
    """The ways in which a transcript is compared with a text."""

    listener: TakeListener
    simplify: Simplify
    pronounce: Pronounce = silent


@dataclass(frozen=True, slots=True)
class CheckedText:
    """The text that a take should say, and how long that takes in its voice."""

    spoken: str
    language: str
    expected_s: float
    units: int


class TakeChecker:
    def __init__(
        self,
        comparing: Comparing | None = None,
        lexicon: LexiconSource = no_lexicon,
        usual: Callable[[], CheckMode] = lambda: CheckMode.FLAGGED,
    ) -> None:
        """`usual` is the extent of the check where a project has none. Without `comparing` sounds alone are judged."""
        self._comparing = comparing
        self._lexicon = lexicon
        self._usual = usual

    def check(
        self,
        take: tuple[Path, StopReason],
        text: CheckedText,
        place: tuple[Project, TextSegment],
        cancelled: CancelCheck,
    ) -> TakeCheck | None:
        """Check a take by its file and the reason why it ended; None where the project wants no check. Raises
        Cancelled."""
        project, segment = place
        mode = project.check or self._usual()
        if mode is CheckMode.OFF:
            return None
        sound, stop_reason = take
        samples, rate = read_samples(sound)
        check = judged_sound(samples, rate, SoundFacts(text.expected_s, stop_reason))
        is_wanted = mode is CheckMode.ALL or bool(check.flags) or is_tiny(text.units, text.language)
        if TakeFlag.SILENT in check.flags or not is_wanted:
            return check
        return self._listened(check, sound, self._expected(text, project, segment), cancelled)

    def _listened(self, check: TakeCheck, sound: Path, expected: Expected, cancelled: CancelCheck) -> TakeCheck:
        comparing = self._comparing
        if comparing is None or not comparing.listener.is_ready():
            return check
        try:
            transcript = comparing.listener.transcript(sound, expected.language, cancelled)
        except Cancelled:
            raise
        except StudioError as error:  # the take is there; that nobody could listen to it must not lose it
            logger.warning("a take was not transcribed: %s", error.code)
            return check
        return with_transcript(check, compared(expected, transcript, comparing.simplify, comparing.pronounce))

    def _expected(self, text: CheckedText, project: Project, segment: TextSegment) -> Expected:
        entries = {entry.term: entry.reading for entry in self._lexicon().entries}
        entries.update({entry.term: entry.reading for entry in project.lexicon if entry.enabled})
        tags = (tag for tag in find_tags(segment.text) if tag.kind is TagKind.READING)
        entries.update({tag.written: tag.spoken for tag in tags})
        used = tuple((term, reading) for term, reading in entries.items() if reading in text.spoken)
        names = tuple(name for member in project.cast for name in (member.name, *member.aliases))
        return Expected(text.spoken, text.language, used, names, segment.tolerated)
