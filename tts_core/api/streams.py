"""Connections that stay open: what they tell, how many there may be, how long a client may not read, when they end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, TypeVar, overload

from anyio import CapacityLimiter, fail_after, move_on_after, sleep
from anyio.to_thread import run_sync
from fastapi.sse import format_sse_event
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from tts_core.domain.errors import Cancelled, TooManyStreams
from tts_core.models.download_task import DownloadTask
from tts_core.models.downloads.queue import Downloads
from tts_core.platform.jobs import Job, Jobs

MAX_STREAMS = 32
HEARTBEAT_S = 30.0
RECONNECT_MS = 2000
SEND_TIMEOUT_S = 60.0
"""A client that reads nothing for so long is gone."""
MIN_INTERVAL_S = 0.125
"""Between messages of progress: eight a second are as many as an eye follows."""
POLL_S = 0.5
"""How soon a quiet stream sees that the server ends."""
Change = TypeVar("Change", DownloadTask, Job)


class Streams:
    """The open streams of one application. Used on its event loop."""

    def __init__(
        self, limit: int = MAX_STREAMS, heartbeat_s: float = HEARTBEAT_S, send_timeout_s: float = SEND_TIMEOUT_S
    ) -> None:
        self.heartbeat_s = heartbeat_s
        self.send_timeout_s = send_timeout_s
        self._limit = limit
        self._open = 0
        self._threads = CapacityLimiter(2 * limit)  # a stream may tell of downloads and of jobs
        self._is_ending: Callable[[], bool] = lambda: False

    def end_when(self, is_ending: Callable[[], bool]) -> None:
        """Streams end soon after `is_ending` says so; a server would else wait for the last client to leave."""
        self._is_ending = is_ending

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one stream. Raises TooManyStreams."""
        if self._open >= self._limit:
            raise TooManyStreams(limit=self._limit)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    @overload
    def changes(self, watched: Downloads, after_seq: int) -> AsyncGenerator[DownloadTask | None, None]: ...

    @overload
    def changes(self, watched: Jobs, after_seq: int) -> AsyncGenerator[Job | None, None]: ...

    async def changes(
        self, watched: Downloads | Jobs, after_seq: int
    ) -> AsyncGenerator[DownloadTask | Job | None, None]:
        """What changes, the newest of each; None where nothing changes for a moment. Ends with the server.

        Every stream waits in a thread of its own, so that a client who reads slowly holds up nobody else.
        """
        with watched.subscribe(after_seq) as subscription:
            while not self._is_ending():
                try:
                    change = await run_sync(subscription.next, POLL_S, limiter=self._threads, abandon_on_cancel=True)
                except Cancelled:
                    return
                yield change
                if change is not None and not change.state.is_over and change.state.value != "paused":
                    await sleep(MIN_INTERVAL_S)

    async def merged(
        self, jobs: tuple[Jobs, int], downloads: tuple[Downloads, int]
    ) -> AsyncGenerator[DownloadTask | Job | None, None]:
        """The changes of both after their numbers, each as soon as it comes; None now and then."""
        told: asyncio.Queue[DownloadTask | Job] = asyncio.Queue(1)  # who reads slowly is told the newest only
        pumps = [
            asyncio.create_task(_pump(self.changes(*jobs), told)),
            asyncio.create_task(_pump(self.changes(*downloads), told)),
        ]
        try:
            while not told.empty() or not all(pump.done() for pump in pumps):
                change = None
                with move_on_after(POLL_S):
                    change = await told.get()
                yield change
            await asyncio.gather(*pumps)
        finally:
            for pump in pumps:
                pump.cancel()


class Beats:
    """The heartbeat of a stream of server-sent events."""

    def __init__(self, streams: Streams) -> None:
        self._every_s = streams.heartbeat_s
        self._count = 0
        self._last = time.monotonic()

    def due(self) -> bytes | None:
        """The event, when it is time for one."""
        if time.monotonic() - self._last < self._every_s:
            return None
        self._count, self._last = self._count + 1, time.monotonic()
        return server_event({"type": "heartbeat", "count": self._count})


def server_event(data: dict[str, Any], *, number: str | None = None, retry: int | None = None) -> bytes:
    """One server-sent event, named as its type (HTML standard, section 9.2)."""
    text = json.dumps(data, ensure_ascii=False)
    return format_sse_event(data_str=text, event=data["type"], id=number, retry=retry)


def data_event(data: dict[str, Any]) -> bytes:
    """One server-sent event without a name."""
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False))


async def _pump(changes: AsyncGenerator[Change | None, None], told: asyncio.Queue[DownloadTask | Job]) -> None:
    async with aclosing(changes):
        async for change in changes:
            if change is not None:
                await told.put(change)


class HeldResponse(StreamingResponse):
    """Server-sent events in a place of `streams`. Raises TooManyStreams when it is called, before it answers."""

    def __init__(self, streams: Streams, events: AsyncGenerator[bytes, None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._streams = streams
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            try:
                with fail_after(self._streams.send_timeout_s):
                    await send(message)
            except TimeoutError:
                raise ClientDisconnect from None

        with self._streams.place():
            async with aclosing(self._events):  # also where the client leaves while something is sent
                await super().__call__(scope, receive, send_in_time)
