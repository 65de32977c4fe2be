"""How fast a voice speaks, and how long a run will take: both from what was measured, never from hope."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

_FEWEST_TAKES = 10
_RECENT = 40
"""Segments by which the cost of the rest is estimated. Their mean counts, not the median: takes that are made again
will be in the rest, too."""
_FEWEST_MEASURED = 3
SURE_FROM = 0.1
"""The share of a run from which its end can be told; before that it is "about"."""

Manner = tuple[str, str]
"""A voice's id and its style: each speaks at a pace of its own."""


class Paces:
    """The seconds that takes have for each expected one, by voice and style."""

    def __init__(self) -> None:
        self._ratios: dict[Manner, list[float]] = {}

    def note(self, manner: Manner, expected_s: float, duration_s: float) -> None:
        if expected_s > 0 and duration_s > 0:
            self._ratios.setdefault(manner, []).append(duration_s / expected_s)

    def factor(self, manner: Manner) -> float:
        """The factor on expected seconds; 1 until enough takes are there."""
        ratios = self._ratios.get(manner, ())
        return statistics.median(ratios) if len(ratios) >= _FEWEST_TAKES else 1.0


@dataclass(frozen=True, slots=True)
class TimeLeft:
    seconds: float
    is_rough: bool
    """Whether too little is done for a close estimate."""


@dataclass(slots=True)
class RunClock:
    """The time that is left of a run, from the time that its last segments took, with everything that belongs to them:
    takes that were made again, and checks. Time in which a model loads or others speak is not in it."""

    total_s: float
    """The expected seconds of speech of the whole run."""
    done_s: float = 0.0
    _costs: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)
    """Seconds of work and expected seconds of the last segments, by voice."""
    _measured: int = 0

    def note(self, voice: str, expected_s: float, wall_s: float, at_once: int = 1) -> None:
        """Note a segment that took `wall_s` while `at_once` of them were made at a time."""
        self.done_s += expected_s
        if expected_s > 0 and wall_s > 0:
            self._costs.setdefault(voice, deque(maxlen=_RECENT)).append((wall_s / max(1, at_once), expected_s))
            self._measured += 1

    def pass_over(self, expected_s: float) -> None:
        """Note a segment of which no take came."""
        self.done_s += expected_s

    @property
    def share(self) -> float:
        """The share of the run that is done."""
        return min(1.0, self.done_s / self.total_s) if self.total_s > 0 else 1.0

    def left(self, remaining: Mapping[str, float]) -> TimeLeft | None:
        """The time for the expected seconds that remain, by voice; None while a voice among them was not measured."""
        voices = [voice for voice, seconds in remaining.items() if seconds > 0]
        if self._measured < _FEWEST_MEASURED or any(voice not in self._costs for voice in voices):
            return None
        seconds = sum(remaining[voice] * self._cost(voice) for voice in voices)
        return TimeLeft(seconds, is_rough=self.share < SURE_FROM)

    def _cost(self, voice: str) -> float:
        """The seconds of work for each expected one."""
        costs = self._costs[voice]
        return sum(wall_s for wall_s, _ in costs) / sum(expected_s for _, expected_s in costs)
