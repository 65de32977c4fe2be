"""The transformer that turns text and past frames into the next frame's first code. Knows tensors, not words or voices.

B rows, T positions, H hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.engines.qwen.talker.code_predictor import CodePredictor
from tts_core.engines.qwen.talker.config import TalkerConfig
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.layers import Blocks, Embedding, Head, RmsNorm, Span, run_blocks
from tts_core.engines.qwen.talker.weights import KeepsStored


class _TextEmbedding(Embedding, KeepsStored):
    """The text embeddings, a third of the 0.6B weights: a prompt reads a few rows, which are widened only then."""


class _Stack(nn.Module):
    """The part that checkpoints call `model`."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        transformer = config.transformer
        self.layers = Blocks(transformer)
        self.norm = RmsNorm(transformer.hidden_size, transformer.norm_eps)
        self.codec_embedding = Embedding(config.vocab_size, transformer.hidden_size)
        self.text_embedding = _TextEmbedding(config.text_vocab_size, config.text_hidden_size)


class _TextProjection(nn.Module):
    """The layers from text embeddings to the talker's width."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.linear_fc1 = nn.Linear(config.text_hidden_size, config.text_hidden_size)
        self.linear_fc2 = nn.Linear(config.text_hidden_size, config.transformer.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """Project (B, T, text width) in any precision to (B, T, H)."""
        x = x.to(self.linear_fc1.weight.dtype)
        return self.linear_fc2(functional.silu(self.linear_fc1(x)))  # type: ignore[no-any-return]


class Talker(nn.Module):
    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Stack(config)
        self.text_projection = _TextProjection(config)
        self.codec_head = Head(config.transformer.hidden_size, config.vocab_size)
        self.code_predictor = CodePredictor(config)

    @property
    def device(self) -> torch.device:
        return self.model.codec_embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.model.codec_embedding.weight.dtype

    def embed_text(self, ids: Tensor) -> Tensor:
        """The embeddings (B, T, H) of text ids (B, T)."""
        return self.text_projection(self.model.text_embedding(ids))  # type: ignore[no-any-return]

    def embed_codec(self, ids: Tensor) -> Tensor:
        """The embeddings (B, T, H) of codec ids or first codes (B, T)."""
        return self.model.codec_embedding(ids)  # type: ignore[no-any-return]

    def embed_frames(self, codes: Tensor) -> Tensor:
        """The embeddings (B, F, H) of whole frames (B, F, 16): the sums of their codes' embeddings."""
        total = self.embed_codec(codes[..., 0])
        for group, embedding in enumerate(self.code_predictor.model.codec_embedding, start=1):
            total = total + embedding(codes[..., group])
        return total

    def forward(self, x: Tensor, span: Span, cache: KvCache) -> Tensor:
        """Compute the normed hidden states (B, T, H) of inputs (B, T, H)."""
        return self.model.norm(run_blocks(self.model.layers, x, span, cache))  # type: ignore[no-any-return]
