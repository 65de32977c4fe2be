"""The order of speaking: one thread owns the model and makes a frame of each take in turn; takes join in between."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from threading import Lock

import torch

from tts_core.domain.errors import QueueFull
from tts_core.domain.events import EngineEvent
from tts_core.domain.values import StopReason
from tts_core.engines.qwen.generation.frame_step import FrameStep
from tts_core.engines.qwen.generation.generate import Batch, Frame
from tts_core.engines.qwen.generation.sound_queue import SoundQueue, Stream
from tts_core.engines.qwen.generation.take import TakeInProgress
from tts_core.engines.qwen.generation.worker import Worker

logger = logging.getLogger(__name__)

_JOINS = 8
"""Takes that join between two frames where no listener is about to run out of sound; else one joins."""
_LEAST_SLACK_S = 0.04
_POLL_S = 0.1


class Scheduler:
    def __init__(self, step: FrameStep, sound_queue: SoundQueue, device: torch.device, *, max_waiting: int) -> None:
        self._step = step
        self._sound_queue = sound_queue
        self._max_waiting = max_waiting
        self._batch = Batch(step)
        self._streams: dict[int, Stream] = {}
        """The streams by the rows that the batch knows them by."""
        self._joined = 0
        self._waiting: deque[TakeInProgress] = deque()
        self._lock = Lock()
        self._worker = Worker("speech", self._turn, device)
        self._warming: Iterator[tuple[int, int]] = iter(())
        self.warmed = (0, 0)
        """How many recordings are made, and of how many."""
        self._is_warm = True
        if step.runs_ahead:
            sound_queue.use_thread(device, self._worker.wake)

    @property
    def is_warm(self) -> bool:
        """Whether everything usual is as fast as it gets."""
        return self._is_warm and self._sound_queue.is_warm

    def speak(self, speech: TakeInProgress) -> Iterator[EngineEvent]:
        """The events of a take; it is submitted when the first one is asked for. Raises QueueFull then."""
        self.submit(speech)
        yield from speech.listen()

    def submit(self, speech: TakeInProgress) -> None:
        """Have a take spoken as soon as there is a slot. Raises QueueFull."""
        with self._lock:
            if len(self._waiting) >= self._max_waiting:
                raise QueueFull(waiting=len(self._waiting))
            self._waiting.append(speech)
        self._worker.wake()

    def warm_up(self) -> None:
        """Record everything usual in the background, whenever no take is spoken."""
        if self._step.runs_ahead:
            self._is_warm = False
            self._warming = self._step.warm_up()
            self._sound_queue.warm_up()
            self._worker.wake()

    def wait_until_warm(self, report: Callable[[int, int], None] = lambda _done, _all: None) -> None:
        """Wait until `is_warm`. report: called with the recordings made, and of how many."""
        while not self.is_warm:
            report(*self.warmed)
            time.sleep(_POLL_S)

    def close(self) -> None:
        """Let what was submitted be spoken to its end, then let the threads end."""
        self._warming = iter(())  # recordings would not be used any more
        self._worker.close()
        self._sound_queue.close()

    def _turn(self) -> bool:
        try:
            self._admit()
            if not len(self._batch):
                return self._warm_a_little()
            for event in self._batch.frame():
                if isinstance(event, Frame):
                    self._sound_queue.add(self._streams[event.row], event.codes)
                else:
                    self._sound_queue.end(self._streams.pop(event.row), event.reason)
        except Exception as error:
            logger.exception("a frame failed")
            self._fail_all(error)
        return True

    def _admit(self) -> None:
        self._drop_cancelled()
        slack = min(
            (stream.speech.deadline for stream in self._streams.values() if stream.speech.has_sound), default=torch.inf
        )
        joins = _JOINS if slack - time.monotonic() > _LEAST_SLACK_S else 1
        while joins and self._batch.has_room and self._sound_queue.has_room:
            with self._lock:
                if not self._waiting:
                    return
                speech = self._waiting.popleft()
            self._join(speech)
            joins -= 1

    def _drop_cancelled(self) -> None:
        """Finish the waiting takes that were cancelled."""
        with self._lock:
            waiting = tuple(self._waiting)
        for speech in waiting:
            if speech.is_cancelled():
                with self._lock:
                    self._waiting.remove(speech)
                speech.finish(StopReason.CANCELLED)

    def _join(self, speech: TakeInProgress) -> None:
        """Begin a take. An error is this take's alone."""
        row, self._joined = self._joined, self._joined + 1
        stream = self._sound_queue.open(speech)
        try:
            stopped = self._batch.join(speech.request, row)
        except Exception as error:
            logger.exception("a take can't begin")
            speech.fail(error)
            self._sound_queue.end(stream, StopReason.CANCELLED)
            return
        if stopped is None:
            self._streams[row] = stream
        else:
            self._sound_queue.end(stream, stopped.reason)

    def _fail_all(self, error: Exception) -> None:
        self._batch.clear()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.speech.fail(error)
            self._sound_queue.end(stream, StopReason.CANCELLED)

    def _warm_a_little(self) -> bool:
        done = next(self._warming, None)
        if done is None:
            self._is_warm = True
            return False
        self.warmed = done
        return True
