"""The Speak tab's work, without Gradio: a form in, views out. One running take per browser session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tts_core.domain.engine import CancelCheck
from tts_core.domain.events import AudioChunk, Loading, Queued, Restarted, SpeakEvent, Started, TakeReady
from tts_core.domain.values import Take
from tts_core.platform.jobs import Jobs
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.live import LiveStream, LiveStreams
from tts_core.speech.synthesis import Synthesis
from tts_core.ui.widgets import fragments
from tts_core.ui.widgets.forms import SpeakingForm
from tts_core.ui.widgets.session_stops import SessionStops
from tts_core.ui.words import Words
from tts_core.voices.finder import VoiceFinder

STATUS_INTERVAL_S = 0.25


@dataclass(frozen=True, slots=True)
class SpeakView:
    """The parts of the tab to show next; None leaves a part as it is."""

    audio: str | None = None
    """The path of the finished file."""
    details: dict[str, Any] | None = None
    """The take's facts as data, for programs."""
    live: str | None = None
    status: str | None = None


class SpeakHandler:
    def __init__(
        self, synthesis: Synthesis, finder: VoiceFinder, jobs: Jobs, live: LiveStreams, words: Words, live_url: str
    ) -> None:
        """`live_url` is the address of the live streams, relative to the page, ending in a slash."""
        self._synthesis = synthesis
        self._finder = finder
        self._jobs = jobs
        self._live = live
        self._words = words
        self._live_url = live_url
        self._stops = SessionStops()

    def run(self, form: SpeakingForm, session: str) -> Iterator[SpeakView]:
        """Speak the form's text; raises StudioError. A second run of the session stops the first."""
        stream: LiveStream | None = None
        last_status = 0.0
        made_s = 0.0
        rate = 0
        with self._stops.running(session) as stop:
            try:
                for event in self._events(form, stop.is_set):
                    if isinstance(event, Queued):
                        yield self._busy("speak.queued", {"position": event.position})
                    elif isinstance(event, Started):
                        rate = event.sample_rate
                        made_s = 0.0
                        stream = self._live.open(rate)
                        yield self._started(stream, rate)
                    elif isinstance(event, Loading):
                        yield self._busy("speak.loading", {"model": event.model, "percent": event.percent})
                    elif isinstance(event, AudioChunk) and stream is not None:
                        stream.write(event.samples)
                        made_s += len(event.samples) / rate
                        if time.monotonic() - last_status > STATUS_INTERVAL_S:
                            last_status = time.monotonic()
                            yield self._busy("speak.speaking", {"seconds": f"{made_s:.1f}"})
                    elif isinstance(event, Restarted) and stream is not None:
                        stream.close()
                        yield self._busy("speak.restarted", {})
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
        return speak_as_job(self._synthesis, self._jobs, request, format=form.format, cancelled=cancelled)

    def _started(self, stream: LiveStream, rate: int) -> SpeakView:
        player = fragments.live_player(self._words, self._live_url + stream.id, rate)
        return SpeakView(live=player, status=fragments.busy(self._words("speak.speaking", {"seconds": "0.0"})))

    def _busy(self, key: str, params: dict[str, object]) -> SpeakView:
        return SpeakView(status=fragments.busy(self._words(key, params)))

    def _finished(self, take: Take) -> SpeakView:
        return SpeakView(str(take.path), take_details(take), status=fragments.take_facts(self._words, take))


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
