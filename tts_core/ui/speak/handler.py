"""The Speak tab's work, without Gradio: a form in, views out. One running take per browser session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tts_core.audio.streaming import split_speed
from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.events import (
    AudioChunk,
    Loading,
    Queued,
    Restarted,
    SegmentStarted,
    SpeakEvent,
    Started,
    TakeReady,
)
from tts_core.domain.values import MAX_SECONDS, Take
from tts_core.platform.jobs import Jobs
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.live import LiveStream, LiveStreams
from tts_core.speech.synthesis import Synthesis
from tts_core.ui.widgets.forms import SpeakingForm
from tts_core.ui.widgets.session_stops import SessionStops
from tts_core.ui.words import Words
from tts_core.voices.finder import VoiceFinder

STATUS_INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class SpeakView:
    """The parts of the tab to show next; None leaves a part as it is. A view without any says that there is sound."""

    status: str | None = None
    percent: int | None = None
    """The share of the model that is loaded, where the status is about that."""
    live: LiveStream | None = None
    """The sound of a new attempt; that of an earlier one is to be forgotten."""
    take: Take | None = None
    details: dict[str, Any] | None = None
    """The take's facts as data, for programs."""


@dataclass(frozen=True, slots=True)
class SpeakEndpoint:
    """A form of the page that speaks: its public name, its fields, and what they ask for."""

    name: str
    form: type[Any]
    to_speak: Callable[[Any], SpeakingForm]


class SpeakHandler:
    def __init__(self, synthesis: Synthesis, finder: VoiceFinder, jobs: Jobs, live: LiveStreams, words: Words) -> None:
        self.words = words
        self.endpoints: dict[str, SpeakEndpoint] = {}
        """The forms of the page that speak, by name."""
        self._synthesis = synthesis
        self._finder = finder
        self._jobs = jobs
        self._live = live
        self._stops = SessionStops()

    def run(self, form: SpeakingForm, session: str, cancelled: CancelCheck = never) -> Iterator[SpeakView]:
        """Speak the form's text; raises StudioError. A second run of the session stops the first."""
        stream: LiveStream | None = None
        shown_at = 0.0
        made_s = 0.0
        part: SegmentStarted | None = None
        with self._stops.running(session) as stop:
            try:
                for event in self._events(form, lambda: stop.is_set() or cancelled()):
                    if isinstance(event, Queued):
                        yield SpeakView(self.words("speak.queued", {"position": event.position}))
                    elif isinstance(event, Started):
                        made_s, part = 0.0, None
                        stream = self._live.open(event.sample_rate)
                        yield SpeakView(live=stream)
                    elif isinstance(event, Loading):
                        yield self._loading(event)
                    elif isinstance(event, SegmentStarted):
                        part = event
                    elif isinstance(event, AudioChunk) and stream is not None:
                        stream.write(event.samples)
                        made_s += len(event.samples) / stream.sample_rate
                        is_due = time.monotonic() - shown_at > STATUS_INTERVAL_S
                        shown_at = time.monotonic() if is_due else shown_at
                        yield self._speaking(made_s, part) if is_due else SpeakView()
                    elif isinstance(event, Restarted) and stream is not None:
                        stream.close()
                        yield SpeakView(self.words("speak.restarted"))
                    elif isinstance(event, TakeReady):
                        yield self._finished(event.take)
            finally:
                if stream is not None:
                    stream.close()

    def stop(self, session: str) -> bool:
        """Ask the session's running take to stop; False when none runs. What was made is kept."""
        return self._stops.stop(session)

    def _events(self, form: SpeakingForm, cancelled: CancelCheck) -> Iterator[SpeakEvent]:
        request = form.to_request()
        request = replace(request, voice=self._finder.find(name=request.voice))
        can = self._synthesis.capabilities(request.voice)
        speed, tempo = split_speed(request.speed, is_known=can.supports_speed)
        request = replace(request, speed=speed)
        if tempo != 1.0 and request.max_seconds is not None:  # the engine counts before its sound is stretched
            request = replace(request, max_seconds=min(tempo * request.max_seconds, MAX_SECONDS))
        return speak_as_job(self._synthesis, self._jobs, request, format=form.format, cancelled=cancelled, tempo=tempo)

    def _loading(self, event: Loading) -> SpeakView:
        """A view without a number until there is one: a load that says nothing of itself does not stand at 0 %."""
        key = "speak.loading" if event.percent else "speak.loading_begins"
        status = self.words(key, {"model": event.model, "percent": event.percent})
        return SpeakView(status, percent=event.percent or None)

    def _speaking(self, made_s: float, part: SegmentStarted | None) -> SpeakView:
        seconds = f"{made_s:.1f}"
        if part is None:
            return SpeakView(self.words("speak.speaking", {"seconds": seconds}))
        facts = {"seconds": seconds, "number": part.number, "count": part.count}
        return SpeakView(self.words("speak.speaking_part", facts))

    def _finished(self, take: Take) -> SpeakView:
        return SpeakView(self.words(f"speak.facts_{take.stop_reason.value}"), take=take, details=take_details(take))


def take_details(take: Take) -> dict[str, Any]:
    """A take's facts as data: seconds, hertz, RTF in audio seconds per wall second."""
    return {
        "voice": take.voice.id,
        "engine": take.voice.engine,
        "language": take.language,
        "seed": take.seed,
        "sample_rate": take.sample_rate,
        "duration_seconds": round(take.duration_s, 3),
        "first_audio_seconds": round(take.first_audio_s, 4),
        "wall_seconds": round(take.wall_s, 4),
        "rtf": round(take.rtf, 2),
        "stop_reason": take.stop_reason.value,
        "retried": take.retried,
    }
