"""A page for browsers at addresses where there is none. Programs get the answer as data."""

from __future__ import annotations

from html import escape

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_core.ui.language import preferred_language
from tts_core.ui.plain_page import plain_page
from tts_core.ui.words import load_words

DATA = ("/api/", "/v1/", "/guest/")
"""The beginnings of addresses that are answered with data to browsers, too."""


class MissingPage:
    """ASGI middleware around everything that a browser may open."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        is_for_eyes = scope["type"] == "http" and scope["method"] == "GET" and not path.startswith(DATA)
        headers = Headers(scope=scope) if is_for_eyes else Headers()
        if "text/html" not in headers.get("accept", ""):
            await self._app(scope, receive, send)
            return
        is_missing = False

        async def replace(message: Message) -> None:
            nonlocal is_missing
            if message["type"] == "http.response.start" and message["status"] == 404:
                is_missing = True
                await HTMLResponse(missing_page(headers, path), 404)(scope, receive, send)
            elif not is_missing:
                await send(message)

        await self._app(scope, receive, replace)


def missing_page(headers: Headers, path: str) -> str:
    """The page for a browser with these headers at this address."""
    is_chinese = path.startswith("/zh/")
    language = preferred_language(headers.get("cookie", ""), headers.get("accept-language", ""))
    words = load_words("zh" if is_chinese else language)
    up = "../" * (path.count("/") - 1) or "./"  # relative, so that it also holds below a proxy's path
    body = f"""<h2>{escape(words("missing.title"))}</h2>
<p>{escape(words("missing.why"))}</p>
<p><a class="button" href="{up}{"zh/" if words.language == "zh" else ""}">{escape(words("missing.back"))}</a></p>"""
    return plain_page(words, words("missing.title"), body)
