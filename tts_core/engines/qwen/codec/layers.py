"""The codec decoder's building blocks, all causal. Knows how each carries its past; knows nothing of codes or files.

A layer that looks back keeps what it needs in the list of tensors it is called with, at its own `slot`, and updates it
in place. So a stream is that list, the layers hold weights only, and every tensor keeps its shape and address.

Attribute names are the checkpoint's. Sound travels as [B, C, T]: batch, channels, time steps of the layer's rate.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SNAKE_EPSILON = 1e-9
"""A small number that is added to SnakeBeta's divisor, as published."""
DILATIONS = (1, 3, 9)
"""Dilations of the three residual units in a block; fixed in the published architecture."""


class StatefulLayer(nn.Module):
    """A layer that carries something from one call to the next."""

    slot: int = -1
    """Index of its tensor in the state; `number_slots` sets it."""

    def initial_state(self, batch: int) -> Tensor:
        """The layer's past before the first step: zeros, the silence before the sound. Batch comes first."""
        raise NotImplementedError


def number_slots(root: nn.Module) -> list[StatefulLayer]:
    """Give every stateful layer below `root` its slot, in order of definition, and list them in that order."""
    layers = [layer for layer in root.modules() if isinstance(layer, StatefulLayer)]
    for slot, layer in enumerate(layers):
        layer.slot = slot
    return layers


class CausalConv1d(StatefulLayer):
    """Convolution over the past: step t sees the inputs t - (kernel - 1) * dilation … t. Carries the last inputs."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, *, dilation: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, kernel, dilation=dilation, groups=groups)
        self.history = (kernel - 1) * dilation
        """Steps that the layer looks back."""

    def initial_state(self, batch: int) -> Tensor:
        return self.conv.weight.new_zeros(batch, self.conv.in_channels, self.history)

    def forward(self, x: Tensor, state: list[Tensor]) -> Tensor:
        """x [B, C_in, T] -> [B, C_out, T]."""
        past = state[self.slot]
        x = torch.cat((past, x), dim=-1)
        past.copy_(x[..., x.shape[-1] - self.history :])
        return self.conv(x)  # type: ignore[no-any-return]


class PointConv1d(nn.Module):
    """Convolution with a kernel of one step: no past."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C_in, T] -> [B, C_out, T]."""
        return self.conv(x)  # type: ignore[no-any-return]


class CausalTransposedConv1d(StatefulLayer):
    """Upsampling by `stride`: input t adds to outputs t * stride … t * stride + kernel - 1, kernel at most 2 * stride.

    Carries what the last input still adds to outputs that are not due yet (kernel - stride steps). Computed as one
    matrix product and a shifted sum: torch's own is up to 16 times slower on a CPU for the few steps of one frame.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(channels_in, channels_out, kernel, stride)
        self.stride = stride
        self.overlap = kernel - stride
        self.due_bias: Tensor = nn.Buffer(torch.empty(channels_out * kernel), persistent=False)

    def prepare(self) -> None:
        """Lay out the bias so that each output gets it once."""
        bias: Tensor = self.conv.bias.detach()  # type: ignore[union-attr]
        later = bias.new_zeros(len(bias), self.overlap)
        self.due_bias = torch.cat((bias[:, None].expand(-1, self.stride), later), dim=1).flatten()

    def initial_state(self, batch: int) -> Tensor:
        return self.conv.weight.new_zeros(batch, self.conv.out_channels, self.overlap)

    def forward(self, x: Tensor, state: list[Tensor]) -> Tensor:
        """x [B, C_in, T] -> [B, C_out, T * stride]."""
        batch, channels, steps = x.shape
        matrix = self.conv.weight.view(channels, -1).T  # [C_out * kernel, C_in]
        parts = functional.linear(x.transpose(1, 2), matrix, self.due_bias).view(
            batch, steps, self.conv.out_channels, -1
        )
        parts = parts.transpose(1, 2)  # [B, C_out, T, kernel]
        y, later = parts[..., : self.stride].contiguous(), parts[..., self.stride :]
        pending = state[self.slot]
        y[:, :, 0, : self.overlap] += pending
        y[:, :, 1:, : self.overlap] += later[:, :, :-1]
        pending.copy_(later[:, :, -1])
        return y.view(batch, self.conv.out_channels, steps * self.stride)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution of seven steps, then a per-step MLP, scaled and added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = CausalConv1d(channels, channels, 7, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor, state: list[Tensor]) -> Tensor:
        """x [B, C, T] -> [B, C, T]."""
        y = self.dwconv(x, state).transpose(1, 2)
        y = self.pwconv2(functional.gelu(self.pwconv1(self.norm(y))))
        return x + (self.gamma * y).transpose(1, 2)  # type: ignore[no-any-return]


class SnakeBeta(nn.Module):
    """x + sin²(x · e^alpha) / e^beta, per channel (arXiv 2006.08195, with a magnitude of its own).

    The checkpoint stores logarithms; `prepare` turns them into factors once.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(channels))
        self.beta = nn.Parameter(torch.empty(channels))
        self.frequency: Tensor = nn.Buffer(torch.empty(channels, 1), persistent=False)
        self.amplitude: Tensor = nn.Buffer(torch.empty(channels, 1), persistent=False)

    def prepare(self) -> None:
        """Compute the factors, [C, 1]: in fp32, kept in the weights' precision."""
        alpha, beta = self.alpha.detach(), self.beta.detach()
        self.frequency = alpha.float().exp()[:, None].to(alpha.dtype)
        # the square root goes inside the square: one product less per sample
        self.amplitude = (beta.float().exp() + SNAKE_EPSILON).rsqrt()[:, None].to(beta.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """x [B, C, T] -> [B, C, T]."""
        wave = (x * self.frequency).sin_().mul_(self.amplitude)
        return torch.addcmul(x, wave, wave)


class ResidualUnit(nn.Module):
    """Two activated convolutions beside the identity; the first looks back 6 * dilation steps."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.act1 = SnakeBeta(channels)
        self.conv1 = CausalConv1d(channels, channels, 7, dilation=dilation)
        self.act2 = SnakeBeta(channels)
        self.conv2 = PointConv1d(channels, channels)

    def forward(self, x: Tensor, state: list[Tensor]) -> Tensor:
        """x [B, C, T] -> [B, C, T]."""
        return self.conv2(self.act2(self.conv1(self.act1(x), state))).add_(x)  # type: ignore[no-any-return]


class UpsamplingBlock(nn.Module):
    """Activation, upsampling by `rate` with half the channels, three residual units."""

    def __init__(self, channels_in: int, channels_out: int, rate: int) -> None:
        super().__init__()
        self.block = nn.ModuleList(
            [
                SnakeBeta(channels_in),
                CausalTransposedConv1d(channels_in, channels_out, 2 * rate, rate),
                *(ResidualUnit(channels_out, dilation) for dilation in DILATIONS),
            ]
        )

    def forward(self, x: Tensor, state: list[Tensor]) -> Tensor:
        """x [B, C_in, T] -> [B, C_out, T * rate]."""
        activation, *rest = self.block
        x = activation(x)
        for layer in rest:
            x = layer(x, state)
        return x
