"""Gradio's queue without its polling: it looks for work when there is some, not a thousand times a second.

Every page has a queue, so an idle studio kept 4 to 13 % of a core busy. The loops stay Gradio's; only where they sleep
for a millisecond because there is nothing to do, they wait for a change, and so work begins no later than before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from types import SimpleNamespace
from typing import Any

from gradio import queueing
from gradio.data_classes import PredictBodyInternal
from gradio.helpers import TrackedIterable
from starlette.requests import Request

from tts_core.access.faults import TooManyAtOnce
from tts_core.access.visitor import visitor_in

SHARES = 4
"""The number of visitors whose waiting events fill a page's queue."""
PROGRESS_PAUSE_S = 0.01
"""The seconds within which messages of progress are sent together, as Gradio does."""


class Change:
    """A stand-in for the time that a loop of Gradio sleeps: it sleeps until something has changed, in this event
    loop."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._pause_s = pause_s

    def wake(self) -> None:
        """Wake the loop; may be called from any thread."""
        with suppress(RuntimeError):  # the loop has ended, and nothing waits in it
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self) -> None:
        await self._event.wait()
        await asyncio.sleep(self._pause_s)
        self._event.clear()


class WaitingQueue(queueing.Queue):
    """A queue whose loops look again when an event was pushed, when a job begins, gets on or ends, and at the end."""

    _changes: tuple[Change, ...] = ()

    def start(self) -> None:
        self._changes = (Change(), Change(PROGRESS_PAUSE_S))
        self.sleep_when_free, self.progress_update_sleep_when_free = self._changes  # type: ignore[assignment]
        super().start()  # type: ignore[no-untyped-call]
        self.active_jobs = _Slots(self.active_jobs, self._wake)

    def close(self) -> None:
        super().close()  # type: ignore[no-untyped-call]
        self._wake()

    async def push(self, body: PredictBodyInternal, request: Request, username: str | None) -> Any:
        """Queue an event. Raises TooManyAtOnce where so many of the visitor's wait that others would find no room."""
        counted_as, share = visitor_in(request.scope).counted_as, (self.max_size or 0) // SHARES
        if share and counted_as and self._waiting(counted_as) >= share:
            raise TooManyAtOnce(limit=share)
        try:
            return await super().push(body, request, username)
        finally:
            self._wake()

    def set_progress(self, event_id: str, iterables: list[TrackedIterable] | None) -> None:
        super().set_progress(event_id, iterables)
        self._wake()

    def _waiting(self, counted_as: str) -> int:
        """The number of the visitor's events that wait."""
        events = chain.from_iterable(waiting.queue for waiting in self.event_queue_per_concurrency_id.values())
        return sum(visitor_in(event.request.scope).counted_as == counted_as for event in events)

    def _wake(self) -> None:
        for change in self._changes:
            change.wake()


class _Slots(list[Any]):
    """The queue's list of jobs, which reports when a job takes its place or leaves it."""

    def __init__(self, jobs: list[Any], wake: Callable[[], None]) -> None:
        super().__init__(jobs)
        self._wake = wake

    def __setitem__(self, place: Any, job: Any) -> None:
        super().__setitem__(place, job)
        self._wake()


def let_queues_wait() -> None:
    """Make the queues of all pages built from now on wait instead of polling. Gradio has no setting for it."""
    queueing.Queue = WaitingQueue  # type: ignore[misc]
    queueing.asyncio = SimpleNamespace(**{**vars(asyncio), "sleep": _sleep})  # type: ignore


async def _sleep(delay: float | Change) -> None:
    await (delay.wait() if isinstance(delay, Change) else asyncio.sleep(delay))
