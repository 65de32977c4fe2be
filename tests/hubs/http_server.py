"""A threaded HTTP/1.1 server whose answers can break at every point. Knows no hub."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.hubs.faults import Fault, FaultBoard, Stage
from tests.hubs.request_log import Request, RequestLog

CHUNK_BYTES = 1 << 20
PORTAL = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Hotel network</body></html>"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class FileBody:
    source: Path
    size: int
    etag: str
    """With its quotes."""


@dataclass(slots=True)
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | FileBody = b""
    stage: Stage | None = None
    repository: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    """With its query."""
    headers: Message
    body: bytes


Route = Callable[[Call], Reply]
"""What a sound hub answers."""


class Link:
    """Bytes per second that all connections share; 0 is unlimited."""

    def __init__(self) -> None:
        self.bytes_per_s = 0.0
        self._free_at = 0.0
        self._lock = threading.Lock()

    def wait_s(self, count: int) -> float:
        """How long to wait before `count` bytes may go."""
        if not self.bytes_per_s:
            return 0.0
        with self._lock:
            now = time.monotonic()
            starts = max(self._free_at, now - 0.02)
            self._free_at = starts + count / self.bytes_per_s
            return starts - now


class Origin:
    """One port. `route` answers; the fault board of its hub bends the answers."""

    def __init__(self, name: tuple[str, str], route: Route, faults: FaultBoard, log: RequestLog, link: Link) -> None:
        """`name`: the hub's id, and "hub" or "cdn"."""
        self.hub, self.name = name
        self.route, self.faults, self.log, self.link = route, faults, log, link
        self.closing = threading.Event()
        self.tls: ssl.SSLContext | None = None
        self._server: _Server | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """On the port it had before, if any."""
        self.closing.clear()
        self._server = _Server(self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True, name=f"{self.hub}-hub").start()

    def stop(self) -> None:
        """Nothing listens there any more: connections are refused."""
        if self._server is not None:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            self._server.close_connections()
            self._server = None

    def pause(self, seconds: float) -> None:
        if seconds > 0:
            self.closing.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", origin.port), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):  # the client went away, which clients may
            if self.origin.tls is not None:
                request = self.origin.tls.wrap_socket(request, server_side=True)
            with self._lock:
                self._connections.add(request)
            try:
                super().finish_request(request, client_address)
            finally:
                with self._lock:
                    self._connections.discard(request)
                if self.origin.tls is not None:
                    request.close()

    def close_connections(self) -> None:
        with self._lock:
            for connection in self._connections:
                _hang_up(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    server: _Server

    def do_GET(self) -> None:
        origin = self.server.origin
        request = Request(
            hub=origin.hub,
            origin=origin.name,
            method=self.command,
            path=self.path,
            range=self.headers.get("Range", ""),
            if_range=self.headers.get("If-Range", ""),
            authorization=self.headers.get("Authorization", ""),
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        origin.log.add(request)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._answer(origin, request, origin.route(Call(self.command, self.path, self.headers, body)))
        except OSError:
            self.close_connection = True
        finally:
            request.done = True

    do_HEAD = do_GET  # noqa: N815 - the base class' name
    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent; the request log has it all."""

    def _answer(self, origin: Origin, request: Request, reply: Reply) -> None:
        request.stage, request.file, request.repository = reply.stage, reply.file, reply.repository
        fault = origin.faults.take(reply.stage, reply.file)
        origin.pause(fault.delay_s)
        if fault.silent or fault.drop:
            self._hold(origin, fault) if fault.silent else None
            self._close()
        elif fault.html:
            self._send(request, 200, {"Content-Type": "text/html; charset=utf-8"}, PORTAL)
        elif fault.status is not None:
            size = reply.body.size if isinstance(reply.body, FileBody) else 0
            headers = {"Content-Range": f"bytes */{size}"} if fault.status == 416 else {}
            self._send(request, fault.status, headers | dict(fault.headers), b"")
        elif isinstance(reply.body, FileBody):
            reply.headers |= fault.headers
            self._send_file(origin, request, reply, fault)
        else:
            self._send(request, reply.status, reply.headers | dict(fault.headers), reply.body)

    def _send(self, request: Request, status: int, headers: dict[str, str], body: bytes) -> None:
        request.status = status
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_file(self, origin: Origin, request: Request, reply: Reply, fault: Fault) -> None:
        body = reply.body
        assert isinstance(body, FileBody)
        etag = body.etag if not fault.changed else f'"changed-{body.etag[1:]}'
        span = None if fault.ignore_range else self._span(body.size, etag)
        headers = {"Accept-Ranges": "bytes", "ETag": etag} | reply.headers
        if span == (-1, -1):
            self._send(request, 416, headers | {"Content-Range": f"bytes */{body.size}"}, b"")
            return
        start, stop = span or (0, body.size)
        stop = max(start, stop - fault.short_by)
        headers["Content-Length"] = str(stop - start)
        if span is not None:
            first = start + fault.shift_range
            headers["Content-Range"] = f"bytes {first}-{stop + fault.shift_range - 1}/{body.size - fault.short_by}"
        request.start = start
        self._send(request, 200 if span is None else 206, headers, b"")
        if self.command != "HEAD":
            _Stream(self, origin, request, fault).send(body.source, start, stop)

    def _span(self, size: int, etag: str) -> tuple[int, int] | None:
        """What Range asks for, (-1, -1) if the file has none of it, None for the whole (RFC 9110, 14.2 and 13.1.5)."""
        match = _RANGE.fullmatch(self.headers.get("Range", ""))
        if match is None or match.groups() == ("", "") or self.headers.get("If-Range", etag) != etag:
            return None
        first, last = match.groups()
        if not first:
            return (max(0, size - int(last)), size) if int(last) else (-1, -1)
        if int(first) >= size or (last and int(last) < int(first)):
            return (-1, -1)
        return int(first), min(size, int(last) + 1) if last else size

    def _hold(self, origin: Origin, fault: Fault) -> bool:
        """Until the fault is cleared: True; or until the server stops or the client goes away."""
        self.connection.setblocking(False)
        try:
            while not origin.closing.is_set() and not _is_gone(self.connection):
                if not origin.faults.holds(fault):
                    return True
                origin.pause(0.02)
        finally:
            self.connection.settimeout(self.timeout)
        self.close_connection = True
        return False

    def _close(self) -> None:
        self.close_connection = True
        _hang_up(self.connection)


class _Stream:
    """Sends a file's bytes, with what is wrong with them."""

    def __init__(self, handler: _Handler, origin: Origin, request: Request, fault: Fault) -> None:
        self._handler, self._origin, self._request, self._fault = handler, origin, request, fault

    def send(self, source: Path, start: int, stop: int) -> None:
        fault = self._fault
        if fault.bytes_per_s or self._origin.link.bytes_per_s or fault.chunk_bytes:
            # Else the system takes megabytes into its buffers at once, and a slow link looks fast.
            self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
        cut = _nearest(start, stop, fault.cut_after, fault.cut_at)
        stall = _nearest(start, stop, fault.stall_after, fault.stall_at)
        with source.open("rb") as stream:
            self._span(stream, start, min(stop, cut, stall))
            if stall < min(stop, cut) and self._handler._hold(self._origin, fault):
                self._span(stream, stall, min(stop, cut))
        if cut < stop:
            self._handler._close()

    def _span(self, stream: Any, start: int, stop: int) -> None:
        fault, origin, connection = self._fault, self._origin, self._handler.connection
        is_plain = fault.corrupt_at is None and not fault.changed and origin.tls is None and hasattr(os, "sendfile")
        largest = fault.chunk_bytes or CHUNK_BYTES
        limit = fault.bytes_per_s or origin.link.bytes_per_s
        if limit:
            largest = max(1, min(largest, 64 << 10, int(limit / 20)))
        began, at = time.monotonic(), start
        while at < stop and not origin.closing.is_set():
            count = min(largest, stop - at)
            origin.pause(origin.link.wait_s(count))
            if is_plain:
                os.set_blocking(connection.fileno(), True)
                count = os.sendfile(connection.fileno(), stream.fileno(), at, count)
            else:
                connection.sendall(self._bent(os.pread(stream.fileno(), count, at), at))
            at += count
            self._request.sent += count
            if fault.bytes_per_s:
                origin.pause((at - start) / fault.bytes_per_s - (time.monotonic() - began))
            origin.pause(fault.chunk_delay_s)

    def _bent(self, block: bytes, at: int) -> bytes:
        if self._fault.changed:
            return bytes(block).translate(_OTHER)
        where = self._fault.corrupt_at
        if where is not None and at <= where < at + len(block):
            return block[: where - at] + block[where - at : where - at + 1].translate(_OTHER) + block[where - at + 1 :]
        return block


_OTHER = bytes(byte ^ 0x5A for byte in range(256))


def _nearest(start: int, stop: int, after: int | None, at: int | None) -> int:
    offsets = [stop, *([] if after is None else [start + after]), *([] if at is None else [max(start, at)])]
    return min(offsets)


def _is_gone(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, ssl.SSLError, ValueError):
        return False
    except OSError:
        return True


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
