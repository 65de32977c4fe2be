"""The queue in front of the engines: one request speaks at a time, first come, first served."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Condition

from tts_core.errors import Cancelled, QueueFull
from tts_core.events import Queued
from tts_core.protocols import CancelCheck

CANCEL_POLL_S = 0.05
"""How soon a waiting request notices that it was cancelled."""


class Gate:
    """Lets one `Turn` at a time through.

        turn = gate.join()
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
        self._turns: deque[Turn] = deque()  # the first one has the engine

    @property
    def waiting(self) -> int:
        """Requests that wait now, the one that is speaking not counted."""
        return max(0, len(self._turns) - 1)

    def check_room(self) -> None:
        """Raise QueueFull if one more request would be too many, without taking a place."""
        if len(self._turns) > self._max_waiting:
            raise QueueFull(waiting=self.waiting)

    def join(self) -> Turn:
        """Take the last place in the queue; raises QueueFull. Whoever joins must leave."""
        with self._changed:
            self.check_room()
            turn = Turn(self._turns, self._changed)
            self._turns.append(turn)
            return turn


class Turn:
    """One request's place in the queue."""

    def __init__(self, turns: deque[Turn], changed: Condition) -> None:
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
        """Block until the position differs from `told`; 0 is the engine."""
        with self._changed:
            while (position := self._turns.index(self)) == told and position:
                self._changed.wait(CANCEL_POLL_S)
                if cancelled():
                    raise Cancelled
        if cancelled():
            raise Cancelled
        return position
