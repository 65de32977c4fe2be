"""The transformer in the codec decoder: causal, each frame seeing itself and the frames just before it.

Keys are kept unrotated and turned by their place in the window, not in the stream: attention depends on distances only,
so this computes the same, a stream may run for hours, and every row of a batch may have its own beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tts_core.engines.qwen.codec.layers import StatefulLayer
from tts_core.engines.qwen.talker.config import CodecDecoderConfig
from tts_core.engines.qwen.talker.layers import GatedMlp, RmsNorm, RotaryTable, Rotation, attend
from tts_core.engines.qwen.talker.linear import Part, Product


@dataclass(frozen=True, slots=True)
class WindowView:
    """The view that all layers share in one call: T new frames after window - 1 carried ones (K = window - 1 + T)."""

    keys: Rotation
    """The rotation of the K places in the window."""
    queries: Rotation
    """The rotation of the last T of these places."""
    visible: Tensor
    """The mask [B, 1, T, K], True where a new frame may look."""


class LayerScale(nn.Module):
    """A factor per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


class SlidingAttention(StatefulLayer):
    """Attention within the window. Carries the keys (before rotation) and values of the last window - 1 frames."""

    def __init__(self, config: CodecDecoderConfig) -> None:
        super().__init__()
        self.query_heads, self.key_value_heads = config.query_heads, config.kv_heads
        self.head_dim = config.head_dim
        self.past = config.sliding_window - 1
        width, key_value_width = config.query_heads * self.head_dim, config.kv_heads * self.head_dim
        self.qkv = Product()
        self.q_proj = Part(config.hidden_size, width, whole=self.qkv)
        self.k_proj = Part(config.hidden_size, key_value_width, whole=self.qkv)
        self.v_proj = Part(config.hidden_size, key_value_width, whole=self.qkv)
        self.o_proj = Part(width, config.hidden_size)

    def initial_state(self, batch: int) -> Tensor:
        return self.q_proj.weight.new_zeros(batch, 2, self.key_value_heads, self.past, self.head_dim)

    def forward(self, x: Tensor, view: WindowView, state: list[Tensor]) -> Tensor:
        """x [B, T, hidden] -> [B, T, hidden]."""
        batch, steps, _ = x.shape
        heads = self.qkv(x).view(batch, steps, -1, self.head_dim).transpose(1, 2)  # [B, heads of all three, T, D]
        query, *new = heads.split((self.query_heads, self.key_value_heads, self.key_value_heads), dim=1)
        carried = state[self.slot]
        window = torch.cat((carried, torch.stack(new, dim=1)), dim=3)  # [B, 2, H, K, D]
        carried.copy_(window[..., steps:, :])
        keys, values = window.unbind(1)
        y = attend(view.queries.apply(query), view.keys.apply(keys), values, view.visible)
        return self.o_proj(y.transpose(1, 2).reshape(batch, steps, -1))  # type: ignore[no-any-return]


class TransformerLayer(nn.Module):
    """Attention and MLP, each normed before, scaled after and added."""

    def __init__(self, config: CodecDecoderConfig) -> None:
        super().__init__()
        self.input_layernorm = RmsNorm(config.hidden_size, config.norm_eps)
        self.self_attn = SlidingAttention(config)
        self.self_attn_layer_scale = LayerScale(config.hidden_size)
        self.post_attention_layernorm = RmsNorm(config.hidden_size, config.norm_eps)
        self.mlp = GatedMlp(config.hidden_size, config.intermediate_size)
        self.mlp_layer_scale = LayerScale(config.hidden_size)

    def forward(self, x: Tensor, view: WindowView, state: list[Tensor]) -> Tensor:
        """x [B, T, hidden] -> [B, T, hidden]."""
        x = x + self.self_attn_layer_scale(self.self_attn(self.input_layernorm(x), view, state))
        return x + self.mlp_layer_scale(self.mlp(self.post_attention_layernorm(x)))  # type: ignore[no-any-return]


class CodecTransformer(StatefulLayer):
    """`layers` transformer layers between two projections. Carries how many frames of each row's window are real."""

    def __init__(self, config: CodecDecoderConfig, *, max_frames: int) -> None:
        """max_frames: the most frames that go in at once."""
        super().__init__()
        self.head_dim = config.head_dim
        self.rope_theta = config.rope_theta
        self.past = config.sliding_window - 1
        self.max_frames = max_frames
        self.input_proj = nn.Linear(config.latent_dim, config.hidden_size)
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.hidden_size, config.norm_eps)
        self.output_proj = nn.Linear(config.hidden_size, config.latent_dim)

    def prepare(self) -> None:
        """Compute the rotations of the places in a window."""
        device = self.input_proj.weight.device
        self.rotary = RotaryTable.build(self.head_dim, self.rope_theta, self.past + self.max_frames, device)

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, dtype=torch.int64, device=self.input_proj.weight.device)

    def forward(self, x: Tensor, state: list[Tensor]) -> Tensor:
        """x [B, T, latent] -> [B, T, latent]."""
        steps = x.shape[1]
        real = state[self.slot]
        view = self._view(real, steps)
        real.add_(steps).clamp_(max=self.past)
        x = self.input_proj(x)
        for layer in self.layers:
            x = layer(x, view, state)
        return self.output_proj(self.norm(x))  # type: ignore[no-any-return]

    def _view(self, real: Tensor, steps: int) -> WindowView:
        key = torch.arange(self.past + steps, device=real.device)
        query = key[self.past :, None]
        in_window = (key <= query) & (key >= query - self.past)  # [T, K]
        visible = in_window & (key >= self.past - real[:, None])[:, None, None, :]
        return WindowView(self.rotary.at(key[None]), self.rotary.at(key[None, self.past :]), visible)
