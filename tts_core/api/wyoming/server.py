"""The server of Wyoming clients on one socket, and its announcement on the local network."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio import CancelScope

from tts_core.api.protection.private_network import is_on_private_network
from tts_core.api.work import Workers
from tts_core.api.wyoming.conversation import Conversation
from tts_core.api.wyoming.wire import MAX_LINE_BYTES, BoundedReader, Connection
from tts_core.services import Services

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 64
_SERVICE = "_wyoming._tcp.local."
"""The name under which Home Assistant looks for such servers (RFC 6763)."""


class WyomingServer:
    """Answers every connection of a socket. Used on one event loop."""

    def __init__(self, services: Services, *, private_only: bool) -> None:
        """`private_only`: whether only this machine and its private network are answered."""
        self._services = services
        self._private_only = private_only
        self._workers = Workers()
        self._talks: set[asyncio.Task[None]] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Serve until the task is cancelled; then every connection is closed."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, sock=listener)
        try:
            await server.serve_forever()
        finally:
            server.close()
            for talk in self._talks:
                talk.cancel()
            with CancelScope(shield=True):
                await asyncio.gather(*self._talks, return_exceptions=True)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        reader = BoundedReader(limit=MAX_LINE_BYTES)
        return asyncio.StreamReaderProtocol(reader, self._begin)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.create_task(self._talk(Connection(reader, writer)))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, connection: Connection) -> None:
        try:
            if len(self._talks) > MAX_CONNECTIONS:
                logger.warning("a Wyoming client is not answered: there are too many")
            elif self._private_only and not is_on_private_network(connection.address):
                logger.warning("a Wyoming client from outside the private network is not answered")
            else:
                await Conversation(self._services, self._workers, connection).run()
        except (TimeoutError, ConnectionError) as error:
            logger.info("a Wyoming client has gone: %s", type(error).__name__)
        except Exception:  # one client's trouble is not that of others
            logger.exception("a Wyoming connection broke")
        finally:
            await connection.close()


def serve_wyoming(
    services: Services, listener: socket.socket, *, private_only: bool, name: str | None, ready: Callable[[], None]
) -> None:
    """Serve until a signal ends it. `name` announces the server under it to the local network; `ready` is called once
    clients can come."""

    async def run() -> None:
        server = WyomingServer(services, private_only=private_only)
        async with announced(listener, name):
            ready()
            await server.serve(listener)

    asyncio.run(run())


@asynccontextmanager
async def announced(listener: socket.socket, name: str | None) -> AsyncIterator[None]:
    """Announce the socket by multicast DNS while the block runs; None announces nothing."""
    if name is None:
        yield
        return
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf  # noqa: PLC0415 - only where it is wanted

    host, port = listener.getsockname()[:2]
    address = _reachable(host)
    info = AsyncServiceInfo(
        _SERVICE, f"{name}.{_SERVICE}", addresses=[socket.inet_aton(address)], port=port, server=f"{name}.local."
    )
    zeroconf = AsyncZeroconf(interfaces=[address])
    try:
        await zeroconf.async_register_service(info, allow_name_change=True)
        yield
    finally:
        with CancelScope(shield=True):
            await zeroconf.async_close()


def _reachable(host: str) -> str:
    """The IPv4 address under which others reach a socket on `host`; nothing is sent to find it out."""
    if host not in ("", "0.0.0.0", "::"):  # noqa: S104 - recognised, never listened on
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("224.0.0.251", 1))
        return str(probe.getsockname()[0])
