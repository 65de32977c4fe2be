"""Speech at another tempo than the engine can speak at, at the same pitch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from tts_core.domain.engine import CancelCheck, Engine
from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.values import SynthesisRequest


def stream_at_tempo(
    engine: Engine, request: SynthesisRequest, tempo: float, cancelled: CancelCheck
) -> Iterator[EngineEvent]:
    """Yield what the engine makes of the request with its sound `tempo` times as fast; the longest sound is the same.

    Raises what the engine's `stream` raises.
    """
    if tempo == 1.0:
        return iter(engine.stream(request, cancelled=cancelled))
    if request.max_seconds is not None:
        request = dataclasses.replace(request, max_seconds=request.max_seconds * tempo)
    return _stretched(engine.stream(request, cancelled=cancelled), engine.sample_rate(request.voice or ""), tempo)


def _stretched(events: Iterator[EngineEvent], sample_rate: int, tempo: float) -> Iterator[EngineEvent]:
    from tts_core.audio.ffmpeg import Stretcher  # noqa: PLC0415 - see there

    stretcher = Stretcher(sample_rate, tempo, sample_rate)
    for event in events:
        if isinstance(event, AudioChunk):
            yield from map(AudioChunk, stretcher.stretch(event.samples))
            continue
        if isinstance(event, Finished):
            yield from map(AudioChunk, stretcher.rest())
        yield event
