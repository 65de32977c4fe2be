"""Connections that stay open: how many there may be, how long a client may not read, when all of them end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager

from anyio import CapacityLimiter, fail_after, sleep
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from tts_core.download_queue import Downloads
from tts_core.downloads.task import DownloadTask, TaskState
from tts_core.errors import Cancelled, TooManyStreams

MAX_STREAMS = 32
HEARTBEAT_S = 30.0
SEND_TIMEOUT_S = 60.0
"""A client that reads nothing for so long is gone."""
MIN_INTERVAL_S = 0.125
"""Between messages of progress: eight a second are as many as an eye follows."""
POLL_S = 0.5
"""How soon a quiet stream sees that the server ends."""


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

    async def changes(self, downloads: Downloads, after_seq: int) -> AsyncGenerator[DownloadTask | None, None]:
        """Tasks as they change, the newest of each; None where nothing changes for a moment. Ends with the server.

        Every stream waits in a thread of its own, so that a client who reads slowly holds up nobody else.
        """
        with downloads.subscribe(after_seq) as subscription:
            while not self._is_ending():
                try:
                    task = await run_sync(subscription.next, POLL_S, limiter=self._threads, abandon_on_cancel=True)
                except Cancelled:
                    return
                yield task
                if task is not None and task.state in (TaskState.WAITING, TaskState.RUNNING):
                    await sleep(MIN_INTERVAL_S)


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
