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
"""How soon a waiting request notices that it was cancelled."""


def one() -> int:
    """What most engines allow at once."""
    return 1


class SpeechQueue:
    """Lets a `Turn` through while all before it and itself allow so many at once.

        turn = queue.join()
        try:
            yield from turn.wait(cancelled)
            ...speak...
        finally:
            turn.leave()

    A turn belongs to no thread: a request may be driven by a different one at each step.
    """

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._changed = Condition()
        self._turns: deque[Place] = deque()  # the first ones have the engines

    @property
    def waiting(self) -> int:
        """Requests that wait now, those that may speak not counted."""
        turns = tuple(self._turns)
        return len(turns) - _speaking(turns)

    def check_room(self) -> None:
        """Raise QueueFull if one more request would be too many, without taking a place."""
        waiting = self.waiting
        if self._turns and waiting >= self._max_waiting:
            raise QueueFull(waiting=waiting)

    def join(self, at_once: Callable[[], int] = one) -> Place:
        """Take the last place in the queue; raises QueueFull. Whoever joins must leave.

        at_once: how many its engine allows now; cheap, may change while a model loads.
        """
        with self._changed:
            self.check_room()
            turn = Place(self._turns, self._changed, at_once)
            self._turns.append(turn)
            return turn


class Place:
    """One request's place in the queue."""

    def __init__(self, turns: deque[Place], changed: Condition, at_once: Callable[[], int]) -> None:
        self.at_once = at_once
        self._turns = turns
        self._changed = changed

    def wait(self, cancelled: CancelCheck) -> Iterator[Queued]:
        """Return when it is this turn's time; says its position first and whenever it changes.

        Raises Cancelled when the caller stops waiting.
        """
        told = 0
        while position := self._next_position(told, cancelled):
            yield Queued(position)
            told = position

    def leave(self) -> None:
        """Give up the place, waiting or speaking; harmless when already given up."""
        with self._changed:
            if self in self._turns:
                self._turns.remove(self)
                self._changed.notify_all()

    def _next_position(self, told: int, cancelled: CancelCheck) -> int:
        """Block until the position differs from `told`; 0 may speak."""
        with self._changed:
            while (position := self._position()) == told and position:
                self._changed.wait(CANCEL_POLL_S)
                if cancelled():
                    raise Cancelled
        if cancelled():
            raise Cancelled
        return position

    def _position(self) -> int:
        turns = tuple(self._turns)
        return max(0, turns.index(self) - _speaking(turns) + 1)


def _speaking(turns: Sequence[Place]) -> int:
    """How many of them, the first ones, may speak."""
    allowed: float = math.inf
    for place, turn in enumerate(turns):
        allowed = min(allowed, turn.at_once())
        if place >= allowed:
            return place
    return len(turns)
