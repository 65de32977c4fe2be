"""The state of takes beside each other and one frame of all of them: in place, without a look at any value.

Each take has a slot. Slots are taken from the first on, so a frame computes the first few rows only. On CUDA the widths
and lengths come in steps and each is a graph; elsewhere they are exact. Both run the same functions.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import torch
from torch import Tensor

from tts_core.engine.code_predictor import PredictorState
from tts_core.engine.graphs import Runner, Work
from tts_core.engine.kv_cache import KvCache
from tts_core.engine.layers import RotaryTable, Span
from tts_core.engine.prompt import Prompt
from tts_core.engine.rows import Rows
from tts_core.engine.sampling import Drawer, Draws, DrawState, Reach
from tts_core.engine.talker import Talker

_ROOM = 256
"""Frames (20 s) that fit in the cache before it grows: the bound of a take's length is far above its usual length."""
_GRAPH_POSITIONS = 1024 - _ROOM
_GRAPH_TEXT = 256
_LENGTHS = tuple(256 * 2**step for step in range(8))
"""Cached positions that a graph looks at."""
_PROMPTS = (32, 64, 128, 256, 512)
"""Positions of a prompt that a graph reads; longer ones are read without."""
_USUAL_K = 64


@dataclass(frozen=True, slots=True)
class TakeRows(Rows):
    """All that a take carries from frame to frame but its keys and values. B slots."""

    text: Tensor
    """(B, S, H): what is added to each frame's input, then the pad for all later ones."""
    last_text: Tensor
    """(B, 1) int64: the place of that pad."""
    positions: Tensor
    """(B, 1) int64, of the next input."""
    frames: Tensor
    """(B, 1) int64: frames before this one."""
    hidden: Tensor
    """(B, 1, H): of the position before."""
    first: Tensor
    """(B, 1) int64: the code 0 drawn from it."""
    inputs: Tensor
    """(B, 1, H): the frame as the talker reads it."""
    codes: Tensor
    """(B, 16) int64: the frame."""
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

    def wait(self) -> Tensor:
        """(rows, 16) int64 on the CPU."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.codes


@dataclass(frozen=True, slots=True)
class _Memory:
    rows: TakeRows
    cache: KvCache
    table: RotaryTable

    @classmethod
    def allocate(cls, talker: Talker, *, rows: int, capacity: int, text: int) -> _Memory:
        transformer, device = talker.config.transformer, talker.device
        return cls(
            TakeRows.allocate(talker, rows, text),
            KvCache.allocate(transformer, rows=rows, capacity=capacity, device=device, dtype=talker.dtype),
            RotaryTable.build(transformer.head_dim, transformer.rope_theta, capacity, device),
        )

    def part(self, first: int, count: int) -> _Memory:
        return _Memory(self.rows.part(first, count), self.cache.part(first, count), self.table)

    def put(self, slot: int, source: _Memory, length: int) -> None:
        self.rows.put(slot, source.rows)
        self.cache.put(slot, source.cache, length)


class FrameStep:
    """`join` slots, then `predict` and `advance` in turn for the first `count` of them."""

    def __init__(self, talker: Talker, slots: int, graphs: Runner | None = None) -> None:
        """With graphs all memory is taken now and the host may run ahead; else as takes need it."""
        self.slots = slots
        self.max_positions = talker.config.transformer.max_positions
        self.eos = talker.config.codec_ids.eos
        self._talker = talker
        self._graphs = graphs
        self._drawer = Drawer(talker.config, talker.device)
        self._predictors: dict[int, PredictorState] = {}
        self._reaches = [Reach(1, cuts_p=False)] * slots
        self._lengths = [0] * slots
        """Positions that each slot's take has in the cache."""
        self._memory: _Memory | None = None
        self._staging: _Staging | None = None
        if graphs is not None:
            self._make_room(_GRAPH_POSITIONS, _GRAPH_TEXT)

    @property
    def memory_bytes(self) -> int:
        """What it holds now for the takes' keys and values."""
        return 0 if self._memory is None else self._memory.cache.keys.nbytes + self._memory.cache.values.nbytes

    @property
    def runs_ahead(self) -> bool:
        """Waiting for a frame's codes before the next work is given would leave the device idle."""
        return self._graphs is not None

    @torch.inference_mode()
    def join(self, slot: int, prompt: Prompt, draws: Draws) -> None:
        """Read a prompt and draw its take's first code 0. Prompts are read one by one: none is padded."""
        count = prompt.embeddings.shape[1]
        memory = self._make_room(count, prompt.trailing.shape[1] + 1)
        self._reaches[slot] = Reach.of(draws)
        if self._staging is None or count > _PROMPTS[-1]:
            own = memory.part(slot, 1)
            own.rows.begin(prompt, draws)
            self._read(own, prompt.embeddings, None, self._reaches[slot])
        else:
            self._read_recorded(self._staging, slot, prompt, draws)
        self._lengths[slot] = count

    @torch.inference_mode()
    def move(self, source: int, target: int) -> None:
        """A take goes on in another slot."""
        memory = self._memory_in_use()
        memory.put(target, memory.part(source, 1), self._lengths[source])
        self._lengths[target], self._reaches[target] = self._lengths[source], self._reaches[source]

    def leave(self, slot: int) -> None:
        """Its take has ended."""
        self._lengths[slot] = 0
        if self._graphs is None and not any(self._lengths):
            self._memory = None

    def first_codes(self, count: int) -> list[int]:
        """Code 0 of the frame that `predict` would make next. Waits for the device."""
        codes: list[int] = self._memory_in_use().rows.first[:count, 0].tolist()
        return codes

    @torch.inference_mode()
    def predict(self, count: int) -> Reading:
        """The frames of the codes 0 drawn last."""
        memory, width, reach = self._memory_in_use(), self._width(count), self._reach(count)
        rows = memory.rows.part(0, width)
        self._run(("predict", width, reach), lambda: self._predict(rows, reach))
        codes = memory.rows.codes[:count]
        if not codes.is_cuda:
            return Reading(codes.to("cpu", copy=True), None)
        copy = torch.empty(codes.shape, dtype=codes.dtype, pin_memory=True).copy_(codes, non_blocking=True)
        arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrived.record()
        return Reading(copy, arrived)

    @torch.inference_mode()
    def advance(self, count: int) -> None:
        """Take the frames in and draw the next codes 0."""
        longest = max(self._lengths[:count])
        memory = self._make_room(min(longest + 1, self.max_positions), 0)
        width, reach, length = self._width(count), self._reach(count), min(longest + 1, memory.cache.capacity)
        masked = self._graphs is not None or len(set(self._lengths[:count])) > 1
        if self._graphs is not None:
            length = min(_step_of(_LENGTHS, length), memory.cache.capacity)
        part = memory.part(0, width)
        self._run(("advance", width, length, reach), lambda: self._advance(part, length, masked, reach))
        self._lengths[:count] = [min(each + 1, memory.cache.capacity) for each in self._lengths[:count]]

    @torch.inference_mode()
    def warm_up(self) -> Iterator[tuple[int, int]]:
        """Record what usual takes need while there are none, the most usual first; answers what is done, of what."""
        if self._staging is None:
            return
        reach, memory, staging = Reach(_USUAL_K, cuts_p=False), self._memory_in_use(), self._staging
        widths = sorted({self._width(count) for count in range(1, self.slots + 1)})
        lengths = [length for length in _LENGTHS if length <= memory.cache.capacity]
        works: list[tuple[Hashable, Work]] = []
        for length in _PROMPTS:
            works.append((("read", length, reach), partial(self._read, *staging.inputs(length), reach)))
        for width in widths:
            part = memory.part(0, width)
            works.append((("predict", width, reach), partial(self._predict, part.rows, reach)))
            for length in lengths:
                works.append((("advance", width, length, reach), partial(self._advance, part, length, True, reach)))
        for number, (key, work) in enumerate(works, start=1):
            if self._memory is not memory:  # a take in between needed more
                return
            for _ in range(2):  # the second time it is recorded
                self._run(key, work)
            yield number, len(works)

    def _read_recorded(self, staging: _Staging, slot: int, prompt: Prompt, draws: Draws) -> None:
        """Into memory that stays, and from there to the slot."""
        count, reach = prompt.embeddings.shape[1], self._graph_reach(self._reaches[slot])
        length = _step_of(_PROMPTS, count)
        staging.memory.rows.begin(prompt, draws)
        staging.embeddings[:, :count] = prompt.embeddings
        staging.last.fill_(count - 1)
        self._run(("read", length, reach), lambda: self._read(*staging.inputs(length), reach))
        self._memory_in_use().put(slot, staging.memory, count)

    def _read(self, own: _Memory, embeddings: Tensor, last: Tensor | None, reach: Reach) -> None:
        """A prompt (1, T, H) into memory of one row. last (1): its last position, where more follows it."""
        count = embeddings.shape[1]
        positions = torch.arange(count, device=embeddings.device)[None]
        mask = torch.ones(count, count, dtype=torch.bool, device=embeddings.device).tril()[None, None]
        hidden = self._talker(embeddings, Span(positions, own.table.at(positions), count, mask), own.cache)
        own.rows.hidden.copy_(hidden[:, -1:] if last is None else hidden.index_select(1, last))
        self._draw(own.rows, reach)

    def _predict(self, rows: TakeRows, reach: Reach) -> None:
        talker, width = self._talker, len(rows.first)
        if width not in self._predictors:
            self._predictors[width] = talker.code_predictor.build_state(width, talker.device, talker.dtype)
        first = talker.embed_codec(rows.first)
        drawer = self._drawer.residual(rows.draws, rows.frames, reach)
        codes, others = talker.code_predictor.predict(rows.hidden, first, self._predictors[width], drawer)
        place = rows.frames.minimum(rows.last_text)[..., None].expand(-1, -1, rows.text.shape[-1])
        rows.inputs.copy_(first + others + rows.text.gather(1, place))
        rows.codes.copy_(torch.cat((rows.first, codes), dim=1))

    def _advance(self, part: _Memory, length: int, masked: bool, reach: Reach) -> None:
        rows = part.rows
        positions = rows.positions.clamp(max=part.cache.capacity - 1)  # a slot that nobody uses counts on, too
        mask = None
        if masked:
            mask = (torch.arange(length, device=positions.device) <= positions)[:, None, None]
        span = Span(positions, part.table.at(positions), length, mask)
        rows.hidden.copy_(self._talker(rows.inputs, span, part.cache))
        rows.positions.add_(1)
        rows.frames.add_(1)
        self._draw(rows, reach)

    def _draw(self, rows: TakeRows, reach: Reach) -> None:
        logits = self._talker.codec_head(rows.hidden[:, -1])
        rows.first.copy_(self._drawer.draw_first(logits, rows.draws, rows.frames, reach))

    def _run(self, key: Hashable, work: Work) -> None:
        if self._graphs is None:
            work()
        else:
            self._graphs.run(key, work)

    def _width(self, count: int) -> int:
        return count if self._graphs is None else min(self.slots, 1 << (count - 1).bit_length())

    def _reach(self, count: int) -> Reach:
        reach = reduce(Reach.joined, self._reaches[:count])
        return reach if self._graphs is None else self._graph_reach(reach)

    def _graph_reach(self, reach: Reach) -> Reach:
        widest = _USUAL_K if reach.widest_k <= _USUAL_K else self._talker.config.vocab_size
        return Reach(widest, reach.cuts_p)

    def _memory_in_use(self) -> _Memory:
        if self._memory is None:
            raise RuntimeError("no slot was joined")
        return self._memory

    def _make_room(self, positions: int, text: int) -> _Memory:
        """Memory for so many positions and text embeddings of each slot, at new addresses where it had to grow."""
        old = self._memory
        capacity, room = (0, 0) if old is None else (old.cache.capacity, old.rows.text.shape[1])
        if old is not None and positions <= capacity and text <= room:
            return old
        if positions > capacity:
            capacity = min(max(positions + _ROOM, 2 * capacity), self.max_positions)
        if text > room:
            room = max(text, 2 * room)
        new = self._memory = _Memory.allocate(self._talker, rows=self.slots, capacity=capacity, text=room)
        if old is not None:
            for slot, length in enumerate(self._lengths):
                new.put(slot, old.part(slot, 1), length)
        if self._graphs is not None:
            self._graphs.forget()
            self._staging = _Staging.allocate(self._talker, room)
        return new


