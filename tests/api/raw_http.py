"""Requests that a well-behaved client can't send, byte by byte."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    """Lower-case names."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RawServer:
    url: str

    @property
    def host(self) -> str:
        """As a browser names it: with its port."""
        return urlsplit(self.url).netloc

    def connect(self) -> socket.socket:
        name, _, port = self.host.rpartition(":")
        return socket.create_connection((name, int(port)), timeout=120)

    def ask(self, method: str, path: str, headers: Iterable[str], *, body: Iterable[bytes] = ()) -> RawAnswer:
        """Send a request with exactly these header lines, then the pieces of the body, and read the whole answer."""
        with self.connect() as connection:
            head = "\r\n".join((f"{method} {path} HTTP/1.1", *headers, "", ""))
            connection.sendall(head.encode("latin-1"))
            try:
                for piece in body:
                    connection.sendall(piece)
            except ConnectionError:
                pass  # the server has heard enough
            return _read(connection)


def _read(connection: socket.socket) -> RawAnswer:
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionError:
            piece = b""
        received += piece
        head, end, body = received.partition(b"\r\n\r\n")
        if end:
            status_line, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            if not piece or ("content-length" in headers and len(body) >= int(headers["content-length"])):
                return RawAnswer(int(status_line.split()[1]), headers, body)
        assert piece, f"no answer, only {received!r}"
