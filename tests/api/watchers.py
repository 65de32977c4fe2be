"""Readers of the server's event streams, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.sync.connection import Connection

from tests.api.conftest import client_of

EVENTS = "/api/models/events"


@dataclass(frozen=True)
class ServerEvent:
    name: str
    data: dict[str, Any]
    id: str | None


class EventReader:
    """Parses server-sent events as the HTML standard says, section 9.2."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def next(self) -> ServerEvent | None:
        """The next event; None where the stream has ended."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return ServerEvent(fields["event"], json.loads(fields["data"]), fields.get("id"))
            name, _, value = line.partition(": ")
            fields[name] = value
        return None

    def until(self, name: str) -> ServerEvent:
        while (event := self.next()) is not None:
            if event.name == name:
                return event
        raise AssertionError(f"the stream ended without {name}")


@contextmanager
def listening(url: str, last_event_id: str | None = None, *, events: str = EVENTS) -> Iterator[EventReader]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    with client_of(url) as client, client.stream("GET", events, headers=headers) as response:
        assert response.status_code == 200, response.read()
        yield EventReader(response)


def socket_of(url: str, query: str = "", **options: Any) -> ClientConnection:
    address = f"ws{url.removeprefix('http')}/ws{query}"
    return connect(address, open_timeout=120, close_timeout=10, proxy=None, **options)


def hear(socket: Connection) -> dict[str, Any]:
    """The next message."""
    message: dict[str, Any] = json.loads(socket.recv(timeout=120))
    return message
