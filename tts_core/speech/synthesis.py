"""The use case of the product: a request becomes speech, streamed while it is made and kept as a file."""

from __future__ import annotations

import dataclasses
import logging
import secrets
import time
from collections.abc import Generator, Iterator, Sequence

from tts_core.audio.files import AudioWriter, audio_format
from tts_core.domain.engine import CancelCheck, Engine, never
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
from tts_core.domain.events import Finished, Loading, Restarted, SpeakEvent, Started, TakeReady
from tts_core.domain.languages import find_language
from tts_core.domain.text import speakable
from tts_core.domain.values import Capabilities, Language, StopReason, SynthesisRequest, Take, Voice
from tts_core.platform.settings.studio import Limits
from tts_core.speech.faults import EmptyText, InstructNotSupported, InstructRequired, SpeedNotSupported, TextTooLong
from tts_core.speech.queue import SpeechQueue
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
    tempo: float


class Synthesis:
    def __init__(self, engines: Sequence[Engine], queue: SpeechQueue, outputs: Outputs, limits: Limits) -> None:
        """`engines` come best first: the first voice of the first one that has any is the default."""
        self._engines = tuple(engines)
        self._queue = queue
        self._outputs = outputs
        self._limits = limits

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
    ) -> Iterator[SpeakEvent]:
        """Queued…, Started, Loading…, AudioChunk…, then one TakeReady whose file holds exactly those chunks.

        Raises at the call, before anything is queued: EmptyText, TextTooLong, UnknownVoice, UnknownLanguage,
        InstructNotSupported and its like, UnsupportedFormat, QueueFull. While iterating: QueueFull (another request was
        faster), EngineFailed, OutOfMemory, and Cancelled if `cancelled` stops it before there is sound; a take stopped
        later is kept, marked so. An attempt in which the model lost its way is dropped (Restarted) and made once more
        with another seed; a second one is kept and marked. Closing the iterator drops the take. Each step may come
        from another thread. `tempo` makes what the engine speaks faster by that factor, whether it knows speeds or not.
        """
        job = dataclasses.replace(self._check(request, format), tempo=tempo)
        self._queue.check_room()
        return self._run(job, cancelled)

    def close(self) -> None:
        """Free the engines; the next request loads what it needs again."""
        for engine in self._engines:
            engine.close()

    def _check(self, request: SynthesisRequest, format: str) -> _Prepared:  # noqa: A002 - the requests' word
        if len(request.text) > self._limits.max_text_chars:
            raise TextTooLong(length=len(request.text), limit=self._limits.max_text_chars)
        text = request.text if request.decoding.verbatim else text_to_say(request.text, request.read_as)
        if not speakable(text):
            raise EmptyText
        audio_format(format)
        engine, voice = self._of_id(request.voice)
        capabilities = engine.capabilities(voice.id)
        _check_abilities(request, voice, capabilities)
        language = self._find_language(request.language, capabilities)
        resolved = dataclasses.replace(request, text=text, voice=voice.id, language=language.code)
        return _Prepared(resolved, engine, voice, format, tempo=1.0)

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
        place = self._queue.join(lambda: job.engine.at_once(job.voice.id))
        try:
            yield from place.wait(cancelled)
            take = yield from self._record(job, cancelled)
            if take.stop_reason.is_failure and take.seed is not None:
                logger.warning("take stopped (%s) with seed %d: made again", take.stop_reason.value, take.seed)
                take.path.unlink(missing_ok=True)
                yield Restarted(take.stop_reason)
                again = dataclasses.replace(job, request=dataclasses.replace(job.request, seed=_next_seed(take.seed)))
                take = dataclasses.replace((yield from self._record(again, cancelled)), retried=True)
        finally:
            place.leave()  # before the last event, so that nobody waits for a caller who is slow to take it
        self._outputs.added(take.path)
        yield TakeReady(take)

    def _record(self, job: _Prepared, cancelled: CancelCheck) -> Generator[SpeakEvent, None, Take]:
        started = time.perf_counter()
        first_audio_s: float | None = None
        finished: Finished | None = None
        take_id = secrets.token_hex(16)
        path = self._outputs.new_take_path(take_id, job.format)
        sample_rate = job.engine.sample_rate(job.voice.id)
        yield Started(sample_rate)
        with memory_errors_typed(), AudioWriter(path, job.format, sample_rate) as writer:
            for event in at_tempo(job.engine.stream(job.request, cancelled=cancelled), sample_rate, job.tempo):
                if isinstance(event, Finished):
                    finished = event
                    continue
                if isinstance(event, Loading):
                    yield event
                    continue
                if first_audio_s is None:
                    first_audio_s = time.perf_counter() - started
                writer.write(event.samples)
                yield event
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


def _next_seed(seed: int) -> int:
    """The seed of the second attempt. It follows from the first, so that the same request always gives the same
    take."""
    return (seed + 1) % 2**32


def collect(events: Iterator[SpeakEvent]) -> Take:
    """Run `Synthesis.speak` to its end and return the take."""
    for event in events:
        if isinstance(event, TakeReady):
            return event.take
    raise AssertionError("a stream of speech ends with TakeReady")
