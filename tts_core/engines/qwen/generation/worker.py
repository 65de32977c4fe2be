"""A thread that lives while there is work, and a little longer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from threading import Condition, Thread, current_thread

import torch

LINGER_S = 5.0
"""Seconds that a thread waits for more work: kept for a while it saves a start, kept for ever it would keep a model's
weights."""

_CLOSING_S = 1.0


class Worker:
    """Does its turns in one thread, and on a stream of the device that is its own."""

    def __init__(self, name: str, turn: Callable[[], bool], device: torch.device) -> None:
        """turn: does a little work and answers False when there was nothing to do. It raises nothing."""
        self._name = name
        self._turn = turn
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._changed = Condition()
        self._thread: Thread | None = None
        self._is_wanted = False
        self._is_closed = False

    def wake(self) -> None:
        """Announce that there is something to do."""
        with self._changed:
            self._is_wanted = True
            if self._thread is None:
                self._thread = Thread(target=self._live, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End as soon as there is nothing to do. Waits a little, so that what an idle thread holds is free then."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not current_thread():
            thread.join(_CLOSING_S)

    def _live(self) -> None:
        with self._place():
            while self._turn() or self._waits():
                pass

    def _waits(self) -> bool:
        """Wait until there may be work again; False when the thread is to end."""
        with self._changed:
            if not self._is_wanted and not self._is_closed:
                self._changed.wait(LINGER_S)
            if not self._is_wanted:
                self._thread = None
                return False
            self._is_wanted = False
            return True

    def _place(self) -> AbstractContextManager[object]:
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
