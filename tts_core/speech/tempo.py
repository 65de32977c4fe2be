"""Speech at another tempo than the engine can speak at, at the same pitch."""

from __future__ import annotations

from collections.abc import Iterator

from tts_core.domain.events import AudioChunk, EngineEvent, Finished


def at_tempo(events: Iterator[EngineEvent], sample_rate: int, tempo: float) -> Iterator[EngineEvent]:
    """Yield an engine's events with its sound `tempo` times as fast; `sample_rate` in hertz stays."""
    if tempo == 1.0:
        yield from events
        return
    from tts_core.audio.ffmpeg import Stretcher  # noqa: PLC0415 - see there

    stretcher = Stretcher(sample_rate, tempo, sample_rate)
    for event in events:
        if isinstance(event, AudioChunk):
            yield from map(AudioChunk, stretcher.stretch(event.samples))
            continue
        if isinstance(event, Finished):
            yield from map(AudioChunk, stretcher.rest())
        yield event
