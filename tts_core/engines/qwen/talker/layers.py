"""The blocks of a Qwen3 transformer. Norms, RoPE and logits are float32; positions and caches are arguments.

Attributes are named as the checkpoint names its weights. B rows, T positions, H hidden size, D head size, L cached
length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from tts_core.engines.qwen.talker.config import TransformerConfig
from tts_core.engines.qwen.talker.kv_cache import KvCache
from tts_core.engines.qwen.talker.linear import Part, Product
from tts_core.engines.qwen.talker.weights import KeepsFloat32


class RmsNorm(KeepsFloat32):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size), requires_grad=False)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (self.weight * wide).to(x.dtype)


class Head(Part, KeepsFloat32):
    """The layer from hidden states to logits, in float32."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float())


class Embedding(nn.Embedding):
    """A table of vectors by id."""

    def reset_parameters(self) -> None:
        """Weights come from a file. (Normal noise on the meta device makes torch load sympy, which takes seconds.)"""


@dataclass(frozen=True, slots=True)
class Rotation:
    """Cosines and sines of some positions, float32, shape (B, 1, T, D), ready for (B, heads, T, D)."""

    cos: Tensor
    sin: Tensor

    def apply(self, x: Tensor) -> Tensor:
        wide = x.float()
        left, right = wide.chunk(2, dim=-1)
        turned = torch.cat((-right, left), dim=-1)
        return (wide * self.cos + turned * self.sin).to(x.dtype)


@dataclass(frozen=True, slots=True)
class RotaryTable:
    """Rotations of the positions 0 to capacity - 1, float32, shape (capacity, D)."""

    cos: Tensor
    sin: Tensor

    @classmethod
    def build(cls, head_dim: int, theta: float, capacity: int, device: torch.device) -> RotaryTable:
        exponents = torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim
        frequencies = 1.0 / (theta**exponents)
        angles = torch.arange(capacity).float()[:, None] * frequencies
        angles = torch.cat((angles, angles), dim=-1)
        return cls(angles.cos().to(device), angles.sin().to(device))

    def at(self, positions: Tensor) -> Rotation:
        """The rotations of positions (B, T)."""
        return Rotation(self.cos[positions].unsqueeze(1), self.sin[positions].unsqueeze(1))


@dataclass(frozen=True, slots=True)
class Span:
    """The positions that one forward pass computes, and those that they may look at."""

    positions: Tensor
    """(B, T): the new positions."""
    rotation: Rotation
    length: int
    """L: cached positions that are looked at, the new ones included."""
    mask: Tensor | None
    """(B, 1, T, L), true where looking is allowed; None where everything up to `length` is."""


class Attention(nn.Module):
    """Grouped-query attention with a norm on each head's query and key."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.query_heads, self.kv_heads = config.query_heads, config.kv_heads
        query_size, kv_size = config.query_heads * config.head_dim, config.kv_heads * config.head_dim
        self.qkv = Product()
        self.q_proj = Part(config.hidden_size, query_size, whole=self.qkv)
        self.k_proj = Part(config.hidden_size, kv_size, whole=self.qkv)
        self.v_proj = Part(config.hidden_size, kv_size, whole=self.qkv)
        self.o_proj = Part(query_size, config.hidden_size)
        self.q_norm = RmsNorm(config.head_dim, config.norm_eps)
        self.k_norm = RmsNorm(config.head_dim, config.norm_eps)

    def forward(self, x: Tensor, span: Span, cache: KvCache) -> Tensor:
        rows, count, _ = x.shape
        heads = self.qkv(x).view(rows, count, -1, self.head_dim)
        query, key, value = heads.split((self.query_heads, self.kv_heads, self.kv_heads), dim=2)
        query = span.rotation.apply(self.q_norm(query).transpose(1, 2))
        key = span.rotation.apply(self.k_norm(key).transpose(1, 2))
        value = value.transpose(1, 2)
        keys, values = cache.write(key, value, positions=span.positions, length=span.length)
        mixed = attend(query, keys, values, span.mask)
        return self.o_proj(mixed.transpose(1, 2).reshape(rows, count, -1))  # type: ignore[no-any-return]


def attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Attend: query (B, Hq, T, D), keys and values (B, Hkv, L, D), mask (B, 1, T, L) or None; answers (B, Hq, T, D).

    The query heads that share a key head become more query positions of that head, so nothing is copied per head.
    """
    rows, query_heads, count, head_dim = query.shape
    kv_heads = keys.shape[1]
    group = query_heads // kv_heads
    grouped = query.reshape(rows, kv_heads, group * count, head_dim)
    if mask is not None and count > 1:
        mask = mask.repeat(1, 1, group, 1)
    mixed = functional.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask)
    return mixed.reshape(rows, query_heads, count, head_dim)


class GatedMlp(nn.Module):
    """A gated MLP: down(silu(gate(x)) * up(x)), no bias."""

    def __init__(self, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.gate_up = Product()
        self.gate_proj = Part(hidden, intermediate, whole=self.gate_up)
        self.up_proj = Part(hidden, intermediate, whole=self.gate_up)
        self.down_proj = Part(intermediate, hidden)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down_proj(functional.silu(gate) * up)  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = GatedMlp(config.hidden_size, config.intermediate_size)
        self.input_layernorm = RmsNorm(config.hidden_size, config.norm_eps)
        self.post_attention_layernorm = RmsNorm(config.hidden_size, config.norm_eps)

    def forward(self, x: Tensor, span: Span, cache: KvCache) -> Tensor:
        """Compute x (B, T, H); `cache` is this layer's."""
        x = x + self.self_attn(self.input_layernorm(x), span, cache)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class RunsBlocks(Protocol):
    """Another way to compute all blocks at once."""

    def run(self, x: Tensor, span: Span, cache: KvCache) -> Tensor:
        """See `run_blocks`."""


class Blocks(nn.ModuleList):
    """A transformer's blocks, in order."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(Block(config) for _ in range(config.layers))
        self.fused: RunsBlocks | None = None


def run_blocks(blocks: Blocks, x: Tensor, span: Span, cache: KvCache) -> Tensor:
    """Compute all blocks for x (B, T, H), the new positions; writes their keys and values into the cache."""
    if blocks.fused is not None:
        return blocks.fused.run(x, span, cache)
    for layer, block in enumerate(blocks):
        x = block(x, span, cache.of(layer))
    return x
