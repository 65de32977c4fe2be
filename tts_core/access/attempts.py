"""Guessing costs time: after some failures, each further attempt has to wait twice as long as the one before."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tts_core.domain.errors import TooManyAttempts

FORGET_S = 15 * 60.0
LONGEST_WAIT_S = 5 * 60.0
MAX_KEPT = 10_000
"""Places remembered; whoever has as many addresses pushes out the oldest."""


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    again_at: float = 0.0


class Attempts:
    """Thread-safe. A place is what attempts are counted for: an address, a name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def begin(self, place: str, free: int) -> None:
        """Before an attempt, which counts as a failure until `succeeded`: so many at once gain nothing.

        `free` failures cost nothing. Raises TooManyAttempts.
        """
        with self._lock:
            now = self._clock()
            self._check(place, now)
            failures = self._failures.setdefault(place, _Failures())
            self._failures.move_to_end(place)
            failures.count, failures.last = failures.count + 1, now
            failures.again_at = now + _wait_s(failures.count - free)
            while len(self._failures) > MAX_KEPT:
                self._failures.popitem(last=False)

    def check(self, place: str) -> None:
        """Raises TooManyAttempts."""
        with self._lock:
            self._check(place, self._clock())

    def succeeded(self, place: str) -> None:
        """The attempt that was begun was none to fear."""
        with self._lock:
            failures = self._failures.get(place)
            if failures is not None:
                failures.count, failures.again_at = failures.count - 1, 0.0
                if failures.count <= 0:
                    del self._failures[place]

    def _check(self, place: str, now: float) -> None:
        failures = self._failures.get(place)
        if failures is None:
            return
        if now - failures.last > FORGET_S:
            del self._failures[place]
        elif now < failures.again_at:
            raise TooManyAttempts(retry_after_s=math.ceil(failures.again_at - now))


def _wait_s(beyond: int) -> float:
    """After that many failures beyond the free ones."""
    return 0.0 if beyond <= 0 else min(2.0 ** (beyond - 1), LONGEST_WAIT_S)
