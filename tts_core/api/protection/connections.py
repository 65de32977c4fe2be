"""Connections of http, https and WebSockets: how many there may be, and how long one may keep the server waiting.

uvicorn itself limits neither. It ends what is quiet after an answer; bodies of requests have their time in the guard.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

WANTED_DESCRIPTORS = 8192
"""The number of descriptors to ask for: systems start programs with 256 or 1024, whatever more they would allow."""
OTHER_DESCRIPTORS = 256
"""Descriptors left for models, logs, pipes and databases."""
BACKLOG = 256
"""Connections that may come at once before the first of them is looked at."""
DESCRIPTORS_OF_ONE = 2
"""The descriptors of one connection: its own, and that of the file that it is sent."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    total: int = 2000
    per_address: int = 256
    """The most connections of one address. Many people may share it; a browser opens six, and each page of the studio
    holds one or two."""
    head_s: float = 15.0
    """Seconds for the head of a request, from the connection's begin or from the end of the answer before."""
    send_s: float = 60.0
    """Seconds in which a client must take something of an answer. A slower one is gone, or plays a file and asks for
    the rest of it later."""


def limits_here() -> ConnectionLimits:
    """The limits that this process can keep. Raises the number of descriptors that it may have, where that is low."""
    most = ConnectionLimits()
    descriptors = _raise_descriptor_limit()
    total = (descriptors - OTHER_DESCRIPTORS - BACKLOG) // DESCRIPTORS_OF_ONE
    return ConnectionLimits(total=max(1, min(most.total, total)))


def _raise_descriptor_limit() -> int:
    """The number of descriptors after raising it, at most WANTED_DESCRIPTORS."""
    if sys.platform == "win32":
        return WANTED_DESCRIPTORS  # sockets there have no limit worth the name
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = (
        WANTED_DESCRIPTORS if limit == resource.RLIM_INFINITY else min(limit, WANTED_DESCRIPTORS)
        for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        except (OSError, ValueError):  # macOS has a limit of the whole system, too
            return soft
    return hard


class _Connection(asyncio.Protocol):
    """A connection of either kind."""

    transport: asyncio.Transport
    client: tuple[str, int] | None
    loop: asyncio.AbstractEventLoop
    _unsent_bytes = 0
    _taken_at = 0.0

    def resume_writing(self) -> None:
        super().resume_writing()
        self._taken_at = self.loop.time()

    def unsent_bytes(self) -> int:
        try:
            return self.transport.get_write_buffer_size()
        except AttributeError:  # Python 3.10 forgets the socket of a TLS connection before it tells that it is gone
            return 0

    def stuck_s(self, now: float) -> float:
        """The seconds since the client last took something of the waiting answer. Counts from one call to the next."""
        unsent_bytes = self.unsent_bytes()
        if not unsent_bytes or not self._unsent_bytes or unsent_bytes < self._unsent_bytes:
            self._taken_at = now
        self._unsent_bytes = unsent_bytes
        return now - self._taken_at

    def idle_s(self, now: float) -> float:
        """The seconds since a request has been waited for; 0 while one is answered, and until the answer is sent."""
        del now
        return 0.0


class SocketConnection(_Connection, WebSocketsSansIOProtocol):
    """A WebSocket. The server's pings end it if the client doesn't answer them."""


class HttpConnection(_Connection, H11Protocol):
    """A connection that has not become a WebSocket."""

    server_state: Connections
    _idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn's is narrower than asyncio's
        self._idle_since = self.loop.time()
        self.server_state.admit(self)

    def on_response_complete(self) -> None:
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def idle_s(self, now: float) -> float:
        is_idle = self.conn.our_state in (h11.IDLE, h11.DONE) and not self.unsent_bytes()
        return now - self._idle_since if is_idle else 0.0


class Connections(ServerState):
    """The open connections; the server's state, where uvicorn keeps them. Used on its event loop."""

    connections: set[_Connection]  # type: ignore[assignment]  # of these two kinds only

    def __init__(self, limits: ConnectionLimits, is_proxy: Callable[[str], bool]) -> None:
        """`is_proxy` says whether many people may stand behind an address; such an address has the total limit only."""
        super().__init__()
        self._limits = limits
        self._is_proxy = is_proxy

    def admit(self, new: HttpConnection) -> None:
        """Take in a new connection. If it is one too many, the one idle longest is ended: `new` itself if all are
        busy."""
        if len(self.connections) > self._limits.per_address and not self._is_proxy(_address(new)):
            network = _network(_address(new))
            neighbours = [one for one in self.connections if _network(_address(one)) == network]
            if len(neighbours) > self._limits.per_address:
                logger.warning(
                    "One address has %d connections; for each new one another ends", self._limits.per_address
                )
                self._end_idlest(neighbours, new)
        if len(self.connections) > self._limits.total:
            logger.warning("All %d connections are taken; for each new one another ends", self._limits.total)
            self._end_idlest(list(self.connections), new)

    async def end_overdue(self) -> None:
        """End connections that have kept the server waiting for too long. To be called about once a second."""
        now = asyncio.get_running_loop().time()
        for one in list(self.connections):
            if one.stuck_s(now) > self._limits.send_s or one.idle_s(now) > self._limits.head_s:
                one.transport.abort()  # a mere close would wait until the rest is sent

    def _end_idlest(self, among: Sequence[_Connection], new: HttpConnection) -> None:
        now = new.loop.time()
        idlest = max(among, key=lambda one: one.idle_s(now))
        ended = idlest if idlest.idle_s(now) > 0 else new
        self.connections.discard(ended)  # at once: many may come before the loop tells that it is gone
        ended.transport.abort()


def _address(connection: _Connection) -> str:
    return connection.client[0] if connection.client else ""


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    """The group of addresses that counts as one: for IPv6 the network, of which a household has all addresses."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
