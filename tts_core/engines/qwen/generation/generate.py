"""The frame loop: prompts in, frames out as they are made. One take or several beside each other, each as if alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from tts_core.domain.engine import CancelCheck, never
from tts_core.domain.errors import EngineFailed
from tts_core.domain.values import StopReason
from tts_core.engines.qwen.generation.frame_step import FrameStep
from tts_core.engines.qwen.generation.guards import FrameLimit, LoopGuard
from tts_core.engines.qwen.generation.take_memory import Reading
from tts_core.engines.qwen.talker.prompt import Prompt
from tts_core.engines.qwen.talker.sampling import Draws
from tts_core.engines.qwen.talker.talker import Talker


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A request for the frames of one take."""

    prompt: Prompt
    draws: Draws
    limit: FrameLimit
    cancelled: CancelCheck = never


@dataclass(frozen=True, slots=True)
class Frame:
    """The codes of 80 ms of speech."""

    row: int
    """The place of the take's request."""
    codes: Tensor
    """The frame, (16,) int64 on the CPU."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last event of a row's take."""

    row: int
    reason: StopReason


GenerationEvent = Frame | Stopped


@dataclass(slots=True)
class _Take:
    place: int
    request: GenerationRequest
    limit: int
    """Most first codes: FrameLimit.tokens, or less where the model has no more positions."""
    drawn: int = 0
    """First codes that were judged so far."""
    guard: LoopGuard = field(default_factory=LoopGuard)
    stopped: StopReason | None = None

    def judge(self, first: int, eos: int) -> StopReason | None:
        """The reason why the take ends instead of going on with a frame of this first code; None if it goes on."""
        self.drawn += 1
        if self.request.cancelled():
            return StopReason.CANCELLED
        if first == eos:
            return StopReason.COMPLETE
        if self.drawn >= self.limit:
            return self.request.limit.reason if self.limit == self.request.limit.tokens else StopReason.MAX_LENGTH
        # The likeliest codes of a greedy take may well repeat, and another seed would not change them.
        if not self.request.draws.greedy and self.guard.is_stuck(first):
            return StopReason.LOOP
        return None


class Batch:
    """Takes beside each other, in the first slots of a FrameStep: they join between frames and leave at their end."""

    def __init__(self, step: FrameStep) -> None:
        self._step = step
        self._takes: list[_Take] = []
        self._readings: deque[tuple[Reading, tuple[_Take, ...]]] = deque()
        """Frames that were begun, with the takes that were in its slots then."""

    def __len__(self) -> int:
        return len(self._takes)

    @property
    def has_room(self) -> bool:
        return len(self._takes) < self._step.slots

    def join(self, request: GenerationRequest, place: int) -> Stopped | None:
        """Begin a take; its events will be those of row `place`. Answers its only event if it is cancelled already.

        Raises EngineFailed for a prompt too long to read.
        """
        limit = min(request.limit.tokens, _free_positions(request, self._step.max_positions))
        if request.cancelled():
            return Stopped(place, StopReason.CANCELLED)
        self._step.join(len(self._takes), request.prompt, request.draws)
        self._takes.append(_Take(place, request, limit))
        return None

    def frame(self) -> Iterator[GenerationEvent]:
        """Make one more frame of every take. Where the device runs ahead, the events are those of the frame before."""
        if self._step.runs_ahead:
            yield from self._end_cancelled()
            if self._takes:
                self._readings.append((self._step.frame(len(self._takes)), tuple(self._takes)))
            while len(self._readings) > bool(self._takes):
                yield from self._collect()
            return
        yield from self._judge(self._takes, self._step.first_codes(len(self._takes)) if self._takes else ())
        if self._takes:
            self._readings.append((self._step.predict(len(self._takes)), tuple(self._takes)))
            yield from self._collect()
        yield from self._end_cancelled()
        if self._takes:
            self._step.advance(len(self._takes))

    def clear(self) -> None:
        """Forget all takes: a frame has failed."""
        for slot in range(len(self._takes)):
            self._step.leave(slot)
        self._takes.clear()
        self._readings.clear()

    def _collect(self) -> Iterator[GenerationEvent]:
        reading, takes = self._readings.popleft()
        codes = reading.wait()
        if self._step.runs_ahead:
            yield from self._judge(takes, codes[:, 0].tolist())
        for take, frame in zip(takes, codes, strict=True):
            if take.stopped is None:
                yield Frame(take.place, frame)

    def _judge(self, takes: Sequence[_Take], firsts: Sequence[int]) -> Iterator[Stopped]:
        for take, first in list(zip(takes, firsts, strict=True)):
            if take.stopped is None and (reason := take.judge(first, self._step.eos)) is not None:
                yield self._end(take, reason)

    def _end_cancelled(self) -> Iterator[Stopped]:
        for take in [take for take in self._takes if take.request.cancelled()]:
            yield self._end(take, StopReason.CANCELLED)

    def _end(self, take: _Take, reason: StopReason) -> Stopped:
        """End a take. The last take moves to its slot, so that the first slots are those in use."""
        take.stopped = reason
        slot, last = self._takes.index(take), len(self._takes) - 1
        if slot != last:
            self._step.move(last, slot)
            self._takes[slot] = self._takes[last]
        self._takes.pop()
        self._step.leave(last)
        return Stopped(take.place, reason)


def generate(talker: Talker, request: GenerationRequest) -> Iterator[GenerationEvent]:
    """Generate one take: its frames, then one Stopped. Raises EngineFailed for a prompt too long to read."""
    return generate_batch(talker, [request])


def generate_batch(talker: Talker, requests: Sequence[GenerationRequest]) -> Iterator[GenerationEvent]:
    """Generate takes beside each other: their frames in turn; each row's Stopped comes as soon as it ends."""
    for request in requests:
        _free_positions(request, talker.config.transformer.max_positions)
    return _run(Batch(FrameStep(talker, len(requests))), requests)


def _run(batch: Batch, requests: Sequence[GenerationRequest]) -> Iterator[GenerationEvent]:
    for place, request in enumerate(requests):
        if (stopped := batch.join(request, place)) is not None:
            yield stopped
    while len(batch):
        yield from batch.frame()


def _free_positions(request: GenerationRequest, positions: int) -> int:
    """Frames that can follow its prompt; raises EngineFailed if there are none."""
    free = positions - request.prompt.embeddings.shape[1]
    if free < 1:
        raise EngineFailed(engine="Qwen3-TTS", reason="the text is longer than the model can read at once")
    return free
