"""The speed of a download over the last seconds."""

from __future__ import annotations

from collections import deque

WINDOW_S = 8.0
STALLED_AFTER_S = 5.0
_SHORTEST_S = 0.5
"""The shortest time that bytes are spread over, else the first number would be absurd."""
_BUCKET_S = 0.1


class SpeedWindow:
    """The bytes of the last seconds. Times are those of one monotonic clock, in seconds. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self._begun = now
        self._last = now
        self._buckets: deque[tuple[float, int]] = deque()
        """The times and bytes, one per _BUCKET_S, oldest first."""

    def add(self, count: int, now: float) -> None:
        if count <= 0:
            return
        self._last = now
        if self._buckets and now - self._buckets[-1][0] < _BUCKET_S:
            begun, before = self._buckets.pop()
            self._buckets.append((begun, before + count))
        else:
            self._buckets.append((now, count))

    def is_stalled(self, now: float) -> bool:
        return now - self._last >= STALLED_AFTER_S

    def bytes_per_second(self, now: float) -> float:
        """The speed at that time; 0 while stalled."""
        while self._buckets and now - self._buckets[0][0] > WINDOW_S:
            self._buckets.popleft()
        if self.is_stalled(now):
            return 0.0
        seconds = max(_SHORTEST_S, min(WINDOW_S, now - self._begun))
        return sum(count for _, count in self._buckets) / seconds
