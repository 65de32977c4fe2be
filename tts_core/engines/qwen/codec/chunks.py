"""The number of frames that become sound together. The codec carries its state, so any chunks give the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat

RAMP = (1, 2, 4, 8)
"""Frames of the first chunks: sound starts after 80 ms of it is made, then chunks grow to save overhead."""
STEADY_FRAMES = 12
"""Frames of all later chunks: about a second of sound."""


def chunk_sizes(fixed: int | None) -> Iterator[int]:
    """The number of frames of each chunk, without end: always `fixed`, or growing where it is None."""
    return repeat(fixed) if fixed else chain(RAMP, repeat(STEADY_FRAMES))
