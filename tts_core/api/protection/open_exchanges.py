"""Ends exchanges that stay open, such as streams of events, sockets and sound, soon after their visitor may no longer
come in: after a log-out, a new password, the end of an account, a key or a session, or a change of role."""

from __future__ import annotations

from asyncio import Task, create_task
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anyio import CancelScope, current_time, move_on_after, sleep
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_core.access.faults import LoginRequired
from tts_core.api.errors import failure_response

RECHECK_S = 1.0
GRACE_S = 5.0
"""The seconds that an answer has to end after it was told to."""
POLICY_VIOLATION = 1008


class OpenExchanges:
    """The open exchanges, checked again and again while there are any; used on the event loop."""

    def __init__(self, recheck_s: float = RECHECK_S) -> None:
        self._recheck_s = recheck_s
        self._open: dict[Exchange, Callable[[], bool]] = {}
        self._looking: Task[None] | None = None

    @contextmanager
    def watching(self, exchange: Exchange, may_stay: Callable[[], bool]) -> Iterator[None]:
        """End the exchange soon after `may_stay`, which must be quick, returns False."""
        self._open[exchange] = may_stay
        if self._looking is None or self._looking.done():
            self._looking = create_task(self._look())
        try:
            yield
        finally:
            del self._open[exchange]

    async def _look(self) -> None:
        while self._open:
            await sleep(self._recheck_s)
            for exchange, may_stay in self._open.items():
                if not may_stay():
                    exchange.end()


class Exchange:
    """A request with its answer, or a WebSocket, that can be ended from outside. To the application the client then
    seems to have gone, which all long work checks for."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._whole = CancelScope()
        self._waiting: set[CancelScope] = set()
        self._start: Message | None = None
        self._is_complete = False
        self._is_over = False

    async def run(self, app: ASGIApp) -> None:
        """Let `app` answer, until it is done or the exchange is ended."""
        try:
            with self._whole:
                await app(self._scope, self._read, self._pass_on)
        except ClientDisconnect:
            if not self._is_over:
                raise
        finally:
            if self._is_over:
                with move_on_after(GRACE_S):  # for a client that reads nothing
                    await self._send_end()

    def end(self) -> None:
        """End the exchange. An answer of known length that has begun is complete already and may go out."""
        if self._is_over or self._is_complete or (self._start and "content-length" in _headers(self._start)):
            return
        self._is_over = True
        self._whole.deadline = current_time() + GRACE_S
        for waiting in self._waiting:
            waiting.cancel()

    async def _read(self) -> Message:
        if not self._is_over:
            with CancelScope() as waiting:
                self._waiting.add(waiting)
                try:
                    return await self._receive()
                finally:
                    self._waiting.discard(waiting)
        if self._scope["type"] == "websocket":
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}
        return {"type": "http.disconnect"}

    async def _pass_on(self, message: Message) -> None:
        if self._is_over:
            return
        if message["type"] == "websocket.accept" or message["type"].endswith("http.response.start"):
            self._start = message
        self._is_complete = message["type"] == "websocket.close" or (
            message["type"].endswith(".body") and not message.get("more_body", False)
        )
        await self._send(message)

    async def _send_end(self) -> None:
        """Send the end that fits the exchange. Sound and files that were cut off must not look whole: they get no last
        piece, so the server cuts the connection."""
        if self._start is None:
            await failure_response(LoginRequired())(self._scope, self._receive, self._send)
        elif self._scope["type"] == "websocket":
            await self._send({"type": "websocket.close", "code": POLICY_VIOLATION, "reason": LoginRequired.code})
        elif _headers(self._start).get("content-type", "").startswith("text/event-stream"):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _headers(start: Message) -> Headers:
    return Headers(raw=list(start.get("headers", ())))
