"""Takes of one segment: made, checked, and made again while it is wrong, at most twice. The best is kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import Loading, Queued, Restarted, SpeakEvent, Started, TakeReady
from tts_core.domain.values import ReadAs, SplitMode, StopReason, SynthesisRequest, Take
from tts_core.speech.plan.pace import count_units, expected_seconds
from tts_core.speech.plan.script import language_of
from tts_core.speech.synthesis import Synthesis
from tts_core.studio.disk.journal import now
from tts_core.studio.index import SegmentRow
from tts_core.studio.making.checker import CheckedText, TakeChecker
from tts_core.studio.making.pace import Manner, Paces
from tts_core.studio.making.sound_check import LONGEST
from tts_core.studio.making.transcripts import is_tiny
from tts_core.studio.model import SegmentTake, TakeCheck, TakeOrigin
from tts_core.studio.speaking import VoiceFacts
from tts_core.studio.states import take_seed
from tts_core.studio.store import OpenProject

MOST_TAKES = 3
"""The takes of one text that are made by themselves: one, and two more where it is wrong."""
_LEAST_BOUND_S, _TINY_BOUND_S = 10.0, 4.0
"""The least bounds of a take's length; the second for a text so short that models run away on it."""


@dataclass(frozen=True, slots=True)
class SegmentWork:
    """A segment as it will be spoken."""

    segment_id: str
    voice: str
    """The id of its voice; "" is the best there is."""
    style: str
    language: str
    """The language that the voice is asked for."""
    text: CheckedText

    @property
    def manner(self) -> Manner:
        return self.voice, self.style


@dataclass(frozen=True, slots=True)
class MadeSegment:
    """The result of making one segment."""

    takes: tuple[SegmentTake, ...]
    wall_s: float
    """The seconds that the engine and the checks worked on it."""


def work_of(project: OpenProject, row: SegmentRow) -> SegmentWork:
    """The work that a row is, by its text as it is now."""
    document = project.project
    delivery = document.delivery_of(row.segment)
    spoken = project.spoken(row.segment)
    language = language_of(spoken, delivery.language or "")
    text = CheckedText(spoken, language, expected_seconds(spoken, language), count_units(spoken))
    return SegmentWork(row.segment.id, delivery.voice or "", delivery.style or "", delivery.language or "auto", text)


def fitting_takes(row: SegmentRow) -> int:
    """The takes of the text as it is now that a voice has made."""
    return sum(row.keys.fits(take) and take.origin is not TakeOrigin.RECORDED for take in row.segment.takes)


