"""Pages of other origins, such as a browser's extension or a chat's page, that may use the routes for programs: those
whose origins were named at the start (`--allow-origin`). Their browsers ask first, and read an answer only where it
names their origin (Fetch standard, CORS protocol)."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Scope

from tts_core.api.protection.proxy import route_path

_ROUTES = re.compile(
    r"/(api|v1)(/.*)?|/ws|/health|/openapi\.json|/synthesize|/register_speaker|/extract|/similarity(/files)?"
)
"""The routes for programs. The page, its log-in and its files stay closed to other origins."""
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_READABLE = "Content-Disposition, Location, Retry-After, X-Seed, X-Duration-Seconds, X-Sample-Rate, X-Voice-Id, " + (
    "X-Stop-Reason, X-Ignored, WWW-Authenticate"
)
"""The headers of answers that a page may read besides the harmless ones."""
_KEPT_S = 600
"""The seconds for which a browser need not ask again."""


class OtherOrigins:
    """The origins whose pages may use the routes for programs."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def sender(self, scope: Scope) -> str:
        """The origin of the page that sends this request, where it was named; else ""."""
        sent = Headers(scope=scope).getlist("origin")
        is_named = len(sent) == 1 and sent[0].lower() in self._origins
        return sent[0] if is_named and _ROUTES.fullmatch(route_path(scope)) else ""

    def add_headers(self, scope: Scope, headers: MutableHeaders) -> None:
        """Let the page that asked read the answer. Caches keep the answers to different origins apart."""
        if not self._origins or not _ROUTES.fullmatch(route_path(scope)):
            return
        headers.add_vary_header("Origin")
        if sender := self.sender(scope):
            headers["Access-Control-Allow-Origin"] = sender
            headers["Access-Control-Allow-Credentials"] = "true"
            headers["Access-Control-Expose-Headers"] = _READABLE

    def preflight(self, scope: Scope) -> Response | None:
        """The answer to a browser that asks whether a named page may send its request; None for anything else."""
        asked = Headers(scope=scope)
        is_question = scope.get("method") == "OPTIONS" and "access-control-request-method" in asked
        if not is_question or not self.sender(scope):
            return None
        answer = Response(status_code=204, headers={"Access-Control-Allow-Methods": _METHODS})
        answer.headers["Access-Control-Max-Age"] = str(_KEPT_S)
        if wanted := asked.get("access-control-request-headers"):
            answer.headers["Access-Control-Allow-Headers"] = wanted
        if asked.get("access-control-request-private-network") == "true":
            answer.headers["Access-Control-Allow-Private-Network"] = "true"
        return answer
