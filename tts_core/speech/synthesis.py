"""The use case of the product: a request becomes speech, streamed while it is made and kept as a file."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time
from collections.abc import Generator, Iterator, Sequence

from tts_core.audio.files import AudioWriter, audio_format
from tts_core.domain.engine import CancelCheck, Engine, never, pool_of
from tts_core.domain.errors import (
    Cancelled,
    CloneNotSupported,
    EngineFailed,
    ReferenceRequired,
    StudioError,
    UnknownLanguage,
    UnknownVoice,
    memory_errors_typed,
)
from tts_core.domain.events import (
    AudioChunk,
    Finished,
    Restarted,
    Samples,
    SegmentRestarted,
    SegmentStarted,
    SpeakEvent,
    Started,
    TakeReady,
)
from tts_core.domain.languages import find_language
from tts_core.domain.text import speakable
from tts_core.domain.values import (
    Capabilities,
    Language,
    SplitMode,
    StopReason,
    SynthesisRequest,
    Take,
    Voice,
)
from tts_core.platform.settings.studio import Limits
from tts_core.speech.faults import EmptyText, InstructNotSupported, InstructRequired, SpeedNotSupported, TextTooLong
from tts_core.speech.plan.lexicon import LexiconSource, no_lexicon
from tts_core.speech.plan.plan import PlanChoices, SpeechPlan, plan, plan_of_one
from tts_core.speech.plan.speaking import PlanEvent, PlanSpeaker, next_seed
from tts_core.speech.queue import Place, SpeechQueue, Turn
from tts_core.speech.reading import text_to_say
from tts_core.speech.takes import Outputs
from tts_core.speech.tempo import at_tempo

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _Prepared:
    """A request that was checked, with everything it refers to."""

    request: SynthesisRequest
    engine: Engine
    voice: Voice
    format: str
    tempo: float = 1.0
    """The factor by which the engine's sound is made faster."""
    plan: SpeechPlan | None = None
    """The segments of a text that takes several calls of the engine; None where one call says it."""
    is_second: bool = False
    """Whether a first attempt went wrong, so that this one is kept."""
    expected_s: float | None = None
    """The seconds that a take in the background will about have; None for one that people wait for."""

    def events(self, cancelled: CancelCheck) -> Iterator[PlanEvent]:
        """Speak; yields at last one Finished."""
        if self.plan is None:
            events = self.engine.stream(self.request, cancelled=cancelled)
            return at_tempo(events, self.engine.sample_rate(self.voice.id), self.tempo)
        speaker = PlanSpeaker(self.engine, self.request, self.tempo, is_second=self.is_second)
        return speaker.stream(self.plan, cancelled=cancelled)

    def again(self, seed: int) -> _Prepared:
        """The same with the seed of a second attempt."""
        return dataclasses.replace(self, request=dataclasses.replace(self.request, seed=seed), is_second=True)


class _TakeFile:
    """The file of a take while it is made. A segment is written once it can't be made again."""

    def __init__(self, writer: AudioWriter) -> None:
        self._writer = writer
        self._unsure: list[Samples] | None = None

    def add(self, event: PlanEvent) -> None:
        match event:
            case AudioChunk():
                if self._unsure is None:
                    self._writer.write(event.samples)
                else:
                    self._unsure.append(event.samples)
            case SegmentRestarted():
                self._unsure = []
            case SegmentStarted() if event.number > 1:
                self.keep()
                self._unsure = []

    def keep(self) -> None:
        """Write what has come so far."""
        for samples in self._unsure or ():
            self._writer.write(samples)
        self._unsure = None