@dataclass(frozen=True, slots=True)
class _Staging:
    """Where recorded work reads a prompt, whatever slot it is for."""

    memory: _Memory
    embeddings: Tensor
    """(1, T, H): the prompt and what was there before."""
    last: Tensor
    """(1): its last position."""

    @classmethod
    def allocate(cls, talker: Talker, text: int) -> _Staging:
        longest, hidden = _PROMPTS[-1], talker.config.transformer.hidden_size
        return cls(
            _Memory.allocate(talker, rows=1, capacity=longest, text=text),
            torch.zeros(1, longest, hidden, device=talker.device, dtype=talker.dtype),
            torch.zeros(1, dtype=torch.int64, device=talker.device),
        )

    def inputs(self, length: int) -> tuple[_Memory, Tensor, Tensor]:
        """What `FrameStep._read` reads for prompts up to that length."""
        return self.memory, self.embeddings[:, :length], self.last


def _step_of(steps: Sequence[int], wanted: int) -> int:
    """The first that is enough, or the last."""
    return next((step for step in steps if step >= wanted), steps[-1])


def affordable_slots(talker: Talker, most: int) -> int:
    """Takes that are made at once: one by one where the processor has its hands full with one.

    On CUDA a power of two for which the memory that is free has room twice.
    """
    if talker.device.type != "cuda":
        return 1
    transformer = talker.config.transformer
    position = 2 * transformer.layers * transformer.kv_heads * transformer.head_dim * talker.dtype.itemsize
    free, _ = torch.cuda.mem_get_info(talker.device)
    slots = most
    while slots > 1 and 2 * slots * position * (_GRAPH_POSITIONS + _ROOM) > free:
        slots //= 2
    return slots
