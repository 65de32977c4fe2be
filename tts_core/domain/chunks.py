"""The chunks in which an engine hands on sounds that it makes as a whole, sentence by sentence."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable

from tts_core.domain.engine import CancelCheck
from tts_core.domain.events import AudioChunk, Samples
from tts_core.domain.values import StopReason

CHUNK_S = 0.2


def in_chunks(
    sounds: Iterable[Samples], sample_rate: int, *, max_seconds: float | None, cancelled: CancelCheck
) -> Generator[AudioChunk, None, StopReason]:
    """Yield the sounds in chunks of CHUNK_S, at most `max_seconds` of them in all; returns why they ended.

    `cancelled` is asked before each chunk. `sounds` are [N] samples each at `sample_rate`, in hertz.
    """
    size = round(CHUNK_S * sample_rate)
    room = sys.maxsize if max_seconds is None else round(max_seconds * sample_rate)
    for sound in sounds:
        for start in range(0, len(sound), size):
            if cancelled():
                return StopReason.CANCELLED
            chunk = sound[start : start + size]
            yield AudioChunk(chunk[:room])
            room -= len(chunk)
            if room <= 0:
                return StopReason.MAX_LENGTH
    return StopReason.COMPLETE
