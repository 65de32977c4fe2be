"""Counts what a request costs while it passes. It takes its place among the requests for work when its body is
complete, so that a slow body takes no place from others; bytes of an upload are counted before they are written, and
large bodies have places of their own while they come."""

from __future__ import annotations

from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_core.access.quotas import LARGE_BODY_BYTES, UPLOAD_BYTES, Quotas
from tts_core.access.visitor import Visitor
from tts_core.api.errors import failure_response
from tts_core.api.protection.guest_rules import Right
from tts_core.domain.errors import StudioError

_PLACE = "place"


def place_of(connection: HTTPConnection) -> ExitStack:
    """The place among the requests for work that a request holds. Work that goes on after the answer takes the place
    over (`pop_all`) and closes it at its own end."""
    place = connection.scope.get("state", {}).get(_PLACE)
    return place if isinstance(place, ExitStack) else ExitStack()


async def answer_counted(
    app: ASGIApp, quotas: Quotas, visitor: Visitor, right: Right, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let `app` answer a request of that right; if a quota is used up meanwhile, the answer is the refusal instead."""
    with ExitStack() as whole, ExitStack() as place:
        scope.setdefault("state", {})[_PLACE] = place
        counted = _Counted(quotas, (visitor, right), (whole, place), receive, send)
        try:
            await app(scope, counted.receive, counted.send)
        except ClientDisconnect:
            if counted.refusal is None:
                raise
    if counted.refusal is not None and not counted.has_begun:
        await failure_response(counted.refusal)(scope, receive, send)


class _Counted:
    """The exchange as the application sees it. After a refusal the client seems to have gone, and the application's
    answer is left out."""

    def __init__(
        self,
        quotas: Quotas,
        asked: tuple[Visitor, Right],
        held: tuple[ExitStack, ExitStack],
        receive: Receive,
        send: Send,
    ) -> None:
        """`held`: what is held until the answer is complete, and the place among the requests for work."""
        self._quotas = quotas
        self._visitor, self._right = asked
        self._whole, self._place = held
        self._received_bytes = 0
        self._receive = receive
        self._send = send
        self.refusal: StudioError | None = None
        self.has_begun = False
        """Whether the answer has begun."""
        self.has_more = True
        """Whether the body has not been read to its end."""

    async def receive(self) -> Message:
        if self.refusal is not None:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request" and self.has_more:
            self.has_more = message.get("more_body", False)
            try:
                self._count(len(message.get("body", b"")))
            except StudioError as error:
                self.refusal = error
                return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.has_begun:
            return
        if message["type"] == "http.response.start":
            self.has_begun = True
            if "content-length" in Headers(raw=message["headers"]):
                self._place.close()  # the work is done: a slow reader holds no place
        await self._send(message)

    def _count(self, size_bytes: int) -> None:
        before, self._received_bytes = self._received_bytes, self._received_bytes + size_bytes
        if before <= LARGE_BODY_BYTES < self._received_bytes:
            self._whole.enter_context(self._quotas.sending(self._visitor))
        if self._right is Right.UPLOAD:
            for _ in range(self._received_bytes // UPLOAD_BYTES - before // UPLOAD_BYTES):
                self._quotas.upload(self._visitor)
            self._quotas.receive(self._visitor, size_bytes)
        elif not self.has_more:
            self._place.enter_context(self._quotas.work(self._visitor))
