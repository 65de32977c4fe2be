"""The state of takes beside each other, and one frame of all of them: in place, without a look at any value.

Each take has a slot. Slots are taken from the first on, so a frame computes the first few rows only. On CUDA the widths
and lengths come in steps and each is a graph; elsewhere they are exact. Both run the same functions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Iterator, Sequence
from functools import partial, reduce

import torch
from torch import Tensor

from tts_core.engines.qwen.generation.compiled_blocks import CompiledTalker
from tts_core.engines.qwen.generation.take_memory import Reading, Staging, TakeMemory, TakeRows
from tts_core.engines.qwen.kernels.graphs import Runner, Work
from tts_core.engines.qwen.talker.code_predictor import PredictorState
from tts_core.engines.qwen.talker.layers import Span
from tts_core.engines.qwen.talker.prompt import Prompt
from tts_core.engines.qwen.talker.sampling import Drawer, Draws, Reach
from tts_core.engines.qwen.talker.talker import Talker

_ROOM = 256
"""Frames (20 s) that fit in the cache before it grows: the bound of a take's length is far above its usual length."""
_GRAPH_POSITIONS = 1024 - _ROOM
_GRAPH_TEXT = 256
_LENGTHS = tuple(256 * 2**step for step in range(8))
"""Numbers of cached positions that graphs look at."""
_PROMPTS = (32, 64, 128, 256, 512)
"""Prompt lengths in positions that graphs read; longer prompts are read without a graph."""
_USUAL_K = 64
_TRIALS = 10
"""Frames that are timed to decide whether compiled blocks are faster."""

logger = logging.getLogger(__name__)


