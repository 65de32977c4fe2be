"""Deterministic stand-ins at the protocols, whole enough to test everything above them without sleeping."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event

import numpy as np

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import EngineFailed, UnknownLanguage
from tts_core.domain.events import AudioChunk, EngineEvent, Finished, Loading, Samples
from tts_core.domain.values import Capabilities, Language, StopReason, SynthesisRequest, Voice

SAMPLE_RATE = 24_000
CHUNK_SAMPLES = 2_400
LANGUAGES = (Language("auto", "Auto"), Language("zh", "Chinese"), Language("en", "English"))


def tone(chunk: int = 0) -> Samples:
    """The chunk-th 0.1 s of an endless 200 Hz tone, level 0.25."""
    at = np.arange(chunk * CHUNK_SAMPLES, (chunk + 1) * CHUNK_SAMPLES)
    return (0.25 * np.sin(2 * np.pi * 200 * at / SAMPLE_RATE)).astype(np.float32)


@dataclass
class FakeEngine:
    """Says every character of the text as 0.1 s of a tone.

    `go` pauses it: clear it and each chunk waits for the next `set`. `fail_at` breaks it before that chunk.
    """

    name: str = "fake"
    speakers: tuple[str, ...] = ("Tone",)
    supports_instruct: bool = False
    go: Event = field(default_factory=Event)
    fail_at: int | None = None
    slots: int = 1
    """Requests it speaks at once."""
    loading: tuple[Loading, ...] = ()
    """Told before the first chunk."""
    seen: list[SynthesisRequest] = field(default_factory=list)
    """Requests taken, in order."""
    is_closed: bool = False

    def __post_init__(self) -> None:
        self.go.set()

    def voices(self) -> tuple[Voice, ...]:
        return tuple(Voice(f"{self.name}/{speaker.lower()}", speaker, self.name) for speaker in self.speakers)

    def capabilities(self, voice: str | None = None) -> Capabilities:
        return Capabilities(
            LANGUAGES, speakers=self.speakers, supports_instruct=self.supports_instruct, supports_speed=True
        )

    def sample_rate(self, voice: str) -> int:
        return SAMPLE_RATE

    def at_once(self, voice: str) -> int:
        return self.slots

    def stream(self, request: SynthesisRequest, *, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        if request.language not in {language.code for language in LANGUAGES}:
            raise UnknownLanguage(language=request.language)
        self.seen.append(request)
        return self._speak(request, cancelled)

    def close(self) -> None:
        self.is_closed = True

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        yield from self.loading
        for chunk in range(len(request.text)):
            self.go.wait(timeout=120)
            if cancelled():
                yield Finished(StopReason.CANCELLED, request.seed)
                return
            if chunk == self.fail_at:
                raise EngineFailed(engine=self.name, reason="it was told to break")
            yield AudioChunk(tone(chunk))
        yield Finished(StopReason.COMPLETE, request.seed)


class EndlessEngine(FakeEngine):
    """Speaks twice as fast as it is heard, until it is stopped: for what has to happen while something is made."""

    def _speak(self, request: SynthesisRequest, cancelled: CancelCheck) -> Iterator[EngineEvent]:
        for chunk in itertools.count():
            if cancelled():
                yield Finished(StopReason.CANCELLED, request.seed)
                return
            yield AudioChunk(tone(chunk))
            time.sleep(0.05)


def wait_for_pruning() -> None:
    """Until old takes have made room, which happens beside the take that asked for it."""
    for thread in threading.enumerate():
        if thread.name == "prune-outputs":
            thread.join()
