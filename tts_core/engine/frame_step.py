"""State and arithmetic of one frame for B rows, in place, so that a frame can be captured or compiled."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tts_core.engine.kv_cache import KvCache
from tts_core.engine.layers import RotaryTable, Span
from tts_core.engine.prompt import Prompt
from tts_core.engine.sampling import Drawer, Draws
from tts_core.engine.talker import Talker

_ROOM = 256
"""Frames (20 s) that fit in the cache before it grows: the bound of a take's length is far above its usual length."""


class FrameStep:
    """Call `begin` once, then `predict` and `advance` in turn, and `keep` when rows have ended."""

    def __init__(self, talker: Talker, prompts: Sequence[Prompt], draws: Sequence[Draws], capacity: int) -> None:
        """capacity: positions of the longest row, prompt and frames; memory is taken as they come."""
        transformer, device, rows = talker.config.transformer, talker.device, len(prompts)
        self._talker = talker
        self._prompts = tuple(prompts)
        lengths = [prompt.embeddings.shape[1] for prompt in prompts]
        self._capacity = capacity
        room = min(capacity, max(lengths) + _ROOM)
        self._cache = KvCache.allocate(transformer, rows=rows, capacity=room, device=device, dtype=talker.dtype)
        self._table = RotaryTable.build(transformer.head_dim, transformer.rope_theta, capacity, device)
        self._drawer = Drawer(talker.config, draws, device)
        self._predictor = talker.code_predictor.build_state(rows, device, talker.dtype)
        self._text = _side_by_side(prompts)
        self._positions = torch.tensor(lengths, device=device)[:, None]  # [B, 1], of the next input
        self._length = max(lengths)
        self._even = len(set(lengths)) == 1
        self._frame = 0
        self._hidden = torch.empty(0)
        self._first = torch.empty(0)
        self._input = torch.empty(0)

    @torch.inference_mode()
    def begin(self) -> list[int]:
        """Read the prompts; answers each row's first code 0. Rows are read one by one: none is padded."""
        self._hidden = torch.cat([self._read(index, prompt) for index, prompt in enumerate(self._prompts)])
        return self._draw()

    @torch.inference_mode()
    def predict(self) -> Tensor:
        """The frame of the code 0 drawn last, (B, 16) on the CPU."""
        first = self._talker.embed_codec(self._first[:, None])
        codes, others = self._talker.code_predictor.predict(self._hidden, first, self._predictor, self._drawer)
        text = self._text[:, min(self._frame, self._text.shape[1] - 1), None]
        self._input = first + others + text
        return torch.cat((self._first[:, None], codes), dim=1).cpu()

    @torch.inference_mode()
    def advance(self) -> list[int]:
        """Take the frame in; answers each row's next code 0."""
        self._frame += 1
        self._length = min(self._length + 1, self._capacity)
        if self._length > self._cache.capacity:
            self._cache = self._cache.grown(min(2 * self._cache.capacity, self._capacity))
        mask = None
        if not self._even:
            mask = (torch.arange(self._length, device=self._positions.device) <= self._positions)[:, None, None]
        span = Span(self._positions, self._table.at(self._positions), self._length, mask)
        self._hidden = self._talker(self._input, span, self._cache)
        self._positions = (self._positions + 1).clamp(max=self._capacity - 1)
        return self._draw()

    @torch.inference_mode()
    def keep(self, rows: list[int]) -> None:
        """Go on with these rows only, in this order: what has ended costs nothing any more."""
        self._cache = self._cache.rows(rows)
        self._drawer.keep(rows)
        self._predictor = self._talker.code_predictor.build_state(len(rows), self._talker.device, self._talker.dtype)
        self._text, self._positions, self._hidden = self._text[rows], self._positions[rows], self._hidden[rows]
        self._first = self._first[rows]
        self._input = self._input[rows] if len(self._input) else self._input
        lengths = self._positions[:, 0].tolist()
        self._length, self._even = max(lengths), len(set(lengths)) == 1

    def _read(self, index: int, prompt: Prompt) -> Tensor:
        """One prompt into its row of the cache; answers the hidden state after it, (1, 1, H)."""
        count = prompt.embeddings.shape[1]
        positions = torch.arange(count, device=self._positions.device)[None]
        mask = torch.ones(count, count, dtype=torch.bool, device=self._positions.device).tril()[None, None]
        span = Span(positions, self._table.at(positions), count, mask)
        hidden: Tensor = self._talker(prompt.embeddings, span, self._cache.row(index))
        return hidden[:, -1:]

    def _draw(self) -> list[int]:
        self._first = self._drawer.draw_first(self._talker.codec_head(self._hidden[:, -1]), frame=self._frame)
        return [int(code) for code in self._first.tolist()]


def _side_by_side(prompts: Sequence[Prompt]) -> Tensor:
    """What is added to each frame's input, (B, S + 1, H): the trailing text, then the pad for all later frames."""
    longest = max(prompt.trailing.shape[1] for prompt in prompts)
    rows = [torch.cat((p.trailing, p.pad.expand(-1, longest + 1 - p.trailing.shape[1], -1)), dim=1) for p in prompts]
    return torch.cat(rows)
