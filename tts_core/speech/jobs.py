"""Speech as a job: visible to everybody in the list of jobs, and stopped by cancelling it there. The text is not
shown."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from threading import Event
from types import MappingProxyType
from typing import Any

from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import Cancelled
from tts_core.domain.events import AudioChunk, Loading, Queued, SegmentStarted, SpeakEvent, TakeReady
from tts_core.domain.values import StopReason, SynthesisRequest, Take
from tts_core.platform.job import JobKind, JobRun
from tts_core.platform.jobs import Jobs
from tts_core.speech.synthesis import Synthesis

_PHASES: Mapping[type[SpeakEvent], str] = MappingProxyType({Loading: "loading", AudioChunk: "speaking"})


def speak_as_job(
    synthesis: Synthesis,
    jobs: Jobs,
    request: SynthesisRequest,
    *,
    format: str = "wav",  # noqa: A002 - the requests' word
    cancelled: CancelCheck = never,
    tempo: float = 1.0,
) -> Generator[SpeakEvent, None, None]:
    """Run `Synthesis.speak` while a job of kind SYNTHESIS about the voice shows how far it is.

    A request that is refused makes no job. Raises what `Synthesis.speak` raises.
    """
    stop = Event()
    events = synthesis.speak(request, format=format, cancelled=lambda: cancelled() or stop.is_set(), tempo=tempo)
    return _watched(events, jobs, synthesis.voice(request.voice).id, stop)


def _watched(events: Iterator[SpeakEvent], jobs: Jobs, voice_id: str, stop: Event) -> Generator[SpeakEvent, None, None]:
    with jobs.watch(JobKind.SYNTHESIS, voice_id, stop) as run:
        last_phase = ""
        for event in events:
            if isinstance(event, TakeReady):
                _record_end(run, event.take, stop)
                break
            if isinstance(event, Queued):
                run.wait("queued", event.position)
            elif isinstance(event, SegmentStarted):
                last_phase = "speaking"
                with suppress(Cancelled):
                    run.say(last_phase, 100 * (event.number - 1) / event.count)
            elif (phase := _PHASES.get(type(event), last_phase)) != last_phase:
                last_phase = phase
                with suppress(Cancelled):  # the engine stops by itself, and keeps what it has made
                    run.say(phase, 0)
            yield event
    yield event  # the job has ended by then


def _record_end(run: JobRun, take: Take, stop: Event) -> None:
    if take.stop_reason is StopReason.CANCELLED:
        stop.set()  # the job ends as cancelled, too, whoever stopped the take
    else:
        run.result = _facts(take)


def _facts(take: Take) -> Mapping[str, Any]:
    """The take's facts without its address: with the address, anybody could listen to it."""
    return {
        "voice_id": take.voice.id,
        "language": take.language,
        "format": take.format,
        "sample_rate": take.sample_rate,
        "duration_seconds": round(take.duration_s, 3),
        "seed": take.seed,
        "stop_reason": take.stop_reason.value,
    }
