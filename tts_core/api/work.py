"""Work that takes seconds or hours: in threads of its own, stopped when its client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from threading import Event
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request

from tts_core.domain.engine import CancelCheck
from tts_core.domain.errors import memory_errors_typed

Result = TypeVar("Result")

MAX_DECODERS = 2
"""The recordings from outside that are decoded at once: each may take gigabytes for a moment."""
MAX_THREADS = 64
"""The most threads: more than may wait for an engine, so that the queue and not the lack of threads says when it is
full."""


class Workers:
    """Threads apart from those that answer quick requests, so that long work never holds those up.

    A lack of memory is raised as OutOfMemory.
    """

    def __init__(self, threads: int = MAX_THREADS) -> None:
        self._working = CapacityLimiter(threads)
        self._listening = CapacityLimiter(threads)
        self._decoding = CapacityLimiter(MAX_DECODERS)

    async def run(self, request: Request, work: Callable[[CancelCheck], Result]) -> Result:
        """The result of `work`, which is told to stop as soon as the client of `request` has gone.

        The request's body must have been read.
        """
        gone = Event()
        watch = asyncio.create_task(_watch(request, gone))
        try:
            return await run_sync(partial(_typed, partial(work, gone.is_set)), limiter=self._working)
        finally:
            watch.cancel()
            gone.set()  # the thread may still work where the server ends and waits no longer

    async def run_until(self, work: Callable[[CancelCheck], Result]) -> Result:
        """The result of `work`, which is told to stop when the task that waits for it is cancelled."""
        gone = Event()
        try:
            return await run_sync(
                partial(_typed, partial(work, gone.is_set)), limiter=self._working, abandon_on_cancel=True
            )
        finally:
            gone.set()

    async def decode(self, work: Callable[[], Result]) -> Result:
        """The result of `work`, which reads files from outside; only a few do so at once."""
        return await run_sync(partial(_typed, work), limiter=self._decoding)

    async def stream(self, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces as they come; a listener who leaves does not wait for the next one."""
        while piece := await run_sync(next, pieces, b"", limiter=self._listening, abandon_on_cancel=True):
            yield piece


def _typed(work: Callable[[], Result]) -> Result:
    with memory_errors_typed():
        return work()


async def _watch(request: Request, gone: Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    gone.set()
