"""Connections that stay open: their messages, how many there may be, how long a client may not read, when they end."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Protocol, TypeVar

from anyio import CapacityLimiter, fail_after, sleep
from anyio.to_thread import run_sync
from fastapi.sse import format_sse_event
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from tts_core.api.faults import TooManyStreams
from tts_core.domain.errors import Cancelled
from tts_core.platform.job import Job
from tts_core.platform.jobs import Jobs

MAX_STREAMS = 32
HEARTBEAT_S = 30.0
RECONNECT_MS = 2000
SEND_TIMEOUT_S = 60.0
"""The seconds after which a client that reads nothing is taken for gone."""
MIN_INTERVAL_S = 0.125
"""The seconds between two messages of progress: eight a second are as many as an eye follows."""
POLL_S = 0.5
"""The seconds within which a quiet stream notices that the server ends."""


News_co = TypeVar("News_co", covariant=True)


class NewsSource(Protocol[News_co]):
    """A subscription that is waited for."""

    def next(self, timeout_s: float) -> News_co | None:
        """The next event; None if nothing happened for that long. Raises Cancelled once closed."""

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...


class Streams:
    """The open streams of one application. Used on its event loop."""

    def __init__(
        self, limit: int = MAX_STREAMS, heartbeat_s: float = HEARTBEAT_S, send_timeout_s: float = SEND_TIMEOUT_S
    ) -> None:
        self.heartbeat_s = heartbeat_s
        self.send_timeout_s = send_timeout_s
        self._limit = limit
        self._open = 0
        self._threads = CapacityLimiter(limit)
        self._is_ending: Callable[[], bool] = lambda: False

    def end_when(self, is_ending: Callable[[], bool]) -> None:
        """End the streams soon after `is_ending` returns True; otherwise a server would wait for the last client to
        leave."""
        self._is_ending = is_ending

    @property
    def count(self) -> int:
        """How many are open."""
        return self._open

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold the place of one stream. Raises TooManyStreams."""
        if self._open >= self._limit:
            raise TooManyStreams(limit=self._limit)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def changes(
        self, jobs: Jobs, after_seq: int, is_wanted: Callable[[Job], bool] = lambda _job: True
    ) -> AsyncGenerator[Job | None, None]:
        """The jobs that change, in their newest state; None where nothing changes for a moment. Ends with the server.

        Every stream waits in a thread of its own, so that a slow client holds up nobody else.
        """
        with jobs.subscribe(after_seq) as subscription:
            while not self._is_ending():
                try:
                    job = await run_sync(subscription.next, POLL_S, limiter=self._threads, abandon_on_cancel=True)
                except Cancelled:
                    return
                if job is not None and not is_wanted(job):
                    job = None
                yield job
                if job is not None and job.state.is_active:
                    await sleep(MIN_INTERVAL_S)

    async def news(self, subscription: NewsSource[News_co]) -> AsyncGenerator[News_co | None, None]:
        """The events of a subscription; None where nothing happens for a moment. Ends with the server."""
        with subscription:
            while not self._is_ending():
                try:
                    yield await run_sync(subscription.next, POLL_S, limiter=self._threads, abandon_on_cancel=True)
                except Cancelled:
                    return


def last_seen(jobs: Iterable[Job], last: str | None) -> int:
    """The number after which changes of these jobs are news to a client whose last message had the number `last`.

    A number from before a restart is unknown: such a client first gets the present state.
    """
    newest = max((job.seq for job in jobs), default=0)
    return min(int(last[:20]), newest) if last and last.isascii() and last.isdecimal() else newest


class Beats:
    """The heartbeat of a stream of server-sent events."""

    def __init__(self, streams: Streams) -> None:
        self._every_s = streams.heartbeat_s
        self._count = 0
        self._last = time.monotonic()

    def due(self) -> bytes | None:
        """The heartbeat as an event if it is due, else None."""
        if time.monotonic() - self._last < self._every_s:
            return None
        self._count, self._last = self._count + 1, time.monotonic()
        return server_event({"type": "heartbeat", "count": self._count})


def server_event(data: dict[str, Any], *, number: str | None = None, retry: int | None = None) -> bytes:
    """A server-sent event that is named as its type (HTML standard, section 9.2)."""
    text = json.dumps(data, ensure_ascii=False)
    return format_sse_event(data_str=text, event=data["type"], id=number, retry=retry)


def data_event(data: dict[str, Any]) -> bytes:
    """A server-sent event without a name."""
    return format_sse_event(data_str=json.dumps(data, ensure_ascii=False))


class HeldResponse(StreamingResponse):
    """An answer of server-sent events that holds a place of `streams`. Raises TooManyStreams when it is called, before
    it answers."""

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
