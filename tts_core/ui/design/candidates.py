"""Candidates for a designed voice, without Gradio: several seeds, one after the other; one of them can be locked."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, ModelNotReady
from tts_core.domain.events import AudioChunk, Loading, Queued, Restarted, SpeakEvent, Started, TakeReady
from tts_core.domain.values import NEW_SEED, ReadAs, Recording, StopReason, SynthesisRequest, Take
from tts_core.platform.job import Job
from tts_core.services import Services
from tts_core.speech.jobs import speak_as_job
from tts_core.speech.plan.plan import words_of
from tts_core.ui.clone.handler import CloneHandler
from tts_core.ui.widgets.forms import DesignForm, whole
from tts_core.ui.widgets.session_stops import SessionStops
from tts_core.ui.widgets.voice_choices import design_voices
from tts_core.ui.words import Words
from tts_core.voices.library import NewVoice
from tts_core.voices.record import SavedVoice

COUNT = 3
STATUS_INTERVAL_S = 0.25
_SEEDS = 2**32
_STRIDE = 1000
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class VoiceCandidate:
    """A designed voice by what it has said."""

    form: DesignForm
    """The form that it was made from, with its own seed."""
    take: Take

    @property
    def text(self) -> str:
        """The words that it says."""
        return words_of(self.form.text, ReadAs.named(self.form.read_as))

    @property
    def is_whole(self) -> bool:
        """Whether it says its whole text: no other can be cloned from."""
        return self.take.stop_reason is StopReason.COMPLETE


@dataclass(frozen=True, slots=True)
class Lock:
    """A candidate whose voice speaks every new text."""

    number: int
    """The place of the candidate, from 1."""
    candidate: VoiceCandidate
    model: str | None
    """The key of the model that clones the candidate; None: its description and seed are used again."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of making a candidate: a sentence while it is made, then its take."""

    number: int
    status: str = ""
    made: VoiceCandidate | None = None


class Designer:
    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        self._words = words
        self._clones = CloneHandler(services)
        self._stops = SessionStops()

    def best_voice(self) -> str:
        """The id of the best voice that can be designed. Raises ModelNotReady."""
        voices = design_voices(self._services)
        if not voices:
            raise ModelNotReady(name="Qwen3-TTS VoiceDesign")
        return voices[0].id

    def cloning_models(self) -> list[tuple[str, str]]:
        """The (name, key) of each model that can keep a candidate, best first."""
        return self._clones.models()

    def run(self, form: DesignForm, lock: Lock | None, session: str) -> Iterator[Step]:
        """Make the candidates, or with a lock one take in its voice. Raises StudioError; what was made until then
        stays. `stop` ends it: the candidate that is being made is left out."""
        with self._stops.running(session) as stop:
            for number, (asked, request) in enumerate(self._requests(form, lock), 1):
                status = _Status(self._words)
                try:
                    for event in self._events(request, stop.is_set):
                        if isinstance(event, TakeReady):
                            take = event.take
                            if take.stop_reason is StopReason.CANCELLED:
                                return
                            seed = asked.seed if take.seed is None else take.seed
                            yield Step(number, made=VoiceCandidate(replace(asked, seed=seed), take))
                        elif sentence := status.of(event):
                            yield Step(number, sentence)
                except Cancelled:
                    return
                if stop.is_set():
                    return

    def stop(self, session: str) -> None:
        self._stops.stop(session)

    def lock(self, candidate: VoiceCandidate, number: int) -> Lock:
        """Lock the candidate's voice: by a clone of what it has said, where that is possible."""
        models = [key for _, key in self.cloning_models() if not self._clones.capabilities(key).timbre_only]
        return Lock(number, candidate, models[0] if models and candidate.is_whole else None)

    def keep(self, candidate: VoiceCandidate, name: str, model: str | None) -> Iterator[tuple[SavedVoice, Job]]:
        """Save the candidate as a voice of the library; yields the voice with each state of its preparation."""
        form = candidate.form
        new = NewVoice(
            name.strip() or self.name_for(candidate),
            model or "",
            language=form.language,
            ref_text=candidate.text,
            instruct=form.description,
        )
        voice = self._services.voices.keep_design(candidate.take.path, new)
        for job in self._clones.prepared(voice.id):
            yield voice, job

    def name_for(self, candidate: VoiceCandidate) -> str:
        """A name from the beginning of the description that no saved voice has."""
        start = ""
        for word in candidate.form.description.split():
            if start and len(start) + 1 + len(word) > _NAME_LENGTH:
                break
            start = f"{start} {word}".strip()
        start = start[:_NAME_LENGTH].rstrip(" ,.;:!?，。；：！？、") or self._words("tab.design")
        taken = {voice.name for voice in self._services.voices.voices()}
        names = (start, *(f"{start} {number}" for number in range(2, len(taken) + 3)))
        return next(name for name in names if name not in taken)

    def _events(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[SpeakEvent]:
        return speak_as_job(self._services.synthesis, self._services.jobs, request, cancelled=cancelled)

    def _requests(self, form: DesignForm, lock: Lock | None) -> Iterator[tuple[DesignForm, SynthesisRequest]]:
        if lock is not None:
            yield form, self._locked(form, lock)
            return
        voice = self._services.finder.find(name=form.voice or self.best_voice()) or self.best_voice()
        for seed in _seeds(whole("seed", form.seed)):
            asked = replace(form, voice=voice, seed=seed)
            yield asked, asked.to_speak(voice).to_request()

    def _locked(self, form: DesignForm, lock: Lock) -> SynthesisRequest:
        """The request for the form's text in the locked voice."""
        before = lock.candidate.form
        if lock.model is None:
            asked = replace(before, text=form.text, language=form.language, read_as=form.read_as)
            return asked.to_speak(before.voice or self.best_voice()).to_request()
        return SynthesisRequest(
            form.text,
            voice=f"{lock.model}/clone",
            language=form.language,
            source=Recording(Path(lock.candidate.take.path), lock.candidate.text, append_silence=True),
            read_as=ReadAs.named(form.read_as),
        )


def _seeds(first: int) -> Iterator[int]:
    """The seeds of the candidates: new ones; or `first`, which is refused later if it is no seed, and two far from it,
    because a take that goes wrong is made once more with a seed nearby."""
    for place in range(COUNT):
        if first == NEW_SEED:
            yield secrets.randbelow(_SEEDS)
        else:
            yield (first + place * _STRIDE) % _SEEDS if place else first


class _Status:
    """The sentences about a candidate while it is made: once for each new state, and now and then while it speaks."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._rate = 1
        self._samples = 0
        self._last_at = 0.0

    def of(self, event: SpeakEvent) -> str:
        """A sentence, or "" where there is nothing new to say."""
        words = self._words
        if isinstance(event, Queued):
            return words("speak.queued", {"position": event.position})
        if isinstance(event, Loading):
            key = "speak.loading" if event.percent else "speak.loading_begins"
            return words(key, {"model": event.model, "percent": event.percent})
        if isinstance(event, Started):
            self._rate, self._samples = event.sample_rate, 0
        if isinstance(event, AudioChunk):
            self._samples += len(event.samples)
            if time.monotonic() - self._last_at > STATUS_INTERVAL_S:
                self._last_at = time.monotonic()
                return words("speak.speaking", {"seconds": f"{self._samples / self._rate:.1f}"})
        return words("speak.restarted") if isinstance(event, Restarted) else ""
