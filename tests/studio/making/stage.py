"""A studio with an engine that reads, and ears that know what it read: fast, and the same every time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.fakes import SAMPLE_RATE, FakeEngine
from tests.studio.stage import NamedVoices, projects_in
from tts_core.audio.files import read_samples
from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import EngineFailed
from tts_core.domain.events import AudioChunk, EngineEvent, Finished, Samples
from tts_core.domain.values import StopReason, SynthesisRequest
from tts_core.platform.jobs import Jobs
from tts_core.platform.settings.studio import Limits
from tts_core.speech.plan.pace import expected_seconds
from tts_core.speech.plan.script import language_of
from tts_core.speech.queue import SpeechQueue
from tts_core.speech.synthesis import Synthesis
from tts_core.speech.takes import Outputs
from tts_core.studio.making.checker import Comparing, TakeChecker
from tts_core.studio.making.runner import StudioRunner
from tts_core.studio.making.segments import SegmentMaker
from tts_core.studio.model import CheckMode

Reading = Callable[[SynthesisRequest, int], str]
"""A function from a request, and how often its text was asked for before, to what is read."""


def faithful(request: SynthesisRequest, _before: int) -> str:
    return request.text


class Plain(NamedTuple):
    """Two texts without marks: what the tests need of the real comparison, which takes seconds to load."""

    wanted: str
    transcribed: str


def plainly(wanted: str, transcribed: str, _language: str) -> Plain:
    return Plain(*(re.sub(r"[^\w\s]", "", text.casefold()) for text in (wanted, transcribed)))


@dataclass
class ReaderEngine(FakeEngine):
    """Reads at the expected pace; the pitch follows from the seed. The first sample says which reading it is."""

    reading: Reading = faithful
    readings: list[str] = field(default_factory=list)
    fails: Callable[[SynthesisRequest], bool] = lambda _request: False

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        if self.fails(request):
            raise EngineFailed(engine=self.name, reason="it was told to break")
        before = sum(one.text == request.text for one in self.seen) - 1
        text = self.reading(request, before)
        self.readings.append(text)
        sound = self._sound(text, request.seed or 0, len(self.readings))
        for start in range(0, len(sound), SAMPLE_RATE // 4):
            while not self.go.wait(0.01) and not cancelled():
                pass
            if cancelled():
                yield Finished(StopReason.CANCELLED, request.seed)
                return
            yield AudioChunk(sound[start : start + SAMPLE_RATE // 4])
        yield Finished(StopReason.COMPLETE, request.seed)

    def _sound(self, text: str, seed: int, number: int) -> Samples:
        seconds = max(0.3, expected_seconds(text, language_of(text)))
        at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        swell = np.clip(20 * np.minimum(at, seconds - at), 0, 1)
        sound = (0.3 * np.sin(2 * np.pi * (100 + seed % 200) * at) * swell).astype(np.float32)
        sound[0] = number / 32768
        return sound


class KnowingEars:
    """Understands exactly what the engine read."""

    def __init__(self, engine: ReaderEngine) -> None:
        self._engine = engine
        self.asked = 0

    def is_ready(self) -> bool:
        return True

    def transcript(self, recording: Path, language: str, cancelled: CancelCheck) -> str:
        self.asked += 1
        samples, _rate = read_samples(recording)
        return self._engine.readings[round(float(samples[0]) * 32768) - 1]


class Stage:
    """A studio on a real disk."""

    def __init__(self, folder: Path, engine: ReaderEngine | None = None, check: CheckMode = CheckMode.ALL) -> None:
        self.engine = engine or ReaderEngine()
        self.ears = KnowingEars(self.engine)
        self.voices = NamedVoices(fast=frozenset())
        self.projects = projects_in(folder, voices=self.voices)
        limits = Limits()
        self.queue = SpeechQueue(limits.max_waiting)
        self.synthesis = Synthesis([self.engine], self.queue, Outputs(folder / "outputs", limits), limits)
        self.jobs = Jobs(folder / "jobs.json")
        checker = TakeChecker(Comparing(self.ears, plainly), usual=lambda: check)
        maker = SegmentMaker(self.synthesis, checker, self.voices)
        self.runner = StudioRunner(self.projects, self.synthesis, maker, self.jobs)

    def close(self) -> None:
        self.engine.go.set()
        self.runner.close()
        self.jobs.close()
        self.projects.close()


def sentences(count: int) -> Sequence[str]:
    marks = [f"{chr(97 + number % 26)}{chr(97 + number // 26)}" for number in range(count)]
    return [f"The keeper of the light wrote letter {mark} on that day." for mark in marks]
