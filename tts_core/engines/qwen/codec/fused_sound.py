"""The codec decoder's sound stack on a CPU as compiled loops (`native_sound`). Same weights, same state, fp32.

torch's convolutions reach two thirds of what the processor can do for a second of sound and a third for one frame, and
SnakeBeta walks through the memory five times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tts_core.engines.qwen.codec.layers import (
    CausalConv1d,
    CausalTransposedConv1d,
    ResidualUnit,
    SnakeBeta,
    UpsamplingBlock,
)
from tts_core.engines.qwen.kernels import native_sound as kernels
from tts_core.engines.qwen.kernels.native_vectors import WIDE, Array
from tts_core.engines.qwen.kernels.workers import Workers
from tts_core.engines.qwen.talker.weights import HoldsOwnBytes


class _Unit(NamedTuple):
    slot: int
    parts: tuple[kernels.Wave, kernels.Taps, kernels.Wave, kernels.Taps]


class _Block(NamedTuple):
    slot: int
    rate: int
    wave: kernels.Wave
    taps: kernels.Taps
    units: list[_Unit]


class FusedSound(HoldsOwnBytes):
    """The sound stack in compiled loops. It takes the weights over: the layers it was built of keep none."""

    def __init__(self, stack: nn.ModuleList, workers: Workers) -> None:
        """stack: `CodecDecoder.decoder`, loaded and prepared, in float32 on the CPU."""
        super().__init__()
        first, *blocks, wave, last = stack
        self._workers = workers
        self._first, self._last = (_Lone(layer) for layer in (first, last))  # type: ignore[arg-type]
        self._blocks = [_block(block) for block in blocks]  # type: ignore[arg-type]
        self._wave = _wave(wave)  # type: ignore[arg-type]
        taps = [self._first.taps, self._last.taps, *(block.taps for block in self._blocks)]
        taps += [part for block in self._blocks for unit in block.units for part in (unit.parts[1], unit.parts[3])]
        self.own_bytes = sum(each.weights.nbytes + each.bias.nbytes for each in taps)

    def forward(self, x: Tensor, state: list[Tensor]) -> Tensor:
        """latent [B, latent, T] -> samples [B, T * samples per latent step], not clamped."""
        return torch.cat([self._row(one.numpy(), row, state) for row, one in enumerate(x)])

    def _row(self, x: Array, row: int, state: list[Tensor]) -> Tensor:
        """The sound (1, samples) of one stream's x (latent, T)."""

        def of(slot: int) -> Array:
            kept: Array = state[slot][row].numpy()
            return kept

        rows, run = x.shape[1], self._workers.run
        room = self._room(rows)
        self._first.place(room, x)
        run(kernels.convolve, self._first.taps, of(self._first.slot), room, rows)
        for block in self._blocks:
            run(kernels.upsample, kernels.UpsamplingStep(block.wave, block.taps, of(block.slot)), room, rows)
            rows *= block.rate
            for unit in block.units:
                run(kernels.add_unit, kernels.Unit(*unit.parts, of(unit.slot)), room, rows)
        run(kernels.finish, self._wave, room, rows, self._last.reach)
        run(kernels.convolve, self._last.taps, of(self._last.slot), room, rows)
        return torch.from_numpy(room.x[: rows * WIDE].reshape(rows, WIDE)[:, 0].copy())[None]

    def _room(self, rows: int) -> kernels.SoundBuffers:
        sizes = [(rows + self._first.reach) * self._first.taps.weights.shape[2], rows * len(self._first.taps.bias)]
        for block in self._blocks:
            rows *= block.rate
            reach = max(
                part.dilation * (part.weights.shape[1] - 1) for unit in block.units for part in unit.parts[1::2]
            )
            sizes.append((rows + reach) * len(block.taps.bias))
        sizes.append((rows + self._last.reach) * max(WIDE, len(self._wave.frequency)))
        return kernels.SoundBuffers(*(np.empty(max(sizes), np.float32) for _ in range(3)))


class _Lone:
    """A convolution outside the blocks."""

    def __init__(self, layer: CausalConv1d) -> None:
        self.slot, self.reach = layer.slot, layer.history
        self.taps = _taps(layer.conv)

    def place(self, room: kernels.SoundBuffers, x: Array) -> None:
        """Put x (inputs, rows) where `kernels.convolve` reads it."""
        inputs, rows = x.shape
        width = self.taps.weights.shape[2]
        into = room.waved[: (self.reach + rows) * width].reshape(-1, width)[self.reach :]
        into[:, inputs:] = 0.0
        into[:, :inputs] = x.T


def _block(block: UpsamplingBlock) -> _Block:
    wave: SnakeBeta = block.block[0]  # type: ignore[assignment]
    raising: CausalTransposedConv1d = block.block[1]  # type: ignore[assignment]
    taps = _pack(raising.conv.weight.permute(1, 2, 0), raising.conv.bias, 1)
    raising.conv.weight = nn.Parameter(torch.empty(0), requires_grad=False)
    return _Block(raising.slot, raising.stride, _wave(wave), taps, [_unit(unit) for unit in block.block[2:]])  # type: ignore[arg-type]


def _unit(unit: ResidualUnit) -> _Unit:
    parts = _wave(unit.act1), _taps(unit.conv1.conv), _wave(unit.act2), _taps(unit.conv2.conv)
    return _Unit(unit.conv1.slot, parts)


def _wave(wave: SnakeBeta) -> kernels.Wave:
    missing = -len(wave.frequency) % WIDE
    frequency, amplitude = (
        nn.functional.pad(each[:, 0], (0, missing)).numpy() for each in (wave.frequency, wave.amplitude)
    )
    return kernels.Wave(frequency, amplitude)


def _taps(conv: nn.Conv1d) -> kernels.Taps:
    taps = _pack(conv.weight.transpose(1, 2), conv.bias, conv.dilation[0])
    conv.weight = nn.Parameter(torch.empty(0), requires_grad=False)
    return taps


def _pack(weight: Tensor, bias: Tensor | None, dilation: int) -> kernels.Taps:
    """A convolution as the loops read it, with zeros up to whole vectors. weight (outputs, taps, inputs)."""
    outputs, taps, inputs = weight.shape
    full = torch.zeros(outputs + -outputs % WIDE, taps, inputs + -inputs % WIDE)
    full[:outputs, :, :inputs] = weight
    blocks = full.view(-1, WIDE, *full.shape[1:]).permute(0, 2, 3, 1).contiguous()
    filled = torch.zeros(len(full))
    if bias is not None:
        filled[:outputs] = bias
    return kernels.Taps(blocks.numpy(), filled.numpy(), dilation)
