"""Transformers with 4-bit weights on a CPU: half the reading of int8, and a voice that may suffer from it.

The blocks of both transformers get them. What turns hidden states into codes (heads, the projection between the
transformers) keeps 8 bits: 14 MB a frame more to read, see NOTES.md. Everything else is as in `int8`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tts_core.engines.qwen.kernels import native_int4 as small
from tts_core.engines.qwen.kernels.native_blocks import Matrix
from tts_core.engines.qwen.kernels.native_vectors import LANES
from tts_core.engines.qwen.kernels.workers import Workers
from tts_core.engines.qwen.quantised.int8 import Int8Product, expect_int8
from tts_core.engines.qwen.talker.layers import Blocks
from tts_core.engines.qwen.talker.linear import Part, Product


class Int4Product(Int8Product):
    """A product whose weights are rounded once all of its parts are read. Inputs fill whole groups."""

    def __init__(self, floats: Product, workers: Workers) -> None:
        super().__init__(floats, workers)
        self._parts: list[tuple[int, Tensor]] = []

    def take(self, part: Part, value: Tensor) -> None:
        if value.shape[1] % small.GROUP:  # only tests' models are that narrow
            super().take(part, value)
            return
        self._parts.append((part.place, value))
        del part.weight
        if len(self._parts) == self.parts:
            rows = torch.cat([rows for _, rows in sorted(self._parts, key=lambda entry: entry[0])])
            self._parts = []
            blocks = -(-len(rows) // LANES)
            packed = np.zeros((blocks, rows.shape[1] // small.GROUP, small.BYTES), np.int8)
            scales = np.zeros(blocks * LANES, np.float32)
            self._workers.run(small.round_to_4, rows.numpy(), packed, scales)
            self._keep(Matrix(packed, scales, 4))


def expect_int4(module: nn.Module, workers: Workers) -> None:
    """Let the products of all blocks below `module`, which is not loaded yet, have 4 bits, all others 8."""
    for blocks in module.modules():
        if isinstance(blocks, Blocks):
            expect_int8(blocks, workers, Int4Product)
    expect_int8(module, workers)
