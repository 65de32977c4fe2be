"""How many frames become sound together. The codec's state travels along, so any chunks give the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat

RAMP = (1, 2, 4, 8)
"""Frames of the first chunks: sound starts after 80 ms of it is made, then chunks grow to save overhead."""
STEADY_FRAMES = 12
"""About a second."""


def chunk_sizes(fixed: int | None) -> Iterator[int]:
    """Frames of each chunk, for ever."""
    return repeat(fixed) if fixed else chain(RAMP, repeat(STEADY_FRAMES))
