"""Listening and serving, for the studio and for each service that stands alone: the socket, uvicorn, the address."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from typing import NoReturn

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tts_core.api.protection.connections import (
    BACKLOG,
    ConnectionLimits,
    Connections,
    HttpConnection,
    SocketConnection,
    limits_here,
)
from tts_core.platform.faults import InvalidSetting
from tts_core.platform.settings.server import Certificate
from tts_core.platform.settings.studio import FIRST_PORT, WILDCARD_HOSTS, Settings

logger = logging.getLogger(__name__)

PORTS_TRIED = 100
STOP_AFTER_S = 1
"""The seconds that running requests have to end, once the server stops."""
LAST_WORD_S = 0.5
"""The seconds in which those that have not ended then are answered with ServerStopping."""
REST_S = 0.9
"""The seconds that everything else has after them; all together stay below three seconds."""
MAX_SOCKET_MESSAGE_BYTES = 16_384
"""The longest message that a client may send over a WebSocket."""


def bind(settings: Settings) -> socket.socket:
    """The listening socket. A port that the settings name must be free; otherwise the first free one is taken. Raises
    InvalidSetting."""
    ports = [settings.port] if settings.port else range(FIRST_PORT, FIRST_PORT + PORTS_TRIED)
    for port in ports:
        try:
            return listen(settings.host, port)
        except OSError:
            continue
    raise InvalidSetting(name="--port", value=ports[0], expected="a free port on an address of this machine")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens from now on, so that nobody else takes the port while the page is built. Raises OSError."""
    # TCP is named: asyncio sends at once only then; else each answer on a kept connection waits 40 ms for the next.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name == "posix"))
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, certificate: Certificate | None = None) -> str:
    """The address where people on this machine reach the server, with a slash at the end."""
    host, port = listener.getsockname()[:2]
    shown = "127.0.0.1" if host in WILDCARD_HOSTS else host
    scheme = "https" if certificate else "http"
    return f"{scheme}://[{shown}]:{port}/" if ":" in shown else f"{scheme}://{shown}:{port}/"


def end_on_signals(rest_s: float | None = REST_S) -> None:
    """Let signals that end the process leave by way of `finally`. The server hands such a signal on when it has ended
    itself; by default the signal would end the process with no clean-up. A signal that is ignored, as by nohup, stays
    so.

    `rest_s`: the seconds after which the process ends in any case, for a thread that compiles or waits can't be
    stopped. Files stay whole whenever a process ends. None gives as much time as it takes.
    """

    def end(number: int, _frame: object) -> NoReturn:
        is_interrupt = number == signal.SIGINT
        status = 128 + number if is_interrupt else 0
        # Python would look through millions of objects before it ends, which takes seconds and frees nothing.
        atexit.register(_leave, status)
        if rest_s is not None:
            rest = Timer(rest_s, _cut_off, args=(status,))
            rest.daemon = True
            rest.start()
        raise KeyboardInterrupt if is_interrupt else SystemExit(0)

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):  # the last on Windows, the one before elsewhere
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _cut_off(status: int) -> NoReturn:
    logger.info("the process ends with threads that could not be stopped")
    _leave(status)


def _leave(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, or a window without any
            stream.flush()
    logging.shutdown()
    os._exit(status)


class ByPort:
    """Several applications in one server: each answers on a port of its own, and `app` on all others."""

    def __init__(self, app: ASGIApp, others: Mapping[int, ASGIApp]) -> None:
        self._app = app
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        port = (scope.get("server") or ("", 0))[1] or 0
        await self._others.get(port, self._app)(scope, receive, send)


class _Server(uvicorn.Server):
    """A server that waits for the last word of the requests that it has cancelled."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=LAST_WORD_S)


def build_server(
    app: FastAPI,
    certificate: Certificate | None = None,
    limits: ConnectionLimits | None = None,
    others: Mapping[int, FastAPI] | None = None,
) -> uvicorn.Server:
    """A server that serves `app` until a signal ends it; then open streams end, and the rest has a few seconds.

    With a certificate it speaks https. Without `limits` they are what this process can keep. `others` answer on their
    ports.
    """
    connections = Connections(limits or limits_here(), app.state.services.settings.proxies.trusts)
    config = uvicorn.Config(
        ByPort(app, others) if others else app,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the guard reads these headers
        timeout_graceful_shutdown=STOP_AFTER_S,
        backlog=BACKLOG,
        http=HttpConnection,
        callback_notify=connections.end_overdue,
        timeout_notify=0,  # with every tick, one a second: each may end connections
        ws=SocketConnection,
        ws_max_size=MAX_SOCKET_MESSAGE_BYTES,
        ssl_certfile=certificate.cert_file if certificate else None,
        ssl_keyfile=certificate.key_file if certificate else None,
        ssl_keyfile_password=certificate.password if certificate else None,
    )
    server = _Server(config)
    server.server_state = connections
    for served in (app, *(others or {}).values()):
        served.state.streams.end_when(lambda: server.should_exit)
    return server
