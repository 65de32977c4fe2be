"""The queues in front of the engines: as many requests speak at a time as their engine allows, first come, first
served. Work in the background speaks only while nobody else waits."""

from __future__ import annotations

import math
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
    """The queues of requests, one for each pool of engines: those of one pool wait for each other, others don't.

        place = queue.join(pool="qwen")
        try:
            yield from place.wait(cancelled)
            ...speak...
        finally:
            place.leave()

    A place belongs to no thread: a request may be driven by a different one at each step.
    """

    def __init__(self, max_waiting: int) -> None:
        """`max_waiting`: the requests that may wait in each pool; work in the background is not counted."""
        self._max_waiting = max_waiting
        self._changed = Condition()
        self._pools: dict[str, _Pool] = {}

    @property
    def waiting(self) -> int:
        """The number of requests that wait now in all pools; neither those that may speak nor the background count."""
        with self._changed:
            return sum(pool.waiting(pool.speaking_behind()) for pool in self._pools.values())

    def check_room(self, pool: str = "") -> None:
        """Raise QueueFull if one more request would be too many in that pool, without taking a place."""
        with self._changed:
            self._check_room(self._pool(pool))

    def join(self, at_once: Callable[[], int] = one, *, pool: str = "") -> Place:
        """Take the last place in the queue of that pool; raises QueueFull. Each place must be left again.

        at_once: how many requests the engine allows now; cheap, may change while a model loads.
        """
        with self._changed:
            chosen = self._pool(pool)
            self._check_room(chosen)
            place = Place(chosen, self._changed, at_once)
            chosen.front.append(place)
            return place

    def join_behind(self, at_once: Callable[[], int] = one, *, pool: str = "") -> Place:
        """Take a place in the background: it speaks while nobody waits in front, leaves one request's room free where
        the engine allows several, and is asked to give way (`Place.is_wanted`) when somebody comes. Never full."""
        with self._changed:
            chosen = self._pool(pool)
            place = Place(chosen, self._changed, at_once)
            chosen.background.append(place)
            return place

    def _pool(self, name: str) -> _Pool:
        return self._pools.setdefault(name, _Pool())

    def _check_room(self, pool: _Pool) -> None:
        waiting = pool.waiting(behind=())  # those that wait for the background only would else refuse others
        if pool.front and waiting >= self._max_waiting:
            raise QueueFull(waiting=waiting)


class Place:
    """A request's place in the queue of its pool."""

    def __init__(self, pool: _Pool, changed: Condition, at_once: Callable[[], int]) -> None:
        self.at_once = at_once
        self.speaks = False
        """Whether its turn has come, which only `leave` and `step_back` end."""
        self._pool = pool
        self._changed = changed

    @property
    def is_wanted(self) -> bool:
        """Whether a request that people wait for needs this place in the background; a cheap question."""
        with self._changed:
            return self in self._pool.wanted()

    def wait(self, cancelled: CancelCheck) -> Iterator[Queued]:
        """Return when this place may speak; yields its position first and whenever it changes.

        Raises Cancelled when the caller stops waiting.
        """
        sent = 0
        while position := self._next_position(sent, cancelled):
            yield Queued(position)
            sent = position

    def step_back(self) -> None:
        """Give up the turn and wait again, in front of the others in the background."""
        with self._changed:
            self.speaks = False
            self._pool.background.remove(self)
            self._pool.background.insert(0, self)
            self._changed.notify_all()

    def leave(self) -> None:
        """Give up the place, waiting or speaking; harmless when already given up."""
        with self._changed:
            self.speaks = False
            for places in (self._pool.front, self._pool.background):
                if self in places:
                    places.remove(self)
                    self._changed.notify_all()

    def _next_position(self, sent: int, cancelled: CancelCheck) -> int:
        """Block until the position differs from `sent`; 0 may speak."""
        with self._changed:
            while (position := self._pool.position(self)) == sent and position:
                self._changed.wait(CANCEL_POLL_S)
                if cancelled():
                    raise Cancelled
            if cancelled():
                raise Cancelled
            self.speaks = position == 0
        return position


class Turn:
    """The turn of a take that is being made: whether it has to give way, and how much of it there is."""

    def __init__(self, place: Place, expected_s: float | None, cancelled: CancelCheck) -> None:
        """`expected_s`: the length of a take in the background; None for one that people wait for."""
        self.made_s = 0.0
        self.gave_way = False
        self._place = place
        self._half_s = 0.0 if expected_s is None else expected_s / 2
        self._cancelled = cancelled

    def is_over(self) -> bool:
        """Whether the engine has to stop: the caller wants it, or a take of which there is less than half gives way."""
        if not self.gave_way and self.made_s < self._half_s:
            self.gave_way = self._place.is_wanted
        return self.gave_way or self._cancelled()


class _Pool:
    """The places of engines that wait for each other. The queue's lock is held by everyone who asks."""

    def __init__(self) -> None:
        self.front: list[Place] = []
        """Requests that people wait for, in their order; the first ones have the engines."""
        self.background: list[Place] = []
        """Work that nobody waits for, oldest first."""

    def speaking_behind(self) -> list[Place]:
        return [place for place in self.background if place.speaks]

    def waiting(self, behind: Sequence[Place]) -> int:
        """The number of requests in front that wait while those in the background speak."""
        return len(self.front) - self._may_speak(behind)

    def position(self, place: Place) -> int:
        """The position of a place: 0 may speak, 1 is next."""
        if place.speaks:
            return 0
        speaking = self.speaking_behind()
        if place in self.front:
            return max(0, self.front.index(place) - self._may_speak(speaking) + 1)
        ahead = [other for other in self.background if not other.speaks].index(place)
        return max(0, self.waiting(speaking) + ahead - self._room_behind(place, speaking) + 1)

    def wanted(self) -> list[Place]:
        """The places in the background that must leave until all in front can speak: the newest."""
        speaking = self.speaking_behind()
        if not speaking or not self.waiting(speaking):
            return []
        allowed = min(place.at_once() for place in (*self.front, *speaking))
        surplus = min(len(speaking), len(speaking) + len(self.front) - max(1, allowed))
        return speaking[len(speaking) - surplus :]

    def _may_speak(self, behind: Sequence[Place]) -> int:
        """The number of places, from the first one in front, that may speak beside those in the background."""
        allowed: float = min((place.at_once() for place in behind), default=math.inf)
        for number, place in enumerate(self.front):
            allowed = min(allowed, place.at_once())
            if number + len(behind) >= allowed:
                return number
        return len(self.front)

    def _room_behind(self, place: Place, speaking: Sequence[Place]) -> int:
        """The number of places in the background that may begin now: one request's room stays free where there is
        room for several."""
        if self.waiting(speaking):
            return 0
        allowed = min(other.at_once() for other in (*self.front, *speaking, place))
        return min(max(1, allowed - 1) - len(speaking), allowed - len(self.front) - len(speaking))
