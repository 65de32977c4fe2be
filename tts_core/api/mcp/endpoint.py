"""/mcp: the tools for AI assistants over streamable HTTP, for this machine and for programs that log in with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import Lock
from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tts_core.access.faults import LoginRequired
from tts_core.access.visitor import visitor_in
from tts_core.api.errors import failure_response
from tts_core.api.faults import MethodNotAllowed
from tts_core.api.work import Workers
from tts_core.domain.errors import StudioError
from tts_core.platform.addresses import is_this_machine
from tts_core.services import Services

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

PATHS = ("/mcp", "/mcp/", "/gradio_api/mcp", "/gradio_api/mcp/")
"""The addresses of the endpoint; the last two are where the clients of Gradio's apps look."""


def add_mcp(app: FastAPI, services: Services, workers: Workers) -> None:
    endpoint = McpEndpoint(services, workers)
    app.router.routes.extend(Route(path, endpoint, include_in_schema=False) for path in PATHS)


class McpEndpoint:
    """The endpoint as an ASGI app. It handles each request alone: no sessions have to be remembered."""

    def __init__(self, services: Services, workers: Workers) -> None:
        self._services = services
        self._workers = workers
        self._lock = Lock()
        self._tools: MCPServer[Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            _check(scope)
        except StudioError as error:
            headers = {"Allow": "POST"} if isinstance(error, MethodNotAllowed) else None
            await failure_response(error, headers)(scope, receive, send)
            return
        tools = await self._ready()
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager  # noqa: PLC0415 - loaded by then

        from tts_core.api.mcp.tools import ASKED  # noqa: PLC0415 - loaded by then

        manager = StreamableHTTPSessionManager(
            tools._lowlevel_server,  # what its own app gives to a manager, too
            stateless=True,
            max_request_body_size=self._services.settings.limits.max_float_body_bytes,
        )
        ASKED.set(Request(scope))  # for the tasks that begin here
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    async def _ready(self) -> MCPServer[Any]:
        async with self._lock:
            if self._tools is None:
                self._tools = await run_sync(self._load)
            return self._tools

    def _load(self) -> MCPServer[Any]:
        """The server of the tools, loaded with the first request: the protocol's package takes a second, which would
        delay the start and block the event loop."""
        from tts_core.api.mcp.tools import build_tools  # noqa: PLC0415

        return build_tools(self._services, self._workers)


def _check(scope: Scope) -> None:
    """Refuse requests that must not reach the tools. Raises LoginRequired, MethodNotAllowed. Where nobody has to log
    in, the studio may be open to a whole network; its assistants are not."""
    if scope["method"] != "POST":
        raise MethodNotAllowed(method=scope["method"])
    if not visitor_in(scope).name and not is_this_machine((scope.get("client") or ("",))[0]):
        raise LoginRequired
