"""A take while it is made: it connects the listener, in any thread, with the threads that make it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from queue import SimpleQueue

from torch import Tensor

from tts_core.domain.events import AudioChunk, EngineEvent, Finished
from tts_core.domain.values import StopReason
from tts_core.engines.qwen.generation.generate import GenerationRequest
from tts_core.engines.qwen.generation.guards import FRAMES_PER_SECOND


class TakeInProgress:
    def __init__(self, request: GenerationRequest, *, reference: Tensor | None = None, chunk_frames: int | None = None):
        """reference: codes (F, 16) that the sound goes on from; chunk_frames: size of chunks, None starts with one."""
        self.request = replace(request, cancelled=self.is_cancelled)
        self.reference = reference
        self.chunk_frames = chunk_frames
        self._asked_to_stop = request.cancelled
        self._events: SimpleQueue[AudioChunk | Finished | Exception] = SimpleQueue()
        self._asked_at = time.monotonic()
        self._first_at: float | None = None
        self._sent_s = 0.0
        self._is_over = False
        """Whether the listener has gone or the take has failed."""

    def is_cancelled(self) -> bool:
        return self._is_over or self._asked_to_stop()

    @property
    def has_sound(self) -> bool:
        return self._first_at is not None

    @property
    def deadline(self) -> float:
        """The time.monotonic when a listener who began with the first chunk has heard all there is."""
        return self._asked_at if self._first_at is None else self._first_at + self._sent_s

    def send(self, chunk: AudioChunk, frames: int) -> None:
        if self._first_at is None:
            self._first_at = time.monotonic()
        self._sent_s += frames / FRAMES_PER_SECOND
        self._events.put(chunk)

    def finish(self, reason: StopReason) -> None:
        draws = self.request.draws
        self._events.put(Finished(reason, None if draws.greedy else draws.seed))

    def fail(self, error: Exception) -> None:
        """Hand the error to the listener."""
        self._is_over = True
        self._events.put(error)

    def listen(self) -> Iterator[EngineEvent]:
        """The events as they come. Sound that was made before a stop but not heard is left out."""
        is_cut = False
        try:
            while True:
                event = self._events.get()
                if isinstance(event, Exception):
                    raise event
                is_cut = is_cut or (isinstance(event, AudioChunk) and self.is_cancelled())
                if isinstance(event, Finished):
                    yield replace(event, stop_reason=StopReason.CANCELLED) if is_cut else event
                    return
                if not is_cut:
                    yield event
        finally:
            self._is_over = True