class Synthesis:
    def __init__(
        self,
        engines: Sequence[Engine],
        queue: SpeechQueue,
        outputs: Outputs,
        limits: Limits,
        lexicon: LexiconSource = no_lexicon,
    ) -> None:
        """`engines` come best first: the first voice of the first one that has any is the default."""
        self._engines = tuple(engines)
        self._queue = queue
        self._outputs = outputs
        self._limits = limits
        self._lexicon = lexicon

    def voices(self) -> tuple[Voice, ...]:
        """The voices that can speak now, best first."""
        return tuple(voice for engine in self._engines for voice in engine.voices())

    def voice(self, voice_id: str | None) -> Voice:
        """The voice of that id (None: the best one). Raises UnknownVoice."""
        return self._of_id(voice_id)[1]

    def engine_of(self, voice_id: str | None) -> Engine:
        """The engine that speaks `voice_id` (None: the best voice). Raises UnknownVoice."""
        return self._of_id(voice_id)[0]

    def capabilities(self, voice_id: str | None) -> Capabilities:
        """The abilities of `voice_id` (None: the best voice). Raises UnknownVoice."""
        engine, voice = self._of_id(voice_id)
        return engine.capabilities(voice.id)

    def speak(
        self,
        request: SynthesisRequest,
        *,
        format: str = "wav",  # noqa: A002 - the requests' word
        cancelled: CancelCheck = never,
        tempo: float = 1.0,
        background_s: float | None = None,
    ) -> Iterator[SpeakEvent]:
        """Queued…, Started, Loading…, AudioChunk…, then one TakeReady whose file holds exactly those chunks.

        Raises at the call, before anything is queued: EmptyText, TextTooLong, UnknownVoice, UnknownLanguage,
        InstructNotSupported and its like, UnsupportedFormat, QueueFull. While iterating: QueueFull (another request was
        faster), EngineFailed, OutOfMemory, and Cancelled if `cancelled` stops it before there is sound; a take stopped
        later is kept, marked so. An attempt in which the model lost its way is dropped (Restarted) and made once more
        with another seed; a second one is kept and marked. Closing the iterator drops the take. Each step may come
        from another thread.

        A long text, or one with pauses, is spoken in segments, one call of the engine for each (SegmentStarted before
        its chunks). A later segment than the first that goes wrong is made once more by itself (SegmentRestarted).

        tempo: the factor by which the engine's sound is made faster, whether it knows speeds or not. The
        longest sound of the request counts before that.
        background_s: the seconds that a take nobody waits for will about have. It speaks while nobody else waits, and
        less than half of it is dropped for somebody who does (Restarted), to be made again with the request's seed.
        """
        job = dataclasses.replace(self._check(request, format, tempo), expected_s=background_s)
        if background_s is None:
            self._queue.check_room(pool_of(job.engine, job.voice.id))
        return self._run(job, cancelled)

    def preview(self, request: SynthesisRequest) -> SpeechPlan:
        """The segments that `request` would be spoken in, without speaking. Raises TextTooLong, EmptyText,
        UnknownVoice."""
        self._check_length(request.text)
        planned = self._planned(request, self.voice(request.voice))
        if planned is None:
            planned = plan_of_one(_whole_text(request), request.language)
        if not planned.segments:
            raise EmptyText
        return planned

    def at_once(self, voice_id: str | None) -> int:
        """The number of takes that the engine of `voice_id` (None: the best voice) may make at a time now. Raises
        UnknownVoice."""
        engine, voice = self._of_id(voice_id)
        return engine.at_once(voice.id)

    def close(self) -> None:
        """Free the engines; the next request loads what it needs again."""
        for engine in self._engines:
            engine.close()

    def _check(self, request: SynthesisRequest, format: str, tempo: float) -> _Prepared:  # noqa: A002 - see `speak`
        self._check_length(request.text)
        audio_format(format)
        engine, voice = self._of_id(request.voice)
        planned = self._planned(request, voice, tempo)
        text = _whole_text(request) if planned is None else "\n".join(one.spoken for one in planned.segments)
        if not speakable(text):
            raise EmptyText
        capabilities = engine.capabilities(voice.id)
        _check_abilities(request, voice, capabilities)
        language = self._find_language(request.language, capabilities)
        resolved = dataclasses.replace(request, text=text, voice=voice.id, language=language.code)
        calls = planned if _takes_calls(request, planned) else None
        return _Prepared(resolved, engine, voice, format, tempo=tempo, plan=calls)

    def _check_length(self, text: str) -> None:
        if len(text) > self._limits.max_text_chars:
            raise TextTooLong(length=len(text), limit=self._limits.max_text_chars)

    def _planned(self, request: SynthesisRequest, voice: Voice, tempo: float = 1.0) -> SpeechPlan | None:
        """The plan of a request; None where the text goes to the engine as a whole."""
        if request.decoding.verbatim or request.split is SplitMode.NEVER:
            return None
        choices = PlanChoices(
            language=request.language,
            voice=voice.id,
            read_as=request.read_as,
            pause_factor=1.0 / (request.speed * tempo),
            keeps_short_whole=True,
        )
        return plan(request.text, choices, self._lexicon())

    def _of_id(self, voice_id: str | None) -> tuple[Engine, Voice]:
        for engine in self._engines:
            for voice in engine.voices():
                if voice_id in (None, voice.id):
                    return engine, voice
        raise UnknownVoice(voice=voice_id)

    def _find_language(self, wanted: str, capabilities: Capabilities) -> Language:
        language = find_language(wanted, capabilities.languages)
        if language is None:
            raise UnknownLanguage(language=wanted)
        return language

    def _run(self, job: _Prepared, cancelled: CancelCheck) -> Iterator[SpeakEvent]:
        join = self._queue.join if job.expected_s is None else self._queue.join_behind
        place = join(lambda: job.engine.at_once(job.voice.id), pool=pool_of(job.engine, job.voice.id))
        try:
            take = yield from self._take_turn(job, place, cancelled)
            if take.stop_reason.is_failure and take.seed is not None and not take.retried:
                logger.warning("take stopped (%s) with seed %d: made again", take.stop_reason.value, take.seed)
                take.path.unlink(missing_ok=True)
                yield Restarted(take.stop_reason)
                again = job.again(next_seed(take.seed))
                take = dataclasses.replace((yield from self._take_turn(again, place, cancelled)), retried=True)
        finally:
            place.leave()  # before the last event, so that nobody waits for a caller who is slow to take it
        self._outputs.added(take.path)
        yield TakeReady(take)

    def _take_turn(self, job: _Prepared, place: Place, cancelled: CancelCheck) -> Generator[SpeakEvent, None, Take]:
        """Make a take when its turn comes, once more after each time that it gave way."""
        while True:
            yield from place.wait(cancelled)
            turn = Turn(place, job.expected_s, cancelled)
            try:
                take = yield from self._record(job, turn)
            except Cancelled:
                if not turn.gave_way or cancelled():
                    raise
            else:
                if not turn.gave_way or cancelled() or take.stop_reason is not StopReason.CANCELLED:
                    return take
                take.path.unlink(missing_ok=True)
            place.step_back()
            yield Restarted(StopReason.CANCELLED)

    def _record(self, job: _Prepared, turn: Turn) -> Generator[SpeakEvent, None, Take]:
        started = time.perf_counter()
        first_audio_s: float | None = None
        finished: Finished | None = None
        take_id = secrets.token_hex(16)
        path = self._outputs.new_take_path(take_id, job.format)
        sample_rate = job.engine.sample_rate(job.voice.id)
        yield Started(sample_rate)
        with memory_errors_typed(), AudioWriter(path, job.format, sample_rate) as writer:
            file = _TakeFile(writer)
            for event in job.events(turn.is_over):
                if isinstance(event, Finished):
                    finished = event
                    continue
                if isinstance(event, AudioChunk):
                    if first_audio_s is None:
                        first_audio_s = time.perf_counter() - started
                    turn.made_s += len(event.samples) / sample_rate
                file.add(event)
                yield event
            file.keep()
            if first_audio_s is None or finished is None:
                raise _why_silent(job.engine, finished)
        return Take(
            id=take_id,
            path=path,
            format=job.format,
            sample_rate=writer.sample_rate,
            duration_s=writer.duration_s,
            first_audio_s=first_audio_s,
            wall_s=time.perf_counter() - started,
            voice=job.voice,
            language=job.request.language,
            seed=finished.seed,
            stop_reason=finished.stop_reason,
            retried=finished.retried,
        )


