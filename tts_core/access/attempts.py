"""Guessing costs time: after some failures, each further attempt has to wait twice as long as the one before."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from tts_core.access.faults import TooManyAttempts

FORGET_S = 15 * 60.0
LONGEST_WAIT_S = 5 * 60.0
MAX_KEPT = 10_000
"""The number of places remembered; a guesser with more addresses pushes out the oldest."""


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    again_at: float = 0.0


class Attempts:
    """The failed attempts by place; thread-safe. A place is what attempts are counted for: an address or a name."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def begin(self, place: str, free: int) -> None:
        """Call before an attempt. It counts as a failure until `succeeded` is called, so that many attempts at once
        gain nothing.

        `free` failures cost no wait. Raises TooManyAttempts.
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
        """Check that the place need not wait now. Raises TooManyAttempts."""
        with self._lock:
            self._check(place, self._clock())

    def succeeded(self, place: str) -> None:
        """Take back the failure that `begin` counted: the attempt was right."""
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
    """The wait in seconds after `beyond` failures more than the free ones."""
    return 0.0 if beyond <= 0 else min(2.0 ** (beyond - 1), LONGEST_WAIT_S)