class FrameStep:
    """Makes frames: `join` slots, then `predict` and `advance` in turn for the first `count` of them.

    With graphs `frame` does both.
    """

    def __init__(
        self, talker: Talker, slots: int, graphs: Runner | None = None, compiled: CompiledTalker | None = None
    ) -> None:
        """`graphs` let the host run ahead, and all memory is taken now; without them takes get memory as they need it.

        compiled: the blocks that `warm_up` tries beside the talker's own; the faster ones are recorded.
        """
        self.slots = slots
        self.max_positions = talker.config.transformer.max_positions
        self.eos = talker.config.codec_ids.eos
        self._talker = talker
        self._graphs = graphs
        self._compiled = compiled
        self._fused: set[Hashable] = set()
        """Keys of the frames that are faster with compiled blocks."""
        self._drawer = Drawer(talker.config, talker.device)
        self._predictors: dict[int, PredictorState] = {}
        self._reaches = [Reach(1, cuts_p=False)] * slots
        self._lengths = [0] * slots
        """Positions that each slot's take has in the cache."""
        self._memory: TakeMemory | None = None
        self._staging: Staging | None = None
        if graphs is not None:
            self._make_room(_GRAPH_POSITIONS, _GRAPH_TEXT)

    @property
    def memory_bytes(self) -> int:
        """Bytes that are held now for the takes' keys and values."""
        return 0 if self._memory is None else self._memory.cache.keys.nbytes + self._memory.cache.values.nbytes

    @property
    def runs_ahead(self) -> bool:
        """Whether the next work is given before a frame's codes are known, so that the device is never idle."""
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
        """Let a take go on in another slot."""
        memory = self._memory_in_use()
        memory.put(target, memory.part(source, 1), self._lengths[source])
        self._lengths[target], self._reaches[target] = self._lengths[source], self._reaches[source]

    def leave(self, slot: int) -> None:
        """Free a slot whose take has ended."""
        self._lengths[slot] = 0
        if self._graphs is None and not any(self._lengths):
            self._memory = None

    def first_codes(self, count: int) -> list[int]:
        """Code 0 of the frame that `predict` would make next. Waits for the device."""
        codes: list[int] = self._memory_in_use().rows.first[:count, 0].tolist()
        return codes

    @torch.inference_mode()
    def frame(self, count: int) -> Reading:
        """Make the frames of the codes 0 drawn last, and draw the next codes 0, as one recorded work."""
        width, reach, longest = self._width(count), self._graph_reach(self._reach(count)), max(self._lengths[:count])
        memory = self._make_room(min(longest + 1, self.max_positions), 0)
        key = width, min(_step_of(_LENGTHS, longest + 1), memory.cache.capacity), reach
        self._run(("frame", key in self._fused, *key), self._frame(memory, *key))
        self._count_on(count, memory.cache.capacity)
        return Reading.begin(memory.rows.codes[:count])

    @torch.inference_mode()
    def predict(self, count: int) -> Reading:
        """Make the frames of the codes 0 drawn last."""
        rows = self._memory_in_use().rows
        self._predict(rows.part(0, count), self._reach(count))
        return Reading.begin(rows.codes[:count])

    @torch.inference_mode()
    def advance(self, count: int) -> None:
        """Take the frames in and draw the next codes 0."""
        longest = max(self._lengths[:count])
        memory = self._make_room(min(longest + 1, self.max_positions), 0)
        length, is_uneven = min(longest + 1, memory.cache.capacity), len(set(self._lengths[:count])) > 1
        self._advance(memory.part(0, count), length, is_uneven, self._reach(count))
        self._count_on(count, memory.cache.capacity)

    @torch.inference_mode()
    def warm_up(self) -> Iterator[tuple[int, int]]:
        """Record what usual takes need while there are none, the most usual first; yields works done, of how many."""
        if self._staging is None:
            return
        reach, memory, staging = Reach(_USUAL_K, cuts_p=False), self._memory_in_use(), self._staging
        widths = sorted({self._width(count) for count in range(1, self.slots + 1)})
        frames = [(width, length, reach) for width in widths for length in _LENGTHS if length <= memory.cache.capacity]
        works: list[Work] = []
        for length in _PROMPTS:
            read = partial(self._read, *staging.inputs(length), reach)
            works.append(partial(self._record, ("read", length, reach), read))
        works += [partial(self._record, ("frame", False, *key), self._frame(memory, *key)) for key in frames]
        if self._compiled is not None:
            works += [partial(self._try_compiled, memory, key) for key in frames]
        for number, work in enumerate(works, start=1):
            if self._memory is not memory:  # a take in between needed more memory
                return
            work()
            yield number, len(works)

    def _record(self, key: Hashable, work: Work) -> None:
        for _ in range(2):  # the second time it is recorded
            self._run(key, work)

    def _try_compiled(self, memory: TakeMemory, key: tuple[int, int, Reach]) -> None:
        """Use compiled blocks for frames of this key if that is faster. Where the first is not, no other is tried."""
        if self._compiled is None:
            return
        try:
            with self._compiled.in_use():
                self._record(("frame", True, *key), self._frame(memory, *key))
        except Exception:
            logger.exception("blocks can't be compiled here")
            self._compiled = None
            return
        plain, fused = (
            self._seconds(("frame", is_fused, *key), self._frame(memory, *key)) for is_fused in (False, True)
        )
        logger.info("a frame of %s takes %.2f ms, compiled %.2f ms", key, 1000 * plain, 1000 * fused)
        if fused < plain:
            self._fused.add(key)
        elif not self._fused:
            self._compiled = None

    def _seconds(self, key: Hashable, work: Work) -> float:
        """How long recorded work takes."""
        self._wait()
        started = time.perf_counter()
        for _ in range(_TRIALS):
            self._run(key, work)
        self._wait()
        return (time.perf_counter() - started) / _TRIALS

    def _wait(self) -> None:
        if self._talker.device.type == "cuda":
            torch.cuda.current_stream().synchronize()

    def _read_recorded(self, staging: Staging, slot: int, prompt: Prompt, draws: Draws) -> None:
        """Read a prompt by recorded work: into memory that stays, and from there to the slot."""
        count, reach = prompt.embeddings.shape[1], self._graph_reach(self._reaches[slot])
        length = _step_of(_PROMPTS, count)
        staging.memory.rows.begin(prompt, draws)
        staging.embeddings[:, :count] = prompt.embeddings
        staging.last.fill_(count - 1)
        self._run(("read", length, reach), lambda: self._read(*staging.inputs(length), reach))
        self._memory_in_use().put(slot, staging.memory, count)

    def _read(self, own: TakeMemory, embeddings: Tensor, last: Tensor | None, reach: Reach) -> None:
        """Read a prompt (1, T, H) into memory of one row. last (1): its last position, where unused ones follow it."""
        count = embeddings.shape[1]
        positions = torch.arange(count, device=embeddings.device)[None]
        mask = torch.ones(count, count, dtype=torch.bool, device=embeddings.device).tril()[None, None]
        hidden = self._talker(embeddings, Span(positions, own.table.at(positions), count, mask), own.cache)
        own.rows.hidden.copy_(hidden[:, -1:] if last is None else hidden.index_select(1, last))
        self._draw(own.rows, reach)

    def _frame(self, memory: TakeMemory, width: int, length: int, reach: Reach) -> Work:
        part = memory.part(0, width)

        def work() -> None:
            self._predict(part.rows, reach)
            self._advance(part, length, True, reach)

        return work

    def _predict(self, rows: TakeRows, reach: Reach) -> None:
        talker, width = self._talker, len(rows.first)
        if width not in self._predictors:
            self._predictors[width] = talker.code_predictor.build_state(
                width, talker.device, talker.dtype, even=self.runs_ahead
            )
        first = talker.embed_codec(rows.first)
        drawer = self._drawer.residual(rows.draws, rows.frames, reach)
        codes, others = talker.code_predictor.predict(rows.hidden, first, self._predictors[width], drawer)
        place = rows.frames.minimum(rows.last_text)[..., None].expand(-1, -1, rows.text.shape[-1])
        rows.inputs.copy_(first + others + rows.text.gather(1, place))
        rows.codes.copy_(torch.cat((rows.first, codes), dim=1))

    def _advance(self, part: TakeMemory, length: int, masked: bool, reach: Reach) -> None:
        rows = part.rows
        positions = rows.positions.clamp(max=part.cache.capacity - 1)  # an unused slot counts on, too
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

    def _count_on(self, count: int, capacity: int) -> None:
        self._lengths[:count] = [min(length + 1, capacity) for length in self._lengths[:count]]

    def _width(self, count: int) -> int:
        """The graph width used for `count` takes."""
        return min(self.slots, 1 << (count - 1).bit_length())

    def _reach(self, count: int) -> Reach:
        return reduce(Reach.joined, self._reaches[:count])

    def _graph_reach(self, reach: Reach) -> Reach:
        widest = _USUAL_K if reach.widest_k <= _USUAL_K else self._talker.config.vocab_size
        return Reach(widest, reach.cuts_p)

    def _memory_in_use(self) -> TakeMemory:
        if self._memory is None:
            raise RuntimeError("no slot was joined")
        return self._memory

    def _make_room(self, positions: int, text: int) -> TakeMemory:
        """Memory for that many positions and text embeddings of each slot, at new addresses where it had to grow."""
        old = self._memory
        capacity, room = (0, 0) if old is None else (old.cache.capacity, old.rows.text.shape[1])
        if old is not None and positions <= capacity and text <= room:
            return old
        if positions > capacity:
            capacity = min(max(positions + _ROOM, 2 * capacity), self.max_positions)
        if text > room:
            room = max(text, 2 * room)
        new = self._memory = TakeMemory.allocate(self._talker, rows=self.slots, capacity=capacity, text=room)
        if old is not None:
            for slot, length in enumerate(self._lengths):
                new.put(slot, old.part(slot, 1), length)
        if self._graphs is not None:
            self._graphs.forget()
            self._fused.clear()
            self._staging = Staging.allocate(self._talker, longest=_PROMPTS[-1], text=room)
        return new


def _step_of(steps: Sequence[int], wanted: int) -> int:
    """The first step that is at least `wanted`, or the last."""
    return next((step for step in steps if step >= wanted), steps[-1])


def affordable_slots(talker: Talker, most: int) -> int:
    """How many takes are made at once: one where it keeps the processor busy, at most `most` on CUDA.

    There it is a power of two, and the memory that is free has room for twice as many.
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