class SegmentMaker:
    """Makes the takes of one project, for several threads at a time."""

    def __init__(self, synthesis: Synthesis, checker: TakeChecker, voices: VoiceFacts) -> None:
        self._synthesis = synthesis
        self._checker = checker
        self._voices = voices

    def make(
        self,
        project: OpenProject,
        segment_id: str,
        paces: Paces,
        origin: TakeOrigin,
        stops: tuple[CancelCheck, CancelCheck],
    ) -> MadeSegment:
        """Make takes of a segment until one is right, at most MOST_TAKES. With the origin AGAIN it makes one.

        stops: whether no other take is to begin, and whether the one that is being made is to end. Raises Cancelled,
        and what speaking and the project's disk raise.
        """
        made: list[SegmentTake] = []
        worked_s = 0.0
        row = project.row(segment_id)
        for number in range(1 if origin is TakeOrigin.AGAIN else self._attempts(row)):
            if number and stops[0]():
                break
            take, wall_s = self._take(project, row, paces, origin if not number else TakeOrigin.RETRY, stops[1])
            made.append(take)
            worked_s += wall_s
            row = project.row(segment_id)
            if not (take.check and take.check.flags) or not row.keys.fits(take):
                break
        return MadeSegment(tuple(made), worked_s)

    def _attempts(self, row: SegmentRow) -> int:
        """The takes that may be made: those that an earlier run has made count."""
        left = MOST_TAKES - fitting_takes(row)
        return left if left > 0 else MOST_TAKES

    def _take(
        self, project: OpenProject, row: SegmentRow, paces: Paces, origin: TakeOrigin, cancelled: CancelCheck
    ) -> tuple[SegmentTake, float]:
        """Make one take and keep it; also the seconds that the engine and the check worked on it."""
        work = work_of(project, row)
        speed = self._engine_speed(project, row, work)
        expected_s = work.text.expected_s * paces.factor(work.manner) / speed
        text = replace(work.text, expected_s=expected_s)
        request = self._request(project, row, work, speed, expected_s)
        stream = self._synthesis.speak(request, format="flac", cancelled=cancelled, background_s=expected_s)
        spoken = _Spoken(stream)
        take, checked_at = spoken.take(), time.monotonic()
        try:
            if take.stop_reason is StopReason.CANCELLED:
                raise Cancelled
            place = (project.project, row.segment)
            check = self._checker.check((take.path, take.stop_reason), text, place, cancelled)
            worked_s = spoken.worked_s + time.monotonic() - checked_at
            return project.add_take(row.segment.id, take.path, _facts(row, take, origin, check)), worked_s
        finally:
            with contextlib.suppress(OSError):
                take.path.unlink(missing_ok=True)  # where it was not kept

    def _request(
        self, project: OpenProject, row: SegmentRow, work: SegmentWork, speed: float, expected_s: float
    ) -> SynthesisRequest:
        document, segment = project.project, row.segment
        is_pinned = segment.seed is not None and not fitting_takes(row)
        least_s = _TINY_BOUND_S if is_tiny(work.text.units, work.text.language) else _LEAST_BOUND_S
        return SynthesisRequest(
            text=work.text.spoken,
            voice=work.voice or None,
            language=work.language,
            instruct=work.style,
            speed=speed,
            seed=segment.seed if is_pinned else take_seed(document.seed, segment.id, segment.next_number),
            sampling=document.sampling,
            decoding=document.decoding,
            max_seconds=max(least_s, LONGEST * expected_s),
            read_as=ReadAs.PLAIN,
            split=SplitMode.NEVER,
        )

    def _engine_speed(self, project: OpenProject, row: SegmentRow, work: SegmentWork) -> float:
        """The speed that the engine itself has to speak at; every other is applied where takes are joined."""
        speed = project.project.delivery_of(row.segment).speed or 1.0
        return speed if work.voice and self._voices.speaks_at_speeds(work.voice) else 1.0


class _Spoken:
    """The take of a stream of speech, and how long the engine worked on it: without the time in which it waited for
    others or for its model, and without what was lost when it gave way."""

    def __init__(self, events: Iterator[SpeakEvent]) -> None:
        self.worked_s = 0.0
        self._events = events

    def take(self) -> Take:
        since = time.monotonic()
        for event in self._events:
            if isinstance(event, TakeReady):
                self.worked_s += time.monotonic() - since
                return event.take
            if isinstance(event, Restarted) and event.reason is not StopReason.CANCELLED:
                self.worked_s += time.monotonic() - since
            if isinstance(event, Queued | Started | Loading | Restarted):
                since = time.monotonic()
        raise AssertionError("a stream of speech ends with TakeReady")


def _facts(row: SegmentRow, take: Take, origin: TakeOrigin, check: TakeCheck | None) -> SegmentTake:
    return SegmentTake(
        id="",
        file="",
        number=row.segment.next_number,
        key=row.keys.made,
        duration_s=take.duration_s,
        sample_rate=take.sample_rate,
        seed=take.seed,
        made_at=now(),
        voice=take.voice.id,
        engine=take.voice.engine,
        origin=origin,
        stop_reason=take.stop_reason.value,
        wall_s=round(take.wall_s, 3),
        check=check,
    )
