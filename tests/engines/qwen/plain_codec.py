"""The codec decoder in one pass over everything, straight from the stored weights: slow, stateless, easy to check."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from tts_core.engines.qwen.talker.config import CodecDecoderConfig


class PlainDecoder:
    def __init__(self, file: Path, config: CodecDecoderConfig) -> None:
        self.config = config
        self.weights = {name.removeprefix("decoder."): w for name, w in load_file(file).items()}

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """codes [16, T] -> samples [T * 1920]."""
        x = self.conv("pre_conv", self.codebook_vectors(codes))
        x = self.transformer(x.T).T
        for index, ratio in enumerate(self.config.upsampling_ratios):
            x = self.upsample(f"upsample.{index}.0", x, ratio)
            x = self.convnext(f"upsample.{index}.1", x)
        x = self.conv("decoder.0", x)
        for index, rate in enumerate(self.config.upsample_rates, start=1):
            x = self.block(f"decoder.{index}.block", x, rate)
        last = len(self.config.upsample_rates) + 1
        return self.conv(f"decoder.{last + 1}", self.snake(f"decoder.{last}", x))[0].clamp(-1, 1)

    def codebook_vectors(self, codes: Tensor) -> Tensor:
        total = torch.zeros(())
        for part, rows in (("rvq_first", codes[:1]), ("rvq_rest", codes[1:])):
            vectors = torch.zeros(())
            for layer, row in enumerate(rows):
                name = f"quantizer.{part}.vq.layers.{layer}._codebook"
                embedding = self[f"{name}.embedding_sum"] / self[f"{name}.cluster_usage"][:, None]
                vectors = vectors + embedding[row]
            total = total + self[f"quantizer.{part}.output_proj.weight"][..., 0] @ vectors.T
        return total

    def transformer(self, x: Tensor) -> Tensor:
        x = self.linear("pre_transformer.input_proj", x)
        for layer in range(self.config.layers):
            name = f"pre_transformer.layers.{layer}"
            y = self.attention(f"{name}.self_attn", self.norm(f"{name}.input_layernorm", x))
            x = x + self[f"{name}.self_attn_layer_scale.scale"] * y
            y = self.mlp(f"{name}.mlp", self.norm(f"{name}.post_attention_layernorm", x))
            x = x + self[f"{name}.mlp_layer_scale.scale"] * y
        return self.linear("pre_transformer.output_proj", self.norm("pre_transformer.norm", x))

    def attention(self, name: str, x: Tensor) -> Tensor:
        length, heads = len(x), self.config.query_heads
        query, key, value = (
            self.linear(f"{name}.{part}_proj", x).view(length, heads, -1).transpose(0, 1) for part in "qkv"
        )
        scores = self.rotate(query) @ self.rotate(key).transpose(1, 2) / self.config.head_dim**0.5
        distance = torch.arange(length)[:, None] - torch.arange(length)
        hidden = (distance < 0) | (distance >= self.config.sliding_window)
        mixed = scores.masked_fill(hidden, -torch.inf).softmax(dim=-1) @ value
        return self.linear(f"{name}.o_proj", mixed.transpose(0, 1).reshape(length, -1))

    def rotate(self, x: Tensor) -> Tensor:
        """By the position in the whole stream, as complex numbers."""
        half = x.shape[-1] // 2
        speeds = self.config.rope_theta ** -(torch.arange(half, dtype=torch.float64) / half)
        angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * speeds
        turned = torch.complex(x[..., :half].double(), x[..., half:].double()) * torch.exp(1j * angles)
        return torch.cat((turned.real, turned.imag), dim=-1).float()

    def mlp(self, name: str, x: Tensor) -> Tensor:
        gate = functional.silu(self.linear(f"{name}.gate_proj", x))
        return self.linear(f"{name}.down_proj", gate * self.linear(f"{name}.up_proj", x))

    def norm(self, name: str, x: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + self.config.norm_eps).sqrt() * self[f"{name}.weight"]

    def convnext(self, name: str, x: Tensor) -> Tensor:
        y = self.conv(f"{name}.dwconv", x, groups=len(x)).T
        y = functional.layer_norm(y, y.shape[-1:], self[f"{name}.norm.weight"], self[f"{name}.norm.bias"], 1e-6)
        y = self.linear(f"{name}.pwconv2", functional.gelu(self.linear(f"{name}.pwconv1", y)))
        return x + (self[f"{name}.gamma"] * y).T

    def block(self, name: str, x: Tensor, rate: int) -> Tensor:
        x = self.upsample(f"{name}.1", self.snake(f"{name}.0", x), rate)
        for unit, dilation in ((2, 1), (3, 3), (4, 9)):
            y = self.conv(f"{name}.{unit}.conv1", self.snake(f"{name}.{unit}.act1", x), dilation=dilation)
            x = x + self.conv(f"{name}.{unit}.conv2", self.snake(f"{name}.{unit}.act2", y))
        return x

    def snake(self, name: str, x: Tensor) -> Tensor:
        frequency, magnitude = self[f"{name}.alpha"].exp()[:, None], self[f"{name}.beta"].exp()[:, None]
        return x + (x * frequency).sin().square() / (magnitude + 1e-9)

    def conv(self, name: str, x: Tensor, *, dilation: int = 1, groups: int = 1) -> Tensor:
        weight = self[f"{name}.conv.weight"]
        padded = functional.pad(x, ((weight.shape[-1] - 1) * dilation, 0))
        return functional.conv1d(padded, weight, self[f"{name}.conv.bias"], dilation=dilation, groups=groups)

    def upsample(self, name: str, x: Tensor, rate: int) -> Tensor:
        y = functional.conv_transpose1d(x, self[f"{name}.conv.weight"], self[f"{name}.conv.bias"], stride=rate)
        return y[:, : x.shape[1] * rate]

    def linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def __getitem__(self, name: str) -> Tensor:
        return self.weights[name]
