"""The state that takes carry from frame to frame, in memory that stays where it is: rows side by side, one per slot."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tts_core.engines.qwen.kernels.rows import Rows
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import RotaryTable
from tts_core.engines.qwen.talker.prompt import Prompt
from tts_core.engines.qwen.talker.sampling import Draws, DrawState
from tts_core.engines.qwen.talker.talker import Talker


@dataclass(frozen=True, slots=True)
class TakeRows(Rows):
    """The state that takes carry from frame to frame, without their keys and values. B slots."""

    text: Tensor
    """(B, S, H): the text that is added to each frame's input, then the pad for all later ones."""
    last_text: Tensor
    """(B, 1) int64: the place of the pad in `text`."""
    positions: Tensor
    """(B, 1) int64: the position of the next input."""
    frames: Tensor
    """(B, 1) int64: the number of frames before this one."""
    hidden: Tensor
    """(B, 1, H): the hidden state of the position before."""
    first: Tensor
    """(B, 1) int64: the code 0 drawn from `hidden`."""
    inputs: Tensor
    """(B, 1, H): the frame as the talker reads it."""
    codes: Tensor
    """(B, 16) int64: the frame's codes."""
    draws: DrawState

    @classmethod
    def allocate(cls, talker: Talker, rows: int, text: int) -> TakeRows:
        config, device = talker.config, talker.device

        def hidden(count: int) -> Tensor:
            return torch.zeros(rows, count, config.transformer.hidden_size, device=device, dtype=talker.dtype)

        def whole(count: int) -> Tensor:
            return torch.zeros(rows, count, dtype=torch.int64, device=device)

        draws = DrawState.allocate(rows, config.vocab_size, device)
        codes = whole(config.code_groups)
        return cls(hidden(text), whole(1), whole(1), whole(1), hidden(1), whole(1), hidden(1), codes, draws)

    def begin(self, prompt: Prompt, draws: Draws) -> None:
        """Make its only row that of a take whose prompt is about to be read."""
        count = prompt.trailing.shape[1]
        self.text[:, :count] = prompt.trailing
        self.text[:, count : count + 1] = prompt.pad
        self.last_text.fill_(count)
        self.positions.fill_(prompt.embeddings.shape[1])
        self.frames.zero_()
        self.draws.fill(draws)


@dataclass(frozen=True, slots=True)
class Reading:
    """Codes on their way to the host."""

    codes: Tensor
    arrived: torch.cuda.Event | None

    @classmethod
    def begin(cls, codes: Tensor) -> Reading:
        """Begin to copy codes, which may change as soon as the device has done what it is given now."""
        if not codes.is_cuda:
            return cls(codes.to("cpu", copy=True), None)
        copy = torch.empty(codes.shape, dtype=codes.dtype, pin_memory=True).copy_(codes, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return cls(copy, arrived)

    def wait(self) -> Tensor:
        """Wait for the codes: (rows, 16) int64 on the CPU."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.codes


@dataclass(frozen=True, slots=True)
class TakeMemory:
    """The memory of some slots: their state, their keys and values, and the rotations of positions."""

    rows: TakeRows
    cache: KvCache
    table: RotaryTable

    @classmethod
    def allocate(cls, talker: Talker, *, rows: int, capacity: int, text: int) -> TakeMemory:
        transformer, device = talker.config.transformer, talker.device
        return cls(
            TakeRows.allocate(talker, rows, text),
            KvCache.allocate(transformer, rows=rows, capacity=capacity, device=device, dtype=talker.dtype),
            RotaryTable.build(transformer.head_dim, transformer.rope_theta, capacity, device),
        )

    def part(self, first: int, count: int) -> TakeMemory:
        return TakeMemory(self.rows.part(first, count), self.cache.part(first, count), self.table)

    def put(self, slot: int, source: TakeMemory, length: int) -> None:
        self.rows.put(slot, source.rows)
        self.cache.put(slot, source.cache, length)


@dataclass(frozen=True, slots=True)
class Staging:
    """The memory in which recorded work reads a prompt, whatever slot it is for."""

    memory: TakeMemory
    embeddings: Tensor
    """(1, T, H): the prompt and what was there before."""
    last: Tensor
    """(1): the prompt's last position."""

    @classmethod
    def allocate(cls, talker: Talker, *, longest: int, text: int) -> Staging:
        hidden = talker.config.transformer.hidden_size
        return cls(
            TakeMemory.allocate(talker, rows=1, capacity=longest, text=text),
            torch.zeros(1, longest, hidden, device=talker.device, dtype=talker.dtype),
            torch.zeros(1, dtype=torch.int64, device=talker.device),
        )

    def inputs(self, length: int) -> tuple[TakeMemory, Tensor, Tensor]:
        """The arguments of `FrameStep._read` for prompts up to that length."""
        return self.memory, self.embeddings[:, :length], self.last
