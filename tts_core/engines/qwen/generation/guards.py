"""Guards that stop a take which does not end by itself. They know first codes and lengths, no tensors.

The model misses its end in about 0.4 % of requests; then it hums on or repeats itself.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tts_core.domain.values import StopReason

FRAMES_PER_SECOND = 12.5

_BASE_FRAMES = 125
"""Frames that every take may have, whatever its text: 10 s."""
_FRAMES_PER_TEXT_ID = 12
"""Frames that each text id allows: about 1 s; read aloud, an id takes 0.2 to 0.4 s."""

_WINDOW = 75
"""Frames that a loop must last: 6 s."""
_LONGEST_PERIOD = 25
"""Frames of the longest phrase that counts as looped: 2 s."""
_LEAST_EQUAL = 0.95
_HUM_WINDOW = 125
_HUM_CODES = 6
"""So few different first codes in `_HUM_WINDOW` frames are no speech."""
_CHECK_EVERY = 5


@dataclass(frozen=True, slots=True)
class FrameLimit:
    tokens: int
    """First codes drawn at most, the end included: without an end the take has one frame less, as published."""
    reason: StopReason = StopReason.MAX_LENGTH
    """The reason to report for a take that reaches the limit."""


def limit_from_text(text_ids: int, longest: int) -> FrameLimit:
    """A limit far above what reading the text takes: a take that gets there missed its end. longest: most tokens."""
    tokens = _BASE_FRAMES + _FRAMES_PER_TEXT_ID * text_ids
    if tokens < longest:
        return FrameLimit(tokens, StopReason.RUNAWAY)
    return FrameLimit(longest, StopReason.MAX_LENGTH)


class LoopGuard:
    """Notices when a take repeats itself or hums."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=_HUM_WINDOW)
        self._count = 0

    def is_stuck(self, first_code: int) -> bool:
        """Take in the next frame's first code; true where the take repeats itself or hums."""
        self._recent.append(first_code)
        self._count += 1
        if self._count % _CHECK_EVERY or self._count < _WINDOW:
            return False
        codes = list(self._recent)
        if len(codes) == _HUM_WINDOW and len(set(codes)) <= _HUM_CODES:
            return True
        latest = codes[-_WINDOW:]
        return any(_share_equal(latest, period) >= _LEAST_EQUAL for period in range(1, _LONGEST_PERIOD + 1))


def _share_equal(codes: list[int], period: int) -> float:
    """Share of frames that equal the frame `period` earlier."""
    pairs = list(zip(codes[period:], codes[:-period], strict=True))
    return sum(later == earlier for later, earlier in pairs) / len(pairs)
