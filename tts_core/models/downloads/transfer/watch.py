"""The watch over a transfer's connections: the silent ones, whether one more helps, and helping threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tts_core.models.downloads.transfer.connection import Connection

MIN_BYTES_PER_S = 1024
"""The speed below which a connection counts as silent."""
_WORTH_IT = 1.15
"""The factor by which one more connection must raise the speed, else it was the last one."""


@dataclass(slots=True)
class _Mark:
    since: float
    """The start of the connection's wait that the mark belongs to."""
    at: float
    received: int


class Watch:
    """Replaces connections that bring next to nothing, and ends the transfer when nothing helps."""

    def __init__(self, silence_s: float, stall_s: float) -> None:
        self._silence_s = silence_s
        self._stall_s = stall_s
        self._enough = int(MIN_BYTES_PER_S * silence_s)
        self._marks: dict[Connection, _Mark] = {}
        self._received: dict[Connection, int] = {}
        self._gained = 0
        self._alive_at = time.monotonic()

    def check(self, connections: Sequence[Connection]) -> None:
        """Look at the connections; call it often. Raises NetStalled or NetTimeout."""
        now = time.monotonic()
        for connection in connections:
            received = connection.received
            self._gained += received - self._received.get(connection, 0)
            self._received[connection] = received
            mark = self._marks.get(connection)
            if (
                mark is None
                or mark.since != connection.since
                or received - mark.received >= self._enough
                or connection.is_resting
            ):
                self._marks[connection] = _Mark(connection.since, now, received)
            elif now - mark.at > self._silence_s:
                connection.cut(stalled=True)
                mark.at, mark.received = now, received
        if self._gained >= self._enough or not connections:
            self._gained, self._alive_at = 0, now
        if now - self._alive_at > self._stall_s:
            raise connections[0].silence()


class Growth:
    """Adds connections one by one as long as each makes the whole faster."""

    def __init__(self, most: int, settle_s: float, fast_bytes_per_s: float) -> None:
        self._most = most
        self._settle_s = settle_s
        self._fast = fast_bytes_per_s
        self._before = 0.0
        self._at = time.monotonic()
        self._received = 0
        self._count = 0

    def limit(self, most: int) -> None:
        """Add no connection beyond `most`: the source did not accept more."""
        self._most = min(self._most, most)

    def wants_more(self, connections: Sequence[Connection]) -> bool:
        """Whether one more connection should be added; call it often."""
        now, received = time.monotonic(), sum(connection.received for connection in connections)
        if len(connections) != self._count:
            self._at, self._received, self._count = now, received, len(connections)
        if (
            now - self._at < self._settle_s
            or len(connections) >= self._most
            or any(connection.takes_all for connection in connections)
        ):
            return False
        speed = (received - self._received) / (now - self._at)
        self._at, self._received = now, received
        if speed >= self._fast:
            return False
        if speed < _WORTH_IT * self._before:
            self._most = len(connections)
            return False
        self._before = speed
        return True


class Helper:
    """A thread beside the connections; its failure is the transfer's."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._work = work
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def check(self) -> None:
        """Raise the error the thread failed with, if any."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised again by check
            self._error = error
