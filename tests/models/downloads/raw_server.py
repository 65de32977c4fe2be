"""A server that answers with whatever bytes a test wants, for what no sound HTTP library would send."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Answer = Callable[[str, socket.socket], None]
"""(request head, connection); the connection is closed when it returns."""


@dataclass(slots=True)
class RawServer:
    url: str
    heads: list[str] = field(default_factory=list)
    """What was asked, in order."""

    def header(self, name: str) -> list[str]:
        """Its value in each request, "" where it was not sent."""
        found = []
        for head in self.heads:
            lines = [line for line in head.split("\r\n")[1:] if line.lower().startswith(name.lower() + ":")]
            found.append(lines[0].partition(":")[2].strip() if lines else "")
        return found


@contextmanager
def raw_server(*answers: Answer) -> Iterator[RawServer]:
    """The nth connection gets the nth answer, further ones the last."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def serve(connection: socket.socket, answer: Answer) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                more = connection.recv(65536)
                if not more:
                    return
                head += more
            server.heads.append(head.decode("latin-1"))
            answer(server.heads[-1], connection)

    def accept() -> None:
        count = 0
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                answer = answers[min(count, len(answers) - 1)]
                threading.Thread(target=serve, args=(connection, answer), daemon=True).start()
                count += 1

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def says(text: str, body: bytes = b"") -> Answer:
    """Head lines with \\n between them, then the body, then the end."""
    data = text.strip().replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body
    return lambda _head, connection: connection.sendall(data)


def sends(content: bytes, *, etag: str = "") -> Answer:
    """As a sound server with ranges would, one answer a connection."""

    def answer(head: str, connection: socket.socket) -> None:
        start = int(head.partition("bytes=")[2].partition("-")[0] or 0) if "bytes=" in head else 0
        lines = [f"HTTP/1.1 {206 if start else 200} OK", f"Content-Length: {len(content) - start}", "Connection: close"]
        lines += [f"Content-Range: bytes {start}-{len(content) - 1}/{len(content)}"] if start else []
        lines += [f"ETag: {etag}"] if etag else []
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content[start:])

    return answer
