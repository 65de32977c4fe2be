"""A connection of the protocol. A client may send only so much at once; the package itself reads any length."""

from __future__ import annotations

import asyncio

from anyio import fail_after
from wyoming.event import Event, Eventable, async_read_event, async_write_event

from tts_core.api.streams import SEND_TIMEOUT_S

MAX_EVENT_BYTES = 4_000_000
"""The longest data or payload of one event: a chunk of sound is a few kilobytes."""
MAX_LINE_BYTES = 65_536
IDLE_S = 600.0
"""The seconds for which a client may send nothing."""


class BoundedReader(asyncio.StreamReader):
    """A reader that refuses to wait for more than MAX_EVENT_BYTES."""

    async def readexactly(self, n: int) -> bytes:
        """The next `n` bytes. Raises ValueError for too many."""
        if n > MAX_EVENT_BYTES:
            raise ValueError("an event is too long")
        return await super().readexactly(n)


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def address(self) -> str:
        """The client's address; "" where it is not known."""
        peer = self._writer.get_extra_info("peername")
        return str(peer[0]) if peer else ""

    def is_gone(self) -> bool:
        """Whether the client has hung up."""
        return self._writer.is_closing() or self._reader.at_eof()

    async def receive(self) -> Event | None:
        """The next event; None at the end, which whatever is no event is, too. Raises TimeoutError."""
        try:
            with fail_after(IDLE_S):
                event = await async_read_event(self._reader)
        except (asyncio.IncompleteReadError, KeyError, TypeError, AttributeError, RecursionError, ConnectionError):
            return None
        is_whole = event is not None and isinstance(event.type, str) and isinstance(event.data, dict)
        return event if is_whole else None

    async def send(self, event: Eventable) -> None:
        """Raises TimeoutError for a client that reads nothing, ConnectionError for one that has gone."""
        with fail_after(SEND_TIMEOUT_S):
            await async_write_event(event.event(), self._writer)

    async def close(self) -> None:
        self._writer.close()
