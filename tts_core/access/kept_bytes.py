"""How much visitors have left on the disk: what they sent and what was made for them, in files that stay for a day."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

from tts_core.access.visitor import Visitor

KEPT_S = 24 * 3600.0
"""The time in seconds after which an unused file is removed."""
_SPAN_S = 3600.0
"""The length in seconds of one span; files that came within the same span are counted as one."""


class KeptBytes:
    """The bytes that each visitor has left on the disk. Not thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: OrderedDict[tuple[int, str], int] = OrderedDict()
        """Bytes by hour and visitor, oldest first."""
        self._of: Counter[str] = Counter()
        self.of_guests = 0
        """The bytes of all guests together: those found when the disk was last measured, and those left since."""

    def of(self, visitor: Visitor) -> int:
        return self._of[visitor.counted_as]

    def add(self, visitor: Visitor, size_bytes: int) -> None:
        key = (int(self._clock() // _SPAN_S), visitor.counted_as)
        self._left[key] = self._left.get(key, 0) + size_bytes
        self._of[visitor.counted_as] += size_bytes
        self.of_guests += size_bytes * visitor.is_guest

    def freed_in_s(self, visitor: Visitor) -> float:
        """The time in seconds until the oldest of the visitor's files are removed."""
        oldest = next((hour for hour, owner in self._left if owner == visitor.counted_as), None)
        return 0.0 if oldest is None else max(0.0, self._ends_at(oldest) - self._clock())

    def pruned(self, left_bytes: int) -> None:
        """Note that old files were removed, and that `left_bytes` of all visitors are still there."""
        self.of_guests = left_bytes
        now = self._clock()
        while self._left and self._ends_at(next(iter(self._left))[0]) <= now:
            (_, owner), size_bytes = self._left.popitem(last=False)
            self._of[owner] -= size_bytes
        self._of += Counter()  # drops the counts that are zero

    def _ends_at(self, hour: int) -> float:
        return (hour + 1) * _SPAN_S + KEPT_S
