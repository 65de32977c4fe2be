"""A layer for a service that listens beyond this machine and whose old clients can't log in: it answers neighbours
only.

Loopback, private and link-local addresses are neighbours: Windows beside its WSL, the machines of one home or office. A
request through a proxy is refused, whatever address it names: a proxy may stand there for the whole world.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from tts_core.api.errors import failure_response
from tts_core.api.faults import NeighboursOnly
from tts_core.api.protection.proxy import VIA
from tts_core.platform.addresses import parsed


class PrivateNetwork:
    """Middleware that refuses requests from outside the network; `app` is everything behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            address = (scope.get("client") or ("",))[0]
            if VIA in scope["headers"] or not is_on_private_network(address):
                await failure_response(NeighboursOnly())(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_on_private_network(address: str) -> bool:
    found = parsed(address.partition("%")[0])
    if found is None or found.is_unspecified:
        return False
    return found.is_private or found.is_loopback or found.is_link_local
