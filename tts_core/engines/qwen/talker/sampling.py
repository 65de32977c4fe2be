"""Draws codes from logits. Published order: repetition penalty, minimum length, suppressed ids, temperature, top-k,
top-p.

Everything is an operation on tensors that stay in place, without a look at what they hold; each row has its own
settings and its own noise, so what a row says depends on its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tts_core.domain.values import Sampling
from tts_core.engines.qwen.kernels.noise import gumbel, key_of
from tts_core.engines.qwen.kernels.rows import Rows
from tts_core.engines.qwen.talker.config import TalkerConfig

MIN_FRAMES = 2
"""Frames before which the end can't come, as published."""
_CODEC_IDS = 1024
"""The last ids of the talker's vocabulary are no sound; only the end is ever drawn."""


@dataclass(frozen=True, slots=True)
class Draws:
    """The settings by which one row's codes are drawn."""

    sampling: Sampling
    seed: int
    greedy: bool = False
    """Take the likeliest code of both models; penalty, minimum length and suppression stay."""

    def first(self) -> tuple[float, int, float]:
        """Temperature, top-k and top-p of the talker's codes."""
        sampling = self.sampling
        return (1.0, 1, 1.0) if self.greedy else (sampling.temperature, sampling.top_k, sampling.top_p)

    def residual(self) -> tuple[float, int, float]:
        """Temperature, top-k and top-p of the code predictor's codes."""
        sampling = self.sampling
        if self.greedy:
            return 1.0, 1, 1.0
        return sampling.predictor_temperature, sampling.predictor_top_k, sampling.predictor_top_p


@dataclass(frozen=True, slots=True)
class Reach:
    """The most that the settings of rows beside each other need: it decides which operations their frames have."""

    widest_k: int
    cuts_p: bool
    """Whether some row's top-p is below 1."""

    @classmethod
    def of(cls, draws: Draws) -> Reach:
        settings = draws.first(), draws.residual()
        return cls(max(top_k for _, top_k, _ in settings), any(top_p < 1.0 for *_, top_p in settings))

    def joined(self, other: Reach) -> Reach:
        """The reach that suffices for both."""
        return Reach(max(self.widest_k, other.widest_k), self.cuts_p or other.cuts_p)


@dataclass(frozen=True, slots=True)
class Filter(Rows):
    """Temperature, top-k and top-p of each row, (B, 1)."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor

    @classmethod
    def allocate(cls, rows: int, device: torch.device) -> Filter:
        """Rows that take the likeliest code."""
        one = torch.ones(rows, 1, device=device)
        return cls(one, torch.ones(rows, 1, dtype=torch.int64, device=device), one.clone())

    def fill(self, setting: tuple[float, int, float]) -> None:
        for tensor, value in zip((self.temperature, self.top_k, self.top_p), setting, strict=True):
            tensor.fill_(value)

    def apply(self, logits: Tensor, reach: Reach) -> Tensor:
        """The filtered logits, (B, V) float32 in and out; what may not be drawn becomes minus infinity."""
        logits = logits / self.temperature
        largest = logits.topk(min(reach.widest_k, logits.shape[-1]), dim=-1).values
        least = largest.gather(1, self.top_k.clamp(max=largest.shape[-1]) - 1)
        if reach.cuts_p:
            least = self._least_of_p(largest.masked_fill(largest < least, -torch.inf))
        return logits.masked_fill(logits < least, -torch.inf)

    def _least_of_p(self, ordered: Tensor) -> Tensor:
        """The least logit (B, 1) of those, likeliest first, before which the others hold less than top-p."""
        chances = ordered.softmax(dim=-1)
        before = chances.cumsum(dim=-1) - chances
        allowed = ordered.isfinite() & ((before < self.top_p) | (self.top_p >= 1.0))
        allowed[:, 0] = True
        return ordered.gather(1, allowed.sum(dim=-1, keepdim=True) - 1)


@dataclass(frozen=True, slots=True)
class DrawState(Rows):
    """The state of each row that drawing needs."""

    keys: Tensor
    """(B, 1) int64: the start of the counter of the row's noise."""
    loudness: Tensor
    """(B, 1): the factor of the noise; 0 for a greedy row."""
    penalty: Tensor
    """(B, 1): the repetition penalty."""
    seen: Tensor
    """(B, V): the first codes that the row has drawn."""
    first: Filter
    residual: Filter

    @classmethod
    def allocate(cls, rows: int, vocab_size: int, device: torch.device) -> DrawState:
        return cls(
            keys=torch.zeros(rows, 1, dtype=torch.int64, device=device),
            loudness=torch.zeros(rows, 1, device=device),
            penalty=torch.ones(rows, 1, device=device),
            seen=torch.zeros(rows, vocab_size, dtype=torch.bool, device=device),
            first=Filter.allocate(rows, device),
            residual=Filter.allocate(rows, device),
        )

    def fill(self, draws: Draws) -> None:
        """Make its only row that of a take which begins."""
        self.keys.fill_(key_of(draws.seed))
        self.loudness.fill_(0.0 if draws.greedy else 1.0)
        self.penalty.fill_(draws.sampling.repetition_penalty)
        self.seen.zero_()
        self.first.fill(draws.first())
        self.residual.fill(draws.residual())


class Drawer:
    """Draws codes; what changes from frame to frame is an argument."""

    def __init__(self, config: TalkerConfig, device: torch.device) -> None:
        self._vocab_size, self._code_size = config.vocab_size, config.code_predictor.vocab_size
        self._residuals = config.code_groups - 1
        self._eos = config.codec_ids.eos
        ids = torch.arange(self._vocab_size, device=device)
        self._is_end = ids == self._eos
        self._suppressed = (ids >= self._vocab_size - _CODEC_IDS) & ~self._is_end

    def draw_first(self, logits: Tensor, state: DrawState, frames: Tensor, reach: Reach) -> Tensor:
        """Draw each row's first code (B, 1), maybe the end, by the talker's logits (B, V). frames (B, 1) int64."""
        penalised = torch.where(logits > 0, logits / state.penalty, logits * state.penalty)
        banned = self._suppressed | (self._is_end & (frames < MIN_FRAMES))
        logits = torch.where(state.seen, penalised, logits).masked_fill(banned, -torch.inf)
        noise = gumbel(state.keys, frames, 0, self._vocab_size) * state.loudness
        code = (state.first.apply(logits, reach) + noise).argmax(dim=-1, keepdim=True)
        state.seen.scatter_(1, code, True)
        return code

    def residual(self, state: DrawState, frames: Tensor, reach: Reach) -> ResidualDrawer:
        """The drawer for the other codes of a frame."""
        noise = gumbel(state.keys, frames, self._vocab_size, self._residuals * self._code_size) * state.loudness
        return ResidualDrawer(state.residual, reach, noise.view(-1, self._residuals, self._code_size))


@dataclass(frozen=True, slots=True)
class ResidualDrawer:
    """Draws the codes 1 to 15 of one frame."""

    settings: Filter
    reach: Reach
    noise: Tensor
    """(B, 15, codes): the noise of each step."""

    def draw_residual(self, step: int, logits: Tensor) -> Tensor:
        """Draw each row's code (B) by the code predictor's logits (B, codes) at step 0 to 14."""
        return (self.settings.apply(logits, self.reach) + self.noise[:, step]).argmax(dim=-1)
