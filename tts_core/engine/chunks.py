"""Frames to sound while they are made: the codec's state travels along, so any chunks give the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat

import numpy as np
import torch
from torch import Tensor

from tts_core.engine.codec_decoder import CodecDecoder
from tts_core.events import AudioChunk

RAMP = (1, 2, 4, 8)
"""Frames of the first chunks: sound starts after 80 ms of it is made, then chunks grow to save overhead."""
STEADY_FRAMES = 12
"""About a second."""


def chunk_sizes(fixed: int | None) -> Iterator[int]:
    """Frames of each chunk, for ever."""
    return repeat(fixed) if fixed else chain(RAMP, repeat(STEADY_FRAMES))


class ChunkDecoder:
    """Gathers frames and turns them into chunks of sound."""

    def __init__(self, decoder: CodecDecoder, device: torch.device, fixed: int | None) -> None:
        self._decoder = decoder
        self._device = device
        self._state = decoder.init_state(batch=1)
        self._sizes = chunk_sizes(fixed)
        self._wanted = next(self._sizes)
        self._frames: list[Tensor] = []

    def prime(self, codes: Tensor) -> None:
        """Go on where these codes (F, 16) end, without their sound."""
        self._decoder.prime(codes.to(self._device).long().T[None], self._state)

    def add(self, codes: Tensor) -> Iterator[AudioChunk]:
        """Take in a frame (16,); yields a chunk when there is enough for one."""
        self._frames.append(codes)
        if len(self._frames) >= self._wanted:
            yield from self.flush()
            self._wanted = next(self._sizes)

    def flush(self) -> Iterator[AudioChunk]:
        """The rest, if there is any."""
        if self._frames:
            codes = torch.stack(self._frames)  # [T, 16]
            self._frames = []
            samples = self._decoder.decode(codes.to(self._device).T[None], self._state)[0]
            yield AudioChunk(samples.cpu().numpy(), codes=codes.numpy().astype(np.int64))
