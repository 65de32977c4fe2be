"""The queue in front of the engines: as many requests speak at a time as they allow, first come, first served."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Condition

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import Cancelled, QueueFull
from tts_core.domain.events import Queued

CANCEL_POLL_S = 0.05
"""The seconds within which a waiting request notices that it was cancelled."""


def one() -> int:
    """The number of requests that most engines allow at once."""
    return 1


class SpeechQueue:
    """The queue of requests. A place may speak while its engine, and each engine before it, allows so many at once.

        place = queue.join()
        try:
            yield from place.wait(cancelled)
            ...speak...
        finally:
            place.leave()

    A place belongs to no thread: a request may be driven by a different one at each step.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._changed = Condition()
        self._places: deque[Place] = deque()  # the first ones have the engines

    @property
    def waiting(self) -> int:
        """The number of requests that wait now; those that may speak are not counted."""
        places = tuple(self._places)
        return len(places) - _speaking(places)

    def check_room(self) -> None:
        """Raise QueueFull if one more request would be too many, without taking a place."""
        waiting = self.waiting
        if self._places and waiting >= self._max_waiting:
            raise QueueFull(waiting=waiting)

    def join(self, at_once: Callable[[], int] = one) -> Place:
        """Take the last place in the queue; raises QueueFull. Each place must be left again.

        at_once: how many requests the engine allows now; cheap, may change while a model loads.
        """
        with self._changed:
            self.check_room()
            place = Place(self._places, self._changed, at_once)
            self._places.append(place)
            return place


class Place:
    """A request's place in the queue."""

    def __init__(self, places: deque[Place], changed: Condition, at_once: Callable[[], int]) -> None:
        self.at_once = at_once
        self._places = places
        self._changed = changed

    def wait(self, cancelled: CancelCheck) -> Iterator[Queued]:
        """Return when this place may speak; yields its position first and whenever it changes.

        Raises Cancelled when the caller stops waiting.
        """
        sent = 0
        while position := self._next_position(sent, cancelled):
            yield Queued(position)
            sent = position

    def leave(self) -> None:
        """Give up the place, waiting or speaking; harmless when already given up."""
        with self._changed:
            if self in self._places:
                self._places.remove(self)
                self._changed.notify_all()

    def _next_position(self, sent: int, cancelled: CancelCheck) -> int:
        """Block until the position differs from `sent`; 0 may speak."""
        with self._changed:
            while (position := self._position()) == sent and position:
                self._changed.wait(CANCEL_POLL_S)
                if cancelled():
                    raise Cancelled
        if cancelled():
            raise Cancelled
        return position

    def _position(self) -> int:
        places = tuple(self._places)
        return max(0, places.index(self) - _speaking(places) + 1)


def _speaking(places: Sequence[Place]) -> int:
    """The number of places, from the first one, that may speak."""
    allowed: float = math.inf
    for number, place in enumerate(places):
        allowed = min(allowed, place.at_once())
        if number >= allowed:
            return number
    return len(places)
