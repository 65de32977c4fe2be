"""The running work of each browser session, so that its Stop reaches it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SessionStops:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stops: dict[str, threading.Event] = {}

    @contextmanager
    def running(self, session: str) -> Iterator[threading.Event]:
        """Run work of a session inside the block. The event is set when the session asks to stop, or runs something
        else instead."""
        stop = threading.Event()
        with self._lock:
            self._stops.pop(session, stop).set()
            self._stops[session] = stop = threading.Event()
        try:
            yield stop
        finally:
            with self._lock:
                if self._stops.get(session) is stop:
                    del self._stops[session]

    def stop(self, session: str) -> bool:
        """Ask the session's work to stop; False where none runs."""
        with self._lock:
            stop = self._stops.get(session)
        if stop is not None:
            stop.set()
        return stop is not None
