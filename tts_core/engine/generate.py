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
    place: int
    """Among the requests."""
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
    for place, request in enumerate(requests):
        free = talker.config.transformer.max_positions - request.prompt.embeddings.shape[1]
        if free < 1:
            raise EngineFailed(engine="Qwen3-TTS", reason="the text is longer than the model can read at once")
        rows.append(_Row(place, request, min(request.limit.tokens, free)))
    return _run(talker, rows, max(row.request.prompt.embeddings.shape[1] + row.limit for row in rows))


def _run(talker: Talker, rows: list[_Row], capacity: int) -> Iterator[GenerationEvent]:
    yield from _cancel(rows)
    rows = [row for row in rows if row.stopped is None]
    if not rows:
        return
    step = FrameStep(talker, [row.request.prompt for row in rows], [row.request.draws for row in rows], capacity)
    first = step.begin()
    for drawn in range(1, capacity + 1):
        for row, code in zip(rows, first, strict=True):
            row.stopped = row.judge(code, eos=talker.config.codec_ids.eos, drawn=drawn)
            if row.stopped is not None:
                yield Stopped(row.place, row.stopped)
        rows = _going(step, rows)
        if not rows:
            return
        for row, codes in zip(rows, step.predict(), strict=True):
            yield Frame(row.place, codes)
        yield from _cancel(rows)
        rows = _going(step, rows)
        if not rows:
            return
        first = step.advance()


def _cancel(rows: Sequence[_Row]) -> Iterator[Stopped]:
    for row in rows:
        if row.request.cancelled():
            row.stopped = StopReason.CANCELLED
            yield Stopped(row.place, row.stopped)


def _going(step: FrameStep, rows: list[_Row]) -> list[_Row]:
    """The rows that have not ended; the others leave the step."""
    going = [place for place, row in enumerate(rows) if row.stopped is None]
    if 0 < len(going) < len(rows):
        step.keep(going)
    return [rows[place] for place in going]
