"""Logits to codes. Published order: repetition penalty, minimum length, suppressed ids, temperature, top-k, top-p.

Each row draws from its own generator, all of a frame's noise at once: what a row says depends on its seed alone, and
drawing itself is an argmax over tensors that stay in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tts_core.domain import Sampling
from tts_core.engine.config import TalkerConfig

MIN_FRAMES = 2
"""The end can't come earlier, as published."""
_CODEC_IDS = 1024
"""The last ids of the talker's vocabulary are no sound; only the end is ever drawn."""
_LEAST_NOISE = 1e-30


@dataclass(frozen=True, slots=True)
class Draws:
    """How one row's codes are drawn."""

    sampling: Sampling
    seed: int
    greedy: bool = False
    """Take the likeliest code of both models; penalty, minimum length and suppression stay."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Temperature, top-k and top-p of each row, as tensors (B, 1)."""

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    widest_k: int
    cuts_p: bool
    """Some row's top-p is below 1."""

    @classmethod
    def build(cls, values: Sequence[tuple[float, int, float]], device: torch.device) -> Filter:
        """values: (temperature, top-k, top-p) per row."""
        temperature, top_k, top_p = (
            torch.tensor(column, device=device)[:, None] for column in zip(*values, strict=True)
        )
        return cls(
            temperature=temperature.float(),
            top_k=top_k,
            top_p=top_p.float(),
            widest_k=max(k for _, k, _ in values),
            cuts_p=any(p < 1.0 for *_, p in values),
        )

    def rows(self, indices: list[int]) -> Filter:
        """Of some rows only."""
        mine = {name: getattr(self, name)[indices] for name in ("temperature", "top_k", "top_p")}
        return replace(self, **mine)

    def apply(self, logits: Tensor) -> Tensor:
        """(B, V) float32 in and out; what may not be drawn becomes minus infinity."""
        logits = logits / self.temperature
        size = logits.shape[-1]
        largest = logits.topk(min(self.widest_k, size), dim=-1).values
        least = largest.gather(1, self.top_k.clamp(max=size) - 1)
        logits = logits.masked_fill(logits < least, -torch.inf)
        return self._cut_p(logits) if self.cuts_p else logits

    def _cut_p(self, logits: Tensor) -> Tensor:
        """Drop the least likely codes that together hold at most 1 - top-p, never the likeliest one."""
        ordered, order = logits.sort(dim=-1)
        unlikely = (ordered.softmax(dim=-1).cumsum(dim=-1) <= 1.0 - self.top_p) & (self.top_p < 1.0)
        unlikely[:, -1] = False
        return logits.masked_fill(torch.zeros_like(unlikely).scatter(1, order, unlikely), -torch.inf)


class Drawer:
    """Draws the codes of some rows, frame by frame."""

    def __init__(self, config: TalkerConfig, rows: Sequence[Draws], device: torch.device) -> None:
        self._rows = tuple(rows)
        self._vocab_size, self._code_size = config.vocab_size, config.code_predictor.vocab_size
        plain = (1.0, 1, 1.0)
        self._first = Filter.build(
            [plain if d.greedy else (d.sampling.temperature, d.sampling.top_k, d.sampling.top_p) for d in rows], device
        )
        self._residual = Filter.build([plain if d.greedy else _of_predictor(d.sampling) for d in rows], device)
        self._penalty = torch.tensor([d.sampling.repetition_penalty for d in rows], device=device)[:, None]
        self._seen = torch.zeros(len(rows), self._vocab_size, dtype=torch.bool, device=device)
        self._eos = config.codec_ids.eos
        self._suppressed = torch.zeros(self._vocab_size, dtype=torch.bool, device=device)
        self._suppressed[self._vocab_size - _CODEC_IDS :] = True
        self._suppressed[self._eos] = False
        self._generators = [torch.Generator(device).manual_seed(draws.seed) for draws in rows]
        width = self._vocab_size + (config.code_groups - 1) * self._code_size
        self._noise = torch.zeros(len(rows), width, device=device)

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows only; each draws what it would have drawn."""
        self._rows = tuple(self._rows[row] for row in rows)
        self._generators = [self._generators[row] for row in rows]
        self._first, self._residual = self._first.rows(rows), self._residual.rows(rows)
        self._penalty, self._seen, self._noise = self._penalty[rows], self._seen[rows], self._noise[rows]

    def draw_first(self, logits: Tensor, *, frame: int) -> Tensor:
        """The talker's logits (B, V) to each row's first code (B), which may be the end."""
        self._renew_noise()
        penalised = torch.where(logits > 0, logits / self._penalty, logits * self._penalty)
        logits = torch.where(self._seen, penalised, logits).masked_fill(self._suppressed, -torch.inf)
        if frame < MIN_FRAMES:
            logits[:, self._eos] = -torch.inf
        code = (self._first.apply(logits) + self._noise[:, : self._vocab_size]).argmax(dim=-1)
        self._seen.scatter_(1, code[:, None], True)
        return code

    def draw_residual(self, step: int, logits: Tensor) -> Tensor:
        """The code predictor's logits (B, codes) at step 0 to 14 to each row's code (B)."""
        start = self._vocab_size + step * self._code_size
        noise = self._noise[:, start : start + self._code_size]
        return (self._residual.apply(logits) + noise).argmax(dim=-1)

    def residual_draws(self) -> tuple[Filter, Tensor]:
        """What `draw_residual` works with, for who draws by itself: the filter, and the noise (B, 15, codes)."""
        noise = self._noise[:, self._vocab_size :]
        return self._residual, noise.view(len(noise), -1, self._code_size)

    def _renew_noise(self) -> None:
        """Gumbel noise for a frame's 16 draws: the argmax of logits plus noise is a draw from their softmax."""
        for row, draws in enumerate(self._rows):
            if not draws.greedy:
                noise = self._noise[row].exponential_(generator=self._generators[row])
                noise.clamp_(min=_LEAST_NOISE).log_().neg_()


def _of_predictor(sampling: Sampling) -> tuple[float, int, float]:
    return sampling.predictor_temperature, sampling.predictor_top_k, sampling.predictor_top_p
