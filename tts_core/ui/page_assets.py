"""Gradio's scripts and styles out of memory, to be kept by the browser for ever: their names hold their content's hash.

Gradio reads, compresses and sends each of them anew for each visit; a page needs about a hundred.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from gradio.route_utils import BUILD_PATH_LIB
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOR_EVER = "public, max-age=31536000, immutable"
FOR_A_DAY = "public, max-age=86400"
TYPES = {".js": "text/javascript", ".css": "text/css"}
_NAME = re.compile(r"[\w.-]+")


class PageAssets:
    """ASGI middleware around the mounted pages."""

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        """`paths`: where the pages are mounted."""
        self._app = app
        self._folder = Path(BUILD_PATH_LIB)
        self._paths = sorted((path.rstrip("/") for path in paths), key=len, reverse=True)
        self._files: dict[str, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        path = self._inside(scope.get("path", "").removeprefix(scope.get("root_path", "")))
        folder, _, name = path.rpartition("/")
        if folder == "/assets" and (text := self._text(name)) is not None:
            await _answer(text, TYPES[Path(name).suffix], send)
            return
        if path == "/theme.css" and scope["query_string"].startswith(b"v="):
            send = _kept(send, FOR_EVER)
        elif path.startswith("/static/"):
            send = _kept(send, FOR_A_DAY)
        await self._app(scope, receive, send)

    def _inside(self, path: str) -> str:
        """The path as the mounted page sees it."""
        return next((path.removeprefix(own) for own in self._paths if path.startswith(f"{own}/")), path)

    def _text(self, name: str) -> bytes | None:
        """The script or style of that name; None for anything else."""
        if name not in self._files:
            file = self._folder / name
            if Path(name).suffix not in TYPES or not _NAME.fullmatch(name) or not file.is_file():
                return None
            self._files[name] = file.read_bytes()
        return self._files[name]


async def _answer(text: bytes, kind: str, send: Send) -> None:
    headers = {"content-type": f"{kind}; charset=utf-8", "content-length": str(len(text)), "cache-control": FOR_EVER}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    await send({"type": "http.response.body", "body": text})


def _kept(send: Send, rule: str) -> Send:
    """A `send` that lets the browser keep the answer."""

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            MutableHeaders(raw=message["headers"])["Cache-Control"] = rule
        await send(message)

    return keep
