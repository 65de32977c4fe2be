"""The small transformer that adds the other 15 codes to a frame, one after the other. Knows no text and no time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from tts_core.engines.qwen.talker.config import TalkerConfig
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import Blocks, Embedding, Head, RmsNorm, RotaryTable, Span, run_blocks
from tts_core.engines.qwen.talker.linear import Part
from tts_core.engines.qwen.talker.sampling import ResidualDrawer


@dataclass(frozen=True, slots=True)
class PredictorState:
    """The memory that a frame's prediction writes and reads; reused for every frame."""

    cache: KvCache
    spans: tuple[Span, ...]
    """The spans of the 15 passes: the first has two positions, the others one."""


class PredictsFrames(Protocol):
    """Another way to predict a frame at once."""

    def predict(self, hidden: Tensor, first: Tensor, cache: KvCache, drawer: ResidualDrawer) -> tuple[Tensor, Tensor]:
        """See `CodePredictor.predict`."""


class _Stack(nn.Module):
    """The part that checkpoints call `model`."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        predictor = config.code_predictor
        self.layers = Blocks(predictor.transformer)
        self.norm = RmsNorm(predictor.transformer.hidden_size, predictor.transformer.norm_eps)
        self.codec_embedding = nn.ModuleList(
            Embedding(predictor.vocab_size, config.transformer.hidden_size) for _ in range(config.code_groups - 1)
        )
        """The embeddings of the codes 1 to 15, as wide as the talker."""


class CodePredictor(nn.Module):
    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.config = config.code_predictor
        hidden_size = self.config.transformer.hidden_size
        self.fused: PredictsFrames | None = None
        self.model = _Stack(config)
        self.lm_head = nn.ModuleList(Head(hidden_size, self.config.vocab_size) for _ in range(config.code_groups - 1))
        self.small_to_mtp_projection: nn.Module = (
            nn.Identity()
            if hidden_size == config.transformer.hidden_size
            else Part(config.transformer.hidden_size, hidden_size, bias=True)
        )

    def build_state(self, rows: int, device: torch.device, dtype: torch.dtype, *, even: bool = False) -> PredictorState:
        """Memory for predicting the frames of `rows` rows at once. even: all passes look at all positions, masked."""
        steps, transformer = len(self.lm_head), self.config.transformer
        cache = KvCache.allocate(transformer, rows=rows, capacity=steps + 1, device=device, dtype=dtype)
        table = RotaryTable.build(transformer.head_dim, transformer.rope_theta, steps + 1, device)
        return PredictorState(cache, tuple(_span(step, rows, table, even) for step in range(steps)))

    def predict(
        self, hidden: Tensor, first: Tensor, state: PredictorState, drawer: ResidualDrawer
    ) -> tuple[Tensor, Tensor]:
        """Predict codes 1 to 15 (B, 15), and the sum of their embeddings (B, 1, H).

        hidden: the talker's (B, 1, H); first: the embedding of code 0 (B, 1, H).
        """
        if self.fused is not None:
            return self.fused.predict(hidden, first, state.cache, drawer)
        x = torch.cat((hidden, first), dim=1)
        total = torch.zeros_like(first)
        codes = []
        for step, (head, embedding) in enumerate(zip(self.lm_head, self.model.codec_embedding, strict=True)):
            x = run_blocks(self.model.layers, self.small_to_mtp_projection(x), state.spans[step], state.cache)
            code = drawer.draw_residual(step, head(self.model.norm(x[:, -1])))  # [B]
            codes.append(code)
            x = embedding(code[:, None])
            total = total + x
        return torch.stack(codes, dim=1), total


def _span(step: int, rows: int, table: RotaryTable, even: bool) -> Span:
    first, last = (0 if step == 0 else step + 1), step + 1
    length = len(table.cos) if even else last + 1
    places = torch.arange(length, device=table.cos.device)
    positions = places[first : last + 1].expand(rows, -1)
    mask = (places <= positions[..., None])[:, None] if even or step == 0 else None
    return Span(positions, table.at(positions), length, mask)
