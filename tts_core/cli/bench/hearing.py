"""The experience of a listener who plays a take from its first sound on: when it begins, and whether it stops."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tts_core.domain.events import AudioChunk, EngineEvent
from tts_core.engines.qwen.generation.guards import FRAMES_PER_SECOND

AUDIBLE = 0.003
"""The quietest sample that counts as heard: -50 dB of full scale."""


@dataclass(frozen=True, slots=True)
class Chunk:
    at_s: float
    """Seconds since the take was asked for."""
    samples: int
    first_loud: int | None
    """The place of the first audible sample; None where all is silent."""


@dataclass(frozen=True, slots=True)
class Playback:
    chunks: tuple[Chunk, ...]
    wall_s: float
    """Seconds from the request to the end of the take."""
    sample_rate: int

    @property
    def audio_s(self) -> float:
        return sum(chunk.samples for chunk in self.chunks) / self.sample_rate

    @property
    def frames(self) -> int:
        return round(self.audio_s * FRAMES_PER_SECOND)

    @property
    def rtf(self) -> float:
        """Audio seconds per wall second."""
        return self.audio_s / self.wall_s

    @property
    def first_byte_s(self) -> float:
        """Seconds until the first samples came; the whole time where none did."""
        return self.chunks[0].at_s if self.chunks else self.wall_s

    @property
    def first_audible_s(self) -> float:
        """Seconds until the first audible sample is played; the end of the sound where none is."""
        played_until = self.first_byte_s
        for chunk in self.chunks:
            begins = max(played_until, chunk.at_s)
            if chunk.first_loud is not None:
                return begins + chunk.first_loud / self.sample_rate
            played_until = begins + chunk.samples / self.sample_rate
        return played_until

    @property
    def underruns(self) -> int:
        """Chunks that came after all before them had been played."""
        late, played_until = 0, self.first_byte_s
        for chunk in self.chunks:
            late += chunk.at_s > played_until
            played_until = max(played_until, chunk.at_s) + chunk.samples / self.sample_rate
        return late


def hear(events: Iterable[EngineEvent], sample_rate: int) -> Playback:
    """Take a take's events as they come; the clock starts with the call."""
    started = time.perf_counter()
    chunks = []
    for event in events:
        if isinstance(event, AudioChunk):
            at_s = time.perf_counter() - started
            loud = np.flatnonzero(np.abs(event.samples) >= AUDIBLE)
            chunks.append(Chunk(at_s, len(event.samples), int(loud[0]) if len(loud) else None))
    return Playback(tuple(chunks), time.perf_counter() - started, sample_rate)
