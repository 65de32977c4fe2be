"""Keys and values of a transformer's past positions: allocated ahead, written in place, passed as an argument."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tts_core.engines.qwen.talker.config import TransformerConfig


@dataclass(frozen=True, slots=True)
class KvCache:
    """Keys and values, each (layers, B, kv heads, capacity, head dim); those of one layer have no first dimension.

    Unwritten places hold zeros: masked, but they must be finite.
    """

    keys: Tensor
    values: Tensor

    @classmethod
    def allocate(
        cls, config: TransformerConfig, *, rows: int, capacity: int, device: torch.device, dtype: torch.dtype
    ) -> KvCache:
        shape = (config.layers, rows, config.kv_heads, capacity, config.head_dim)
        return cls(torch.zeros(shape, device=device, dtype=dtype), torch.zeros(shape, device=device, dtype=dtype))

    @property
    def capacity(self) -> int:
        return self.keys.shape[-2]

    def grown(self, capacity: int) -> KvCache:
        """A cache with the same contents and more room."""
        more = (*self.keys.shape[:3], capacity - self.capacity, self.keys.shape[4])
        keys, values = (torch.cat((old, old.new_zeros(more)), dim=3) for old in (self.keys, self.values))
        return KvCache(keys, values)

    def part(self, first: int, count: int) -> KvCache:
        """A view of some rows, for reading and writing through it."""
        return KvCache(self.keys.narrow(1, first, count), self.values.narrow(1, first, count))

    def put(self, row: int, source: KvCache, length: int) -> None:
        """Copy the first positions of the only row of `source` to `row`."""
        for target, copied in ((self.keys, source.keys), (self.values, source.values)):
            target[:, row, :, :length] = copied[:, 0, :, :length]

    def of(self, layer: int) -> KvCache:
        """A view of one layer."""
        return KvCache(self.keys[layer], self.values[layer])

    def write(self, key: Tensor, value: Tensor, *, positions: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Store one layer's (B, kv heads, T, D) at each row's `positions` (B, T); answers all up to `length`."""
        keys, values = self.keys, self.values
        rows = torch.arange(key.shape[0], device=key.device)[:, None]
        keys[rows, :, positions] = key.transpose(1, 2)
        values[rows, :, positions] = value.transpose(1, 2)
        return keys[:, :, :length], values[:, :, :length]