def _check_abilities(request: SynthesisRequest, voice: Voice, capabilities: Capabilities) -> None:
    if request.instruct.strip() and not capabilities.supports_instruct:
        raise InstructNotSupported(voice=voice.id)
    if capabilities.can_design and not request.instruct.strip():
        raise InstructRequired(voice=voice.id)
    if request.speed != 1.0 and not capabilities.supports_speed:
        raise SpeedNotSupported(voice=voice.id)
    if request.source is not None and not capabilities.can_clone:
        raise CloneNotSupported(voice=voice.id)
    if capabilities.can_clone and request.source is None:
        raise ReferenceRequired(voice=voice.id)


def _why_silent(engine: Engine, finished: Finished | None) -> StudioError:
    if finished is not None and finished.stop_reason is StopReason.CANCELLED:
        return Cancelled()
    return EngineFailed(engine=engine.name, reason="it made no sound for this text")


def _takes_calls(request: SynthesisRequest, planned: SpeechPlan | None) -> bool:
    """Whether the plan takes several calls, or pauses. A number of frames is one of a single call."""
    return planned is not None and not planned.is_one_call and request.decoding.max_frames is None


def _whole_text(request: SynthesisRequest) -> str:
    """The text as it goes to the engine where it is not parted."""
    return request.text if request.decoding.verbatim else text_to_say(request.text, request.read_as)


def collect(events: Iterator[SpeakEvent]) -> Take:
    """Run `Synthesis.speak` to its end and return the take."""
    for event in events:
        if isinstance(event, TakeReady):
            return event.take
    raise AssertionError("a stream of speech ends with TakeReady")
