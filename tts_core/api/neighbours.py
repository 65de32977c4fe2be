"""For a service that listens beyond this machine and whose old clients can't log in: it answers neighbours only.

Loopback, private and link-local addresses are neighbours: Windows beside its WSL, the machines of one home or office.
"""

from __future__ import annotations

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send

from tts_core.api.errors import failure_response
from tts_core.errors import NeighboursOnly


class Neighbours:
    """Middleware; `app` is everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not is_neighbour((scope.get("client") or ("", 0))[0]):
            await failure_response(NeighboursOnly())(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_neighbour(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return (found.is_private or found.is_loopback or found.is_link_local) and not found.is_unspecified
