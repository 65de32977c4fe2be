"""A plan is spoken: one call of the engine for each segment, joined while they are made, as a single stream."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Generator, Iterator, Sequence

import numpy as np

from tts_core.domain.engine import CancelCheck, CloningEngine, Engine
from tts_core.domain.events import (
    AudioChunk,
    Codes,
    EngineEvent,
    Finished,
    Loading,
    Samples,
    SegmentRestarted,
    SegmentStarted,
)
from tts_core.domain.values import Recording, StopReason, SynthesisRequest
from tts_core.speech.plan.join import Joiner
from tts_core.speech.plan.plan import PlannedSegment, SpeechPlan
from tts_core.speech.tempo import at_tempo

logger = logging.getLogger(__name__)

PlanEvent = EngineEvent | SegmentStarted | SegmentRestarted
_SEED_STEP = 0x9E3779B1
"""The distance of the seeds of neighbouring segments; odd, so that no two of a text are the same."""
_LEAST_S = 0.1
"""The least sound that is worth asking an engine for."""


def segment_seed(seed: int | None, number: int) -> int | None:
    """The seed of a segment, counted from 0, by the seed of the whole: that of the first one is the same."""
    return None if seed is None else (seed + number * _SEED_STEP) % 2**32


def next_seed(seed: int) -> int:
    """The seed of a second attempt. It follows from the first, so that the same request always gives the same take."""
    return (seed + 1) % 2**32


class PlanSpeaker:
    """Speaks the segments of one request; for one thread at a time, and once."""

    def __init__(
        self, engine: Engine, request: SynthesisRequest, tempo: float = 1.0, *, is_second: bool = False
    ) -> None:
        """`request` holds all but the text. What the engine speaks becomes `tempo` times as fast; the longest sound of
        the request counts before that. In a second attempt (`is_second`), the first segment is kept however it ends;
        in a first one, its going wrong ends the stream."""
        self._engine = engine
        self._request = request
        self._tempo = tempo
        self._is_second = is_second
        self._rate = engine.sample_rate(request.voice or "")
        self._seed = request.seed
        self._made = 0
        """The samples handed on."""
        self._codes: list[Codes] = []
        """Codes whose samples are still held back."""
        self._worst = StopReason.COMPLETE
        self._most = None if request.max_seconds is None else round(request.max_seconds / tempo * self._rate)

    def stream(self, plan: SpeechPlan, *, cancelled: CancelCheck) -> Iterator[PlanEvent]:
        """Yield Loading, SegmentStarted before each segment, its chunks as they are made, and one Finished.

        Raises what the engine's `stream` raises.
        """
        count = len(plan.segments)
        yield from self._prepare(count, cancelled)
        joiner = Joiner(self._rate, plan.lead_s)
        for number, segment in enumerate(plan.segments):
            yield SegmentStarted(number + 1, count)
            finished = yield from self._segment(joiner, number, segment, cancelled)
            end = self._end_after(finished, number, cancelled, is_last=number == count - 1)
            pause_s = segment.pause_after_s if end in (None, StopReason.COMPLETE) else 0.0
            yield from self._chunk(joiner.end_segment(pause_s, is_last=end is not None))
            if end is None and self._is_full():
                end = StopReason.MAX_LENGTH
            if end is not None:
                reason = end if end is not StopReason.COMPLETE else self._worst
                yield Finished(reason, self._seed, retried=end is StopReason.COMPLETE and reason.is_failure)
                return

    def _prepare(self, count: int, cancelled: CancelCheck) -> Iterator[Loading]:
        """Take in a recorded voice once for all segments."""
        source = self._request.source
        if count > 1 and isinstance(source, Recording) and isinstance(self._engine, CloningEngine):
            prepared = yield from self._engine.prepare(source, cancelled=cancelled)
            self._request = dataclasses.replace(self._request, source=prepared)

    def _segment(
        self, joiner: Joiner, number: int, segment: PlannedSegment, cancelled: CancelCheck
    ) -> Generator[PlanEvent, None, Finished]:
        """Speak a segment, once more where the model lost its way in it; the first one's failure is the caller's."""
        seed, before = segment_seed(self._seed, number), self._made
        finished = yield from self._attempt(joiner, segment, seed, cancelled)
        if number == 0:
            self._seed = finished.seed
        elif finished.stop_reason.is_failure and finished.seed is not None and not cancelled():
            logger.warning("segment %d stopped (%s): made again", number + 1, finished.stop_reason.value)
            joiner.restart_segment()
            yield SegmentRestarted(number + 1, finished.stop_reason, self._made - before)
            self._made, self._codes = before, []
            finished = yield from self._attempt(joiner, segment, next_seed(finished.seed), cancelled)
        return finished

    def _attempt(
        self, joiner: Joiner, segment: PlannedSegment, seed: int | None, cancelled: CancelCheck
    ) -> Generator[PlanEvent, None, Finished]:
        left_s = None if self._most is None else max(_LEAST_S, (self._most - self._made) / self._rate * self._tempo)
        wanted = dataclasses.replace(self._request, text=segment.spoken, seed=seed, max_seconds=left_s)
        finished = Finished(StopReason.COMPLETE, seed)
        for event in at_tempo(self._engine.stream(wanted, cancelled=cancelled), self._rate, self._tempo):
            if isinstance(event, Finished):
                finished = event
            elif isinstance(event, AudioChunk):
                self._codes += [] if event.codes is None else [event.codes]
                yield from self._chunk(joiner.add(event.samples))
            else:
                yield event
        return finished

    def _chunk(self, samples: Samples) -> Iterator[AudioChunk]:
        """The samples as a chunk, as far as they fit into the longest sound; codes wait for samples."""
        if self._most is not None:
            samples = samples[: max(0, self._most - self._made)]
        if len(samples):
            codes, self._codes = self._codes, []
            self._made += len(samples)
            yield AudioChunk(samples, _joined_codes(codes))

    def _end_after(
        self, finished: Finished, number: int, cancelled: CancelCheck, *, is_last: bool
    ) -> StopReason | None:
        """The reason why the whole ends with this segment, COMPLETE for the last one; None where another follows."""
        reason = finished.stop_reason
        is_first_attempt = number == 0 and not self._is_second and finished.seed is not None
        if (
            reason is StopReason.CANCELLED
            or (reason is StopReason.MAX_LENGTH and self._most is not None)
            or (reason.is_failure and is_first_attempt)
        ):
            return reason
        if reason is not StopReason.COMPLETE and not self._worst.is_failure:
            self._worst = reason
        if is_last:
            return StopReason.COMPLETE
        return StopReason.CANCELLED if cancelled() else None

    def _is_full(self) -> bool:
        return self._most is not None and self._made + round(_LEAST_S * self._rate) > self._most


def _joined_codes(codes: Sequence[Codes]) -> Codes | None:
    return np.concatenate(codes) if codes else None
