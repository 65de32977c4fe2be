"""Compresses text on its way to a browser: pages, scripts, styles and JSON. Sound and streams pass as they are.

It stands in front of the log-in, outside of what hides folders from guests, since that has to read the text. What lies
behind it never compresses by itself: the same script would be compressed again for each page.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from hashlib import blake2b

from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TEXTS = (
    "text/html",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "image/svg+xml",
)
MIN_BYTES = 1000
"""Smaller texts hardly get smaller."""
MAX_BYTES = 8_000_000
"""The largest text that is held to be compressed."""
LEVEL = 6
KEPT_TEXTS = 256
"""The number of compressed texts that are kept, the latest ones: a page consists of about a hundred."""


class Compression:
    """ASGI middleware; `app` is everything behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            headers = Headers(scope=scope)
            if _takes_gzip(headers.get("accept-encoding", "")) and "range" not in headers:
                send = _Answer(self, send).send
            scope["headers"] = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
        await self._app(scope, receive, send)

    async def compressed(self, text: bytes) -> bytes:
        """The text compressed, beside the event loop."""
        key = blake2b(text, digest_size=16).digest()
        if key not in self._kept:
            self._kept[key] = await run_sync(lambda: gzip.compress(text, LEVEL, mtime=0))
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_TEXTS:
            self._kept.popitem(last=False)
        return self._kept[key]


class _Answer:
    """An answer on its way. A text whose length is known is held until it is whole; all else passes."""

    def __init__(self, compression: Compression, send: Send) -> None:
        self._compression = compression
        self._send = send
        self._start: Message | None = None
        self._text = bytearray()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_compressible(message):
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._text += message.get("body", b"")
        if message.get("more_body", False):
            return
        start, self._start = self._start, None
        body = await self._compression.compressed(bytes(self._text))
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        headers.add_vary_header("Accept-Encoding")
        if (tag := headers.get("etag", "")).startswith('"'):
            headers["ETag"] = f"W/{tag}"  # the same text, but not the same bytes
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _is_compressible(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    length = headers.get("content-length", "")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_whole = start["status"] == 200 and "content-encoding" not in headers
    return is_whole and kind in TEXTS and length.isdecimal() and MIN_BYTES <= int(length[:12]) <= MAX_BYTES
