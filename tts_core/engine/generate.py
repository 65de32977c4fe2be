"""The frame loop: prompts in, frames out as they are made. One row or several beside each other, each as if alone.

B rows, H the talker's hidden size, V its vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from tts_core.domain import StopReason
from tts_core.engine.frame_step import FrameStep
from tts_core.engine.guards import FrameLimit, LoopGuard
from tts_core.engine.prompt import Prompt
from tts_core.engine.sampling import Draws
from tts_core.engine.talker import Talker
from tts_core.errors import EngineFailed
from tts_core.protocols import CancelCheck


def never() -> bool:
    """A CancelCheck for takes that nobody stops."""
    return False


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One take."""

    prompt: Prompt
    draws: Draws
    limit: FrameLimit
    cancelled: CancelCheck = never


@dataclass(frozen=True, slots=True)
class Frame:
    """80 ms of speech."""

    row: int
    """Place of its request."""
    codes: Tensor
    """(16,) int64 on the CPU."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A row's last event."""

    row: int
    reason: StopReason


GenerationEvent = Frame | Stopped


@dataclass(slots=True)
class _Row:
    request: GenerationRequest
    limit: int
    """FrameLimit.tokens, or less where the model has no more positions."""
    guard: LoopGuard = field(default_factory=LoopGuard)
    stopped: StopReason | None = None

    def judge(self, first: int, *, eos: int, drawn: int) -> StopReason | None:
        """Why the row ends instead of becoming a frame of the `drawn`-th first code, if it does."""
        if self.request.cancelled():
            return StopReason.CANCELLED
        if first == eos:
            return StopReason.COMPLETE
        if drawn >= self.limit:
            return self.request.limit.reason if self.limit == self.request.limit.tokens else StopReason.MAX_LENGTH
        # The likeliest codes of a greedy take may well repeat, and another seed would not change them.
        if not self.request.draws.greedy and self.guard.is_stuck(first):
            return StopReason.LOOP
        return None


def generate(talker: Talker, request: GenerationRequest) -> Iterator[GenerationEvent]:
    """One take: its frames, then one Stopped. Raises EngineFailed for a prompt too long to read."""
    return generate_batch(talker, [request])


def generate_batch(talker: Talker, requests: Sequence[GenerationRequest]) -> Iterator[GenerationEvent]:
    """Takes beside each other: their frames in turn; each row's Stopped comes as soon as it ends."""
    rows = []
    for request in requests:
        free = talker.config.transformer.max_positions - request.prompt.embeddings.shape[1]
        if free < 1:
            raise EngineFailed(engine="Qwen3-TTS", reason="the text is longer than the model can read at once")
        rows.append(_Row(request, min(request.limit.tokens, free)))
    return _run(talker, rows, max(row.request.prompt.embeddings.shape[1] + row.limit for row in rows))


def _run(talker: Talker, rows: list[_Row], capacity: int) -> Iterator[GenerationEvent]:
    requests = [row.request for row in rows]
    step = FrameStep(talker, [r.prompt for r in requests], [r.draws for r in requests], capacity)
    yield from _cancel(rows)
    if all(row.stopped for row in rows):
        return
    first = step.begin()
    for drawn in range(1, capacity + 1):
        for index, (row, code) in enumerate(zip(rows, first, strict=True)):
            if row.stopped is None:
                row.stopped = row.judge(code, eos=talker.config.codec_ids.eos, drawn=drawn)
                if row.stopped is not None:
                    yield Stopped(index, row.stopped)
        if all(row.stopped for row in rows):
            return
        codes = step.predict()  # [B, 16]
        for index, row in enumerate(rows):
            if row.stopped is None:
                yield Frame(index, codes[index])
        yield from _cancel(rows)
        if all(row.stopped for row in rows):
            return
        first = step.advance()


def _cancel(rows: Sequence[_Row]) -> Iterator[Stopped]:
    for index, row in enumerate(rows):
        if row.stopped is None and row.request.cancelled():
            row.stopped = StopReason.CANCELLED
            yield Stopped(index, row.stopped)
